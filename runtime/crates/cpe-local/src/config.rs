//! What an embedded endpoint is opened with.

use std::{path::PathBuf, sync::Arc, time::Duration};

use cpe_ports::{Clock, SystemClock};
use cpe_swf::limits::LONG_POLL;

/// Where the state is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// Nothing outlives the endpoint. Objects are in a temporary folder until then.
    Memory,
    /// A folder of its own, made if it is not there; one process at a time.
    Disk(PathBuf),
}

#[derive(Debug, Clone)]
pub struct LocalConfig {
    pub data: Storage,
    /// How long a poll for a decision task or an activity task is held; SWF: 60 s. Polls of
    /// queues are held as long as they ask, but no longer than this.
    pub poll_wait: Duration,
    /// Tells what time it is for timeouts, timers and visibility. After moving a clock by hand,
    /// call [`crate::Local::look_at_clock`].
    pub clock: Arc<dyn Clock>,
    /// Requests that may wait for the state at the same time; more wait for these.
    pub max_calls: usize,
}

impl Default for LocalConfig {
    fn default() -> Self {
        Self {
            data: Storage::Memory,
            poll_wait: LONG_POLL,
            clock: Arc::new(SystemClock),
            max_calls: 1_024,
        }
    }
}
