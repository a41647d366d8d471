//! Message queues, as far as pollers and clients need SQS.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use cpe_swf::Timestamp;

use crate::Error;

/// Entries of one batch at most.
///
/// [Quotas of SQS](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html)
pub const MAX_BATCH: usize = 10;

/// What became of each entry of a batch, in the order of the entries.
pub type BatchOutcome = Vec<Result<(), Error>>;

/// Where a queue is: its URL, as SQS gives it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueUrl(pub String);

impl fmt::Display for QueueUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names one delivery of a message; needed to delete it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReceiptHandle(pub String);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub message_id: String,
    pub receipt_handle: ReceiptHandle,
    pub body: String,
    /// How often this message has been handed out, this time included.
    pub receive_count: u32,
    /// When it was sent, where the queue tells.
    pub sent: Option<Timestamp>,
}

/// How to receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receive {
    /// 1 to 10.
    pub max_messages: u32,
    /// How long to wait for a first message; at most 20 s.
    pub wait: Duration,
    /// For how long the messages stay hidden; the queue's own setting if `None`.
    pub visibility_timeout: Option<Duration>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutgoingMessage {
    pub body: String,
    /// FIFO queues only.
    pub group_id: Option<String>,
    /// FIFO queues only.
    pub deduplication_id: Option<String>,
}

impl OutgoingMessage {
    pub fn new(body: impl Into<String>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }
}

#[async_trait]
pub trait MessageQueue: Send + Sync + fmt::Debug + 'static {
    /// The URL of the queue with this name. `NotFound` if there is none.
    async fn queue_url(&self, name: &str) -> Result<QueueUrl, Error>;

    /// Makes the queue unless it exists.
    async fn create_queue(&self, name: &str) -> Result<QueueUrl, Error>;

    /// Waits for messages. An empty list means that none came in time.
    async fn receive(&self, queue: &QueueUrl, receive: Receive) -> Result<Vec<Message>, Error>;

    async fn send(&self, queue: &QueueUrl, message: OutgoingMessage) -> Result<(), Error>;

    /// Sends up to [`MAX_BATCH`] messages in one request, in their order.
    ///
    /// Each is accepted or not by itself: an error of the call says that no entry's fate is
    /// known. All bodies together must fit what the queue takes in one request. One after the other,
    /// unless the queue can do it at once.
    async fn send_batch(
        &self,
        queue: &QueueUrl,
        messages: Vec<OutgoingMessage>,
    ) -> Result<BatchOutcome, Error> {
        let mut outcome = Vec::with_capacity(messages.len());
        for message in messages {
            outcome.push(self.send(queue, message).await);
        }
        Ok(outcome)
    }

    async fn delete(&self, queue: &QueueUrl, receipt: &ReceiptHandle) -> Result<(), Error>;

    /// Deletes up to [`MAX_BATCH`] messages in one request, each by itself; as
    /// [`Self::send_batch`].
    async fn delete_batch(
        &self,
        queue: &QueueUrl,
        receipts: Vec<ReceiptHandle>,
    ) -> Result<BatchOutcome, Error> {
        let mut outcome = Vec::with_capacity(receipts.len());
        for receipt in &receipts {
            outcome.push(self.delete(queue, receipt).await);
        }
        Ok(outcome)
    }

    /// Hides the message for `timeout` from now on; zero shows it again at once.
    async fn change_visibility(
        &self,
        queue: &QueueUrl,
        receipt: &ReceiptHandle,
        timeout: Duration,
    ) -> Result<(), Error>;
}
