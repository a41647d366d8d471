//! What the three pollers of one process share.

use cpe_modules::Locks;
use cpe_swf::DomainName;

use crate::{Backoff, Clients, PlanArchive, Plans, Ports, Starts, teller::Teller};

/// What the tag of an execution begins with that tells which text of its plan it began with.
pub(crate) const PLAN_TAG: &str = "plan:sha256:";

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
    /// Which versions of modules executions begin with.
    pub locks: Locks,
    /// How the executions began that passed by here.
    pub starts: Starts,
    pub clients: Clients,
    /// Between attempts at polls, answers and messages.
    pub backoff: Backoff,
}

impl Worker {
    pub(crate) fn teller(&self) -> Teller {
        Teller::new(&self.ports, self.backoff)
    }
}
