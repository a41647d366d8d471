//! The one reader of the output queue, and what deletes what was handed over.

use std::{sync::Arc, time::Duration};

use cpe_ports::{BlobStore, ErrorKind, MAX_BATCH, Message, MessageQueue, QueueUrl, Receive};
use futures::future::join_all;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{
    config::Unwatched,
    error::Error,
    event::Event,
    hub::{Found, Hub},
    long_texts,
};

const WAIT: Duration = Duration::from_secs(20);
const MIN_BACKOFF: Duration = Duration::from_millis(200);
const MAX_BACKOFF: Duration = Duration::from_secs(30);
/// Attempts to delete a batch; what is not deleted comes again, and is known.
const DELETES: u32 = 3;

pub(crate) struct Reader {
    pub(crate) hub: Arc<Hub>,
    pub(crate) queues: Arc<dyn MessageQueue>,
    pub(crate) blobs: Option<Arc<dyn BlobStore>>,
    pub(crate) queue: QueueUrl,
    pub(crate) unwatched: Unwatched,
}

impl Reader {
    /// Reads until `stop`, or until the queue can be read no more.
    pub(crate) async fn read(&self, stop: CancellationToken) {
        let receive = Receive { max_messages: 10, wait: WAIT, visibility_timeout: None };
        let mut backoff = MIN_BACKOFF;
        loop {
            // A receive that is cut off hides what it got for the queue's visibility timeout.
            let received = tokio::select! {
                () = stop.cancelled() => break,
                received = self.queues.receive(&self.queue, receive) => received,
            };
            match received {
                Ok(messages) => {
                    backoff = MIN_BACKOFF;
                    self.hand_on(messages).await;
                }
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Refused) => {
                    self.hub.fail(Error::Receive(Arc::new(error)));
                    return;
                }
                Err(error) => {
                    warn!(queue = %self.queue, %error, ?backoff, "Events cannot be received");
                    tokio::select! {
                        () = stop.cancelled() => break,
                        () = tokio::time::sleep(backoff) => {}
                    }
                    backoff = (backoff * 2).min(MAX_BACKOFF);
                }
            }
        }
        self.hub.fail(Error::Closed);
    }

    async fn hand_on(&self, messages: Vec<Message>) {
        let read = messages.into_iter().map(async |message| {
            let mut event = Event::parse(&message.body);
            if let Ok(event) = &mut event {
                long_texts::follow(self.blobs.as_ref(), event).await;
            }
            (message, event)
        });
        let mut foreign = Vec::new();
        for (message, event) in join_all(read).await {
            let Message { message_id, receipt_handle, .. } = message;
            let found = match event {
                Ok(event) => {
                    let receipt = receipt_handle.clone();
                    self.hub.found(&message_id, receipt, event, Instant::now())
                }
                Err(error) => {
                    warn!(queue = %self.queue, message_id, %error, "A message is left out");
                    Found::Foreign
                }
            };
            if found == Found::Foreign {
                debug!(queue = %self.queue, message_id, "Nobody waits for a message");
                foreign.push(receipt_handle);
            }
        }
        if self.unwatched == Unwatched::Delete && !foreign.is_empty() {
            self.delete(foreign).await;
        }
    }

    /// Deletes what was handed over, until `stop` and nothing is left.
    pub(crate) async fn acknowledge(&self, stop: CancellationToken) {
        loop {
            let batch = self.hub.acks(MAX_BATCH);
            if !batch.is_empty() {
                self.delete(batch).await;
                continue;
            }
            if stop.is_cancelled() {
                return;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.hub.handed.notified() => {}
            }
        }
    }

    async fn delete(&self, mut receipts: Vec<cpe_ports::ReceiptHandle>) {
        let mut backoff = MIN_BACKOFF;
        for attempt in 1..=DELETES {
            match self.queues.delete_batch(&self.queue, receipts.clone()).await {
                Ok(outcome) => {
                    let left = receipts.into_iter().zip(outcome);
                    let failed = left.filter(|(_, became)| {
                        became.as_ref().is_err_and(|error| error.kind().is_transient())
                    });
                    receipts = failed.map(|(receipt, _)| receipt).collect();
                }
                Err(error) if error.kind().is_transient() => {
                    debug!(queue = %self.queue, %error, "Messages cannot be deleted yet");
                }
                Err(error) => {
                    warn!(queue = %self.queue, %error, "Messages cannot be deleted");
                    return;
                }
            }
            if receipts.is_empty() || attempt == DELETES {
                return;
            }
            tokio::time::sleep(backoff).await;
            backoff *= 2;
        }
    }
}
