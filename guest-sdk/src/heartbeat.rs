//! Progress out, and the wish to stop in. How often progress travels on is the host's business.

use serde::Serialize;

use crate::{Failure, host};

/// What the activity must do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use = "an activity that overlooks a cancel is stopped by force"]
pub enum Directive {
    /// Go on.
    Proceed,
    /// The activity was asked to cancel: clean up and return soon. One that goes on is stopped
    /// after a grace period.
    Cancel,
}

/// Progress as clients expect it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// 0 to 100.
    pub percent: u8,
    /// What is being done, for people.
    pub message: String,
}

/// Reports progress and learns whether to go on.
///
/// The progress becomes a JSON document, of at most 2,048 characters, which the client sees. Any
/// `Serialize` will do; [`Progress`] is what clients can be expected to show. Beat as often as is
/// convenient: the host passes on what rate limits allow, and keeps the activity task alive by
/// itself.
pub fn beat(progress: &impl Serialize) -> Directive {
    // Progress is never worth a failure: what is not JSON is told as a message.
    let json = serde_json::to_string(progress).unwrap_or_else(|error| {
        serde_json::Value::from_iter([("message", error.to_string())]).to_string()
    });
    host::beat(json)
}

/// Reports [`Progress`], and ends the activity if it was asked to cancel.
///
/// ```
/// # use cpe_guest::{Failure, heartbeat, testing::Host};
/// fn work() -> Result<u32, Failure> {
///     for step in 0..4 {
///         heartbeat::checkpoint(step * 25, "working")?;
///     }
///     Ok(1)
/// }
/// let run = Host::new().cancel_after(2).run(work);
/// assert_eq!(run.result.unwrap_err().reason, "cpe.canceled");
/// ```
///
/// # Errors
///
/// `cpe.canceled`, which the host takes for the answer to the cancel.
pub fn checkpoint(percent: u8, message: impl Into<String>) -> Result<(), Failure> {
    match beat(&Progress { percent: percent.min(100), message: message.into() }) {
        Directive::Proceed => Ok(()),
        Directive::Cancel => Err(Failure::permanent("cpe.canceled", "canceled on request")),
    }
}
