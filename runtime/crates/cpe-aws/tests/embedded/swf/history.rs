//! Histories in pages, from both ends, by themselves and with decision tasks.

use std::collections::BTreeSet;

use aws_sdk_swf::types::HistoryEvent;

use super::{
    Desk,
    desk::{DOMAIN, execution, task_list},
    making::{complete, marker},
};

fn ids(events: &[HistoryEvent]) -> Vec<i64> {
    events.iter().map(|event| event.event_id).collect()
}

/// An execution with ten events, the last of which is of a decision task that waits.
async fn ten(desk: &Desk) -> aws_sdk_swf::types::WorkflowExecution {
    let run = desk.start("w").await;
    desk.decide(["a", "b", "c", "d"].map(|name| marker(name, "x"))).await;
    desk.signal("w", "s").await;
    run
}

#[tokio::test]
pub(crate) async fn are_read_in_pages() {
    let desk = Desk::open().await;
    let run = ten(&desk).await;
    let read = || {
        let read = desk.swf().get_workflow_execution_history().domain(DOMAIN);
        read.execution(run.clone()).maximum_page_size(4)
    };
    for (reverse, expected) in [
        (false, [vec![1, 2, 3, 4], vec![5, 6, 7, 8], vec![9, 10]]),
        (true, [vec![10, 9, 8, 7], vec![6, 5, 4, 3], vec![2, 1]]),
    ] {
        let mut pages = read().reverse_order(reverse).into_paginator().send();
        let mut seen = Vec::new();
        while let Some(page) = pages.next().await {
            seen.push(ids(&page.unwrap().events));
        }
        assert_eq!(seen, expected);
    }
    // A token is of one execution.
    let token = read().send().await.unwrap().next_page_token.unwrap();
    let other = desk.start("v").await;
    let foreign = read().execution(other).next_page_token(token);
    assert_eq!(code_of!(foreign), "ValidationException");
}

#[tokio::test]
pub(crate) async fn come_with_decision_tasks_in_pages() {
    let desk = Desk::open().await;
    let run = ten(&desk).await;
    let poll = || {
        let poll = desk.swf().poll_for_decision_task().domain(DOMAIN).task_list(task_list("dl"));
        poll.maximum_page_size(4)
    };
    let first = poll().send().await.unwrap();
    assert_eq!(first.workflow_execution, Some(run));
    assert_eq!(first.workflow_type, Some(super::desk::workflow_type("W", "1")));
    assert_eq!((first.started_event_id, first.previous_started_event_id), (11, 3));
    assert_eq!(ids(&first.events), [1, 2, 3, 4]);
    // Events that come meanwhile are not of this decision task.
    desk.signal("w", "late").await;
    let second = poll().next_page_token(first.next_page_token.unwrap()).send().await.unwrap();
    assert_eq!(ids(&second.events), [5, 6, 7, 8]);
    assert_eq!(second.task_token, first.task_token);
    let last = poll().next_page_token(second.next_page_token.unwrap()).send().await.unwrap();
    assert_eq!((ids(&last.events), last.next_page_token), (vec![9, 10, 11], None));
    let respond = desk.swf().respond_decision_task_completed().task_token(&last.task_token);
    respond.send().await.unwrap();
}

#[tokio::test]
pub(crate) async fn come_with_decision_tasks_backwards() {
    let desk = Desk::open().await;
    ten(&desk).await;
    let poll = || {
        let poll = desk.swf().poll_for_decision_task().domain(DOMAIN).task_list(task_list("dl"));
        poll.maximum_page_size(6).reverse_order(true)
    };
    let first = poll().send().await.unwrap();
    assert_eq!(ids(&first.events), [11, 10, 9, 8, 7, 6]);
    let rest = poll().next_page_token(first.next_page_token.unwrap()).send().await.unwrap();
    assert_eq!((ids(&rest.events), rest.next_page_token), (vec![5, 4, 3, 2, 1], None));
}

#[tokio::test]
pub(crate) async fn begin_where_the_decider_left_off() {
    let desk = Desk::open().await;
    ten(&desk).await;
    let poll = desk.swf().poll_for_decision_task().domain(DOMAIN).task_list(task_list("dl"));
    let polled = poll.start_at_previous_started_event(true).send().await.unwrap();
    assert_eq!(polled.previous_started_event_id, 3);
    assert_eq!(ids(&polled.events), (3..=11).collect::<Vec<_>>());
}

#[tokio::test]
pub(crate) async fn of_closed_executions_stay() {
    let desk = Desk::open().await;
    let runs = [(); 3].map(|()| "w");
    let mut seen = BTreeSet::new();
    for id in runs {
        let run = desk.start(id).await;
        desk.decide([complete(&run.run_id)]).await;
        seen.insert(run.run_id);
    }
    assert_eq!(seen.len(), 3, "each run has an id of its own");
    for run_id in seen {
        let last = desk.history(&execution("w", &run_id)).await.pop().unwrap();
        let completed = last.workflow_execution_completed_event_attributes.unwrap();
        assert_eq!(completed.result, Some(run_id));
    }
}

#[tokio::test]
pub(crate) async fn have_tokens_that_live_a_day() {
    let desk = Desk::open().await;
    let run = ten(&desk).await;
    let read = desk.swf().get_workflow_execution_history().domain(DOMAIN).execution(run);
    let read = read.maximum_page_size(4);
    let token = read.clone().send().await.unwrap().next_page_token.unwrap();
    let next = read.next_page_token(token);
    desk.world.pass(86_400).await;
    next.clone().send().await.unwrap();
    desk.world.pass(1).await;
    let fault = next.send().await.unwrap_err().into_service_error();
    let told = fault.to_string();
    assert!(
        format!("{fault:?}").contains("Specified token has exceeded its maximum lifetime"),
        "{told}"
    );
}
