use cpe_protocol::{
    ActivityRef, EventData, JobEvent, Problem as ProtocolProblem, Rejection, Request, schemas,
};
use cpe_swf::ActivityTaskTimeoutType;
use serde_json::json;

use super::*;

/// Each example of the page for clients, and each message type that has a schema.
#[test]
fn what_the_page_shows_is_read() {
    let page = include_str!("../../../../runtime/crates/cpe-protocol/README.md");
    let blocks = page.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut read = 0;
    for block in blocks {
        let example: Value = serde_json::from_str(block).unwrap();
        let kind = example["type"].as_str().unwrap();
        if schemas::COMMANDS.iter().any(|(command, _)| *command == kind) {
            continue;
        }
        let event = Event::parse(block).unwrap_or_else(|error| panic!("{error}: {block}"));
        assert!(!matches!(event.kind, EventKind::Other(_)), "{block}");
        read += 1;
    }
    assert!(read > 8, "{read}");
}

fn told(seq: i64, data: EventData) -> Event {
    let answers = matches!(data, EventData::CommandRejected { .. } | EventData::JobSignaled { .. });
    let request = answers.then(|| Request { id: None, message_id: "m-1".to_owned() });
    let event = JobEvent {
        time: Timestamp::from_millis(1_437_447_258_900),
        job_id: Some(JobId::new("j1").unwrap()),
        execution: Some(WorkflowExecution { workflow_id: "c.j1".into(), run_id: "r".into() }),
        request,
        seq,
        data,
    };
    Event::parse(&event.to_json().to_string()).unwrap()
}

fn activity() -> ActivityRef {
    ActivityRef { activity_id: "A".into(), activity_type: ActivityType::new("Act", "v1") }
}

fn read_activity() -> Activity {
    Activity { activity_id: "A".into(), activity_type: ActivityType::new("Act", "v1") }
}

fn failure(reason: &str, details: Value) -> Failure {
    Failure { reason: reason.to_owned(), details }
}

#[test]
fn what_cpe_writes_is_read() {
    let (activity_of, of) = (activity(), read_activity());
    let cases = [
        (EventData::JobStarted, EventKind::JobStarted),
        (
            EventData::JobCompleted { result: Some(r#"{"n":3}"#.into()) },
            EventKind::JobCompleted { result: json!({"n": 3}) },
        ),
        (EventData::JobCompleted { result: None }, EventKind::JobCompleted { result: Value::Null }),
        (
            EventData::JobFailed { reason: "a.b".into(), details: "x".into() },
            EventKind::JobFailed(failure("a.b", json!("x"))),
        ),
        (
            EventData::JobCanceled { details: "x".into() },
            EventKind::JobCanceled(failure("CANCELED", json!("x"))),
        ),
        (
            EventData::ActivityScheduled {
                activity: activity_of.clone(),
                input: Some("[1]".into()),
            },
            EventKind::ActivityScheduled { activity: of.clone(), input: json!([1]) },
        ),
        (
            EventData::ActivityStarted { activity: activity_of.clone() },
            EventKind::ActivityStarted(of.clone()),
        ),
        (
            EventData::ActivityProgress {
                activity: activity_of.clone(),
                progress: json!({"percent": 5}),
                count: 2,
            },
            EventKind::ActivityProgress {
                activity: of.clone(),
                progress: json!({"percent": 5}),
                count: 2,
            },
        ),
        (
            EventData::ActivityCompleted {
                activity: activity_of.clone(),
                result: None,
                metering: None,
            },
            EventKind::ActivityCompleted { activity: of.clone(), result: Value::Null },
        ),
        (
            EventData::ActivityTimeout {
                activity: activity_of,
                timeout: ActivityTaskTimeoutType::Heartbeat,
                details: String::new(),
            },
            EventKind::ActivityTimeout { activity: of, failure: failure("HEARTBEAT", json!("")) },
        ),
        (EventData::JobSignaled { signal: "s".into() }, EventKind::Answer(Answer::Done)),
    ];
    for (data, kind) in cases {
        assert_eq!(told(4, data).kind, kind);
    }
}

#[test]
fn a_refusal_says_every_problem() {
    let event = told(
        0,
        EventData::CommandRejected {
            command: Some("START_JOB".into()),
            reason: Rejection::Invalid,
            problems: vec![
                ProtocolProblem::new("data.x", "is odd"),
                ProtocolProblem::new("", "and more"),
            ],
        },
    );
    let EventKind::Rejected(rejected) = event.kind else { panic!("{event:?}") };
    assert_eq!(rejected.to_string(), "cpe.command.invalid: data.x: is odd; and more");
}

#[test]
fn what_is_no_event_is_told_and_what_is_new_is_let_through() {
    for bad in ["", "[]", "{}", r#"{"time": 1, "type": "JOB_FAILED", "eventId": "x"}"#] {
        assert!(Event::parse(bad).is_err(), "{bad}");
    }
    let new = r#"{"time": 1, "type": "JOB_DREAMT", "jobId": "j", "seq": 3, "eventId": "r:3",
                  "more": 1, "data": {"workflow": {"workflowId": "c.j", "runId": "r"}}}"#;
    let event = Event::parse(new).unwrap();
    assert_eq!(event.kind, EventKind::Other("JOB_DREAMT".to_owned()));
    assert_eq!((event.seq, event.raw["more"].clone()), (3, json!(1)));
}
