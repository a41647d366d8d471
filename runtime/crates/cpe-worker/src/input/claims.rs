//! Which message began a job: kept in a bucket, so that a jobId starts one execution, also when
//! the first has long ended. SWF itself keeps a workflow id from being used twice only while its
//! execution is open, and its lists are too slow and too throttled to be asked at every start.

use std::sync::Arc;

use bytes::Bytes;
use cpe_ports::{BlobStore, Clock, Error, ErrorKind, ObjectAddress, PutCondition, PutOptions};
use cpe_protocol::JobRef;
use cpe_swf::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::{Ports, digest::digest_of};

const MAX_BYTES: usize = 4 << 10;

/// The claims of all jobs. Clones share them.
#[derive(Debug, Clone)]
pub struct JobClaims {
    blobs: Arc<dyn BlobStore>,
    clock: Arc<dyn Clock>,
    bucket: String,
    prefix: String,
}

/// Who began a job, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Claimed {
    /// For people who look into the bucket.
    job_id: String,
    pub(super) message_id: String,
    pub(super) time: Timestamp,
}

#[derive(Debug, PartialEq)]
pub(super) enum Claim {
    /// Nobody had it: now it is this message's.
    Fresh,
    Taken(Claimed),
    /// There is no bucket to keep claims in.
    Unknown,
}

impl JobClaims {
    /// `prefix` is put before every key as it is: end it with a slash to have a folder.
    pub fn new(ports: &Ports, bucket: String, prefix: String) -> Self {
        let (blobs, clock) = (Arc::clone(&ports.blobs), Arc::clone(&ports.clock));
        Self { blobs, clock, bucket, prefix }
    }

    /// Claims a job for a message, unless it is claimed.
    pub(super) async fn claim(&self, job: &JobRef, message_id: &str) -> Result<Claim, Error> {
        let options = PutOptions { condition: Some(PutCondition::Absent), ..PutOptions::default() };
        match self.put(job, message_id, options).await {
            Ok(()) => Ok(Claim::Fresh),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => match self.look(job).await? {
                Some(claimed) => Ok(Claim::Taken(claimed)),
                // It was removed between the two.
                None => Err(Error::new(ErrorKind::Unavailable, "a claim came and went")),
            },
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Refused) => {
                warn!(%job, %error, "No claims can be kept: SWF's lists are asked instead");
                Ok(Claim::Unknown)
            }
            Err(error) => Err(error),
        }
    }

    /// Claims a job for an execution that no message starts; `false` if there is one already.
    ///
    /// # Errors
    ///
    /// Of the object store.
    pub async fn claim_for(&self, job: &JobRef, what: &str) -> Result<bool, Error> {
        Ok(!matches!(self.claim(job, what).await?, Claim::Taken(_)))
    }

    /// Claims what somebody else had claimed, and nothing came of it.
    pub(super) async fn take_over(&self, job: &JobRef, message_id: &str) -> Result<(), Error> {
        self.put(job, message_id, PutOptions::default()).await
    }

    pub(super) async fn look(&self, job: &JobRef) -> Result<Option<Claimed>, Error> {
        let object = match self.blobs.get(&self.address(job), None).await {
            Ok(object) => object,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Refused) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let bytes = object.whole(MAX_BYTES).await?;
        let claimed = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        // One that cannot be read is somebody's all the same.
        Ok(Some(claimed.unwrap_or_else(|| Claimed {
            job_id: job.job_id.to_string(),
            message_id: String::new(),
            time: Timestamp(0),
        })))
    }

    async fn put(&self, job: &JobRef, message_id: &str, options: PutOptions) -> Result<(), Error> {
        let claimed = Claimed {
            job_id: job.job_id.to_string(),
            message_id: message_id.to_owned(),
            time: self.clock.now(),
        };
        let body = Bytes::from(serde_json::to_vec(&claimed).unwrap_or_default());
        self.blobs.put(&self.address(job), body, options).await.map(drop)
    }

    fn address(&self, job: &JobRef) -> ObjectAddress {
        let key = format!("{}jobs/{}/{}.json", self.prefix, job.client, digest_of(&job.job_id));
        ObjectAddress::new(&self.bucket, key)
    }
}

#[cfg(test)]
mod tests {
    use cpe_ports::testing::MemoryBlobs;
    use cpe_protocol::{ClientName, JobId};

    use super::*;
    use crate::testing::{NOW, ScriptedQueues, ports};

    fn job(client: &str) -> JobRef {
        JobRef { client: ClientName::new(client).unwrap(), job_id: JobId::new("../a/b c").unwrap() }
    }

    #[tokio::test]
    async fn a_job_is_claimed_once() {
        let blobs = MemoryBlobs::with_buckets(["b"]);
        let ports = Ports { blobs: Arc::new(blobs.clone()), ..ports(&ScriptedQueues::default()) };
        let claims = JobClaims::new(&ports, "b".to_owned(), "p/".to_owned());
        assert_eq!(claims.claim(&job("c"), "m1").await.unwrap(), Claim::Fresh);
        assert_eq!(claims.claim(&job("d"), "m2").await.unwrap(), Claim::Fresh, "another client");
        let Claim::Taken(claimed) = claims.claim(&job("c"), "m2").await.unwrap() else {
            panic!("it is taken");
        };
        assert_eq!((claimed.message_id.as_str(), claimed.time), ("m1", NOW));
        claims.take_over(&job("c"), "m3").await.unwrap();
        assert_eq!(claims.look(&job("c")).await.unwrap().unwrap().message_id, "m3");
        assert!(blobs.keys("b").iter().all(|key| key.len() < 100 && !key.contains("..")));
        let nowhere = JobClaims::new(&ports, "none".to_owned(), String::new());
        assert_eq!(nowhere.claim(&job("c"), "m1").await.unwrap(), Claim::Unknown);
        assert_eq!(nowhere.look(&job("c")).await.unwrap(), None);
    }
}
