//! What a new version of a module costs: how soon it runs, what it does to the activities that run
//! meanwhile, and what old versions keep in memory.
//!
//! `cargo xtask bench modules`
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints, and may panic")]
#![allow(clippy::indexing_slicing, reason = "the percentiles index what was just filled")]

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::ExitCode,
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
use cpe_sandbox::{
    ChildCompiler, CompileLimits, Compiler, Digest, Sandbox, SandboxConfig, compile_module,
};
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
/// What an activity does: some ten milliseconds of computing.
const PLAN: &str = "name: One\nversion: 1\nactivities:\n- {name: Work, version: v1, \
                    module: workload@1, upgrade: latest}\nsteps:\n- {name: Only, activity: Work, \
                    input: '{\"do\": \"compute\", \"rounds\": {{ __input__.rounds }}}'}\n";
/// By which this program is told to compile, in a process of its own as `cpe` does.
const COMPILE: &str = "compile-module";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, compile, order] = arguments.as_slice()
        && compile == COMPILE
    {
        return compile_module(order);
    }
    let json = arguments.windows(2).any(|pair| pair[0] == "--output" && pair[1] == "json");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let figures = runtime.block_on(run());
    if json {
        println!("{}", serde_json::to_string_pretty(&figures).unwrap());
        return ExitCode::SUCCESS;
    }
    for (name, figure) in figures {
        println!("{name:56} {figure:10.3}");
    }
    ExitCode::SUCCESS
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
        let mut bench = Bench::start().await;
        let mut worst: f64 = 0.0;
        for n in 2..2 + PUSHES {
            worst = worst.max(bench.swap(n, notified).await);
        }
        figures.insert(name, worst);
        if notified {
            bench.calibrate().await;
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
    module: String,
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
    component: Vec<u8>,
    /// Of computing, in each activity.
    rounds: u64,
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
            compiler: compiler(),
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
        let bench = Self {
            ports,
            config,
            sandbox,
            input,
            output,
            component: component("workload"),
            rounds: 1_000,
            local,
            stop,
            pollers,
            _folder: folder,
        };
        bench.push(1, true, true).await;
        bench.job("first").await;
        bench
    }

    /// Pushes, and tells as S3 would. `cached`: from this machine, as `cpe module push` does, so
    /// that the compiled component is in the cache that the worker shares; otherwise as if from
    /// another one, and the worker compiles it.
    async fn push(&self, n: u32, notified: bool, cached: bool) -> Digest {
        let registry = compose::registry(&self.config, &self.ports);
        let (bytes, author) = (with_section(&self.component, n), Author::new("bench", None));
        let digest = Digest::of(&bytes);
        if cached {
            let push = Push { name: "workload", channel: "1", bytes, author };
            registry.push(&self.sandbox, push).await.unwrap();
        } else {
            let seen = registry.see("workload", "1").await.unwrap();
            registry.upload(&digest, bytes.clone(), &|_| ()).await.unwrap();
            let version = registry.version(digest.clone(), &bytes, &author).unwrap();
            registry.advance(&seen, version, &author).await.unwrap();
        }
        if notified {
            let key = "channels/workload/1.json";
            let news = json!({"Records": [{"s3": {"object": {"key": key}}}]});
            let queue = self.ports.queues.queue_url(NEWS).await.unwrap();
            let message = OutgoingMessage::new(news.to_string());
            self.ports.queues.send(&queue, message).await.unwrap();
        }
        digest
    }

    /// From here on, an activity takes some ten milliseconds.
    async fn calibrate(&mut self) {
        self.rounds = 20_000_000;
        let millis = self.job("calibrate").await.millis;
        self.rounds = (self.rounds as f64 * 10.0 / millis.max(1.0)) as u64;
    }

    /// Seconds from a push to the start of the first activity task on what was pushed: by polling
    /// with the compiler's time, notified without.
    async fn swap(&self, n: u32, notified: bool) -> f64 {
        let digest = self.push(n, notified, notified).await;
        let pushed = SystemClock.now().as_seconds();
        let mut job = 0;
        loop {
            let ran = self.job(&format!("swap-{n}-{job}")).await;
            if ran.module == digest.to_string() {
                return ran.started - pushed;
            }
            job += 1;
        }
    }

    /// Runs one job.
    async fn job(&self, job_id: &str) -> Ran {
        let message = json!({
            "time": SystemClock.now(), "type": "START_JOB", "jobId": job_id,
            "data": {"workflow": {"name": "One", "version": "1"}, "rounds": self.rounds},
        });
        let message = OutgoingMessage::new(message.to_string());
        self.ports.queues.send(&self.input, message).await.unwrap();
        let (mut module, mut started) = (String::new(), None);
        let (mut ended, mut done) = (None, false);
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
                        let found = event.pointer("/data/activity/metering/module");
                        module = found.and_then(Value::as_str).unwrap().to_owned();
                    }
                    "JOB_COMPLETED" => done = true,
                    "JOB_FAILED" => panic!("{event}"),
                    _ => {}
                }
            }
        }
        let (started, ended) = (started.unwrap(), ended.unwrap());
        Ran { module, started, millis: (ended - started) * 1e3 }
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
    // On disk: what is pushed is not to be counted.
    let data = Storage::Disk(folder.path().join("state"));
    let local = Local::open(LocalConfig { data, ..LocalConfig::default() }).await.unwrap();
    let ports = compose::local_ports(&local);
    ports.blobs.create_bucket("modules").await.unwrap();
    let (cache_dir, compiler) = (Some(folder.path().to_owned()), compiler());
    let sandbox = SandboxConfig { cache_dir, compiler, ..SandboxConfig::default() };
    let sandbox = Sandbox::new(sandbox).unwrap();
    let registry = compose::registry(
        &Config {
            modules: ModulesSection { bucket: "modules".to_owned(), ..ModulesSection::default() },
            ..Config::default()
        },
        &ports,
    );
    let config = ModulesConfig { idle_after: Duration::ZERO, ..ModulesConfig::default() };
    let new = || {
        let (registry, sandbox) = (registry.clone(), sandbox.clone());
        Modules::new(registry, sandbox, ports.blobs.clone(), ports.clock.clone(), config.clone())
    };
    let reference: ModuleRef = "word-count@1".parse().unwrap();
    let component = component("word-count");
    let load = async |modules: &Modules, n: u32| {
        let bytes = with_section(&component, n);
        let author = Author::new("bench", None);
        let push = Push { name: "word-count", channel: "1", bytes, author };
        registry.push(&sandbox, push).await.unwrap();
        modules.refresh(&reference).await;
        modules.get(Wanted::current(&reference)).await.unwrap();
        modules.let_go();
    };
    // What is loaded and let go as a whole leaves the allocator as large as it has to be to load:
    // that is no version's.
    let before = new();
    for n in 0..LOADED {
        load(&before, LOADED + n).await;
    }
    drop(before);
    let modules = new();
    load(&modules, 0).await;
    let one = resident();
    for n in 1..LOADED {
        load(&modules, n).await;
    }
    let many = resident();
    local.close().await;
    (one, many)
}

/// As `cpe` has it: in a process of its own.
fn compiler() -> Compiler {
    Compiler::Child(ChildCompiler {
        program: "/proc/self/exe".into(),
        arguments: vec![COMPILE.into()],
        limits: CompileLimits::default(),
    })
}

/// Among what `cargo xtask guests` builds, three folders above this program.
fn component(name: &str) -> Vec<u8> {
    let program = std::env::current_exe().unwrap();
    let folder: PathBuf = program.ancestors().nth(3).unwrap().join("activities");
    let file = folder.join(name).with_extension("wasm");
    std::fs::read(file).expect("`cargo xtask guests` builds the guests")
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
