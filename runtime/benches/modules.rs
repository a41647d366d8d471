//! What a new version of a module costs: how soon it runs, what it does to the activities that run
//! meanwhile, and what old versions keep in memory.
//!
//! `cargo xtask bench modules`
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints, and may panic")]
#![allow(clippy::indexing_slicing, reason = "the percentiles index what was just filled")]

#[path = "../../tests/src/versions.rs"]
#[allow(dead_code, unreachable_pub, reason = "the scenario tests use all of it")]
mod versions;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use cpe::{
    compose::{self, Clients, Fleet, Roles},
    config::{Client, Config, ModulesSection},
};
use cpe_local::{Local, LocalConfig, Storage};
use cpe_modules::{Author, Modules, ModulesConfig, Push, Wanted};
use cpe_plan::{ModuleRef, Plan};
use cpe_ports::{Clock, OutgoingMessage, QueueUrl, Receive, SystemClock};
use cpe_sandbox::{Digest, Sandbox, SandboxConfig};
use cpe_worker::Ports;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const INPUT: &str = "bench-in";
const OUTPUT: &str = "bench-out";
const NEWS: &str = "bench-news";
const PUSHES: u32 = 8;
/// A minute without, and a minute with a swap every ten seconds.
const SPAN: Duration = Duration::from_secs(60);
const SWAP_EVERY: Duration = Duration::from_secs(10);
const LOADED: u32 = 50;
const PLAN: &str = "name: One\nversion: 1\nactivities:\n- {name: Version, version: v1, \
                    module: version@1, upgrade: latest}\nsteps:\n\
                    - {name: Only, activity: Version, input: '1'}\n";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let json = arguments.windows(2).any(|pair| pair[0] == "--output" && pair[1] == "json");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let figures = runtime.block_on(run());
    if json {
        println!("{}", serde_json::to_string_pretty(&figures).unwrap());
        return;
    }
    for (name, figure) in figures {
        println!("{name:56} {figure:10.3}");
    }
}

async fn run() -> BTreeMap<&'static str, f64> {
    let mut figures = BTreeMap::new();
    // First, while the process is small.
    let (one, many) = memory().await;
    figures.insert("memory: one version loaded, MiB", one);
    figures.insert("memory: 50 versions loaded and idle, over one (target 1.1)", many / one);
    for (name, notified) in [
        ("seconds from push to first run, by polling (worst)", false),
        ("seconds from push to first run, notified (worst; target 1)", true),
    ] {
        let bench = Bench::start().await;
        let mut worst: f64 = 0.0;
        for n in 2..2 + PUSHES {
            worst = worst.max(bench.swap(n, notified).await);
        }
        figures.insert(name, worst);
        if notified {
            let quiet = bench.durations(None).await;
            let busy = bench.durations(Some(100)).await;
            figures.insert("activity, quiet minute: p50 ms", percentile(&quiet, 50));
            figures.insert("activity, quiet minute: p99 ms", percentile(&quiet, 99));
            figures.insert("activity, minute with swaps: p50 ms", percentile(&busy, 50));
            figures.insert("activity, minute with swaps: p99 ms", percentile(&busy, 99));
            let ratio = percentile(&busy, 99) / percentile(&quiet, 99);
            figures.insert("activity: p99 with swaps over quiet (target 1.2)", ratio);
        }
        bench.stop().await;
    }
    figures
}

/// One activity task.
struct Ran {
    version: u64,
    /// Seconds since 1970.
    started: f64,
    millis: f64,
}

struct Bench {
    ports: Ports,
    config: Config,
    sandbox: Sandbox,
    input: QueueUrl,
    output: QueueUrl,
    local: Local,
    stop: CancellationToken,
    pollers: tokio::task::JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let local = Local::open(LocalConfig {
            data: Storage::Disk(folder.path().join("state")),
            poll_wait: Duration::from_secs(2),
            clock: Arc::new(SystemClock),
            ..LocalConfig::default()
        })
        .await
        .unwrap();
        let ports = compose::local_ports(&local);
        let config = Config {
            data: folder.path().join("state"),
            cache: Some(folder.path().join("cache")),
            modules: ModulesSection {
                notifications: Some(NEWS.to_owned()),
                ..ModulesSection::default()
            },
            clients: vec![Client::named("bench", INPUT, OUTPUT)],
            ..Config::default()
        };
        compose::prepare(&config, &ports).await.unwrap();
        ports.queues.create_queue(NEWS).await.unwrap();
        let sandbox = compose::checking_sandbox(&config).unwrap();
        let plans = vec![Arc::new(Plan::parse("bench.yaml", PLAN).unwrap())];
        let clients = Clients::resolve(&config, &ports).await.unwrap();
        let fleet = Fleet::start(&config, ports.clone(), plans, clients, Roles::ALL).await.unwrap();
        let stop = CancellationToken::new();
        let pollers = tokio::spawn(fleet.run(stop.clone()));
        let input = ports.queues.queue_url(INPUT).await.unwrap();
        let output = ports.queues.queue_url(OUTPUT).await.unwrap();
        let bench =
            Self { ports, config, sandbox, input, output, local, stop, pollers, _folder: folder };
        bench.push(1, true, true).await;
        bench.job("first").await;
        bench
    }

    /// Pushes, and tells as S3 would. `cached`: from this machine, as `cpe module push` does, so
    /// that the compiled component is in the cache that the worker shares; otherwise as if from
    /// another one, and the worker compiles it.
    async fn push(&self, n: u32, notified: bool, cached: bool) {
        let registry = compose::registry(&self.config, &self.ports);
        let (bytes, author) = (versions::version(n), Author::new("bench", None));
        if cached {
            let push = Push { name: "version", channel: "1", bytes, author };
            registry.push(&self.sandbox, push).await.unwrap();
        } else {
            let digest = Digest::of(&bytes);
            let seen = registry.see("version", "1").await.unwrap();
            registry.upload(&digest, bytes.clone(), &|_| ()).await.unwrap();
            let version = registry.version(digest, &bytes, &author).unwrap();
            registry.advance(&seen, version, &author).await.unwrap();
        }
        if notified {
            let news = json!({"Records": [{"s3": {"object": {"key": "channels/version/1.json"}}}]});
            let queue = self.ports.queues.queue_url(NEWS).await.unwrap();
            let message = OutgoingMessage::new(news.to_string());
            self.ports.queues.send(&queue, message).await.unwrap();
        }
    }

    /// Seconds from a push to the start of the first activity task on what was pushed: by polling
    /// with the compiler's time, notified without.
    async fn swap(&self, n: u32, notified: bool) -> f64 {
        self.push(n, notified, notified).await;
        let pushed = SystemClock.now().as_seconds();
        let mut job = 0;
        loop {
            let ran = self.job(&format!("swap-{n}-{job}")).await;
            if ran.version == u64::from(n) {
                return ran.started - pushed;
            }
            job += 1;
        }
    }

    /// Runs one job.
    async fn job(&self, job_id: &str) -> Ran {
        let message = json!({
            "time": SystemClock.now(), "type": "START_JOB", "jobId": job_id,
            "data": {"workflow": {"name": "One", "version": "1"}},
        });
        let message = OutgoingMessage::new(message.to_string());
        self.ports.queues.send(&self.input, message).await.unwrap();
        let (mut version, mut started, mut ended, mut done) = (0, None, None, false);
        let receive =
            Receive { max_messages: 10, wait: Duration::from_secs(5), visibility_timeout: None };
        while !(done && started.is_some() && ended.is_some()) {
            for message in self.ports.queues.receive(&self.output, receive).await.unwrap() {
                self.ports.queues.delete(&self.output, &message.receipt_handle).await.unwrap();
                let event: Value = serde_json::from_str(&message.body).unwrap();
                if event["jobId"] != job_id {
                    continue;
                }
                let time = event["time"].as_f64();
                match event["type"].as_str().unwrap() {
                    "ACTIVITY_STARTED" => started = time,
                    "ACTIVITY_COMPLETED" => {
                        ended = time;
                        let found = event.pointer("/data/activity/result/version");
                        version = found.and_then(Value::as_u64).unwrap();
                    }
                    "JOB_COMPLETED" => done = true,
                    "JOB_FAILED" => panic!("{event}"),
                    _ => {}
                }
            }
        }
        let (started, ended) = (started.unwrap(), ended.unwrap());
        Ran { version, started, millis: (ended - started) * 1e3 }
    }

    /// Milliseconds of activity tasks, one after the other for a minute; beside swaps to versions
    /// from `swaps` on, which the worker compiles meanwhile.
    async fn durations(&self, swaps: Option<u32>) -> Vec<f64> {
        let start = Instant::now();
        let name = if swaps.is_some() { "busy" } else { "quiet" };
        let running = async {
            let mut durations = Vec::new();
            while start.elapsed() < SPAN {
                durations.push(self.job(&format!("{name}-{}", durations.len())).await.millis);
            }
            durations
        };
        let swapping = async {
            let Some(first) = swaps else { return };
            for n in 0.. {
                tokio::time::sleep(
                    (SWAP_EVERY * n + SWAP_EVERY / 2).saturating_sub(start.elapsed()),
                )
                .await;
                if start.elapsed() >= SPAN {
                    return;
                }
                self.push(first + n, true, false).await;
            }
        };
        let (mut durations, ()) = tokio::join!(running, swapping);
        durations.sort_by(f64::total_cmp);
        durations
    }

    async fn stop(self) {
        self.stop.cancel();
        self.pollers.await.unwrap();
        self.local.close().await;
    }
}

fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

/// MiB that the process has with one version of a module loaded, and with fifty that are idle.
async fn memory() -> (f64, f64) {
    let folder = tempfile::tempdir().unwrap();
    let local = Local::open(LocalConfig::default()).await.unwrap();
    let ports = compose::local_ports(&local);
    ports.blobs.create_bucket("modules").await.unwrap();
    let cache_dir = Some(folder.path().to_owned());
    let sandbox = Sandbox::new(SandboxConfig { cache_dir, ..SandboxConfig::default() }).unwrap();
    let registry = compose::registry(
        &Config {
            modules: ModulesSection { bucket: "modules".to_owned(), ..ModulesSection::default() },
            ..Config::default()
        },
        &ports,
    );
    let config = ModulesConfig { idle_after: Duration::ZERO, ..ModulesConfig::default() };
    let modules = Modules::new(registry.clone(), sandbox.clone(), ports.blobs, ports.clock, config);
    let reference: ModuleRef = "word-count@1".parse().unwrap();
    let program = std::env::current_exe().unwrap();
    let file: PathBuf = program.ancestors().nth(3).unwrap().join("activities/word-count.wasm");
    let component = std::fs::read(file).expect("`cargo xtask guests` builds the guests");
    let mut one = 0.0;
    for n in 0..LOADED {
        let bytes = with_section(&component, n);
        let author = Author::new("bench", None);
        let push = Push { name: "word-count", channel: "1", bytes, author };
        registry.push(&sandbox, push).await.unwrap();
        modules.refresh(&reference).await;
        modules.get(Wanted::current(&reference)).await.unwrap();
        modules.let_go();
        if n == 0 {
            one = resident();
        }
    }
    let many = resident();
    local.close().await;
    (one, many)
}

/// The same component with other bytes: a custom section at its end.
fn with_section(component: &[u8], n: u32) -> Bytes {
    let mut bytes = component.to_vec();
    bytes.extend([0, 6, 1, b'n']);
    bytes.extend(n.to_le_bytes());
    bytes.into()
}

/// MiB that the process has in memory.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}
