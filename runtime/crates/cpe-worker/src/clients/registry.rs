//! The clients as they are now: an operator may change them while the pollers run.

use std::sync::Arc;

use cpe_protocol::JobRef;
use cpe_swf::WorkflowId;
use tokio::sync::watch;

use super::{Client, Clients};

/// Clones share it. What is in flight goes on with the clients that it began with.
#[derive(Debug, Clone)]
pub struct ClientRegistry(Arc<watch::Sender<Arc<Clients>>>);

impl ClientRegistry {
    pub fn new(clients: Clients) -> Self {
        Self(Arc::new(watch::Sender::new(Arc::new(clients))))
    }

    /// From now on there are these. Answers whether anything changed.
    pub fn replace(&self, clients: Clients) -> bool {
        self.0.send_if_modified(|current| {
            let changed = **current != clients;
            if changed {
                *current = Arc::new(clients);
            }
            changed
        })
    }

    pub fn current(&self) -> Arc<Clients> {
        Arc::clone(&self.0.borrow())
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Arc<Clients>> {
        self.0.subscribe()
    }

    /// See [`Clients::of_execution`].
    pub(crate) fn of_execution(&self, id: &WorkflowId) -> Option<(Arc<Client>, JobRef)> {
        let clients = self.0.borrow();
        let (client, job) = clients.of_execution(id)?;
        Some((Arc::clone(client), job))
    }
}
