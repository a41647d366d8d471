//! Which versions an execution began with: all its steps run these, whatever is pushed meanwhile.
//!
//! Whoever starts an execution writes down what the channels of its plan point at (a lock) and
//! tags the execution with the lock's digest. The same state of the channels is the same lock, so
//! it is written once and not for each execution, and history and registry together always lead
//! back to the same versions. An execution without the tag has what its channels pointed at when
//! it began, as far as their histories tell.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    num::NonZeroUsize,
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cpe_plan::ModuleRef;
use cpe_ports::PutCondition;
use cpe_sandbox::Digest;
use cpe_swf::Timestamp;
use lru::LruCache;
use serde::{Deserialize, Serialize};

use crate::{Channel, ModuleError, Registry, reading};

/// For so long a channel is taken to point where it did. Short, because who pushes and then starts
/// a job expects the new version.
const FRESH: Duration = Duration::from_secs(1);
/// More than a plan with all its activities takes.
const MAX_LOCK: usize = 1 << 20;
const KEPT: NonZeroUsize = NonZeroUsize::new(1024).expect("it is not zero");

/// The digest of a lock: what executions are tagged with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LockId(Digest);

impl fmt::Display for LockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for LockId {
    type Err = <Digest as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.parse()?))
    }
}

/// What channels pointed at, at one time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Lock {
    /// By `name@channel`.
    modules: BTreeMap<String, String>,
}

/// Locks, read and written. Clones share everything.
#[derive(Debug, Clone)]
pub struct Locks(Arc<Inner>);

struct Inner {
    registry: Registry,
    state: Mutex<State>,
}

struct State {
    channels: LruCache<ModuleRef, (Timestamp, String, Arc<Channel>)>,
    locks: LruCache<LockId, Arc<Lock>>,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Locks").field("registry", &self.registry).finish_non_exhaustive()
    }
}

impl Locks {
    pub fn new(registry: Registry) -> Self {
        let state = State { channels: LruCache::new(KEPT), locks: LruCache::new(KEPT) };
        Self(Arc::new(Inner { registry, state: Mutex::new(state) }))
    }

    /// Writes down what these references point at now for an execution of the job `execution`;
    /// `None` if none of them is a channel. A canary on a channel takes its share of them.
    /// Channels that do not exist are left out: their activities fail by themselves.
    pub async fn take(
        &self,
        references: &BTreeSet<&ModuleRef>,
        execution: &str,
    ) -> Result<Option<LockId>, ModuleError> {
        let mut lock = Lock::default();
        for reference in references {
            match self.channel(reference, FRESH).await {
                Ok(Some(channel)) => {
                    let digest = channel.version_for(execution).to_string();
                    lock.modules.insert(reference.to_string(), digest);
                }
                Ok(None) | Err(ModuleError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        if lock.modules.is_empty() {
            return Ok(None);
        }
        let json = serde_json::to_vec(&lock).unwrap_or_default();
        let id = LockId(Digest::of(&json));
        if self.state().locks.get(&id).is_none() {
            let at = self.address(&id);
            self.0.registry.put_json(&at, &lock, Some(PutCondition::Absent)).await?;
            self.state().locks.put(id.clone(), Arc::new(lock));
        }
        Ok(Some(id))
    }

    /// The version of a channel that never pointed at another one, and has none on trial: there is
    /// nothing to choose.
    pub async fn only_version(&self, reference: &ModuleRef) -> Result<Option<Digest>, ModuleError> {
        let channel = self.channel(reference, FRESH).await?;
        let is_only =
            |channel: &Arc<Channel>| channel.previous.is_empty() && channel.candidate.is_none();
        let only = channel.filter(is_only);
        Ok(only.map(|channel| channel.current.digest.clone()))
    }

    /// The version of an execution that began then, with that lock if it has one. A candidate that
    /// was aborted meanwhile is not run any more: what the channel pointed at then stands in.
    pub async fn version(
        &self,
        reference: &ModuleRef,
        lock: Option<&LockId>,
        began: Timestamp,
    ) -> Result<Option<Digest>, ModuleError> {
        let locked = match lock {
            Some(id) => self.named(id, reference).await?,
            None => None,
        };
        let channel = match (self.channel(reference, FRESH).await, locked) {
            (Ok(Some(channel)), Some(digest)) if channel.is_aborted(&digest) => Some(channel),
            // What the lock says is enough, also where the channel is out of reach.
            (_, Some(digest)) => return Ok(Some(digest)),
            (channel, None) => channel?,
        };
        Ok(channel.map(|channel| channel.at(began).clone()))
    }

    /// What a lock names of a channel.
    pub async fn named(
        &self,
        lock: &LockId,
        reference: &ModuleRef,
    ) -> Result<Option<Digest>, ModuleError> {
        let lock = self.read(lock).await?;
        let digest = lock.modules.get(&reference.to_string());
        Ok(digest.and_then(|digest| digest.parse().ok()))
    }

    /// The locks that name a channel, newest first, and which version each names. At most `most`
    /// locks are looked at.
    pub async fn naming(
        &self,
        reference: &ModuleRef,
        most: usize,
    ) -> Result<Vec<(LockId, Digest)>, ModuleError> {
        let folder = self.0.registry.address("locks/sha256/").key;
        let mut all = self.0.registry.list(&folder).await?;
        all.sort_by_key(|(_, written)| std::cmp::Reverse(*written));
        let mut found = Vec::new();
        for (key, _) in all.into_iter().take(most) {
            let hex = key.strip_prefix(&folder).and_then(|rest| rest.strip_suffix(".json"));
            let Some(Ok(id)) = hex.map(|hex| format!("sha256:{hex}").parse::<LockId>()) else {
                continue;
            };
            // One that cannot be read is of no execution that runs.
            let Ok(lock) = self.read(&id).await else { continue };
            let named = lock.modules.get(&reference.to_string());
            if let Some(Ok(digest)) = named.map(|digest| digest.parse()) {
                found.push((id, digest));
            }
        }
        Ok(found)
    }

    async fn read(&self, id: &LockId) -> Result<Arc<Lock>, ModuleError> {
        if let Some(lock) = self.state().locks.get(id) {
            return Ok(Arc::clone(lock));
        }
        let at = self.address(id);
        let what = format!("lock {id} in the registry {}", self.0.registry);
        let (_, bytes) = reading::object(self.0.registry.blobs(), &at, &what, MAX_LOCK).await?;
        let found = Digest::of(&bytes);
        if found != id.0 {
            return Err(ModuleError::DigestMismatch {
                module: at.to_string(),
                expected: id.to_string(),
                found: found.to_string(),
            });
        }
        let lock: Lock = serde_json::from_slice(&bytes)
            .map_err(|error| ModuleError::Document { at, problem: error.to_string() })?;
        let lock = Arc::new(lock);
        self.state().locks.put(id.clone(), Arc::clone(&lock));
        Ok(lock)
    }

    /// The channel, as of so long ago at the most; `None` if the reference is none. While the
    /// store is out of reach it is what it was.
    async fn channel(
        &self,
        reference: &ModuleRef,
        fresh: Duration,
    ) -> Result<Option<Arc<Channel>>, ModuleError> {
        let ModuleRef::Registry { name, channel } = reference else { return Ok(None) };
        let known = self.state().channels.get(reference).cloned();
        let now = self.0.registry.now();
        if let Some((at, _, document)) = &known
            && now >= *at
            && now.since(*at) < fresh
        {
            return Ok(Some(Arc::clone(document)));
        }
        let tag = known.as_ref().map(|(_, tag, _)| tag.as_str());
        let read = self.0.registry.channel_unless(name, channel, tag).await;
        let (tag, document) = match (read, known) {
            (Ok(Some((tag, document))), _) => (tag, Arc::new(document)),
            (Ok(None), Some((_, tag, document))) => (tag, document),
            (Err(error), Some((_, tag, document))) if error.is_retryable() => (tag, document),
            (Ok(None), None) => return Ok(None),
            (Err(error), _) => return Err(error),
        };
        let entry = (now, tag, Arc::clone(&document));
        self.state().channels.put(reference.clone(), entry);
        Ok(Some(document))
    }

    fn address(&self, id: &LockId) -> cpe_ports::ObjectAddress {
        self.0.registry.address(format_args!("locks/sha256/{}.json", id.0.hex()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use cpe_ports::{
        BlobStore, ErrorKind,
        testing::{ManualClock, MemoryBlobs},
    };

    use super::*;
    use crate::{
        Author, Push,
        test_guests::{activity, sandbox},
    };

    struct Scene {
        blobs: MemoryBlobs,
        clock: Arc<ManualClock>,
        registry: Registry,
        sandbox: cpe_sandbox::Sandbox,
    }

    impl Scene {
        fn new() -> Self {
            let blobs = MemoryBlobs::with_buckets(["mods"]);
            let clock = Arc::new(ManualClock::at(Timestamp::from_millis(10_000)));
            let store: Arc<dyn BlobStore> = Arc::new(blobs.clone());
            let registry = Registry::new(store, clock.clone(), "mods".to_owned(), String::new());
            Self { blobs, clock, registry, sandbox: sandbox() }
        }

        /// Ten seconds after the last.
        async fn push(&self, version: u32) -> Digest {
            self.clock.advance(Duration::from_secs(10));
            let (bytes, author) = (activity(version), Author::default());
            let push = Push { name: "count", channel: "1", bytes, author };
            self.registry.push(&self.sandbox, push).await.unwrap().digest
        }

        fn locks(&self) -> Locks {
            Locks::new(self.registry.clone())
        }
    }

    fn count() -> ModuleRef {
        "count@1".parse().unwrap()
    }

    async fn take(locks: &Locks) -> LockId {
        let (reference, other) = (count(), "missing@1".parse().unwrap());
        locks.take(&BTreeSet::from([&reference, &other]), "a.b").await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_lock_leads_back_to_what_it_was_taken_of() {
        let scene = Scene::new();
        let first = scene.push(1).await;
        let locks = scene.locks();
        let lock = take(&locks).await;
        assert_eq!(locks.only_version(&count()).await.unwrap().as_ref(), Some(&first));
        let second = scene.push(2).await;
        assert_eq!(locks.only_version(&count()).await.unwrap(), None);
        let now = scene.registry.now();
        // Also for a process that did not take it.
        for locks in [&locks, &scene.locks()] {
            let version = locks.version(&count(), Some(&lock), now).await.unwrap();
            assert_eq!(version.as_ref(), Some(&first));
            let untagged = locks.version(&count(), None, now).await.unwrap();
            assert_eq!(untagged.as_ref(), Some(&second));
        }
        let naming = locks.naming(&count(), 10).await.unwrap();
        assert_eq!(naming, [(lock.clone(), first.clone())]);
        let before = Timestamp::from_millis(now.as_millis() - 1);
        assert_eq!(locks.version(&count(), None, before).await.unwrap(), Some(first));
        assert_ne!(take(&locks).await, lock);
        assert_eq!(lock.to_string().parse::<LockId>().unwrap(), lock);
    }

    #[tokio::test]
    async fn the_same_state_is_written_once() {
        let scene = Scene::new();
        scene.push(1).await;
        let locks = scene.locks();
        scene.blobs.take_calls();
        let lock = take(&locks).await;
        assert_eq!(take(&locks).await, lock);
        let calls = scene.blobs.take_calls();
        assert_eq!(calls.iter().filter(|call| call.starts_with("put")).count(), 1, "{calls:?}");
        let only_files = BTreeSet::new();
        assert_eq!(locks.take(&only_files, "a.b").await.unwrap(), None);
        // A store that is out of reach does not keep jobs from starting.
        scene.clock.advance(Duration::from_secs(10));
        scene.blobs.fail_next(10, ErrorKind::Unavailable);
        let reference = count();
        let again = locks.take(&BTreeSet::from([&reference]), "a.b").await.unwrap();
        assert_eq!(again, Some(lock));
    }

    #[tokio::test]
    async fn a_canary_takes_its_share_and_an_aborted_one_none() {
        let scene = Scene::new();
        let stable = scene.push(1).await;
        scene.clock.advance(Duration::from_secs(10));
        let (bytes, author) = (activity(2), Author::default());
        let digest = Digest::of(&bytes);
        scene.registry.upload(&digest, bytes.clone(), &|_| ()).await.unwrap();
        let candidate = crate::Candidate {
            version: scene.registry.version(digest.clone(), &bytes, &author).unwrap(),
            mode: crate::Mode::Canary,
            share: crate::Percent::of(50),
            since: scene.registry.now(),
            margins: crate::Overrides::default(),
        };
        let seen = scene.registry.see("count", "1").await.unwrap();
        scene.registry.try_out(&seen, candidate, &author).await.unwrap();

        let (locks, reference) = (scene.locks(), count());
        assert_eq!(locks.only_version(&reference).await.unwrap(), None);
        let mut taken = Vec::new();
        for n in 0..40 {
            let job = format!("client.{n}");
            let lock = locks.take(&BTreeSet::from([&reference]), &job).await.unwrap().unwrap();
            let again = locks.take(&BTreeSet::from([&reference]), &job).await.unwrap().unwrap();
            assert_eq!(lock, again, "it does not flip");
            let began = scene.registry.now();
            let version = locks.version(&reference, Some(&lock), began).await.unwrap();
            if version.as_ref() == Some(&digest) {
                taken.push((lock, began));
            } else {
                assert_eq!(version.as_ref(), Some(&stable));
            }
        }
        assert!((8..=32).contains(&taken.len()), "{}", taken.len());

        let seen = scene.registry.see("count", "1").await.unwrap();
        let abort = crate::Verdict::Abort;
        scene.registry.decide(&seen, abort, &author, None).await.unwrap();
        scene.clock.advance(FRESH);
        for (lock, began) in taken {
            let version = locks.version(&reference, Some(&lock), began).await.unwrap();
            assert_eq!(version.as_ref(), Some(&stable));
        }
    }

    #[tokio::test]
    async fn what_is_no_lock_is_refused() {
        let scene = Scene::new();
        scene.push(1).await;
        let lock = take(&scene.locks()).await;
        let key = format!("locks/sha256/{}.json", lock.0.hex());
        scene.blobs.insert("mods", &key, "{}");
        let now = scene.registry.now();
        let error = scene.locks().version(&count(), Some(&lock), now).await.unwrap_err();
        assert_eq!(error.reason(), "cpe.module.digest-mismatch");
        assert!("sha256:1".parse::<LockId>().is_err());
    }
}
