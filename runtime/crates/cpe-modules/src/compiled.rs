//! Compiled modules by digest: each compiles once, however many ask for it at the same time.

use std::{
    fmt,
    num::NonZeroUsize,
    sync::{Mutex, MutexGuard, PoisonError},
};

use cpe_sandbox::{Digest, Module};
use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use lru::LruCache;

use crate::ModuleError;

/// A module that is compiled, or is going to be. Clones wait for the same one.
pub(crate) type Load = Shared<BoxFuture<'static, Result<Module, ModuleError>>>;

/// The least recently used ones give way.
pub(crate) struct Compiled(Mutex<LruCache<Digest, Load>>);

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compiled").field("modules", &self.lock().len()).finish()
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
        start: impl FnOnce() -> BoxFuture<'static, Result<Module, ModuleError>>,
    ) -> Load {
        let mut loads = self.lock();
        if let Some(load) = loads.get(digest) {
            return load.clone();
        }
        let load = start().shared();
        loads.put(digest.clone(), load.clone());
        tokio::spawn(load.clone());
        load
    }

    /// The module, if it is compiled already.
    pub(crate) fn ready(&self, digest: &Digest) -> Option<Module> {
        self.lock().get(digest)?.peek()?.as_ref().ok().cloned()
    }

    /// The next one who asks for it starts anew.
    pub(crate) fn forget(&self, digest: &Digest) {
        self.lock().pop(digest);
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<Digest, Load>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
