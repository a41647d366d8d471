//! The queues, metered: commands that come in, events that go out.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use cpe_ports::{
    BatchOutcome, Error, Message, MessageQueue, OutgoingMessage, QueueUrl, ReceiptHandle, Receive,
};
use serde::Deserialize;
use tokio::time::Instant;

use super::{Metrics, NOBODY, Use};

/// All types that events have; another one is none of this version's.
const EVENTS: [&str; 21] = [
    "WORKFLOW_SCHEDULED",
    "COMMAND_REJECTED",
    "JOB_DELAYED",
    "JOB_CANCEL_REQUESTED",
    "ACTIVITY_CANCEL_REQUESTED",
    "JOB_SIGNALED",
    "JOB_STATUS",
    "JOB_LIST",
    "ACTIVITY_STATUS",
    "ACTIVITY_LIST",
    "JOB_STARTED",
    "JOB_COMPLETED",
    "JOB_FAILED",
    "JOB_CANCELED",
    "ACTIVITY_SCHEDULED",
    "ACTIVITY_STARTED",
    "ACTIVITY_PROGRESS",
    "ACTIVITY_COMPLETED",
    "ACTIVITY_FAILED",
    "ACTIVITY_TIMEOUT",
    "ACTIVITY_CANCELED",
];

#[derive(Debug)]
pub(super) struct Metered {
    inner: Arc<dyn MessageQueue>,
    metrics: Metrics,
}

impl Metered {
    pub(super) fn new(inner: Arc<dyn MessageQueue>, metrics: Metrics) -> Self {
        Self { inner, metrics }
    }

    fn look<T>(&self, answer: Result<T, Error>) -> Result<T, Error> {
        self.metrics.look("sqs", answer)
    }

    fn sent(&self, queue: &QueueUrl, kind: &'static str) {
        match self.metrics.use_of(queue) {
            Some((client, Use::Output)) => {
                let labels = [("client", client), ("type", kind.to_owned())];
                self.metrics.tables().events_sent.get_or_create(&labels).inc();
            }
            Some((client, Use::DeadLetters)) => self.count_messages(client, "dead", 1),
            Some((_, Use::Input)) | None => {}
        }
    }

    fn removed(&self, queue: &QueueUrl, count: usize) {
        if let Some((client, Use::Input)) = self.metrics.use_of(queue) {
            self.count_messages(client, "handled", count);
        }
    }

    fn count_messages(&self, client: String, outcome: &str, count: usize) {
        let labels = [("client", client), ("outcome", outcome.to_owned())];
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.metrics.tables().messages.get_or_create(&labels).inc_by(count);
    }
}

/// The type of the event that a message is.
fn kind(body: &str) -> &'static str {
    #[derive(Deserialize)]
    struct Head {
        r#type: String,
    }
    let head = serde_json::from_str::<Head>(body).ok();
    let known = head.and_then(|head| EVENTS.iter().find(|known| **known == head.r#type));
    known.copied().unwrap_or(NOBODY)
}

#[async_trait]
impl MessageQueue for Metered {
    async fn queue_url(&self, name: &str) -> Result<QueueUrl, Error> {
        self.look(self.inner.queue_url(name).await)
    }

    async fn create_queue(&self, name: &str) -> Result<QueueUrl, Error> {
        self.look(self.inner.create_queue(name).await)
    }

    async fn receive(&self, queue: &QueueUrl, receive: Receive) -> Result<Vec<Message>, Error> {
        let since = Instant::now();
        let answer = self.look(self.inner.receive(queue, receive).await);
        self.metrics.polled("input", since, &answer, |messages| !messages.is_empty());
        if let (Ok(messages), Some((client, Use::Input))) = (&answer, self.metrics.use_of(queue)) {
            self.count_messages(client, "received", messages.len());
        }
        if let (Ok(messages), Some(traces)) = (&answer, self.metrics.traces()) {
            traces.received(queue, messages);
        }
        answer
    }

    async fn send(&self, queue: &QueueUrl, message: OutgoingMessage) -> Result<(), Error> {
        let kind = kind(&message.body);
        let span = self.metrics.traces().and_then(|traces| traces.sending(queue, &message.body));
        let sent = self.look(self.inner.send(queue, message).await);
        self.metrics.close(span, &sent);
        if sent.is_ok() {
            self.sent(queue, kind);
        }
        sent
    }

    async fn send_batch(
        &self,
        queue: &QueueUrl,
        messages: Vec<OutgoingMessage>,
    ) -> Result<BatchOutcome, Error> {
        let kinds: Vec<_> = messages.iter().map(|message| kind(&message.body)).collect();
        let span = |message: &OutgoingMessage| {
            self.metrics.traces().and_then(|traces| traces.sending(queue, &message.body))
        };
        let spans: Vec<_> = messages.iter().map(span).collect();
        let outcome = self.look(self.inner.send_batch(queue, messages).await)?;
        for ((kind, span), sent) in kinds.into_iter().zip(spans).zip(&outcome) {
            self.metrics.close(span, sent);
            if sent.is_ok() {
                self.sent(queue, kind);
            }
        }
        Ok(outcome)
    }

    async fn delete(&self, queue: &QueueUrl, receipt: &ReceiptHandle) -> Result<(), Error> {
        let deleted = self.look(self.inner.delete(queue, receipt).await);
        if deleted.is_ok() {
            self.removed(queue, 1);
        }
        deleted
    }

    async fn delete_batch(
        &self,
        queue: &QueueUrl,
        receipts: Vec<ReceiptHandle>,
    ) -> Result<BatchOutcome, Error> {
        let outcome = self.look(self.inner.delete_batch(queue, receipts).await)?;
        self.removed(queue, outcome.iter().filter(|deleted| deleted.is_ok()).count());
        Ok(outcome)
    }

    async fn change_visibility(
        &self,
        queue: &QueueUrl,
        receipt: &ReceiptHandle,
        timeout: Duration,
    ) -> Result<(), Error> {
        self.look(self.inner.change_visibility(queue, receipt, timeout).await)
    }
}
