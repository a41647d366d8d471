//! The object store, as far as modules, payloads and guests need S3.

use std::{collections::BTreeMap, fmt, pin::Pin};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use cpe_swf::Timestamp;
use futures::{Stream, TryStreamExt};

use crate::{Checksum, Error, ErrorKind};

/// A body as it comes in. An item's error ends the stream.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>;

/// One object's place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectAddress {
    pub bucket: String,
    pub key: String,
}

impl ObjectAddress {
    pub fn new(bucket: impl Into<String>, key: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), key: key.into() }
    }
}

impl fmt::Display for ObjectAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Bytes of the whole object.
    pub size: u64,
    /// With its quotes, as S3 writes it.
    pub etag: String,
    pub content_type: Option<String>,
    pub last_modified: Timestamp,
    pub metadata: BTreeMap<String, String>,
}

/// Which bytes of an object. Positions count from 0; `last` is included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteRange {
    /// From `first` to `last`, or to the end.
    From { first: u64, last: Option<u64> },
    /// The last so many bytes.
    Suffix(u64),
}

pub struct GetObject {
    /// Of the whole object, also when a range was asked for.
    pub meta: ObjectMeta,
    pub body: ByteStream,
    /// Of the whole object, where the whole was asked for and the store keeps one.
    pub checksum: Option<Checksum>,
}

impl GetObject {
    /// The whole body; `None` if it has more than `limit` bytes.
    ///
    /// # Errors
    ///
    /// Those of the body.
    pub async fn whole(mut self, limit: usize) -> Result<Option<Bytes>, Error> {
        // Of a range, the object's size says only what the body has at most.
        let size = usize::try_from(self.meta.size).unwrap_or(usize::MAX);
        let mut bytes = BytesMut::with_capacity(size.min(limit).min(1 << 20));
        while let Some(piece) = self.body.try_next().await? {
            if piece.len() > limit - bytes.len() {
                return Ok(None);
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(Some(bytes.freeze()))
    }
}

impl fmt::Debug for GetObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetObject").field("meta", &self.meta).finish_non_exhaustive()
    }
}

/// When a put may write. A condition that does not hold is `AlreadyExists`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutCondition {
    /// Only if no object has the key.
    Absent,
    /// Only if the object there has this entity tag.
    Matches(String),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PutOptions {
    pub content_type: Option<String>,
    pub metadata: BTreeMap<String, String>,
    /// An S3 storage class, such as `REDUCED_REDUNDANCY`.
    pub storage_class: Option<String>,
    /// Whether to ask for encryption at rest with keys of S3 (`AES256`).
    pub encrypt: bool,
    /// Single puts only.
    pub condition: Option<PutCondition>,
}

/// Names an unfinished multipart upload.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UploadId(pub String);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletedPart {
    /// 1 to 10,000.
    pub number: u32,
    pub etag: String,
}

/// A part of an unfinished upload that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPart {
    pub number: u32,
    /// With its quotes. The MD5 of its bytes in hex, unless the bucket is encrypted with keys of
    /// its own.
    pub etag: String,
    pub size: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListObjects {
    pub bucket: String,
    pub prefix: String,
    /// Keys after this one only.
    pub start_after: Option<String>,
    /// At most 1,000.
    pub max_keys: u32,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListPage {
    /// Key and metadata, in key order. Of the metadata only size, etag and time are filled in.
    pub objects: Vec<(String, ObjectMeta)>,
    /// Whether more keys follow the last one.
    pub truncated: bool,
}

#[async_trait]
pub trait BlobStore: Send + Sync + fmt::Debug + 'static {
    /// Makes the bucket unless it exists.
    async fn create_bucket(&self, bucket: &str) -> Result<(), Error>;

    async fn head(&self, at: &ObjectAddress) -> Result<ObjectMeta, Error>;

    async fn get(&self, at: &ObjectAddress, range: Option<ByteRange>) -> Result<GetObject, Error>;

    /// The same, if the object still has that entity tag; otherwise `AlreadyExists`.
    async fn get_matching(
        &self,
        at: &ObjectAddress,
        range: Option<ByteRange>,
        etag: &str,
    ) -> Result<GetObject, Error> {
        let object = self.get(at, range).await?;
        if object.meta.etag == etag {
            return Ok(object);
        }
        Err(Error::new(ErrorKind::AlreadyExists, format!("{at} has changed"))
            .with_code("PreconditionFailed"))
    }

    /// The object, unless its entity tag is `tag` still. A store that can ask for both at once does.
    async fn get_unless(&self, at: &ObjectAddress, tag: &str) -> Result<Option<GetObject>, Error> {
        if self.head(at).await?.etag == tag {
            return Ok(None);
        }
        self.get(at, None).await.map(Some)
    }

    /// Writes a whole object; answers its entity tag.
    async fn put(
        &self,
        at: &ObjectAddress,
        body: Bytes,
        options: PutOptions,
    ) -> Result<String, Error>;

    async fn create_upload(
        &self,
        at: &ObjectAddress,
        options: PutOptions,
    ) -> Result<UploadId, Error>;

    /// Every part but the last has at least 5 MiB.
    async fn upload_part(
        &self,
        at: &ObjectAddress,
        upload: &UploadId,
        number: u32,
        body: Bytes,
    ) -> Result<CompletedPart, Error>;

    /// Makes the object visible; answers its entity tag.
    async fn complete_upload(
        &self,
        at: &ObjectAddress,
        upload: &UploadId,
        parts: Vec<CompletedPart>,
    ) -> Result<String, Error>;

    async fn abort_upload(&self, at: &ObjectAddress, upload: &UploadId) -> Result<(), Error>;

    /// Uploads to that very key that are neither completed nor aborted; a thousand at most.
    async fn list_uploads(&self, at: &ObjectAddress) -> Result<Vec<UploadId>, Error>;

    /// All parts of an unfinished upload, by their numbers.
    async fn list_parts(
        &self,
        at: &ObjectAddress,
        upload: &UploadId,
    ) -> Result<Vec<StoredPart>, Error>;

    /// Copies within the store; answers the copy's entity tag.
    async fn copy(&self, from: &ObjectAddress, to: &ObjectAddress) -> Result<String, Error>;

    /// Deleting what is not there is no error.
    async fn delete(&self, at: &ObjectAddress) -> Result<(), Error>;

    async fn list(&self, list: ListObjects) -> Result<ListPage, Error>;
}
