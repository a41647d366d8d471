//! The same between the real SDK and the endpoint's port, in real time: connections that break,
//! answers that are lost or torn, refusals, requests that arrive twice or late.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use cpe_ports::Receive;
use cpe_tests::{Client, Execution, Expected, Options, Wire, World, judge};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::seeds;

const PLANS: [(&str, &str, &str); 3] = [
    (
        "Echo",
        "JOB_COMPLETED",
        r#"
- {name: A, activity: Do, input: '{"do": "echo", "value": 1}'}
- {name: B, activity: Do, requires: [[A, succeeded]], input: '{"do": "echo", "value": 2}'}
"#,
    ),
    (
        "Fail",
        "JOB_FAILED",
        r#"
- {name: A, activity: Do, input: '{"do": "fail", "reason": "media.odd", "details": "odd", "retryable": false}'}
finally:
- {name: B, activity: Do, input: '{"do": "echo", "value": 2}'}
"#,
    ),
    (
        "Signal",
        "JOB_COMPLETED",
        r#"
- {name: Go, signal: go}
- {name: A, activity: Do, requires: [[Go, succeeded]], input: '{"do": "echo", "value": {{ Go }}}'}
"#,
    ),
];
const CLIENTS: [&str; 2] = ["tester", "other"];
const JOBS: usize = 24;
const PATIENCE: Duration = Duration::from_secs(150);

fn options(seed: u64) -> Options {
    let mut options =
        Options::new(Wire::Direct).module("misbehave").client("other", <_>::default());
    for (name, _, steps) in PLANS {
        options = options.plan(format!(
            r#"
name: {name}
version: "1"
default_task_start_to_close_timeout: 3
activities:
- name: Do
  version: v1
  module: misbehave@1
  heartbeat_timeout: 3
  start_to_close_timeout: 30
  retry: {{max_attempts: 30, backoff: 1s, max_backoff: 2s, on: [timeout, cpe.module.unavailable, cpe.payload.unreachable]}}
steps:
{steps}"#
        ));
    }
    // Of a hundred requests, 4 to 10 meet something.
    Options { faults: Some((seed, seed % 2 * 10 + 5)), ..options }
}

fn jobs() -> impl Iterator<Item = (String, &'static (&'static str, &'static str, &'static str))> {
    PLANS.iter().cycle().take(JOBS).enumerate().map(|(n, plan)| (format!("job-{n:02}"), plan))
}

/// Hears everything until all jobs have ended and their starts are answered, which may be later;
/// signals those that wait for it.
async fn listen(client: &Client, name: &str, world: &World) -> Vec<Value> {
    let output = world.ports.queues.queue_url(&format!("{name}-out")).await.unwrap();
    let receive =
        Receive { max_messages: 10, wait: Duration::from_secs(2), visibility_timeout: None };
    let (mut heard, mut signaled) = (Vec::new(), BTreeSet::new());
    let (mut ended, mut answered) = (BTreeSet::new(), BTreeSet::new());
    while ended.len() < JOBS || answered.len() < JOBS {
        for message in world.ports.queues.receive(&output, receive).await.unwrap() {
            world.ports.queues.delete(&output, &message.receipt_handle).await.unwrap();
            let event: Value = serde_json::from_str(&message.body).unwrap();
            cpe_tests::check_schema(&event);
            let job = event["jobId"].as_str().unwrap().to_owned();
            let waits = jobs().any(|(id, plan)| id == job && plan.0 == "Signal");
            if waits && event["type"] == "JOB_STARTED" && signaled.insert(job.clone()) {
                let body = json!({
                    "time": 1, "type": "SIGNAL_JOB", "jobId": job, "requestId": format!("go-{job}"),
                    "data": {"signal": "go", "input": 5},
                });
                client.send(body.to_string()).await;
            }
            if event["type"] == "WORKFLOW_SCHEDULED" || event["type"] == "JOB_STATUS" {
                answered.insert(job.clone());
            }
            if event["eventId"].to_string().ends_with(":end\"") {
                ended.insert(job);
            }
            heard.push(event);
        }
    }
    heard
}

async fn play(seed: u64) {
    let world = World::start(options(seed)).await;
    let proxy = world.proxy.as_ref().unwrap();
    let (tester, other) = (world.client().await, world.client_named("other").await);
    for client in [&tester, &other] {
        for (job, plan) in jobs() {
            client.start(&job, (plan.0, "1"), json!({})).await;
        }
    }
    let listening =
        async { tokio::join!(listen(&tester, "tester", &world), listen(&other, "other", &world)) };
    let heard = tokio::time::timeout(PATIENCE, listening).await;
    proxy.cease();
    let domain = world.config.domain.as_str().into();
    // A job's end is told before SWF is.
    let mut executions = Execution::all(&*world.ports.workflows, &domain).await;
    let ceased = Instant::now();
    while executions.iter().any(|e| e.closed.is_none()) && ceased.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(300)).await;
        executions = Execution::all(&*world.ports.workflows, &domain).await;
    }
    let Ok((first, second)) = heard else {
        panic!("some jobs do not end: {}\n{executions:#?}", proxy.met());
    };
    let expected: Vec<_> = CLIENTS
        .iter()
        .flat_map(|client| {
            jobs().map(|(job_id, plan)| Expected {
                client: (*client).to_owned(),
                job_id,
                ends: vec![plan.1],
            })
        })
        .collect();
    let heard = BTreeMap::from([("tester".to_owned(), first), ("other".to_owned(), second)]);
    let problems = judge(&expected, &heard, &executions);
    assert!(problems.is_empty(), "seed {seed}, {}:\n{}", proxy.met(), problems.join("\n"));
    assert!(proxy.count() > 10, "the faults were none: {}", proxy.met());
    // At the lower rate some fault may be missing.
    assert!(seed.is_multiple_of(2) || proxy.has_shown_all(), "{}", proxy.met());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_on_the_wire_each_client_hears_what_happened_to_its_jobs() {
    for seed in seeds().into_iter().take(2) {
        play(seed).await;
    }
}
