//! SQS, with faults: messages also come twice, late, and in another order.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;

use super::Faults;
use crate::{
    BatchOutcome, Error, ErrorKind, Message, MessageQueue, OutgoingMessage, QueueUrl,
    ReceiptHandle, Receive,
};

#[derive(Debug)]
pub(super) struct Faulty {
    inner: Arc<dyn MessageQueue>,
    faults: Faults,
    /// What is delivered by a later receive.
    later: Mutex<BTreeMap<QueueUrl, VecDeque<Message>>>,
}

impl Faulty {
    pub(super) fn new(inner: Arc<dyn MessageQueue>, faults: Faults) -> Self {
        Self { inner, faults, later: Mutex::default() }
    }

    /// What of the messages that came is delivered now, with what was kept back before.
    fn deliver(&self, queue: &QueueUrl, came: Vec<Message>, most: usize) -> Vec<Message> {
        let rates = &self.faults.0.rates;
        let mut all = self.later.lock().unwrap_or_else(PoisonError::into_inner);
        let later = all.entry(queue.clone()).or_default();
        let mut now: Vec<_> = later.drain(..).collect();
        for message in came {
            if self.faults.happens("ReceiveMessage", "repeated", rates.repeated) {
                let receive_count = message.receive_count + 1;
                later.push_back(Message { receive_count, ..message.clone() });
            }
            if self.faults.happens("ReceiveMessage", "overtaken", rates.overtaken) {
                later.push_back(message);
            } else {
                now.push(message);
            }
        }
        if !self.faults.is_over() {
            now.sort_by_cached_key(|_| self.faults.dice("order"));
        }
        later.extend(now.split_off(now.len().min(most)));
        now
    }

    /// Which entries of a batch do not arrive, although the batch does.
    fn losses(&self, operation: &'static str, entries: usize) -> Vec<bool> {
        let rate = self.faults.0.rates.lost;
        (0..entries).map(|_| self.faults.happens(operation, "entry lost", rate)).collect()
    }
}

/// The answers of those that arrived, with errors in the places of those that did not.
fn merge(losses: &[bool], arrived: BatchOutcome) -> BatchOutcome {
    let mut arrived = arrived.into_iter();
    let lost = || Err(Error::new(ErrorKind::Unavailable, "this entry failed"));
    losses
        .iter()
        .map(|is_lost| if *is_lost { lost() } else { arrived.next().unwrap_or_else(lost) })
        .collect()
}

fn keep<T>(entries: Vec<T>, losses: &[bool]) -> Vec<T> {
    let kept = entries.into_iter().zip(losses).filter(|(_, is_lost)| !**is_lost);
    kept.map(|(entry, _)| entry).collect()
}

#[async_trait]
impl MessageQueue for Faulty {
    async fn queue_url(&self, name: &str) -> Result<QueueUrl, Error> {
        self.faults.call("GetQueueUrl", self.inner.queue_url(name)).await
    }

    async fn create_queue(&self, name: &str) -> Result<QueueUrl, Error> {
        self.faults.call("CreateQueue", self.inner.create_queue(name)).await
    }

    async fn receive(&self, queue: &QueueUrl, receive: Receive) -> Result<Vec<Message>, Error> {
        let wait = if self.faults.is_at_once() { Duration::ZERO } else { receive.wait };
        let most = usize::try_from(receive.max_messages).unwrap_or(1);
        let receiving = async {
            let came = self.inner.receive(queue, Receive { wait, ..receive }).await?;
            Ok(self.deliver(queue, came, most))
        };
        self.faults.poll("ReceiveMessage", receiving, Vec::is_empty).await
    }

    async fn send(&self, queue: &QueueUrl, message: OutgoingMessage) -> Result<(), Error> {
        let twice = self.faults.happens("SendMessage", "repeated", self.faults.0.rates.repeated);
        let sending = async {
            if twice {
                self.inner.send(queue, message.clone()).await?;
            }
            self.inner.send(queue, message).await
        };
        self.faults.call("SendMessage", sending).await
    }

    async fn send_batch(
        &self,
        queue: &QueueUrl,
        messages: Vec<OutgoingMessage>,
    ) -> Result<BatchOutcome, Error> {
        let losses = self.losses("SendMessageBatch", messages.len());
        let arriving = keep(messages, &losses);
        let sending = async {
            if arriving.is_empty() {
                return Ok(Vec::new());
            }
            self.inner.send_batch(queue, arriving).await
        };
        let arrived = self.faults.call("SendMessageBatch", sending).await?;
        Ok(merge(&losses, arrived))
    }

    async fn delete(&self, queue: &QueueUrl, receipt: &ReceiptHandle) -> Result<(), Error> {
        self.faults.call("DeleteMessage", self.inner.delete(queue, receipt)).await
    }

    async fn delete_batch(
        &self,
        queue: &QueueUrl,
        receipts: Vec<ReceiptHandle>,
    ) -> Result<BatchOutcome, Error> {
        let losses = self.losses("DeleteMessageBatch", receipts.len());
        let arriving = keep(receipts, &losses);
        let deleting = async {
            if arriving.is_empty() {
                return Ok(Vec::new());
            }
            self.inner.delete_batch(queue, arriving).await
        };
        let arrived = self.faults.call("DeleteMessageBatch", deleting).await?;
        Ok(merge(&losses, arrived))
    }

    async fn change_visibility(
        &self,
        queue: &QueueUrl,
        receipt: &ReceiptHandle,
        timeout: Duration,
    ) -> Result<(), Error> {
        let changing = self.inner.change_visibility(queue, receipt, timeout);
        self.faults.call("ChangeMessageVisibility", changing).await
    }
}
