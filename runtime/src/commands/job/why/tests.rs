use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;

const PLAN: &str = r#"
name: W
version: "1"
activities:
- {name: A, version: v1, module: a@1}
steps:
- {name: Approval, signal: approved}
- {name: Do, activity: A, input: '1'}
"#;

/// Events of one second each, the first at 0: kind and attributes.
fn history(events: &[(&str, Value)]) -> Vec<HistoryEvent> {
    let start = json!({"childPolicy": "TERMINATE", "taskList": {"name": "deciders"},
                       "workflowType": {"name": "W", "version": "1"}, "input": "{}"});
    let all = [("WorkflowExecutionStarted", start)].into_iter().chain(events.iter().cloned());
    all.enumerate()
        .map(|(index, (kind, attributes))| {
            let mut key = kind[..1].to_ascii_lowercase();
            key.push_str(&kind[1..]);
            let mut event =
                json!({"eventId": index + 1, "eventTimestamp": index, "eventType": kind});
            event[format!("{key}EventAttributes")] = attributes;
            serde_json::from_value(event).unwrap()
        })
        .collect()
}

#[track_caller]
fn check(plan: bool, events: &[(&str, Value)], expect: Expect) {
    let parsed = Plan::parse("w.yaml", PLAN).unwrap_or_else(|errors| panic!("{errors}"));
    let plan = plan.then_some(&parsed);
    let reasons = explain(&"c.j".into(), &history(events), plan, Timestamp::from_millis(60_000));
    let lines = reasons.iter().map(|reason| format!("{}: {}\n", reason.code, reason.sentence));
    expect.assert_eq(&lines.collect::<String>());
}

fn decided() -> Vec<(&'static str, Value)> {
    vec![
        ("DecisionTaskScheduled", json!({"taskList": {"name": "deciders"}})),
        ("DecisionTaskStarted", json!({"scheduledEventId": 2})),
        ("DecisionTaskCompleted", json!({"scheduledEventId": 2, "startedEventId": 3})),
    ]
}

fn scheduled(id: &str) -> (&'static str, Value) {
    let task = json!({
        "activityId": id, "activityType": {"name": "A", "version": "v1"},
        "taskList": {"name": "A-v1"}, "decisionTaskCompletedEventId": 4,
        "heartbeatTimeout": "9", "scheduleToStartTimeout": "3600", "startToCloseTimeout": "600",
    });
    ("ActivityTaskScheduled", task)
}

#[test]
fn it_waits_for_a_signal() {
    let mut events = decided();
    events.push(scheduled("Do"));
    events.push(("ActivityTaskStarted", json!({"scheduledEventId": 5, "identity": "cpe@host:1"})));
    let ended = json!({"scheduledEventId": 5, "startedEventId": 6, "result": "1"});
    events.push(("ActivityTaskCompleted", ended));
    check(true, &events, expect![""]);
    check(false, &events, expect![""]);
}

#[test]
fn no_decider_and_no_worker() {
    check(false, &decided()[..1], expect![""]);
    let mut undecided = decided()[..2].to_vec();
    let timed_out =
        json!({"scheduledEventId": 2, "startedEventId": 3, "timeoutType": "START_TO_CLOSE"});
    undecided.push(("DecisionTaskTimedOut", timed_out));
    check(false, &undecided, expect![""]);
    let mut waiting = decided();
    waiting.push(scheduled("Do"));
    check(false, &waiting, expect![""]);
}

#[test]
fn a_worker_may_be_lost_and_an_attempt_comes_again() {
    let mut events = decided();
    events.push(scheduled("Do"));
    events.push(("ActivityTaskStarted", json!({"scheduledEventId": 5, "identity": "cpe@host:1"})));
    check(false, &events, expect![""]);
    let failed = json!({"scheduledEventId": 5, "startedEventId": 6, "reason": "media.undecodable"});
    events.push(("ActivityTaskFailed", failed));
    let timer = json!({"timerId": "cpe.backoff.Do#2", "startToFireTimeout": "120",
                       "decisionTaskCompletedEventId": 4});
    events.push(("TimerStarted", timer));
    check(false, &events, expect![""]);
}

#[test]
fn how_it_ended() {
    let details = json!({"step": "Do", "reason": "media.odd", "details": "odd"}).to_string();
    let failed =
        json!({"reason": "media.odd", "details": details, "decisionTaskCompletedEventId": 4});
    check(false, &[("WorkflowExecutionFailed", failed)], expect![""]);
    let timed_out = json!({"timeoutType": "START_TO_CLOSE", "childPolicy": "TERMINATE"});
    check(false, &[("WorkflowExecutionTimedOut", timed_out)], expect![""]);
}
