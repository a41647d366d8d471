//! Queues: made, found, listed, set, tagged, shared, purged and deleted.

use std::collections::HashMap;

use aws_sdk_sqs::types::QueueAttributeName as Name;

use super::{attribute, bodies, counts, queue, queue_with, send};
use crate::world::World;

#[tokio::test]
pub(crate) async fn are_made_found_and_deleted() {
    let World { sqs, address, .. } = World::start().await;
    let url = queue(&sqs, "in").await;
    assert_eq!(url, format!("http://{address}/123456789012/in"));
    // Again with the same settings is the same queue.
    assert_eq!(queue_with(&sqs, "in", &[(Name::VisibilityTimeout, "30")]).await, url);
    let found = sqs.get_queue_url().queue_name("in").send().await.unwrap();
    assert_eq!(found.queue_url.as_deref(), Some(&*url));
    sqs.delete_queue().queue_url(&url).send().await.unwrap();
    assert!(sqs.get_queue_url().queue_name("in").send().await.is_err());
}

#[tokio::test]
pub(crate) async fn are_listed_by_prefix_and_in_pages() {
    let World { sqs, .. } = World::start().await;
    for name in ["a", "b1", "b2", "b3", "c"] {
        queue(&sqs, name).await;
    }
    let names = |urls: &[String]| {
        let names = urls.iter().map(|url| url.rsplit('/').next().unwrap().to_owned());
        names.collect::<Vec<_>>().join(" ")
    };
    let all = sqs.list_queues().send().await.unwrap();
    assert_eq!(names(all.queue_urls()), "a b1 b2 b3 c");
    let mut pages = Vec::new();
    let list = sqs.list_queues().queue_name_prefix("b").max_results(2);
    let mut paginator = list.into_paginator().send();
    while let Some(page) = paginator.next().await {
        pages.push(names(page.unwrap().queue_urls()));
    }
    assert_eq!(pages, ["b1 b2", "b3"]);
}

#[tokio::test]
pub(crate) async fn have_attributes() {
    let world = World::start().await;
    let sqs = &world.sqs;
    let set = [(Name::DelaySeconds, "3"), (Name::MessageRetentionPeriod, "60")];
    let url = queue_with(sqs, "q", &set).await;
    world.pass(5).await;
    let change = sqs.set_queue_attributes().queue_url(&url);
    let change = change.attributes(Name::VisibilityTimeout, "7");
    change.attributes(Name::MaximumMessageSize, "1024").send().await.unwrap();
    let all = sqs.get_queue_attributes().queue_url(&url).attribute_names(Name::All);
    let all = all.send().await.unwrap().attributes.unwrap();
    let expected = [
        (Name::ApproximateNumberOfMessages, "0"),
        (Name::ApproximateNumberOfMessagesDelayed, "0"),
        (Name::ApproximateNumberOfMessagesNotVisible, "0"),
        (Name::CreatedTimestamp, "1000000000"),
        (Name::DelaySeconds, "3"),
        (Name::LastModifiedTimestamp, "1000000005"),
        (Name::MaximumMessageSize, "1024"),
        (Name::MessageRetentionPeriod, "60"),
        (Name::QueueArn, "arn:aws:sqs:us-east-1:123456789012:q"),
        (Name::ReceiveMessageWaitTimeSeconds, "0"),
        (Name::SqsManagedSseEnabled, "true"),
        (Name::VisibilityTimeout, "7"),
    ];
    let expected = expected.map(|(name, value)| (name, value.to_owned()));
    assert_eq!(all, HashMap::from(expected));
}

#[tokio::test]
pub(crate) async fn are_tagged() {
    let World { sqs, .. } = World::start().await;
    let create = sqs.create_queue().queue_name("q").tags("team", "films");
    let url = create.send().await.unwrap().queue_url.unwrap();
    sqs.tag_queue().queue_url(&url).tags("team", "sound").tags("cost", "7").send().await.unwrap();
    let tags = sqs.list_queue_tags().queue_url(&url).send().await.unwrap().tags.unwrap();
    let expected = [("team", "sound"), ("cost", "7")];
    assert_eq!(tags, HashMap::from(expected.map(|(k, v)| (k.to_owned(), v.to_owned()))));
    sqs.untag_queue().queue_url(&url).tag_keys("team").send().await.unwrap();
    let tags = sqs.list_queue_tags().queue_url(&url).send().await.unwrap().tags.unwrap();
    assert_eq!(tags, HashMap::from([("cost".to_owned(), "7".to_owned())]));
}

#[tokio::test]
pub(crate) async fn are_shared() {
    let World { sqs, .. } = World::start().await;
    let url = queue(&sqs, "q").await;
    let add = sqs.add_permission().queue_url(&url).label("friends");
    let add = add.aws_account_ids("123456789012").actions("SendMessage");
    add.actions("ReceiveMessage").send().await.unwrap();
    let policy = attribute(&sqs, &url, Name::Policy).await;
    let policy: serde_json::Value = serde_json::from_str(&policy).unwrap();
    let statement = &policy["Statement"][0];
    assert_eq!((&statement["Sid"], &statement["Effect"]), (&"friends".into(), &"Allow".into()));
    assert_eq!(statement["Resource"], "arn:aws:sqs:us-east-1:123456789012:q");
    sqs.remove_permission().queue_url(&url).label("friends").send().await.unwrap();
    let all = sqs.get_queue_attributes().queue_url(&url).attribute_names(Name::All);
    let all = all.send().await.unwrap().attributes.unwrap();
    assert!(all.get(&Name::Policy).is_none_or(|policy| !policy.contains("friends")), "{all:?}");
}

#[tokio::test]
pub(crate) async fn are_purged() {
    let world = World::start().await;
    let sqs = &world.sqs;
    let url = queue(sqs, "q").await;
    for body in ["a", "b", "c"] {
        send(sqs, &url, body).await;
    }
    super::receive(sqs, &url).await.truncate(0);
    send(sqs, &url, "d").await;
    assert_eq!(counts(sqs, &url).await, ["1", "3", "0"]);
    sqs.purge_queue().queue_url(&url).send().await.unwrap();
    assert_eq!(counts(sqs, &url).await, ["0", "0", "0"]);
    world.pass(100).await;
    assert!(bodies(sqs, &url).await.is_empty());
}
