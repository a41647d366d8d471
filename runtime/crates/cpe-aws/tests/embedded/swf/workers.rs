//! What workers do with activity tasks, and what deciders hear of it.

use expect_test::expect;

use super::{
    Desk,
    making::{complete, request_cancel_activity, schedule, schedule_with},
    story::shape,
};

#[tokio::test]
pub(crate) async fn complete_activity_tasks() {
    let desk = Desk::open().await;
    let run = desk.start("w").await;
    desk.decide([schedule_with("a", |a| {
        a.input("in").control("mine").task_priority("3").heartbeat_timeout("9")
    })])
    .await;
    let polled = desk.activity_task().await;
    assert_eq!(polled.workflow_execution.clone().unwrap(), run);
    assert_eq!(polled.activity_type.clone().unwrap(), super::desk::activity_type("A", "1"));
    assert_eq!(polled.activity_id, "a");
    assert_eq!((polled.input.as_deref(), polled.started_event_id), (Some("in"), 6));
    let respond = desk.swf().respond_activity_task_completed();
    let token = polled.task_token;
    respond.task_token(token).result("out").send().await.unwrap();
    desk.decide([complete("done")]).await;
    desk.check(&run, 1, expect![[r#"
        1 0s WorkflowExecutionStarted execution_start_to_close_timeout="10000" task_start_to_close_timeout="100" child_policy=Terminate task_list.name="dl" workflow_type.name="W" workflow_type.version="1" parent_initiated_event_id=0
        2 0s DecisionTaskScheduled task_list.name="dl" start_to_close_timeout="100" schedule_to_start_timeout="NONE"
        3 0s DecisionTaskStarted identity="decider" scheduled_event_id=2
        4 0s DecisionTaskCompleted scheduled_event_id=2 started_event_id=3
        5 0s ActivityTaskScheduled activity_type.name="A" activity_type.version="1" activity_id="a" input="in" control="mine" schedule_to_start_timeout="200" schedule_to_close_timeout="220" start_to_close_timeout="50" task_list.name="al" task_priority="3" decision_task_completed_event_id=4 heartbeat_timeout="9"
        6 0s ActivityTaskStarted identity="worker" scheduled_event_id=5
        7 0s ActivityTaskCompleted result="out" scheduled_event_id=5 started_event_id=6
        8 0s DecisionTaskScheduled task_list.name="dl" start_to_close_timeout="100" schedule_to_start_timeout="NONE"
        9 0s DecisionTaskStarted identity="decider" scheduled_event_id=8
        10 0s DecisionTaskCompleted scheduled_event_id=8 started_event_id=9
        11 0s WorkflowExecutionCompleted result="done" decision_task_completed_event_id=10
    "#]]).await;
}

#[tokio::test]
pub(crate) async fn fail_activity_tasks() {
    let desk = Desk::open().await;
    let run = desk.start("w").await;
    desk.decide([schedule("a"), schedule("b")]).await;
    for reason in [Some("broken"), None] {
        let token = desk.activity_task().await.task_token;
        let respond = desk.swf().respond_activity_task_failed().task_token(token);
        let respond = respond.set_reason(reason.map(str::to_owned)).set_details(None);
        respond.send().await.unwrap();
    }
    desk.check(&run, 9, expect![[r#"
        9 0s DecisionTaskScheduled task_list.name="dl" start_to_close_timeout="100" schedule_to_start_timeout="NONE"
        10 0s ActivityTaskStarted identity="worker" scheduled_event_id=6
        11 0s ActivityTaskFailed scheduled_event_id=6 started_event_id=10
    "#]]).await;
}

#[tokio::test]
pub(crate) async fn beat_and_hear_of_cancel_requests() {
    let desk = Desk::open().await;
    let run = desk.start("w").await;
    desk.decide([schedule("a")]).await;
    let token = desk.activity_task().await.task_token;
    let beat = desk.swf().record_activity_task_heartbeat().task_token(&token).details("half");
    assert!(!beat.clone().send().await.unwrap().cancel_requested);
    let described = desk.describe(&run).await;
    assert_eq!(described.latest_activity_task_timestamp.unwrap().secs(), crate::world::START);
    desk.signal("w", "s").await;
    desk.decide([request_cancel_activity("a")]).await;
    assert!(beat.send().await.unwrap().cancel_requested);
    let respond = desk.swf().respond_activity_task_canceled().task_token(&token);
    respond.details("cleaned up").send().await.unwrap();
    desk.check(&run, 10, expect![[r#"
        10 0s DecisionTaskCompleted scheduled_event_id=8 started_event_id=9
        11 0s ActivityTaskCancelRequested decision_task_completed_event_id=10 activity_id="a"
        12 0s ActivityTaskCanceled details="cleaned up" scheduled_event_id=5 started_event_id=6 latest_cancel_requested_event_id=11
        13 0s DecisionTaskScheduled task_list.name="dl" start_to_close_timeout="100" schedule_to_start_timeout="NONE"
    "#]]).await;
}

#[tokio::test]
pub(crate) async fn are_given_the_highest_priority_first() {
    let desk = Desk::open().await;
    desk.start("w").await;
    let of = |id: &str, priority: &str| schedule_with(id, |a| a.task_priority(priority));
    desk.decide([of("low", "-1"), of("first", "5"), of("second", "5"), of("high", "9")]).await;
    let mut given = Vec::new();
    for _ in 0..4 {
        given.push(desk.activity_task().await.activity_id);
    }
    assert_eq!(given, ["high", "first", "second", "low"]);
}

#[tokio::test]
pub(crate) async fn open_what_is_counted() {
    let desk = Desk::open().await;
    let run = desk.start("w").await;
    let polled = desk.decision_task().await;
    expect!["open_activity_tasks=0 open_decision_tasks=1 open_timers=0 open_child_workflow_executions=0 open_lambda_functions=0"].assert_eq(&shape(&desk.describe(&run).await.open_counts));
    use super::making::{child, timer};
    desk.answer(&polled, [schedule("a"), schedule("b"), timer("t", 9), child("c", |c| c)]).await;
    let described = desk.describe(&run).await;
    expect![[r#"execution_info.execution.workflow_id="w" execution_info.execution.run_id="22tqXbd2DvULo1xF+x0Yt8aHdltWQrTtU5t3TGVv7mJBY=" execution_info.workflow_type.name="W" execution_info.workflow_type.version="1" execution_info.start_timestamp=2001-09-09T01:46:40Z execution_info.execution_status=Open execution_info.cancel_requested=false execution_configuration.task_start_to_close_timeout="100" execution_configuration.execution_start_to_close_timeout="10000" execution_configuration.task_list.name="dl" execution_configuration.child_policy=Terminate open_counts.open_activity_tasks=2 open_counts.open_decision_tasks=1 open_counts.open_timers=1 open_counts.open_child_workflow_executions=1 open_counts.open_lambda_functions=0 latest_activity_task_timestamp=2001-09-09T01:46:40Z"#]].assert_eq(&shape(&described));
}

#[tokio::test]
pub(crate) async fn are_still_described_when_all_is_over() {
    let desk = Desk::open().await;
    let run = desk.start("w").await;
    let polled = desk.decision_task().await;
    let answer = desk.swf().respond_decision_task_completed().task_token(&polled.task_token);
    let answer = answer.execution_context("so far").decisions(schedule("a"));
    answer.decisions(super::making::timer("t", 9)).send().await.unwrap();
    desk.activity_task().await;
    desk.world.pass(9).await;
    desk.decide([complete("done")]).await;
    desk.world.pass(1).await;
    expect![[r#"execution_info.execution.workflow_id="w" execution_info.execution.run_id="22tqXbd2DvULo1xF+x0Yt8aHdltWQrTtU5t3TGVv7mJBY=" execution_info.workflow_type.name="W" execution_info.workflow_type.version="1" execution_info.start_timestamp=2001-09-09T01:46:40Z execution_info.close_timestamp=2001-09-09T01:46:49Z execution_info.execution_status=Closed execution_info.close_status=Completed execution_info.cancel_requested=false execution_configuration.task_start_to_close_timeout="100" execution_configuration.execution_start_to_close_timeout="10000" execution_configuration.task_list.name="dl" execution_configuration.child_policy=Terminate open_counts.open_activity_tasks=1 open_counts.open_decision_tasks=0 open_counts.open_timers=0 open_counts.open_child_workflow_executions=0 open_counts.open_lambda_functions=0 latest_activity_task_timestamp=2001-09-09T01:46:40Z latest_execution_context="so far""#]].assert_eq(&shape(&desk.describe(&run).await));
}
