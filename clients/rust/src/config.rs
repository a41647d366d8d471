//! What a client is told about its queues, and how patient it is.

use std::{sync::Arc, time::Duration};

use cpe_ports::{BlobStore, MessageQueue};
use cpe_protocol::ClientName;

/// Which queues, and how long to wait for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The client's name at CPE. Commands say it where it is given, and CPE checks it.
    pub name: Option<ClientName>,
    /// Commands go there: a name or a URL.
    pub input: String,
    /// Events come from there: a name or a URL. One process reads it, or several that watch the
    /// jobs that they start.
    pub output: String,
    /// For how long an answer is waited for. A minute.
    pub answer_within: Duration,
    /// For how long an event waits for those that it may have overtaken: what comes even later is
    /// [`Order::Late`](crate::Order::Late). 200 ms.
    pub settle: Duration,
    /// For how long an event waits for one that must have come before it and was not heard, before
    /// it is handed over as [`Order::AfterGap`](crate::Order::AfterGap). 15 s.
    pub patience: Duration,
    /// Events that are kept for one watcher that does not take them; the rest stays in the queue.
    /// 1,024.
    pub buffer: usize,
    /// What becomes of messages that nobody here waits for.
    pub unwatched: Unwatched,
}

/// What becomes of messages that nobody here waits for: events of jobs without a watcher, and what
/// is no event at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unwatched {
    /// They stay in the queue, and come again after its visibility timeout, here or to another
    /// process; its redrive policy or retention period ends that.
    #[default]
    Leave,
    /// They are deleted: for a process that is the queue's only reader and wants nothing else.
    Delete,
}

impl Config {
    /// With the usual patience.
    pub fn new(input: impl Into<String>, output: impl Into<String>) -> Self {
        Self {
            name: None,
            input: input.into(),
            output: output.into(),
            answer_within: Duration::from_secs(60),
            settle: Duration::from_millis(200),
            patience: Duration::from_secs(15),
            buffer: 1_024,
            unwatched: Unwatched::default(),
        }
    }
}

/// What a client works on: queues, and the object store where long texts stand.
#[derive(Debug, Clone)]
pub struct Ports {
    pub queues: Arc<dyn MessageQueue>,
    /// Without it, inputs and results that stand in S3 are left as references.
    pub blobs: Option<Arc<dyn BlobStore>>,
}
