//! Batches: each entry has an outcome of its own.

use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry as ChangeEntry,
    DeleteMessageBatchRequestEntry as DeleteEntry, SendMessageBatchRequestEntry as SendEntry,
};
use md5::{Digest, Md5};

use super::{bodies, counts, queue, receive};
use crate::world::World;

fn entry(id: &str, body: &str) -> SendEntry {
    SendEntry::builder().id(id).message_body(body).build().unwrap()
}

#[tokio::test]
pub(crate) async fn of_messages_are_sent_in_part() {
    let World { sqs, .. } = World::start().await;
    let url = queue(&sqs, "q").await;
    let late = SendEntry::builder().id("late").message_body("c").delay_seconds(901);
    let batch = sqs.send_message_batch().queue_url(&url).entries(entry("good", "a"));
    let batch = batch.entries(entry("bad", "\u{1}")).entries(late.build().unwrap());
    let outcome = batch.send().await.unwrap();
    let [sent] = outcome.successful() else { panic!("{outcome:?}") };
    assert_eq!((sent.id(), sent.md5_of_message_body()), ("good", &*hex::encode(Md5::digest("a"))));
    let failed: Vec<_> =
        outcome.failed().iter().map(|f| (f.id(), f.code(), f.sender_fault())).collect();
    assert_eq!(
        failed,
        [("bad", "InvalidMessageContents", true), ("late", "InvalidParameterValue", true)]
    );
    assert_eq!(bodies(&sqs, &url).await, ["a"]);
}

#[tokio::test]
pub(crate) async fn of_receipts_are_deleted_in_part() {
    let World { sqs, .. } = World::start().await;
    let url = queue(&sqs, "q").await;
    let batch = sqs.send_message_batch().queue_url(&url);
    batch.entries(entry("1", "a")).entries(entry("2", "b")).send().await.unwrap();
    let received = receive(&sqs, &url).await;
    let of = |id: &str, receipt: &str| {
        DeleteEntry::builder().id(id).receipt_handle(receipt).build().unwrap()
    };
    let delete = sqs.delete_message_batch().queue_url(&url).entries(of("x", &received[0].1));
    let outcome = delete.entries(of("y", "nonsense")).send().await.unwrap();
    assert_eq!(outcome.successful()[0].id(), "x");
    let failed = &outcome.failed()[0];
    assert_eq!(
        (failed.id(), failed.code(), failed.sender_fault()),
        ("y", "ReceiptHandleIsInvalid", true)
    );
    assert_eq!(counts(&sqs, &url).await, ["0", "1", "0"]);
}

#[tokio::test]
pub(crate) async fn of_receipts_are_shown_again_in_part() {
    let World { sqs, .. } = World::start().await;
    let url = queue(&sqs, "q").await;
    let batch = sqs.send_message_batch().queue_url(&url);
    batch.entries(entry("1", "a")).entries(entry("2", "b")).send().await.unwrap();
    let received = receive(&sqs, &url).await;
    let of = |id: &str, receipt: &str, timeout: i32| {
        let entry = ChangeEntry::builder().id(id).receipt_handle(receipt);
        entry.visibility_timeout(timeout).build().unwrap()
    };
    let change = sqs.change_message_visibility_batch().queue_url(&url);
    let change = change.entries(of("x", &received[0].1, 0));
    let change = change.entries(of("y", "nonsense", 0)).entries(of("z", &received[1].1, 43_201));
    let outcome = change.send().await.unwrap();
    assert_eq!(outcome.successful()[0].id(), "x");
    let failed: Vec<_> = outcome.failed().iter().map(|f| (f.id(), f.code())).collect();
    assert_eq!(failed, [("y", "ReceiptHandleIsInvalid"), ("z", "InvalidParameterValue")]);
    assert_eq!(bodies(&sqs, &url).await, [received[0].0.clone()]);
}
