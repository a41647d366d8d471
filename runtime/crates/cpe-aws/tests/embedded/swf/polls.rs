//! Long polls: those that find something, those that wait for it, those that end without.

use std::time::Duration;

use super::{
    Desk,
    desk::{DOMAIN, task_list},
    making::{schedule, timer},
};
use crate::world::{World, anybody};

/// A poll waits for longer than any test should take.
async fn patient() -> Desk {
    let config = cpe_local::LocalConfig { poll_wait: Duration::from_secs(60), ..World::config() };
    Desk::within(World::with(config, anybody()).await).await
}

#[tokio::test]
pub(crate) async fn that_find_nothing_have_no_token() {
    let desk = Desk::open().await;
    let poll = desk.swf().poll_for_decision_task().domain(DOMAIN).task_list(task_list("dl"));
    let polled = poll.send().await.unwrap();
    assert_eq!((polled.task_token.as_str(), polled.started_event_id), ("", 0));
    let poll = desk.swf().poll_for_activity_task().domain(DOMAIN).task_list(task_list("al"));
    let polled = poll.send().await.unwrap();
    assert_eq!((polled.task_token.as_str(), polled.started_event_id), ("", 0));
}

#[tokio::test]
pub(crate) async fn for_decisions_wake() {
    let desk = patient().await;
    let poll = desk.swf().poll_for_decision_task().domain(DOMAIN).task_list(task_list("dl"));
    let (polled, run) = tokio::join!(poll.clone().send(), desk.start("w"));
    let polled = polled.unwrap();
    assert_eq!(polled.workflow_execution, Some(run));
    desk.answer(&polled, [timer("t", 3_600)]).await;
    let (polled, ()) = tokio::join!(poll.send(), desk.world.pass(3_600));
    let last = polled.unwrap().events.pop().unwrap();
    assert_eq!(last.event_timestamp.secs(), crate::world::START + 3_600);
}

#[tokio::test]
pub(crate) async fn for_activities_wake() {
    let desk = patient().await;
    desk.start("w").await;
    let poll = desk.swf().poll_for_activity_task().domain(DOMAIN).task_list(task_list("al"));
    let polls = futures::future::join(poll.clone().send(), poll.send());
    let (polled, ()) = tokio::join!(polls, desk.decide([schedule("a"), schedule("b")]));
    let ids = [polled.0.unwrap().activity_id, polled.1.unwrap().activity_id];
    assert!(ids == ["a", "b"] || ids == ["b", "a"], "each poll got one: {ids:?}");
}

#[tokio::test]
pub(crate) async fn take_from_what_is_counted() {
    let desk = Desk::open().await;
    for id in ["u", "v", "w"] {
        desk.start(id).await;
    }
    desk.decide([schedule("a"), schedule("b")]).await;
    let decisions = desk.swf().count_pending_decision_tasks().domain(DOMAIN);
    let decisions = decisions.task_list(task_list("dl")).send().await.unwrap();
    assert_eq!((decisions.count, decisions.truncated), (2, false));
    let activities = || {
        let count = desk.swf().count_pending_activity_tasks().domain(DOMAIN);
        count.task_list(task_list("al")).send()
    };
    assert_eq!(activities().await.unwrap().count, 2);
    desk.activity_task().await;
    let left = activities().await.unwrap();
    assert_eq!((left.count, left.truncated), (1, false));
    let other = desk.swf().count_pending_activity_tasks().domain(DOMAIN);
    assert_eq!(other.task_list(task_list("never")).send().await.unwrap().count, 0);
}
