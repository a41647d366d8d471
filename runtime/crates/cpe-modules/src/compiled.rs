//! Compiled modules by digest: each compiles once, however many ask for it at the same time, and
//! what nobody uses costs nothing but its name.

use std::{
    collections::BTreeSet,
    fmt,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cpe_sandbox::{Digest, Module, WeakModule};
use cpe_swf::Timestamp;
use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use lru::LruCache;

use crate::{ModuleError, trust::Signed};

/// A module that is ready to run, and who signed it.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    pub(crate) module: Module,
    pub(crate) signed: Arc<Signed>,
}

/// A module that is compiled, or is going to be. Clones wait for the same one.
pub(crate) type Load = Shared<BoxFuture<'static, Result<Loaded, ModuleError>>>;

enum Entry {
    Held {
        load: Load,
        used: Timestamp,
    },
    /// Not used for a while: it is there as long as an activity task runs on it.
    Idle(WeakModule, Arc<Signed>),
}

/// The least recently used ones give way.
pub(crate) struct Compiled(Mutex<LruCache<Digest, Entry>>);

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compiled").field("modules", &self.held()).finish()
    }
}

impl Compiled {
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = NonZeroUsize::new(capacity).unwrap_or(NonZeroUsize::MIN);
        Self(Mutex::new(LruCache::new(capacity)))
    }

    /// The load of that digest. `start` makes it if there is none; it then goes on by itself,
    /// whoever waits for it.
    pub(crate) fn get_or_start(
        &self,
        digest: &Digest,
        now: Timestamp,
        start: impl FnOnce() -> BoxFuture<'static, Result<Loaded, ModuleError>>,
    ) -> Load {
        let mut entries = self.lock();
        match entries.get_mut(digest) {
            Some(Entry::Held { load, used }) => {
                *used = now;
                return load.clone();
            }
            Some(entry @ Entry::Idle(..)) => {
                if let Some(loaded) = entry.revive() {
                    let load = futures::future::ready(Ok(loaded)).boxed().shared();
                    // Polled once, so that it is known to be ready.
                    let _ = load.clone().now_or_never();
                    *entry = Entry::Held { load: load.clone(), used: now };
                    return load;
                }
            }
            None => {}
        }
        let load = start().shared();
        entries.put(digest.clone(), Entry::Held { load: load.clone(), used: now });
        tokio::spawn(load.clone());
        load
    }

    /// The module, if it is compiled already.
    pub(crate) fn ready(&self, digest: &Digest) -> Option<Loaded> {
        match self.lock().get(digest)? {
            Entry::Held { load, .. } => load.peek()?.as_ref().ok().cloned(),
            idle @ Entry::Idle(..) => idle.revive(),
        }
    }

    /// The next one who asks for it starts anew.
    pub(crate) fn forget(&self, digest: &Digest) {
        self.lock().pop(digest);
    }

    /// Lets go of what was not used for `idle`, apart from `keep`. What runs goes on.
    pub(crate) fn let_go(&self, now: Timestamp, idle: Duration, keep: &BTreeSet<Digest>) {
        for (digest, entry) in self.lock().iter_mut() {
            let Entry::Held { load, used } = entry else { continue };
            let Some(Ok(loaded)) = load.peek() else { continue };
            if !keep.contains(digest) && now > *used && now.since(*used) >= idle {
                *entry = Entry::Idle(loaded.module.downgrade(), Arc::clone(&loaded.signed));
            }
        }
    }

    /// How many are kept in memory.
    pub(crate) fn held(&self) -> usize {
        self.lock().iter().filter(|(_, entry)| matches!(entry, Entry::Held { .. })).count()
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<Digest, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn revive(&self) -> Option<Loaded> {
        let Self::Idle(module, signed) = self else { return None };
        Some(Loaded { module: module.upgrade()?, signed: Arc::clone(signed) })
    }
}
