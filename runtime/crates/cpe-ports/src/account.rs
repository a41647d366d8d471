//! Who asks, and what the services' clock says: for an operator who wants to know what is missing
//! before anything starts. No poller needs it.

use std::fmt;

use async_trait::async_trait;
use cpe_swf::Timestamp;

use crate::Error;

/// Whose credentials are used, as the service sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub account: String,
    pub arn: String,
}

#[async_trait]
pub trait Account: Send + Sync + fmt::Debug + 'static {
    /// Where the credentials come from, in words, with the id of their key.
    async fn credentials(&self) -> Result<String, Error>;

    /// Whom the service takes the credentials for; `None` at an endpoint that keeps no accounts.
    async fn caller(&self) -> Result<Option<Caller>, Error>;

    /// The time by the workflow service's clock, to the second.
    async fn service_time(&self) -> Result<Timestamp, Error>;

    /// Where the workflow service is, for messages.
    fn place(&self) -> String;
}
