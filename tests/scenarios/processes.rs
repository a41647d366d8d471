//! What only processes can show: nothing is lost when one is killed, and SIGTERM drains.

use std::path::Path;

use cpe_aws::AwsConfig;
use cpe_tests::{Client, Program, activity, events_text};
use cpe_worker::Ports;
use serde_json::json;

const PLAN: &str = r#"
name: Slow
version: "1"
activities:
- {name: Slow, version: v1, module: misbehave@1, heartbeat_timeout: 2, start_to_close_timeout: 5}
- {name: Echo, version: v1, module: misbehave@1, heartbeat_timeout: 30, start_to_close_timeout: 60}
steps:
- name: Slow
  activity: Slow
  input: |
    {"do": "sleep", "millis": 1500}
- name: Again
  activity: Echo
  requires: [[Slow, failed]]
  input: |
    {"do": "echo", "value": "after"}
- name: Direct
  activity: Echo
  requires: [[Slow, succeeded]]
  input: |
    {"do": "echo", "value": "direct"}
"#;

pub(crate) async fn ports(url: &str) -> Ports {
    let config = AwsConfig { endpoint_url: Some(url.to_owned()), ..AwsConfig::default() };
    cpe::compose::aws_ports(cpe_aws::connect(config).await.unwrap())
}

pub(crate) async fn create_queue(url: &str, name: &str) {
    ports(url).await.queues.create_queue(name).await.unwrap();
}

pub(crate) async fn client(url: &str, name: &str) -> Client {
    Client::new(ports(url).await, name, "cpe-input", "cpe-output").await
}

pub(crate) fn address(line: &str) -> String {
    line.split_once(" at ").unwrap().1.trim().to_owned()
}

pub(crate) async fn push(folder: &Path, url: &str) {
    let file = activity("misbehave");
    let arguments =
        ["module", "push", file.to_str().unwrap(), "misbehave@1", "--endpoint-url", url];
    let (status, _, said) = Program::run(folder, &arguments, &[]).await;
    assert_eq!(status, 0, "{said}");
}

fn write_plan(folder: &Path) {
    std::fs::create_dir_all(folder.join("plans")).unwrap();
    std::fs::write(folder.join("plans/slow.yaml"), PLAN).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_loses_no_job() {
    let folder = tempfile::tempdir().unwrap();
    write_plan(folder.path());
    let dev = ["dev", "--port", "0", "--data", "state"];
    let mut first = Program::start(folder.path(), &dev, &[]);
    let url = address(&first.line_with(" at ").await);
    push(folder.path(), &url).await;
    let asks = client(&url, "tester").await;
    asks.start("k", ("Slow", "1"), json!({})).await;
    asks.events_until(|event| event["type"] == "ACTIVITY_STARTED").await;
    first.kill().await;

    let mut second = Program::start(folder.path(), &dev, &[]);
    let url = address(&second.line_with(" at ").await);
    let events = client(&url, "tester").await.events_of("k").await;
    assert_eq!(events.last().unwrap()["type"], "JOB_COMPLETED", "{}", events_text(&events));
    assert!(second.terminate().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_ends_by_the_plan_that_it_began_with() {
    let folder = tempfile::tempdir().unwrap();
    write_plan(folder.path());
    let dev = ["dev", "--port", "0", "--data", "state"];
    let mut first = Program::start(folder.path(), &dev, &[]);
    let url = address(&first.line_with(" at ").await);
    push(folder.path(), &url).await;
    let asks = client(&url, "tester").await;
    asks.start("old", ("Slow", "1"), json!({})).await;
    asks.events_until(|event| event["type"] == "ACTIVITY_STARTED").await;
    first.kill().await;

    // Under the same name and version, now something else.
    let (activities, _) = PLAN.split_once("steps:").unwrap();
    let changed = format!("{activities}steps:\n- {{name: New, eval: '{{\"new\": 1}}'}}\n");
    std::fs::write(folder.path().join("plans/slow.yaml"), changed).unwrap();
    let mut second = Program::start(folder.path(), &dev, &[]);
    let url = address(&second.line_with(" at ").await);
    let asks = client(&url, "tester").await;
    let old = asks.events_of("old").await;
    let text = events_text(&old);
    assert_eq!(old.last().unwrap()["type"], "JOB_COMPLETED", "{text}");
    assert!(text.contains("ACTIVITY_COMPLETED Again"), "{text}");
    asks.start("new", ("Slow", "1"), json!({})).await;
    let text = events_text(&asks.events_of("new").await);
    assert!(text.contains("JOB_COMPLETED {\"New\":{\"new\":1}}"), "{text}");
    assert!(second.terminate().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_worker_is_replaced_by_another() {
    let folder = tempfile::tempdir().unwrap();
    write_plan(folder.path());
    let local = ["local", "--port", "0", "--data", "state", "--poll-wait", "2"];
    let mut endpoint = Program::start(folder.path(), &local, &[]);
    let url = address(&endpoint.line_with(" at ").await);
    let config = "plans: [plans]\nclients:\n- {name: tester, input_queue: cpe-input, \
                  output_queue: cpe-output}\n";
    std::fs::write(folder.path().join("cpe.yaml"), config).unwrap();
    for queue in ["cpe-input", "cpe-output"] {
        create_queue(&url, queue).await;
    }
    push(folder.path(), &url).await;

    let run = ["run", "--endpoint-url", &url];
    let mut first = Program::start(folder.path(), &run, &[]);
    first.line_with("cpe run:").await;
    let asks = client(&url, "tester").await;
    asks.start("k", ("Slow", "1"), json!({})).await;
    asks.events_until(|event| event["type"] == "ACTIVITY_STARTED").await;
    first.kill().await;

    let mut second = Program::start(folder.path(), &run, &[]);
    second.line_with("cpe run:").await;
    let events = asks.events_of("k").await;
    let end = events.last().unwrap();
    assert_eq!(end["type"], "JOB_COMPLETED", "{}", events_text(&events));
    // The activity task of the killed worker timed out, and the plan's branch for that ran.
    assert!(events_text(&events).contains("ACTIVITY_TIMEOUT Slow"), "{}", events_text(&events));
    assert!(second.terminate().await);
    assert!(endpoint.terminate().await);
}
