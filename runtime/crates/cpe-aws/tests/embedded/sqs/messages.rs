//! Messages of standard queues: their content, and when they can be received.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_sqs::{
    primitives::Blob,
    types::{
        MessageAttributeValue, MessageSystemAttributeName as System,
        MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
        QueueAttributeName as Name,
    },
};
use md5::{Digest, Md5};

use super::{arn, bodies, counts, queue, queue_with, receive, send};
use crate::world::{START, World, anybody};

/// The MD5 of attributes, as AWS documents it: by name, each part with its length before it.
fn md5_of(attributes: &BTreeMap<&str, MessageAttributeValue>) -> String {
    let mut encoded = Vec::new();
    let with_length = |bytes: &[u8]| {
        let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
        [&length, bytes].concat()
    };
    for (name, value) in attributes {
        let (kind, bytes) = match (value.string_value(), value.binary_value()) {
            (Some(text), _) => (1, text.as_bytes()),
            (None, blob) => (2, blob.unwrap().as_ref()),
        };
        encoded.extend(with_length(name.as_bytes()));
        encoded.extend(with_length(value.data_type().as_bytes()));
        encoded.push(kind);
        encoded.extend(with_length(bytes));
    }
    hex::encode(Md5::digest(encoded))
}

fn text(kind: &str, value: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder().data_type(kind).string_value(value).build().unwrap()
}

#[tokio::test]
pub(crate) async fn keep_bodies_and_attributes() {
    let world = World::start().await;
    let sqs = &world.sqs;
    let url = queue(sqs, "q").await;
    let binary = MessageAttributeValue::builder().data_type("Binary.png");
    let binary = binary.binary_value(Blob::new([0, 159, 255])).build().unwrap();
    let attributes = BTreeMap::from([
        ("b", binary),
        ("a.name", text("String", "ü")),
        ("a.size", text("Number.int", "42")),
    ]);
    let body = "{\"größe\": \"<&>\"}\r\n\t";
    let mut message = sqs.send_message().queue_url(&url).message_body(body);
    for (name, value) in &attributes {
        message = message.message_attributes(*name, value.clone());
    }
    let trace = MessageSystemAttributeValue::builder().data_type("String");
    let trace = trace.string_value("Root=1-5759e988-bd862e3fe1be46a994272793").build().unwrap();
    let trace_header = MessageSystemAttributeNameForSends::AwsTraceHeader;
    let message = message.message_system_attributes(trace_header, trace);
    let sent = message.send().await.unwrap();
    let body_md5 = hex::encode(Md5::digest(body));
    assert_eq!(sent.md5_of_message_body.as_deref(), Some(&*body_md5));
    assert_eq!(sent.md5_of_message_attributes, Some(md5_of(&attributes)));

    world.pass(2).await;
    let receive = sqs.receive_message().queue_url(&url).message_attribute_names("All");
    let received = receive.message_system_attribute_names(System::All).send().await.unwrap();
    let message = received.messages().first().unwrap();
    assert_eq!((message.body(), message.md5_of_body()), (Some(body), Some(&*body_md5)));
    assert_eq!(message.md5_of_message_attributes, Some(md5_of(&attributes)));
    assert_eq!(message.message_id, sent.message_id);
    let received: BTreeMap<_, _> = message.message_attributes().unwrap().iter().collect();
    assert_eq!(received.len(), 3);
    assert!(attributes.iter().all(|(name, value)| received[&(*name).to_owned()] == value));
    let system = message.attributes().unwrap();
    assert_eq!(system[&System::ApproximateReceiveCount], "1");
    assert_eq!(system[&System::SentTimestamp], format!("{START}000"));
    assert_eq!(system[&System::ApproximateFirstReceiveTimestamp], format!("{}000", START + 2));
    assert!(system[&System::AwsTraceHeader].starts_with("Root="));
    assert!(system.contains_key(&System::SenderId));
}

#[tokio::test]
pub(crate) async fn come_with_the_attributes_that_are_asked_for() {
    let World { sqs, .. } = World::start().await;
    let url = queue_with(&sqs, "q", &[(Name::VisibilityTimeout, "0")]).await;
    let send = sqs.send_message().queue_url(&url).message_body("m");
    let send = send.message_attributes("a.x", text("String", "1"));
    let send = send.message_attributes("a.y", text("String", "2"));
    send.message_attributes("b", text("String", "3")).send().await.unwrap();
    let some = BTreeMap::from([("a.x", text("String", "1")), ("a.y", text("String", "2"))]);
    for (asked, count) in [("a.*", 2), ("b", 1), ("c", 0)] {
        let receive = sqs.receive_message().queue_url(&url).message_attribute_names(asked);
        let message = receive.send().await.unwrap().messages.unwrap().pop().unwrap();
        assert_eq!(message.message_attributes().map_or(0, |all| all.len()), count, "{asked}");
        if asked == "a.*" {
            assert_eq!(message.md5_of_message_attributes, Some(md5_of(&some)));
        }
        assert!(message.attributes.is_none());
    }
}

#[tokio::test]
pub(crate) async fn are_hidden_until_they_are_deleted_or_come_back() {
    let world = World::start().await;
    let sqs = &world.sqs;
    let url = queue(sqs, "q").await;
    send(sqs, &url, "a").await;
    let (_, first) = receive(sqs, &url).await.pop().unwrap();
    world.pass(29).await;
    assert!(bodies(sqs, &url).await.is_empty());
    world.pass(1).await;
    let (_, second) = receive(sqs, &url).await.pop().unwrap();
    // The older receipt says yes, and deletes nothing.
    sqs.delete_message().queue_url(&url).receipt_handle(first).send().await.unwrap();
    assert_eq!(counts(sqs, &url).await, ["0", "1", "0"]);
    let change = sqs.change_message_visibility().queue_url(&url).receipt_handle(&second);
    change.clone().visibility_timeout(100).send().await.unwrap();
    world.pass(99).await;
    assert!(bodies(sqs, &url).await.is_empty());
    change.visibility_timeout(0).send().await.unwrap();
    let (_, third) = receive(sqs, &url).await.pop().unwrap();
    sqs.delete_message().queue_url(&url).receipt_handle(third).send().await.unwrap();
    assert_eq!(counts(sqs, &url).await, ["0", "0", "0"]);
}

#[tokio::test]
pub(crate) async fn are_delayed_and_expire() {
    let world = World::start().await;
    let sqs = &world.sqs;
    let set = [(Name::DelaySeconds, "5"), (Name::MessageRetentionPeriod, "3600")];
    let url = queue_with(sqs, "q", &set).await;
    send(sqs, &url, "as the queue says").await;
    let own = sqs.send_message().queue_url(&url).message_body("longer").delay_seconds(900);
    own.send().await.unwrap();
    let own = sqs.send_message().queue_url(&url).message_body("at once").delay_seconds(0);
    own.send().await.unwrap();
    assert_eq!(counts(sqs, &url).await, ["1", "0", "2"]);
    assert_eq!(bodies(sqs, &url).await, ["at once"]);
    world.pass(5).await;
    assert_eq!(bodies(sqs, &url).await, ["as the queue says"]);
    world.pass(895).await;
    assert_eq!(bodies(sqs, &url).await.len(), 3);
    world.pass(2_700).await;
    assert_eq!(counts(sqs, &url).await, ["0", "0", "0"]);
}

#[tokio::test]
pub(crate) async fn wake_those_who_wait() {
    let config = cpe_local::LocalConfig { poll_wait: Duration::from_secs(60), ..World::config() };
    let World { sqs, .. } = World::with(config, anybody()).await;
    let url = queue(&sqs, "q").await;
    let receive = sqs.receive_message().queue_url(&url).wait_time_seconds(20).send();
    let (received, ()) = tokio::join!(receive, send(&sqs, &url, "a"));
    assert_eq!(received.unwrap().messages.unwrap()[0].body(), Some("a"));
}

#[tokio::test]
pub(crate) async fn that_come_too_often_go_to_a_dead_letter_queue() {
    let world = World::start().await;
    let sqs = &world.sqs;
    let dead = queue(sqs, "dead").await;
    let policy = serde_json::json!({
        "deadLetterTargetArn": arn(sqs, &dead).await, "maxReceiveCount": 2,
    });
    let policy = policy.to_string();
    let set = [(Name::RedrivePolicy, &*policy), (Name::VisibilityTimeout, "10")];
    let url = queue_with(sqs, "q", &set).await;
    send(sqs, &url, "poison").await;
    for _ in 0..2 {
        assert_eq!(bodies(sqs, &url).await, ["poison"]);
        world.pass(10).await;
    }
    assert!(bodies(sqs, &url).await.is_empty());
    let receive = sqs.receive_message().queue_url(&dead);
    let received = receive.message_system_attribute_names(System::All).send().await.unwrap();
    let system = received.messages()[0].attributes().unwrap();
    assert_eq!(system[&System::ApproximateReceiveCount], "3");
    assert_eq!(system[&System::DeadLetterQueueSourceArn], arn(sqs, &url).await);
    let sources = sqs.list_dead_letter_source_queues().queue_url(&dead).send().await.unwrap();
    assert_eq!(sources.queue_urls(), [url]);
}
