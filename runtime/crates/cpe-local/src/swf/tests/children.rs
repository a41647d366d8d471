//! Runs that start, signal and cancel each other.

use expect_test::expect;
use serde_json::{Value, json};

use super::{
    Bench,
    bench::{complete, decision, merge},
};

fn child(workflow_id: &str, more: Value) -> Value {
    let mut attributes =
        json!({"workflowId": workflow_id, "workflowType": {"name": "W", "version": "1"}});
    merge(&mut attributes, more);
    decision("StartChildWorkflowExecution", attributes)
}

/// A parent with one child, whose decision tasks are on the list `cl`.
fn family(policy: &str) -> Bench {
    let mut bench = Bench::new();
    bench.ok(
        "StartWorkflowExecution",
        json!({
            "domain": "d", "workflowId": "parent", "workflowType": {"name": "W", "version": "1"},
            "childPolicy": policy,
        }),
    );
    let list = json!({"taskList": {"name": "cl"}, "input": "in", "control": "c"});
    bench.decide(json!([child("child", list)]));
    bench
}

fn decide_child(bench: &mut Bench, decisions: Value) {
    let polled = bench.poll_decision(json!({"taskList": {"name": "cl"}})).unwrap();
    bench.answer(&polled, decisions);
}

#[test]
fn a_child_starts_and_its_result_reaches_the_parent() {
    let mut bench = family("TERMINATE");
    decide_child(&mut bench, json!([complete("done")]));
    bench.check("child", 1, expect![[r#"
        1 0s WorkflowExecutionStarted input="in" executionStartToCloseTimeout="10000" taskStartToCloseTimeout="100" childPolicy="TERMINATE" taskList={"name":"cl"} workflowType={"name":"W","version":"1"} parentWorkflowExecution={"workflowId":"parent","runId":"run1"} parentInitiatedEventId=5
        2 0s DecisionTaskScheduled taskList={"name":"cl"}
        3 0s DecisionTaskStarted identity="decider" scheduledEventId=2
        4 0s DecisionTaskCompleted scheduledEventId=2 startedEventId=3
        5 0s WorkflowExecutionCompleted result="done" decisionTaskCompletedEventId=4
    "#]]);
    bench.check("parent", 5, expect![[r#"
        5 0s StartChildWorkflowExecutionInitiated workflowId="child" workflowType={"name":"W","version":"1"} control="c" input="in" executionStartToCloseTimeout="10000" taskList={"name":"cl"} decisionTaskCompletedEventId=4 childPolicy="TERMINATE" taskStartToCloseTimeout="100"
        6 0s ChildWorkflowExecutionStarted workflowExecution={"workflowId":"child","runId":"run2"} workflowType={"name":"W","version":"1"} initiatedEventId=5
        7 0s DecisionTaskScheduled
        8 0s ChildWorkflowExecutionCompleted workflowExecution={"workflowId":"child","runId":"run2"} workflowType={"name":"W","version":"1"} result="done" initiatedEventId=5 startedEventId=6
    "#]]);
}

#[test]
fn each_end_of_a_child_reaches_the_parent() {
    let mut bench = family("TERMINATE");
    let failing = decision("FailWorkflowExecution", json!({"reason": "r", "details": "d"}));
    decide_child(&mut bench, json!([failing]));
    let list = |more: Value| {
        let mut with = json!({"taskList": {"name": "cl"}});
        merge(&mut with, more);
        child("child", with)
    };
    bench.decide(json!([list(json!({}))]));
    decide_child(&mut bench, json!([decision("CancelWorkflowExecution", json!({}))]));
    bench.decide(json!([list(json!({}))]));
    bench.ok("TerminateWorkflowExecution", json!({"domain": "d", "workflowId": "child"}));
    bench.decide(json!([list(json!({"executionStartToCloseTimeout": "3"}))]));
    bench.pass(4);
    let ends: Vec<_> = bench
        .events("parent")
        .iter()
        .map(|event| event.event_type())
        .filter(|kind| kind.starts_with("Child") && !kind.ends_with("Started"))
        .collect();
    assert_eq!(
        ends,
        [
            "ChildWorkflowExecutionFailed",
            "ChildWorkflowExecutionCanceled",
            "ChildWorkflowExecutionTerminated",
            "ChildWorkflowExecutionTimedOut"
        ]
    );
}

#[test]
fn a_child_that_continues_as_new_stays_a_child() {
    let mut bench = family("TERMINATE");
    let next = decision("ContinueAsNewWorkflowExecution", json!({"taskList": {"name": "cl"}}));
    decide_child(&mut bench, json!([next]));
    assert_eq!(bench.events("parent").len(), 7);
    bench.restart();
    decide_child(&mut bench, json!([complete("second run")]));
    bench.check("parent", 8, expect![[r#"
        8 0s ChildWorkflowExecutionCompleted workflowExecution={"workflowId":"child","runId":"run3"} workflowType={"name":"W","version":"1"} result="second run" initiatedEventId=5 startedEventId=6
    "#]]);
}

#[test]
fn children_that_cannot_start() {
    let mut bench = Bench::new();
    bench.ok("RegisterWorkflowType", json!({"domain": "d", "name": "Bare", "version": "1"}));
    bench.start("parent");
    bench.start("taken");
    let bare = |more: Value| {
        let mut with = json!({"workflowType": {"name": "Bare", "version": "1"}});
        merge(&mut with, more);
        child("c", with)
    };
    bench.decide(json!([
        child("taken", json!({"control": "c"})),
        child("c", json!({"workflowType": {"name": "Nope", "version": "1"}})),
        bare(json!({})),
        bare(json!({"executionStartToCloseTimeout": "1"})),
        bare(json!({"executionStartToCloseTimeout": "1", "taskList": {"name": "l"}})),
        bare(json!({"executionStartToCloseTimeout": "1", "taskList": {"name": "l"},
            "taskStartToCloseTimeout": "1"})),
    ]));
    bench.check("parent", 5, expect![[r#"
        5 0s StartChildWorkflowExecutionInitiated workflowId="taken" workflowType={"name":"W","version":"1"} control="c" executionStartToCloseTimeout="10000" taskList={"name":"dl"} decisionTaskCompletedEventId=4 childPolicy="TERMINATE" taskStartToCloseTimeout="100"
        6 0s StartChildWorkflowExecutionFailed workflowType={"name":"Nope","version":"1"} cause="WORKFLOW_TYPE_DOES_NOT_EXIST" workflowId="c" initiatedEventId=0 decisionTaskCompletedEventId=4
        7 0s StartChildWorkflowExecutionFailed workflowType={"name":"Bare","version":"1"} cause="DEFAULT_EXECUTION_START_TO_CLOSE_TIMEOUT_UNDEFINED" workflowId="c" initiatedEventId=0 decisionTaskCompletedEventId=4
        8 0s StartChildWorkflowExecutionFailed workflowType={"name":"Bare","version":"1"} cause="DEFAULT_TASK_LIST_UNDEFINED" workflowId="c" initiatedEventId=0 decisionTaskCompletedEventId=4
        9 0s StartChildWorkflowExecutionFailed workflowType={"name":"Bare","version":"1"} cause="DEFAULT_TASK_START_TO_CLOSE_TIMEOUT_UNDEFINED" workflowId="c" initiatedEventId=0 decisionTaskCompletedEventId=4
        10 0s StartChildWorkflowExecutionFailed workflowType={"name":"Bare","version":"1"} cause="DEFAULT_CHILD_POLICY_UNDEFINED" workflowId="c" initiatedEventId=0 decisionTaskCompletedEventId=4
        11 0s StartChildWorkflowExecutionFailed workflowType={"name":"W","version":"1"} cause="WORKFLOW_ALREADY_RUNNING" workflowId="taken" initiatedEventId=5 decisionTaskCompletedEventId=0 control="c"
        12 0s DecisionTaskScheduled
    "#]]);
}

#[test]
fn the_child_policy_is_applied_when_the_parent_is_gone() {
    let terminate = json!({"domain": "d", "workflowId": "parent"});
    let mut bench = family("TERMINATE");
    bench.ok("TerminateWorkflowExecution", terminate.clone());
    bench.check(
        "child",
        3,
        expect![[r#"
        3 0s WorkflowExecutionTerminated childPolicy="TERMINATE" cause="CHILD_POLICY_APPLIED"
    "#]],
    );
    let mut bench = family("REQUEST_CANCEL");
    bench.pass(20_000);
    bench.check("child", 3, expect![[r#"
        3 10000s WorkflowExecutionCancelRequested externalInitiatedEventId=0 cause="CHILD_POLICY_APPLIED"
        4 10000s WorkflowExecutionTimedOut timeoutType="START_TO_CLOSE" childPolicy="TERMINATE"
    "#]]);
    let mut bench = family("ABANDON");
    bench.ok("TerminateWorkflowExecution", terminate.clone());
    assert_eq!(bench.events("child").len(), 2);
    // What the request says comes before what the run was started with.
    let mut bench = family("ABANDON");
    let mut request = terminate;
    request["childPolicy"] = json!("TERMINATE");
    bench.ok("TerminateWorkflowExecution", request);
    assert_eq!(bench.events("child").len(), 3);
}

#[test]
fn a_completed_parent_leaves_its_children_alone() {
    let mut bench = family("TERMINATE");
    bench.decide(json!([complete("")]));
    decide_child(&mut bench, json!([complete("nobody listens")]));
    assert!(bench.swf.runs.is_empty());
}

#[test]
fn a_long_line_of_children_is_terminated() {
    let mut bench = Bench::new();
    bench.start("0");
    for depth in 1..200 {
        let polled = bench.poll_decision(json!({"reverseOrder": true})).unwrap();
        bench.answer(&polled, json!([child(&depth.to_string(), json!({}))]));
        // The parent is told first that its child started.
        bench.decide(json!([]));
    }
    bench.ok("TerminateWorkflowExecution", json!({"domain": "d", "workflowId": "0"}));
    assert!(bench.swf.runs.is_empty());
}

#[test]
fn runs_signal_and_cancel_each_other() {
    let mut bench = Bench::new();
    let target = bench.start("target");
    bench.decide(json!([]));
    bench.start("source");
    let signal = |workflow_id: &str, more: Value| {
        let mut attributes =
            json!({"workflowId": workflow_id, "signalName": "s", "input": "i", "control": "c"});
        merge(&mut attributes, more);
        decision("SignalExternalWorkflowExecution", attributes)
    };
    let cancel = |workflow_id: &str| {
        let attributes = json!({"workflowId": workflow_id, "control": "c"});
        decision("RequestCancelExternalWorkflowExecution", attributes)
    };
    bench.decide(json!([
        signal("target", json!({"runId": target})),
        signal("target", json!({"runId": "another"})),
        signal("source", json!({})),
        cancel("target"),
        cancel("nobody"),
    ]));
    bench.check("target", 5, expect![[r#"
        5 0s WorkflowExecutionSignaled signalName="s" input="i" externalWorkflowExecution={"workflowId":"source","runId":"run2"} externalInitiatedEventId=5
        6 0s DecisionTaskScheduled
        7 0s WorkflowExecutionCancelRequested externalWorkflowExecution={"workflowId":"source","runId":"run2"} externalInitiatedEventId=8
    "#]]);
    bench.check("source", 5, expect![[r#"
        5 0s SignalExternalWorkflowExecutionInitiated workflowId="target" runId="run1" signalName="s" input="i" decisionTaskCompletedEventId=4 control="c"
        6 0s SignalExternalWorkflowExecutionInitiated workflowId="target" runId="another" signalName="s" input="i" decisionTaskCompletedEventId=4 control="c"
        7 0s SignalExternalWorkflowExecutionInitiated workflowId="source" signalName="s" input="i" decisionTaskCompletedEventId=4 control="c"
        8 0s RequestCancelExternalWorkflowExecutionInitiated workflowId="target" decisionTaskCompletedEventId=4 control="c"
        9 0s RequestCancelExternalWorkflowExecutionInitiated workflowId="nobody" decisionTaskCompletedEventId=4 control="c"
        10 0s ExternalWorkflowExecutionSignaled workflowExecution={"workflowId":"target","runId":"run1"} initiatedEventId=5
        11 0s DecisionTaskScheduled
        12 0s SignalExternalWorkflowExecutionFailed workflowId="target" runId="another" cause="UNKNOWN_EXTERNAL_WORKFLOW_EXECUTION" initiatedEventId=6 decisionTaskCompletedEventId=4 control="c"
        13 0s WorkflowExecutionSignaled signalName="s" input="i" externalWorkflowExecution={"workflowId":"source","runId":"run2"} externalInitiatedEventId=7
        14 0s ExternalWorkflowExecutionSignaled workflowExecution={"workflowId":"source","runId":"run2"} initiatedEventId=7
        15 0s ExternalWorkflowExecutionCancelRequested workflowExecution={"workflowId":"target","runId":"run1"} initiatedEventId=8
        16 0s RequestCancelExternalWorkflowExecutionFailed workflowId="nobody" cause="UNKNOWN_EXTERNAL_WORKFLOW_EXECUTION" initiatedEventId=9 decisionTaskCompletedEventId=4 control="c"
    "#]]);
    let open = bench.ok(
        "DescribeWorkflowExecution",
        json!({
            "domain": "d", "execution": {"workflowId": "target", "runId": target},
        }),
    );
    assert_eq!(open["executionInfo"]["cancelRequested"], true);
}
