use cpe_ports::{ErrorKind, QueueUrl, ReceiptHandle};
use cpe_protocol::JobRef;
use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;
use crate::testing::{ScriptedQueues, ScriptedWorkflows, told, worker};
use crate::{OverQuota, Quotas};

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
    serve_by(worker(&workflows, &queues), (workflows, queues), body, receive_count).await
}

/// The message `m`.
async fn serve_by(
    worker: Arc<Worker>,
    (workflows, queues): (ScriptedWorkflows, ScriptedQueues),
    body: &str,
    receive_count: u32,
) -> Ran {
    let client =
        worker.clients.current().iter().find(|client| client.name.as_str() == "c").cloned();
    let client = client.unwrap();
    let claims = JobClaims::new(&worker.ports, "plans".to_owned(), String::new());
    let config = InputConfig { decider: TaskList::new("decide"), polls: 1, claims };
    let admission = Admission::default();
    let inbox = Inbox { teller: worker.teller(), client, worker, config, admission };
    let message = Message {
        message_id: "m".into(),
        receipt_handle: ReceiptHandle("m".into()),
        body: body.into(),
        receive_count,
        sent: None,
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

/// A message that comes after another began the job, which is at what `replies` say.
async fn serve_claimed(
    claimed_by: &str,
    receive_count: u32,
    replies: impl IntoIterator<Item = (&'static str, Result<Value, ErrorKind>)>,
) -> Ran {
    let (workflows, queues) = (ScriptedWorkflows::default(), ScriptedQueues::default());
    for (operation, reply) in replies {
        workflows.reply(operation, reply);
    }
    let worker = worker(&workflows, &queues);
    let claims = JobClaims::new(&worker.ports, "plans".to_owned(), String::new());
    let job = JobRef::from_workflow_id(&"c.j".into()).unwrap();
    claims.claim(&job, claimed_by).await.unwrap();
    serve_by(worker, (workflows, queues), &start_job(), receive_count).await
}

fn closed(tags: &[&str]) -> Result<Value, ErrorKind> {
    Ok(json!({"executionInfos": [{
        "execution": {"workflowId": "c.j", "runId": "first"},
        "workflowType": {"name": "Two", "version": "1"}, "startTimestamp": 5,
        "closeTimestamp": 6, "executionStatus": "CLOSED", "closeStatus": "COMPLETED",
        "tagList": tags,
    }]}))
}

#[tokio::test(start_paused = true)]
async fn a_second_message_with_a_jobs_id_hears_how_the_job_is() {
    let history = json!({"events": [{
        "eventId": 9, "eventTimestamp": 6, "eventType": "WorkflowExecutionCompleted",
        "workflowExecutionCompletedEventAttributes":
            {"result": "{\"n\":1}", "decisionTaskCompletedEventId": 8},
    }]});
    let ended = || {
        [
            ("ListClosedWorkflowExecutions", closed(&["client:c", "message:other"])),
            ("GetWorkflowExecutionHistory", Ok(history.clone())),
        ]
    };
    let ran = serve_claimed("other", 1, ended()).await;
    ran.check(expect![[r#"
        ListOpenWorkflowExecutions
        ListClosedWorkflowExecutions
        GetWorkflowExecutionHistory
        JOB_STATUS #0 message:m {"n":1}
        deleted m
    "#]]);
    assert_eq!(ran.queues.sent(&QueueUrl("c-out".into()))[0]["data"]["job"]["status"], "COMPLETED");
    // The message that began it, and comes again because nobody deleted it.
    let own = [("ListClosedWorkflowExecutions", closed(&["message:m"]))];
    serve_claimed("m", 2, own).await.check(expect![[r#"
        ListOpenWorkflowExecutions
        ListClosedWorkflowExecutions
        WORKFLOW_SCHEDULED #0 first:0
        deleted m
    "#]]);
    // Another began it a moment ago, and SWF's lists do not have it yet.
    serve_claimed("other", 1, []).await.check(expect![[r#"
        ListOpenWorkflowExecutions
        ListClosedWorkflowExecutions
        hidden m for 2s
    "#]]);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_was_claimed_and_never_started_is_started() {
    // By a process that ended between the two; SWF's lists know nothing of it.
    serve_claimed("m", 2, []).await.check(expect![[r#"
        ListOpenWorkflowExecutions
        ListClosedWorkflowExecutions
        ListOpenWorkflowExecutions
        ListClosedWorkflowExecutions
        StartWorkflowExecution
        WORKFLOW_SCHEDULED #0 run:0
        deleted m
    "#]]);
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
        JOB_STATUS #0 message:m
        deleted m
    "#]]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_served_yet_stays_in_the_queue() {
    // Nobody knows what became of the first: it is not simply asked again.
    for kind in [ErrorKind::Unavailable, ErrorKind::NotFound, ErrorKind::Refused] {
        let ran = serve(&start_job(), 3, [("StartWorkflowExecution", Err(kind))], 0).await;
        ran.check(expect![[r#"
            StartWorkflowExecution
            hidden m for 8s
        "#]]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_was_throttled_is_asked_for_again() {
    let throttled = |times| std::iter::repeat_n(Err(ErrorKind::Throttled), times);
    let script = |times| throttled(times).map(|answer| ("StartWorkflowExecution", answer));
    let ran = serve(&start_job(), 1, script(3), 0).await;
    ran.check(expect![[r#"
        StartWorkflowExecution
        StartWorkflowExecution
        StartWorkflowExecution
        StartWorkflowExecution
        WORKFLOW_SCHEDULED #0 run:0
        deleted m
    "#]]);
    serve(&start_job(), 1, script(4), 0).await.check(expect![[r#"
        StartWorkflowExecution
        StartWorkflowExecution
        StartWorkflowExecution
        StartWorkflowExecution
        hidden m for 2s
    "#]]);
}

#[tokio::test(start_paused = true)]
async fn what_swf_refuses_again_and_again_is_told() {
    let refused = [("StartWorkflowExecution", Err(ErrorKind::Refused))];
    serve(&start_job(), 5, refused, 0).await.check(expect![[r#"
        StartWorkflowExecution
        COMMAND_REJECTED #0 message:m [{"path":"","message":"the workflow service refuses it: scripted"}]
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
        COMMAND_REJECTED #0 message:m [{"path":"","message":"not valid JSON: EOF while parsing an object at line 1 column 1"}]
        deleted m
    "#]]);
    let body = r#"{"type": "STOP", "jobId": "j", "time": 1, "data": {"workflow": {}}}"#;
    serve(body, 1, [], 0).await.check(expect![[r#"
        COMMAND_REJECTED #0 message:m [{"path":"type","message":"unknown command `STOP`: expected START_JOB, CANCEL_JOB, CANCEL_ACTIVITY, GET_JOB_LIST, GET_ACTIVITY_LIST, GET_JOB_STATUS, GET_ACTIVITY_STATUS, SIGNAL_JOB"}]
        deleted m
    "#]]);
    let body = start_job().replace("\"n\":3", "\"n\":\"x\"");
    serve(&body, 1, [], 0).await.check(expect![[r#"
        COMMAND_REJECTED #0 message:m [{"path":"data","message":"/n: \"x\" is not of type \"integer\""}]
        deleted m
    "#]]);
}

fn command(name: &str, data: &Value) -> String {
    json!({"time": 1, "type": name, "jobId": "j", "requestId": "q", "data": data}).to_string()
}

fn history() -> Result<Value, ErrorKind> {
    let scheduled = |id: i64, activity: &str| {
        json!({"eventId": id, "eventTimestamp": id, "eventType": "ActivityTaskScheduled",
            "activityTaskScheduledEventAttributes": {
                "activityType": {"name": "Work", "version": "v1"}, "activityId": activity,
                "taskList": {"name": "l"}, "decisionTaskCompletedEventId": 4}})
    };
    Ok(json!({"events": [
        scheduled(5, "First"),
        {"eventId": 6, "eventTimestamp": 6, "eventType": "ActivityTaskStarted",
         "activityTaskStartedEventAttributes": {"scheduledEventId": 5}},
        {"eventId": 7, "eventTimestamp": 7, "eventType": "ActivityTaskFailed",
         "activityTaskFailedEventAttributes": {"scheduledEventId": 5, "startedEventId": 6,
            "reason": "odd", "details": "{\"details\":\"why\",\"retryable\":true}"}},
        scheduled(8, "First#2"),
        scheduled(9, "Second"),
    ]}))
}

/// What one command does, and everything that the client hears.
async fn answered(
    body: &str,
    replies: impl IntoIterator<Item = (&'static str, Result<Value, ErrorKind>)>,
    expect: Expect,
) {
    let ran = serve(body, 1, replies, 0).await;
    let mut text = String::new();
    for (operation, request) in ran.workflows.calls() {
        text += &format!("{operation} {request}\n");
    }
    for event in ran.queues.sent(&QueueUrl("c-out".into())) {
        cpe_protocol_schema(&event);
        text += &format!("{} {} {}\n", event["type"], event["requestId"], event["data"]);
    }
    text += &format!("deleted {:?}\n", ran.queues.deleted());
    expect.assert_eq(&text);
}

/// What is answered is what was published.
#[track_caller]
fn cpe_protocol_schema(event: &Value) {
    let schema = cpe_protocol::schemas::of(event["type"].as_str().unwrap()).unwrap();
    let schema: Value = serde_json::from_str(schema).unwrap();
    jsonschema::validate(&schema, event).unwrap_or_else(|error| panic!("{event}: {error}"));
}

#[tokio::test(start_paused = true)]
async fn a_job_is_canceled_and_signaled() {
    answered(
        &command("cancel_job", &json!(null)),
        [],
        expect![[r#"
        RequestCancelWorkflowExecution {"domain":"d","workflowId":"c.j"}
        "JOB_CANCEL_REQUESTED" "q" {}
        deleted ["m"]
    "#]],
    )
    .await;
    let signal = command("SIGNAL_JOB", &json!({"signal": "approved", "input": {"by": "me"}}));
    answered(&signal, [], expect![[r#"
        SignalWorkflowExecution {"domain":"d","workflowId":"c.j","signalName":"approved","input":"{\"by\":\"me\"}"}
        "JOB_SIGNALED" "q" {"signal":"approved"}
        deleted ["m"]
    "#]]).await;
    let gone = || ("SignalWorkflowExecution", Err(ErrorKind::NotFound));
    answered(&signal, [gone()], expect![[r#"
        SignalWorkflowExecution {"domain":"d","workflowId":"c.j","signalName":"approved","input":"{\"by\":\"me\"}"}
        ListOpenWorkflowExecutions {"domain":"d","startTimeFilter":{"oldestDate":0.0},"reverseOrder":false,"executionFilter":{"workflowId":"c.j"}}
        ListClosedWorkflowExecutions {"domain":"d","closeTimeFilter":{"oldestDate":0.0},"executionFilter":{"workflowId":"c.j"},"reverseOrder":false}
        "COMMAND_REJECTED" "q" {"command":"SIGNAL_JOB","reason":"cpe.job.unknown","errors":[{"path":"jobId","message":"the client has no such job, or it has ended so long ago that it is forgotten"}]}
        deleted ["m"]
    "#]]).await;
    let ended = [gone(), ("ListClosedWorkflowExecutions", closed(&[]))];
    answered(&signal, ended, expect![[r#"
        SignalWorkflowExecution {"domain":"d","workflowId":"c.j","signalName":"approved","input":"{\"by\":\"me\"}"}
        ListOpenWorkflowExecutions {"domain":"d","startTimeFilter":{"oldestDate":0.0},"reverseOrder":false,"executionFilter":{"workflowId":"c.j"}}
        ListClosedWorkflowExecutions {"domain":"d","closeTimeFilter":{"oldestDate":0.0},"executionFilter":{"workflowId":"c.j"},"reverseOrder":false}
        "COMMAND_REJECTED" "q" {"command":"SIGNAL_JOB","reason":"cpe.job.closed","errors":[{"path":"jobId","message":"the job has ended already: COMPLETED"}]}
        deleted ["m"]
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn one_activity_is_canceled_by_a_signal_of_cpes_own() {
    let there =
        || [("ListOpenWorkflowExecutions", found()), ("GetWorkflowExecutionHistory", history())];
    for (id, expect) in [
        (
            "First",
            expect![[r#"
            ListOpenWorkflowExecutions {"domain":"d","startTimeFilter":{"oldestDate":0.0},"reverseOrder":false,"executionFilter":{"workflowId":"c.j"}}
            GetWorkflowExecutionHistory {"domain":"d","execution":{"workflowId":"c.j","runId":"first"},"reverseOrder":false}
            SignalWorkflowExecution {"domain":"d","workflowId":"c.j","signalName":"cpe.cancel-activity","input":"{\"activityId\":\"First#2\"}"}
            "ACTIVITY_CANCEL_REQUESTED" "q" {"activity":{"activityId":"First#2"},"workflow":{"workflowId":"c.j","runId":"first"}}
            deleted ["m"]
        "#]],
        ),
        (
            "Second",
            expect![[r#"
            ListOpenWorkflowExecutions {"domain":"d","startTimeFilter":{"oldestDate":0.0},"reverseOrder":false,"executionFilter":{"workflowId":"c.j"}}
            GetWorkflowExecutionHistory {"domain":"d","execution":{"workflowId":"c.j","runId":"first"},"reverseOrder":false}
            SignalWorkflowExecution {"domain":"d","workflowId":"c.j","signalName":"cpe.cancel-activity","input":"{\"activityId\":\"Second\"}"}
            "ACTIVITY_CANCEL_REQUESTED" "q" {"activity":{"activityId":"Second"},"workflow":{"workflowId":"c.j","runId":"first"}}
            deleted ["m"]
        "#]],
        ),
        (
            "Third",
            expect![[r#"
            ListOpenWorkflowExecutions {"domain":"d","startTimeFilter":{"oldestDate":0.0},"reverseOrder":false,"executionFilter":{"workflowId":"c.j"}}
            GetWorkflowExecutionHistory {"domain":"d","execution":{"workflowId":"c.j","runId":"first"},"reverseOrder":false}
            "COMMAND_REJECTED" "q" {"command":"CANCEL_ACTIVITY","reason":"cpe.activity.unknown","errors":[{"path":"data.activityId","message":"the job's present run has had no activity `Third`"}]}
            deleted ["m"]
        "#]],
        ),
    ] {
        answered(&command("CANCEL_ACTIVITY", &json!({"activityId": id})), there(), expect).await;
    }
    let ended = [("ListClosedWorkflowExecutions", closed(&[]))];
    let cancel = command("CANCEL_ACTIVITY", &json!({"activityId": "First"}));
    answered(&cancel, ended, expect![[r#"
        ListOpenWorkflowExecutions {"domain":"d","startTimeFilter":{"oldestDate":0.0},"reverseOrder":false,"executionFilter":{"workflowId":"c.j"}}
        ListClosedWorkflowExecutions {"domain":"d","closeTimeFilter":{"oldestDate":0.0},"executionFilter":{"workflowId":"c.j"},"reverseOrder":false}
        "COMMAND_REJECTED" "q" {"command":"CANCEL_ACTIVITY","reason":"cpe.job.closed","errors":[{"path":"jobId","message":"the job has ended already: COMPLETED"}]}
        deleted ["m"]
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn jobs_and_activities_are_told() {
    let there =
        || [("ListOpenWorkflowExecutions", found()), ("GetWorkflowExecutionHistory", history())];
    answered(&command("GET_JOB_STATUS", &json!({})), [there()[0].clone()], expect![[r#"
        ListOpenWorkflowExecutions {"domain":"d","startTimeFilter":{"oldestDate":0.0},"reverseOrder":false,"executionFilter":{"workflowId":"c.j"}}
        "JOB_STATUS" "q" {"job":{"jobId":"j","workflow":{"workflowId":"c.j","runId":"first"},"workflowType":{"name":"Two","version":"1"},"status":"RUNNING","startTime":5.0,"cancelRequested":false},"workflow":{"workflowId":"c.j","runId":"first"}}
        deleted ["m"]
    "#]]).await;
    answered(&command("GET_JOB_STATUS", &json!({})), [], expect![[r#"
        ListOpenWorkflowExecutions {"domain":"d","startTimeFilter":{"oldestDate":0.0},"reverseOrder":false,"executionFilter":{"workflowId":"c.j"}}
        ListClosedWorkflowExecutions {"domain":"d","closeTimeFilter":{"oldestDate":0.0},"executionFilter":{"workflowId":"c.j"},"reverseOrder":false}
        "COMMAND_REJECTED" "q" {"command":"GET_JOB_STATUS","reason":"cpe.job.unknown","errors":[{"path":"jobId","message":"the client has no such job, or it has ended so long ago that it is forgotten"}]}
        deleted ["m"]
    "#]]).await;
    let status = command("GET_ACTIVITY_STATUS", &json!({"activityId": "First#1"}));
    answered(&status, there(), expect![[r#"
        ListOpenWorkflowExecutions {"domain":"d","startTimeFilter":{"oldestDate":0.0},"reverseOrder":false,"executionFilter":{"workflowId":"c.j"}}
        GetWorkflowExecutionHistory {"domain":"d","execution":{"workflowId":"c.j","runId":"first"},"reverseOrder":false}
        "COMMAND_REJECTED" "q" {"command":"GET_ACTIVITY_STATUS","reason":"cpe.activity.unknown","errors":[{"path":"data.activityId","message":"the job's present run has had no activity `First#1`"}]}
        deleted ["m"]
    "#]]).await;
    let status = command("GET_ACTIVITY_STATUS", &json!({"activityId": "First"}));
    answered(&status, there(), expect![[r#"
        ListOpenWorkflowExecutions {"domain":"d","startTimeFilter":{"oldestDate":0.0},"reverseOrder":false,"executionFilter":{"workflowId":"c.j"}}
        GetWorkflowExecutionHistory {"domain":"d","execution":{"workflowId":"c.j","runId":"first"},"reverseOrder":false}
        "ACTIVITY_STATUS" "q" {"activity":{"activityId":"First#2","activityType":{"name":"Work","version":"v1"},"step":"First","attempt":2,"status":"SCHEDULED","scheduledTime":8.0,"cancelRequested":false},"workflow":{"workflowId":"c.j","runId":"first"}}
        deleted ["m"]
    "#]]).await;
    let list = command("GET_ACTIVITY_LIST", &json!({"limit": 2}));
    answered(&list, there(), expect![[r#"
        ListOpenWorkflowExecutions {"domain":"d","startTimeFilter":{"oldestDate":0.0},"reverseOrder":false,"executionFilter":{"workflowId":"c.j"}}
        GetWorkflowExecutionHistory {"domain":"d","execution":{"workflowId":"c.j","runId":"first"},"reverseOrder":false}
        "ACTIVITY_LIST" "q" {"activities":[{"activityId":"First","activityType":{"name":"Work","version":"v1"},"step":"First","attempt":1,"status":"FAILED","scheduledTime":5.0,"startTime":6.0,"closeTime":7.0,"cancelRequested":false,"reason":"odd"},{"activityId":"First#2","activityType":{"name":"Work","version":"v1"},"step":"First","attempt":2,"status":"SCHEDULED","scheduledTime":8.0,"cancelRequested":false}],"nextPageToken":"8","workflow":{"workflowId":"c.j","runId":"first"}}
        deleted ["m"]
    "#]]).await;
    let list = command("GET_ACTIVITY_LIST", &json!({"limit": 2, "pageToken": "8"}));
    answered(&list, there(), expect![[r#"
        ListOpenWorkflowExecutions {"domain":"d","startTimeFilter":{"oldestDate":0.0},"reverseOrder":false,"executionFilter":{"workflowId":"c.j"}}
        GetWorkflowExecutionHistory {"domain":"d","execution":{"workflowId":"c.j","runId":"first"},"reverseOrder":false}
        "ACTIVITY_LIST" "q" {"activities":[{"activityId":"Second","activityType":{"name":"Work","version":"v1"},"step":"Second","attempt":1,"status":"SCHEDULED","scheduledTime":9.0,"cancelRequested":false}],"workflow":{"workflowId":"c.j","runId":"first"}}
        deleted ["m"]
    "#]]).await;
    let list = command("GET_ACTIVITY_LIST", &json!({"pageToken": "x"}));
    answered(&list, [], expect![[r#"
        "COMMAND_REJECTED" "q" {"command":"GET_ACTIVITY_LIST","reason":"cpe.command.invalid","errors":[{"path":"data.pageToken","message":"is none that CPE gave, or is too old"}]}
        deleted ["m"]
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn a_list_has_the_clients_own_jobs_only() {
    let info = |id: &str, status: Option<&str>| {
        json!({"execution": {"workflowId": id, "runId": "r"}, "closeStatus": status,
               "workflowType": {"name": "Two", "version": "1"}, "startTimestamp": 5,
               "executionStatus": if status.is_some() { "CLOSED" } else { "OPEN" }})
    };
    let open = json!({"executionInfos": [info("c.a", None), info("d.b", None), info("c.a.K", None)],
                      "nextPageToken": "more"});
    let list = command("GET_JOB_LIST", &json!({"limit": 10}));
    answered(&list, [("ListOpenWorkflowExecutions", Ok(open))], expect![[r#"
        ListOpenWorkflowExecutions {"domain":"d","startTimeFilter":{"oldestDate":0.0},"tagFilter":{"tag":"client:c"},"maximumPageSize":10,"reverseOrder":false}
        "JOB_LIST" "q" {"jobs":[{"jobId":"a","workflow":{"workflowId":"c.a","runId":"r"},"workflowType":{"name":"Two","version":"1"},"status":"RUNNING","startTime":5.0,"cancelRequested":false}],"nextPageToken":"open:more"}
        deleted ["m"]
    "#]]).await;
    let closed = json!({"executionInfos": [
        info("c.e", Some("COMPLETED")), info("c.f", Some("CONTINUED_AS_NEW")), info("d.g", Some("FAILED")),
    ]});
    let list = command("GET_JOB_LIST", &json!({"limit": 10, "pageToken": "closed:7:t"}));
    answered(&list, [("ListClosedWorkflowExecutions", Ok(closed))], expect![[r#"
        ListClosedWorkflowExecutions {"domain":"d","closeTimeFilter":{"oldestDate":0.007},"tagFilter":{"tag":"client:c"},"nextPageToken":"t","maximumPageSize":10,"reverseOrder":false}
        "JOB_LIST" "q" {"jobs":[{"jobId":"e","workflow":{"workflowId":"c.e","runId":"r"},"workflowType":{"name":"Two","version":"1"},"status":"COMPLETED","startTime":5.0,"cancelRequested":false}]}
        deleted ["m"]
    "#]]).await;
    let list = command("GET_JOB_LIST", &json!({"pageToken": "forged"}));
    answered(&list, [], expect![[r#"
        "COMMAND_REJECTED" "q" {"command":"GET_JOB_LIST","reason":"cpe.command.invalid","errors":[{"path":"data.pageToken","message":"is none that CPE gave, or is too old"}]}
        deleted ["m"]
    "#]]).await;
    let list = command("GET_JOB_LIST", &json!({"client": {"name": "d"}}));
    answered(&list, [], expect![[r#"
        "COMMAND_REJECTED" "q" {"command":"GET_JOB_LIST","reason":"cpe.command.invalid","errors":[{"path":"data.client.name","message":"commands on this queue are those of c, and the message says `d`"}]}
        deleted ["m"]
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn what_nobody_can_read_goes_to_the_dead_letters() {
    let body = serde_json::to_string("no command").unwrap();
    let ran = serve(&body, 1, [], 0).await;
    ran.check(expect![[r#"
        COMMAND_REJECTED #0 message:m [{"path":"","message":"expected a JSON object, found a string"}]
        deleted m
    "#]]);
    assert_eq!(ran.queues.sent(&QueueUrl("c-dead".into())), ["no command"]);
}

#[tokio::test(start_paused = true)]
async fn a_message_stays_hidden_while_it_is_handled() {
    let (workflows, queues) = (ScriptedWorkflows::default(), ScriptedQueues::default());
    let client = crate::testing::client("c");
    let config = crate::testing::worker(&workflows, &queues);
    let claims = JobClaims::new(&config.ports, "plans".to_owned(), String::new());
    let inbox = Inbox {
        teller: config.teller(),
        client: Arc::new(client),
        config: InputConfig { decider: TaskList::new("decide"), polls: 1, claims },
        worker: config,
        admission: Admission::default(),
    };
    let receipt = ReceiptHandle("m".into());
    let kept = tokio::time::timeout(Duration::from_secs(50), inbox.keep_hidden(&receipt)).await;
    assert!(kept.is_err());
    assert_eq!(queues.hidden(), vec![("m".to_owned(), HIDDEN); 2]);
}

#[tokio::test(start_paused = true)]
async fn over_quota_a_job_waits_or_is_refused() {
    let full = || [("ListOpenWorkflowExecutions", found())];
    let (waits, refused) = (
        expect![[r#"
        ListOpenWorkflowExecutions
        JOB_DELAYED #0 message:m:delayed
        hidden m for 15s
    "#]],
        expect![[r#"
            ListOpenWorkflowExecutions
            COMMAND_REJECTED #0 message:m [{"path":"","message":"c may have 1 jobs in flight at a time"}]
            deleted m
        "#]],
    );
    for (over, expect) in [(OverQuota::Wait, waits), (OverQuota::Refuse, refused)] {
        let (workflows, queues) = (ScriptedWorkflows::default(), ScriptedQueues::default());
        for (operation, reply) in full() {
            workflows.reply(operation, reply);
        }
        let worker = worker(&workflows, &queues);
        let quotas = Quotas { jobs_in_flight: Some(1), over, ..Quotas::default() };
        let client = Client { quotas, ..crate::testing::client("c") };
        worker.clients.replace(crate::Clients::new([client]).unwrap());
        let ran = serve_by(worker, (workflows, queues), &start_job(), 1).await;
        for event in ran.queues.sent(&QueueUrl("c-out".into())) {
            cpe_protocol_schema(&event);
            assert_eq!(event["data"]["quota"]["name"], "jobs-in-flight");
        }
        ran.check(expect);
    }
}
