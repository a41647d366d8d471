//! The same calls under two clocks: one that is moved, and the machine's own.

use std::{sync::Arc, time::Duration};

use aws_sdk_swf::types::{HistoryEvent, WorkflowExecution};
use cpe_local::LocalConfig;
use cpe_ports::SystemClock;
use expect_test::expect;

use super::{
    Desk,
    desk::task_list,
    making::{child, schedule_with, timer},
};
use crate::world::{World, anybody};

/// Starts what is over after one second, after two, and after three.
async fn begin(desk: &Desk) -> WorkflowExecution {
    let run = desk.start("w").await;
    desk.decide([
        child("late", |c| c.task_list(task_list("x")).execution_start_to_close_timeout("3")),
        schedule_with("slow", |a| a.start_to_close_timeout("2")),
        timer("soon", 1),
    ])
    .await;
    desk.activity_task().await;
    desk.decide([]).await;
    run
}

/// What time did, with the event from which it counts.
fn told(events: &[HistoryEvent]) -> (String, Vec<(i64, f64)>) {
    let mut text = String::new();
    let mut after = Vec::new();
    for event in events {
        let since = if let Some(a) = &event.timer_fired_event_attributes {
            (a.started_event_id, 1)
        } else if let Some(a) = &event.activity_task_timed_out_event_attributes {
            (a.started_event_id, 2)
        } else if let Some(a) = &event.child_workflow_execution_timed_out_event_attributes {
            (a.started_event_id, 3)
        } else {
            continue;
        };
        text.push_str(&format!("{:?} of event {}\n", event.event_type, since.0));
        let began = events[since.0 as usize - 1].event_timestamp.as_secs_f64();
        after.push((since.1, event.event_timestamp.as_secs_f64() - began));
    }
    (text, after)
}

async fn in_virtual_time() -> (String, Vec<HistoryEvent>, WorkflowExecution) {
    let desk = Desk::open().await;
    let run = begin(&desk).await;
    for _ in 0..3 {
        desk.world.pass(1).await;
        desk.decide([]).await;
    }
    let events = desk.history(&run).await;
    let (text, after) = told(&events);
    assert_eq!(after, [(1, 1.0), (2, 2.0), (3, 3.0)], "nothing is late");
    (text, events, run)
}

#[tokio::test]
pub(crate) async fn two_runs_of_the_same_calls_are_the_same() {
    let (first, second) = (in_virtual_time().await, in_virtual_time().await);
    assert_eq!(first, second, "run ids and times among them");
}

/// How late a busy machine is, nobody can say; but nothing comes early, nor in another order.
#[tokio::test]
pub(crate) async fn real_time_tells_the_same_as_virtual_time() {
    let config = LocalConfig {
        clock: Arc::new(SystemClock),
        virtual_clock: None,
        poll_wait: Duration::from_secs(60),
        ..World::config()
    };
    let desk = Desk::within(World::with(config, anybody()).await).await;
    let run = begin(&desk).await;
    let mut events = Vec::new();
    while told(&events).1.len() < 3 {
        // Waits for what time does next.
        desk.decide([]).await;
        events = desk.history(&run).await;
    }
    let (text, after) = told(&events);
    expect![[r#"
        TimerFired of event 7
        ActivityTaskTimedOut of event 10
        ChildWorkflowExecutionTimedOut of event 8
    "#]]
    .assert_eq(&text);
    assert_eq!(text, in_virtual_time().await.0);
    for (due, after) in after {
        assert!(after >= due as f64, "{after} s after, and not {due} s");
    }
}
