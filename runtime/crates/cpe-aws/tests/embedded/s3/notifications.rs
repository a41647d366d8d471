//! Queues that are told what happens in a bucket.

use aws_sdk_s3::types::{
    Event, FilterRule, FilterRuleName, NotificationConfiguration, NotificationConfigurationFilter,
    QueueConfiguration, S3KeyFilter,
};
use serde_json::Value;

use super::{BUCKET, put, with_bucket};
use crate::{
    sqs::{arn, queue},
    world::World,
};

/// The messages of a queue, and the records in them.
async fn told(world: &World, url: &str) -> Vec<Value> {
    let receive = world.sqs.receive_message().queue_url(url).max_number_of_messages(10);
    let messages = receive.send().await.unwrap().messages.unwrap_or_default();
    messages.iter().map(|message| serde_json::from_str(message.body().unwrap()).unwrap()).collect()
}

#[tokio::test]
pub(crate) async fn reach_queues() {
    let world = with_bucket().await;
    let s3 = &world.s3;
    let url = queue(&world.sqs, "events").await;
    let rule = FilterRule::builder().name(FilterRuleName::Prefix).value("in/").build();
    let filter = NotificationConfigurationFilter::builder()
        .key(S3KeyFilter::builder().filter_rules(rule).build())
        .build();
    let told_of = QueueConfiguration::builder()
        .id("mine")
        .queue_arn(arn(&world.sqs, &url).await)
        .events(Event::S3ObjectCreated)
        .events(Event::S3ObjectRemovedDelete)
        .filter(filter)
        .build()
        .unwrap();
    let wanted = NotificationConfiguration::builder().queue_configurations(told_of.clone()).build();
    let set = s3.put_bucket_notification_configuration().bucket(BUCKET);
    set.notification_configuration(wanted).send().await.unwrap();
    let got = s3.get_bucket_notification_configuration().bucket(BUCKET).send().await.unwrap();
    assert_eq!(got.queue_configurations(), [told_of]);
    let test = told(&world, &url).await;
    assert_eq!((&test[0]["Event"], &test[0]["Bucket"]), (&"s3:TestEvent".into(), &BUCKET.into()));

    put(s3, "in/a b", "text").await;
    put(s3, "out/a", "text").await;
    s3.copy_object().bucket(BUCKET).key("in/c").copy_source("media/out/a").send().await.unwrap();
    s3.delete_object().bucket(BUCKET).key("in/c").send().await.unwrap();
    let events = told(&world, &url).await;
    let names = events.iter().map(|event| {
        let record = &event["Records"][0];
        let name = record["eventName"].as_str().unwrap();
        format!("{name} {}", record["s3"]["object"]["key"].as_str().unwrap())
    });
    let names: Vec<_> = names.collect();
    assert_eq!(
        names,
        ["ObjectCreated:Put in/a+b", "ObjectCreated:Copy in/c", "ObjectRemoved:Delete in/c"]
    );
    let s3 = &events[0]["Records"][0]["s3"];
    assert_eq!((&s3["configurationId"], &s3["object"]["size"]), (&"mine".into(), &4.into()));
    assert_eq!(s3["bucket"]["name"], BUCKET);
}

#[tokio::test]
pub(crate) async fn need_a_queue_that_is_there() {
    let world = with_bucket().await;
    let told_of = QueueConfiguration::builder()
        .queue_arn("arn:aws:sqs:us-east-1:123456789012:nowhere")
        .events(Event::S3ObjectCreated)
        .build()
        .unwrap();
    let wanted = NotificationConfiguration::builder().queue_configurations(told_of).build();
    let set = world.s3.put_bucket_notification_configuration().bucket(BUCKET);
    assert_eq!(code_of!(set.notification_configuration(wanted)), "InvalidArgument");
}
