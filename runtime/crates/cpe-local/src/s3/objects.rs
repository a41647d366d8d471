//! The object store itself: what both S3 over HTTP and the port are made of.
//!
//! A put streams its body in, then commits the row, then answers; a crash between leaves a file
//! that no row names, which the next start removes. Files that a write left without an owner are
//! removed after its commit. Knows no wire format.

use std::{fmt, ops::Range, path::PathBuf, pin::Pin, sync::Arc};

use bytes::Bytes;
use cpe_ports::{ByteRange, Clock, ObjectAddress};
use cpe_swf::Timestamp;
use futures::{Stream, StreamExt, stream};
use rusqlite::Connection;

use super::{
    checksums::{Algorithm, Checksum},
    error::StoreError,
    files::{FileId, Files, Pinned, Written},
    index::{self, Listed, NewBody, NewObject, Source},
    model::{
        self, Bucket, EntityTag, Headers, ListQuery, MAX_LIST, MAX_PUT, Object, Page,
        ReadConditions, WriteCondition, bytes_of, check_key,
    },
    receive::{Announced, Body, BodyStream, INLINE, Receive},
};
use crate::engine::Engine;

/// Where S3 puts a bucket of which nobody says where.
pub(crate) const DEFAULT_REGION: &str = "us-east-1";

/// How many files the sweep asks the index about at once.
const SWEEP_BATCH: usize = 500;

/// A handle to the store; clones share it.
#[derive(Clone)]
pub(crate) struct Objects {
    engine: Engine,
    pub(super) files: Files,
    pub(super) clock: Arc<dyn Clock>,
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Objects").field("files", &self.files).finish_non_exhaustive()
    }
}

/// How an object is written.
#[derive(Default)]
pub(crate) struct Put {
    pub(crate) headers: Headers,
    pub(crate) storage_class: Option<String>,
    pub(crate) condition: WriteCondition,
    pub(crate) announced: Announced,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) etag: EntityTag,
    pub(crate) modified: Timestamp,
    pub(crate) size: u64,
    pub(crate) checksum: Option<Checksum>,
}

pub(crate) type BodyOut = Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>;

pub(crate) struct Got {
    pub(crate) object: Object,
    /// Which of its bytes follow.
    pub(crate) bytes: Range<u64>,
    pub(crate) body: BodyOut,
}

/// How an object is copied.
#[derive(Debug, Default)]
pub(crate) struct Copy {
    pub(crate) from_conditions: ReadConditions,
    pub(crate) condition: WriteCondition,
    /// What replaces the source's headers, if anything.
    pub(crate) headers: Option<Headers>,
    pub(crate) storage_class: Option<String>,
}

impl Objects {
    /// Opens the store over the folder of bodies, and begins to remove what a crash left there.
    /// Needs a tokio runtime.
    pub(crate) fn open(
        engine: Engine,
        folder: PathBuf,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let objects = Self { engine, files: Files::open(folder)?, clock };
        let sweeper = objects.clone();
        tokio::spawn(async move {
            match sweeper.sweep().await {
                Ok(0) | Err(StoreError::Closed(_)) => {}
                Ok(removed) => tracing::info!(removed, "Removed files that no object has"),
                Err(error) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "Cannot look for files that no object has"
                ),
            }
        });
        Ok(objects)
    }

    /// Removes files that no row names, and tells how many.
    pub(crate) async fn sweep(&self) -> Result<usize, StoreError> {
        let mut removed = 0;
        for shard in self.files.shards().await? {
            let files = self.files.unpinned(shard).await?;
            for batch in files.chunks(SWEEP_BATCH) {
                let batch = batch.to_vec();
                let orphans = self.read(move |db| index::unnamed(db, batch)).await?;
                removed += orphans.len();
                self.files.remove(orphans);
            }
        }
        Ok(removed)
    }

    /// Makes a bucket; answers `false` if it was there.
    pub(crate) async fn create_bucket(&self, name: &str, region: &str) -> Result<bool, StoreError> {
        if !s3s::path::check_bucket_name(name) {
            return Err(StoreError::InvalidBucketName(name.to_owned()));
        }
        let (name, region) = (name.to_owned(), region.to_owned());
        self.write(move |db, now| Ok((index::create_bucket(db, &name, &region, now)?, vec![])))
            .await
    }

    pub(crate) async fn bucket(&self, name: &str) -> Result<Bucket, StoreError> {
        let name = name.to_owned();
        self.read(move |db| index::bucket(db, &name)).await
    }

    pub(crate) async fn delete_bucket(&self, name: &str) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.write(move |db, _| Ok(((), index::delete_bucket(db, &name)?))).await
    }

    pub(crate) async fn list_buckets(
        &self,
        prefix: String,
        after: Option<String>,
        max: usize,
    ) -> Result<(Vec<Bucket>, bool), StoreError> {
        self.read(move |db| index::list_buckets(db, &prefix, after.as_deref(), max)).await
    }

    pub(crate) async fn head(
        &self,
        at: &ObjectAddress,
        conditions: &ReadConditions,
    ) -> Result<Object, StoreError> {
        check_key(at)?;
        let at = at.clone();
        let object = self.read(move |db| index::object(db, &at)).await?;
        conditions.check(&object)?;
        Ok(object)
    }

    pub(crate) async fn get(
        &self,
        at: &ObjectAddress,
        range: Option<ByteRange>,
        conditions: ReadConditions,
    ) -> Result<Got, StoreError> {
        check_key(at)?;
        let (at, files) = (at.clone(), self.files.clone());
        let (object, bytes, source, pinned) = self
            .read(move |db| {
                let object = index::object(db, &at)?;
                conditions.check(&object)?;
                let bytes = match range {
                    Some(range) => bytes_of(range, object.size)?,
                    None => 0..object.size,
                };
                let source = index::source(db, &object, &bytes)?;
                // Pinned here, where nothing can be removed between the look and the pin.
                let pinned = pin(&files, &source);
                Ok((object, bytes, source, pinned))
            })
            .await?;
        let body: BodyOut = match source {
            Source::Inline(bytes) => stream::iter([Ok(Bytes::from(bytes))]).boxed(),
            Source::Files(slices) => self.files.read(slices, pinned).boxed(),
        };
        Ok(Got { object, bytes, body })
    }

    pub(crate) async fn put(
        &self,
        at: &ObjectAddress,
        body: BodyStream,
        put: Put,
    ) -> Result<Stored, StoreError> {
        check_key(at)?;
        let Put { headers, storage_class, condition, announced } = put;
        let (headers, storage_class) = (headers.checked()?, model::storage_class(storage_class)?);
        if announced.length.is_none_or(|length| length > INLINE as u64) {
            // A large body should not have to come in before it is refused.
            let (at, condition) = (at.clone(), condition.clone());
            self.read(move |db| index::check_write(db, &at, &condition)).await?;
        }
        let algorithm = announced.checksum.as_ref().map_or(Algorithm::DEFAULT, |sum| sum.algorithm);
        let receive = Receive { announced, algorithm, max: MAX_PUT, always_file: false };
        let received = receive.run(&self.files, body).await?;
        let (size, checksum) = (received.size, received.checksum());
        let etag = EntityTag::of_md5(received.md5());
        let (body, written) = match received.body {
            Body::Inline(bytes) => (NewBody::Inline(bytes), None),
            Body::File(file) => (NewBody::Files(vec![(file.id(), size)]), Some(file)),
        };
        let mut new = NewObject {
            size,
            etag,
            modified: Timestamp::default(),
            storage_class,
            checksum,
            headers,
            body,
        };
        let at = at.clone();
        self.write_file(written, move |db, now| {
            new.modified = now;
            let orphans = index::put(db, &at, &new, &condition)?;
            Ok((new.into(), orphans))
        })
        .await
    }

    /// Copies by naming the source's files again. The copy keeps its entity tag, also that of a
    /// multipart upload, which S3 would compute anew.
    pub(crate) async fn copy(
        &self,
        from: &ObjectAddress,
        to: &ObjectAddress,
        copy: Copy,
    ) -> Result<Stored, StoreError> {
        check_key(from)?;
        check_key(to)?;
        let changes_nothing = copy.headers.is_none() && copy.storage_class.is_none();
        if from == to && changes_nothing {
            return Err(StoreError::InvalidRequest(
                "an object is copied to itself only to change its metadata or storage class",
            ));
        }
        let headers = copy.headers.map(Headers::checked).transpose()?;
        let storage_class = model::storage_class(copy.storage_class)?;
        let (from, to) = (from.clone(), to.clone());
        self.write(move |db, now| {
            let source = index::object(db, &from)?;
            copy.from_conditions.check(&source).map_err(|error| match error {
                StoreError::NotModified(_) => StoreError::PreconditionFailed,
                other => other,
            })?;
            if source.size > MAX_PUT {
                return Err(StoreError::InvalidRequest(
                    "an object of more than 5 GiB is copied part by part",
                ));
            }
            let new = NewObject {
                body: index::body(db, &source)?,
                size: source.size,
                etag: source.etag,
                modified: now,
                storage_class,
                checksum: source.checksum,
                headers: headers.unwrap_or(source.headers),
            };
            let orphans = index::put(db, &to, &new, &copy.condition)?;
            Ok((new.into(), orphans))
        })
        .await
    }

    pub(crate) async fn delete(
        &self,
        at: &ObjectAddress,
        condition: WriteCondition,
    ) -> Result<(), StoreError> {
        check_key(at)?;
        let at = at.clone();
        self.write(move |db, _| Ok(((), index::delete(db, &at, &condition)?))).await
    }

    /// Deletes objects of one bucket together, each with its own answer.
    pub(crate) async fn delete_many(
        &self,
        bucket: &str,
        keys: Vec<(String, WriteCondition)>,
    ) -> Result<Vec<(String, Result<(), StoreError>)>, StoreError> {
        let bucket = bucket.to_owned();
        self.write(move |db, _| {
            index::bucket(db, &bucket)?;
            let (mut answers, mut orphans) = (Vec::new(), Vec::new());
            for (key, condition) in keys {
                let at = ObjectAddress { bucket: bucket.clone(), key };
                let done = check_key(&at).and_then(|()| index::delete(db, &at, &condition));
                let answer = match done {
                    Ok(files) => {
                        orphans.extend(files);
                        Ok(())
                    }
                    Err(error) if error.is_internal() => return Err(error),
                    Err(error) => Err(error),
                };
                answers.push((at.key, answer));
            }
            Ok((answers, orphans))
        })
        .await
    }

    /// Objects in the order of their keys; at most 1,000 entries.
    pub(crate) async fn list(&self, mut query: ListQuery) -> Result<Page<Listed>, StoreError> {
        query.max = query.max.min(MAX_LIST);
        self.read(move |db| index::list(db, &query)).await
    }

    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.engine.call(move |core| work(&core.db)).await?
    }

    /// Runs a write, all or nothing, with the time of its commit by the second, as S3 tells it.
    /// Then removes the files that it left without an owner.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, Timestamp) -> Result<(T, Vec<FileId>), StoreError>
        + Send
        + 'static,
    ) -> Result<T, StoreError> {
        self.write_file(None, work).await
    }

    /// As [`Objects::write`], for a file that is kept if the work names it.
    pub(super) async fn write_file<T: Send + 'static>(
        &self,
        written: Option<Written>,
        work: impl FnOnce(&Connection, Timestamp) -> Result<(T, Vec<FileId>), StoreError>
        + Send
        + 'static,
    ) -> Result<T, StoreError> {
        let Self { engine, files, .. } = self.clone();
        // On its own: a client that goes away must not keep the files from being seen to.
        let done = tokio::spawn(async move {
            let committed = engine
                .call(move |core| {
                    let millis = core.now.as_millis();
                    let now = Timestamp::from_millis(millis - millis.rem_euclid(1000));
                    let savepoint = core.db.savepoint()?;
                    let done = work(&savepoint, now)?;
                    savepoint.commit()?;
                    Ok(done)
                })
                .await;
            match committed {
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

impl From<NewObject> for Stored {
    fn from(new: NewObject) -> Self {
        Self { etag: new.etag, modified: new.modified, size: new.size, checksum: new.checksum }
    }
}

fn pin(files: &Files, source: &Source) -> Pinned {
    let slices = match source {
        Source::Inline(_) => [].as_slice(),
        Source::Files(slices) => slices,
    };
    files.pin(slices.iter().map(|slice| slice.file))
}
