//! The client library against a whole CPE: jobs followed to their ends, canceled, signaled, listed.

use std::sync::Arc;

use cpe_client::{
    Client, Config, EventKind, Job, JobEnd, JobId, JobQuery, JobStatus, Order, Page, Ports, Start,
};
use cpe_tests::{Options, Wire, World, photo, plan_file};
use expect_test::{Expect, expect};
use futures::StreamExt;
use serde_json::json;

const PLAN: &str = r#"
name: Ask
version: "1"
activities:
- {name: Long, version: v1, module: misbehave@1, heartbeat_timeout: 3, start_to_close_timeout: 60}
- {name: Echo, version: v1, module: misbehave@1, outputs_spec: {said: $}}
steps:
- name: Wait
  activity: Long
  allow_failure: true
  input: '{"do": "beat-forever"}'
- {name: Approval, signal: approved, requires: [Wait]}
- name: Say
  activity: Echo
  requires: [[Approval, succeeded]]
  input: |
    {"do": "echo", "value": {{ Approval }}}
output: "{{ Say.said }}"
"#;

fn options(wire: Wire) -> Options {
    Options::new(wire)
        .plan(plan_file("transcode.yaml"))
        .plan(PLAN)
        .module("validate-asset")
        .module("transcode-asset")
        .module("misbehave")
}

async fn check(scenario: impl AsyncFn(&World, &Client) -> String, expect: Expect) {
    for wire in [Wire::Direct, Wire::Sdk] {
        let world = World::start(options(wire)).await;
        let ports = Ports {
            queues: Arc::clone(&world.ports.queues),
            blobs: Some(Arc::clone(&world.ports.blobs)),
        };
        let client = Client::new(ports, Config::new("tester-in", "tester-out")).await.unwrap();
        expect.assert_eq(&scenario(&world, &client).await);
        client.close().await;
        world.stop().await;
    }
}

fn start(job_id: &str, plan: (&str, &str), input: serde_json::Value) -> Start {
    Start::new(plan.0, plan.1, input).unwrap().job_id(JobId::new(job_id).unwrap())
}

/// The events until one is the last that is wanted, without progress: how often that is told
/// depends on time.
async fn heard(job: &mut Job, last: impl Fn(&EventKind) -> bool) -> String {
    let mut text = String::new();
    while let Some(event) = job.next().await {
        let event = event.unwrap();
        assert_ne!(event.order, Order::AfterGap, "{event:?}");
        if matches!(event.kind, EventKind::ActivityProgress { .. }) {
            continue;
        }
        text += event.raw["type"].as_str().unwrap();
        if let Some(activity) = event.activity() {
            text = format!("{text} {}", activity.activity_id);
        }
        text.push('\n');
        if last(&event.kind) {
            break;
        }
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demos_job_is_followed_to_its_end() {
    check(
        async |world, client| {
            world.client().await.put("media", "in/photo.jpg", photo()).await;
            let input = json!({
                "input_asset": {"type": "IMAGE", "bucket": "media", "file": "in/photo.jpg"},
                "output_assets": [
                    {"type": "THUMB", "bucket": "media", "path": "out", "file": "t.*",
                     "thumbnail": "160x160"},
                ],
            });
            let mut job =
                client.start(start("j1", ("Transcode", "1.0"), input.clone())).await.unwrap();
            let text = heard(&mut job, |_| false).await;
            assert!(job.next().await.is_none());
            // It is there, so it is not started again, and its end is known.
            let mut again = client.start(start("j1", ("Transcode", "1.0"), input)).await.unwrap();
            assert_eq!(again.found().unwrap().job.status, JobStatus::Completed);
            let end = again.end().await.unwrap();
            assert!(matches!(end, JobEnd::Completed(_)), "{end:?}");
            text
        },
        expect![[r#"
            WORKFLOW_SCHEDULED
            JOB_STARTED
            ACTIVITY_SCHEDULED ValidateAssetStep
            ACTIVITY_STARTED ValidateAssetStep
            ACTIVITY_COMPLETED ValidateAssetStep
            ACTIVITY_SCHEDULED TranscodeAssetStep[0]
            ACTIVITY_STARTED TranscodeAssetStep[0]
            ACTIVITY_COMPLETED TranscodeAssetStep[0]
            JOB_COMPLETED
        "#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_activity_is_canceled_and_a_signal_is_heard() {
    check(
        async |_, client| {
            let mut job = client.start(start("j2", ("Ask", "1"), json!({}))).await.unwrap();
            let started = |kind: &EventKind| matches!(kind, EventKind::ActivityStarted(_));
            let mut text = heard(&mut job, started).await;
            let info = client.activity_status(job.id(), "Wait").await.unwrap();
            assert!(info.status.is_open(), "{info:?}");
            assert_eq!(client.cancel_activity(job.id(), "Wait").await.unwrap(), "Wait");
            let canceled = |kind: &EventKind| matches!(kind, EventKind::ActivityCanceled { .. });
            text += &heard(&mut job, canceled).await;
            client.signal(job.id(), "approved", Some(json!({"by": "me"}))).await.unwrap();
            text += &heard(&mut job, |_| false).await;
            let report = client.status(job.id()).await.unwrap();
            assert_eq!(report.job.status, JobStatus::Completed);
            let page = Page { limit: 1, token: None };
            let list = client.activities(job.id(), &page).await.unwrap();
            assert_eq!(list.entries.len(), 1);
            format!("{text}{} {}\n", report.result, list.next_page_token.is_some())
        },
        expect![[r#"
            WORKFLOW_SCHEDULED
            JOB_STARTED
            ACTIVITY_SCHEDULED Wait
            ACTIVITY_STARTED Wait
            ACTIVITY_CANCELED Wait
            ACTIVITY_SCHEDULED Say
            ACTIVITY_STARTED Say
            ACTIVITY_COMPLETED Say
            JOB_COMPLETED
            {"by":"me"} true
        "#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_canceled_and_what_makes_no_sense_is_refused() {
    check(
        async |_, client| {
            let mut job = client.start(start("j3", ("Ask", "1"), json!({}))).await.unwrap();
            heard(&mut job, |kind| matches!(kind, EventKind::ActivityStarted(_))).await;
            let query = JobQuery { status: Some(JobStatus::Running), ..JobQuery::default() };
            let list = client.list(&query).await.unwrap();
            assert_eq!(list.entries.len(), 1, "{list:?}");
            let mut other = client.watch(job.id()).await.unwrap();
            client.cancel(job.id()).await.unwrap();
            let (one, two) = tokio::join!(job.end(), other.end());
            assert_eq!(one.as_ref().unwrap(), &two.unwrap());
            let closed = client.cancel(job.id()).await.unwrap_err();
            let unknown = client.watch(&JobId::new("none").unwrap()).await.unwrap_err();
            let refused = client.start(start("j4", ("None", "1"), json!({}))).await.unwrap_err();
            let reasons = [closed, unknown, refused].map(|error| match error {
                cpe_client::Error::Rejected(rejected) => rejected.reason.clone(),
                other => panic!("{other}"),
            });
            let JobEnd::Canceled(failure) = one.unwrap() else { panic!("it was canceled") };
            format!("{}\n{}\n", failure.reason, reasons.join("\n"))
        },
        expect![[r#"
            CANCELED
            cpe.job.closed
            cpe.job.unknown
            cpe.command.invalid
        "#]],
    )
    .await;
}
