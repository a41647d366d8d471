//! One multipart upload: parts on their way side by side, and the promise that what is not
//! completed is aborted.

use std::sync::Arc;

use bytes::Bytes;
use cpe_ports::{BlobStore, CompletedPart, Error, ErrorKind, ObjectAddress, PutOptions, UploadId};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};
use tokio_util::task::TaskTracker;
use tracing::warn;

use super::StagingError;
use crate::{
    journal::{Entry, UploadJournal},
    retry::retrying,
};

const MAX_PARTS: u32 = 10_000;
/// Parts on their way, of one run.
const PARTS_OF_A_RUN: usize = 4;
/// Parts on their way, of all runs.
const PARTS_OF_ALL: usize = 64;

/// What all runs of a sandbox share for their uploads.
pub(crate) struct Uploads {
    /// What goes on when a run is over: aborts, and what the journal forgets.
    pub(crate) background: TaskTracker,
    pub(crate) journal: std::sync::OnceLock<Arc<UploadJournal>>,
    parts: Arc<Semaphore>,
}

impl Default for Uploads {
    fn default() -> Self {
        let parts = Arc::new(Semaphore::new(PARTS_OF_ALL));
        Self { background: TaskTracker::new(), journal: std::sync::OnceLock::new(), parts }
    }
}

/// What the uploads of one run share. A part that has no room waits, and its guest with it.
#[derive(Clone)]
pub(super) struct Lanes {
    blobs: Arc<dyn BlobStore>,
    shared: Arc<Uploads>,
    parts: Arc<Semaphore>,
}

impl Lanes {
    pub(super) fn new(blobs: Arc<dyn BlobStore>, shared: Arc<Uploads>) -> Self {
        Self { blobs, shared, parts: Arc::new(Semaphore::new(PARTS_OF_A_RUN)) }
    }

    /// Room for a part: the run's own first, so that one run waits for itself and not in the way
    /// of the others.
    async fn room(&self) -> Result<[OwnedSemaphorePermit; 2], Error> {
        let closed = |_| Error::new(ErrorKind::Broken, "the sandbox is at its end");
        let own = Arc::clone(&self.parts).acquire_owned().await.map_err(closed)?;
        let shared = Arc::clone(&self.shared.parts).acquire_owned().await.map_err(closed)?;
        Ok([own, shared])
    }
}

/// A multipart upload. Dropped before it is complete, it is aborted in the background.
pub(super) struct Upload {
    pub(super) at: ObjectAddress,
    id: UploadId,
    in_flight: JoinSet<Result<CompletedPart, Error>>,
    parts: Vec<CompletedPart>,
    last_part: u32,
    size: u64,
    lanes: Lanes,
    /// What the journal knows it by, until it is over.
    entry: Option<Entry>,
    open: bool,
}

impl Upload {
    pub(super) async fn create(
        lanes: &Lanes,
        at: &ObjectAddress,
        options: &PutOptions,
    ) -> Result<Self, StagingError> {
        let id = retrying(|| lanes.blobs.create_upload(at, options.clone())).await?;
        let mut upload = Self {
            at: at.clone(),
            id,
            in_flight: JoinSet::new(),
            parts: Vec::new(),
            last_part: 0,
            size: 0,
            lanes: lanes.clone(),
            entry: None,
            open: true,
        };
        if let Some(journal) = lanes.shared.journal.get() {
            upload.entry = journal.opened(&upload.at, &upload.id).await;
        }
        Ok(upload)
    }

    /// Sends a part on its way. Waits while too many are.
    pub(super) async fn add(&mut self, part: Bytes) -> Result<(), StagingError> {
        if self.last_part >= MAX_PARTS {
            return Err(StagingError::TooMuch("an object may have at most 80,000 MiB"));
        }
        let room = self.lanes.room().await?;
        while let Some(landed) = self.in_flight.try_join_next() {
            self.parts.push(landed.map_err(lost)??);
        }
        self.last_part += 1;
        self.size = self.size.saturating_add(part.len() as u64);
        let (blobs, number) = (Arc::clone(&self.lanes.blobs), self.last_part);
        let (at, id) = (self.at.clone(), self.id.clone());
        self.in_flight.spawn(async move {
            let _room = room;
            retrying(|| blobs.upload_part(&at, &id, number, part.clone())).await
        });
        Ok(())
    }

    /// Waits for all parts to have arrived.
    pub(super) async fn land(&mut self) -> Result<(), Error> {
        while let Some(landed) = self.in_flight.join_next().await {
            self.parts.push(landed.map_err(lost)??);
        }
        self.parts.sort_by_key(|part| part.number);
        Ok(())
    }

    pub(super) async fn complete(mut self) -> Result<(), Error> {
        self.land().await?;
        let blobs = Arc::clone(&self.lanes.blobs);
        let mut tries = 0;
        let answer = retrying(|| {
            tries += 1;
            blobs.complete_upload(&self.at, &self.id, self.parts.clone())
        })
        .await;
        match answer {
            Ok(_) => {}
            // The first try may have been heard although its answer was not.
            Err(error) if tries > 1 && error.kind() == ErrorKind::NotFound => {
                let there = retrying(|| blobs.head(&self.at)).await;
                if !there.is_ok_and(|meta| meta.size == self.size) {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
        self.open = false;
        if let Some((journal, entry)) = self.lanes.shared.journal.get().zip(self.entry.take()) {
            // Nobody waits for that: aborting what is complete does nothing.
            let journal = Arc::clone(journal);
            self.lanes.shared.background.spawn(async move { journal.closed(entry).await });
        }
        Ok(())
    }

    pub(super) async fn abort(mut self) {
        self.in_flight.shutdown().await;
        if let Some(undo) = self.undo() {
            undo.await;
        }
    }

    /// What is left to do when it shall not be completed; once.
    fn undo(&mut self) -> Option<impl Future<Output = ()> + Send + 'static + use<>> {
        if !std::mem::take(&mut self.open) {
            return None;
        }
        let (blobs, shared) = (Arc::clone(&self.lanes.blobs), Arc::clone(&self.lanes.shared));
        let (at, id, entry) = (self.at.clone(), self.id.clone(), self.entry.take());
        Some(async move {
            let aborted = abort(&*blobs, &at, &id).await;
            if let Some((journal, entry)) = shared.journal.get().zip(entry).filter(|_| aborted) {
                journal.closed(entry).await;
            }
        })
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let at = self.at.clone();
        let shared = Arc::clone(&self.lanes.shared);
        let Some(undo) = self.undo() else { return };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                let mut in_flight = std::mem::take(&mut self.in_flight);
                let undo = async move {
                    // A part that arrives after the abort would stay.
                    in_flight.shutdown().await;
                    undo.await;
                };
                shared.background.spawn_on(undo, &runtime);
            }
            Err(_) => warn!(%at, "An unfinished upload is left behind: no runtime to abort it"),
        }
    }
}

fn lost(error: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Broken, format!("a part was lost: {error}"))
}

/// Whether the upload is gone.
pub(crate) async fn abort(blobs: &dyn BlobStore, at: &ObjectAddress, id: &UploadId) -> bool {
    match retrying(|| blobs.abort_upload(at, id)).await {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::NotFound => true,
        Err(error) => {
            warn!(%at, %error, "An unfinished upload could not be aborted");
            false
        }
    }
}
