use cpe_swf::{
    ActivityType, DomainName, EventAttributes, TaskList, TaskToken, Timeout,
    decision::{CompleteWorkflowExecution, ScheduleActivityTask},
};
use expect_test::{Expect, expect};

use super::*;
use crate::fake::{self, Fake};

mod signature;

fn decision_poll() -> PollForDecisionTaskRequest {
    PollForDecisionTaskRequest {
        domain: DomainName::from("cpe"),
        task_list: TaskList::new("deciders"),
        identity: Some("me".to_owned()),
        next_page_token: None,
        maximum_page_size: Some(500),
        reverse_order: false,
        start_at_previous_started_event: true,
    }
}

fn activity_poll() -> PollForActivityTaskRequest {
    PollForActivityTaskRequest {
        domain: DomainName::from("cpe"),
        task_list: TaskList::new("A-1"),
        identity: None,
    }
}

fn completed() -> RespondActivityTaskCompletedRequest {
    RespondActivityTaskCompletedRequest { task_token: TaskToken::from("t"), result: None }
}

fn decisions() -> RespondDecisionTaskCompletedRequest {
    let schedule = ScheduleActivityTask {
        activity_type: ActivityType::new("Transcode", "v2"),
        activity_id: "Step-1".into(),
        control: None,
        input: Some(r#"{"ü": "\u0000"}"#.to_owned()),
        schedule_to_close_timeout: Some(Timeout::None),
        task_list: Some(TaskList::new("Transcode-v2")),
        task_priority: None,
        schedule_to_start_timeout: None,
        start_to_close_timeout: Some(Timeout::Seconds(60)),
        heartbeat_timeout: None,
    };
    RespondDecisionTaskCompletedRequest {
        task_token: TaskToken::from("token"),
        decisions: vec![
            schedule.into(),
            CompleteWorkflowExecution { result: Some("{}".to_owned()) }.into(),
        ],
        execution_context: None,
        task_list: None,
        task_list_schedule_to_start_timeout: None,
    }
}

#[tokio::test]
async fn our_json_goes_out_signed() {
    let fake = Fake::start([fake::ok("")]).await;
    fake.swf().respond_decision_task_completed(decisions()).await.unwrap();
    let asked = fake.asked_once();
    expect![[r#"{"taskToken":"token","decisions":[{"decisionType":"ScheduleActivityTask","scheduleActivityTaskDecisionAttributes":{"activityType":{"name":"Transcode","version":"v2"},"activityId":"Step-1","input":"{\"ü\": \"\\u0000\"}","scheduleToCloseTimeout":"NONE","taskList":{"name":"Transcode-v2"},"startToCloseTimeout":"60"}},{"decisionType":"CompleteWorkflowExecution","completeWorkflowExecutionDecisionAttributes":{"result":"{}"}}]}"#]]
        .assert_eq(asked.text());
    assert_eq!(asked.header("content-length"), asked.body.len().to_string());
    assert_eq!(asked.header("content-type"), "application/x-amz-json-1.0");
    assert_eq!(asked.header("x-amz-target"), "SimpleWorkflowService.RespondDecisionTaskCompleted");
    assert_eq!(asked.line(), "POST /");
    signature::verify(&asked, "us-east-1", "swf");
}

#[tokio::test]
async fn a_poll_that_found_nothing() {
    let answers = [r#"{"previousStartedEventId":0,"startedEventId":0}"#, r#"{"taskToken":""}"#];
    let fake = Fake::start(answers.map(fake::ok)).await;
    assert_eq!(fake.swf().poll_for_decision_task(decision_poll()).await.unwrap(), None);
    assert_eq!(fake.swf().poll_for_activity_task(activity_poll()).await.unwrap(), None);
    let asked = fake.asked();
    expect![[r#"{"domain":"cpe","taskList":{"name":"deciders"},"identity":"me","maximumPageSize":500,"reverseOrder":false,"startAtPreviousStartedEvent":true}"#]]
        .assert_eq(asked[0].text());
    expect![[r#"{"domain":"cpe","taskList":{"name":"A-1"}}"#]].assert_eq(asked[1].text());
}

#[tokio::test]
async fn a_decision_task_with_events_of_all_sorts() {
    let fake = Fake::start([fake::ok(include_str!("decision_task.json"))]).await;
    let found = fake.swf().poll_for_decision_task(decision_poll()).await.unwrap().unwrap();
    assert_eq!(found.task_token, TaskToken::from("AAAAKgAAAAI="));
    assert_eq!(found.next_page_token.as_deref(), Some("page-2"));
    let kinds: Vec<_> = found.events.iter().map(|event| event.event_type()).collect();
    expect![[r#"
        WorkflowExecutionStarted DecisionTaskScheduled DecisionTaskStarted DecisionTaskCompleted
        ActivityTaskScheduled ActivityTaskStarted ActivityTaskFailed ActivityTaskTimedOut
        ScheduleActivityTaskFailed TimerStarted TimerFired TimerCanceled MarkerRecorded
        WorkflowExecutionSignaled WorkflowExecutionCancelRequested
        StartChildWorkflowExecutionInitiated ChildWorkflowExecutionStarted
        LambdaFunctionScheduled"#]]
    .assert_eq(&wrapped(&kinds));
    let EventAttributes::ActivityTaskFailed(failed) = &*found.events[6].attributes else {
        panic!("{:?}", found.events[6])
    };
    assert_eq!(failed.reason.as_deref(), Some("media.undecodable"));
}

/// Words in lines of at most ninety characters.
fn wrapped(words: &[&str]) -> String {
    let mut text = String::new();
    let mut width = 0;
    for word in words {
        let separator = if width == 0 {
            ""
        } else if width + word.len() < 90 {
            " "
        } else {
            width = 0;
            "\n"
        };
        width += separator.len() + word.len();
        text += separator;
        text += word;
    }
    text
}

#[tokio::test]
async fn an_activity_task_and_its_answers() {
    let fake = Fake::start([
        fake::ok(
            r#"{"taskToken":"t","activityId":"S","startedEventId":6,"input":"{}","activityType":{"name":"A","version":"1"},"workflowExecution":{"workflowId":"w","runId":"r"},"unknown":[1]}"#,
        ),
        fake::ok(r#"{"cancelRequested":true}"#),
        fake::ok(""),
    ])
    .await;
    let swf = fake.swf();
    let found = swf.poll_for_activity_task(activity_poll()).await.unwrap().unwrap();
    assert_eq!((found.activity_id.as_str(), found.input.as_deref()), ("S", Some("{}")));
    let status = swf
        .record_activity_task_heartbeat(&found.task_token, Some("half".to_owned()))
        .await
        .unwrap();
    assert!(status.cancel_requested);
    swf.respond_activity_task_completed(completed()).await.unwrap();
    let bodies: Vec<_> = fake.asked().iter().map(|asked| asked.text().to_owned()).collect();
    assert_eq!(bodies[1..], [r#"{"taskToken":"t","details":"half"}"#, r#"{"taskToken":"t"}"#]);
}

async fn fault(answers: impl IntoIterator<Item = fake::Answer>, expected: Expect) {
    let fake = Fake::start(answers).await;
    let error = fake.swf().respond_activity_task_completed(completed()).await.unwrap_err();
    let times = fake.asked().len();
    let kind = error.kind();
    let error = error.to_string().replace(&fake.url, "URL");
    expected.assert_eq(&format!("{kind}: {error} (asked {times}×)"));
}

#[tokio::test]
async fn faults_by_their_names() {
    let fault_of = |name: &str| {
        fake::status(
            400,
            format!(r#"{{"__type":"com.amazonaws.swf.base.model#{name}","message":"it says"}}"#),
        )
    };
    fault(
        [fault_of("UnknownResourceFault")],
        expect!["not found: UnknownResourceFault: it says (asked 1×)"],
    )
    .await;
    fault(
        [fault_of("OperationNotPermittedFault")],
        expect!["refused: OperationNotPermittedFault: it says (asked 1×)"],
    )
    .await;
    fault(
        [fault_of("UnrecognizedClientException")],
        expect![[
            "refused: UnrecognizedClientException: it says (check the AWS credentials) (asked 1×)"
        ]],
    )
    .await;
    fault(
        [0; 3].map(|_| fault_of("ThrottlingException")),
        expect!["throttled: ThrottlingException: it says (asked 3×)"],
    )
    .await;
    fault(
        [0; 3].map(|_| fake::status(503, "<html>")),
        expect![[
            "unavailable: SWF at URL answered 503, unreadable (respond_activity_task_completed) (asked 3×)"
        ]],
    )
    .await;
    fault(
        [fake::status(500, "{}"), fake::status(500, "{}"), fault_of("UnknownResourceFault")],
        expect!["not found: UnknownResourceFault: it says (asked 3×)"],
    )
    .await;
}

#[tokio::test]
async fn polls_are_asked_once() {
    let fake = Fake::start([fake::status(500, r#"{"__type":"InternalFailure"}"#)]).await;
    let error = fake.swf().poll_for_decision_task(decision_poll()).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, Some("InternalFailure")));
    fake.asked_once();
}

#[tokio::test]
async fn an_execution_is_started_once() {
    let request: StartWorkflowExecutionRequest = serde_json::from_str(
        r#"{"domain": "d", "workflowId": "w", "workflowType": {"name": "n", "version": "v"}}"#,
    )
    .unwrap();
    for answer in [fake::status(500, "{}"), fake::cut("{")] {
        let fake = Fake::start([answer]).await;
        let error = fake.swf().start_workflow_execution(request.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        fake.asked_once();
    }
}

#[tokio::test]
async fn an_answer_to_something_else_is_broken() {
    for body in [r#"{"taskToken":"t"}"#, "<html>", "", "[]"] {
        let fake = Fake::start([fake::ok(body)]).await;
        let error = fake.swf().poll_for_activity_task(activity_poll()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Broken, "{body}: {error}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_answer() {
    let fake = Fake::start([fake::cut("{")]).await;
    let error = fake.swf().poll_for_activity_task(activity_poll()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}
