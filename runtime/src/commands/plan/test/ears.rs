//! The client's queue, which keeps what it is told.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use cpe_ports::{Error, Message, MessageQueue, OutgoingMessage, QueueUrl, ReceiptHandle, Receive};
use serde_json::Value;

/// More events than an execution can have in all its runs that a test has time for.
const MAX_EVENTS: usize = 2_000_000;

/// Every event once, in the order in which they were told. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Ears(Arc<Mutex<Heard>>);

#[derive(Debug, Default)]
struct Heard {
    events: Vec<Value>,
    ids: BTreeSet<String>,
}

impl Ears {
    pub(super) fn events(&self) -> Vec<Value> {
        self.lock().events.clone()
    }

    pub(super) fn hear(&self, event: Value) {
        let mut heard = self.lock();
        // As a client does: an event that comes again is known by its id.
        let id = event.get("eventId").and_then(Value::as_str).map(str::to_owned);
        let known = id.is_some_and(|id| !heard.ids.insert(id));
        if !known && heard.events.len() < MAX_EVENTS {
            heard.events.push(event);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl MessageQueue for Ears {
    async fn queue_url(&self, name: &str) -> Result<QueueUrl, Error> {
        Ok(QueueUrl(name.to_owned()))
    }

    async fn create_queue(&self, name: &str) -> Result<QueueUrl, Error> {
        Ok(QueueUrl(name.to_owned()))
    }

    async fn receive(&self, _: &QueueUrl, _: Receive) -> Result<Vec<Message>, Error> {
        Ok(Vec::new())
    }

    async fn send(&self, _: &QueueUrl, message: OutgoingMessage) -> Result<(), Error> {
        let event = serde_json::from_str(&message.body).unwrap_or(Value::String(message.body));
        self.hear(event);
        Ok(())
    }

    async fn delete(&self, _: &QueueUrl, _: &ReceiptHandle) -> Result<(), Error> {
        Ok(())
    }

    async fn change_visibility(
        &self,
        _: &QueueUrl,
        _: &ReceiptHandle,
        _: Duration,
    ) -> Result<(), Error> {
        Ok(())
    }
}
