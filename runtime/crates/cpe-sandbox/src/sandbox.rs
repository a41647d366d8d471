//! The sandbox itself: loads modules, and runs each activity task in a store of its own.

use std::{
    fmt,
    path::PathBuf,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{error::Elapsed, timeout},
};
use tracing::info;
use wasmtime::Store;

use crate::{
    Beats, Compiler, Failure, Finished, Invocation, JailConfig, Limits, LoadCounts, Metering,
    Module, SandboxError, Unfinished, UploadJournal,
    egress::{Connector, SystemResolver},
    error::cut,
    file_kind,
    guest_log::GuestLog,
    host::{self, ObjectAccess, Objects, Requests},
    jail::{Jail, Means},
    link::Pre,
    loading::{self, Loader},
    metered::{Exhausted, Metered},
    program::{self, Program},
    scratch::ScratchSpace,
    secrets::Secrets,
    staging::{Staging, Uploads},
    state::{MAX_HANDLES, Reach, State, Task},
    trap,
};

/// Bytes that a guest passes to the host in one call.
const HOSTCALL_BYTES: usize = 16 << 20;
const MAX_REASON: usize = 256;
pub(crate) const MAX_DETAILS: usize = 32_768;
/// How long an activity that failed waits for its uploads to be aborted.
const ABORT_GRACE: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxConfig {
    /// Guests that run at a time; more of them wait.
    pub max_concurrent: usize,
    /// And beside them, in a [`Sandbox::beside`].
    pub beside: usize,
    /// Where machine code is kept; nowhere if `None`.
    pub cache_dir: Option<PathBuf>,
    /// Where scratch space is; the system's folder for temporary files if `None`.
    pub scratch_dir: Option<PathBuf>,
    pub max_component_bytes: usize,
    /// Modules that compile at a time.
    pub max_compilations: usize,
    pub compiler: Compiler,
    /// Guests run in jailed processes, and in this one if `None`.
    pub jail: Option<JailConfig>,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            max_concurrent: 64,
            beside: 0,
            cache_dir: None,
            scratch_dir: None,
            max_component_bytes: 64 << 20,
            max_compilations: loading::default_compilations(),
            compiler: Compiler::default(),
            jail: None,
        }
    }
}

/// Loads and runs modules. Clones share everything.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

struct Inner {
    config: SandboxConfig,
    loader: Arc<Loader>,
    slots: Arc<Semaphore>,
    uploads: Arc<Uploads>,
    connector: Arc<Connector>,
    scratch: Arc<ScratchSpace>,
    jail: Option<Arc<Jail>>,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("config", &self.0.config).finish_non_exhaustive()
    }
}

impl Sandbox {
    pub fn new(config: SandboxConfig) -> Result<Self, SandboxError> {
        let config = SandboxConfig {
            max_concurrent: config.max_concurrent.clamp(1, Semaphore::MAX_PERMITS),
            ..config
        };
        let scratch = config.scratch_dir.clone();
        let scratch = scratch.unwrap_or_else(|| std::env::temp_dir().join("cpe-scratch"));
        Ok(Self(Arc::new(Inner {
            scratch: Arc::new(ScratchSpace::new(scratch)),
            loader: Arc::new(Loader::new(&config)?),
            slots: Arc::new(Semaphore::new(config.max_concurrent)),
            jail: config
                .jail
                .clone()
                .map(|jail| Arc::new(Jail::new(jail, config.max_concurrent + config.beside))),
            uploads: Arc::default(),
            connector: Arc::new(Connector::new(Arc::new(SystemResolver))),
            config,
        })))
    }

    /// For guests whose runs nobody waits for: the same modules, but slots of their own, and
    /// uploads that no journal knows.
    #[must_use]
    pub fn beside(&self) -> Self {
        let Inner { config, loader, connector, scratch, jail, .. } = &*self.0;
        Self(Arc::new(Inner {
            config: SandboxConfig { max_concurrent: config.beside, ..config.clone() },
            loader: Arc::clone(loader),
            slots: Arc::new(Semaphore::new(config.beside)),
            jail: jail.clone(),
            uploads: Arc::default(),
            connector: Arc::clone(connector),
            scratch: Arc::clone(scratch),
        }))
    }

    /// Whether more than half of the slots are taken.
    pub fn is_busy(&self) -> bool {
        self.0.slots.available_permits() < self.0.config.max_concurrent.div_ceil(2)
    }

    /// How the modules of this sandbox came to be.
    pub fn load_counts(&self) -> LoadCounts {
        self.0.loader.counts()
    }

    /// Makes a component ready to run: checks, compiles (or finds in the cache) and links it.
    /// `name` is for messages.
    pub async fn load(&self, name: &str, bytes: Bytes) -> Result<Module, SandboxError> {
        let (size, limit) = (bytes.len(), self.0.config.max_component_bytes);
        if size > limit {
            return Err(SandboxError::TooLarge { module: name.to_owned(), size, limit });
        }
        file_kind::expect_component(&bytes)
            .map_err(|found| SandboxError::NotAComponent { module: name.to_owned(), found })?;
        self.0.loader.load(name, bytes).await
    }

    /// Runs a module once. Dropping the future stops the guest and undoes its writes.
    pub async fn run(
        &self,
        module: &Module,
        invocation: Invocation,
        input: String,
    ) -> Result<Finished, Unfinished> {
        let mut metering = Metering::default();
        let arrived = Instant::now();
        let slot = Arc::clone(&self.0.slots).acquire_owned().await.map_err(|error| {
            SandboxError::Internal(format!("no slot for the activity: {error}"))
        })?;
        metering.wait = arrived.elapsed();

        // Declared first, so that it is dropped last, when the run has read its meters.
        let mut meter = Meter { metering, beats: Arc::clone(&invocation.beats) };
        let metering = &mut meter.metering;
        let work = Work { module, invocation, input: &input };
        let Ran { called, mut staging } = match &self.0.jail {
            Some(jail) => {
                let Inner { connector, uploads, scratch, .. } = &*self.0;
                let means = Means { connector, uploads, scratch, slot };
                jail.run(work, means, metering).await?
            }
            None => self.run_here(work, slot, metering).await?,
        };
        metering.bytes_read = staging.bytes_read;
        metering.bytes_written = staging.bytes_written;
        log(module, metering, &called);

        let outcome = match called {
            Ok(Ok(output)) => {
                let start = Instant::now();
                let committed = staging.commit().await;
                metering.commit = start.elapsed();
                committed.map(|()| Ok(output))
            }
            failed => {
                if !staging.is_empty() {
                    let _ = timeout(ABORT_GRACE, staging.abort()).await;
                }
                failed
            }
        };
        match outcome {
            Ok(outcome) => Ok(Finished { outcome, metering: metering.clone() }),
            Err(error) => Err(Unfinished { error, metering: metering.clone() }),
        }
    }

    /// The same up to the guest's end, in a store of this process.
    async fn run_here(
        &self,
        work: Work<'_>,
        // Freed after the store, so that the pool has its place back by then.
        _slot: OwnedSemaphorePermit,
        metering: &mut Metering,
    ) -> Result<Ran, SandboxError> {
        let Work { module, invocation, input } = work;
        let Invocation { context, limits, grants, blobs, beats, clock } = invocation;
        let (context, grants) = (Arc::new(context), Arc::new(grants));
        let secrets = Secrets::new(&grants.secrets);
        let log = GuestLog::new(Arc::clone(&context), &limits);
        let staging = Staging::new(Arc::clone(&blobs), Arc::clone(&self.0.uploads));
        let access = ObjectAccess::new(Arc::clone(&grants), blobs, staging);
        let deadline = (clock.now() + limits.wall).as_millis();
        let task = Task { context, deadline: u64::try_from(deadline).unwrap_or_default() };
        let reach = Reach {
            environment: secrets.environment_with(&grants.env),
            objects: Objects::Own(Box::new(access)),
            requests: Requests::Own {
                connector: Arc::clone(&self.0.connector),
                grants,
                secrets,
                log: log.clone(),
            },
            beats,
            log: log.clone(),
        };
        let _ticking = module.tick();
        let store = new_store(module, task, reach, (&limits, &self.0.scratch), input)?;
        let mut running = Running { store: Some(store), metering };
        let Running { store: Some(store), metering } = &mut running else {
            return Err(SandboxError::Internal("it has no store".to_owned()));
        };
        let called = call(store, module, input, &limits, metering).await;
        running.read_meters();
        log.finish();
        match running.store.take().map(Store::into_data).map(|state| state.objects) {
            Some(Objects::Own(access)) => Ok(Ran { called, staging: access.staging }),
            _ => Err(SandboxError::Internal("it has no objects".to_owned())),
        }
    }

    /// Waits for the uploads of guests that were stopped to be aborted: before the process ends.
    pub async fn settle(&self) {
        let Uploads { background, journal, .. } = &*self.0.uploads;
        background.close();
        background.wait().await;
        if let Some(journal) = journal.get() {
            journal.end().await;
        }
    }

    /// From now on, multipart uploads are written down while they are open. The first journal
    /// counts.
    pub fn keep_journal(&self, journal: Arc<UploadJournal>) {
        let _ = self.0.uploads.journal.set(journal);
    }
}

/// What is to be run.
pub(crate) struct Work<'a> {
    pub(crate) module: &'a Module,
    pub(crate) invocation: Invocation,
    pub(crate) input: &'a str,
}

/// What came of a run, of which nothing is visible yet.
pub(crate) struct Ran {
    pub(crate) called: Result<Result<String, Failure>, SandboxError>,
    pub(crate) staging: Staging,
}

/// A store for one run, in which everything that is set for the safety of the host is set.
pub(crate) fn new_store(
    module: &Module,
    task: Task,
    reach: Reach,
    (limits, scratch): (&Limits, &ScratchSpace),
    input: &str,
) -> Result<Store<State>, SandboxError> {
    let scratch = match limits.scratch {
        0 => None,
        limit => Some(scratch.folder(limit).map_err(|error| {
            SandboxError::Internal(format!("no scratch space can be made: {error}"))
        })?),
    };
    let output = usize::try_from(limits.output).unwrap_or(usize::MAX);
    let program = match module.pre() {
        Pre::Activity(_) => None,
        Pre::Program(_) => Some(Program::new(input.to_owned(), output)),
    };
    let state = State::new(task, reach, limits.memory, program, scratch);
    let mut store = Store::new(module.engine(), state.map_err(SandboxError::Setup)?);
    store.set_max_component_handles(MAX_HANDLES);
    store.limiter(|state| &mut state.limiter);
    store.set_hostcall_fuel(output.saturating_add(MAX_DETAILS * 4).max(HOSTCALL_BYTES));
    // Busy guests yield at every tick: their neighbours run, and their time is looked at.
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    Ok(store)
}

/// What a run takes, which is told also where the run is dropped.
struct Meter {
    metering: Metering,
    beats: Arc<dyn Beats>,
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.beats.took(&self.metering);
    }
}

/// A store whose meters are read also where its run is dropped.
struct Running<'a> {
    store: Option<Store<State>>,
    metering: &'a mut Metering,
}

impl Running<'_> {
    fn read_meters(&mut self) {
        let Some(state) = self.store.as_ref().map(Store::data) else { return };
        self.metering.peak_memory = state.limiter.peak();
        (self.metering.http_sent, self.metering.http_received) = state.http_bytes();
        if let Objects::Own(access) = &state.objects {
            self.metering.bytes_read = access.staging.bytes_read;
            self.metering.bytes_written = access.staging.bytes_written;
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.read_meters();
    }
}

/// Instantiates and calls, within the limits of CPU and wall time.
pub(crate) async fn call(
    store: &mut Store<State>,
    module: &Module,
    input: &str,
    limits: &Limits,
    metering: &mut Metering,
) -> Result<Result<String, Failure>, SandboxError> {
    let start = Instant::now();
    let mut instantiated = None;
    let ended = {
        let guest = pin!(async {
            match module.pre() {
                Pre::Activity(pre) => {
                    let activity = pre.instantiate_async(&mut *store).await?;
                    instantiated = Some(start.elapsed());
                    activity.cpe_activity_handler().call_run(&mut *store, input).await
                }
                Pre::Program(pre) => {
                    let command = pre.instantiate_async(&mut *store).await?;
                    instantiated = Some(start.elapsed());
                    program::ended(command.wasi_cli_run().call_run(&mut *store).await, store)
                }
            }
        });
        timeout(limits.wall, Metered::new(guest, limits.cpu, &mut metering.cpu)).await
    };
    metering.instantiate = instantiated.unwrap_or_default();
    metering.run = start.elapsed().saturating_sub(metering.instantiate);
    match ended {
        Err(Elapsed { .. }) => Err(SandboxError::Wall { limit: limits.wall }),
        Ok(Err(Exhausted)) => Err(SandboxError::Cpu { limit: limits.cpu }),
        Ok(Ok(Err(error))) => Err(trap::explain(&error, store.data(), limits)),
        Ok(Ok(Ok(Ok(output)))) if output.len() as u64 > limits.output => {
            Err(SandboxError::Output { limit: limits.output })
        }
        Ok(Ok(Ok(Ok(output)))) => Ok(Ok(output)),
        Ok(Ok(Ok(Err(failure)))) => {
            let host::Failure { reason, details, retryable } = failure;
            Ok(Err(presentable(Failure { reason, details, retryable })))
        }
    }
}

/// What a run took, however it ended. Who drops the run hears nothing.
fn log(
    module: &Module,
    metering: &Metering,
    called: &Result<Result<String, Failure>, SandboxError>,
) {
    let ended = match called {
        Ok(Ok(_)) => "ok",
        Ok(Err(failure)) => &failure.reason,
        Err(error) => error.reason(),
    };
    info!(
        module = module.name(),
        ended,
        instantiate = ?metering.instantiate,
        run = ?metering.run,
        cpu = ?metering.cpu,
        peak_memory = metering.peak_memory,
        bytes_read = metering.bytes_read,
        bytes_written = metering.bytes_written,
        http_sent = metering.http_sent,
        http_received = metering.http_received,
        "A guest ended"
    );
}

/// Reasons of the host's own that a guest may give, because only it knows.
const GUEST_REASONS: [&str; 5] =
    ["cpe.canceled", "cpe.bad-input", "cpe.bad-output", "cpe.denied.s3", "cpe.denied.http"];

/// Cuts what a guest says about its failure to what SWF stores, and keeps it from speaking for
/// the host.
pub(crate) fn presentable(failure: Failure) -> Failure {
    let Failure { reason, details, retryable } = failure;
    let mut reason: String = reason.chars().filter(|c| !c.is_control()).take(MAX_REASON).collect();
    if reason.trim().is_empty() {
        reason = "activity.failed".to_owned();
    }
    if reason.trim_start().starts_with("cpe.") && !GUEST_REASONS.contains(&reason.as_str()) {
        reason = format!("activity.{}", reason.trim_start());
        cut(&mut reason, MAX_REASON);
    }
    let mut details = details;
    if let Some((end, _)) = details.char_indices().nth(MAX_DETAILS) {
        cut(&mut details, end);
    }
    Failure { reason, details, retryable }
}

#[cfg(test)]
mod tests;
