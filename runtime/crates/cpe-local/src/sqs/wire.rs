//! SQS on the wire: an operation's parameters in, its answer out, as JSON.
//!
//! The query protocol (`query`) is translated to and from this, so that the two cannot differ.

mod batch;
mod moves;
mod operations;
mod permissions;
pub(crate) mod query;
mod receiving;
mod sending;
mod shapes;
mod tags;

pub(crate) use self::sending::outgoing;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{ACCOUNT, QueueName, SqsFault, SqsFaultKind};
use crate::engine::{Closed, Core, Engine};

/// What the answer to a request depends on besides its parameters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller<'a> {
    pub(crate) engine: &'a Engine,
    /// Scheme, host and port under which the client knows this endpoint.
    pub(crate) base: &'a str,
    pub(crate) region: &'a str,
    /// Ends long polls.
    pub(crate) stop: &'a CancellationToken,
}

impl Caller<'_> {
    /// Runs a command of the machine, and waits for its commit.
    async fn call<T: Send + 'static>(
        &self,
        command: impl FnOnce(&mut Core) -> Result<T, SqsFault> + Send + 'static,
    ) -> Result<T, SqsFault> {
        self.engine.call(command).await?
    }

    fn queue_url(&self, name: &QueueName) -> String {
        queue_url(self.base, name)
    }

    fn queue_arn(&self, name: &QueueName) -> String {
        format!("arn:aws:sqs:{}:{ACCOUNT}:{name}", self.region)
    }
}

pub(crate) fn queue_url(base: &str, name: &QueueName) -> String {
    format!("{base}/{ACCOUNT}/{name}")
}

impl From<Closed> for SqsFault {
    fn from(closed: Closed) -> Self {
        Self::new(SqsFaultKind::Unavailable, closed.to_string())
    }
}

macro_rules! actions {
    ($($name:literal $action:path;)*) => {
        /// Every operation that is served.
        pub(crate) const OPERATIONS: &[&str] = &[$($name,)*];

        /// Carries out one operation and gives its answer.
        pub(crate) async fn dispatch(
            caller: Caller<'_>,
            action: &str,
            parameters: Value,
        ) -> Result<Value, SqsFault> {
            match action {
                $($name => $action(caller, parameters).await,)*
                _ => Err(SqsFault::new(
                    SqsFaultKind::InvalidAction,
                    format!(
                        "The action {} is not valid for this endpoint.",
                        super::names::Shown(action)
                    ),
                )),
            }
        }
    };
}

actions! {
    "CreateQueue" operations::create_queue;
    "GetQueueUrl" operations::get_queue_url;
    "ListQueues" operations::list_queues;
    "ListDeadLetterSourceQueues" operations::list_sources;
    "DeleteQueue" operations::delete_queue;
    "PurgeQueue" operations::purge_queue;
    "GetQueueAttributes" operations::get_attributes;
    "SetQueueAttributes" operations::set_attributes;
    "TagQueue" tags::tag;
    "UntagQueue" tags::untag;
    "ListQueueTags" tags::list;
    "AddPermission" permissions::add;
    "RemovePermission" permissions::remove;
    "StartMessageMoveTask" moves::start;
    "CancelMessageMoveTask" moves::cancel;
    "ListMessageMoveTasks" moves::list;
    "SendMessage" sending::send;
    "SendMessageBatch" sending::send_batch;
    "ReceiveMessage" receiving::receive;
    "DeleteMessage" receiving::delete;
    "DeleteMessageBatch" receiving::delete_batch;
    "ChangeMessageVisibility" receiving::change_visibility;
    "ChangeMessageVisibilityBatch" receiving::change_visibility_batch;
}

/// Reads an operation's parameters.
fn parameters<T: DeserializeOwned>(parameters: Value) -> Result<T, SqsFault> {
    serde_json::from_value(parameters).map_err(|error| {
        let text = error.to_string();
        // What serde says of a field that is not there is SQS's own fault.
        match text.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
            Some(field) => SqsFault::missing(field),
            None => SqsFault::new(SqsFaultKind::Malformed, text),
        }
    })
}

/// The body of an error in the JSON protocol.
pub(crate) fn fault_body(fault: &SqsFault) -> String {
    json!({ "__type": format!("com.amazonaws.sqs#{}", fault.kind), "message": fault.message })
        .to_string()
}

/// The header by which clients of the JSON protocol find the code that the query protocol has.
pub(crate) fn query_error_header(fault: &SqsFault) -> String {
    format!("{};{}", fault.kind.query_code(), sender(fault))
}

fn sender(fault: &SqsFault) -> &'static str {
    if fault.is_senders() { "Sender" } else { "Receiver" }
}

#[cfg(test)]
mod tests;
