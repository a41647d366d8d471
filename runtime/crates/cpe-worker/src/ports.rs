//! The ports that a worker is built on, together.

use std::sync::Arc;

use cpe_ports::{BlobStore, Clock, MessageQueue, WorkflowService};

/// What a worker reaches the world through. Clones share it.
#[derive(Debug, Clone)]
pub struct Ports {
    pub workflows: Arc<dyn WorkflowService>,
    pub queues: Arc<dyn MessageQueue>,
    pub blobs: Arc<dyn BlobStore>,
    pub clock: Arc<dyn Clock>,
}
