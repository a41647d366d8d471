//! Steps and jobs per second, on the durable embedded endpoint in one process: decider, input
//! poller, activity poller, sandbox and a client, with a component that answers at once.
//!
//! `cargo xtask bench e2e`
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints, and may panic")]
#![allow(clippy::indexing_slicing, reason = "the medians index what was just filled")]

#[path = "shared/ground.rs"]
#[allow(unreachable_pub, dead_code, reason = "each bench uses a part of it")]
mod ground;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::Mutex,
    time::{Duration, Instant},
};

use cpe::config::{Client, Config};
use cpe_ports::{Clock, MAX_BATCH, OutgoingMessage, QueueUrl, Receive, SystemClock};
use cpe_swf::{
    DomainName, EventAttributes, HistoryEvent, Timestamp, WorkflowExecution,
    api::{
        ExecutionTimeFilter, GetWorkflowExecutionHistoryRequest,
        ListClosedWorkflowExecutionsRequest, WorkflowExecutionFilter,
    },
};
use cpe_worker::Ports;
use serde_json::{Value, json};

use self::ground::{Ground, Running, noop_plan};

const STEPS: usize = 300;
const JOBS: usize = 2_000;
const ROUNDS: usize = 5;
const JOB_ROUNDS: usize = 3;
/// Receives that the client has open at a time.
const RECEIVERS: usize = 4;
const INPUT: &str = "bench-in";
const OUTPUT: &str = "bench-out";
/// How often the bench looks whether a run has ended; its time is taken from the history.
const LOOK: Duration = Duration::from_millis(20);
/// Obelisk 0.38 on SQLite, on two cores: steps/s in a row, side by side, and executions/s.
const PEER: [f64; 3] = [370.0, 640.0, 2_750.0];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let json = arguments.windows(2).any(|pair| pair[0] == "--output" && pair[1] == "json");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let report = runtime.block_on(run());
    if json { println!("{}", report.to_json()) } else { println!("{}", report.to_text()) }
}

async fn run() -> Report {
    let bench = Bench::start().await;
    let mut report = Report::default();
    for round in 0..ROUNDS {
        for (name, plan) in [("in a row", "Row"), ("side by side", "Side")] {
            let events = bench.execution(&format!("{plan}-{round}"), plan).await;
            let seconds = span(&events);
            report.add(name, STEPS as f64 / seconds, &events);
        }
    }
    for round in 0..JOB_ROUNDS {
        let rate = bench.jobs(round).await;
        let sample = bench.history(&format!("bench.jobs-{round}-{}", JOBS / 2)).await;
        report.add("one-step jobs", rate, &sample);
    }
    bench.stop().await;
    report
}

struct Bench {
    ports: Ports,
    config: Config,
    input: QueueUrl,
    output: QueueUrl,
    ground: Ground,
    fleet: Running,
}

impl Bench {
    async fn start() -> Self {
        let ground = Ground::open(Duration::from_secs(2), |config| {
            config.clients = vec![Client::named("bench", INPUT, OUTPUT)];
        })
        .await;
        ground.push_noop().await;
        let plans = [
            noop_plan("Row", STEPS, true),
            noop_plan("Side", STEPS, false),
            noop_plan("One", 1, false),
        ];
        let (ports, config) = (ground.ports.clone(), ground.config.clone());
        let fleet = ground.run(&ports, &plans).await;
        let input = ports.queues.queue_url(INPUT).await.unwrap();
        let output = ports.queues.queue_url(OUTPUT).await.unwrap();
        Self { ports, config, input, output, ground, fleet }
    }

    async fn send(&self, job_ids: &[String], plan: &str) {
        let message = |job_id| {
            let message = json!({
                "time": SystemClock.now(), "type": "START_JOB", "jobId": job_id,
                "data": {"workflow": {"name": plan, "version": "1"}},
            });
            OutgoingMessage::new(message.to_string())
        };
        let messages = job_ids.iter().map(message).collect();
        for sent in self.ports.queues.send_batch(&self.input, messages).await.unwrap() {
            sent.unwrap();
        }
    }

    /// Runs one execution; its history. Events wait in the queue until it has ended.
    async fn execution(&self, job_id: &str, plan: &str) -> Vec<HistoryEvent> {
        self.send(&[job_id.to_owned()], plan).await;
        let id = format!("bench.{job_id}");
        while self.closed(&id).await.is_none() {
            tokio::time::sleep(LOOK).await;
        }
        self.drain(1).await;
        self.history(&id).await
    }

    /// Sends many one-step jobs and receives all their events, in batches; jobs per second.
    async fn jobs(&self, round: usize) -> f64 {
        let start = Instant::now();
        let jobs: Vec<_> = (0..JOBS).map(|job| format!("jobs-{round}-{job}")).collect();
        let sending = async {
            for batch in jobs.chunks(MAX_BATCH) {
                self.send(batch, "One").await;
            }
        };
        let receiving = self.drain(JOBS);
        tokio::join!(sending, receiving);
        JOBS as f64 / start.elapsed().as_secs_f64()
    }

    /// Receives and deletes until `count` jobs have ended.
    async fn drain(&self, count: usize) {
        let ended = Mutex::new(BTreeSet::new());
        let receivers = (0..RECEIVERS).map(|_| async {
            while ended.lock().unwrap().len() < count {
                let jobs = self.receive().await;
                ended.lock().unwrap().extend(jobs);
            }
        });
        // The others may wait for what will not come any more.
        futures::future::select_all(receivers.map(Box::pin)).await;
    }

    /// Receives and deletes a batch of events; the jobs that ended in it.
    async fn receive(&self) -> Vec<String> {
        let receive =
            Receive { max_messages: 10, wait: Duration::from_secs(5), visibility_timeout: None };
        let messages = self.ports.queues.receive(&self.output, receive).await.unwrap();
        if messages.is_empty() {
            return Vec::new();
        }
        let receipts = messages.iter().map(|message| message.receipt_handle.clone()).collect();
        let deleted = self.ports.queues.delete_batch(&self.output, receipts).await.unwrap();
        deleted.into_iter().collect::<Result<(), _>>().unwrap();
        let events = messages.iter().map(|m| serde_json::from_str::<Value>(&m.body).unwrap());
        let ended = events.filter(|event| {
            assert!(event["type"] != "JOB_FAILED", "{event}");
            event["type"] == "JOB_COMPLETED"
        });
        ended.map(|event| event["jobId"].to_string()).collect()
    }

    async fn closed(&self, workflow_id: &str) -> Option<WorkflowExecution> {
        let request = ListClosedWorkflowExecutionsRequest {
            domain: DomainName::from(self.config.domain.as_str()),
            start_time_filter: Some(ExecutionTimeFilter {
                oldest_date: Timestamp::from_millis(0),
                latest_date: None,
            }),
            close_time_filter: None,
            execution_filter: Some(WorkflowExecutionFilter { workflow_id: workflow_id.into() }),
            close_status_filter: None,
            type_filter: None,
            tag_filter: None,
            next_page_token: None,
            maximum_page_size: None,
            reverse_order: false,
        };
        let closed = self.ports.workflows.list_closed_workflow_executions(request).await.unwrap();
        closed.execution_infos.into_iter().next().map(|info| info.execution)
    }

    async fn history(&self, workflow_id: &str) -> Vec<HistoryEvent> {
        let execution = loop {
            // The last event is heard a moment before the execution is closed.
            if let Some(execution) = self.closed(workflow_id).await {
                break execution;
            }
            tokio::time::sleep(LOOK).await;
        };
        let mut events = Vec::new();
        let mut token = None;
        loop {
            let request = GetWorkflowExecutionHistoryRequest {
                domain: DomainName::from(self.config.domain.as_str()),
                execution: execution.clone(),
                next_page_token: token,
                maximum_page_size: None,
                reverse_order: false,
            };
            let page = self.ports.workflows.get_workflow_execution_history(request).await.unwrap();
            events.extend(page.events);
            token = page.next_page_token;
            if token.is_none() {
                return events;
            }
        }
    }

    async fn stop(self) {
        self.fleet.stop().await;
        self.ground.local.close().await;
    }
}

fn span(events: &[HistoryEvent]) -> f64 {
    let first = events.first().unwrap().event_timestamp;
    events.last().unwrap().event_timestamp.since(first).as_secs_f64()
}

/// Seconds spent in each stage, summed over a history.
fn stages(events: &[HistoryEvent]) -> BTreeMap<&'static str, (f64, u32)> {
    let time = |id: cpe_swf::EventId| {
        let index = usize::try_from(id.0 - 1).unwrap();
        events[index].event_timestamp
    };
    let mut stages: BTreeMap<&str, (f64, u32)> = BTreeMap::new();
    for event in events {
        let (stage, since) = match &*event.attributes {
            EventAttributes::DecisionTaskStarted(started) => {
                ("decision task waits for the decider", started.scheduled_event_id)
            }
            EventAttributes::DecisionTaskCompleted(completed) => {
                ("decider decides", completed.started_event_id)
            }
            EventAttributes::ActivityTaskStarted(started) => {
                ("activity task waits for a slot", started.scheduled_event_id)
            }
            EventAttributes::ActivityTaskCompleted(completed) => {
                ("activity runs and is answered", completed.started_event_id)
            }
            _ => continue,
        };
        let took = event.event_timestamp.since(time(since)).as_secs_f64();
        let entry = stages.entry(stage).or_default();
        entry.0 += took;
        entry.1 += 1;
    }
    stages
}

#[derive(Default)]
struct Report {
    rates: BTreeMap<&'static str, Vec<f64>>,
    stages: BTreeMap<&'static str, BTreeMap<&'static str, (f64, u32)>>,
}

const ORDER: [&str; 3] = ["in a row", "side by side", "one-step jobs"];

impl Report {
    fn add(&mut self, name: &'static str, rate: f64, events: &[HistoryEvent]) {
        self.rates.entry(name).or_default().push(rate);
        self.stages.insert(name, stages(events));
    }

    fn median(&self, name: &str) -> f64 {
        let mut rates = self.rates[name].clone();
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    }

    fn to_text(&self) -> String {
        let mut text = String::new();
        for (name, peer) in ORDER.iter().zip(PEER) {
            let median = self.median(name);
            let unit = if *name == "one-step jobs" { "jobs/s" } else { "steps/s" };
            let _ = writeln!(
                text,
                "{name:<14} {median:>8.0} {unit:<8} {:>5.2} x Obelisk 0.38 ({peer} on such a machine)",
                median / peer
            );
            for (stage, (seconds, count)) in &self.stages[name] {
                let mean = seconds / f64::from((*count).max(1)) * 1e3;
                let _ = writeln!(text, "    {stage:<40} {mean:>8.2} ms mean of {count}");
            }
        }
        text
    }

    fn to_json(&self) -> Value {
        let cases = ORDER.iter().zip(PEER).map(|(name, peer)| {
            let stages: BTreeMap<_, _> = self.stages[name]
                .iter()
                .map(|(stage, (seconds, count))| (stage, seconds / f64::from((*count).max(1))))
                .collect();
            json!({
                "case": name, "per_second": self.median(name), "rounds": self.rates[name],
                "ratio_to_peer": self.median(name) / peer, "stage_seconds_mean": stages,
            })
        });
        json!({"bench": "e2e", "cases": cases.collect::<Vec<_>>()})
    }
}
