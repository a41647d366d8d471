//! SQS over the SDK.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::{
    Client,
    types::{
        BatchResultErrorEntry, DeleteMessageBatchRequestEntry, MessageSystemAttributeName,
        QueueAttributeName, SendMessageBatchRequestEntry,
    },
};
use cpe_ports::{
    BatchOutcome, Error, ErrorKind, Message, MessageQueue, OutgoingMessage, QueueUrl,
    ReceiptHandle, Receive,
};
use cpe_swf::Timestamp;

use crate::{
    endpoint::Place,
    error::{entry_error, port_error},
};

const MAX_WAIT: Duration = Duration::from_secs(20);
const MAX_MESSAGES: u32 = 10;

#[derive(Debug)]
pub(crate) struct Sqs {
    pub(crate) client: Client,
    pub(crate) place: Place,
}

#[async_trait]
impl MessageQueue for Sqs {
    async fn queue_url(&self, name: &str) -> Result<QueueUrl, Error> {
        if let Some(url) = whole_url(name) {
            return Ok(url);
        }
        let answer = self.client.get_queue_url().queue_name(name).send().await;
        let answer = answer.map_err(|e| port_error(&self.place, format!("queue {name}"), e))?;
        self.url(name, answer.queue_url)
    }

    async fn create_queue(&self, name: &str) -> Result<QueueUrl, Error> {
        if let Some(url) = whole_url(name) {
            return Ok(url);
        }
        let mut request = self.client.create_queue().queue_name(name);
        if name.ends_with(".fifo") {
            request = request.attributes(QueueAttributeName::FifoQueue, "true");
        }
        let made = request.send().await;
        match made.map_err(|e| port_error(&self.place, format!("queue {name}"), e)) {
            Ok(answer) => self.url(name, answer.queue_url),
            // It is there with attributes of its own.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => self.queue_url(name).await,
            Err(error) => Err(error),
        }
    }

    async fn receive(&self, queue: &QueueUrl, receive: Receive) -> Result<Vec<Message>, Error> {
        let answer = self
            .client
            .receive_message()
            .queue_url(&queue.0)
            .max_number_of_messages(number(receive.max_messages.clamp(1, MAX_MESSAGES).into()))
            .wait_time_seconds(whole_seconds(receive.wait.min(MAX_WAIT)))
            .set_visibility_timeout(receive.visibility_timeout.map(whole_seconds))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .send()
            .await
            .map_err(|e| port_error(&self.place, format!("messages of {queue}"), e))?;
        answer.messages.unwrap_or_default().into_iter().map(|m| self.message(queue, m)).collect()
    }

    async fn send(&self, queue: &QueueUrl, message: OutgoingMessage) -> Result<(), Error> {
        self.client
            .send_message()
            .queue_url(&queue.0)
            .message_body(message.body)
            .set_message_group_id(message.group_id)
            .set_message_deduplication_id(message.deduplication_id)
            .send()
            .await
            .map(drop)
            .map_err(|e| port_error(&self.place, format!("a message to {queue}"), e))
    }

    async fn send_batch(
        &self,
        queue: &QueueUrl,
        messages: Vec<OutgoingMessage>,
    ) -> Result<BatchOutcome, Error> {
        let entry = |(index, message): (usize, OutgoingMessage)| {
            SendMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .message_body(message.body)
                .set_message_group_id(message.group_id)
                .set_message_deduplication_id(message.deduplication_id)
                .build()
        };
        let count = messages.len();
        let entries: Result<_, _> = messages.into_iter().enumerate().map(entry).collect();
        let entries = entries.map_err(|e| Error::new(ErrorKind::Refused, e.to_string()))?;
        let request = self.client.send_message_batch().queue_url(&queue.0);
        let answer = request.set_entries(Some(entries)).send().await;
        let answer =
            answer.map_err(|e| port_error(&self.place, format!("messages to {queue}"), e))?;
        let accepted = answer.successful.iter().map(|entry| entry.id.as_str());
        self.outcome(count, accepted, &answer.failed)
    }

    async fn delete(&self, queue: &QueueUrl, receipt: &ReceiptHandle) -> Result<(), Error> {
        self.client
            .delete_message()
            .queue_url(&queue.0)
            .receipt_handle(&receipt.0)
            .send()
            .await
            .map(drop)
            .map_err(|e| port_error(&self.place, format!("a message of {queue}"), e))
    }

    async fn delete_batch(
        &self,
        queue: &QueueUrl,
        receipts: Vec<ReceiptHandle>,
    ) -> Result<BatchOutcome, Error> {
        let entry = |(index, receipt): (usize, &ReceiptHandle)| {
            DeleteMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(&receipt.0)
                .build()
        };
        let entries: Result<_, _> = receipts.iter().enumerate().map(entry).collect();
        let entries = entries.map_err(|e| Error::new(ErrorKind::Refused, e.to_string()))?;
        let request = self.client.delete_message_batch().queue_url(&queue.0);
        let answer = request.set_entries(Some(entries)).send().await;
        let answer =
            answer.map_err(|e| port_error(&self.place, format!("messages of {queue}"), e))?;
        let accepted = answer.successful.iter().map(|entry| entry.id.as_str());
        self.outcome(receipts.len(), accepted, &answer.failed)
    }

    async fn change_visibility(
        &self,
        queue: &QueueUrl,
        receipt: &ReceiptHandle,
        timeout: Duration,
    ) -> Result<(), Error> {
        self.client
            .change_message_visibility()
            .queue_url(&queue.0)
            .receipt_handle(&receipt.0)
            .visibility_timeout(whole_seconds(timeout))
            .send()
            .await
            .map(drop)
            .map_err(|e| port_error(&self.place, format!("a message of {queue}"), e))
    }
}

impl Sqs {
    fn url(&self, name: &str, url: Option<String>) -> Result<QueueUrl, Error> {
        url.map(QueueUrl).ok_or_else(|| self.broken(&format!("gave no URL of queue {name}")))
    }

    fn message(
        &self,
        queue: &QueueUrl,
        message: aws_sdk_sqs::types::Message,
    ) -> Result<Message, Error> {
        let attribute = |name| message.attributes.as_ref()?.get(&name)?.parse::<i64>().ok();
        // Unknown to some endpoints: then it counts as the first time.
        let count = attribute(MessageSystemAttributeName::ApproximateReceiveCount)
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or(1);
        let sent = attribute(MessageSystemAttributeName::SentTimestamp).map(Timestamp::from_millis);
        let Some(receipt) = message.receipt_handle else {
            return Err(self.broken(&format!("gave a message of {queue} without a receipt")));
        };
        Ok(Message {
            message_id: message.message_id.unwrap_or_default(),
            receipt_handle: ReceiptHandle(receipt),
            body: message.body.unwrap_or_default(),
            receive_count: count,
            sent,
        })
    }

    /// Entries are named by their index. One that the answer does not mention may come back.
    fn outcome<'a>(
        &self,
        count: usize,
        accepted: impl Iterator<Item = &'a str>,
        failed: &[BatchResultErrorEntry],
    ) -> Result<BatchOutcome, Error> {
        let silent = || Err(self.broken("says nothing about an entry of a batch"));
        let mut outcome: BatchOutcome = std::iter::repeat_with(silent).take(count).collect();
        let accepted = accepted.map(|id| (id, Ok(())));
        let failed = failed.iter().map(|entry| (entry.id.as_str(), Err(entry_error(entry))));
        for (id, became) in accepted.chain(failed) {
            let index = id.parse::<usize>().ok().and_then(|index| outcome.get_mut(index));
            match index {
                Some(entry) => *entry = became,
                None => return Err(self.broken(&format!("answers an entry {id} nobody sent"))),
            }
        }
        Ok(outcome)
    }

    fn broken(&self, what: &str) -> Error {
        Error::new(ErrorKind::Broken, format!("{} {what}", self.place))
    }
}

/// Configurations name a queue either way.
fn whole_url(name: &str) -> Option<QueueUrl> {
    name.contains("://").then(|| QueueUrl(name.to_owned()))
}

/// Rounded up: a wait of half a second is no short poll.
fn whole_seconds(duration: Duration) -> i32 {
    number(duration.as_secs() + u64::from(duration.subsec_nanos() > 0))
}

fn number(number: u64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
