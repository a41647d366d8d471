//! Activities under `cargo test`, with no wasm: the same functions against a host in memory.
//!
//! ```
//! use cpe_guest::{Failure, object_store::Bucket, testing::Host};
//!
//! fn size(key: String) -> Result<u64, Failure> {
//!     Ok(Bucket::open("media")?.head(&key)?.size)
//! }
//!
//! let host = || Host::new().object("media", "in/a.txt", "abc");
//! assert_eq!(host().run(|| size("in/a.txt".into())).result, Ok(3));
//! let failure = host().run(|| size("in/b.txt".into())).result.unwrap_err();
//! assert_eq!(failure.reason, "s3.no-such-key");
//! ```
//!
//! As with the real host, what an activity writes, copies or deletes appears only if it succeeds.
//! Grants by prefix and limits are the real host's alone.

use std::collections::BTreeMap;

use crate::{
    Failure,
    context::ActivityTask,
    host::memory::{self, State},
    log::Level,
    object_store::ErrorKind,
};

/// What one `read` gives at most, unless a test asks for less: the real host gives pieces too.
const MOST_BYTES_READ: usize = 64 << 10;

/// A host in memory: what an activity finds when it runs.
#[derive(Debug)]
pub struct Host {
    state: State,
}

/// One stored object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object {
    /// The whole body.
    pub bytes: Vec<u8>,
    /// As given when it was stored.
    pub content_type: Option<String>,
    /// As given when it was stored.
    pub storage_class: Option<String>,
    /// Whether encryption at rest was asked for.
    pub encrypt: bool,
}

/// One line of the operator's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How much it matters.
    pub level: Level,
    /// The line itself.
    pub message: String,
    /// Keys and values beside it.
    pub fields: Vec<(String, String)>,
}

/// What came of a run.
#[derive(Debug)]
#[must_use]
pub struct Run<T> {
    /// The activity's own answer.
    pub result: Result<T, Failure>,
    /// All objects afterwards, by bucket and key.
    pub objects: BTreeMap<String, BTreeMap<String, Object>>,
    /// The progress that the activity reported, in order.
    pub beats: Vec<serde_json::Value>,
    /// The lines that the activity logged, in order.
    pub logs: Vec<LogLine>,
}

impl Host {
    /// A host without buckets, for the first attempt at a step.
    pub fn new() -> Self {
        let context = ActivityTask {
            workflow_id: "client.job".to_owned(),
            run_id: "run".to_owned(),
            activity_id: "Step".to_owned(),
            activity_name: "Activity".to_owned(),
            activity_version: "v1".to_owned(),
            attempt: 1,
            client: "client".to_owned(),
            job_id: "job".to_owned(),
            deadline: None,
        };
        Self {
            state: State {
                buckets: BTreeMap::new(),
                effects: Vec::new(),
                context,
                cancel_after: None,
                faults: Vec::new(),
                most_bytes_read: MOST_BYTES_READ,
                beats: Vec::new(),
                logs: Vec::new(),
            },
        }
    }

    /// Grants an empty bucket. One that is neither here nor in [`Host::object`] is denied.
    pub fn bucket(mut self, bucket: impl Into<String>) -> Self {
        self.state.buckets.entry(bucket.into()).or_default();
        self
    }

    /// Puts an object into a bucket, which is granted by that.
    pub fn object(
        mut self,
        bucket: impl Into<String>,
        key: impl Into<String>,
        bytes: impl Into<Vec<u8>>,
    ) -> Self {
        let object = Object { bytes: bytes.into(), ..Object::default() };
        self.state.buckets.entry(bucket.into()).or_default().insert(key.into(), object);
        self
    }

    /// Answers every call about this key with an error.
    pub fn fault(
        mut self,
        bucket: impl Into<String>,
        key: impl Into<String>,
        error: ErrorKind,
    ) -> Self {
        let bucket = bucket.into();
        self.state.buckets.entry(bucket.clone()).or_default();
        self.state.faults.push((bucket, key.into(), error));
        self
    }

    /// Reads give at most so many bytes at a time, so that bodies come in awkward pieces.
    pub fn read_at_most(mut self, bytes: usize) -> Self {
        self.state.most_bytes_read = bytes.max(1);
        self
    }

    /// Asks the activity to cancel at every heartbeat after the first `beats` ones.
    pub fn cancel_after(mut self, beats: usize) -> Self {
        self.state.cancel_after = Some(beats);
        self
    }

    /// What `context::current` tells the activity.
    pub fn context(mut self, context: ActivityTask) -> Self {
        self.state.context = context;
        self
    }

    /// Calls the activity with this host, on this thread.
    ///
    /// # Panics
    ///
    /// If it is called inside another run, or if the activity panics.
    pub fn run<T>(self, activity: impl FnOnce() -> Result<T, Failure>) -> Run<T> {
        let (result, state) = memory::enter(self.state, activity);
        let State { buckets: mut objects, effects, beats, logs, .. } = state;
        if result.is_ok() {
            for effect in effects {
                effect.apply(&mut objects);
            }
        }
        Run { result, objects, beats, logs }
    }
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Run<T> {
    /// The body of an object after the run, if it is there.
    pub fn object(&self, bucket: &str, key: &str) -> Option<&[u8]> {
        self.objects.get(bucket)?.get(key).map(|object| object.bytes.as_slice())
    }
}

#[cfg(test)]
mod tests;
