//! Plans by the digest of their text, in a bucket: an execution is decided to its end by the plan
//! that it began with, also by processes that have a newer one, or none.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use cpe_plan::Plan;
use cpe_ports::{BlobStore, Error, ErrorKind, ObjectAddress, PutCondition, PutOptions};
use lru::LruCache;
use tracing::warn;

use crate::{Backoff, Ports, backoff::retrying};

/// Plans that were read, and are kept parsed.
const KEPT: NonZeroUsize = NonZeroUsize::new(64).expect("is not zero");
/// Longer than any plan that can be loaded.
const MAX_TEXT: usize = 4 << 20;
/// Well below the time that a decision may take.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub struct PlanArchive {
    blobs: Arc<dyn BlobStore>,
    bucket: String,
    prefix: String,
    backoff: Backoff,
    read: Mutex<LruCache<String, Arc<Plan>>>,
}

impl PlanArchive {
    /// `prefix` is put before every key as it is: end it with a slash to have a folder.
    pub fn new(ports: &Ports, bucket: String, prefix: String) -> Self {
        let (blobs, read) = (Arc::clone(&ports.blobs), Mutex::new(LruCache::new(KEPT)));
        Self { blobs, bucket, prefix, backoff: Backoff::default(), read }
    }

    /// Writes a plan, unless it is there.
    ///
    /// # Errors
    ///
    /// Of the object store.
    pub async fn keep(&self, plan: &Plan) -> Result<(), Error> {
        let options = PutOptions {
            content_type: Some("application/yaml".to_owned()),
            condition: Some(PutCondition::Absent),
            ..PutOptions::default()
        };
        let text = Bytes::copy_from_slice(plan.text().as_bytes());
        match self.blobs.put(&self.address(plan.digest()), text, options).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The plan with that digest, or `None` if none such was kept.
    ///
    /// # Errors
    ///
    /// Of the object store.
    pub async fn plan(&self, digest: &str) -> Result<Option<Arc<Plan>>, Error> {
        if let Some(plan) = self.lock().get(digest) {
            return Ok(Some(Arc::clone(plan)));
        }
        let at = self.address(digest);
        let text = match retrying(self.backoff, PATIENCE, || self.text(&at)).await {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match Plan::parse(&at.to_string(), &text) {
            Ok(plan) if plan.digest() == digest => {
                let plan = Arc::new(plan);
                self.lock().put(digest.to_owned(), Arc::clone(&plan));
                Ok(Some(plan))
            }
            Ok(plan) => {
                warn!(%at, digest = plan.digest(), "A plan that was kept is another one");
                Ok(None)
            }
            Err(errors) => {
                warn!(%at, %errors, "A plan that was kept cannot be read by this version");
                Ok(None)
            }
        }
    }

    async fn text(&self, at: &ObjectAddress) -> Result<String, Error> {
        let bytes = self.blobs.get(at, None).await?.whole(MAX_TEXT).await?.ok_or_else(|| {
            Error::new(ErrorKind::Refused, format!("{at} has more than {MAX_TEXT} bytes"))
        })?;
        String::from_utf8(bytes.into())
            .map_err(|_| Error::new(ErrorKind::Refused, format!("{at} is not UTF-8")))
    }

    fn address(&self, digest: &str) -> ObjectAddress {
        ObjectAddress::new(&self.bucket, format!("{}plans/sha256/{digest}.yaml", self.prefix))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LruCache<String, Arc<Plan>>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use cpe_ports::testing::MemoryBlobs;

    use super::*;
    use crate::testing::{self, ScriptedQueues};

    fn archive(blobs: &MemoryBlobs) -> PlanArchive {
        let ports =
            Ports { blobs: Arc::new(blobs.clone()), ..testing::ports(&ScriptedQueues::default()) };
        PlanArchive::new(&ports, "b".to_owned(), "p/".to_owned())
    }

    #[tokio::test]
    async fn a_plan_is_kept_once_and_found_by_its_digest() {
        let blobs = MemoryBlobs::with_buckets(["b"]);
        let plan = testing::plan();
        let archive = archive(&blobs);
        assert!(archive.plan(plan.digest()).await.unwrap().is_none());
        archive.keep(&plan).await.unwrap();
        archive.keep(&plan).await.unwrap();
        assert_eq!(blobs.keys("b"), [format!("p/plans/sha256/{}.yaml", plan.digest())]);
        let found = archive.plan(plan.digest()).await.unwrap().unwrap();
        assert_eq!(found.text(), plan.text());
        blobs.take_calls();
        archive.plan(plan.digest()).await.unwrap().unwrap();
        assert_eq!(blobs.take_calls(), [""; 0], "it is read once");
    }

    #[tokio::test]
    async fn what_is_not_that_plan_is_none() {
        let blobs = MemoryBlobs::with_buckets(["b"]);
        let plan = testing::plan();
        let key = format!("p/plans/sha256/{}.yaml", plan.digest());
        blobs.insert("b", &key, format!("{}\n# changed\n", plan.text()));
        assert!(archive(&blobs).plan(plan.digest()).await.unwrap().is_none());
        blobs.insert("b", &key, "steps: no");
        assert!(archive(&blobs).plan(plan.digest()).await.unwrap().is_none());
        blobs.insert("b", &key, vec![b'x'; MAX_TEXT + 1]);
        archive(&blobs).plan(plan.digest()).await.unwrap_err();
    }
}
