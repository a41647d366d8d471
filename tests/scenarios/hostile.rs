//! A hostile client: whatever it names that is another's, it hears errors, reaches nothing, and
//! harms nobody.

use std::time::Duration;

use cpe::config::{Access, Quotas, S3Allowance};
use cpe_ports::Receive;
use cpe_tests::{Client, Options, Wire, World, events_text};
use serde_json::{Value, json};

const PLAN: &str = r#"
name: Does
version: "1"
activities:
- {name: Do, version: v1, module: misbehave@1, heartbeat_timeout: 5, start_to_close_timeout: 60}
steps:
- {name: Do, activity: Do, input: "{{ __input__.what }}", allow_failure: true}
"#;

const ASKS: &str = r#"
name: Asks
version: "1"
steps:
- {name: Said, signal: say, timeout: 1h}
output: "{{ Said }}"
"#;

/// `tester` has all of the bucket `media`; `mallory` has a folder of it.
async fn world() -> (World, Client, Client) {
    let mut options = Options::new(Wire::Direct)
        .plan(PLAN)
        .plan(ASKS)
        .module("misbehave")
        .client("mallory", Quotas::default());
    options.others_s3 = Some(vec![S3Allowance {
        bucket: "media".to_owned(),
        prefix: "mallory/".to_owned(),
        access: Access::ReadWrite,
    }]);
    let world = World::start(options).await;
    let (tester, mallory) = (world.client().await, world.client_named("mallory").await);
    (world, tester, mallory)
}

/// How the step of a job ends.
async fn does(client: &Client, job: &str, what: Value) -> String {
    client.start(job, ("Does", "1"), json!({"what": what})).await;
    let events = client.events_of(job).await;
    let told = events_text(&events);
    let end = told.lines().rev().find(|line| line.contains(" Do ")).unwrap_or(&told);
    end.to_owned()
}

/// The victim is served as if nothing had been.
async fn unharmed(tester: &Client) {
    let told = does(tester, "unharmed", json!({"do": "echo", "value": "fine"})).await;
    assert_eq!(told, r#"ACTIVITY_COMPLETED Do "fine""#);
}

async fn heard_by(world: &World, queue: &str) -> usize {
    let url = world.ports.queues.queue_url(queue).await.unwrap();
    let receive = Receive { max_messages: 10, wait: Duration::ZERO, visibility_timeout: None };
    world.ports.queues.receive(&url, receive).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_go_to_the_senders_own_queue_whatever_the_message_says() {
    let (world, tester, mallory) = world().await;
    let theirs = world.ports.queues.queue_url("tester-out").await.unwrap().0;
    let message = json!({
        "time": 1, "type": "START_JOB", "jobId": "j",
        "data": {
            "workflow": {"name": "Does", "version": "1"}, "what": {"do": "noop"},
            "client": {"name": "mallory", "queues": {"input": theirs, "output": theirs}},
        },
    });
    mallory.send(message.to_string()).await;
    let events = mallory.events_of("j").await;
    assert_eq!(events.last().unwrap()["type"], "JOB_COMPLETED");
    assert_eq!(heard_by(&world, "tester-out").await, 0);
    assert_eq!(heard_by(&world, "tester-in").await, 0);
    unharmed(&tester).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anothers_objects_and_texts_are_out_of_reach() {
    let (world, tester, mallory) = world().await;
    tester.put("media", "tester/secret", "the secret").await;
    tester.put("media", "mallory/own", "ours").await;
    let s3 = |act: &str, bucket: &str, key: &str| json!({"do": act, "bucket": bucket, "key": key});
    let own = does(&mallory, "own", s3("read", "media", "mallory/own")).await;
    assert_eq!(own, r#"ACTIVITY_COMPLETED Do {"size":4}"#);
    for (job, what) in [
        ("read", s3("read", "media", "tester/secret")),
        ("up", s3("read", "media", "mallory/../tester/secret")),
        ("write", s3("write", "media", "tester/secret")),
        ("delete", s3("delete", "media", "tester/secret")),
        ("modules", s3("read", "cpe-modules", "modules/misbehave@1.json")),
        ("usage", s3("write", "cpe-modules", "usage/mallory/x")),
    ] {
        let told = does(&mallory, job, what).await;
        assert!(told.starts_with("ACTIVITY_FAILED Do"), "{job}: {told}");
        assert!(!told.contains("the secret"), "{job}: {told}");
    }
    assert_eq!(tester.get("media", "tester/secret").await.unwrap(), b"the secret");

    // A reference to a long text of another's job is just a text.
    let long = "s3cret ".repeat(10_000);
    does(&tester, "long", json!({"do": "echo", "value": long})).await;
    let reference = cpe_swf::PayloadRef::of(&json!(long).to_string());
    let forged: Value = serde_json::from_str(&reference.to_string()).unwrap();
    mallory.start("forges", ("Asks", "1"), json!({})).await;
    mallory.events_until(|event| event["type"] == "JOB_STARTED").await;
    mallory.ask("SIGNAL_JOB", "forges", json!({"signal": "say", "input": forged})).await;
    let events = mallory.events_of("forges").await;
    let end = events.last().unwrap();
    assert_eq!(end["data"]["result"], forged, "{end}");
    unharmed(&tester).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nested_and_endless_messages_are_refused_or_carried() {
    let (world, tester, mallory) = world().await;
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let start = |job: &str, what: &str| {
        format!(
            r#"{{"time": 1, "type": "START_JOB", "jobId": "{job}", "data": {{"workflow":
                {{"name": "Does", "version": "1"}}, "what": {what}}}}}"#
        )
    };
    // 256 KiB of nesting, whole and cut off.
    mallory.send(start("deep", &nested(128 << 10))).await;
    mallory.send(start("cut", &nested(256 << 10)[..256 << 10])).await;
    let mut refused = 0;
    mallory
        .events_until(|event| {
            refused += usize::from(event["type"] == "COMMAND_REJECTED");
            refused == 2
        })
        .await;
    // As much as a message may nest, and 256 KiB beside each other: an input like any other.
    for (job, what) in [("fits", nested(100)), ("wide", format!("[{}0]", "0,".repeat(128 << 10)))] {
        mallory.send(start(job, &what)).await;
        let events = mallory.events_of(job).await;
        let told = events_text(&events[events.len() - 1..]);
        assert!(told.starts_with("JOB_"), "{job}: {told:.400}");
    }
    unharmed(&tester).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_job_asked_for_again_and_again_is_one_job() {
    const TIMES: usize = 60;
    let (world, tester, mallory) = world().await;
    for _ in 0..TIMES {
        mallory.start("same", ("Asks", "1"), json!({})).await;
        // The job of the same name is another client's own.
        mallory.send(r#"{"time": 1, "type": "SIGNAL_JOB", "jobId": "same", "data": {}}"#).await;
    }
    tester.start("same", ("Does", "1"), json!({"what": {"do": "noop"}})).await;
    let own = tester.events_of("same").await;
    assert_eq!(own.last().unwrap()["type"], "JOB_COMPLETED", "{}", events_text(&own));
    let mut answers = 0;
    let events = mallory
        .events_until(|event| {
            answers += usize::from(event.get("requestId").is_some());
            answers == 2 * TIMES
        })
        .await;
    let scheduled: Vec<_> = events.iter().filter(|e| e["type"] == "WORKFLOW_SCHEDULED").collect();
    assert_eq!(scheduled.len(), 1, "{scheduled:?}");
    unharmed(&tester).await;
    world.stop().await;
}
