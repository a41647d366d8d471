//! A client application of a bench: what it says, and when it hears what.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use cpe_ports::{Clock, MAX_BATCH, MessageQueue, OutgoingMessage, QueueUrl, Receive, SystemClock};
use serde_json::{Value, json};
use tokio::{sync::Notify, task::JoinSet};

/// Receives that are open at a time, on one queue.
const RECEIVERS: usize = 4;

/// Sends commands.
#[derive(Clone)]
pub(crate) struct Mouth {
    queues: Arc<dyn MessageQueue>,
    input: QueueUrl,
    count: Arc<AtomicUsize>,
}

impl Mouth {
    pub(crate) fn new(queues: Arc<dyn MessageQueue>, input: QueueUrl) -> Self {
        Self { queues, input, count: Arc::default() }
    }

    pub(crate) fn fresh(&self, what: &str) -> String {
        format!("{what}-{}", self.count.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) async fn start(&self, job_ids: &[String]) {
        for batch in job_ids.chunks(MAX_BATCH) {
            let message = |job_id| {
                let message = json!({
                    "time": SystemClock.now(), "type": "START_JOB", "jobId": job_id,
                    "data": {"workflow": {"name": "One", "version": "1"}},
                });
                OutgoingMessage::new(message.to_string())
            };
            let messages = batch.iter().map(message).collect();
            for sent in self.queues.send_batch(&self.input, messages).await.unwrap() {
                sent.unwrap();
            }
        }
    }
}

/// Hears events.
pub(crate) struct Ear {
    heard: Arc<Heard>,
    receivers: JoinSet<()>,
}

#[derive(Default)]
struct Heard {
    /// When the first event of a job was heard, and when the last one.
    jobs: Mutex<HashMap<String, (Instant, Option<Instant>)>>,
    ended: Notify,
}

impl Ear {
    pub(crate) fn new(queues: Arc<dyn MessageQueue>, output: QueueUrl) -> Self {
        let heard = Arc::new(Heard::default());
        let mut receivers = JoinSet::new();
        for _ in 0..RECEIVERS {
            let (queues, output, heard) = (queues.clone(), output.clone(), Arc::clone(&heard));
            receivers.spawn(async move {
                loop {
                    listen(&*queues, &output, &heard).await;
                }
            });
        }
        Self { heard, receivers }
    }

    /// Waits for the last events of all these jobs.
    pub(crate) async fn all(&self, job_ids: &[String]) {
        for id in job_ids {
            self.ends(id).await;
        }
    }

    /// Milliseconds to the first and to the last event.
    pub(crate) async fn latency(&self, job_id: &str, sent: Instant) -> (f64, f64) {
        let (first, last) = self.ends(job_id).await;
        let millis = |at: Instant| at.duration_since(sent).as_secs_f64() * 1e3;
        (millis(first), millis(last))
    }

    async fn ends(&self, job_id: &str) -> (Instant, Instant) {
        loop {
            let ended = self.heard.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            let known = self.heard.jobs.lock().unwrap().get(job_id).copied();
            if let Some((first, Some(last))) = known {
                return (first, last);
            }
            ended.await;
        }
    }

    pub(crate) async fn stop(mut self) {
        self.receivers.shutdown().await;
    }
}

async fn listen(queues: &dyn MessageQueue, output: &QueueUrl, heard: &Heard) {
    let wait = Duration::from_secs(5);
    let receive = Receive { max_messages: 10, wait, visibility_timeout: None };
    let messages = queues.receive(output, receive).await.unwrap();
    if messages.is_empty() {
        return;
    }
    let now = Instant::now();
    {
        let mut jobs = heard.jobs.lock().unwrap();
        for message in &messages {
            let event: Value = serde_json::from_str(&message.body).unwrap();
            assert!(
                event["type"] != "JOB_FAILED" && event["type"] != "COMMAND_REJECTED",
                "{event}"
            );
            let job_id = event["jobId"].as_str().unwrap();
            let times = jobs.entry(job_id.to_owned()).or_insert((now, None));
            if event["type"] == "JOB_COMPLETED" {
                times.1.get_or_insert(now);
            }
        }
    }
    heard.ended.notify_waiters();
    let receipts = messages.into_iter().map(|message| message.receipt_handle).collect();
    for deleted in queues.delete_batch(output, receipts).await.unwrap() {
        deleted.unwrap();
    }
}

/// The value that so many of a hundred do not exceed.
pub(crate) fn percentile(values: &[f64], rank: usize) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[(values.len() * rank / 100).min(values.len() - 1)]
}
