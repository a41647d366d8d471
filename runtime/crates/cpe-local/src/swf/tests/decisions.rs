//! Decisions inside a run, and how they fail.

use expect_test::expect;
use serde_json::json;

use super::{
    Bench,
    bench::{complete, decision, schedule, schedule_with, timer},
};

#[test]
fn activity_tasks_that_cannot_be_scheduled() {
    let mut bench = Bench::new();
    for name in ["Bare", "Old"] {
        let request = json!({"domain": "d", "name": name, "version": "1"});
        bench.ok("RegisterActivityType", request);
    }
    let old = json!({"domain": "d", "activityType": {"name": "Old", "version": "1"}});
    bench.ok("DeprecateActivityType", old);
    let of = |id: &str, name: &str, more: serde_json::Value| {
        let mut attributes = more;
        attributes["activityType"] = json!({"name": name, "version": "1"});
        schedule_with(id, attributes)
    };
    bench.start("w");
    bench.decide(json!([
        of("a", "Nope", json!({})),
        of("a", "Old", json!({})),
        schedule("a"),
        schedule("a"),
        of("b", "Bare", json!({})),
        of("b", "Bare", json!({"taskList": {"name": "l"}})),
        of("b", "Bare", json!({"taskList": {"name": "l"}, "scheduleToStartTimeout": "NONE"})),
        of(
            "b",
            "Bare",
            json!({"taskList": {"name": "l"}, "scheduleToStartTimeout": "NONE",
            "scheduleToCloseTimeout": "NONE"})
        ),
        of(
            "b",
            "Bare",
            json!({"taskList": {"name": "l"}, "scheduleToStartTimeout": "NONE",
            "scheduleToCloseTimeout": "NONE", "startToCloseTimeout": "NONE"})
        ),
        of(
            "b",
            "Bare",
            json!({"taskList": {"name": "l"}, "scheduleToStartTimeout": "NONE",
            "scheduleToCloseTimeout": "NONE", "startToCloseTimeout": "NONE",
            "heartbeatTimeout": "NONE"})
        ),
    ]));
    bench.check("w", 5, expect![[r#"
        5 0s ScheduleActivityTaskFailed activityType={"name":"Nope","version":"1"} activityId="a" cause="ACTIVITY_TYPE_DOES_NOT_EXIST" decisionTaskCompletedEventId=4
        6 0s ScheduleActivityTaskFailed activityType={"name":"Old","version":"1"} activityId="a" cause="ACTIVITY_TYPE_DEPRECATED" decisionTaskCompletedEventId=4
        7 0s ActivityTaskScheduled activityType={"name":"A","version":"1"} activityId="a" scheduleToStartTimeout="200" scheduleToCloseTimeout="220" startToCloseTimeout="50" taskList={"name":"al"} decisionTaskCompletedEventId=4 heartbeatTimeout="NONE"
        8 0s ScheduleActivityTaskFailed activityType={"name":"A","version":"1"} activityId="a" cause="ACTIVITY_ID_ALREADY_IN_USE" decisionTaskCompletedEventId=4
        9 0s ScheduleActivityTaskFailed activityType={"name":"Bare","version":"1"} activityId="b" cause="DEFAULT_TASK_LIST_UNDEFINED" decisionTaskCompletedEventId=4
        10 0s ScheduleActivityTaskFailed activityType={"name":"Bare","version":"1"} activityId="b" cause="DEFAULT_SCHEDULE_TO_START_TIMEOUT_UNDEFINED" decisionTaskCompletedEventId=4
        11 0s ScheduleActivityTaskFailed activityType={"name":"Bare","version":"1"} activityId="b" cause="DEFAULT_SCHEDULE_TO_CLOSE_TIMEOUT_UNDEFINED" decisionTaskCompletedEventId=4
        12 0s ScheduleActivityTaskFailed activityType={"name":"Bare","version":"1"} activityId="b" cause="DEFAULT_START_TO_CLOSE_TIMEOUT_UNDEFINED" decisionTaskCompletedEventId=4
        13 0s ScheduleActivityTaskFailed activityType={"name":"Bare","version":"1"} activityId="b" cause="DEFAULT_HEARTBEAT_TIMEOUT_UNDEFINED" decisionTaskCompletedEventId=4
        14 0s ActivityTaskScheduled activityType={"name":"Bare","version":"1"} activityId="b" scheduleToStartTimeout="NONE" scheduleToCloseTimeout="NONE" startToCloseTimeout="NONE" taskList={"name":"l"} decisionTaskCompletedEventId=4 heartbeatTimeout="NONE"
        15 0s DecisionTaskScheduled
    "#]]);
}

#[test]
fn at_most_a_thousand_activity_tasks_and_timers_are_open() {
    let mut bench = Bench::new();
    bench.start("w");
    let many: Vec<_> = (0..1001).map(|n| schedule(&format!("a{n}"))).collect();
    bench.decide(json!(many));
    let last = bench.events("w").iter().rev().nth(1).unwrap();
    let wire = serde_json::to_value(last).unwrap();
    let cause = &wire["scheduleActivityTaskFailedEventAttributes"]["cause"];
    assert_eq!(cause, "OPEN_ACTIVITIES_LIMIT_EXCEEDED");
    let many: Vec<_> = (0..1001).map(|n| timer(&format!("t{n}"), 9)).collect();
    bench.decide(json!(many));
    let last = bench.events("w").iter().rev().nth(1).unwrap();
    let wire = serde_json::to_value(last).unwrap();
    assert_eq!(wire["startTimerFailedEventAttributes"]["cause"], "OPEN_TIMERS_LIMIT_EXCEEDED");
}

#[test]
fn timers_fire_in_order_and_can_be_canceled() {
    let mut bench = Bench::new();
    bench.start("w");
    bench.decide(json!([
        timer("late", 20),
        timer("soon", 2),
        timer("soon", 3),
        timer("now", 0),
        decision("CancelTimer", json!({"timerId": "nope"})),
    ]));
    bench.fire();
    bench.decide(json!([decision("CancelTimer", json!({"timerId": "late"}))]));
    bench.pass(30);
    bench.check("w", 5, expect![[r#"
        5 0s TimerStarted timerId="late" startToFireTimeout="20" decisionTaskCompletedEventId=4
        6 0s TimerStarted timerId="soon" startToFireTimeout="2" decisionTaskCompletedEventId=4
        7 0s StartTimerFailed timerId="soon" cause="TIMER_ID_ALREADY_IN_USE" decisionTaskCompletedEventId=4
        8 0s TimerStarted timerId="now" startToFireTimeout="0" decisionTaskCompletedEventId=4
        9 0s CancelTimerFailed timerId="nope" cause="TIMER_ID_UNKNOWN" decisionTaskCompletedEventId=4
        10 0s DecisionTaskScheduled
        11 0s TimerFired timerId="now" startedEventId=8
        12 0s DecisionTaskStarted identity="decider" scheduledEventId=10
        13 0s DecisionTaskCompleted scheduledEventId=10 startedEventId=12
        14 0s TimerCanceled timerId="late" startedEventId=5 decisionTaskCompletedEventId=13
        15 2s TimerFired timerId="soon" startedEventId=6
        16 2s DecisionTaskScheduled
    "#]]);
    // An id is free again once its timer fired or was canceled.
    bench.decide(json!([timer("late", 1), timer("soon", 1)]));
    assert_eq!(bench.events("w").last().unwrap().event_type(), "TimerStarted");
}

#[test]
fn markers_are_recorded_and_lambda_is_not_available() {
    let mut bench = Bench::new();
    bench.start("w");
    bench.decide(json!([
        decision("RecordMarker", json!({"markerName": "m", "details": "d"})),
        decision("ScheduleLambdaFunction", json!({"id": "l", "name": "f"})),
    ]));
    bench.check("w", 5, expect![[r#"
        5 0s MarkerRecorded markerName="m" details="d" decisionTaskCompletedEventId=4
        6 0s ScheduleLambdaFunctionFailed id="l" name="f" cause="LAMBDA_SERVICE_NOT_AVAILABLE_IN_REGION" decisionTaskCompletedEventId=4
        7 0s DecisionTaskScheduled
    "#]]);
}

#[test]
fn canceling_an_activity_task_that_nobody_has_ends_it() {
    let mut bench = Bench::new();
    bench.start("w");
    let cancel = |id: &str| decision("RequestCancelActivityTask", json!({"activityId": id}));
    bench.decide(json!([schedule("a"), cancel("a"), cancel("a")]));
    assert_eq!(bench.poll_activity(), None);
    bench.check("w", 5, expect![[r#"
        5 0s ActivityTaskScheduled activityType={"name":"A","version":"1"} activityId="a" scheduleToStartTimeout="200" scheduleToCloseTimeout="220" startToCloseTimeout="50" taskList={"name":"al"} decisionTaskCompletedEventId=4 heartbeatTimeout="NONE"
        6 0s ActivityTaskCancelRequested decisionTaskCompletedEventId=4 activityId="a"
        7 0s ActivityTaskCanceled scheduledEventId=5 startedEventId=0 latestCancelRequestedEventId=6
        8 0s RequestCancelActivityTaskFailed activityId="a" cause="ACTIVITY_ID_UNKNOWN" decisionTaskCompletedEventId=4
        9 0s DecisionTaskScheduled
    "#]]);
}

#[test]
fn a_worker_hears_of_a_cancel_at_its_heartbeat() {
    let mut bench = Bench::new();
    bench.start("w");
    bench.decide(json!([schedule("a")]));
    bench.poll_activity();
    let token = bench.token("a");
    let beat = json!({"taskToken": token, "details": "1"});
    let answer = bench.ok("RecordActivityTaskHeartbeat", beat.clone());
    assert_eq!(answer, json!({"cancelRequested": false}));
    bench.ok(
        "SignalWorkflowExecution",
        json!({"domain": "d", "workflowId": "w", "signalName": "s"}),
    );
    bench.decide(json!([decision("RequestCancelActivityTask", json!({"activityId": "a"}))]));
    assert_eq!(bench.ok("RecordActivityTaskHeartbeat", beat), json!({"cancelRequested": true}));
    bench.ok("RespondActivityTaskCanceled", json!({"taskToken": token, "details": "stopped"}));
    bench.check("w", 11, expect![[r#"
        11 0s ActivityTaskCancelRequested decisionTaskCompletedEventId=10 activityId="a"
        12 0s ActivityTaskCanceled details="stopped" scheduledEventId=5 startedEventId=6 latestCancelRequestedEventId=11
        13 0s DecisionTaskScheduled
    "#]]);
}

#[test]
fn a_batch_with_a_mistake_does_nothing() {
    let mut bench = Bench::new();
    bench.start("w");
    let polled = bench.poll_decision(json!({})).unwrap();
    let mut respond = |decisions: serde_json::Value, fault| {
        let request = json!({"taskToken": polled["taskToken"], "decisions": decisions});
        bench.refused("RespondDecisionTaskCompleted", request, fault);
    };
    respond(
        json!([complete("1"), schedule("a")]),
        expect!["ValidationException: Close must be last decision in list"],
    );
    respond(
        json!([schedule("a"), {"decisionType": "StartTimer"}]),
        expect![
            "ValidationException: 1 validation error detected: Value null at 'decisions.2.member.startTimerDecisionAttributes.timerId' failed to satisfy constraint: Member must not be null"
        ],
    );
    respond(
        json!([schedule("a"), decision("StartTimer", json!({"timerId": "t"}))]),
        expect![
            "ValidationException: 1 validation error detected: Value null at 'decisions.2.member.startTimerDecisionAttributes.startToFireTimeout' failed to satisfy constraint: Member must not be null"
        ],
    );
    respond(
        json!([{"decisionType": "Nonsense"}, {}]),
        expect![
            "ValidationException: 2 validation errors detected: Value 'Nonsense' at 'decisions.1.member.decisionType' failed to satisfy constraint: Member must satisfy enum value set: [ScheduleActivityTask, RequestCancelActivityTask, CompleteWorkflowExecution, FailWorkflowExecution, CancelWorkflowExecution, ContinueAsNewWorkflowExecution, RecordMarker, StartTimer, CancelTimer, SignalExternalWorkflowExecution, RequestCancelExternalWorkflowExecution, StartChildWorkflowExecution, ScheduleLambdaFunction]; Value null at 'decisions.2.member.decisionType' failed to satisfy constraint: Member must not be null"
        ],
    );
    respond(
        json!([timer("a:b", 1), decision("RecordMarker", json!({"markerName": "x".repeat(300)}))]),
        expect![
            "ValidationException: 2 validation errors detected: Value 'a:b' at 'decisions.1.member.startTimerDecisionAttributes.timerId' failed to satisfy constraint: Member must not contain ':'; Value 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…' at 'decisions.2.member.recordMarkerDecisionAttributes.markerName' failed to satisfy constraint: Member must have length less than or equal to 256"
        ],
    );
    respond(
        json!([decision("StartTimer", json!({"timerId": "t", "startToFireTimeout": "NONE"}))]),
        expect![
            "ValidationException: 1 validation error detected: Value 'NONE' at 'decisions.1.member.startTimerDecisionAttributes.startToFireTimeout' failed to satisfy constraint: Member must be a number of seconds"
        ],
    );
    respond(
        json!([decision("StartTimer", json!({"timerId": "t", "startToFireTimeout": "soon"}))]),
        expect![
            "ValidationException: 1 validation error detected: `soon` is neither whole seconds nor `NONE`"
        ],
    );
    assert_eq!(bench.events("w").len(), 3);
}

#[test]
fn one_event_too_many_terminates_the_run() {
    let mut bench = Bench::new();
    bench.start("w");
    let marker = decision("RecordMarker", json!({"markerName": "m"}));
    while bench.swf.runs.len() == 1 {
        // A failed decision brings the next decision task, as a careless decider would have it.
        let mut decisions = vec![marker.clone(); 5_000];
        decisions.push(decision("CancelTimer", json!({"timerId": "nope"})));
        bench.decide(json!(decisions));
    }
    assert_eq!(bench.events("w").len(), 25_000);
    bench.check(
        "w",
        25_000,
        expect![[r#"
        25000 0s WorkflowExecutionTerminated childPolicy="TERMINATE" cause="EVENT_LIMIT_EXCEEDED"
    "#]],
    );
}
