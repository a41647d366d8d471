//! The endpoint as ports of the core: straight on the engine, with no HTTP to oneself.

mod queue;
mod workflow;

use cpe_ports::{Error, ErrorKind};

pub(crate) use self::{queue::LocalQueues, workflow::LocalWorkflows};
use crate::engine::Closed;

fn unavailable(closed: Closed) -> Error {
    Error::new(ErrorKind::Unavailable, closed.to_string()).with_source(closed)
}

#[cfg(test)]
mod tests;
