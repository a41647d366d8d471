//! A client application: sends commands, receives events.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt::Write,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use cpe_ports::{
    Clock, ObjectAddress, OutgoingMessage, PutOptions, QueueUrl, Receive, SystemClock,
};
use cpe_protocol::Command;
use cpe_worker::Ports;
use futures::TryStreamExt;
use serde_json::{Value, json};

use crate::schemas;

/// Nothing in these tests takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct Client {
    ports: Ports,
    name: String,
    input: QueueUrl,
    output: QueueUrl,
    requests: AtomicUsize,
    /// What was received and nobody has heard yet.
    kept: Mutex<Vec<Value>>,
}

impl Client {
    pub async fn new(ports: Ports, name: &str, input: &str, output: &str) -> Self {
        let input = ports.queues.queue_url(input).await.unwrap();
        let output = ports.queues.queue_url(output).await.unwrap();
        let (requests, kept) = (AtomicUsize::default(), Mutex::default());
        Self { ports, name: name.to_owned(), input, output, requests, kept }
    }

    /// Sends any text to the input queue. What CPE reads as a command, its schema must accept.
    pub async fn send(&self, body: impl Into<String>) {
        let body = body.into();
        if Command::parse(&body).is_ok() {
            schemas::check(&serde_json::from_str(&body).unwrap());
        }
        self.ports.queues.send(&self.input, OutgoingMessage::new(body)).await.unwrap();
    }

    /// Sends a command and answers its answer, without looking at what else is heard.
    pub async fn ask(&self, command: &str, job_id: &str, data: Value) -> Value {
        let count = self.requests.fetch_add(1, Ordering::Relaxed);
        let request = format!("{}-{count}", self.name);
        let message = json!({
            "time": SystemClock.now(), "type": command, "jobId": job_id, "requestId": request,
            "data": data,
        });
        self.send(message.to_string()).await;
        let mut events = self.events_until(|event| event["requestId"] == *request).await;
        let answer = events.pop().unwrap();
        self.kept.lock().unwrap().splice(..0, events);
        answer
    }

    /// Sends `START_JOB`; `data` is completed with workflow and client.
    pub async fn start(&self, job_id: &str, plan: (&str, &str), mut data: Value) {
        let object = data.as_object_mut().unwrap();
        object.insert("workflow".into(), json!({"name": plan.0, "version": plan.1}));
        object.insert("client".into(), json!({"name": self.name}));
        let message = json!({
            "time": SystemClock.now(), "type": "START_JOB", "jobId": job_id, "data": data,
        });
        self.send(message.to_string()).await;
    }

    /// The next events of any job, duplicates left out, until one satisfies `last`. What was
    /// received with it is heard next.
    pub async fn events_until(&self, mut last: impl FnMut(&Value) -> bool) -> Vec<Value> {
        let mut waiting = VecDeque::from(std::mem::take(&mut *self.kept.lock().unwrap()));
        let (mut events, mut seen) = (Vec::new(), BTreeSet::new());
        let all = async {
            loop {
                while let Some(event) = waiting.pop_front() {
                    if !seen.insert(event["eventId"].to_string()) {
                        continue;
                    }
                    let end = last(&event);
                    events.push(event);
                    if end {
                        return;
                    }
                }
                waiting.extend(self.receive().await);
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, all).await.is_ok();
        assert!(in_time, "no such event within {PATIENCE:?}; heard:\n{}", events_text(&events));
        self.kept.lock().unwrap().extend(waiting);
        events
    }

    async fn receive(&self) -> Vec<Value> {
        let receive =
            Receive { max_messages: 10, wait: Duration::from_secs(5), visibility_timeout: None };
        let mut events = Vec::new();
        for message in self.ports.queues.receive(&self.output, receive).await.unwrap() {
            self.ports.queues.delete(&self.output, &message.receipt_handle).await.unwrap();
            let event = serde_json::from_str(&message.body).unwrap();
            schemas::check(&event);
            events.push(event);
        }
        events
    }

    /// Waits until a job has begun, for input poller and decider: they tell of it side by side.
    pub async fn started(&self, job_id: &str) {
        let mut missing = BTreeSet::from(["WORKFLOW_SCHEDULED", "JOB_STARTED"]);
        let both = self.events_until(|event| {
            if event["jobId"] == job_id {
                missing.remove(event["type"].as_str().unwrap());
            }
            missing.is_empty()
        });
        both.await;
    }

    /// The events of one job to its end, or to its refusal, in the order of `seq`: queues keep
    /// none, and input poller and decider tell of a job's start at the same time.
    pub async fn events_of(&self, job_id: &str) -> Vec<Value> {
        let end = ["JOB_COMPLETED", "JOB_FAILED", "JOB_CANCELED", "COMMAND_REJECTED"];
        let mut events = self
            .events_until(|event| {
                event["jobId"] == job_id && end.contains(&event["type"].as_str().unwrap())
            })
            .await;
        events.retain(|event| event["jobId"] == job_id);
        events.sort_by_key(|event| event["seq"].as_i64());
        events
    }

    pub async fn put(&self, bucket: &str, key: &str, body: impl Into<bytes::Bytes>) {
        self.ports.blobs.create_bucket(bucket).await.unwrap();
        let at = ObjectAddress::new(bucket, key);
        self.ports.blobs.put(&at, body.into(), PutOptions::default()).await.unwrap();
    }

    pub async fn get(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        let object = self.ports.blobs.get(&ObjectAddress::new(bucket, key), None).await.ok()?;
        let chunks: Vec<_> = object.body.try_collect().await.unwrap();
        Some(chunks.concat())
    }
}

/// Events as one line each: type, activity, result. Progress is left out: how often it is told
/// depends on time.
pub fn events_text(events: &[Value]) -> String {
    let mut text = String::new();
    for event in events.iter().filter(|event| event["type"] != "ACTIVITY_PROGRESS") {
        let _ = write!(text, "{}", event["type"].as_str().unwrap());
        if let Some(step) = event.pointer("/data/activity/activityId") {
            let _ = write!(text, " {}", step.as_str().unwrap());
        }
        let result =
            event.pointer("/data/activity/result").or_else(|| event.pointer("/data/result"));
        if let Some(result) = result.or_else(|| event.pointer("/data/errors")) {
            let _ = write!(text, " {result}");
        }
        text.push('\n');
    }
    text
}
