//! From a reference to the module to run: what it points at is looked at every few seconds,
//! compiled once, and swapped without anyone waiting.

mod choice;
mod watch;

use std::{
    collections::BTreeSet,
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
use tokio::sync::watch as channel;
use tracing::{info, warn};

pub use self::{choice::Chosen, watch::ModuleState};
use crate::{
    Margins, ModuleError, Registry, SignerKey,
    compiled::{Compiled, Load, Loaded},
    look::{Found, Sources},
    oci::Oci,
    status::Refused,
    trials::Trials,
    trust::Signed,
};

/// References whose state is kept.
const REFERENCES: NonZeroUsize = NonZeroUsize::new(4096).expect("it is not zero");
/// How long a caller that could go on with what is known waits for a look at what is new.
const PATIENCE: Duration = Duration::from_secs(2);
/// So many versions are tried, from the one that is wanted on back, before there is none to run.
const TRIED: usize = 4;

#[derive(Debug, Clone, PartialEq)]
pub struct ModulesConfig {
    /// For so long, what a reference points at is taken to be what it was.
    pub revalidate_after: Duration,
    /// Compiled modules that are kept.
    pub max_compiled: usize,
    /// For so long a module stays in memory that nobody runs, and that no channel points at.
    pub idle_after: Duration,
    /// Everybody whom some client trusts to sign modules at first: what they signed is known
    /// without reading it again.
    pub signers: BTreeSet<SignerKey>,
    /// How much worse a canary may be than what it is tried beside.
    pub margins: Margins,
}

impl Default for ModulesConfig {
    fn default() -> Self {
        Self {
            revalidate_after: Duration::from_secs(5),
            max_compiled: 64,
            idle_after: Duration::from_secs(60),
            signers: BTreeSet::new(),
            margins: Margins::default(),
        }
    }
}

/// Which version of a module is wanted, and whose signature it must have.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    pub reference: &'a ModuleRef,
    /// The only version that will do (`sha256:…`): what the reference points at, or what its
    /// channel pointed at before.
    pub pin: Option<&'a str>,
    /// The version that the execution began with. Unlike a pin it may give way: if it is no good,
    /// the version before it goes on.
    pub began_with: Option<&'a Digest>,
    /// `None` runs what is not signed too.
    pub signers: Option<&'a BTreeSet<SignerKey>>,
    /// The job's workflow id, by which a canary takes its share; `None` has no part in any.
    pub execution: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    /// Whatever runs now.
    pub fn current(reference: &'a ModuleRef) -> Self {
        Self { reference, pin: None, began_with: None, signers: None, execution: None }
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
    trials: Trials,
    references: Mutex<LruCache<ModuleRef, Arc<Reference>>>,
    /// Counts the hints that something may have changed.
    hints: channel::Sender<u64>,
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
    /// The newest, if it does not run.
    refused: Option<Refused>,
    /// The newest, if it runs, but not for a client who asks for signatures.
    distrusted: Option<Refused>,
    /// The candidate, if it does not run here.
    unfit: Option<Digest>,
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
        let trials = Trials::new(registry.clone(), config.margins);
        Self(Arc::new(Inner {
            trials,
            sources: Sources { registry, blobs, oci: Oci::new() },
            sandbox,
            clock,
            compiled: Compiled::new(config.max_compiled),
            references: Mutex::new(LruCache::new(REFERENCES)),
            hints: channel::Sender::new(0),
            config,
        }))
    }

    /// The module to run.
    ///
    /// Only the first caller of a reference waits for the compiler. When the reference points at
    /// something new, that compiles in the background, and the older version is given out until
    /// then; also when the new one turns out to be no good. Who wants a certain version waits for
    /// that one. A file is for development: its caller always gets what is in it.
    ///
    /// # Errors
    ///
    /// Of the version that is wanted, if no older one can stand in for it.
    pub async fn get(&self, wanted: Wanted<'_>) -> Result<Module, ModuleError> {
        self.choose(wanted).await.map(|chosen| chosen.module)
    }

    /// Whoever waits for news looks at once, not only when it is time again.
    pub fn hint(&self) {
        self.0.hints.send_modify(|count| *count += 1);
    }
}

impl Inner {
    /// The first of these versions that runs, and what is wrong with the one that is wanted, if
    /// that is another one.
    async fn first_good(
        self: &Arc<Self>,
        wanted: &Wanted<'_>,
        known: &Arc<Reference>,
        versions: Vec<Digest>,
    ) -> Result<(Module, Option<ModuleError>), ModuleError> {
        let (mut first, mut is_news) = (None, false);
        for digest in versions.iter().take(TRIED) {
            let tried = match self.load(wanted.reference, digest, None).await {
                Ok(loaded) => self.trusts(wanted, &loaded).await.map(|()| loaded),
                Err(error) => Err(error),
            };
            match tried {
                Ok(loaded) => {
                    let wants = versions.first().unwrap_or(digest);
                    match &first {
                        None if wanted.began_with.is_none() => {
                            self.runs(wanted.reference, known, digest);
                        }
                        None => {}
                        Some(error) if is_news => {
                            told_to_give_way(wanted.reference, (wants, digest), error);
                        }
                        Some(_) => {}
                    }
                    return Ok((loaded.module, first));
                }
                Err(error) if error.is_of_the_version() => {
                    is_news |= self.refuses(known, digest, &error);
                    first.get_or_insert(error);
                }
                Err(error) => return Err(first.unwrap_or(error)),
            }
        }
        let none = || ModuleError::NotFound { what: format!("version of {}", wanted.reference) };
        Err(first.unwrap_or_else(none))
    }

    /// Whether it is signed as it must be. It is read again for a key that has come since it was
    /// loaded.
    async fn trusts(&self, wanted: &Wanted<'_>, loaded: &Loaded) -> Result<(), ModuleError> {
        let Some(signers) = wanted.signers else { return Ok(()) };
        let module = wanted.reference.to_string();
        if let Some(checked) = loaded.signed.check(&module, signers) {
            return checked;
        }
        let bytes = self.sources.fetch(wanted.reference, loaded.module.digest()).await?;
        let (signed, keys) = (Arc::clone(&loaded.signed), signers.clone());
        let looking = tokio::task::spawn_blocking(move || signed.look_again(&bytes, &keys));
        let _ = looking.await;
        let unread = || ModuleError::Changed { what: format!("module {module}") };
        loaded.signed.check(&module, signers).unwrap_or_else(|| Err(unread()))
    }

    /// That version is what runs of the reference from now on.
    fn runs(&self, reference: &ModuleRef, known: &Reference, digest: &Digest) {
        let mut state = known.lock();
        if state.refused.as_ref().is_some_and(|refused| refused.digest == *digest) {
            state.refused = None;
        }
        let before = state.running.replace(digest.clone());
        if before.is_some_and(|before| before != *digest) {
            info!(module = %reference, %digest, "A new version runs from now on");
        }
    }

    /// Remembers that the newest version does not run; whether that is news.
    fn refuses(&self, known: &Reference, digest: &Digest, error: &ModuleError) -> bool {
        let mut state = known.lock();
        if state.found.as_ref().is_none_or(|(found, _)| found.digest != *digest) {
            return false;
        }
        let kept = match error {
            ModuleError::Untrusted { .. } => &mut state.distrusted,
            _ => &mut state.refused,
        };
        if kept.as_ref().is_some_and(|kept| kept.digest == *digest) {
            return false;
        }
        *kept = Some(Refused::new(digest.clone(), error, self.clock.now()));
        self.trials.refused(error.reason());
        true
    }

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
            && now.since(at) < self.revalidate_after(reference)
    }

    /// Registries of others count how often they are asked.
    fn revalidate_after(&self, reference: &ModuleRef) -> Duration {
        match reference {
            ModuleRef::Oci(_) => self.config.revalidate_after * 12,
            _ => self.config.revalidate_after,
        }
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
        self.compiled.get_or_start(digest, self.clock.now(), || {
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
    ) -> Result<Loaded, ModuleError> {
        let bytes = match bytes {
            Some(bytes) => bytes,
            None => self.sources.fetch(reference, digest).await?,
        };
        let signers = self.config.signers.clone();
        let signed = bytes.clone();
        // Hashing megabytes takes its time.
        let looking = tokio::task::spawn_blocking(move || Signed::of(&signed, signers));
        let module = self.sandbox.load(&reference.to_string(), bytes).await?;
        let signed = looking.await.unwrap_or_else(|error| Signed::broken(error.to_string()));
        Ok(Loaded { module, signed: Arc::new(signed) })
    }
}

fn told_to_give_way(
    reference: &ModuleRef,
    (wanted, runs): (&Digest, &Digest),
    error: &ModuleError,
) {
    warn!(
        module = %reference,
        %wanted,
        %runs,
        error = error.details(),
        "A version does not run here: the one before it goes on"
    );
}

#[cfg(test)]
mod tests;
