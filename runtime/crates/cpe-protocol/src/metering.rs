//! What the run of an activity took, as its worker notes it.

use serde::{Deserialize, Serialize};

/// What one run took. Times are milliseconds, the rest is bytes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metering {
    /// The component that ran: `sha256:` and 64 hex digits.
    pub module: String,
    /// Waiting for a free slot of the sandbox.
    pub wait_ms: f64,
    /// Making the instance.
    pub instantiate_ms: f64,
    /// From the call to its answer.
    pub run_ms: f64,
    /// Making written objects visible.
    pub commit_ms: f64,
    /// On a CPU.
    pub cpu_ms: f64,
    /// Of linear memory, at the most.
    pub peak_memory: u64,
    /// Read of objects.
    pub s3_read: u64,
    /// Written to objects.
    pub s3_written: u64,
    /// Bodies of HTTP requests.
    pub http_sent: u64,
    /// Bodies of the answers to them.
    pub http_received: u64,
}

/// What a worker notes in SWF's history behind what an activity task is answered with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Note {
    pub metering: Metering,
    /// What the guest could reach, for people. Clients are not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<String>,
}

impl Note {
    /// `None` if it is none, for anybody may write into a history.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
