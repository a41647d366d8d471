//! Several clients at once: each asks, cancels and signals its own jobs, and nobody's else; a
//! hostile one hears errors and harms nobody.

use std::time::Duration;

use cpe::config::{OverQuota, Quotas};
use cpe_ports::Receive;
use cpe_swf::{DomainName, WorkflowId, api::TerminateWorkflowExecutionRequest};
use cpe_tests::{Client, Options, Wire, World, events_text};
use expect_test::expect;
use serde_json::{Value, json};

use crate::check;

const PLAN: &str = r#"
name: Ask
version: "1"
activities:
- {name: Do, version: v1, module: misbehave@1, heartbeat_timeout: 5, start_to_close_timeout: 60}
steps:
- {name: Approval, signal: approved}
- {name: Do, activity: Do, requires: [Approval], input: "{{ __input__.what }}", allow_failure: true}
"#;

const DIRECT: &str = r#"
name: Direct
version: "1"
activities:
- {name: Do, version: v1, module: misbehave@1, heartbeat_timeout: 5, start_to_close_timeout: 60}
steps:
- {name: Do, activity: Do, input: "{{ __input__.what }}"}
"#;

fn options(wire: Wire) -> Options {
    Options::new(wire)
        .plan(PLAN)
        .plan(DIRECT)
        .module("misbehave")
        .client("other", Quotas::default())
}

/// Type and what matters of an answer: no times, no run ids.
fn brief(answer: &Value) -> String {
    let data = &answer["data"];
    let job = |job: &Value| format!("{} {}", job["jobId"], job["status"]);
    let activity = |a: &Value| format!("{} {} {}", a["activityId"], a["status"], a["attempt"]);
    let list = |list: &Value, line: &dyn Fn(&Value) -> String| {
        let mut lines: Vec<_> = list.as_array().unwrap().iter().map(line).collect();
        lines.sort();
        lines.join(", ")
    };
    let what = match answer["type"].as_str().unwrap() {
        "JOB_STATUS" => format!("{} {}", job(&data["job"]), data["result"]),
        "JOB_LIST" => format!("[{}] {}", list(&data["jobs"], &job), data["nextPageToken"]),
        "ACTIVITY_LIST" => format!("[{}]", list(&data["activities"], &activity)),
        "ACTIVITY_STATUS" => activity(&data["activity"]),
        "COMMAND_REJECTED" => format!("{} {}", data["reason"], data["errors"]),
        "JOB_SIGNALED" => data["signal"].to_string(),
        "ACTIVITY_CANCEL_REQUESTED" => data["activity"].to_string(),
        _ => String::new(),
    };
    format!("{} {what}\n", answer["type"].as_str().unwrap())
}

async fn ask(client: &Client, command: &str, job: &str, data: Value) -> String {
    brief(&client.ask(command, job, data).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_is_answered() {
    check(
        options,
        async |_, client| {
            let what = json!({"what": {"do": "beat-forever"}});
            client.start("j", ("Ask", "1"), what).await;
            client.started("j").await;
            let mut told = ask(client, "get_job_status", "j", json!(null)).await;
            told += &ask(client, "GET_ACTIVITY_LIST", "j", json!({})).await;
            told += &ask(client, "CANCEL_ACTIVITY", "j", json!({"activityId": "Do"})).await;
            told += &ask(client, "SIGNAL_JOB", "j", json!({"signal": "cpe.more"})).await;
            told += &ask(client, "SIGNAL_JOB", "j", json!({"signal": "approved"})).await;
            client.events_until(|event| event["type"] == "ACTIVITY_STARTED").await;
            told += &ask(client, "GET_ACTIVITY_STATUS", "j", json!({"activityId": "Do"})).await;
            told += &ask(client, "CANCEL_ACTIVITY", "j", json!({"activityId": "Do"})).await;
            told += &events_text(&client.events_of("j").await[..]);
            told += &ask(client, "CANCEL_JOB", "j", json!({})).await;
            told += &ask(client, "GET_JOB_STATUS", "j", json!({})).await;
            told += &ask(client, "GET_JOB_LIST", "list", json!({"status": "completed"})).await;
            // The same jobId starts nothing again.
            client.start("j", ("Ask", "1"), json!({"what": {}})).await;
            let again = client.events_until(|event| event["type"] == "JOB_STATUS").await;
            told += &brief(again.last().unwrap());
            client.start("k", ("Ask", "1"), json!({"what": {}})).await;
            client.started("k").await;
            told += &ask(client, "cancel_job", "k", json!({})).await;
            told + &events_text(&client.events_of("k").await)
        },
        expect![[r#"
            JOB_STATUS "j" "RUNNING" null
            ACTIVITY_LIST []
            COMMAND_REJECTED "cpe.activity.unknown" [{"path":"data.activityId","message":"the job's present run has had no activity `Do`"}]
            COMMAND_REJECTED "cpe.command.invalid" [{"path":"data.signal","message":"signals whose names begin with `cpe.` are CPE's"}]
            JOB_SIGNALED "approved"
            ACTIVITY_STATUS "Do" "RUNNING" 1
            ACTIVITY_CANCEL_REQUESTED {"activityId":"Do"}
            ACTIVITY_CANCELED Do {"reason":"CANCELED","details":"canceled on request"}
            JOB_COMPLETED {}
            COMMAND_REJECTED "cpe.job.closed" [{"path":"jobId","message":"the job has ended already: COMPLETED"}]
            JOB_STATUS "j" "COMPLETED" {}
            JOB_LIST ["j" "COMPLETED"] null
            JOB_STATUS "j" "COMPLETED" {}
            JOB_CANCEL_REQUESTED 
            JOB_CANCELED {"reason":"CANCELED","details":"the execution was asked to cancel"}
        "#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_reaches_the_jobs_of_another() {
    check(
        options,
        async |world, client| {
            let other = world.client_named("other").await;
            client.start("j", ("Ask", "1"), json!({"what": {"do": "noop"}})).await;
            client.events_until(|event| event["type"] == "JOB_STARTED").await;
            let mut told = String::new();
            for job in ["j", "tester.j", "../tester/j"] {
                told += &ask(&other, "CANCEL_JOB", job, json!({})).await;
                told += &ask(&other, "GET_JOB_STATUS", job, json!({})).await;
            }
            told += &ask(&other, "SIGNAL_JOB", "j", json!({"signal": "approved"})).await;
            let theirs = json!({"client": {"name": "tester", "queues": {"output": "tester-out"}}});
            told += &ask(&other, "GET_JOB_LIST", "j", theirs).await;
            told += &ask(&other, "GET_JOB_LIST", "j", json!({"status": "RUNNING"})).await;
            told += &ask(client, "SIGNAL_JOB", "j", json!({"signal": "approved"})).await;
            let ended = client.events_of("j").await;
            told + &events_text(&ended[ended.len() - 1..])
        },
        expect![[r#"
            COMMAND_REJECTED "cpe.job.unknown" [{"path":"jobId","message":"the client has no such job, or it has ended so long ago that it is forgotten"}]
            COMMAND_REJECTED "cpe.job.unknown" [{"path":"jobId","message":"the client has no such job, or it has ended so long ago that it is forgotten"}]
            COMMAND_REJECTED "cpe.job.unknown" [{"path":"jobId","message":"the client has no such job, or it has ended so long ago that it is forgotten"}]
            COMMAND_REJECTED "cpe.job.unknown" [{"path":"jobId","message":"the client has no such job, or it has ended so long ago that it is forgotten"}]
            COMMAND_REJECTED "cpe.job.unknown" [{"path":"jobId","message":"the client has no such job, or it has ended so long ago that it is forgotten"}]
            COMMAND_REJECTED "cpe.job.unknown" [{"path":"jobId","message":"the client has no such job, or it has ended so long ago that it is forgotten"}]
            COMMAND_REJECTED "cpe.job.unknown" [{"path":"jobId","message":"the client has no such job, or it has ended so long ago that it is forgotten"}]
            COMMAND_REJECTED "cpe.command.invalid" [{"path":"data.client.name","message":"commands on this queue are those of other, and the message says `tester`"}]
            JOB_LIST [] null
            JOB_SIGNALED "approved"
            JOB_COMPLETED {"Do":{}}
        "#]],
    )
    .await;
}

/// Messages that nobody can read, and more commands than anybody may need.
async fn be_hostile(other: &Client) {
    let nested = format!("{{\"data\": {}", "[".repeat(256 << 10));
    for _ in 0..5 {
        other.send(nested.clone()).await;
    }
    for count in 0..100 {
        other.send(format!("{{\"type\": \"GET_JOB_LIST\", \"time\": {count}}}")).await;
        other.send(format!("garbage {count}")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_one_client_harms_nobody() {
    let world = World::start(options(Wire::Direct)).await;
    let (client, other) = (world.client().await, world.client_named("other").await);
    be_hostile(&other).await;
    let began = tokio::time::Instant::now();
    client.start("j", ("Direct", "1"), json!({"what": {"do": "noop"}})).await;
    let events = client.events_of("j").await;
    assert_eq!(events.last().unwrap()["type"], "JOB_COMPLETED", "{}", events_text(&events));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    // All that is unreadable was told, and can be looked at.
    let mut rejected = 0;
    other
        .events_until(|event| {
            rejected += usize::from(event["type"] == "COMMAND_REJECTED");
            rejected == 105
        })
        .await;
    let dead = world.ports.queues.queue_url("other-dead").await.unwrap();
    let receive = Receive { max_messages: 10, wait: Duration::ZERO, visibility_timeout: None };
    assert_eq!(world.ports.queues.receive(&dead, receive).await.unwrap().len(), 10);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_was_terminated_is_told_all_the_same() {
    check(
        options,
        async |world, client| {
            client.start("j", ("Ask", "1"), json!({"what": {}})).await;
            client.events_until(|event| event["type"] == "JOB_STARTED").await;
            let terminate = TerminateWorkflowExecutionRequest {
                domain: DomainName::from(world.config.domain.as_str()),
                workflow_id: WorkflowId::from("tester.j"),
                run_id: None,
                reason: Some("enough".to_owned()),
                details: None,
                child_policy: None,
            };
            world.ports.workflows.terminate_workflow_execution(terminate).await.unwrap();
            let events = client.events_of("j").await;
            let end = events.last().unwrap();
            assert!(end["eventId"].as_str().unwrap().ends_with(":end"));
            events_text(std::slice::from_ref(end))
        },
        expect![[r#"
            JOB_FAILED {"reason":"cpe.terminated","details":"an operator or SWF has terminated the job: enough"}
        "#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_has_as_many_jobs_as_it_may() {
    let one = Quotas { jobs_in_flight: Some(1), over: OverQuota::Refuse, ..Quotas::default() };
    check(
        |wire| options(wire).client("small", one.clone()),
        async |world, _| {
            let small = world.client_named("small").await;
            small.start("a", ("Ask", "1"), json!({"what": {"do": "noop"}})).await;
            small.events_until(|event| event["type"] == "JOB_STARTED").await;
            small.start("b", ("Ask", "1"), json!({"what": {"do": "noop"}})).await;
            let refused = small.events_of("b").await;
            assert_eq!(refused[0]["data"]["quota"]["limit"], 1);
            let mut told = events_text(&refused);
            // What is not a start has nothing to do with it.
            told += &ask(&small, "SIGNAL_JOB", "a", json!({"signal": "approved"})).await;
            let ended = small.events_of("a").await;
            told += &events_text(&ended[ended.len() - 1..]);
            told
        },
        expect![[r#"
            COMMAND_REJECTED [{"path":"","message":"small may have 1 jobs in flight at a time"}]
            JOB_SIGNALED "approved"
            JOB_COMPLETED {"Do":{}}
        "#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_of_one_client_does_not_delay_anothers_single_job() {
    const BACKLOG: usize = 40;
    let mut options = options(Wire::Direct);
    options.max_in_flight = Some(2);
    let world = World::start(options).await;
    let (client, other) = (world.client().await, world.client_named("other").await);
    let what = json!({"what": {"do": "sleep", "millis": 300}});
    for job in 0..BACKLOG {
        other.start(&format!("b{job}"), ("Direct", "1"), what.clone()).await;
    }
    // The backlog is in SWF, and some of it is done.
    let mut scheduled = 0;
    other
        .events_until(|event| {
            scheduled += usize::from(event["type"] == "ACTIVITY_SCHEDULED");
            scheduled == BACKLOG
        })
        .await;
    client.start("single", ("Direct", "1"), what).await;
    client.events_of("single").await;
    let left = other.ask("GET_JOB_LIST", "list", json!({"status": "RUNNING"})).await;
    let left = left["data"]["jobs"].as_array().unwrap().len();
    assert!(left >= BACKLOG / 2, "only {left} of {BACKLOG} were left");
    world.stop().await;
}
