//! Faults between pollers, clients and services, and the death of each poller at each point: what
//! every client hears is compared with what SWF keeps. All in virtual time.
//!
//! `CPE_FAULT_SEEDS=N` plays so many seeds; `CPE_FAULT_SEED=S` plays that one.

mod deaths;
mod model;
mod plans;
mod quotas;
mod wire;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use cpe_ports::{
    OutgoingMessage, QueueUrl, Receive,
    testing::{FaultRates, Faults},
};
use cpe_tests::{Expected, Role, Stage, check_schema, judge};
use cpe_worker::Ports;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use self::plans::Kind;

const SEEDS: u64 = 2;
const CLIENTS: [&str; 4] = ["anna", "bert", "cleo", "dora"];
const JOBS: usize = 18;
/// For so long everything goes wrong now and then.
const FAULTY: Duration = Duration::from_secs(240);
/// Longer than any message is hidden, or any event waits to be sent again.
const SETTLING: Duration = Duration::from_secs(330);
/// No stage takes so long.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// A client application: asks for jobs, reacts to events, and keeps all that it hears.
struct Caller {
    name: &'static str,
    ports: Ports,
    input: QueueUrl,
    output: QueueUrl,
    jobs: BTreeMap<String, Kind>,
    state: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    events: Vec<Value>,
    /// Requests that are to be answered.
    asked: BTreeSet<String>,
    /// Jobs that have been reacted to.
    reacted: BTreeSet<String>,
}

impl Caller {
    async fn new(
        stage: &Stage,
        faults: &Faults,
        name: &'static str,
        jobs: BTreeMap<String, Kind>,
    ) -> Arc<Self> {
        let input = stage.queue(&format!("{name}-in")).await;
        let output = stage.queue(&format!("{name}-out")).await;
        let (ports, state) = (stage.ports(faults), Mutex::default());
        Arc::new(Self { name, ports, input, output, jobs, state })
    }

    /// Sends a command until the queue says that it has it, so that it may have it twice.
    async fn ask(&self, command: &str, job: &str, data: Value) {
        let request = format!("{command}-{job}");
        let body = json!({
            "time": 1, "type": command, "jobId": job, "requestId": request, "data": data,
        });
        check_schema(&body);
        self.state.lock().unwrap().asked.insert(request);
        let message = OutgoingMessage::new(body.to_string());
        while self.ports.queues.send(&self.input, message.clone()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    async fn start_all(&self) {
        for (job, kind) in &self.jobs {
            let data = json!({
                "workflow": {"name": kind.plan(), "version": "1"}, "client": {"name": self.name},
            });
            self.ask("START_JOB", job, data).await;
            tokio::time::sleep(Duration::from_millis(700)).await;
        }
    }

    async fn listen(&self) {
        let receive =
            Receive { max_messages: 10, wait: Duration::from_secs(5), visibility_timeout: None };
        loop {
            let Ok(messages) = self.ports.queues.receive(&self.output, receive).await else {
                tokio::time::sleep(Duration::from_millis(300)).await;
                continue;
            };
            for message in messages {
                let event: Value = serde_json::from_str(&message.body).unwrap();
                check_schema(&event);
                self.state.lock().unwrap().events.push(event.clone());
                self.react(&event).await;
                // Where this fails the event comes again.
                let _ = self.ports.queues.delete(&self.output, &message.receipt_handle).await;
            }
        }
    }

    async fn react(&self, event: &Value) {
        let job = event["jobId"].as_str().unwrap_or_default().to_owned();
        let what = match (self.jobs.get(&job), event["type"].as_str().unwrap()) {
            (Some(Kind::Signal), "JOB_STARTED") => {
                ("SIGNAL_JOB", json!({"signal": "go", "input": 5}))
            }
            (Some(Kind::Cancel), "ACTIVITY_STARTED") => ("CANCEL_JOB", json!({})),
            _ => return,
        };
        if self.state.lock().unwrap().reacted.insert(job.clone()) {
            self.ask(what.0, &job, what.1).await;
        }
    }

    /// Jobs whose end has not been heard of.
    fn waits_for(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let ended = state.events.iter().filter(|e| e["eventId"].to_string().ends_with(":end\""));
        let ended: BTreeSet<_> = ended.map(|event| event["jobId"].as_str().unwrap()).collect();
        self.jobs.keys().filter(|job| !ended.contains(job.as_str())).cloned().collect()
    }

    fn expected(&self) -> impl Iterator<Item = Expected> {
        self.jobs.iter().map(|(job, kind)| Expected {
            client: self.name.to_owned(),
            job_id: job.clone(),
            ends: kind.ends(),
        })
    }

    /// Commands that were never answered.
    fn unanswered(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let answered = state.events.iter().filter_map(|event| event["requestId"].as_str());
        let answered: BTreeSet<_> = answered.collect();
        let asked = state.asked.iter().filter(|request| !answered.contains(request.as_str()));
        asked.map(|request| format!("{}: {request} was not answered", self.name)).collect()
    }
}

/// Lets clients call until all their jobs have ended, and for `settling` after that, and judges.
async fn judged(
    stage: &Stage,
    callers: &[Arc<Caller>],
    faults: &[Faults],
    settling: Duration,
) -> Vec<String> {
    called(stage, callers, faults, settling).await;
    let mut problems = judge(&expected(callers), &heard(callers), &stage.executions().await);
    problems.extend(callers.iter().flat_map(|caller| caller.unanswered()));
    problems.extend(stage.left_over().await);
    problems
}

fn expected(callers: &[Arc<Caller>]) -> Vec<Expected> {
    callers.iter().flat_map(|caller| caller.expected()).collect()
}

fn heard(callers: &[Arc<Caller>]) -> BTreeMap<String, Vec<Value>> {
    let heard = |caller: &Arc<Caller>| {
        (caller.name.to_owned(), caller.state.lock().unwrap().events.clone())
    };
    callers.iter().map(heard).collect()
}

async fn called(stage: &Stage, callers: &[Arc<Caller>], faults: &[Faults], settling: Duration) {
    let mut running = tokio::task::JoinSet::new();
    for caller in callers {
        let (asking, listening) = (Arc::clone(caller), Arc::clone(caller));
        running.spawn(async move { asking.start_all().await });
        running.spawn(async move { listening.listen().await });
    }
    let began = stage.now();
    let waiting = || callers.iter().flat_map(|caller| caller.waits_for()).collect::<Vec<_>>();
    while !waiting().is_empty() && stage.now().since(began) < PATIENCE {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if stage.now().since(began) > FAULTY {
            faults.iter().for_each(Faults::cease);
        }
    }
    faults.iter().for_each(Faults::cease);
    tokio::time::sleep(settling).await;
}

/// Runs in virtual time, on one thread.
fn virtually<T>(what: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().unwrap();
    runtime.block_on(what)
}

async fn play(seed: u64) {
    // 4, 8 or 12 calls of a hundred meet something; messages go astray as often.
    let rates = FaultRates::each(seed % 3 * 7 + 7);
    let stage = Stage::open(&plans::all(), &CLIENTS).await;
    let stop = CancellationToken::new();
    let mut faults = Vec::new();
    // Two processes of each kind, as in a fleet.
    for (index, role) in Role::ALL.into_iter().chain(Role::ALL).enumerate() {
        let of_process = stage.faults(seed * 100 + index as u64, rates);
        stage.start(role, &of_process, &stop).await;
        faults.push(of_process);
    }
    let mut callers = Vec::new();
    for (index, name) in CLIENTS.into_iter().enumerate() {
        let of_client = stage.faults(seed * 100 + 10 + index as u64, rates);
        let kinds = Kind::ALL.into_iter().cycle().skip(index).take(JOBS);
        // All clients call their jobs the same.
        let jobs = kinds.enumerate().map(|(number, kind)| (format!("job-{number:02}"), kind));
        callers.push(Caller::new(&stage, &of_client, name, jobs.collect()).await);
        faults.push(of_client);
    }
    let problems = judged(&stage, &callers, &faults, SETTLING).await;
    stop.cancel();
    let injected: u64 = faults.iter().flat_map(|of| of.injected().into_values()).sum();
    let met: BTreeMap<_, _> = faults.iter().flat_map(Faults::injected).collect();
    assert!(
        problems.is_empty(),
        "CPE_FAULT_SEED={seed}, after {injected} faults:\n{}\n{met:?}",
        problems.join("\n")
    );
    // As many as the rate makes of what the jobs take.
    let expected = seed % 3 * 100 + 100;
    assert!(injected > expected, "the faults were few: {injected} of {expected}: {met:?}");
}

fn seeds() -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    match number("CPE_FAULT_SEED") {
        Some(seed) => vec![seed],
        None => (1..=number("CPE_FAULT_SEEDS").unwrap_or(SEEDS)).collect(),
    }
}

#[test]
fn whatever_goes_wrong_on_the_way_each_client_hears_what_happened_to_its_jobs() {
    for seed in seeds() {
        virtually(play(seed));
    }
}
