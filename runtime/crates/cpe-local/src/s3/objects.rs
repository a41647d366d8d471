//! The object store itself: what both S3 over HTTP and the port are made of.
//!
//! A put streams its body in, then commits the row, then answers; a crash between leaves a file
//! that no row names, which the next start removes. Files that a write left without an owner are
//! removed after its commit. Knows no wire format.

use std::{fmt, ops::Range, path::PathBuf, pin::Pin, sync::Arc};

use bytes::Bytes;
use cpe_ports::{Clock, ObjectAddress};
use cpe_swf::Timestamp;
use futures::{Stream, StreamExt, stream};
use rusqlite::Connection;

use super::{
    acl::Grants,
    checksums::{Algorithm, Checksum, ChecksumKind, Hashing},
    error::StoreError,
    files::{Files, Pinned},
    index::{self, Listed, NewBody, NewObject, Piece, Source},
    model::{
        self, Bucket, Encryption, EntityTag, Headers, ListQuery, MAX_LIST, MAX_PUT, Object, Page,
        ReadConditions, Wanted, WriteCondition, bytes_of, check_bucket_name, check_key,
    },
    receive::{Announced, Body, BodyStream, INLINE, Receive},
    tags::Tags,
    writing::{Change, ChangeKind},
};
use crate::engine::Engine;

/// Where S3 puts a bucket of which nobody says where.
pub(crate) const DEFAULT_REGION: &str = "us-east-1";

/// How many files the sweep asks the index about at once.
const SWEEP_BATCH: usize = 500;

/// A handle to the store; clones share it.
#[derive(Clone)]
pub(crate) struct Objects {
    pub(super) engine: Engine,
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
    pub(crate) encryption: Option<Encryption>,
}

pub(crate) type BodyOut = Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>;

/// An object as a read finds it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) object: Object,
    /// Which of its bytes were asked for.
    pub(crate) bytes: Range<u64>,
    /// How many parts it was uploaded in, where one of them was asked for.
    pub(crate) parts: Option<u32>,
}

pub(crate) struct Got {
    pub(crate) found: Found,
    pub(crate) body: BodyOut,
}

/// How an object is copied.
#[derive(Debug, Default)]
pub(crate) struct Copy {
    pub(crate) from_conditions: ReadConditions,
    pub(crate) condition: WriteCondition,
    /// What replaces the source's headers, if anything.
    pub(crate) headers: Option<Headers>,
    /// What replaces the source's tags, if anything.
    pub(crate) tags: Option<Tags>,
    /// Not taken over from the source, whatever else is.
    pub(crate) website_redirect: Option<String>,
    pub(crate) acl: Option<Grants>,
    pub(crate) encryption: Option<Encryption>,
    pub(crate) storage_class: Option<String>,
    /// Which checksum the copy is to have, if not that of the source.
    pub(crate) checksum: Option<Algorithm>,
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
        check_bucket_name(name)?;
        let (name, region) = (name.to_owned(), region.to_owned());
        self.write(move |write| index::create_bucket(write.db, &name, &region, write.now)).await
    }

    pub(crate) async fn bucket(&self, name: &str) -> Result<Bucket, StoreError> {
        let name = name.to_owned();
        self.read(move |db| index::bucket(db, &name)).await
    }

    pub(crate) async fn delete_bucket(&self, name: &str) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.write(move |write| {
            write.orphans.extend(index::delete_bucket(write.db, &name)?);
            Ok(())
        })
        .await
    }

    pub(crate) async fn list_buckets(
        &self,
        prefix: String,
        region: Option<String>,
        after: Option<String>,
        max: usize,
    ) -> Result<(Vec<Bucket>, bool), StoreError> {
        self.read(move |db| {
            index::list_buckets(db, &prefix, region.as_deref(), after.as_deref(), max)
        })
        .await
    }

    pub(crate) async fn head(
        &self,
        at: &ObjectAddress,
        conditions: &ReadConditions,
    ) -> Result<Object, StoreError> {
        Ok(self.look(at, Wanted::All, conditions.clone()).await?.object)
    }

    /// What a read would find.
    pub(crate) async fn look(
        &self,
        at: &ObjectAddress,
        wanted: Wanted,
        conditions: ReadConditions,
    ) -> Result<Found, StoreError> {
        check_key(at)?;
        let at = at.clone();
        self.read(move |db| find(db, &at, wanted, &conditions)).await
    }

    pub(crate) async fn get(
        &self,
        at: &ObjectAddress,
        wanted: Wanted,
        conditions: ReadConditions,
    ) -> Result<Got, StoreError> {
        check_key(at)?;
        let (at, files) = (at.clone(), self.files.clone());
        let (found, source, pinned) = self
            .read(move |db| {
                let found = find(db, &at, wanted, &conditions)?;
                let source = index::source(db, &found.object, &found.bytes)?;
                // Pinned here, where nothing can be removed between the look and the pin.
                let pinned = pin(&files, &source);
                Ok((found, source, pinned))
            })
            .await?;
        let body: BodyOut = match source {
            Source::Inline(bytes) => stream::iter([Ok(Bytes::from(bytes))]).boxed(),
            Source::Files(slices) => self.files.read(slices, pinned).boxed(),
        };
        Ok(Got { found, body })
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
            Body::File(file) => (NewBody::Files(vec![Piece::whole(file.id(), size)]), Some(file)),
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
        self.write_file(written, move |write| {
            new.modified = write.now;
            write.orphans.extend(index::put(write.db, &at, &new, &condition)?);
            write.changes.push(Change::of(ChangeKind::Put, &at, &new));
            Ok(new.into())
        })
        .await
    }

    /// Copies by naming the source's files again. The copy keeps its entity tag, also that of a
    /// multipart upload, which S3 would compute anew.
    pub(crate) async fn copy(
        &self,
        from: &ObjectAddress,
        to: &ObjectAddress,
        mut copy: Copy,
    ) -> Result<Stored, StoreError> {
        check_key(from)?;
        check_key(to)?;
        if from == to && copy.changes_nothing() {
            return Err(StoreError::InvalidRequest(
                "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
            ));
        }
        let summed = match copy.checksum {
            Some(algorithm) => self.sum(from, &copy.from_conditions, algorithm).await?,
            None => None,
        };
        let storage_class = model::storage_class(copy.storage_class.clone())?;
        let (from, to) = (from.clone(), to.clone());
        self.write(move |write| {
            let source = index::object(write.db, &from)?;
            copy.from_conditions.check(&source).map_err(StoreError::of_source)?;
            if source.size > MAX_PUT {
                return Err(StoreError::InvalidRequest(
                    "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120",
                ));
            }
            let body = index::body(write.db, &source)?;
            let checksum = match summed {
                Some((etag, checksum)) if etag == source.etag => Some(checksum),
                Some(_) => return Err(StoreError::Changing),
                None => source.checksum.clone(),
            };
            let condition = std::mem::take(&mut copy.condition);
            let headers = copy.headers_for(source.headers)?;
            let new = NewObject {
                body,
                size: source.size,
                etag: source.etag,
                modified: write.now,
                storage_class,
                checksum,
                headers,
            };
            write.orphans.extend(index::put(write.db, &to, &new, &condition)?);
            write.changes.push(Change::of(ChangeKind::Copy, &to, &new));
            Ok(new.into())
        })
        .await
    }

    /// The checksum of an object's bytes, with the tag that it had; `None` if it has that checksum.
    async fn sum(
        &self,
        at: &ObjectAddress,
        conditions: &ReadConditions,
        algorithm: Algorithm,
    ) -> Result<Option<(EntityTag, Checksum)>, StoreError> {
        let got = self.get(at, Wanted::All, conditions.clone()).await;
        let Got { found: Found { object, .. }, mut body } = got.map_err(StoreError::of_source)?;
        let has = |checksum: &Checksum| {
            checksum.algorithm == algorithm && checksum.kind == ChecksumKind::FullObject
        };
        // What is too large to be copied is refused later.
        if object.checksum.as_ref().is_some_and(has) || object.size > MAX_PUT {
            return Ok(None);
        }
        let mut hashing = Hashing::new(&[algorithm]);
        while let Some(piece) = body.next().await {
            hashing.update(&piece?);
        }
        Ok(hashing.finish().of(algorithm).map(|checksum| (object.etag, checksum)))
    }

    pub(crate) async fn delete(
        &self,
        at: &ObjectAddress,
        condition: WriteCondition,
    ) -> Result<(), StoreError> {
        check_key(at)?;
        let at = at.clone();
        self.write(move |write| write.delete(&at, &condition)).await
    }

    /// Deletes objects of one bucket together, each with its own answer.
    pub(crate) async fn delete_many(
        &self,
        bucket: &str,
        keys: Vec<(String, WriteCondition)>,
    ) -> Result<Vec<(String, Result<(), StoreError>)>, StoreError> {
        let bucket = bucket.to_owned();
        self.write(move |write| {
            index::bucket(write.db, &bucket)?;
            let mut answers = Vec::with_capacity(keys.len());
            for (key, condition) in keys {
                let at = ObjectAddress { bucket: bucket.clone(), key };
                let done = check_key(&at).and_then(|()| write.delete(&at, &condition));
                match done {
                    Err(error) if error.is_internal() => return Err(error),
                    answer => answers.push((at.key, answer)),
                }
            }
            Ok(answers)
        })
        .await
    }

    /// Objects in the order of their keys; at most 1,000 entries.
    pub(crate) async fn list(&self, mut query: ListQuery) -> Result<Page<Listed>, StoreError> {
        query.max = query.max.min(MAX_LIST);
        self.read(move |db| index::list(db, &query)).await
    }
}

impl Copy {
    /// The headers of the copy, given those of the source.
    fn headers_for(self, source: Headers) -> Result<Headers, StoreError> {
        let encryption = self.encryption.or_else(|| source.encryption.clone());
        let tags = self.tags.unwrap_or_else(|| source.tags.clone());
        let headers = self.headers.unwrap_or(source);
        let (website_redirect, acl) = (self.website_redirect, self.acl);
        Headers { website_redirect, acl, encryption, tags, ..headers }.checked()
    }

    fn changes_nothing(&self) -> bool {
        self.headers.is_none()
            && self.storage_class.is_none()
            && self.encryption.is_none()
            && self.website_redirect.is_none()
    }
}

fn find(
    db: &Connection,
    at: &ObjectAddress,
    wanted: Wanted,
    conditions: &ReadConditions,
) -> Result<Found, StoreError> {
    let object = index::object(db, at)?;
    conditions.check(&object)?;
    let (bytes, parts) = match wanted {
        Wanted::All => (0..object.size, None),
        Wanted::Range(range) => (bytes_of(range, object.size)?, None),
        Wanted::Part(number) => index::bytes_of_part(db, &object, number)?,
    };
    Ok(Found { object, bytes, parts })
}

impl From<NewObject> for Stored {
    fn from(new: NewObject) -> Self {
        let NewObject { etag, modified, size, checksum, headers, .. } = new;
        Self { etag, modified, size, checksum, encryption: headers.encryption }
    }
}

impl From<Object> for Stored {
    fn from(object: Object) -> Self {
        let Object { etag, modified, size, checksum, headers, .. } = object;
        Self { etag, modified, size, checksum, encryption: headers.encryption }
    }
}

fn pin(files: &Files, source: &Source) -> Pinned {
    let slices = match source {
        Source::Inline(_) => [].as_slice(),
        Source::Files(slices) => slices,
    };
    files.pin(slices.iter().map(|slice| slice.file))
}
