//! Amazon SQS.

pub(crate) mod batches;
pub(crate) mod faults;
pub(crate) mod fifo;
pub(crate) mod messages;
pub(crate) mod moves;
pub(crate) mod queues;

use aws_sdk_sqs::{Client, types::QueueAttributeName};

/// A new queue; its URL.
pub(crate) async fn queue(sqs: &Client, name: &str) -> String {
    queue_with(sqs, name, &[]).await
}

async fn queue_with(sqs: &Client, name: &str, set: &[(QueueAttributeName, &str)]) -> String {
    let mut create = sqs.create_queue().queue_name(name);
    for (name, value) in set {
        create = create.attributes(name.clone(), *value);
    }
    create.send().await.unwrap().queue_url.unwrap()
}

pub(crate) async fn arn(sqs: &Client, url: &str) -> String {
    attribute(sqs, url, QueueAttributeName::QueueArn).await
}

async fn attribute(sqs: &Client, url: &str, name: QueueAttributeName) -> String {
    let get = sqs.get_queue_attributes().queue_url(url).attribute_names(name.clone());
    get.send().await.unwrap().attributes.unwrap().remove(&name).unwrap()
}

/// Messages that can be received, that are in flight, and that are delayed.
async fn counts(sqs: &Client, url: &str) -> [String; 3] {
    use QueueAttributeName as Name;
    [
        attribute(sqs, url, Name::ApproximateNumberOfMessages).await,
        attribute(sqs, url, Name::ApproximateNumberOfMessagesNotVisible).await,
        attribute(sqs, url, Name::ApproximateNumberOfMessagesDelayed).await,
    ]
}

async fn send(sqs: &Client, url: &str, body: &str) {
    sqs.send_message().queue_url(url).message_body(body).send().await.unwrap();
}

/// Receives up to ten, and gives the bodies and the receipts.
async fn receive(sqs: &Client, url: &str) -> Vec<(String, String)> {
    let receive = sqs.receive_message().queue_url(url).max_number_of_messages(10);
    let messages = receive.send().await.unwrap().messages.unwrap_or_default();
    messages.into_iter().map(|m| (m.body.unwrap(), m.receipt_handle.unwrap())).collect()
}

async fn bodies(sqs: &Client, url: &str) -> Vec<String> {
    receive(sqs, url).await.into_iter().map(|(body, _)| body).collect()
}
