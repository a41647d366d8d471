use cpe_ports::{ErrorKind, QueueUrl, ReceiptHandle};
use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;
use crate::testing::{ScriptedQueues, ScriptedWorkflows, told, worker};

fn start_job() -> String {
    json!({
        "time": 1, "type": "START_JOB", "jobId": "j",
        "data": {"workflow": {"name": "Two", "version": "1"}, "n": 3},
    })
    .to_string()
}

struct Ran {
    workflows: ScriptedWorkflows,
    queues: ScriptedQueues,
}

/// Serves one message on the queue of the client `c`.
async fn serve(
    body: &str,
    receive_count: u32,
    replies: impl IntoIterator<Item = (&'static str, Result<Value, ErrorKind>)>,
    failing_sends: usize,
) -> Ran {
    let (workflows, queues) = (ScriptedWorkflows::default(), ScriptedQueues::default());
    for (operation, reply) in replies {
        workflows.reply(operation, reply);
    }
    queues.fail_sends(vec![ErrorKind::Unavailable; failing_sends]);
    let worker = worker(&workflows, &queues);
    let client = worker.clients.iter().next().cloned().unwrap();
    let inbox = Inbox { teller: worker.teller(), client, worker, decider: TaskList::new("decide") };
    let message = Message {
        message_id: "m".into(),
        receipt_handle: ReceiptHandle("m".into()),
        body: body.into(),
        receive_count,
    };
    inbox.handle(vec![message]).await;
    Ran { workflows, queues }
}

impl Ran {
    #[track_caller]
    fn check(&self, expect: Expect) {
        let mut text = String::new();
        for (operation, _) in self.workflows.calls() {
            text += &format!("{operation}\n");
        }
        text += &told(&self.queues.sent(&QueueUrl("c-out".into())));
        for receipt in self.queues.deleted() {
            text += &format!("deleted {receipt}\n");
        }
        for (receipt, timeout) in self.queues.hidden() {
            text += &format!("hidden {receipt} for {timeout:?}\n");
        }
        expect.assert_eq(&text);
    }
}

fn found() -> Result<Value, ErrorKind> {
    Ok(json!({"executionInfos": [{
        "execution": {"workflowId": "c.j", "runId": "first"},
        "workflowType": {"name": "Two", "version": "1"},
        "startTimestamp": 5, "executionStatus": "OPEN",
    }]}))
}

#[tokio::test(start_paused = true)]
async fn a_job_is_started_confirmed_and_its_message_deleted() {
    let ran = serve(&start_job(), 1, [], 0).await;
    ran.check(expect![[r#"
        StartWorkflowExecution
        WORKFLOW_SCHEDULED #0 run:0
        deleted m
    "#]]);
    let mut request = ran.workflows.calls()[0].1.clone();
    let tags = request["tagList"].take();
    assert_eq!(tags[0], "client:c");
    assert!(tags[1].as_str().unwrap().starts_with("plan:sha256:"), "{tags}");
    expect![[r#"
        {
          "domain": "d",
          "workflowId": "c.j",
          "workflowType": {
            "name": "Two",
            "version": "1"
          },
          "taskList": {
            "name": "decide"
          },
          "input": "{\"workflow\":{\"name\":\"Two\",\"version\":\"1\"},\"n\":3}",
          "executionStartToCloseTimeout": "2592000",
          "tagList": null,
          "taskStartToCloseTimeout": "60",
          "childPolicy": "TERMINATE"
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&request).unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_there_already_is_confirmed_again() {
    let exists = [
        ("StartWorkflowExecution", Err(ErrorKind::AlreadyExists)),
        ("ListOpenWorkflowExecutions", found()),
    ];
    serve(&start_job(), 1, exists, 0).await.check(expect![[r#"
        StartWorkflowExecution
        ListOpenWorkflowExecutions
        WORKFLOW_SCHEDULED #0 first:0
        deleted m
    "#]]);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_comes_again_after_its_job_has_ended_starts_nothing() {
    let closed = [("ListClosedWorkflowExecutions", found())];
    serve(&start_job(), 2, closed, 0).await.check(expect![[r#"
        ListOpenWorkflowExecutions
        ListClosedWorkflowExecutions
        WORKFLOW_SCHEDULED #0 first:0
        deleted m
    "#]]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_served_yet_stays_in_the_queue() {
    for kind in [ErrorKind::Throttled, ErrorKind::NotFound, ErrorKind::Refused] {
        let ran = serve(&start_job(), 3, [("StartWorkflowExecution", Err(kind))], 0).await;
        ran.check(expect![[r#"
            ListOpenWorkflowExecutions
            ListClosedWorkflowExecutions
            StartWorkflowExecution
            hidden m for 8s
        "#]]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_swf_refuses_again_and_again_is_told() {
    let refused = [("StartWorkflowExecution", Err(ErrorKind::Refused))];
    serve(&start_job(), 5, refused, 0).await.check(expect![[r#"
        ListOpenWorkflowExecutions
        ListClosedWorkflowExecutions
        StartWorkflowExecution
        COMMAND_REJECTED #0 [{"path":"","message":"the workflow service refuses it: scripted"}]
        deleted m
    "#]]);
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_client_cannot_be_told_is_confirmed_later() {
    // As many as the teller tries within its patience.
    let ran = serve(&start_job(), 1, [], 5).await;
    ran.check(expect![[r#"
        StartWorkflowExecution
        hidden m for 2s
    "#]]);
    let ran = serve(&start_job(), 1, [], 4).await;
    ran.check(expect![[r#"
        StartWorkflowExecution
        WORKFLOW_SCHEDULED #0 run:0
        deleted m
    "#]]);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_no_command_is_answered_and_deleted() {
    serve("{", 1, [], 0).await.check(expect![[r#"
        COMMAND_REJECTED #0 [{"path":"","message":"not valid JSON: EOF while parsing an object at line 1 column 1"}]
        deleted m
    "#]]);
    let body = r#"{"type": "STOP", "jobId": "j", "time": 1, "data": {"workflow": {}}}"#;
    serve(body, 1, [], 0).await.check(expect![[r#"
        COMMAND_REJECTED #0 [{"path":"type","message":"unknown command `STOP`: expected START_JOB"},{"path":"data.workflow.name","message":"missing: expected a string"},{"path":"data.workflow.version","message":"missing: expected a string"}]
        deleted m
    "#]]);
    let body = start_job().replace("\"n\":3", "\"n\":\"x\"");
    serve(&body, 1, [], 0).await.check(expect![[r#"
        COMMAND_REJECTED #0 [{"path":"data","message":"/n: \"x\" is not of type \"integer\""}]
        deleted m
    "#]]);
}
