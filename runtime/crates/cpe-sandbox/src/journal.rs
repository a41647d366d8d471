//! Which uploads are open, written down in the store itself, so that those of a worker that
//! crashed are aborted by whoever runs next.
//!
//! Under `uploads/` beside the modules, each worker has a folder: an entry for each multipart
//! upload that it began and has not ended, and a lease that it renews while there are any. A
//! folder in which nothing was written for [`EXPIRY`] is a dead worker's. All times are the
//! store's, so no two clocks are compared; uploads that are not in a dead worker's folder are
//! never touched, whoever began them.

use std::{
    collections::BTreeMap,
    fmt,
    hash::{BuildHasher, Hasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use cpe_ports::{
    BlobStore, ByteRange, Error, ErrorKind, ListObjects, ObjectAddress, PutOptions, UploadId,
};
use serde::{Deserialize, Serialize};
use tracing::{debug, info, warn};

use crate::{retry::retrying, staging::abort};

const FOLDER: &str = "uploads/";
/// Before all entries in a listing's order.
const LEASE: &str = "lease";
const ENTRY: &str = "upload-";
const RENEWAL: Duration = Duration::from_secs(120);
/// Much longer than any pause of a worker that is alive. One that comes back later finds its
/// uploads gone, and its activity tasks fail and may be tried again.
const EXPIRY: Duration = Duration::from_secs(900);
/// A document larger than that is not ours.
const MAX_DOCUMENT: usize = 16 << 10;
const PAGE: u32 = 1000;
/// Of a listing, for one sweep; the next one goes on.
const MAX_PAGES: usize = 20;

/// The open uploads of one worker. Dropping it leaves everything to [`Self::tend`] of another.
pub struct UploadJournal {
    blobs: Arc<dyn BlobStore>,
    bucket: String,
    /// Ends with [`FOLDER`].
    root: String,
    worker: String,
    last: AtomicU64,
    open: AtomicUsize,
}

/// What an upload is written down as.
pub(crate) struct Entry(ObjectAddress);

#[derive(Serialize, Deserialize)]
struct Document {
    bucket: String,
    key: String,
    upload: String,
}

impl fmt::Debug for UploadJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadJournal").field("worker", &self.worker).finish_non_exhaustive()
    }
}

impl UploadJournal {
    /// `prefix` is put before every key.
    pub fn new(blobs: Arc<dyn BlobStore>, bucket: String, prefix: &str) -> Self {
        let dice = || RandomState::new().build_hasher().finish();
        Self {
            blobs,
            bucket,
            root: format!("{prefix}{FOLDER}"),
            worker: format!("{:016x}{:016x}", dice(), dice()),
            last: AtomicU64::new(0),
            open: AtomicUsize::new(0),
        }
    }

    /// Sweeps now and then, and says that this worker is alive. Never ends by itself.
    pub async fn tend(&self) {
        let mut since_sweep = EXPIRY;
        loop {
            if since_sweep >= EXPIRY {
                since_sweep = Duration::ZERO;
                match self.sweep().await {
                    Ok(0) => {}
                    Ok(aborted) => info!(aborted, "Aborted uploads that a dead worker left"),
                    Err(error) => warn!(%error, "Uploads of dead workers cannot be looked for"),
                }
            }
            tokio::time::sleep(RENEWAL).await;
            since_sweep += RENEWAL;
            if self.open.load(Ordering::Relaxed) > 0
                && let Err(error) = self.renew().await
            {
                warn!(%error, "The lease of this worker's uploads cannot be renewed");
            }
        }
    }

    /// Aborts the uploads of dead workers; how many there were.
    ///
    /// # Errors
    ///
    /// If the store does not let this worker write or list. What could not be aborted stays
    /// written down for the next time.
    pub async fn sweep(&self) -> Result<usize, Error> {
        // Also tells what time it is in the store.
        self.renew().await?;
        let workers = self.workers().await?;
        let Some(now) = workers.get(&self.worker).map(|own| own.newest) else { return Ok(0) };
        let expiry = i64::try_from(EXPIRY.as_millis()).unwrap_or(i64::MAX);
        let mut aborted = 0;
        for (worker, found) in workers {
            if worker == self.worker || now.saturating_sub(found.newest) < expiry {
                continue;
            }
            debug!(worker, uploads = found.entries.len(), "A worker is dead");
            let mut all = true;
            for entry in found.entries {
                let gone = self.abort(&entry).await;
                all &= gone;
                aborted += usize::from(gone);
            }
            if all {
                self.forget(&self.address(&worker, LEASE)).await;
            }
        }
        Ok(aborted)
    }

    pub(crate) async fn opened(&self, at: &ObjectAddress, id: &UploadId) -> Option<Entry> {
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        let entry = self.address(&self.worker, &format!("{ENTRY}{number:08}"));
        let document =
            Document { bucket: at.bucket.clone(), key: at.key.clone(), upload: id.0.clone() };
        let body = Bytes::from(serde_json::to_vec(&document).unwrap_or_default());
        match retrying(|| self.blobs.put(&entry, body.clone(), PutOptions::default())).await {
            Ok(_) => {
                self.open.fetch_add(1, Ordering::Relaxed);
                Some(Entry(entry))
            }
            Err(error) => {
                warn!(%at, %error, "An upload is not written down: after a crash it would stay");
                None
            }
        }
    }

    pub(crate) async fn closed(&self, Entry(entry): Entry) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        self.forget(&entry).await;
    }

    /// This worker has no more uploads.
    pub(crate) async fn end(&self) {
        self.forget(&self.address(&self.worker, LEASE)).await;
    }

    async fn renew(&self) -> Result<(), Error> {
        let lease = self.address(&self.worker, LEASE);
        retrying(|| self.blobs.put(&lease, Bytes::new(), PutOptions::default())).await.map(drop)
    }

    async fn forget(&self, at: &ObjectAddress) {
        if let Err(error) = retrying(|| self.blobs.delete(at)).await {
            warn!(%at, %error, "A note about an upload cannot be deleted");
        }
    }

    /// Whether the entry's upload is gone, and the entry with it.
    async fn abort(&self, entry: &ObjectAddress) -> bool {
        let document = match self.read(entry).await {
            Ok(document) => document,
            // Its worker, or another sweep, was faster.
            Err(error) if error.kind() == ErrorKind::NotFound => return true,
            Err(error) => {
                warn!(%entry, %error, "A note about an upload cannot be read");
                return false;
            }
        };
        let Document { bucket, key, upload } = document;
        let gone = abort(&*self.blobs, &ObjectAddress::new(bucket, key), &UploadId(upload)).await;
        if gone {
            self.forget(entry).await;
        }
        gone
    }

    async fn read(&self, entry: &ObjectAddress) -> Result<Document, Error> {
        let range = ByteRange::From { first: 0, last: Some(MAX_DOCUMENT as u64) };
        let object = retrying(|| self.blobs.get(entry, Some(range))).await?;
        let text = object.whole(MAX_DOCUMENT).await?;
        let text =
            text.ok_or_else(|| Error::new(ErrorKind::Broken, "it is too large to be one"))?;
        serde_json::from_slice(&text)
            .map_err(|error| Error::new(ErrorKind::Broken, "it is none").with_source(error))
    }

    async fn workers(&self) -> Result<BTreeMap<String, Found>, Error> {
        let mut workers: BTreeMap<String, Found> = BTreeMap::new();
        let mut list = ListObjects {
            bucket: self.bucket.clone(),
            prefix: self.root.clone(),
            start_after: None,
            max_keys: PAGE,
        };
        for _ in 0..MAX_PAGES {
            let page = retrying(|| self.blobs.list(list.clone())).await?;
            list.start_after = page.objects.last().map(|(key, _)| key.clone());
            for (key, meta) in page.objects {
                let Some((worker, name)) =
                    key.strip_prefix(&self.root).and_then(|rest| rest.split_once('/'))
                else {
                    continue;
                };
                let found = workers.entry(worker.to_owned()).or_default();
                found.newest = found.newest.max(meta.last_modified.as_millis());
                if name.starts_with(ENTRY) {
                    found.entries.push(ObjectAddress::new(self.bucket.clone(), key.clone()));
                }
            }
            if !page.truncated {
                break;
            }
        }
        Ok(workers)
    }

    fn address(&self, worker: &str, name: &str) -> ObjectAddress {
        ObjectAddress::new(self.bucket.clone(), format!("{}{worker}/{name}", self.root))
    }
}

/// What a worker's folder has.
#[derive(Default)]
struct Found {
    /// Milliseconds of the store's clock.
    newest: i64,
    entries: Vec<ObjectAddress>,
}

#[cfg(test)]
mod tests;
