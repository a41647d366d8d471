//! FIFO queues: order within groups, and nothing twice.

use aws_sdk_sqs::{
    Client,
    types::{MessageSystemAttributeName as System, QueueAttributeName as Name},
};

use super::{bodies, queue_with, receive};
use crate::world::World;

async fn fifo(sqs: &Client, name: &str) -> String {
    let set = [(Name::FifoQueue, "true"), (Name::ContentBasedDeduplication, "true")];
    queue_with(sqs, name, &set).await
}

async fn send(sqs: &Client, url: &str, group: &str, body: &str) -> String {
    let send = sqs.send_message().queue_url(url).message_group_id(group).message_body(body);
    send.send().await.unwrap().sequence_number.unwrap()
}

#[tokio::test]
pub(crate) async fn keep_the_order_of_each_group() {
    let world = World::start().await;
    let sqs = &world.sqs;
    let url = fifo(sqs, "q.fifo").await;
    let mut numbers = Vec::new();
    for (group, body) in [("g", "g1"), ("h", "h1"), ("g", "g2"), ("h", "h2")] {
        numbers.push(send(sqs, &url, group, body).await);
    }
    assert!(numbers.is_sorted(), "{numbers:?}");
    let one = sqs.receive_message().queue_url(&url).message_system_attribute_names(System::All);
    let one = one.send().await.unwrap().messages.unwrap().pop().unwrap();
    let system = one.attributes().unwrap();
    assert_eq!((one.body(), &*system[&System::MessageGroupId]), (Some("g1"), "g"));
    assert_eq!(system[&System::SequenceNumber], numbers[0]);
    assert!(system.contains_key(&System::MessageDeduplicationId));
    // As long as that one is in flight its group waits.
    assert_eq!(bodies(sqs, &url).await, ["h1", "h2"]);
    let receipt = one.receipt_handle().unwrap();
    sqs.delete_message().queue_url(&url).receipt_handle(receipt).send().await.unwrap();
    assert_eq!(bodies(sqs, &url).await, ["g2"]);
}

#[tokio::test]
pub(crate) async fn take_a_message_once_in_five_minutes() {
    let world = World::start().await;
    let sqs = &world.sqs;
    let url = fifo(sqs, "q.fifo").await;
    let first = send(sqs, &url, "g", "a").await;
    assert_eq!(send(sqs, &url, "g", "a").await, first);
    let send = sqs.send_message().queue_url(&url).message_group_id("g").message_body("a");
    send.clone().message_deduplication_id("other").send().await.unwrap();
    assert_eq!(receive(sqs, &url).await.len(), 2);
    world.pass(300).await;
    send.send().await.unwrap();
    assert_eq!(bodies(sqs, &url).await.len(), 3);
}

#[tokio::test]
pub(crate) async fn give_a_lost_answer_again() {
    let World { sqs, .. } = World::start().await;
    let url = fifo(&sqs, "q.fifo").await;
    send(&sqs, &url, "g", "a").await;
    let receive = sqs.receive_message().queue_url(&url).receive_request_attempt_id("try");
    let first = receive.clone().send().await.unwrap().messages.unwrap();
    let again = receive.send().await.unwrap().messages.unwrap();
    assert_eq!(first[0].message_id, again[0].message_id);
    assert!(bodies(&sqs, &url).await.is_empty());
}
