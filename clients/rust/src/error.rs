//! What can go wrong, as callers tell it apart.

use std::{sync::Arc, time::Duration};

use crate::event::Rejected;

/// Why a call had no answer, or a stream of events ended before the job did.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// CPE refused the command, which had no effect.
    #[error("the command was refused: {0}")]
    Rejected(Box<Rejected>),
    /// The command was sent, and nothing was heard of it: it may have its effect still. A command
    /// that is sent again with the same jobId starts nothing twice.
    #[error("no answer came within {0:?}")]
    NoAnswer(Duration),
    /// CPE answered with something else.
    #[error("the command was answered with {0}")]
    Unexpected(String),
    /// The command could not be sent.
    #[error("cannot send to the input queue")]
    Send(#[source] Arc<cpe_ports::Error>),
    /// The output queue is gone, or does not let this client read it.
    #[error("cannot receive from the output queue")]
    Receive(#[source] Arc<cpe_ports::Error>),
    /// [`Client::close`](crate::Client::close) was called.
    #[error("the client is closed")]
    Closed,
    /// What was asked for cannot be said in the protocol.
    #[error("{0}")]
    Invalid(String),
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    #[error("cannot find the queue {name}")]
    Queue {
        name: String,
        #[source]
        source: cpe_ports::Error,
    },
    #[cfg(feature = "aws")]
    #[error(transparent)]
    Aws(#[from] cpe_aws::ConnectError),
}
