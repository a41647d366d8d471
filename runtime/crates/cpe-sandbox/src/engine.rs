//! The one place that configures wasmtime: which features guests may use, how their memory is
//! kept, and the clock that interrupts them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
};

use tracing::{debug, warn};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Strategy,
    WasmBacktraceDetails,
};

/// How often the epoch moves: the longest that a busy guest keeps its thread for itself. A short
/// activity beside busy ones waits for a few of them.
const TICK: Duration = Duration::from_millis(1);
/// So many ticks after the last guest, the clock stops until there is one again.
const LINGER: u32 = 200;

/// Guest stacks, host functions included.
const STACK: usize = 2 << 20;
/// Of that, for the guest's own calls.
pub(crate) const WASM_STACK: usize = STACK / 4;
/// Of each memory slot, what stays mapped when its guest is gone. Giving pages back to the kernel
/// and faulting them in again costs more than all the rest of a small run.
const KEPT_MEMORY: usize = 2 << 20;
/// The same where the kernel cannot say which pages were touched, so that all have to be cleared.
const KEPT_MEMORY_BLIND: usize = 64 << 10;
const KEPT_STACK: usize = 64 << 10;
const KEPT_TABLE: usize = 64 << 10;

const CORE_INSTANCES_PER_COMPONENT: u32 = 32;
const MEMORIES_PER_COMPONENT: u32 = 4;
const TABLES_PER_COMPONENT: u32 = 8;
const TABLE_ELEMENTS: usize = 100_000;

/// How instances get their memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allocation {
    /// From slots set aside for so many instances at a time.
    Pooled { instances: u32, scan: bool },
    /// From the kernel, each time.
    OnDemand,
}

/// The fastest engine that this machine allows.
pub(crate) fn best(max_concurrent: usize) -> wasmtime::Result<Engine> {
    let instances = u32::try_from(max_concurrent).unwrap_or(u32::MAX);
    for scan in [true, false] {
        match Engine::new(&config(Allocation::Pooled { instances, scan })) {
            Ok(engine) => {
                debug!(instances, pagemap_scan = scan, "Guests run in pooled memory");
                return Ok(engine);
            }
            Err(error) => debug!(%error, pagemap_scan = scan, "No such pool on this machine"),
        }
    }
    warn!("No pool of guest memory could be set aside: activities start slower");
    on_demand()
}

pub(crate) fn on_demand() -> wasmtime::Result<Engine> {
    Engine::new(&config(Allocation::OnDemand))
}

fn config(allocation: Allocation) -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .epoch_interruption(true)
        .async_stack_size(STACK)
        .max_wasm_stack(WASM_STACK)
        // Not what the environment says: machine code is made in one process and used in others.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        // What the component model of WASI 0.2 does without, a guest does without.
        .wasm_threads(false)
        .wasm_memory64(false)
        .wasm_exceptions(false)
        .wasm_gc(false)
        .wasm_stack_switching(false)
        .wasm_function_references(false)
        .wasm_component_model(true);
    // Off in this build already, since the cargo features are. Said once more, so that a feature
    // that some other crate turns on does not reach guests.
    config.shared_memory(false).concurrency_support(false);
    if let Allocation::Pooled { instances, scan } = allocation {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(instances, scan)));
    }
    config
}

fn pool(instances: u32, scan: bool) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    // Every slot that a component can ask for is there for each of them: a full pool is waiting
    // in front of the semaphore, and never a failure behind it.
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES_PER_COMPONENT))
        .total_memories(instances.saturating_mul(MEMORIES_PER_COMPONENT))
        .total_tables(instances.saturating_mul(TABLES_PER_COMPONENT))
        .total_stacks(instances)
        .total_gc_heaps(instances)
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
        .max_memories_per_component(MEMORIES_PER_COMPONENT)
        .max_tables_per_component(TABLES_PER_COMPONENT)
        .max_tables_per_module(TABLES_PER_COMPONENT)
        .table_elements(TABLE_ELEMENTS)
        .max_unused_warm_slots(instances)
        .async_stack_keep_resident(KEPT_STACK)
        .linear_memory_keep_resident(if scan { KEPT_MEMORY } else { KEPT_MEMORY_BLIND })
        .table_keep_resident(if scan { KEPT_TABLE } else { 0 })
        .pagemap_scan(if scan { Enabled::Yes } else { Enabled::No });
    pool
}

/// Moves an engine's epoch while guests run, until it is dropped.
#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Debug, Default)]
struct Shared {
    guests: AtomicUsize,
    parked: AtomicBool,
    over: AtomicBool,
}

/// As long as there is one, the epoch moves.
#[derive(Debug)]
pub(crate) struct Ticking<'a>(&'a Ticker);

impl Ticker {
    pub(crate) fn start(engine: &Engine) -> wasmtime::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (clock, engine) = (Arc::clone(&shared), engine.weak());
        let thread = thread::Builder::new().name("cpe-epochs".to_owned()).spawn(move || {
            let mut idle = 0;
            while !clock.over.load(Ordering::SeqCst) {
                idle = if clock.guests.load(Ordering::SeqCst) > 0 { 0 } else { idle + 1 };
                if idle > LINGER {
                    clock.park();
                    idle = 0;
                }
                thread::park_timeout(TICK);
                match engine.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => break,
                }
            }
        })?;
        Ok(Self { shared, thread: thread.thread().clone() })
    }

    pub(crate) fn tick(&self) -> Ticking<'_> {
        self.shared.guests.fetch_add(1, Ordering::SeqCst);
        if self.shared.parked.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        Ticking(self)
    }

    /// Whether it waits for a guest to come.
    #[cfg(test)]
    pub(crate) fn rests(&self) -> bool {
        self.shared.parked.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn park(&self) {
        self.parked.store(true, Ordering::SeqCst);
        // Looked at once more: who came before the store did not see that it must wake this thread.
        if self.guests.load(Ordering::SeqCst) == 0 && !self.over.load(Ordering::SeqCst) {
            thread::park();
        }
        self.parked.store(false, Ordering::SeqCst);
    }
}

impl Drop for Ticking<'_> {
    fn drop(&mut self) {
        self.0.shared.guests.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}
