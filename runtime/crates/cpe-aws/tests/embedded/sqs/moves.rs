//! Dead letters that are moved back, all at once or so many a second.

use aws_sdk_sqs::{Client, types::QueueAttributeName as Name};

use super::{arn, bodies, counts, queue, queue_with, send};
use crate::world::World;

/// A queue and its dead-letter queue, with three messages that were given up.
async fn dead_letters(world: &World) -> (String, String) {
    let sqs: &Client = &world.sqs;
    let dead = queue(sqs, "dead").await;
    let target = arn(sqs, &dead).await;
    let policy = format!(r#"{{"deadLetterTargetArn":"{target}","maxReceiveCount":1}}"#);
    let set = [(Name::RedrivePolicy, &*policy), (Name::VisibilityTimeout, "1")];
    let url = queue_with(sqs, "q", &set).await;
    for body in ["a", "b", "c"] {
        send(sqs, &url, body).await;
    }
    assert_eq!(bodies(sqs, &url).await.len(), 3);
    world.pass(1).await;
    assert!(bodies(sqs, &url).await.is_empty());
    assert_eq!(counts(sqs, &dead).await, ["3", "0", "0"]);
    (url, dead)
}

#[tokio::test]
pub(crate) async fn bring_messages_back() {
    let world = World::start().await;
    let sqs = &world.sqs;
    let (url, dead) = dead_letters(&world).await;
    let source = arn(sqs, &dead).await;
    let started = sqs.start_message_move_task().source_arn(&source).send().await.unwrap();
    assert!(started.task_handle.is_some());
    world.pass(1).await;
    assert_eq!(counts(sqs, &dead).await, ["0", "0", "0"]);
    let listed = sqs.list_message_move_tasks().source_arn(&source).send().await.unwrap();
    let [made] = listed.results() else { panic!("{listed:?}") };
    assert_eq!(made.status(), Some("COMPLETED"));
    assert_eq!(made.source_arn(), Some(&*source));
    assert_eq!(made.approximate_number_of_messages_moved(), 3);
    assert_eq!(made.approximate_number_of_messages_to_move(), Some(3));
    assert_eq!(made.task_handle(), None);
    let mut back = bodies(sqs, &url).await;
    back.sort();
    assert_eq!(back, ["a", "b", "c"]);
}

#[tokio::test]
pub(crate) async fn go_as_slowly_as_they_should_until_they_are_canceled() {
    let world = World::start().await;
    let sqs = &world.sqs;
    let (_, dead) = dead_letters(&world).await;
    let other = queue(sqs, "other").await;
    let (source, target) = (arn(sqs, &dead).await, arn(sqs, &other).await);
    let start = sqs.start_message_move_task().source_arn(&source).destination_arn(&target);
    let start = start.max_number_of_messages_per_second(1);
    let handle = start.clone().send().await.unwrap().task_handle.unwrap();
    // One at a time.
    assert_eq!(code_of!(start), "InvalidParameterValue");
    let listed = sqs.list_message_move_tasks().source_arn(&source).max_results(10);
    let listed = listed.send().await.unwrap();
    let [made] = listed.results() else { panic!("{listed:?}") };
    assert_eq!((made.status(), made.task_handle()), (Some("RUNNING"), Some(&*handle)));
    assert_eq!(made.destination_arn(), Some(&*target));
    assert_eq!(made.max_number_of_messages_per_second(), Some(1));
    world.pass(1).await;
    let cancel = sqs.cancel_message_move_task().task_handle(&handle);
    let canceled = cancel.clone().send().await.unwrap();
    let moved = canceled.approximate_number_of_messages_moved();
    assert!((1..=2).contains(&moved), "{moved}");
    world.pass(60).await;
    assert_eq!(counts(sqs, &other).await[0], moved.to_string());
    use aws_sdk_sqs::operation::cancel_message_move_task::CancelMessageMoveTaskError as Cancel;
    refused!(cancel, Cancel::UnsupportedOperation);
}
