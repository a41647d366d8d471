//! Queues in memory, with what a standard queue of SQS may do to a message: hand it out twice,
//! in any order, and again when nobody deletes it.
//!
//! Time is tokio's, so a test that pauses it waits for nothing.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::{sync::Notify, time::Instant};

use crate::{
    Error, ErrorKind, Message, MessageQueue, OutgoingMessage, QueueUrl, ReceiptHandle, Receive,
};

/// SQS's own, where a queue sets none.
const VISIBILITY: Duration = Duration::from_secs(30);

/// Queues by name; a URL is the name. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct MemoryQueues(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct State {
    queues: BTreeMap<String, Vec<Held>>,
    failures: VecDeque<ErrorKind>,
    last_id: u64,
    deleted: Vec<String>,
}

#[derive(Debug)]
struct Held {
    id: String,
    body: String,
    receive_count: u32,
    visible_at: Instant,
}

impl MemoryQueues {
    /// With these queues.
    pub fn with_queues<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let queues = Self::default();
        for name in names {
            queues.state().queues.entry(name.to_owned()).or_default();
        }
        queues
    }

    /// The next calls fail so, one each.
    pub fn fail(&self, kinds: impl IntoIterator<Item = ErrorKind>) {
        self.state().failures.extend(kinds);
    }

    /// Takes a queue away, with what is in it.
    pub fn remove(&self, name: &str) {
        self.state().queues.remove(name);
        self.0.arrived.notify_waiters();
    }

    /// The bodies of what nobody has deleted, hidden or not.
    pub fn bodies(&self, name: &str) -> Vec<String> {
        let state = self.state();
        let held = state.queues.get(name).map(Vec::as_slice).unwrap_or_default();
        held.iter().map(|held| held.body.clone()).collect()
    }

    /// The bodies of what was deleted, in that order.
    pub fn deleted(&self) -> Vec<String> {
        self.state().deleted.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failure(&self) -> Result<(), Error> {
        match self.state().failures.pop_front() {
            Some(kind) => Err(Error::new(kind, "as the test asked for")),
            None => Ok(()),
        }
    }

    fn take(&self, queue: &QueueUrl, receive: &Receive) -> Result<Vec<Message>, Error> {
        let now = Instant::now();
        let mut state = self.state();
        let held = state.queues.get_mut(&queue.0).ok_or_else(|| absent(queue))?;
        let visible = held.iter_mut().filter(|held| held.visible_at <= now);
        let taken = visible.take(receive.max_messages as usize).map(|held| {
            held.receive_count += 1;
            held.visible_at = now + receive.visibility_timeout.unwrap_or(VISIBILITY);
            Message {
                message_id: held.id.clone(),
                receipt_handle: ReceiptHandle(held.id.clone()),
                body: held.body.clone(),
                receive_count: held.receive_count,
                sent: None,
            }
        });
        Ok(taken.collect())
    }

    fn next_visible(&self, queue: &QueueUrl) -> Option<Instant> {
        self.state().queues.get(&queue.0)?.iter().map(|held| held.visible_at).min()
    }
}

fn absent(queue: &QueueUrl) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no queue {queue}"))
        .with_code("QueueDoesNotExist")
}

#[async_trait]
impl MessageQueue for MemoryQueues {
    async fn queue_url(&self, name: &str) -> Result<QueueUrl, Error> {
        let url = QueueUrl(name.to_owned());
        if self.state().queues.contains_key(name) { Ok(url) } else { Err(absent(&url)) }
    }

    async fn create_queue(&self, name: &str) -> Result<QueueUrl, Error> {
        self.state().queues.entry(name.to_owned()).or_default();
        Ok(QueueUrl(name.to_owned()))
    }

    async fn receive(&self, queue: &QueueUrl, receive: Receive) -> Result<Vec<Message>, Error> {
        self.failure()?;
        let end = Instant::now() + receive.wait;
        loop {
            let arrived = self.0.arrived.notified();
            tokio::pin!(arrived);
            // From here on, before the look.
            arrived.as_mut().enable();
            let messages = self.take(queue, &receive)?;
            if !messages.is_empty() || Instant::now() >= end {
                return Ok(messages);
            }
            let until = self.next_visible(queue).map_or(end, |at| at.min(end));
            tokio::select! {
                () = arrived => {}
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }

    async fn send(&self, queue: &QueueUrl, message: OutgoingMessage) -> Result<(), Error> {
        self.failure()?;
        {
            let mut state = self.state();
            state.last_id += 1;
            let id = format!("m-{}", state.last_id);
            let held = state.queues.get_mut(&queue.0).ok_or_else(|| absent(queue))?;
            let visible_at = Instant::now();
            held.push(Held { id, body: message.body, receive_count: 0, visible_at });
        }
        self.0.arrived.notify_waiters();
        Ok(())
    }

    async fn delete(&self, queue: &QueueUrl, receipt: &ReceiptHandle) -> Result<(), Error> {
        self.failure()?;
        let mut state = self.state();
        let held = state.queues.get_mut(&queue.0).ok_or_else(|| absent(queue))?;
        if let Some(index) = held.iter().position(|held| held.id == receipt.0) {
            let body = held.remove(index).body;
            state.deleted.push(body);
        }
        Ok(())
    }

    async fn change_visibility(
        &self,
        queue: &QueueUrl,
        receipt: &ReceiptHandle,
        timeout: Duration,
    ) -> Result<(), Error> {
        self.failure()?;
        {
            let mut state = self.state();
            let held = state.queues.get_mut(&queue.0).ok_or_else(|| absent(queue))?;
            if let Some(held) = held.iter_mut().find(|held| held.id == receipt.0) {
                held.visible_at = Instant::now() + timeout;
            }
        }
        self.0.arrived.notify_waiters();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_not_deleted_is_handed_out_again() {
        let queues = MemoryQueues::with_queues(["q"]);
        let queue = queues.queue_url("q").await.unwrap();
        queues.send(&queue, OutgoingMessage::new("1")).await.unwrap();
        let wait = Duration::from_secs(20);
        let receive = Receive { max_messages: 10, wait, visibility_timeout: None };
        let first = queues.receive(&queue, receive).await.unwrap();
        assert_eq!((first.len(), first[0].receive_count), (1, 1));
        assert!(queues.receive(&queue, receive).await.unwrap().is_empty());
        let again = queues.receive(&queue, receive).await.unwrap();
        assert_eq!(again[0].receive_count, 2);
        queues.delete(&queue, &again[0].receipt_handle).await.unwrap();
        assert!(queues.bodies("q").is_empty());
        assert_eq!(queues.deleted(), ["1"]);
        queues.remove("q");
        let error = queues.receive(&queue, receive).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}
