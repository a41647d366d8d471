//! From a component's bytes to a module: looked for in the cache, compiled where it is not there,
//! linked.
//!
//! What is in the cache waits for no compiler.

use std::{
    num::NonZeroUsize,
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::sync::Semaphore;
use tracing::{info, warn};
use wasmtime::Engine;

use crate::{
    Compiler, Digest, Module, SandboxConfig, SandboxError,
    cache::{CompileCache, EntryName},
    engine,
    link::Host,
};

/// So many components compile at a time where the configuration does not say: one core is left to
/// the guests.
pub(crate) fn default_compilations() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get).saturating_sub(1).max(1)
}

/// How modules came to be, since the sandbox was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LoadCounts {
    /// Machine code that was found in the cache.
    pub cached: u64,
    pub compiled: u64,
    /// Components that could not be compiled.
    pub failed: u64,
    /// What all compilations took together, also those that failed.
    pub compiling: Duration,
}

#[derive(Default)]
struct Counters {
    cached: AtomicU64,
    compiled: AtomicU64,
    failed: AtomicU64,
    micros: AtomicU64,
}

/// Makes modules.
pub(crate) struct Loader {
    host: Host,
    /// Runs the components that do not fit the pool. Made when there is one.
    spare: OnceLock<Host>,
    cache: Option<CompileCache>,
    compiler: Compiler,
    compilations: Semaphore,
    counters: Counters,
}

impl Loader {
    pub(crate) fn new(config: &SandboxConfig) -> Result<Self, SandboxError> {
        let engine =
            engine::best(config.max_concurrent + config.beside).map_err(SandboxError::Setup)?;
        Self::over(engine, config)
    }

    pub(crate) fn over(engine: Engine, config: &SandboxConfig) -> Result<Self, SandboxError> {
        let cache = config.cache_dir.as_deref().and_then(open_cache);
        Ok(Self {
            host: Host::new(engine).map_err(SandboxError::Setup)?,
            spare: OnceLock::new(),
            cache,
            compiler: config.compiler.clone(),
            compilations: Semaphore::new(config.max_compilations.clamp(1, Semaphore::MAX_PERMITS)),
            counters: Counters::default(),
        })
    }

    /// The work goes on when its caller is gone: who asks next finds it done.
    pub(crate) async fn load(
        self: &Arc<Self>,
        name: &str,
        bytes: Bytes,
    ) -> Result<Module, SandboxError> {
        let (loader, name) = (Arc::clone(self), name.to_owned());
        let work = tokio::spawn(async move { loader.work(name, bytes).await });
        work.await.map_err(|error| SandboxError::Internal(error.to_string()))?
    }

    async fn work(self: Arc<Self>, name: String, bytes: Bytes) -> Result<Module, SandboxError> {
        let (this, component) = (Arc::clone(&self), bytes.clone());
        let (digest, entry, kept) = blocking(move || {
            let digest = Digest::of(&component);
            let entry = EntryName::new(&digest, this.host.engine());
            let kept = this.kept(&entry);
            (digest, entry, kept)
        })
        .await?;
        let code = match kept {
            Some(code) => code,
            None => self.compile(&name, entry, bytes).await?,
        };
        blocking(move || self.link(&name, digest, &code)).await?
    }

    async fn compile(
        self: &Arc<Self>,
        name: &str,
        entry: EntryName,
        bytes: Bytes,
    ) -> Result<Vec<u8>, SandboxError> {
        let _permit = self.compilations.acquire().await.map_err(|error| {
            SandboxError::Internal(format!("no place to compile a module: {error}"))
        })?;
        // Held over the compilation, so that of all processes on this machine one does the work.
        let _turn = match &self.cache {
            Some(cache) => cache.turn(&entry).await,
            None => None,
        };
        let (this, wanted) = (Arc::clone(self), entry.clone());
        if let Some(code) = blocking(move || this.kept(&wanted)).await? {
            return Ok(code);
        }
        info!(module = name, bytes = bytes.len(), "Compiling");
        let start = Instant::now();
        let scratch = self.cache.as_ref().map(CompileCache::folder);
        let compiled = self.compiler.compile(name, bytes, scratch).await;
        self.count(start.elapsed(), compiled.is_ok());
        let code = compiled?;
        info!(module = name, took = ?start.elapsed(), code = code.len(), "Compiled");
        let this = Arc::clone(self);
        blocking(move || {
            if let Some(cache) = &this.cache {
                cache.put(&entry, &code);
            }
            code
        })
        .await
    }

    fn kept(&self, entry: &EntryName) -> Option<Vec<u8>> {
        let code = self.cache.as_ref()?.get(entry)?;
        self.counters.cached.fetch_add(1, Ordering::Relaxed);
        Some(code)
    }

    fn count(&self, took: Duration, compiled: bool) {
        let Counters { compiled: good, failed, micros, .. } = &self.counters;
        if compiled { good } else { failed }.fetch_add(1, Ordering::Relaxed);
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        micros.fetch_add(took, Ordering::Relaxed);
    }

    pub(crate) fn counts(&self) -> LoadCounts {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        LoadCounts {
            cached: of(&self.counters.cached),
            compiled: of(&self.counters.compiled),
            failed: of(&self.counters.failed),
            compiling: Duration::from_micros(of(&self.counters.micros)),
        }
    }

    /// Makes a module of machine code that [`Compiler`] gave.
    pub(crate) fn link(
        &self,
        name: &str,
        digest: Digest,
        code: &[u8],
    ) -> Result<Module, SandboxError> {
        match self.host.component(code) {
            Ok(component) => self.host.link(name, digest, &component),
            Err(error) => {
                warn!(module = name, %error, "A module does not fit the pool: it starts slower");
                let spare = self.spare()?;
                let component = spare
                    .component(code)
                    .map_err(|source| SandboxError::Invalid { module: name.to_owned(), source })?;
                spare.link(name, digest, &component)
            }
        }
    }

    fn spare(&self) -> Result<&Host, SandboxError> {
        if let Some(spare) = self.spare.get() {
            return Ok(spare);
        }
        let spare = engine::on_demand().and_then(Host::new).map_err(SandboxError::Setup)?;
        Ok(self.spare.get_or_init(|| spare))
    }
}

fn open_cache(dir: &Path) -> Option<CompileCache> {
    let opened = CompileCache::open(dir);
    if let Err(error) = &opened {
        warn!(dir = %dir.display(), %error, "Modules are compiled afresh at each start");
    }
    opened.ok()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, SandboxError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| SandboxError::Internal(error.to_string()))
}

#[cfg(test)]
mod tests;
