//! How the store reads and writes its index: a job of the engine, a savepoint, and after the commit
//! the files that have no owner any more.

use cpe_ports::ObjectAddress;
use cpe_swf::Timestamp;
use rusqlite::Connection;

use super::{
    error::StoreError,
    files::{FileId, Written},
    index::{self, NewObject},
    model::{EntityTag, WriteCondition},
    notify,
    objects::Objects,
};
use crate::engine::Core;

/// A write under way.
pub(super) struct Write<'a> {
    pub(super) db: &'a Connection,
    /// The time of the commit by the second, as S3 tells it.
    pub(super) now: Timestamp,
    /// Files that it leaves without an owner.
    pub(super) orphans: Vec<FileId>,
    /// What is to be told to the queues that the bucket notifies.
    pub(super) changes: Vec<Change>,
}

/// That an object changed.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) kind: ChangeKind,
    pub(super) at: ObjectAddress,
    /// Size and tag, unless it was deleted.
    pub(super) object: Option<(u64, EntityTag)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChangeKind {
    Put,
    Copy,
    CompleteMultipartUpload,
    Delete,
    PutTags,
    DeleteTags,
}

impl Change {
    pub(super) fn of(kind: ChangeKind, at: &ObjectAddress, new: &NewObject) -> Self {
        Self { kind, at: at.clone(), object: Some((new.size, new.etag.clone())) }
    }
}

impl Write<'_> {
    pub(super) fn delete(
        &mut self,
        at: &ObjectAddress,
        condition: &WriteCondition,
    ) -> Result<(), StoreError> {
        let deleted = index::delete(self.db, at, condition)?;
        self.orphans.extend(deleted.orphans);
        if deleted.was_there {
            self.changes.push(Change { kind: ChangeKind::Delete, at: at.clone(), object: None });
        }
        Ok(())
    }
}

impl Objects {
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.engine.call(move |core| work(&core.db)).await?
    }

    /// Runs a write, all or nothing, and removes the files that it left without an owner. Events
    /// go into their queues in the same transaction.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Write<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.write_file(None, work).await
    }

    /// As [`Objects::write`], for a file that is kept if the work names it.
    pub(super) async fn write_file<T: Send + 'static>(
        &self,
        written: Option<Written>,
        work: impl FnOnce(&mut Write<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let Self { engine, files, .. } = self.clone();
        // On its own: a client that goes away must not keep the files from being seen to.
        let done = tokio::spawn(async move {
            match engine.call(move |core| run(core, work)).await {
                Ok(Ok((done, orphans))) => {
                    written.into_iter().for_each(Written::keep);
                    files.remove(orphans);
                    Ok(done)
                }
                Ok(Err(error)) => Err(error),
                Err(closed) => {
                    // It may have been committed: the next start looks.
                    written.into_iter().for_each(Written::keep);
                    Err(closed.into())
                }
            }
        });
        match done.await {
            Ok(result) => result,
            Err(error) => Err(StoreError::Disk(std::io::Error::other(error))),
        }
    }
}

fn run<T>(
    core: &mut Core,
    work: impl FnOnce(&mut Write<'_>) -> Result<T, StoreError>,
) -> Result<(T, Vec<FileId>), StoreError> {
    let millis = core.now.as_millis();
    let now = Timestamp::from_millis(millis - millis.rem_euclid(1000));
    let savepoint = core.db.savepoint()?;
    let mut write = Write { db: &savepoint, now, orphans: Vec::new(), changes: Vec::new() };
    let done = work(&mut write)?;
    let Write { orphans, changes, .. } = write;
    let events = notify::events(&savepoint, core.now, &changes)?;
    savepoint.commit()?;
    // The machine of the queues cannot be rolled back, so it is told when nothing can fail.
    notify::send(core, events);
    Ok((done, orphans))
}
