//! What takes too long: all timeouts, in virtual time.

use aws_sdk_swf::types::CloseStatus;
use expect_test::expect;

use super::{
    Desk,
    desk::{DOMAIN, execution, workflow_type},
    making::{schedule_with, timer},
};

#[tokio::test]
pub(crate) async fn of_activity_tasks() {
    let desk = Desk::open().await;
    let run = desk.start("w").await;
    desk.decide([
        schedule_with("beats", |a| a.heartbeat_timeout("20").schedule_to_close_timeout("NONE")),
        schedule_with("works", |a| a.start_to_close_timeout("30")),
        schedule_with("closes", |a| {
            a.schedule_to_close_timeout("40").start_to_close_timeout("NONE")
        }),
        schedule_with("waits", |a| a.schedule_to_start_timeout("60")),
    ])
    .await;
    let beats = desk.activity_task().await.task_token;
    desk.activity_task().await;
    desk.activity_task().await;
    desk.world.pass(5).await;
    let beat = desk.swf().record_activity_task_heartbeat().task_token(beats);
    beat.details("5 s").send().await.unwrap();
    desk.world.pass(3_600).await;
    desk.check(&run, 12, expect![[r#"
        12 25s ActivityTaskTimedOut timeout_type=Heartbeat scheduled_event_id=5 started_event_id=9 details="5 s"
        13 25s DecisionTaskScheduled task_list.name="dl" start_to_close_timeout="100" schedule_to_start_timeout="NONE"
        14 30s ActivityTaskTimedOut timeout_type=StartToClose scheduled_event_id=6 started_event_id=10
        15 40s ActivityTaskTimedOut timeout_type=ScheduleToClose scheduled_event_id=7 started_event_id=11
        16 60s ActivityTaskTimedOut timeout_type=ScheduleToStart scheduled_event_id=8 started_event_id=0
    "#]]).await;
}

#[tokio::test]
pub(crate) async fn of_decision_tasks() {
    let desk = Desk::open().await;
    let run = desk.start("w").await;
    let late = desk.decision_task().await;
    desk.world.pass(100).await;
    let answer = desk.swf().respond_decision_task_completed().task_token(late.task_token);
    use aws_sdk_swf::operation::respond_decision_task_completed::RespondDecisionTaskCompletedError as E;
    refused!(answer, E::UnknownResourceFault);
    let again = desk.decision_task().await;
    assert_eq!((again.previous_started_event_id, again.started_event_id), (0, 6));
    desk.answer(&again, []).await;
    desk.check(&run, 2, expect![[r#"
        2 0s DecisionTaskScheduled task_list.name="dl" start_to_close_timeout="100" schedule_to_start_timeout="NONE"
        3 0s DecisionTaskStarted identity="decider" scheduled_event_id=2
        4 100s DecisionTaskTimedOut timeout_type=StartToClose scheduled_event_id=2 started_event_id=3
        5 100s DecisionTaskScheduled task_list.name="dl" start_to_close_timeout="100" schedule_to_start_timeout="NONE"
        6 100s DecisionTaskStarted identity="decider" scheduled_event_id=5
        7 100s DecisionTaskCompleted scheduled_event_id=5 started_event_id=6
    "#]]).await;
}

#[tokio::test]
pub(crate) async fn of_executions() {
    let desk = Desk::open().await;
    let start = desk.swf().start_workflow_execution().domain(DOMAIN).workflow_id("w");
    let start = start.workflow_type(workflow_type("W", "1"));
    let started = start.execution_start_to_close_timeout("7200").send().await.unwrap();
    let run = execution("w", &started.run_id.unwrap());
    desk.world.pass(7_199).await;
    assert_eq!(desk.describe(&run).await.execution_info.unwrap().close_status, None);
    desk.world.pass(1).await;
    let info = desk.describe(&run).await.execution_info.unwrap();
    assert_eq!(info.close_status, Some(CloseStatus::TimedOut));
    assert_eq!(info.close_timestamp.unwrap().secs(), crate::world::START + 7_200);
    desk.check(
        &run,
        3,
        expect![[r#"
        3 7200s WorkflowExecutionTimedOut timeout_type=StartToClose child_policy=Terminate
    "#]],
    )
    .await;
}

/// Whoever has no SDK at hand moves the clock over HTTP.
#[tokio::test]
pub(crate) async fn come_when_the_clock_is_posted() {
    let desk = Desk::open().await;
    let run = desk.start("w").await;
    desk.decide([timer("t", 86_400)]).await;
    let post = "POST /_cpe/clock HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    let answer = desk.world.plain(post, br#"{"to": "next"}"#).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // The execution's own timeout comes before the timer.
    desk.check(&run, 5, expect![[r#"
        5 0s TimerStarted timer_id="t" start_to_fire_timeout="86400" decision_task_completed_event_id=4
        6 10000s WorkflowExecutionTimedOut timeout_type=StartToClose child_policy=Terminate
    "#]]).await;
}
