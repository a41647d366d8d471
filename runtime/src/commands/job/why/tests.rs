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
    check(
        true,
        &events,
        expect![[r#"
        signal: step Approval waits for the signal `approved` since 1970-01-01T00:00:00Z; `cpe job signal c.j approved` sends it
    "#]],
    );
    check(
        false,
        &events,
        expect![[r#"
        unknown: nothing that the history shows keeps it; its plan is not at hand, which would tell of signals that it waits for
    "#]],
    );
}

#[test]
fn no_decider_and_no_worker() {
    check(
        false,
        &decided()[..1],
        expect![[r#"
        decider.absent: no decider polls the task list deciders: a decision waits since 1970-01-01T00:00:01Z
    "#]],
    );
    let mut undecided = decided()[..2].to_vec();
    let timed_out =
        json!({"scheduledEventId": 2, "startedEventId": 3, "timeoutType": "START_TO_CLOSE"});
    undecided.push(("DecisionTaskTimedOut", timed_out));
    check(
        false,
        &undecided,
        expect![[r#"
        decider.no-answer: 1 decision tasks in a row were not answered: no decider that polls has its plan, or none can tell its client; after 10 the job fails with cpe.plan.unknown
    "#]],
    );
    let mut waiting = decided();
    waiting.push(scheduled("Do"));
    check(
        false,
        &waiting,
        expect![[r#"
        worker.absent: step Do waits for a worker since 1970-01-01T00:00:04Z: none that polls the task list A-v1 has taken it; SWF gives it up at 1970-01-01T01:00:04Z
    "#]],
    );
}

#[test]
fn a_worker_may_be_lost_and_an_attempt_comes_again() {
    let mut events = decided();
    events.push(scheduled("Do"));
    events.push(("ActivityTaskStarted", json!({"scheduledEventId": 5, "identity": "cpe@host:1"})));
    check(
        false,
        &events,
        expect![[r#"
        running: step Do runs since 1970-01-01T00:00:05Z on cpe@host:1; were that worker lost, SWF's heartbeat timeout would tell within 9 s, by 1970-01-01T00:01:09Z; it has to end by 1970-01-01T00:10:05Z
    "#]],
    );
    let failed = json!({"scheduledEventId": 5, "startedEventId": 6, "reason": "media.undecodable"});
    events.push(("ActivityTaskFailed", failed));
    let timer = json!({"timerId": "cpe.backoff.Do#2", "startToFireTimeout": "120",
                       "decisionTaskCompletedEventId": 4});
    events.push(("TimerStarted", timer));
    check(
        false,
        &events,
        expect![[r#"
        retry: step Do retries at 1970-01-01T00:02:07Z after media.undecodable (attempt 2)
    "#]],
    );
}

#[test]
fn how_it_ended() {
    let details = json!({"step": "Do", "reason": "media.odd", "details": "odd"}).to_string();
    let failed =
        json!({"reason": "media.odd", "details": details, "decisionTaskCompletedEventId": 4});
    check(
        false,
        &[("WorkflowExecutionFailed", failed)],
        expect![[r#"
        failed: step Do failed at 1970-01-01T00:00:01Z with media.odd: {"step":"Do","reason":"media.odd","details":"odd"}
    "#]],
    );
    let timed_out = json!({"timeoutType": "START_TO_CLOSE", "childPolicy": "TERMINATE"});
    check(
        false,
        &[("WorkflowExecutionTimedOut", timed_out)],
        expect![[r#"
        timed-out: SWF ended it at 1970-01-01T00:00:01Z: it took longer than it may
    "#]],
    );
}
