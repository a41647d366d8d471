//! What one activity task costs before the activity does anything: store, instance, call and drop
//! of a component that answers at once, through the sandbox and on bare wasmtime, in turns.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store,
    StoreLimits, StoreLimitsBuilder,
    component::{Component, Linker, ResourceTable},
};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::{
    THREADS,
    product::Product,
    report::{Report, Row, Target},
};

const INPUT: &str = r#"{"do":"noop"}"#;

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../../wit/activity",
        world: "activity",
        imports: { default: async },
        exports: { default: async },
    });
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

async fn timed<F: Future<Output = ()>>(runs: u32, run: impl Fn() -> F) -> Duration {
    let start = Instant::now();
    for _ in 0..runs {
        run().await;
    }
    start.elapsed() / runs
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Runs per second on all threads.
async fn throughput<F: Future<Output = ()> + Send>(
    runs: u32,
    run: impl Fn() -> F + Send + Sync + Clone + 'static,
) -> f64 {
    let start = Instant::now();
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

/// One thread and all, in alternating rounds of which the medians count.
pub(crate) async fn measure(bytes: &[u8], quick: bool, report: &mut Report) {
    let (rounds, runs) = if quick { (6, 10) } else { (60, 200) };
    let product = Arc::new(Product::new("noop", bytes, 64).await);
    let bare = Arc::new(Bare::new(bytes));
    let (mut of_product, mut of_bare) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let p = timed(runs, || async { product.must(INPUT).await }).await;
        let b = timed(runs, || bare.run()).await;
        // The first ones warm caches and slots.
        if round >= rounds / 10 {
            of_product.push(p);
            of_bare.push(b);
        }
    }
    let (one, bare_one) = (median(of_product), median(of_bare));
    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..if quick { 1 } else { 5 } {
        let product = Arc::clone(&product);
        let run = move || {
            let product = Arc::clone(&product);
            async move { product.must(INPUT).await }
        };
        rates[0].push(throughput(runs * 25, run).await);
        let bare = Arc::clone(&bare);
        let run = move || {
            let bare = Arc::clone(&bare);
            async move { bare.run().await }
        };
        rates[1].push(throughput(runs * 25, run).await);
    }
    let [rate, bare_rate] = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    });
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    report.add(
        Row::new("no-op activity, one thread", micros(one), "µs")
            .beside("bare wasmtime", micros(bare_one))
            .target(Target::RatioAtMost(1.5)),
    );
    report.add(
        Row::new("no-op activities, two threads", rate, "/s")
            .beside("bare wasmtime", bare_rate)
            .target(Target::AtLeast(40_000.0)),
    );
}
