//! What an embedded endpoint is opened with.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use cpe_ports::{Clock, SystemClock};
use cpe_swf::{Timestamp, limits::LONG_POLL};

use crate::VirtualClock;

/// Where the state is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// Nothing outlives the endpoint. Objects are in a temporary folder until then.
    Memory,
    /// A folder of its own, made if it is not there; one process at a time.
    Disk(PathBuf),
}

/// What requests are signed with. There is one account.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.access_key_id;
        f.debug_struct("Credentials").field("access_key_id", key).finish_non_exhaustive()
    }
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
    /// The same clock as `clock`, where time is virtual: then others may move it.
    pub virtual_clock: Option<Arc<VirtualClock>>,
    /// Whether the quotas of an AWS account on calls per second hold for SWF.
    pub throttle: bool,
    /// If given, every HTTP request must be signed with them, and any address may be listened on.
    pub credentials: Option<Credentials>,
    /// Requests that may wait for the state at the same time; more wait for these.
    pub max_calls: usize,
}

impl LocalConfig {
    /// In virtual time: it stands still at `start` until it is moved.
    #[must_use]
    pub fn in_virtual_time(self, start: Timestamp) -> Self {
        let clock = Arc::new(VirtualClock::at(start));
        Self { clock: Arc::clone(&clock) as Arc<dyn Clock>, virtual_clock: Some(clock), ..self }
    }
}

impl Default for LocalConfig {
    fn default() -> Self {
        Self {
            data: Storage::Memory,
            poll_wait: LONG_POLL,
            clock: Arc::new(SystemClock),
            virtual_clock: None,
            throttle: false,
            credentials: None,
            max_calls: 1_024,
        }
    }
}
