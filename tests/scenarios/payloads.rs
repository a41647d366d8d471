//! Texts that are longer than SWF takes, through a whole job: in with the command, through
//! templates, guests, a child and a signal, and out to the client.

use std::{fmt::Write, time::Duration};

use cpe::compose;
use cpe_ports::ErrorKind;
use cpe_swf::{
    WorkflowExecution, WorkflowId,
    api::{GetWorkflowExecutionHistoryRequest, SignalWorkflowExecutionRequest},
};
use cpe_tests::{Client, Options, Program, Wire, World};
use expect_test::expect;
use serde_json::{Value, json};

use crate::check;

const PLAN: &str = r#"
name: Long
version: 1
activities:
- {name: Echo, version: v1, module: misbehave@1, outputs_spec: {said: $}}
steps:
- name: Each
  activity: Echo
  foreach: "{{ __input__.parts }}"
  input: |
    {"do": "echo", "value": [{{ index }}, {{ item }}, {{ __input__.parts[0] }}]}
- name: Approval
  signal: approved
- name: Child
  plan: {name: Inner, version: 1}
  requires: [Each]
  input: |
    {"given": {{ Each }}}
output: |
  {"from_child": {{ Child }}, "approval": {{ Approval }}}
"#;

const INNER: &str = r#"
name: Inner
version: 1
activities:
- {name: Echo, version: v1, module: misbehave@1, outputs_spec: {said: $}}
steps:
- name: Say
  activity: Echo
  input: |
    {"do": "echo", "value": {{ __input__.given }}}
output: "{{ Say.said }}"
"#;

fn options(wire: Wire) -> Options {
    Options::new(wire).plan(PLAN).plan(INNER).module("misbehave")
}

/// Long texts by their lengths.
fn outline(value: &Value) -> String {
    match value {
        Value::String(text) if text.len() > 100 => {
            let first = text.chars().next().unwrap();
            format!("{first}*{}", text.chars().count())
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(outline).collect::<Vec<_>>().join(","))
        }
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| format!("{key}:{}", outline(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

/// What a text by reference says, read the way a client does.
async fn read(client: &Client, value: &Value) -> Value {
    if value.get("cpe.payload").is_none() {
        return value.clone();
    }
    let (bucket, key) = (value["bucket"].as_str().unwrap(), value["key"].as_str().unwrap());
    let text = String::from_utf8(client.get(bucket, key).await.unwrap()).unwrap();
    assert_eq!(json!(text.chars().count()), value["characters"]);
    serde_json::from_str(&text).unwrap()
}

async fn approve(world: &World, input: Value) {
    let workflow_id = WorkflowId::from("tester.long");
    let payloads = compose::payloads(&world.config, &world.ports);
    let input = payloads.shorten(&workflow_id, input.to_string()).await.unwrap();
    let request = SignalWorkflowExecutionRequest {
        domain: world.config.domain.as_str().into(),
        workflow_id,
        run_id: None,
        signal_name: "approved".to_owned(),
        input: Some(input),
    };
    // The command may still be on its way.
    while let Err(error) = world.ports.workflows.signal_workflow_execution(request.clone()).await {
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Holds the job's history against its plan, as an operator does; how that ended.
async fn replay(world: &World, run_id: &str) {
    let folder = tempfile::tempdir().unwrap();
    let execution =
        WorkflowExecution { workflow_id: "tester.long".into(), run_id: run_id.to_owned().into() };
    let request = GetWorkflowExecutionHistoryRequest {
        domain: world.config.domain.as_str().into(),
        execution,
        next_page_token: None,
        maximum_page_size: None,
        reverse_order: false,
    };
    let history = world.ports.workflows.get_workflow_execution_history(request).await.unwrap();
    let events = json!({"events": history.events});
    std::fs::write(folder.path().join("history.json"), events.to_string()).unwrap();
    std::fs::write(folder.path().join("plan.yaml"), PLAN).unwrap();
    let arguments = ["plan", "replay", "plan.yaml", "history.json", "--endpoint-url", &world.url];
    let (status, _, said) = Program::run(folder.path(), &arguments, &[]).await;
    assert!(status == 2 && said.contains("--workflow-id"), "{said}");
    let ids = ["--workflow-id", "tester.long", "--run-id", run_id];
    let arguments = [&arguments[..], &ids].concat();
    let (status, printed, said) = Program::run(folder.path(), &arguments, &[]).await;
    assert!(status == 0 && printed.contains("as they were decided"), "{printed}{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_texts_go_through_a_whole_job() {
    check(
        options,
        async |world, client| {
            // Three of them fit a message, and are far more than SWF takes.
            let parts = ["a", "é", "\""].map(|letter| letter.repeat(40_000));
            client.start("long", ("Long", "1"), json!({"parts": parts})).await;
            let approval = approve(world, json!({"by": "x".repeat(50_000)}));
            let (events, ()) = tokio::join!(client.events_of("long"), approval);
            let run_id = events[1].pointer("/data/workflow/runId").and_then(Value::as_str).unwrap();
            replay(world, run_id).await;
            let mut text = String::new();
            for event in &events {
                let kind = event["type"].as_str().unwrap();
                let said = ["/data/activity/input", "/data/activity/result", "/data/result"];
                let said = said.iter().find_map(|path| event.pointer(path));
                let input = event.get("input").map(|input| &input["parts"]);
                let said = said.or(input).cloned().unwrap_or_default();
                let by = if said.get("cpe.payload").is_some() { " (by reference)" } else { "" };
                let said = outline(&read(client, &said).await);
                writeln!(text, "{kind} {said}{by}").unwrap();
            }
            // Items run side by side.
            let mut lines: Vec<_> = text.lines().collect();
            lines.sort_unstable();
            lines.join("\n") + "\n"
        },
        expect![[r#"
            ACTIVITY_COMPLETED [0,a*40000,a*40000]
            ACTIVITY_COMPLETED [1,é*40000,a*40000]
            ACTIVITY_COMPLETED [2,"*40000,a*40000]
            ACTIVITY_COMPLETED [{said:[0,a*40000,a*40000]},{said:[1,é*40000,a*40000]},{said:[2,"*40000,a*40000]}] (by reference)
            ACTIVITY_SCHEDULED {do:"echo",value:[0,a*40000,a*40000]}
            ACTIVITY_SCHEDULED {do:"echo",value:[1,é*40000,a*40000]}
            ACTIVITY_SCHEDULED {do:"echo",value:[2,"*40000,a*40000]}
            ACTIVITY_SCHEDULED {do:"echo",value:[{said:[0,a*40000,a*40000]},{said:[1,é*40000,a*40000]},{said:[2,"*40000,a*40000]}]} (by reference)
            ACTIVITY_STARTED null
            ACTIVITY_STARTED null
            ACTIVITY_STARTED null
            ACTIVITY_STARTED null
            JOB_COMPLETED {from_child:[{said:[0,a*40000,a*40000]},{said:[1,é*40000,a*40000]},{said:[2,"*40000,a*40000]}],approval:{by:x*50000}} (by reference)
            JOB_STARTED null
            WORKFLOW_SCHEDULED [a*40000,é*40000,"*40000]
        "#]],
    )
    .await;
}
