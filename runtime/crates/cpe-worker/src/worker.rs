//! What the three pollers of one process share.

use std::sync::Arc;

use cpe_modules::Locks;
use cpe_swf::DomainName;

use crate::{
    Backoff, ClientRegistry, Outbox, Payloads, PlanArchive, Plans, Ports, Shares, Starts, Usage,
    teller::Teller,
};

/// What the tag of an execution begins with that tells whose it is.
pub(crate) const CLIENT_TAG: &str = "client:";
/// What the tag of an execution begins with that tells which text of its plan it began with.
pub const PLAN_TAG: &str = "plan:sha256:";

/// One process of the fleet: whom it works for, by which plans, and through what.
#[derive(Debug)]
pub struct Worker {
    pub ports: Ports,
    pub domain: DomainName,
    /// What SWF keeps in histories of who polled: at most 256 characters.
    pub identity: String,
    pub plans: Plans,
    /// The plans of executions that began with others than these.
    pub archive: PlanArchive,
    /// The texts that SWF does not take as they are.
    pub payloads: Arc<Payloads>,
    /// Which versions of modules executions begin with.
    pub locks: Locks,
    /// How the executions began that passed by here.
    pub starts: Starts,
    pub clients: ClientRegistry,
    /// Events for clients whose queues do not take any at the moment.
    pub outbox: Outbox,
    /// Who comes next where there is not enough for all.
    pub shares: Shares,
    /// What clients have used today.
    pub usage: Usage,
    /// Between attempts at polls, answers and messages.
    pub backoff: Backoff,
}

impl Worker {
    pub(crate) fn teller(&self) -> Teller {
        Teller::new(&self.ports, Arc::clone(&self.payloads), self.backoff)
    }
}
