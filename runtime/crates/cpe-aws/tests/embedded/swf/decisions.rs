//! Every type of decision, and the events that it writes.

use aws_sdk_swf::types::{ChildPolicy, CloseStatus, ExecutionStatus};
use expect_test::expect;

use super::{
    Desk,
    desk::{DOMAIN, execution, task_list, workflow_type},
    making::*,
};

#[tokio::test]
pub(crate) async fn start_and_cancel_timers() {
    let desk = Desk::open().await;
    let run = desk.start("w").await;
    desk.decide([timer("now", 0), timer("soon", 5), timer("never", 9)]).await;
    desk.world.pass(0).await;
    desk.decide([cancel_timer("never")]).await;
    desk.world.pass(3_600).await;
    desk.check(&run, 5, expect![[r#"
        5 0s TimerStarted timer_id="now" start_to_fire_timeout="0" decision_task_completed_event_id=4
        6 0s TimerStarted timer_id="soon" start_to_fire_timeout="5" decision_task_completed_event_id=4
        7 0s TimerStarted timer_id="never" start_to_fire_timeout="9" decision_task_completed_event_id=4
        8 0s TimerFired timer_id="now" started_event_id=5
        9 0s DecisionTaskScheduled task_list.name="dl" start_to_close_timeout="100" schedule_to_start_timeout="NONE"
        10 0s DecisionTaskStarted identity="decider" scheduled_event_id=9
        11 0s DecisionTaskCompleted scheduled_event_id=9 started_event_id=10
        12 0s TimerCanceled timer_id="never" started_event_id=7 decision_task_completed_event_id=11
        13 5s TimerFired timer_id="soon" started_event_id=6
        14 5s DecisionTaskScheduled task_list.name="dl" start_to_close_timeout="100" schedule_to_start_timeout="NONE"
    "#]]).await;
}

#[tokio::test]
pub(crate) async fn record_markers() {
    let desk = Desk::open().await;
    let run = desk.start("w").await;
    desk.decide([marker("m", "the first"), marker("m", "the second")]).await;
    desk.check(
        &run,
        4,
        expect![[r#"
        4 0s DecisionTaskCompleted scheduled_event_id=2 started_event_id=3
        5 0s MarkerRecorded marker_name="m" details="the first" decision_task_completed_event_id=4
        6 0s MarkerRecorded marker_name="m" details="the second" decision_task_completed_event_id=4
    "#]],
    )
    .await;
}

#[tokio::test]
pub(crate) async fn cancel_an_activity_task_that_nobody_has() {
    let desk = Desk::open().await;
    let run = desk.start("w").await;
    desk.decide([schedule("a"), request_cancel_activity("a")]).await;
    desk.check(&run, 5, expect![[r#"
        5 0s ActivityTaskScheduled activity_type.name="A" activity_type.version="1" activity_id="a" schedule_to_start_timeout="200" schedule_to_close_timeout="220" start_to_close_timeout="50" task_list.name="al" decision_task_completed_event_id=4 heartbeat_timeout="NONE"
        6 0s ActivityTaskCancelRequested decision_task_completed_event_id=4 activity_id="a"
        7 0s ActivityTaskCanceled scheduled_event_id=5 started_event_id=0 latest_cancel_requested_event_id=6
        8 0s DecisionTaskScheduled task_list.name="dl" start_to_close_timeout="100" schedule_to_start_timeout="NONE"
    "#]]).await;
}

#[tokio::test]
pub(crate) async fn complete_fail_and_cancel_executions() {
    let desk = Desk::open().await;
    let endings = [
        (complete("42"), CloseStatus::Completed),
        (fail("broken", "badly"), CloseStatus::Failed),
        (cancel("as asked"), CloseStatus::Canceled),
    ];
    for (decision, status) in endings {
        let run = desk.start("w").await;
        desk.decide([decision]).await;
        let info = desk.describe(&run).await.execution_info.unwrap();
        assert_eq!(info.execution_status, ExecutionStatus::Closed);
        assert_eq!(info.close_status, Some(status.clone()));
        let last = desk.history(&run).await.pop().unwrap();
        assert_eq!(last.event_id, 5);
        match status {
            CloseStatus::Completed => {
                let a = last.workflow_execution_completed_event_attributes.unwrap();
                assert_eq!(
                    (a.result.as_deref(), a.decision_task_completed_event_id),
                    (Some("42"), 4)
                );
            }
            CloseStatus::Failed => {
                let a = last.workflow_execution_failed_event_attributes.unwrap();
                assert_eq!(
                    (a.reason.as_deref(), a.details.as_deref()),
                    (Some("broken"), Some("badly"))
                );
            }
            _ => {
                let a = last.workflow_execution_canceled_event_attributes.unwrap();
                assert_eq!(a.details.as_deref(), Some("as asked"));
            }
        }
    }
}

#[tokio::test]
pub(crate) async fn continue_an_execution_as_new() {
    let desk = Desk::open().await;
    let run = desk.start("w").await;
    desk.decide([continue_as_new(|with| {
        with.input("again")
            .execution_start_to_close_timeout("77")
            .task_list(task_list("dl"))
            .task_priority("2")
            .task_start_to_close_timeout("88")
            .child_policy(ChildPolicy::Abandon)
            .tag_list("second")
            .workflow_type_version("1")
            .lambda_role("role")
    })])
    .await;
    let last = desk.history(&run).await.pop().unwrap();
    let continued = last.workflow_execution_continued_as_new_event_attributes.unwrap();
    let info = desk.describe(&run).await.execution_info.unwrap();
    assert_eq!(info.close_status, Some(CloseStatus::ContinuedAsNew));
    desk.check(&run, 5, expect![[r#"
        5 0s WorkflowExecutionContinuedAsNew input="again" decision_task_completed_event_id=4 new_execution_run_id="22P7HAyKoPEQQiPeqo+IoDqoKbOmsIS5pi0EUREnG/99I=" execution_start_to_close_timeout="77" task_list.name="dl" task_priority="2" task_start_to_close_timeout="88" child_policy=Abandon tag_list="second" workflow_type.name="W" workflow_type.version="1" lambda_role="role"
    "#]]).await;
    let next = execution("w", &continued.new_execution_run_id);
    desk.check(&next, 1, expect![[r#"
        1 0s WorkflowExecutionStarted input="again" execution_start_to_close_timeout="77" task_start_to_close_timeout="88" child_policy=Abandon task_list.name="dl" task_priority="2" workflow_type.name="W" workflow_type.version="1" tag_list="second" continued_execution_run_id="22tqXbd2DvULo1xF+x0Yt8aHdltWQrTtU5t3TGVv7mJBY=" parent_initiated_event_id=0 lambda_role="role"
        2 0s DecisionTaskScheduled task_list.name="dl" task_priority="2" start_to_close_timeout="88" schedule_to_start_timeout="NONE"
    "#]]).await;
}

#[tokio::test]
pub(crate) async fn signal_and_cancel_other_executions() {
    let desk = Desk::open().await;
    let run = desk.start("w").await;
    let first = desk.decision_task().await;
    let other = desk.start("other").await;
    let named = signal_external("other", Some(&other.run_id), "ho");
    desk.answer(
        &first,
        [named, signal_external("other", None, "hi"), request_cancel_external("other")],
    )
    .await;
    desk.check(&run, 5, expect![[r#"
        5 0s SignalExternalWorkflowExecutionInitiated workflow_id="other" run_id="224K/b0OshrSzIqd2h8QBin01uUBIdX2S9jX6k3sv+tKY=" signal_name="hello" input="ho" decision_task_completed_event_id=4 control="mine"
        6 0s SignalExternalWorkflowExecutionInitiated workflow_id="other" signal_name="hello" input="hi" decision_task_completed_event_id=4 control="mine"
        7 0s RequestCancelExternalWorkflowExecutionInitiated workflow_id="other" decision_task_completed_event_id=4 control="mine"
        8 0s ExternalWorkflowExecutionSignaled workflow_execution.workflow_id="other" workflow_execution.run_id="224K/b0OshrSzIqd2h8QBin01uUBIdX2S9jX6k3sv+tKY=" initiated_event_id=5
        9 0s DecisionTaskScheduled task_list.name="dl" start_to_close_timeout="100" schedule_to_start_timeout="NONE"
        10 0s ExternalWorkflowExecutionSignaled workflow_execution.workflow_id="other" workflow_execution.run_id="224K/b0OshrSzIqd2h8QBin01uUBIdX2S9jX6k3sv+tKY=" initiated_event_id=6
        11 0s ExternalWorkflowExecutionCancelRequested workflow_execution.workflow_id="other" workflow_execution.run_id="224K/b0OshrSzIqd2h8QBin01uUBIdX2S9jX6k3sv+tKY=" initiated_event_id=7
    "#]]).await;
    desk.check(&other, 3, expect![[r#"
        3 0s WorkflowExecutionSignaled signal_name="hello" input="ho" external_workflow_execution.workflow_id="w" external_workflow_execution.run_id="22tqXbd2DvULo1xF+x0Yt8aHdltWQrTtU5t3TGVv7mJBY=" external_initiated_event_id=5
        4 0s WorkflowExecutionSignaled signal_name="hello" input="hi" external_workflow_execution.workflow_id="w" external_workflow_execution.run_id="22tqXbd2DvULo1xF+x0Yt8aHdltWQrTtU5t3TGVv7mJBY=" external_initiated_event_id=6
        5 0s WorkflowExecutionCancelRequested external_workflow_execution.workflow_id="w" external_workflow_execution.run_id="22tqXbd2DvULo1xF+x0Yt8aHdltWQrTtU5t3TGVv7mJBY=" external_initiated_event_id=7
    "#]]).await;
    let info = desk.describe(&other).await.execution_info.unwrap();
    assert!(info.cancel_requested);
}

#[tokio::test]
pub(crate) async fn are_told_of_signals_and_cancel_requests_from_outside() {
    let desk = Desk::open().await;
    let run = desk.start("w").await;
    let signal = desk.swf().signal_workflow_execution().domain(DOMAIN).workflow_id("w");
    signal.run_id(&run.run_id).signal_name("go").input("now").send().await.unwrap();
    let request = desk.swf().request_cancel_workflow_execution().domain(DOMAIN);
    request.workflow_id("w").run_id(&run.run_id).send().await.unwrap();
    desk.check(
        &run,
        3,
        expect![[r#"
        3 0s WorkflowExecutionSignaled signal_name="go" input="now" external_initiated_event_id=0
        4 0s WorkflowExecutionCancelRequested external_initiated_event_id=0
    "#]],
    )
    .await;
    assert!(desk.describe(&run).await.execution_info.unwrap().cancel_requested);
}

#[tokio::test]
pub(crate) async fn are_all_or_nothing() {
    let desk = Desk::open().await;
    let run = desk.start("w").await;
    let polled = desk.decision_task().await;
    let answer = desk.swf().respond_decision_task_completed().task_token(&polled.task_token);
    // The second is too long, so the first is not written either.
    let bad = answer.decisions(marker("m", "x")).decisions(marker(&"n".repeat(257), "x"));
    assert_eq!(code_of!(bad), "ValidationException");
    let bad = desk.swf().respond_decision_task_completed().task_token(&polled.task_token);
    let bad = bad.decisions(complete("early")).decisions(marker("m", "late"));
    assert_eq!(code_of!(bad), "ValidationException");
    assert_eq!(desk.history(&run).await.len(), 3);
    let good = desk.swf().respond_decision_task_completed().task_token(&polled.task_token);
    good.execution_context("so far").send().await.unwrap();
    let described = desk.describe(&run).await;
    assert_eq!(described.latest_execution_context.as_deref(), Some("so far"));
    desk.check(&run, 4, expect![[r#"
        4 0s DecisionTaskCompleted execution_context="so far" scheduled_event_id=2 started_event_id=3
    "#]]).await;
}

#[tokio::test]
pub(crate) async fn may_go_on_at_another_task_list() {
    let desk = Desk::open().await;
    let run = desk.start("w").await;
    let polled = desk.decision_task().await;
    let answer = desk.swf().respond_decision_task_completed().task_token(&polled.task_token);
    let answer = answer.task_list(task_list("mine")).task_list_schedule_to_start_timeout("5");
    answer.send().await.unwrap();
    desk.signal("w", "s").await;
    assert!(desk.poll_decisions("dl").await.is_none());
    desk.world.pass(5).await;
    assert!(desk.poll_decisions("mine").await.is_none());
    assert!(desk.poll_decisions("dl").await.is_some());
    desk.check(&run, 5, expect![[r#"
        5 0s WorkflowExecutionSignaled signal_name="s" external_initiated_event_id=0
        6 0s DecisionTaskScheduled task_list.name="mine" start_to_close_timeout="100" schedule_to_start_timeout="5"
        7 5s DecisionTaskTimedOut timeout_type=ScheduleToStart scheduled_event_id=6 started_event_id=0
        8 5s DecisionTaskScheduled task_list.name="dl" start_to_close_timeout="100" schedule_to_start_timeout="NONE"
        9 5s DecisionTaskStarted identity="decider" scheduled_event_id=8
    "#]]).await;
}

#[tokio::test]
pub(crate) async fn start_with_every_option() {
    let desk = Desk::open().await;
    let start = desk.swf().start_workflow_execution().domain(DOMAIN).workflow_id("w");
    let started = start
        .workflow_type(workflow_type("W", "1"))
        .task_list(task_list("elsewhere"))
        .task_priority("-2147483648")
        .input("in")
        .execution_start_to_close_timeout("31536000")
        .tag_list("a")
        .tag_list("b")
        .task_start_to_close_timeout("NONE")
        .child_policy(ChildPolicy::Abandon)
        .lambda_role("arn:aws:iam::123456789012:role/r")
        .send()
        .await
        .unwrap();
    let run = execution("w", &started.run_id.unwrap());
    desk.check(&run, 1, expect![[r#"
        1 0s WorkflowExecutionStarted input="in" execution_start_to_close_timeout="31536000" task_start_to_close_timeout="NONE" child_policy=Abandon task_list.name="elsewhere" task_priority="-2147483648" workflow_type.name="W" workflow_type.version="1" tag_list="a" tag_list="b" parent_initiated_event_id=0 lambda_role="arn:aws:iam::123456789012:role/r"
        2 0s DecisionTaskScheduled task_list.name="elsewhere" task_priority="-2147483648" start_to_close_timeout="NONE" schedule_to_start_timeout="NONE"
    "#]]).await;
    let configuration = desk.describe(&run).await.execution_configuration.unwrap();
    expect![[r#"task_start_to_close_timeout="NONE" execution_start_to_close_timeout="31536000" task_list.name="elsewhere" task_priority="-2147483648" child_policy=Abandon lambda_role="arn:aws:iam::123456789012:role/r""#]].assert_eq(&super::story::shape(&configuration));
}

#[tokio::test]
pub(crate) async fn come_too_late_after_a_termination() {
    let desk = Desk::open().await;
    let run = desk.start("w").await;
    let terminate = desk.swf().terminate_workflow_execution().domain(DOMAIN).workflow_id("w");
    let terminate = terminate.run_id(&run.run_id).reason("enough").details("of it");
    terminate.child_policy(ChildPolicy::RequestCancel).send().await.unwrap();
    desk.check(&run, 3, expect![[r#"
        3 0s WorkflowExecutionTerminated reason="enough" details="of it" child_policy=RequestCancel cause=OperatorInitiated
    "#]]).await;
    assert!(desk.poll_decisions("dl").await.is_none());
    let info = desk.describe(&run).await.execution_info.unwrap();
    assert_eq!(info.close_status, Some(CloseStatus::Terminated));
    // The workflow id is free again.
    desk.start("w").await;
}
