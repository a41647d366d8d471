//! Tells clients what happens to their jobs: events, on their output queues.
//!
//! What an event says is [`cpe_protocol`]'s. Here is that it arrives: what may pass is tried
//! again, and whoever must not go on without an event hears when it could not be sent.

use std::{sync::Arc, time::Duration};

use cpe_ports::{Error, ErrorKind, MAX_BATCH, MessageQueue, OutgoingMessage, QueueUrl};
use cpe_protocol::JobEvent;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::Mutex;
use tracing::warn;

use crate::{Backoff, Client, Outbox, Payloads, Ports, backoff::retrying};

/// Well below the time that a decision may take, so that it can still be answered.
const PATIENCE: Duration = Duration::from_secs(20);
/// Batches at a time.
const AT_A_TIME: usize = 4;
/// Bodies of one batch together, at most, which every SQS takes: AWS takes four times as much.
const BATCH_BYTES: usize = 256 << 10;
/// Of one message, likewise. All that is longer carries a text that SWF does not take either, so
/// that it stands in the bucket already.
const MAX_BODY: usize = BATCH_BYTES;

/// For what is not worth waiting for.
const BRIEFLY: Duration = Duration::from_secs(3);

#[derive(Debug, Clone)]
pub(crate) struct Teller {
    queues: Arc<dyn MessageQueue>,
    /// The longest texts of events stand there.
    payloads: Arc<Payloads>,
    backoff: Backoff,
}

/// A message, and whether a client has to hear it whatever happens.
#[derive(Debug, Clone)]
struct Outgoing {
    message: OutgoingMessage,
    must: bool,
}

impl Teller {
    pub(crate) fn new(ports: &Ports, payloads: Arc<Payloads>, backoff: Backoff) -> Self {
        Self { queues: Arc::clone(&ports.queues), payloads, backoff }
    }

    /// Sends one event, and again while that may help.
    ///
    /// A client whose queue is gone has stopped listening: that is no error.
    pub(crate) async fn tell(&self, client: &Client, event: &JobEvent) -> Result<(), Error> {
        self.send(client, event, PATIENCE).await
    }

    /// Sends one event that may be lost.
    pub(crate) async fn try_to_tell(&self, client: &Client, event: &JobEvent) -> Result<(), Error> {
        self.send(client, event, BRIEFLY).await
    }

    async fn send(
        &self,
        client: &Client,
        event: &JobEvent,
        patience: Duration,
    ) -> Result<(), Error> {
        let message = self.message(&client.output, event);
        let send = || self.queues.send(&client.output, message.clone());
        match retrying(self.backoff, patience, send).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                nobody_hears(client, &error);
                Ok(())
            }
            sent => sent,
        }
    }

    /// Sends all; what the queue does not take goes to the outbox, so that nobody has to wait for
    /// it. An error is left only where an event that must be heard could not be kept either. Only
    /// a FIFO queue keeps their order.
    pub(crate) async fn tell_all(
        &self,
        outbox: &Outbox,
        client: &Client,
        events: Vec<JobEvent>,
    ) -> Result<(), Error> {
        let outgoing = events.iter().map(|event| Outgoing {
            message: self.message(&client.output, event),
            must: event.data.is_terminal(),
        });
        if outbox.is_resting(&client.output) {
            return park(outbox, client, outgoing.collect()).await;
        }
        let at_a_time = if is_fifo(&client.output) { 1 } else { AT_A_TIME };
        stream::iter(batches(outgoing))
            .map(|batch| self.send_batch(outbox, client, batch))
            .buffered(at_a_time)
            .try_collect()
            .await
    }

    async fn send_batch(
        &self,
        outbox: &Outbox,
        client: &Client,
        batch: Vec<Outgoing>,
    ) -> Result<(), Error> {
        let unsent = Mutex::new(batch);
        let send = || async {
            let batch = unsent.lock().await.clone();
            let messages = batch.iter().map(|outgoing| outgoing.message.clone()).collect();
            let outcome = self.queues.send_batch(&client.output, messages).await?;
            let mut failed = Ok(());
            let mut again = Vec::new();
            for (outgoing, sent) in batch.into_iter().zip(outcome) {
                if let Err(error) = sent {
                    again.push(outgoing);
                    failed = failed.and(Err(error));
                }
            }
            *unsent.lock().await = again;
            failed
        };
        match retrying(self.backoff, PATIENCE, send).await {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                nobody_hears(client, &error);
                Ok(())
            }
            Err(error) => {
                let unsent = unsent.into_inner();
                let events = unsent.len();
                warn!(client = %client.name, %error, events, "Events are parked: the queue fails");
                outbox.failed(&client.output);
                park(outbox, client, unsent).await
            }
        }
    }

    fn message(&self, queue: &QueueUrl, event: &JobEvent) -> OutgoingMessage {
        let body = sendable(event.to_json().to_string());
        if body.len() <= MAX_BODY {
            return message(queue, event, body);
        }
        let mut short = event.clone();
        let execution = event.execution.as_ref();
        short.data.shorten(|text| {
            let workflow_id = &execution?.workflow_id;
            Some(self.payloads.located(workflow_id, text)?.to_string())
        });
        message(queue, event, sendable(short.to_json().to_string()))
    }
}

async fn park(outbox: &Outbox, client: &Client, outgoing: Vec<Outgoing>) -> Result<(), Error> {
    for Outgoing { message, must } in outgoing {
        outbox.park(client, message, must).await?;
    }
    Ok(())
}

fn nobody_hears(client: &Client, error: &Error) {
    let queue = &client.output;
    warn!(client = %client.name, %queue, %error, "Nobody hears events: the queue does not exist");
}

/// In their order, each as large as SQS takes it.
fn batches(outgoing: impl Iterator<Item = Outgoing>) -> Vec<Vec<Outgoing>> {
    let mut batches: Vec<Vec<Outgoing>> = Vec::new();
    let mut bytes = 0;
    for one in outgoing {
        let size = one.message.body.len();
        match batches.last_mut() {
            Some(last) if last.len() < MAX_BATCH && bytes + size <= BATCH_BYTES => {
                bytes += size;
                last.push(one);
            }
            _ => {
                bytes = size;
                batches.push(vec![one]);
            }
        }
    }
    batches
}

fn is_fifo(queue: &QueueUrl) -> bool {
    queue.0.ends_with(".fifo")
}

fn message(queue: &QueueUrl, event: &JobEvent, body: String) -> OutgoingMessage {
    if !is_fifo(queue) {
        return OutgoingMessage::new(body);
    }
    OutgoingMessage {
        body,
        group_id: Some(event.group_id()),
        deduplication_id: event.deduplication_id(),
    }
}

/// SQS refuses two characters that JSON allows. They only stand inside strings, where an escape
/// means the same.
fn sendable(body: String) -> String {
    if body.contains(['\u{fffe}', '\u{ffff}']) {
        body.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff")
    } else {
        body
    }
}

#[cfg(test)]
mod tests {
    use cpe_ports::testing::MemoryBlobs;
    use cpe_protocol::EventData;
    use cpe_swf::{Timestamp, WorkflowExecution};
    use serde_json::Value;

    use super::*;
    use crate::testing::{ScriptedQueues, client, payloads, ports};

    fn event(result: &str) -> JobEvent {
        JobEvent {
            time: Timestamp::from_millis(1_000),
            job_id: None,
            execution: Some(WorkflowExecution { workflow_id: "c.j".into(), run_id: "r".into() }),
            request: None,
            seq: 3,
            data: EventData::JobCompleted { result: Some(result.to_owned()) },
        }
    }

    fn teller(queues: &ScriptedQueues) -> Teller {
        let ports = ports(queues);
        Teller::new(&ports, Arc::new(payloads(&ports)), Backoff::default())
    }

    #[test]
    fn a_result_that_no_message_has_room_for_is_told_by_where_it_stands() {
        let teller = teller(&ScriptedQueues::default());
        let result = format!("\"{}\"", "x".repeat(MAX_BODY));
        let body = teller.message(&QueueUrl("q".into()), &event(&result)).body;
        let read: Value = serde_json::from_str(&body).unwrap();
        let digest = cpe_swf::PayloadRef::of(&result).digest().to_owned();
        assert_eq!(
            read["data"]["result"],
            serde_json::json!({
                "cpe.payload": format!("sha256:{digest}"), "characters": MAX_BODY + 2,
                "bucket": "payloads", "key": format!("p/c/j/{digest}"),
            })
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_tried_again_and_the_rest_is_told() {
        let queues = ScriptedQueues::default();
        let teller = teller(&queues);
        let client = client("c");
        let out = &client.output;
        queues.fail_sends([ErrorKind::Throttled, ErrorKind::Unavailable]);
        teller.tell(&client, &event("{}")).await.unwrap();
        assert_eq!(queues.sent(out).len(), 1);
        queues.fail_sends([ErrorKind::NotFound]);
        teller.tell(&client, &event("{}")).await.unwrap();
        queues.fail_sends([ErrorKind::Refused]);
        teller.tell(&client, &event("{}")).await.unwrap_err();
        assert_eq!(queues.sent(out).len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_batch_only_what_failed_is_sent_again() {
        let queues = ScriptedQueues::default();
        let teller = teller(&queues);
        let outbox = Outbox::new(&ports(&queues), "b".to_owned(), String::new());
        let client = client("c");
        let out = &client.output;
        let events: Vec<_> = ["1", "2", "3"].map(event).into();
        queues.fail_sends([ErrorKind::Throttled]);
        teller.tell_all(&outbox, &client, events.clone()).await.unwrap();
        let results: Vec<_> =
            queues.sent(out).iter().map(|e| e["data"]["result"].clone()).collect();
        assert_eq!(results, [2, 3, 1], "the first failed and came last");
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_takes_nothing_blocks_nobody() {
        let queues = ScriptedQueues::default();
        let blobs = MemoryBlobs::with_buckets(["b"]);
        let ports = Ports { blobs: Arc::new(blobs.clone()), ..ports(&queues) };
        let teller = Teller::new(&ports, Arc::new(payloads(&ports)), Backoff::default());
        let outbox = Outbox::new(&ports, "b".to_owned(), String::new());
        let client = client("c");
        let events: Vec<_> = ["1", "2", "3"].map(event).into();
        queues.fail_sends([ErrorKind::Refused; 2]);
        teller.tell_all(&outbox, &client, events.clone()).await.unwrap();
        assert_eq!((queues.sent(&client.output).len(), blobs.keys("b").len()), (1, 2));
        // It is left alone from now on.
        let began = tokio::time::Instant::now();
        teller.tell_all(&outbox, &client, events.clone()).await.unwrap();
        assert_eq!((queues.sent(&client.output).len(), blobs.keys("b").len()), (1, 5));
        assert_eq!(began.elapsed(), Duration::ZERO);
        // Where nothing can be kept either, a job's end is not given up.
        let nowhere = Outbox::new(&ports, "none".to_owned(), String::new());
        queues.fail_sends([ErrorKind::Refused]);
        teller.tell_all(&nowhere, &client, vec![event("1")]).await.unwrap_err();
    }

    #[test]
    fn batches_are_what_sqs_takes() {
        let sizes = |sizes: &[usize]| -> Vec<usize> {
            let messages = sizes.iter().map(|size| Outgoing {
                message: OutgoingMessage::new("x".repeat(*size)),
                must: false,
            });
            batches(messages).iter().map(Vec::len).collect()
        };
        assert_eq!(sizes(&[1; 23]), [10, 10, 3]);
        assert_eq!(sizes(&[BATCH_BYTES, 1, BATCH_BYTES - 1, 1, 900_000, 1]), [1, 2, 1, 1, 1]);
        assert_eq!(sizes(&[]), [0; 0]);
    }

    #[test]
    fn a_fifo_queue_is_told_what_it_needs() {
        let teller = teller(&ScriptedQueues::default());
        let fifo = teller.message(&QueueUrl("https://q/out.fifo".into()), &event("{}"));
        assert_eq!(fifo.group_id.as_deref(), Some("c.j"));
        assert_eq!(fifo.deduplication_id.as_deref(), Some("r:end"));
        let standard = teller.message(&QueueUrl("https://q/out".into()), &event("{}"));
        assert_eq!(standard.group_id, None);
    }

    #[test]
    fn characters_that_sqs_refuses_are_escaped() {
        let result = "\"\u{fffe} \u{ffff} \u{1}\"".replace('\u{1}', "\\u0001");
        let teller = teller(&ScriptedQueues::default());
        let body = teller.message(&QueueUrl("q".into()), &event(&result)).body;
        assert!(body.chars().all(|c| (' '..'\u{fffe}').contains(&c)), "{body}");
        let read: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(read["data"]["result"], "\u{fffe} \u{ffff} \u{1}");
    }
}
