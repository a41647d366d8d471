//! Executions that start others: what a parent hears, and what becomes of its children.

use aws_sdk_swf::types::{ChildPolicy, WorkflowExecution};
use expect_test::expect;

use super::{
    Desk,
    desk::{DOMAIN, task_list},
    making::{cancel, child, complete, continue_as_new, fail},
};

/// The child of that workflow id, as the parent's history names it.
async fn child_of(desk: &Desk, parent: &WorkflowExecution, workflow_id: &str) -> WorkflowExecution {
    let events = desk.history(parent).await;
    let mut started = events.into_iter().filter_map(|event| {
        event.child_workflow_execution_started_event_attributes?.workflow_execution
    });
    started.find(|execution| execution.workflow_id == workflow_id).unwrap()
}

async fn terminate(desk: &Desk, workflow_id: &str, policy: Option<ChildPolicy>) {
    let terminate = desk.swf().terminate_workflow_execution().domain(DOMAIN);
    terminate.workflow_id(workflow_id).set_child_policy(policy).send().await.unwrap();
}

#[tokio::test]
pub(crate) async fn are_started_with_every_option() {
    let desk = Desk::open().await;
    let run = desk.start("w").await;
    desk.decide([child("c", |c| {
        c.control("mine")
            .input("in")
            .execution_start_to_close_timeout("50")
            .task_list(task_list("cl"))
            .task_priority("4")
            .task_start_to_close_timeout("60")
            .child_policy(ChildPolicy::RequestCancel)
            .tag_list("t")
            .lambda_role("role")
    })])
    .await;
    desk.check(&run, 5, expect![[r#"
        5 0s StartChildWorkflowExecutionInitiated workflow_id="c" workflow_type.name="W" workflow_type.version="1" control="mine" input="in" execution_start_to_close_timeout="50" task_list.name="cl" task_priority="4" decision_task_completed_event_id=4 child_policy=RequestCancel task_start_to_close_timeout="60" tag_list="t" lambda_role="role"
        6 0s ChildWorkflowExecutionStarted workflow_execution.workflow_id="c" workflow_execution.run_id="22vKBe/w/zJLwhfw7ilq9Jd6T9mhKd1wtVPxAJMF23Y9w=" workflow_type.name="W" workflow_type.version="1" initiated_event_id=5
        7 0s DecisionTaskScheduled task_list.name="dl" start_to_close_timeout="100" schedule_to_start_timeout="NONE"
    "#]]).await;
    let child = child_of(&desk, &run, "c").await;
    desk.check(&child, 1, expect![[r#"
        1 0s WorkflowExecutionStarted input="in" execution_start_to_close_timeout="50" task_start_to_close_timeout="60" child_policy=RequestCancel task_list.name="cl" task_priority="4" workflow_type.name="W" workflow_type.version="1" tag_list="t" parent_workflow_execution.workflow_id="w" parent_workflow_execution.run_id="22tqXbd2DvULo1xF+x0Yt8aHdltWQrTtU5t3TGVv7mJBY=" parent_initiated_event_id=5 lambda_role="role"
        2 0s DecisionTaskScheduled task_list.name="cl" task_priority="4" start_to_close_timeout="60" schedule_to_start_timeout="NONE"
    "#]]).await;
    let info = desk.describe(&child).await.execution_info.unwrap();
    assert_eq!(info.parent, Some(run));
}

#[tokio::test]
pub(crate) async fn tell_their_parent_how_they_ended() {
    let desk = Desk::open().await;
    let run = desk.start("w").await;
    let short =
        child("late", |c| c.task_list(task_list("x")).execution_start_to_close_timeout("9"));
    let ids = ["completes", "fails", "cancels", "dies", "goes on"];
    desk.decide(ids.map(|id| child(id, |c| c)).into_iter().chain([short])).await;
    let parents = desk.decision_task().await;
    assert_eq!(parents.workflow_execution, Some(run.clone()));
    desk.answer(&parents, []).await;
    terminate(&desk, "dies", None).await;
    let parents = desk.decision_task().await;
    for _ in 0..4 {
        let polled = desk.decision_task().await;
        let id = polled.workflow_execution.clone().unwrap().workflow_id;
        let ending = match &*id {
            "completes" => complete("42"),
            "fails" => fail("broken", "badly"),
            "cancels" => cancel("gone"),
            _ => continue_as_new(|with| with.input("again")),
        };
        desk.answer(&polled, [ending]).await;
    }
    desk.answer(&parents, []).await;
    desk.world.pass(9).await;
    let next = desk.decision_task().await;
    desk.answer(&next, []).await;
    // The child that went on is the same child.
    desk.decide([complete("at last")]).await;
    desk.check(&run, 18, expect![[r#"
        18 0s DecisionTaskStarted identity="decider" scheduled_event_id=12
        19 0s DecisionTaskCompleted scheduled_event_id=12 started_event_id=18
        20 0s ChildWorkflowExecutionTerminated workflow_execution.workflow_id="dies" workflow_execution.run_id="22qPw+sgj8rf79X/ExjDw/NHL5zBdYizKD8GNkKYu0e2E=" workflow_type.name="W" workflow_type.version="1" initiated_event_id=8 started_event_id=15
        21 0s DecisionTaskScheduled task_list.name="dl" start_to_close_timeout="100" schedule_to_start_timeout="NONE"
        22 0s DecisionTaskStarted identity="decider" scheduled_event_id=21
        23 0s ChildWorkflowExecutionCompleted workflow_execution.workflow_id="completes" workflow_execution.run_id="22gSWIWyeHPh3G2Fa61+m/VVfgJrW5GzgObmjqH8mBsY4=" workflow_type.name="W" workflow_type.version="1" result="42" initiated_event_id=5 started_event_id=11
        24 0s DecisionTaskScheduled task_list.name="dl" start_to_close_timeout="100" schedule_to_start_timeout="NONE"
        25 0s ChildWorkflowExecutionFailed workflow_execution.workflow_id="fails" workflow_execution.run_id="22IYX0mURufE1z0lJVaAbquSVvUnBOzHQadNQFiX3zquI=" workflow_type.name="W" workflow_type.version="1" reason="broken" details="badly" initiated_event_id=6 started_event_id=13
        26 0s ChildWorkflowExecutionCanceled workflow_execution.workflow_id="cancels" workflow_execution.run_id="22BCQsnRASMJZUsTbzMJdR4s5/ejIH0PDw3GGSbGjWoVk=" workflow_type.name="W" workflow_type.version="1" details="gone" initiated_event_id=7 started_event_id=14
        27 0s DecisionTaskCompleted scheduled_event_id=21 started_event_id=22
        28 9s ChildWorkflowExecutionTimedOut workflow_execution.workflow_id="late" workflow_execution.run_id="22smxcRj17PulwbXG3HFnucy2JnYyGeFjDFXoyciFj77k=" workflow_type.name="W" workflow_type.version="1" timeout_type=StartToClose initiated_event_id=10 started_event_id=17
        29 9s DecisionTaskStarted identity="decider" scheduled_event_id=24
        30 9s DecisionTaskCompleted scheduled_event_id=24 started_event_id=29
        31 9s ChildWorkflowExecutionCompleted workflow_execution.workflow_id="goes on" workflow_execution.run_id="22MBnxePPPduApBUPdSA2V8nyF0lxvv/Al6MNl+C/NA6A=" workflow_type.name="W" workflow_type.version="1" result="at last" initiated_event_id=9 started_event_id=16
        32 9s DecisionTaskScheduled task_list.name="dl" start_to_close_timeout="100" schedule_to_start_timeout="NONE"
    "#]]).await;
}

/// What becomes of a child when its parent ends by `end`.
async fn after(desk: &Desk, end: impl AsyncFnOnce(&Desk)) -> String {
    let run = desk.start("w").await;
    desk.decide([child("c", |c| c.task_list(task_list("x")))]).await;
    let child = child_of(desk, &run, "c").await;
    end(desk).await;
    let info = desk.describe(&child).await.execution_info.unwrap();
    let events = desk.history(&child).await;
    let told = super::story::of(&events[2..]);
    if info.close_status.is_none() {
        terminate(desk, "c", None).await;
    }
    told
}

#[tokio::test]
pub(crate) async fn are_terminated_canceled_or_left_alone() {
    let desk = Desk::open().await;
    let mut told = String::new();
    for policy in [ChildPolicy::Terminate, ChildPolicy::RequestCancel, ChildPolicy::Abandon] {
        told.push_str(&format!("{policy}\n"));
        told.push_str(&after(&desk, async |desk| terminate(desk, "w", Some(policy)).await).await);
    }
    expect![[r#"
        TERMINATE
        3 0s WorkflowExecutionTerminated child_policy=Terminate cause=ChildPolicyApplied
        REQUEST_CANCEL
        3 0s WorkflowExecutionCancelRequested external_initiated_event_id=0 cause=ChildPolicyApplied
        ABANDON
    "#]]
    .assert_eq(&told);
}

#[tokio::test]
pub(crate) async fn of_a_parent_that_timed_out_or_closed() {
    let desk = Desk::open().await;
    let told = after(&desk, async |desk| desk.world.pass(10_000).await).await;
    // Both have the same deadline; the parent is the elder.
    expect![[r#"
        3 10000s WorkflowExecutionTerminated child_policy=Terminate cause=ChildPolicyApplied
    "#]]
    .assert_eq(&told);
    let told = after(&desk, async |desk| desk.decide([complete("")]).await).await;
    assert_eq!(told, "", "a parent that closes by itself leaves its children alone");
}
