//! What one run is given, and what it gives back.

use std::{fmt, sync::Arc, time::Duration};

use cpe_ports::{BlobStore, Clock};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::{SandboxError, grants::Grants};

/// Everything that one activity task brings along, apart from its input.
#[derive(Debug)]
pub struct Invocation {
    pub context: TaskContext,
    pub limits: Limits,
    /// Already the intersection of what the plan asks and what the operator allows.
    pub grants: Grants,
    pub blobs: Arc<dyn BlobStore>,
    pub beats: Arc<dyn Beats>,
    pub clock: Arc<dyn Clock>,
}

/// What the guest may know of the activity task that it runs for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskContext {
    pub workflow_id: String,
    pub run_id: String,
    pub activity_id: String,
    pub activity_name: String,
    pub activity_version: String,
    /// Counts from 1.
    pub attempt: u32,
    pub client: String,
    pub job_id: String,
}

/// What one run may use up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of all linear memories together.
    pub memory: u64,
    /// Time on a CPU, host calls included.
    pub cpu: Duration,
    /// Time altogether, waiting included.
    pub wall: Duration,
    /// Bytes of the result.
    pub output: u64,
    /// Bytes that are written to files altogether; no files if none.
    pub scratch: u64,
    /// Lines that reach the log.
    pub log_lines: u32,
    /// Bytes that reach the log.
    pub log_bytes: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 256 << 20,
            cpu: Duration::from_secs(60),
            wall: Duration::from_secs(3600),
            output: 1 << 20,
            scratch: 0,
            log_lines: 10_000,
            log_bytes: 1 << 20,
        }
    }
}

/// What a guest hears when it beats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directive {
    Proceed,
    Cancel,
}

/// Where a guest's progress goes, and where the wish to stop comes from.
pub trait Beats: Send + Sync + fmt::Debug + 'static {
    /// Called for every beat of the guest, however often, so it must neither block nor queue
    /// without a limit. `progress` is a JSON document of at most 2,048 characters.
    fn beat(&self, progress: &str) -> Directive;

    /// Called once, when the run is over, however it ended: also when it was dropped. If it was
    /// jailed then, a second time with what it had used of a CPU, as soon as its process tells.
    fn took(&self, metering: &Metering) {
        let _ = metering;
    }

    /// Ends when [`Self::beat`] would answer [`Directive::Cancel`], for those who would hear of it
    /// sooner than the next beat tells them.
    fn canceled(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}

/// How a run ended that the guest itself ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    pub outcome: Result<String, Failure>,
    pub metering: Metering,
}

/// How a run ended that the guest did not end, or whose writes did not become visible.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Unfinished {
    pub error: SandboxError,
    /// What it took until then.
    pub metering: Metering,
}

impl From<SandboxError> for Unfinished {
    fn from(error: SandboxError) -> Self {
        Self { error, metering: Metering::default() }
    }
}

/// Why the guest says that it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// A dotted code of at most 256 characters.
    pub reason: String,
    /// At most 32,768 characters.
    pub details: String,
    pub retryable: bool,
}

/// What one run took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metering {
    /// Waiting for a free slot.
    pub wait: Duration,
    /// Making store and instance.
    pub instantiate: Duration,
    /// From the call to its answer.
    pub run: Duration,
    /// Making writes visible.
    pub commit: Duration,
    /// On a CPU, of `instantiate` and `run` together.
    pub cpu: Duration,
    /// Bytes of linear memory at the most.
    pub peak_memory: u64,
    /// Bytes that the guest read of objects.
    pub bytes_read: u64,
    /// Bytes that the guest wrote to objects.
    pub bytes_written: u64,
    /// Bytes of the bodies of its HTTP requests.
    pub http_sent: u64,
    /// Bytes of the bodies that answered them.
    pub http_received: u64,
}
