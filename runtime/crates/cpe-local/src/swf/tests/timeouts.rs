//! What takes too long.

use expect_test::expect;
use serde_json::json;

use super::{
    Bench,
    bench::{schedule, schedule_with, timer},
};

#[test]
fn an_execution_times_out() {
    let mut bench = Bench::new();
    bench.ok(
        "StartWorkflowExecution",
        json!({
            "domain": "d", "workflowId": "w", "workflowType": {"name": "W", "version": "1"},
            "executionStartToCloseTimeout": "5", "childPolicy": "ABANDON",
        }),
    );
    bench.pass(9);
    bench.check(
        "w",
        3,
        expect![[r#"
        3 5s WorkflowExecutionTimedOut timeoutType="START_TO_CLOSE" childPolicy="ABANDON"
    "#]],
    );
    assert!(bench.swf.next_deadline().is_none());
}

#[test]
fn a_decision_task_times_out_and_is_handed_out_again() {
    let mut bench = Bench::new();
    bench.start("w");
    let late = bench.poll_decision(json!({})).unwrap();
    bench.pass(100);
    let again = bench.poll_decision(json!({})).unwrap();
    // That one was never processed, so all its events are new.
    assert_eq!(again["previousStartedEventId"], 0);
    let request = json!({"taskToken": late["taskToken"]});
    let gone = expect!["UnknownResourceFault: Unknown decision task, scheduledEventId = 2"];
    bench.refused("RespondDecisionTaskCompleted", request, gone);
    bench.answer(&again, json!([]));
    bench.check(
        "w",
        2,
        expect![[r#"
        2 0s DecisionTaskScheduled
        3 0s DecisionTaskStarted identity="decider" scheduledEventId=2
        4 100s DecisionTaskTimedOut timeoutType="START_TO_CLOSE" scheduledEventId=2 startedEventId=3
        5 100s DecisionTaskScheduled
        6 100s DecisionTaskStarted identity="decider" scheduledEventId=5
        7 100s DecisionTaskCompleted scheduledEventId=5 startedEventId=6
    "#]],
    );
}

#[test]
fn a_list_override_with_a_timeout_ends_with_it() {
    let mut bench = Bench::new();
    bench.start("w");
    let polled = bench.poll_decision(json!({})).unwrap();
    bench.ok(
        "RespondDecisionTaskCompleted",
        json!({
            "taskToken": polled["taskToken"], "taskList": {"name": "mine"},
            "taskListScheduleToStartTimeout": "5", "decisions": [timer("t", 1)],
        }),
    );
    bench.pass(3);
    assert_eq!(bench.poll_decision(json!({})), None);
    bench.restart();
    bench.pass(3);
    assert!(bench.poll_decision(json!({})).is_some());
    bench.check("w", 6, expect![[r#"
        6 1s TimerFired timerId="t" startedEventId=5
        7 1s DecisionTaskScheduled taskList={"name":"mine"} scheduleToStartTimeout="5"
        8 6s DecisionTaskTimedOut timeoutType="SCHEDULE_TO_START" scheduledEventId=7 startedEventId=0
        9 6s DecisionTaskScheduled
        10 6s DecisionTaskStarted identity="decider" scheduledEventId=9
    "#]]);
}

#[test]
fn an_activity_task_that_nobody_takes_times_out() {
    let mut bench = Bench::new();
    bench.start("w");
    bench
        .decide(json!(
            [schedule("a"), schedule_with("b", json!({"scheduleToCloseTimeout": "7"})),]
        ));
    bench.pass(300);
    assert_eq!(bench.poll_activity(), None);
    bench.check("w", 7, expect![[r#"
        7 7s ActivityTaskTimedOut timeoutType="SCHEDULE_TO_CLOSE" scheduledEventId=6 startedEventId=0
        8 7s DecisionTaskScheduled
        9 200s ActivityTaskTimedOut timeoutType="SCHEDULE_TO_START" scheduledEventId=5 startedEventId=0
    "#]]);
}

#[test]
fn a_started_activity_task_times_out_by_whichever_comes_first() {
    let mut bench = Bench::new();
    bench.start("w");
    bench.decide(json!([
        schedule("close"),
        schedule_with("whole", json!({"scheduleToCloseTimeout": "20"})),
        schedule_with("beat", json!({"heartbeatTimeout": "8"})),
    ]));
    bench.pass(2);
    while bench.poll_activity().is_some() {}
    bench.pass(6);
    let beat = json!({"taskToken": bench.token("beat"), "details": "half"});
    bench.ok("RecordActivityTaskHeartbeat", beat.clone());
    bench.restart();
    bench.pass(60);
    let gone = expect!["UnknownResourceFault: Unknown activity, scheduledEventId = 7"];
    bench.refused("RecordActivityTaskHeartbeat", beat, gone);
    bench.check("w", 11, expect![[r#"
        11 16s ActivityTaskTimedOut timeoutType="HEARTBEAT" scheduledEventId=7 startedEventId=10 details="half"
        12 16s DecisionTaskScheduled
        13 20s ActivityTaskTimedOut timeoutType="SCHEDULE_TO_CLOSE" scheduledEventId=6 startedEventId=9
        14 52s ActivityTaskTimedOut timeoutType="START_TO_CLOSE" scheduledEventId=5 startedEventId=8
    "#]]);
}

#[test]
fn none_means_never() {
    let mut bench = Bench::new();
    bench.ok(
        "StartWorkflowExecution",
        json!({
            "domain": "d", "workflowId": "w", "workflowType": {"name": "W", "version": "1"},
            "executionStartToCloseTimeout": "31536000", "taskStartToCloseTimeout": "NONE",
        }),
    );
    let never = json!({"scheduleToStartTimeout": "NONE", "scheduleToCloseTimeout": "NONE",
        "startToCloseTimeout": "NONE", "heartbeatTimeout": "NONE"});
    bench.decide(json!([schedule_with("a", never.clone()), schedule_with("b", never)]));
    bench.poll_activity();
    bench.pass(31_000_000);
    bench.ok("RespondActivityTaskCompleted", json!({"taskToken": bench.token("a")}));
    assert!(bench.poll_activity().is_some());
    bench.poll_decision(json!({})).unwrap();
    bench.pass(500_000);
    assert_eq!(bench.events("w").len(), 11);
}

#[test]
fn what_was_due_during_a_pause_happens_in_the_order_of_its_deadlines() {
    let mut bench = Bench::new();
    bench.start("w");
    bench.decide(json!([timer("third", 30), timer("first", 10), timer("second", 20)]));
    bench.now = cpe_swf::Timestamp(bench.now.0 + 60_000);
    bench.restart();
    bench.fire();
    bench.check(
        "w",
        8,
        expect![[r#"
        8 60s TimerFired timerId="first" startedEventId=6
        9 60s DecisionTaskScheduled
        10 60s TimerFired timerId="second" startedEventId=7
        11 60s TimerFired timerId="third" startedEventId=5
    "#]],
    );
}
