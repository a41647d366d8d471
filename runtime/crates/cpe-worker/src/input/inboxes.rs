//! One poller for each client's queue, as long as there is that client.

use std::{collections::BTreeMap, sync::Arc};

use cpe_protocol::ClientName;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::info;

use super::{Admission, Inbox, InputConfig, Messages};
use crate::{Client, Clients, Worker, poller::Poller};

/// Polls the input queues of all clients of a worker.
#[derive(Debug)]
pub struct InputPoller {
    worker: Arc<Worker>,
    config: InputConfig,
}

/// A client that is polled for.
struct Polled {
    client: Arc<Client>,
    stop: CancellationToken,
}

impl InputPoller {
    pub fn new(worker: Arc<Worker>, config: InputConfig) -> Self {
        Self { worker, config }
    }

    /// Polls until `stop`, then returns when all messages in flight are dealt with.
    pub async fn run(self, stop: CancellationToken) {
        let mut changes = self.worker.clients.subscribe();
        let inboxes = TaskTracker::new();
        let mut polled = BTreeMap::new();
        loop {
            let clients = Arc::clone(&changes.borrow_and_update());
            self.follow(&clients, &mut polled, &inboxes, &stop);
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                changed = changes.changed() => if changed.is_err() { break },
            }
        }
        stop.cancelled().await;
        inboxes.close();
        inboxes.wait().await;
    }

    /// Ends what is polled for clients that have changed or gone, and begins with those that are
    /// new. What is in flight is finished either way.
    fn follow(
        &self,
        clients: &Clients,
        polled: &mut BTreeMap<ClientName, Polled>,
        inboxes: &TaskTracker,
        stop: &CancellationToken,
    ) {
        polled.retain(|name, polled| {
            let same = clients.iter().any(|client| *client == polled.client);
            if !same {
                info!(client = %name, "The client has changed or gone: its queue is left");
                polled.stop.cancel();
            }
            same
        });
        for client in clients.iter() {
            if polled.contains_key(&client.name) {
                continue;
            }
            let stop = stop.child_token();
            inboxes.spawn(self.inbox(client, stop.clone()));
            polled.insert(client.name.clone(), Polled { client: Arc::clone(client), stop });
        }
    }

    fn inbox(
        &self,
        client: &Arc<Client>,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + use<> {
        let polls = self.config.polls.max(1);
        let inbox = Arc::new(self.inbox_of(client));
        let poller = Poller {
            name: format!("input {}", client.name),
            polls,
            backoff: self.worker.backoff,
            // While one batch is served, the next may arrive. No client waits for another.
            slots: Arc::new(Semaphore::new(polls * 2)),
        };
        poller.run(Messages(Arc::clone(&inbox)), inbox, stop)
    }

    pub(super) fn inbox_of(&self, client: &Arc<Client>) -> Inbox {
        Inbox {
            worker: Arc::clone(&self.worker),
            teller: self.worker.teller(),
            client: Arc::clone(client),
            config: self.config.clone(),
            admission: Admission::default(),
        }
    }
}
