//! What the workers run: each tells the registry, and `cpe module show` reads it there.
//!
//! It is told for people. Nothing is decided by it.

use std::time::Duration;

use cpe_sandbox::Digest;
use cpe_swf::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    ModuleError, Registry,
    channel::{read_digest, write_digest},
    reading,
};

/// How long a worker's word counts that was not renewed.
const STALE: Duration = Duration::from_secs(30 * 60);
const MAX_STATUS: usize = 16 << 10;
/// Workers that are told of for one channel.
const MAX_WORKERS: usize = 200;

/// What one worker makes of one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerStatus {
    pub worker: String,
    /// `None` if it has none that runs.
    #[serde(default, with = "optional_digest", skip_serializing_if = "Option::is_none")]
    pub running: Option<Digest>,
    /// What the channel points at, if it does not run here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
    pub at: Timestamp,
}

/// A version that did not become current.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    #[serde(serialize_with = "write_digest", deserialize_with = "read_digest")]
    pub digest: Digest,
    pub reason: String,
    pub details: String,
    pub since: Timestamp,
}

impl Refused {
    pub(crate) fn new(digest: Digest, error: &ModuleError, since: Timestamp) -> Self {
        let details = error.details().chars().take(2000).collect();
        Self { digest, reason: error.reason().to_owned(), details, since }
    }
}

impl Registry {
    pub(crate) async fn tell_status(
        &self,
        (name, channel): (&str, &str),
        status: &WorkerStatus,
    ) -> Result<(), ModuleError> {
        let key = key(name, channel, &status.worker);
        self.put_json(&self.address(key), status, None).await.map(drop)
    }

    /// The worker is gone.
    pub(crate) async fn withdraw_status(&self, (name, channel): (&str, &str), worker: &str) {
        // What stays is stale soon.
        let _ = self.blobs().delete(&self.address(key(name, channel, worker))).await;
    }

    /// What the workers say of a channel. Those that were not heard of for half an hour are left
    /// out, and so is what cannot be read.
    pub async fn statuses(
        &self,
        name: &str,
        channel: &str,
    ) -> Result<Vec<WorkerStatus>, ModuleError> {
        let folder = self.address(format_args!("status/{name}/{channel}/")).key;
        let now = self.now();
        let mut all = Vec::new();
        for (key, _) in self.list(&folder).await?.into_iter().take(MAX_WORKERS) {
            let at = cpe_ports::ObjectAddress::new(self.address("").bucket, key);
            let read = reading::object(self.blobs(), &at, "a worker's status", MAX_STATUS).await;
            let Ok((_, bytes)) = read else { continue };
            let Ok(status) = serde_json::from_slice::<WorkerStatus>(&bytes) else { continue };
            if now <= status.at || now.since(status.at) < STALE {
                all.push(status);
            }
        }
        Ok(all)
    }
}

fn key(name: &str, channel: &str, worker: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.@".contains(c) { c } else { '_' };
    let worker: String = worker.chars().map(safe).take(200).collect();
    format!("status/{name}/{channel}/{worker}.json")
}

mod optional_digest {
    use cpe_sandbox::Digest;
    use serde::{Deserialize, Deserializer, Serializer, de};

    #[expect(clippy::ref_option, reason = "serde passes fields so")]
    pub(super) fn serialize<S: Serializer>(
        digest: &Option<Digest>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match digest {
            Some(digest) => serializer.serialize_some(digest.as_str()),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Digest>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(de::Error::custom)).transpose()
    }
}
