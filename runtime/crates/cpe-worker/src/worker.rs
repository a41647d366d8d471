//! What the three pollers of one process share.

use cpe_swf::DomainName;

use crate::{Backoff, Clients, Plans, Ports, teller::Teller};

/// One process of the fleet: whom it works for, by which plans, and through what.
#[derive(Debug)]
pub struct Worker {
    pub ports: Ports,
    pub domain: DomainName,
    /// What SWF keeps in histories of who polled: at most 256 characters.
    pub identity: String,
    pub plans: Plans,
    pub clients: Clients,
    /// Between attempts at polls, answers and messages.
    pub backoff: Backoff,
}

impl Worker {
    pub(crate) fn teller(&self) -> Teller {
        Teller::new(&self.ports, self.backoff)
    }
}
