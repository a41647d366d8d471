//! The object store as one activity task may use it: every call is checked against the grants
//! before the backend hears of it. Reads go to the store at once; writes are staged and wait for
//! the activity's success.
//!
//! It knows no guest: who calls may be the guest of this process, or a jailed process that says
//! what its guest wants and is not believed.

use std::sync::Arc;

use cpe_ports::{
    BlobStore, ByteRange, Error, ErrorKind, ListObjects, ObjectAddress, ObjectMeta, PutOptions,
};

use super::{
    body::{Body, Source},
    wit,
};
use crate::{
    Grants,
    grants::{Refusal, Verb},
    retry::retrying,
    staging::{Staging, StagingError},
};

const MAX_LISTED: u32 = 1000;
const MAX_CONTENT_TYPE: usize = 255;
const MAX_STORAGE_CLASS: usize = 64;
/// The most that one `read` gives.
const MAX_READ: usize = 1 << 20;
/// The most that one `write` takes.
pub(crate) const MAX_WRITE: usize = 1 << 20;

/// What one activity task may reach, and what it has written so far.
pub(crate) struct Access {
    grants: Arc<Grants>,
    blobs: Arc<dyn BlobStore>,
    pub(crate) staging: Staging,
}

/// A body that is being read.
pub(crate) struct OpenBody {
    pub(crate) info: wit::ObjectInfo,
    body: Body,
}

impl Access {
    pub(crate) fn new(grants: Arc<Grants>, blobs: Arc<dyn BlobStore>, staging: Staging) -> Self {
        Self { grants, blobs, staging }
    }

    /// The object that is meant, if the activity may do that to it.
    fn address(&self, bucket: &str, key: String, verb: Verb) -> Result<ObjectAddress, wit::Error> {
        self.grants.check_key(bucket, &key, verb)?;
        Ok(ObjectAddress::new(bucket, key))
    }

    pub(crate) fn open(&self, bucket: &str) -> Result<(), wit::Error> {
        Ok(self.grants.check_bucket(bucket)?)
    }

    pub(crate) async fn head(
        &self,
        bucket: &str,
        key: String,
    ) -> Result<wit::ObjectInfo, wit::Error> {
        let at = self.address(bucket, key, Verb::Read)?;
        let meta = retrying(|| self.blobs.head(&at)).await?;
        Ok(object_info(at.key, meta))
    }

    pub(crate) async fn get(
        &self,
        bucket: &str,
        key: String,
        range: Option<wit::ByteRange>,
    ) -> Result<OpenBody, wit::Error> {
        let at = self.address(bucket, key, Verb::Read)?;
        let range = range.map(byte_range).transpose()?;
        let share = self.staging.read_ahead.share().ok_or_else(|| {
            wit::Error::Unavailable("at most 64 readers may be open at a time".to_owned())
        })?;
        let object = retrying(|| self.blobs.get(&at, range)).await?;
        let info = object_info(at.key.clone(), object.meta.clone());
        let source = Source::new(Arc::clone(&self.blobs), at, range, object);
        Ok(OpenBody { info, body: Body::start(source, share) })
    }

    pub(crate) async fn read(
        &mut self,
        of: &mut OpenBody,
        max: u32,
    ) -> Result<Vec<u8>, wit::Error> {
        let bytes = match (max as usize).min(MAX_READ) {
            0 => Vec::new(),
            max => of.body.read(max).await?,
        };
        let total = &mut self.staging.bytes_read;
        *total = total.saturating_add(bytes.len() as u64);
        Ok(bytes)
    }

    pub(crate) fn put(
        &mut self,
        bucket: &str,
        key: String,
        options: wit::PutOptions,
    ) -> Result<u32, wit::Error> {
        let at = self.address(bucket, key, Verb::Write)?;
        Ok(self.staging.open(at, put_options(options)?)?)
    }

    pub(crate) async fn write(&mut self, writer: u32, bytes: &[u8]) -> Result<(), wit::Error> {
        if bytes.len() > MAX_WRITE {
            let why = "at most 1 MiB may be written at a time";
            return Err(wit::Error::InvalidArgument(why.to_owned()));
        }
        Ok(self.staging.write(writer, bytes).await?)
    }

    pub(crate) async fn finish(&mut self, writer: u32) -> Result<(), wit::Error> {
        Ok(self.staging.finish(writer).await?)
    }

    pub(crate) async fn list(
        &self,
        bucket: &str,
        prefix: String,
        start_after: Option<String>,
    ) -> Result<wit::ListPage, wit::Error> {
        self.grants.check_listing(bucket, &prefix)?;
        let list = ListObjects {
            bucket: bucket.to_owned(),
            prefix,
            start_after: start_after.filter(|after| !after.is_empty()),
            max_keys: MAX_LISTED,
        };
        let page = retrying(|| self.blobs.list(list.clone())).await?;
        let last = page.objects.last().map(|(key, _)| key.clone());
        let objects = page.objects.into_iter().map(|(key, meta)| object_info(key, meta)).collect();
        Ok(wit::ListPage { objects, next: last.filter(|_| page.truncated) })
    }

    pub(crate) async fn copy(
        &mut self,
        from: (&str, String),
        to: (&str, String),
    ) -> Result<(), wit::Error> {
        let from = self.address(from.0, from.1, Verb::Read)?;
        let to = self.address(to.0, to.1, Verb::Write)?;
        // Heard of now, while the guest can do something about it.
        if !self.staging.will_write(&from) {
            retrying(|| self.blobs.head(&from)).await?;
        }
        Ok(self.staging.copy(from, to)?)
    }

    pub(crate) fn delete(&mut self, bucket: &str, key: String) -> Result<(), wit::Error> {
        let at = self.address(bucket, key, Verb::Write)?;
        Ok(self.staging.delete(at)?)
    }
}

impl From<Refusal> for wit::Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Denied(why) => Self::AccessDenied(why),
            Refusal::Invalid(why) => Self::InvalidArgument(why),
        }
    }
}

impl From<Error> for wit::Error {
    /// Of the store's own words only its code reaches the guest: the rest may name accounts,
    /// hosts and roles.
    fn from(error: Error) -> Self {
        let code = error.code().unwrap_or("no code");
        match (error.kind(), error.code()) {
            (ErrorKind::NotFound, Some("NoSuchBucket")) => Self::NoSuchBucket,
            (ErrorKind::NotFound, _) => Self::NoSuchKey,
            (ErrorKind::Refused, Some("InvalidRange")) => {
                Self::InvalidArgument("the object has no such bytes".to_owned())
            }
            (ErrorKind::Refused | ErrorKind::AlreadyExists, _) => {
                Self::AccessDenied(format!("the store refused ({code})"))
            }
            (ErrorKind::Throttled | ErrorKind::Unavailable | ErrorKind::Broken, _) => {
                Self::Unavailable(format!("the store failed: {} ({code})", error.kind()))
            }
        }
    }
}

impl From<StagingError> for wit::Error {
    fn from(error: StagingError) -> Self {
        match error {
            StagingError::TooMuch(why) => Self::InvalidArgument(why.to_owned()),
            StagingError::Store(error) => error.into(),
        }
    }
}

fn byte_range(range: wit::ByteRange) -> Result<ByteRange, wit::Error> {
    let invalid = |why: &str| Err(wit::Error::InvalidArgument(why.to_owned()));
    match range {
        wit::ByteRange::Start(first) => Ok(ByteRange::From { first, last: None }),
        wit::ByteRange::Inclusive((first, last)) if first > last => {
            invalid("the range ends before it begins")
        }
        wit::ByteRange::Inclusive((first, last)) => Ok(ByteRange::From { first, last: Some(last) }),
        wit::ByteRange::Suffix(0) => invalid("the range is empty"),
        wit::ByteRange::Suffix(length) => Ok(ByteRange::Suffix(length)),
    }
}

/// What becomes a header must look like one.
fn put_options(options: wit::PutOptions) -> Result<PutOptions, wit::Error> {
    let checked = |value: Option<String>, max: usize, what: &str| match value {
        Some(text) if text.len() > max || !text.bytes().all(|b| (b' '..=b'~').contains(&b)) => {
            Err(wit::Error::InvalidArgument(format!("the {what} is not well-formed")))
        }
        value => Ok(value.filter(|text| !text.is_empty())),
    };
    Ok(PutOptions {
        content_type: checked(options.content_type, MAX_CONTENT_TYPE, "content type")?,
        storage_class: checked(options.storage_class, MAX_STORAGE_CLASS, "storage class")?,
        encrypt: options.encrypt,
        ..PutOptions::default()
    })
}

fn object_info(key: String, meta: ObjectMeta) -> wit::ObjectInfo {
    wit::ObjectInfo {
        key,
        size: meta.size,
        etag: meta.etag,
        content_type: meta.content_type,
        last_modified: u64::try_from(meta.last_modified.as_millis()).unwrap_or_default(),
    }
}
