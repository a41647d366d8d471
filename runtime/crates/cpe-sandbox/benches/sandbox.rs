//! What one activity task costs before the activity does anything: store, instance, call and drop
//! of a component that answers at once, through the sandbox and on bare wasmtime, in turns.
//!
//! `cargo bench -p cpe-sandbox --bench sandbox -- [COMPONENT] [--output json]`
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints, and may panic")]
#![allow(clippy::indexing_slicing, reason = "the medians index what was just filled")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use cpe_ports::{SystemClock, testing::MemoryBlobs};
use cpe_sandbox::{
    Beats, Directive, Grants, Invocation, Limits, Module, Sandbox, SandboxConfig, TaskContext,
};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store,
    StoreLimits, StoreLimitsBuilder,
    component::{Component, Linker, ResourceTable},
};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

/// Among what `cargo xtask guests` builds, three folders above this program.
const DEFAULT_COMPONENT: &str = "activities/noop.wasm";
const INPUT: &str = r#"{"do":"noop"}"#;
const ROUNDS: usize = 60;
const RUNS_PER_ROUND: u32 = 200;
const THREADS: u32 = 2;

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../../wit/activity",
        world: "activity",
        imports: { default: async },
        exports: { default: async },
    });
}

#[derive(Debug)]
struct NoBeats;

impl Beats for NoBeats {
    fn beat(&self, _: &str) -> Directive {
        Directive::Proceed
    }
}

/// Bare wasmtime, as fast as its settings go.
struct Bare {
    pre: bindings::ActivityPre<BareState>,
}

struct BareState {
    wasi: WasiCtx,
    table: ResourceTable,
    limits: StoreLimits,
}

impl WasiView for BareState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl Bare {
    fn new(bytes: &[u8]) -> Self {
        let engine = [Enabled::Yes, Enabled::No].map(|scan| Engine::new(&Self::config(scan)));
        let engine = engine.into_iter().find_map(Result::ok).unwrap();
        let component = Component::from_binary(&engine, bytes).unwrap();
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
        linker.define_unknown_imports_as_traps(&component).unwrap();
        let pre = linker.instantiate_pre(&component).unwrap();
        Self { pre: bindings::ActivityPre::new(pre).unwrap() }
    }

    fn config(scan: Enabled) -> Config {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_memories(100)
            .max_tables_per_module(8)
            .table_elements(100_000)
            .linear_memory_keep_resident(2 << 20)
            .async_stack_keep_resident(64 << 10)
            .table_keep_resident(64 << 10)
            .pagemap_scan(scan);
        let mut config = Config::new();
        config
            .epoch_interruption(true)
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        config
    }

    async fn run(&self) {
        let state = BareState {
            wasi: WasiCtxBuilder::new().build(),
            table: ResourceTable::new(),
            limits: StoreLimitsBuilder::new().memory_size(256 << 20).build(),
        };
        let mut store = Store::new(self.pre.engine(), state);
        store.limiter(|state| &mut state.limits);
        store.set_epoch_deadline(1 << 40);
        let activity = self.pre.instantiate_async(&mut store).await.unwrap();
        activity.cpe_activity_handler().call_run(&mut store, INPUT).await.unwrap().unwrap();
    }
}

/// The same through the product's own path.
#[derive(Clone)]
struct Product {
    sandbox: Sandbox,
    module: Module,
    blobs: Arc<MemoryBlobs>,
    beats: Arc<NoBeats>,
    clock: Arc<SystemClock>,
}

impl Product {
    async fn new(bytes: &[u8]) -> Self {
        let sandbox = Sandbox::new(SandboxConfig::default()).unwrap();
        let module = sandbox.load("noop", bytes.to_vec().into()).await.unwrap();
        Self {
            sandbox,
            module,
            blobs: Arc::default(),
            beats: Arc::new(NoBeats),
            clock: Arc::new(SystemClock),
        }
    }

    async fn run(&self) {
        let invocation = Invocation {
            context: TaskContext {
                workflow_id: "ClientA.954e8de9dfa0d44d".to_owned(),
                run_id: "22mDcm3U5cxxgLzUZOHjwLjc0JvqBQN0DKIFLBLxRZqLU=".to_owned(),
                activity_id: "ValidateAssetStep".to_owned(),
                activity_name: "ValidateAsset".to_owned(),
                activity_version: "v2".to_owned(),
                attempt: 1,
                client: "ClientA".to_owned(),
                job_id: "954e8de9dfa0d44d".to_owned(),
            },
            limits: Limits::default(),
            grants: Grants::default(),
            blobs: Arc::clone(&self.blobs) as _,
            beats: Arc::clone(&self.beats) as _,
            clock: Arc::clone(&self.clock) as _,
        };
        let finished = self.sandbox.run(&self.module, invocation, INPUT.to_owned()).await;
        finished.unwrap().outcome.unwrap();
    }
}

struct Measured {
    product: Duration,
    bare: Duration,
    product_per_second: f64,
    bare_per_second: f64,
}

impl Measured {
    fn ratio(&self) -> f64 {
        self.product.as_secs_f64() / self.bare.as_secs_f64()
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "bench": "sandbox",
            "product_ns": self.product.as_nanos() as u64,
            "bare_ns": self.bare.as_nanos() as u64,
            "ratio": self.ratio(),
            "threads": THREADS,
            "product_per_second": self.product_per_second.round(),
            "bare_per_second": self.bare_per_second.round(),
        })
    }

    fn print(&self) {
        println!("store + instantiate + call + drop of a component that does nothing");
        println!("{:<22}{:>12}{:>22}", "", "one, µs", "per s, 2 threads");
        let row = |name: &str, one: Duration, rate: f64| {
            println!("{name:<22}{:>12.2}{rate:>22.0}", one.as_secs_f64() * 1e6);
        };
        row("through the sandbox", self.product, self.product_per_second);
        row("on bare wasmtime", self.bare, self.bare_per_second);
        println!("{:<22}{:>12.2}{:>22.2}", "ratio", self.ratio(), {
            self.bare_per_second / self.product_per_second
        });
    }
}

async fn timed<F: Future<Output = ()>>(run: impl Fn() -> F) -> Duration {
    let start = Instant::now();
    for _ in 0..RUNS_PER_ROUND {
        run().await;
    }
    start.elapsed() / RUNS_PER_ROUND
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Runs a second on so many threads; medians of alternating rounds.
async fn throughput<F: Future<Output = ()> + Send>(
    run: impl Fn() -> F + Send + Sync + Clone + 'static,
) -> f64 {
    let start = Instant::now();
    let runs = RUNS_PER_ROUND * 25;
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let run = run.clone();
            tokio::spawn(async move {
                for _ in 0..runs {
                    run().await;
                }
            })
        })
        .collect();
    for thread in threads {
        thread.await.unwrap();
    }
    f64::from(runs * THREADS) / start.elapsed().as_secs_f64()
}

async fn measure(bytes: &[u8]) -> Measured {
    let (product, bare) = (Product::new(bytes).await, Arc::new(Bare::new(bytes)));
    let (mut of_product, mut of_bare) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (p, b) = (timed(|| product.run()).await, timed(|| bare.run()).await);
        // The first ones warm caches and slots.
        if round >= ROUNDS / 10 {
            of_product.push(p);
            of_bare.push(b);
        }
    }
    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..5 {
        let product = product.clone();
        rates[0].push(
            throughput(move || {
                let product = product.clone();
                async move { product.run().await }
            })
            .await,
        );
        let bare = Arc::clone(&bare);
        rates[1].push(
            throughput(move || {
                let bare = Arc::clone(&bare);
                async move { bare.run().await }
            })
            .await,
        );
    }
    let [product_per_second, bare_per_second] = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    });
    Measured {
        product: median(of_product),
        bare: median(of_bare),
        product_per_second,
        bare_per_second,
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let program = std::env::current_exe().unwrap();
    let (mut path, mut json) = (program.ancestors().nth(3).unwrap().join(DEFAULT_COMPONENT), false);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--output" => json = arguments.next().as_deref() == Some("json"),
            _ => path = argument.into(),
        }
    }
    let bytes = std::fs::read(&path).unwrap_or_else(|error| {
        let path = path.display();
        panic!("{path}: {error} (build it with `cargo xtask guests`, or name a component)")
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS as usize)
        .enable_all()
        .build()
        .unwrap();
    let measured = runtime
        .block_on(async move { tokio::spawn(async move { measure(&bytes).await }).await.unwrap() });
    if json { println!("{}", measured.json()) } else { measured.print() }
}
