//! From start to close: decision tasks, activity tasks, signals, paging.

use expect_test::expect;
use serde_json::json;

use super::{
    Bench,
    bench::{complete, decision, schedule, schedule_with, timer},
};

#[test]
fn a_workflow_runs_to_its_end() {
    let mut bench = Bench::new();
    bench.start("w");
    bench.pass(1);
    bench.decide(json!([schedule_with("a", json!({"input": "in", "control": "c"}))]));
    bench.pass(1);
    let activity = bench.poll_activity().unwrap();
    assert_eq!((&activity["input"], &activity["startedEventId"]), (&json!("in"), &json!(6)));
    assert_eq!(activity["activityType"], json!({"name": "A", "version": "1"}));
    bench.ok(
        "RespondActivityTaskCompleted",
        json!({"taskToken": bench.token("a"), "result": "out"}),
    );
    bench.decide(json!([complete("done")]));
    bench.check("w", 1, expect![[r#"
        1 0s WorkflowExecutionStarted executionStartToCloseTimeout="10000" taskStartToCloseTimeout="100" childPolicy="TERMINATE" taskList={"name":"dl"} workflowType={"name":"W","version":"1"} parentInitiatedEventId=0
        2 0s DecisionTaskScheduled
        3 1s DecisionTaskStarted identity="decider" scheduledEventId=2
        4 1s DecisionTaskCompleted scheduledEventId=2 startedEventId=3
        5 1s ActivityTaskScheduled activityType={"name":"A","version":"1"} activityId="a" input="in" control="c" scheduleToStartTimeout="200" scheduleToCloseTimeout="220" startToCloseTimeout="50" taskList={"name":"al"} decisionTaskCompletedEventId=4 heartbeatTimeout="NONE"
        6 2s ActivityTaskStarted identity="worker" scheduledEventId=5
        7 2s ActivityTaskCompleted result="out" scheduledEventId=5 startedEventId=6
        8 2s DecisionTaskScheduled
        9 2s DecisionTaskStarted identity="decider" scheduledEventId=8
        10 2s DecisionTaskCompleted scheduledEventId=8 startedEventId=9
        11 2s WorkflowExecutionCompleted result="done" decisionTaskCompletedEventId=10
    "#]]);
    assert!(bench.swf.runs.is_empty());
}

#[test]
fn what_happens_while_a_decision_task_is_started_schedules_the_next_once() {
    let mut bench = Bench::new();
    bench.start("w");
    let polled = bench.poll_decision(json!({})).unwrap();
    for input in ["1", "2"] {
        let signal = json!({"domain": "d", "workflowId": "w", "signalName": "s", "input": input});
        bench.ok("SignalWorkflowExecution", signal);
    }
    // One is outstanding: the next is not handed out before that one is answered.
    assert_eq!(bench.poll_decision(json!({})), None);
    bench.answer(&polled, json!([complete("too early")]));
    let next = bench.poll_decision(json!({})).unwrap();
    assert_eq!(next["previousStartedEventId"], json!(3));
    bench.answer(&next, json!([complete("now")]));
    bench.check("w", 3, expect![[r#"
        3 0s DecisionTaskStarted identity="decider" scheduledEventId=2
        4 0s WorkflowExecutionSignaled signalName="s" input="1" externalInitiatedEventId=0
        5 0s DecisionTaskScheduled
        6 0s WorkflowExecutionSignaled signalName="s" input="2" externalInitiatedEventId=0
        7 0s DecisionTaskCompleted scheduledEventId=2 startedEventId=3
        8 0s CompleteWorkflowExecutionFailed cause="UNHANDLED_DECISION" decisionTaskCompletedEventId=7
        9 0s DecisionTaskStarted identity="decider" scheduledEventId=5
        10 0s DecisionTaskCompleted scheduledEventId=5 startedEventId=9
        11 0s WorkflowExecutionCompleted result="now" decisionTaskCompletedEventId=10
    "#]]);
}

#[test]
fn every_closing_decision_is_refused_while_something_was_not_seen() {
    for kind in [
        "CompleteWorkflowExecution",
        "FailWorkflowExecution",
        "CancelWorkflowExecution",
        "ContinueAsNewWorkflowExecution",
    ] {
        let mut bench = Bench::new();
        bench.start("w");
        let polled = bench.poll_decision(json!({})).unwrap();
        let signal = json!({"domain": "d", "workflowId": "w", "signalName": "s"});
        bench.ok("SignalWorkflowExecution", signal);
        bench.answer(&polled, json!([timer("t", 5), decision(kind, json!({}))]));
        let failed = bench.events("w").last().unwrap();
        assert_eq!(failed.event_type(), format!("{kind}Failed"));
        bench.decide(json!([decision(kind, json!({}))]));
        let status = |no: i64| bench.archive.runs[&super::super::RunNo(no)].info.execution_status;
        assert_eq!(status(1), cpe_swf::ExecutionStatus::Closed, "{kind}");
    }
}

#[test]
fn each_way_to_close_is_recorded() {
    let mut bench = Bench::new();
    bench.start("failed");
    bench
        .decide(json!([decision("FailWorkflowExecution", json!({"reason": "r", "details": "d"}))]));
    bench.check(
        "failed",
        5,
        expect![[r#"
        5 0s WorkflowExecutionFailed reason="r" details="d" decisionTaskCompletedEventId=4
    "#]],
    );
    bench.start("canceled");
    bench.ok("RequestCancelWorkflowExecution", json!({"domain": "d", "workflowId": "canceled"}));
    bench.decide(json!([decision("CancelWorkflowExecution", json!({"details": "d"}))]));
    bench.check(
        "canceled",
        3,
        expect![[r#"
        3 0s WorkflowExecutionCancelRequested externalInitiatedEventId=0
        4 0s DecisionTaskStarted identity="decider" scheduledEventId=2
        5 0s DecisionTaskCompleted scheduledEventId=2 startedEventId=4
        6 0s WorkflowExecutionCanceled details="d" decisionTaskCompletedEventId=5
    "#]],
    );
    bench.start("terminated");
    let request = json!({"domain": "d", "workflowId": "terminated", "reason": "r"});
    bench.ok("TerminateWorkflowExecution", request);
    bench.check("terminated", 3, expect![[r#"
        3 0s WorkflowExecutionTerminated reason="r" childPolicy="TERMINATE" cause="OPERATOR_INITIATED"
    "#]]);
}

#[test]
fn continuing_as_new_starts_the_next_run_with_the_defaults_of_its_type() {
    let mut bench = Bench::new();
    let first = bench.start("w");
    bench.decide(json!([decision(
        "ContinueAsNewWorkflowExecution",
        json!({
            "input": "next", "tagList": ["t"], "executionStartToCloseTimeout": "77",
        })
    )]));
    bench.check("w", 1, expect![[r#"
        1 0s WorkflowExecutionStarted input="next" executionStartToCloseTimeout="77" taskStartToCloseTimeout="100" childPolicy="TERMINATE" taskList={"name":"dl"} workflowType={"name":"W","version":"1"} tagList=["t"] continuedExecutionRunId="run1" parentInitiatedEventId=0
        2 0s DecisionTaskScheduled
    "#]]);
    let history = bench.ok(
        "GetWorkflowExecutionHistory",
        json!({
            "domain": "d", "execution": {"workflowId": "w", "runId": first},
        }),
    );
    let last = &history["events"][4];
    assert_eq!(last["eventType"], "WorkflowExecutionContinuedAsNew");
    let missing =
        json!([decision("ContinueAsNewWorkflowExecution", json!({"workflowTypeVersion": "9"}))]);
    bench.decide(missing);
    bench.check("w", 5, expect![[r#"
        5 0s ContinueAsNewWorkflowExecutionFailed cause="WORKFLOW_TYPE_DOES_NOT_EXIST" decisionTaskCompletedEventId=4
        6 0s DecisionTaskScheduled
    "#]]);
}

#[test]
fn an_id_is_taken_while_its_run_is_open_and_run_ids_differ() {
    let mut bench = Bench::new();
    let first = bench.start("w");
    let again = json!({
        "domain": "d", "workflowId": "w", "workflowType": {"name": "W", "version": "1"},
    });
    let already = expect!["WorkflowExecutionAlreadyStartedFault: Already Started"];
    bench.refused("StartWorkflowExecution", again, already);
    bench.decide(json!([complete("")]));
    assert_ne!(bench.start("w"), first);
}

#[test]
fn task_lists_hand_out_by_priority_and_then_by_age() {
    let mut bench = Bench::new();
    bench.start("w");
    bench.decide(json!([
        schedule("old"),
        schedule_with("low", json!({"taskPriority": "-1"})),
        schedule_with("high", json!({"taskPriority": "10"})),
    ]));
    bench.pass(1);
    bench.start("v");
    bench.decide(json!([schedule("new")]));
    bench.restart();
    let pending = json!({"domain": "d", "taskList": {"name": "al"}});
    assert_eq!(bench.ok("CountPendingActivityTasks", pending)["count"], 4);
    let mut order = Vec::new();
    while let Some(polled) = bench.poll_activity() {
        order.push(polled["activityId"].as_str().unwrap().to_owned());
    }
    assert_eq!(order, ["high", "old", "new", "low"]);
}

#[test]
fn ready_names_each_list_that_got_something_once() {
    let mut bench = Bench::new();
    bench.swf.take_ready();
    bench.start("w");
    bench.decide(json!([schedule("a"), schedule("b")]));
    let ready: Vec<_> = bench
        .swf
        .take_ready()
        .into_iter()
        .map(|ready| format!("{} {} {:?}", ready.domain, ready.task_list, ready.kind))
        .collect();
    assert_eq!(ready, ["d al Activity", "d dl Decision"]);
    assert!(bench.swf.take_ready().is_empty());
    // A decision task that waited for another one becomes ready when that one is answered.
    bench.poll_activity();
    bench.ok("RespondActivityTaskCompleted", json!({"taskToken": bench.token("a")}));
    let polled = bench.poll_decision(json!({})).unwrap();
    bench.poll_activity();
    bench.swf.take_ready();
    bench.ok("RespondActivityTaskCompleted", json!({"taskToken": bench.token("b")}));
    assert!(bench.swf.take_ready().is_empty());
    bench.answer(&polled, json!([]));
    assert_eq!(bench.swf.take_ready().len(), 1);
}

#[test]
fn a_decision_task_pages_its_history_in_both_directions() {
    let mut bench = Bench::new();
    bench.start("w");
    bench.decide(json!([schedule("a")]));
    bench.poll_activity();
    bench.ok("RespondActivityTaskFailed", json!({"taskToken": bench.token("a"), "reason": "r"}));
    let ids = |page: &serde_json::Value| -> Vec<i64> {
        page["events"].as_array().unwrap().iter().map(|e| e["eventId"].as_i64().unwrap()).collect()
    };
    let first = bench
        .poll_decision(json!({"maximumPageSize": 4, "startAtPreviousStartedEvent": true}))
        .unwrap();
    assert_eq!(ids(&first), [3, 4, 5, 6]);
    assert_eq!(first["previousStartedEventId"], 3);
    let request = json!({"maximumPageSize": 4, "nextPageToken": first["nextPageToken"]});
    // What happens meanwhile is not in the history of this decision task.
    bench.ok(
        "SignalWorkflowExecution",
        json!({"domain": "d", "workflowId": "w", "signalName": "s"}),
    );
    let second = bench.poll_decision(request).unwrap();
    assert_eq!(ids(&second), [7, 8, 9]);
    assert_eq!(second["taskToken"], first["taskToken"]);
    assert_eq!(second.get("nextPageToken"), None);
    bench.answer(&second, json!([]));
    let mut request = json!({"maximumPageSize": 5, "reverseOrder": true});
    let mut seen = Vec::new();
    loop {
        let page = bench.poll_decision(request.clone()).unwrap();
        seen.extend(ids(&page));
        let Some(token) = page.get("nextPageToken") else { break };
        request["nextPageToken"] = token.clone();
    }
    assert_eq!(seen, (1..=13).rev().collect::<Vec<_>>());
}

#[test]
fn a_restart_keeps_tokens_good() {
    let mut bench = Bench::new();
    bench.start("w");
    bench.restart();
    let polled = bench.poll_decision(json!({})).unwrap();
    bench.restart();
    bench.answer(&polled, json!([schedule("a")]));
    bench.restart();
    bench.poll_activity().unwrap();
    bench.restart();
    let token = bench.token("a");
    bench.ok("RecordActivityTaskHeartbeat", json!({"taskToken": token, "details": "half"}));
    bench.restart();
    bench.ok("RespondActivityTaskCompleted", json!({"taskToken": token}));
    bench.restart();
    bench.decide(json!([complete("done")]));
    bench.restart();
    assert_eq!(bench.events("w").last().unwrap().event_type(), "WorkflowExecutionCompleted");
}

#[test]
fn a_task_list_override_lasts_until_it_is_changed() {
    let mut bench = Bench::new();
    bench.start("w");
    let polled = bench.poll_decision(json!({})).unwrap();
    bench.ok("RespondDecisionTaskCompleted", json!({
        "taskToken": polled["taskToken"], "taskList": {"name": "other"}, "executionContext": "ctx",
        "decisions": [timer("t", 1)],
    }));
    bench.pass(1);
    assert_eq!(bench.poll_decision(json!({})), None);
    let polled = bench.poll_decision(json!({"taskList": {"name": "other"}})).unwrap();
    bench.answer(&polled, json!([timer("t", 1)]));
    bench.pass(1);
    assert!(bench.poll_decision(json!({"taskList": {"name": "other"}})).is_some());
    bench.check("w", 4, expect![[r#"
        4 0s DecisionTaskCompleted executionContext="ctx" scheduledEventId=2 startedEventId=3 taskList={"name":"other"}
        5 0s TimerStarted timerId="t" startToFireTimeout="1" decisionTaskCompletedEventId=4
        6 1s TimerFired timerId="t" startedEventId=5
        7 1s DecisionTaskScheduled taskList={"name":"other"}
        8 1s DecisionTaskStarted identity="decider" scheduledEventId=7
        9 1s DecisionTaskCompleted scheduledEventId=7 startedEventId=8
        10 1s TimerStarted timerId="t" startToFireTimeout="1" decisionTaskCompletedEventId=9
        11 2s TimerFired timerId="t" startedEventId=10
        12 2s DecisionTaskScheduled taskList={"name":"other"}
        13 2s DecisionTaskStarted identity="decider" scheduledEventId=12
    "#]]);
}
