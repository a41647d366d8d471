//! Events for clients whose output queues take none at the moment.
//!
//! A queue that fails must block neither other clients nor the workflow. So what cannot be sent
//! is parked in a bucket, where it outlives this process, and the queue is left alone for a
//! while; [`Outbox::deliver`] sends what was parked as soon as the queue takes it again. An event
//! is deleted there after it was sent, so it arrives at least once, with its own `eventId`.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use cpe_ports::{
    BlobStore, Clock, Error, ErrorKind, ListObjects, MessageQueue, ObjectAddress, OutgoingMessage,
    PutOptions, QueueUrl,
};
use cpe_protocol::ClientName;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{Backoff, Client, ClientRegistry, Ports, backoff::retrying};

/// How long a queue that failed is left alone.
const REST: Duration = Duration::from_secs(30);
/// Between two looks at what is parked.
const BETWEEN: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(5);
/// Events that one process parks for one client before it drops those that end no job.
const MAX_PARKED: u64 = 10_000;
/// Events sent in one look, for one client.
const AT_ONCE: u32 = 1_000;
/// More than SQS carries.
const MAX_BYTES: usize = 2 << 20;

#[derive(Debug)]
pub struct Outbox {
    blobs: Arc<dyn BlobStore>,
    queues: Arc<dyn MessageQueue>,
    clock: Arc<dyn Clock>,
    bucket: String,
    prefix: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Queues that failed, and until when they rest.
    resting: HashMap<QueueUrl, Instant>,
    parked: HashMap<ClientName, u64>,
    /// Makes keys differ that are written in one millisecond.
    count: u64,
}

/// An event as it is parked.
#[derive(Debug, Serialize, Deserialize)]
struct Parked {
    body: String,
    group_id: Option<String>,
    deduplication_id: Option<String>,
}

impl Outbox {
    /// `prefix` is put before every key as it is: end it with a slash to have a folder.
    pub fn new(ports: &Ports, bucket: String, prefix: String) -> Self {
        Self {
            blobs: Arc::clone(&ports.blobs),
            queues: Arc::clone(&ports.queues),
            clock: Arc::clone(&ports.clock),
            bucket,
            prefix,
            state: Mutex::default(),
        }
    }

    pub(crate) fn is_resting(&self, queue: &QueueUrl) -> bool {
        let mut state = self.lock();
        match state.resting.get(queue) {
            Some(until) if *until > Instant::now() => true,
            Some(_) => {
                state.resting.remove(queue);
                false
            }
            None => false,
        }
    }

    pub(crate) fn failed(&self, queue: &QueueUrl) {
        self.lock().resting.insert(queue.clone(), Instant::now() + REST);
    }

    /// Keeps an event until the queue takes it. `must` is for what a client has to hear: the
    /// rest is dropped, with a word in the log, where there is no room or no bucket.
    pub(crate) async fn park(
        &self,
        client: &Client,
        message: OutgoingMessage,
        must: bool,
    ) -> Result<(), Error> {
        let key = {
            let mut state = self.lock();
            state.count += 1;
            let count = state.count;
            let parked = state.parked.entry(client.name.clone()).or_default();
            *parked += 1;
            if *parked > MAX_PARKED && !must {
                warn!(client = %client.name, "An event is dropped: {MAX_PARKED} wait already");
                return Ok(());
            }
            let (now, process) = (self.clock.now().as_millis(), std::process::id());
            format!("{}{now:015}-{process:08}-{count:010}.json", self.folder(&client.name))
        };
        let parked = Parked {
            body: message.body,
            group_id: message.group_id,
            deduplication_id: message.deduplication_id,
        };
        let body = Bytes::from(serde_json::to_vec(&parked).unwrap_or_default());
        let at = ObjectAddress::new(&self.bucket, key);
        let put = || self.blobs.put(&at, body.clone(), PutOptions::default());
        match retrying(Backoff::default(), PATIENCE, put).await {
            Ok(_) => Ok(()),
            Err(error) if must => Err(error),
            Err(error) => {
                warn!(client = %client.name, %error, "An event is lost: it can neither be sent nor kept");
                Ok(())
            }
        }
    }

    /// Looks again and again until `stop`.
    pub(crate) async fn deliver(&self, clients: &ClientRegistry, stop: &CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(BETWEEN) => {}
            }
            for client in clients.current().iter() {
                match self.deliver_to(client).await {
                    Ok(0) => {}
                    Ok(sent) => info!(client = %client.name, sent, "Parked events are sent"),
                    Err(error) => {
                        warn!(client = %client.name, %error, "Parked events cannot be sent yet");
                    }
                }
            }
        }
    }

    /// Sends what is parked for one client, the oldest first; answers how many.
    pub(crate) async fn deliver_to(&self, client: &Client) -> Result<usize, Error> {
        let list = ListObjects {
            bucket: self.bucket.clone(),
            prefix: self.folder(&client.name),
            start_after: None,
            max_keys: AT_ONCE,
        };
        let page = match self.blobs.list(list).await {
            Ok(page) => page,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error),
        };
        let mut sent = 0;
        for (key, _) in page.objects {
            let at = ObjectAddress::new(&self.bucket, key);
            match self.read(&at).await {
                Ok(Some(message)) => self.send(client, message).await?,
                Ok(None) => warn!(client = %client.name, %at, "What was parked is no event"),
                // Another process was faster.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            }
            self.blobs.delete(&at).await?;
            sent += 1;
        }
        self.lock().parked.remove(&client.name);
        self.lock().resting.remove(&client.output);
        Ok(sent)
    }

    async fn send(&self, client: &Client, message: OutgoingMessage) -> Result<(), Error> {
        match self.queues.send(&client.output, message).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                warn!(client = %client.name, %error, "Nobody hears events: the queue is gone");
                Ok(())
            }
            sent => sent,
        }
    }

    async fn read(&self, at: &ObjectAddress) -> Result<Option<OutgoingMessage>, Error> {
        let bytes = self.blobs.get(at, None).await?.whole(MAX_BYTES).await?;
        let parked = bytes.and_then(|bytes| serde_json::from_slice::<Parked>(&bytes).ok());
        Ok(parked.map(|Parked { body, group_id, deduplication_id }| OutgoingMessage {
            body,
            group_id,
            deduplication_id,
        }))
    }

    /// Where something else of this fleet is kept, beside the events.
    pub(crate) fn beside(&self, name: &str) -> ObjectAddress {
        ObjectAddress::new(&self.bucket, format!("{}{name}", self.prefix))
    }

    fn folder(&self, client: &ClientName) -> String {
        format!("{}parked/{client}/", self.prefix)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use cpe_ports::testing::MemoryBlobs;

    use super::*;
    use crate::testing::{ScriptedQueues, client, ports};

    fn outbox(queues: &ScriptedQueues, blobs: &MemoryBlobs) -> Outbox {
        let ports = Ports { blobs: Arc::new(blobs.clone()), ..ports(queues) };
        Outbox::new(&ports, "b".to_owned(), "p/".to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_parked_is_sent_in_order_when_the_queue_takes_it() {
        let (queues, blobs) = (ScriptedQueues::default(), MemoryBlobs::with_buckets(["b"]));
        let (outbox, client) = (outbox(&queues, &blobs), client("c"));
        for body in ["1", "2", "3"] {
            outbox.park(&client, OutgoingMessage::new(body), false).await.unwrap();
        }
        assert_eq!(blobs.keys("b").len(), 3);
        assert!(blobs.keys("b")[0].starts_with("p/parked/c/"));
        queues.fail_sends([ErrorKind::Refused]);
        outbox.deliver_to(&client).await.unwrap_err();
        assert_eq!(blobs.keys("b").len(), 3, "nothing is lost");
        assert_eq!(outbox.deliver_to(&client).await.unwrap(), 3);
        assert_eq!(queues.sent(&client.output), [1, 2, 3]);
        assert_eq!(blobs.keys("b"), [""; 0]);
        assert_eq!(outbox.deliver_to(&client).await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_bucket_only_what_must_be_heard_is_an_error() {
        let queues = ScriptedQueues::default();
        let (outbox, client) = (outbox(&queues, &MemoryBlobs::default()), client("c"));
        outbox.park(&client, OutgoingMessage::new("1"), false).await.unwrap();
        outbox.park(&client, OutgoingMessage::new("1"), true).await.unwrap_err();
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_failed_rests_for_a_while() {
        let outbox = outbox(&ScriptedQueues::default(), &MemoryBlobs::default());
        let queue = client("c").output;
        outbox.failed(&queue);
        assert!(outbox.is_resting(&queue));
        tokio::time::advance(REST).await;
        assert!(!outbox.is_resting(&queue));
    }
}
