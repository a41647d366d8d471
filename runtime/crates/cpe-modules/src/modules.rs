//! From a reference to the module to run: what it points at is looked at every few seconds,
//! compiled once, and swapped without anyone waiting.

use std::{
    fmt,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use cpe_plan::ModuleRef;
use cpe_ports::{BlobStore, Clock};
use cpe_sandbox::{Digest, Module, Sandbox};
use cpe_swf::Timestamp;
use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use lru::LruCache;
use tracing::{info, warn};

use crate::{
    ModuleError, Registry,
    compiled::{Compiled, Load},
    look::{Found, Sources},
};

/// References whose state is kept.
const REFERENCES: NonZeroUsize = NonZeroUsize::new(4096).expect("it is not zero");
/// How long a caller that could go on with what is known waits for a look at what is new.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModulesConfig {
    /// For so long, what a reference points at is taken to be what it was.
    pub revalidate_after: Duration,
    /// Compiled modules that are kept.
    pub max_compiled: usize,
}

impl Default for ModulesConfig {
    fn default() -> Self {
        Self { revalidate_after: Duration::from_secs(5), max_compiled: 64 }
    }
}

/// All modules of a process. Clones share everything.
#[derive(Clone)]
pub struct Modules(Arc<Inner>);

struct Inner {
    sources: Sources,
    sandbox: Sandbox,
    clock: Arc<dyn Clock>,
    config: ModulesConfig,
    compiled: Compiled,
    references: Mutex<LruCache<ModuleRef, Arc<Reference>>>,
}

/// A look that several callers wait for.
type Look = Shared<BoxFuture<'static, Result<Found, ModuleError>>>;

/// What is known about one reference.
#[derive(Default)]
struct Reference(Mutex<Known>);

#[derive(Default)]
struct Known {
    found: Option<(Found, Timestamp)>,
    looking: Option<Look>,
    /// The version that runs: an older one, until the newest is compiled.
    running: Option<Digest>,
}

impl Reference {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Modules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Modules")
            .field("sources", &self.0.sources)
            .field("compiled", &self.0.compiled)
            .finish_non_exhaustive()
    }
}

impl Modules {
    pub fn new(
        registry: Registry,
        sandbox: Sandbox,
        blobs: Arc<dyn BlobStore>,
        clock: Arc<dyn Clock>,
        config: ModulesConfig,
    ) -> Self {
        Self(Arc::new(Inner {
            sources: Sources { registry, blobs },
            sandbox,
            clock,
            compiled: Compiled::new(config.max_compiled),
            references: Mutex::new(LruCache::new(REFERENCES)),
            config,
        }))
    }

    /// The module to run now.
    ///
    /// Only the first caller of a reference waits for the compiler. When the reference points at
    /// something new, that compiles in the background, and the older version is given out until
    /// then; also when the new one turns out to be no good. A file is for development: its caller
    /// always gets what is in it.
    ///
    /// `pin` (`sha256:…`) is the only version that will do: what the reference points at, or what
    /// its channel pointed at before.
    pub async fn get(
        &self,
        reference: &ModuleRef,
        pin: Option<&str>,
    ) -> Result<Module, ModuleError> {
        let inner = &self.0;
        let known = inner.reference(reference);
        let found = inner.look(reference, &known).await?;
        if let Some(pin) = pin {
            let wanted = found.pinned(reference, pin)?;
            return inner.load(reference, &wanted, None).await;
        }
        let load = inner.load(reference, &found.digest, None);
        let older = match reference {
            ModuleRef::File(_) => None,
            _ => known.lock().running.clone().filter(|running| *running != found.digest),
        };
        let module = match (load.peek(), older.and_then(|older| inner.compiled.ready(&older))) {
            (Some(Ok(module)), _) => module.clone(),
            (_, Some(older)) => return Ok(older),
            _ => load.await?,
        };
        let before = known.lock().running.replace(found.digest.clone());
        if before.is_some_and(|before| before != found.digest) {
            info!(module = %reference, digest = %found.digest, "A new version runs from now on");
        }
        Ok(module)
    }
}

impl Inner {
    fn reference(&self, reference: &ModuleRef) -> Arc<Reference> {
        let mut references = self.references.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(references.get_or_insert_ref(reference, Arc::default))
    }

    /// What the reference points at, as of a few seconds ago.
    async fn look(
        self: &Arc<Self>,
        reference: &ModuleRef,
        known: &Arc<Reference>,
    ) -> Result<Found, ModuleError> {
        let (before, looking) = {
            let mut state = known.lock();
            match &state.found {
                Some((found, at)) if self.is_fresh(reference, *at) => return Ok(found.clone()),
                _ => {}
            }
            let looking = match &state.looking {
                Some(looking) => looking.clone(),
                None => {
                    let looking = self.start_look(reference, known);
                    state.looking.insert(looking).clone()
                }
            };
            (state.found.as_ref().map(|(found, _)| found.clone()), looking)
        };
        match before {
            None => looking.await,
            Some(before) => tokio::time::timeout(PATIENCE, looking).await.unwrap_or(Ok(before)),
        }
    }

    fn is_fresh(&self, reference: &ModuleRef, at: Timestamp) -> bool {
        let now = self.clock.now();
        // A clock that was set back must not keep anything for long.
        !matches!(reference, ModuleRef::File(_))
            && now >= at
            && now.since(at) < self.config.revalidate_after
    }

    /// Goes on by itself, whoever waits for it, so that slow stores are heard in the end.
    fn start_look(self: &Arc<Self>, reference: &ModuleRef, known: &Arc<Reference>) -> Look {
        let (inner, known) = (Arc::clone(self), Arc::clone(known));
        let reference = reference.clone();
        let look = async move {
            let before = known.lock().found.clone().map(|(found, _)| found);
            let looked = inner.sources.look(&reference, before.as_ref()).await;
            let mut state = known.lock();
            state.looking = None;
            let answer = match (looked, before) {
                (Ok((found, bytes)), _) => {
                    if bytes.is_some() {
                        // While the bytes are at hand. It goes on by itself.
                        drop(inner.load(&reference, &found.digest, bytes));
                    }
                    Ok(found)
                }
                // Gone is gone; anything else may pass, and work goes on meanwhile.
                (Err(error), Some(before)) if !matches!(error, ModuleError::NotFound { .. }) => {
                    warn!(
                        module = %reference,
                        error = error.details(),
                        "Cannot see whether there is a new version; going on with the one known"
                    );
                    Ok(before)
                }
                (Err(error), _) => Err(error),
            };
            state.found = answer.as_ref().ok().map(|found| (found.clone(), inner.clock.now()));
            answer
        };
        let look = look.boxed().shared();
        tokio::spawn(look.clone());
        look
    }

    /// The module with that digest, compiled or being compiled. `bytes` if they are at hand.
    fn load(
        self: &Arc<Self>,
        reference: &ModuleRef,
        digest: &Digest,
        bytes: Option<Bytes>,
    ) -> Load {
        self.compiled.get_or_start(digest, || {
            let inner = Arc::clone(self);
            let (reference, digest) = (reference.clone(), digest.clone());
            async move {
                let loaded = inner.compile(&reference, &digest, bytes).await;
                if let Err(error) = &loaded {
                    warn!(
                        module = %reference,
                        %digest,
                        error = error.details(),
                        "A module cannot be loaded"
                    );
                    if !error.is_of_the_bytes() {
                        inner.compiled.forget(&digest);
                    }
                }
                loaded
            }
            .boxed()
        })
    }

    async fn compile(
        &self,
        reference: &ModuleRef,
        digest: &Digest,
        bytes: Option<Bytes>,
    ) -> Result<Module, ModuleError> {
        let bytes = match bytes {
            Some(bytes) => bytes,
            None => self.sources.fetch(reference, digest).await?,
        };
        Ok(self.sandbox.load(&reference.to_string(), bytes).await?)
    }
}

#[cfg(test)]
mod tests;
