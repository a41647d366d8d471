//! What client applications get: jobs per second from message to last event, how soon the first
//! and the last event of a job are heard, what a client with a backlog does to another, and what
//! a fleet costs that has nothing to do.
//!
//! `cargo xtask bench clients`
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints, and may panic")]
#![allow(clippy::indexing_slicing, reason = "the percentiles index what was just filled")]

#[path = "shared/calls.rs"]
mod calls;
#[path = "shared/ear.rs"]
mod ear;
#[path = "shared/ground.rs"]
#[allow(unreachable_pub, dead_code, reason = "each bench uses a part of it")]
mod ground;

use std::time::{Duration, Instant};

use cpe::{compose, config::Client};
use cpe_aws::AwsConfig;
use cpe_ports::QueueUrl;
use serde_json::{Value, json};

use self::{
    ear::{Ear, Mouth, percentile},
    ground::{Ground, Running, noop_plan},
};

const CLIENTS: usize = 100;
/// Of what may be loaded, so that a queue does not grow.
const LOAD: f64 = 0.7;
/// What a client may be slowed down to beside one with a backlog.
const FAIR: f64 = 3.0;

/// How much is measured.
#[derive(Clone, Copy)]
struct Size {
    jobs: usize,
    singles: usize,
    loaded: Duration,
    backlog: usize,
    idle: Duration,
}

const WHOLE: Size = Size {
    jobs: 4_000,
    singles: 200,
    loaded: Duration::from_secs(30),
    backlog: 10_000,
    idle: Duration::from_secs(240),
};
/// Shows that everything runs.
const QUICK: Size = Size {
    jobs: 400,
    singles: 20,
    loaded: Duration::from_secs(4),
    backlog: 1_000,
    idle: Duration::from_secs(20),
};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let json = arguments.windows(2).any(|pair| pair[0] == "--output" && pair[1] == "json");
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let figures = runtime.block_on(run(if quick { QUICK } else { WHOLE }));
    if json {
        println!(
            "{}",
            json!({"bench": "clients", "figures": figures.iter().map(Figure::to_json).collect::<Vec<_>>()})
        );
        return;
    }
    for Figure { name, value, unit } in figures {
        println!("{name:64} {value:10.2} {unit}");
    }
}

struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
}

impl Figure {
    fn to_json(&self) -> Value {
        json!({"name": self.name, "value": self.value, "unit": self.unit})
    }
}

async fn run(size: Size) -> Vec<Figure> {
    let mut figures = Vec::new();
    let mut add = |name: &str, value: f64, unit: &'static str| {
        figures.push(Figure { name: name.to_owned(), value, unit });
    };
    let one = Bench::start(1).await;
    let rate = one.throughput(size.jobs).await;
    add("1 client: jobs per second", rate, "jobs/s");
    let alone = one.singles(0, size.singles).await;
    add_latencies(&mut add, "idle", &alone);
    let loaded = one.loaded(rate * LOAD, size.loaded).await;
    add_latencies(&mut add, "at 70 % load", &loaded);
    one.stop().await;

    let many = Bench::start(CLIENTS).await;
    add("100 clients: jobs per second", many.throughput(size.jobs).await, "jobs/s");
    many.stop().await;

    let two = Bench::start(2).await;
    let alone = last(&two.singles(1, size.singles).await);
    let (beside, count) = two.beside_backlog(size.backlog).await;
    let beside = last(&beside);
    let (quiet, busy) = (percentile(&alone, 50), percentile(&beside, 50));
    add("a quiet client's job, alone: p50", quiet, "ms");
    add("a quiet client's job, beside a backlog: p50", busy, "ms");
    add("a quiet client's job, beside a backlog: worst", percentile(&beside, 100), "ms");
    add(&format!("beside a backlog over alone, {count} jobs (aim {FAIR})"), busy / quiet, "x");
    two.stop().await;

    for (call, per_minute) in idle(size.idle).await {
        add(&format!("idle: {call}"), per_minute, "calls/min");
    }
    figures
}

/// Milliseconds from the message to the first and the last event.
type Latencies = Vec<(f64, f64)>;

fn last(latencies: &Latencies) -> Vec<f64> {
    latencies.iter().map(|(_, last)| *last).collect()
}

fn add_latencies(add: &mut impl FnMut(&str, f64, &'static str), when: &str, of: &Latencies) {
    let first: Vec<f64> = of.iter().map(|(first, _)| *first).collect();
    for (what, values) in [("first", first), ("last", last(of))] {
        for rank in [50, 99] {
            let name = format!("{when}: START_JOB to {what} event, p{rank}");
            add(&name, percentile(&values, rank), "ms");
        }
    }
}

struct Bench {
    ground: Ground,
    fleet: Running,
    clients: Vec<(Mouth, Ear)>,
}

impl Bench {
    async fn start(clients: usize) -> Self {
        let names = (0..clients).map(|n| format!("c{n}"));
        let configured: Vec<_> = names
            .map(|name| Client::named(&name, &format!("{name}-in"), &format!("{name}-out")))
            .collect();
        let ground =
            Ground::open(Duration::from_secs(2), |config| config.clients = configured).await;
        ground.push_noop().await;
        let fleet = ground.run(&ground.ports, &[noop_plan("One", 1, false)]).await;
        let mut all = Vec::new();
        for n in 0..clients {
            let input = queue(&ground, &format!("c{n}-in")).await;
            let output = queue(&ground, &format!("c{n}-out")).await;
            let queues = &ground.ports.queues;
            all.push((Mouth::new(queues.clone(), input), Ear::new(queues.clone(), output)));
        }
        let bench = Self { ground, fleet, clients: all };
        // Modules are compiled, and types registered.
        bench.singles(0, 5).await;
        bench
    }

    /// Jobs of all clients at once, until the last event of the last one; per second.
    async fn throughput(&self, jobs: usize) -> f64 {
        let each = jobs / self.clients.len();
        let begin = Instant::now();
        let clients = self.clients.iter().map(async |(mouth, ear)| {
            let ids: Vec<_> = (0..each).map(|job| format!("rate-{job}")).collect();
            let sending = mouth.start(&ids);
            tokio::join!(sending, ear.all(&ids));
        });
        futures::future::join_all(clients).await;
        (each * self.clients.len()) as f64 / begin.elapsed().as_secs_f64()
    }

    /// One job after the other.
    async fn singles(&self, client: usize, jobs: usize) -> Latencies {
        let mut latencies = Vec::new();
        for _ in 0..jobs {
            latencies.push(self.single(client).await);
        }
        latencies
    }

    async fn single(&self, client: usize) -> (f64, f64) {
        let (mouth, ear) = &self.clients[client];
        let id = mouth.fresh("single");
        let sent = Instant::now();
        mouth.start(std::slice::from_ref(&id)).await;
        ear.latency(&id, sent).await
    }

    /// Jobs at an even rate, whatever becomes of those before.
    async fn loaded(&self, rate: f64, span: Duration) -> Latencies {
        let (mouth, ear) = &self.clients[0];
        let between = Duration::from_secs_f64(1.0 / rate);
        let begin = Instant::now();
        let mut sent = Vec::new();
        let mut sending = tokio::task::JoinSet::new();
        let mut due = tokio::time::interval(between);
        due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
        while begin.elapsed() < span {
            due.tick().await;
            let id = mouth.fresh("load");
            sent.push((id.clone(), Instant::now()));
            let mouth = mouth.clone();
            sending.spawn(async move { mouth.start(&[id]).await });
        }
        sending.join_all().await;
        let mut latencies = Vec::new();
        for (id, sent) in sent {
            latencies.push(ear.latency(&id, sent).await);
        }
        latencies
    }

    /// The second client's jobs, one after the other, while the first has a backlog; and how many
    /// there were before it had none any more.
    async fn beside_backlog(&self, jobs: usize) -> (Latencies, usize) {
        let (mouth, ear) = &self.clients[0];
        let ids: Vec<_> = (0..jobs).map(|job| format!("backlog-{job}")).collect();
        mouth.start(&ids).await;
        let backlog = ear.all(&ids);
        tokio::pin!(backlog);
        let mut latencies = Vec::new();
        loop {
            let single = self.single(1);
            tokio::pin!(single);
            tokio::select! {
                latency = &mut single => latencies.push(latency),
                () = &mut backlog => {
                    // It began beside the backlog.
                    latencies.push(single.await);
                    let count = latencies.len();
                    return (latencies, count);
                }
            }
        }
    }

    async fn stop(self) {
        for (_, ear) in self.clients {
            ear.stop().await;
        }
        self.fleet.stop().await;
        self.ground.local.close().await;
    }
}

async fn queue(ground: &Ground, name: &str) -> QueueUrl {
    ground.ports.queues.queue_url(name).await.unwrap()
}

/// What `cpe run` asks of SWF and SQS with nothing to do, as AWS would count it: with polls that
/// are held as long as AWS holds them.
async fn idle(span: Duration) -> Vec<(String, f64)> {
    let configured = vec![Client::named("c", "c-in", "c-out")];
    let ground = Ground::open(Duration::from_secs(60), |config| config.clients = configured).await;
    ground.push_noop().await;
    let counting = calls::Counting::before(&ground.local).await;
    let config = AwsConfig { endpoint_url: Some(counting.url()), ..AwsConfig::default() };
    let ports = compose::aws_ports(cpe_aws::connect(config).await.unwrap());
    let fleet = ground.run(&ports, &[noop_plan("One", 1, false)]).await;
    // What it does only when it starts.
    tokio::time::sleep(Duration::from_secs(10)).await;
    counting.reset();
    tokio::time::sleep(span).await;
    let minutes = span.as_secs_f64() / 60.0;
    let counted = counting.calls();
    let mut all: Vec<_> = ["SWF", "SQS"]
        .iter()
        .map(|service| {
            let of = counted.iter().filter(|(call, _)| call.starts_with(service));
            (format!("{service}, all calls"), of.map(|(_, count)| *count).sum::<u64>())
        })
        .collect();
    all.extend(counted);
    // A poll under way is let end, which takes as long as it is held.
    drop(fleet);
    all.into_iter().map(|(call, count)| (call, count as f64 / minutes)).collect()
}
