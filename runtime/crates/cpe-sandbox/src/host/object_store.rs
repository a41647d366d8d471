//! `object-store`: buckets, checked against the grants before the backend hears of a call.
//!
//! Reads go to the store at once; writes are staged and wait for the activity's success.

mod body;
mod reader;
mod writer;

use std::sync::Arc;

use cpe_ports::{
    BlobStore, ByteRange, Error, ErrorKind, ListObjects, ObjectAddress, ObjectMeta, PutOptions,
};
use wasmtime::component::{Resource, ResourceTable, ResourceTableError};

pub(crate) use self::body::ReadAhead;
#[expect(unreachable_pub, reason = "the bindings re-export them")]
pub use self::{reader::Reader, writer::Writer};
use super::bindings::cpe::activity::object_store as wit;
use crate::{
    Grants,
    grants::{Refusal, Verb},
    retry::retrying,
    staging::{Staging, StagingError},
};

const MAX_LISTED: u32 = 1000;
const MAX_CONTENT_TYPE: usize = 255;
const MAX_STORAGE_CLASS: usize = 64;

/// The object store, as one activity task sees it.
pub(crate) struct ObjectStoreView<'a> {
    pub(crate) grants: &'a Grants,
    pub(crate) blobs: &'a Arc<dyn BlobStore>,
    pub(crate) table: &'a mut ResourceTable,
    pub(crate) staging: &'a mut Staging,
}

/// A bucket in which something was granted.
#[expect(unreachable_pub, reason = "the bindings re-export it")]
pub struct Bucket(String);

/// How a call fails: an answer for the guest, or the guest's end.
#[derive(Debug)]
pub(crate) enum CallError {
    Guest(wit::Error),
    Trap(wasmtime::Error),
}

impl From<wit::Error> for CallError {
    fn from(error: wit::Error) -> Self {
        Self::Guest(error)
    }
}

impl From<ResourceTableError> for CallError {
    fn from(error: ResourceTableError) -> Self {
        // Also a full table: it is told as the limit that it is, and a guest could do nothing.
        Self::Trap(error.into())
    }
}

impl From<Refusal> for CallError {
    fn from(refusal: Refusal) -> Self {
        Self::Guest(match refusal {
            Refusal::Denied(why) => wit::Error::AccessDenied(why),
            Refusal::Invalid(why) => wit::Error::InvalidArgument(why),
        })
    }
}

impl From<Error> for CallError {
    /// Of the store's own words only its code reaches the guest: the rest may name accounts,
    /// hosts and roles.
    fn from(error: Error) -> Self {
        let code = error.code().unwrap_or("no code");
        Self::Guest(match (error.kind(), error.code()) {
            (ErrorKind::NotFound, Some("NoSuchBucket")) => wit::Error::NoSuchBucket,
            (ErrorKind::NotFound, _) => wit::Error::NoSuchKey,
            (ErrorKind::Refused, Some("InvalidRange")) => {
                wit::Error::InvalidArgument("the object has no such bytes".to_owned())
            }
            (ErrorKind::Refused | ErrorKind::AlreadyExists, _) => {
                wit::Error::AccessDenied(format!("the store refused ({code})"))
            }
            (ErrorKind::Throttled | ErrorKind::Unavailable | ErrorKind::Broken, _) => {
                wit::Error::Unavailable(format!("the store failed: {} ({code})", error.kind()))
            }
        })
    }
}

impl From<StagingError> for CallError {
    fn from(error: StagingError) -> Self {
        match error {
            StagingError::TooMuch(why) => Self::Guest(wit::Error::InvalidArgument(why.to_owned())),
            StagingError::Store(error) => error.into(),
        }
    }
}

impl ObjectStoreView<'_> {
    /// The object that a guest means, if it may do that to it.
    fn address(
        &self,
        bucket: &Resource<Bucket>,
        key: String,
        verb: Verb,
    ) -> Result<ObjectAddress, CallError> {
        let Bucket(bucket) = self.table.get(bucket)?;
        self.grants.check_key(bucket, &key, verb)?;
        Ok(ObjectAddress::new(bucket.clone(), key))
    }
}

impl wit::Host for ObjectStoreView<'_> {
    fn convert_error(&mut self, error: CallError) -> wasmtime::Result<wit::Error> {
        match error {
            CallError::Guest(error) => Ok(error),
            CallError::Trap(trap) => Err(trap),
        }
    }
}

impl wit::HostBucket for ObjectStoreView<'_> {
    async fn open(&mut self, name: String) -> Result<Resource<Bucket>, CallError> {
        self.grants.check_bucket(&name)?;
        Ok(self.table.push(Bucket(name))?)
    }

    async fn head(
        &mut self,
        this: Resource<Bucket>,
        key: String,
    ) -> Result<wit::ObjectInfo, CallError> {
        let at = self.address(&this, key, Verb::Read)?;
        let meta = retrying(|| self.blobs.head(&at)).await?;
        Ok(object_info(at.key, meta))
    }

    async fn get(
        &mut self,
        this: Resource<Bucket>,
        key: String,
        range: Option<wit::ByteRange>,
    ) -> Result<Resource<Reader>, CallError> {
        let at = self.address(&this, key, Verb::Read)?;
        let range = range.map(byte_range).transpose()?;
        let share = self.staging.read_ahead.share().ok_or_else(|| {
            wit::Error::Unavailable("at most 64 readers may be open at a time".to_owned())
        })?;
        let object = retrying(|| self.blobs.get(&at, range)).await?;
        Ok(self.table.push(Reader::new(self.blobs, at, range, object, share))?)
    }

    async fn put(
        &mut self,
        this: Resource<Bucket>,
        key: String,
        options: wit::PutOptions,
    ) -> Result<Resource<Writer>, CallError> {
        let at = self.address(&this, key, Verb::Write)?;
        let writer = self.staging.open(at, put_options(options)?)?;
        Ok(self.table.push(Writer(writer))?)
    }

    async fn list(
        &mut self,
        this: Resource<Bucket>,
        prefix: String,
        start_after: Option<String>,
    ) -> Result<wit::ListPage, CallError> {
        let Bucket(bucket) = self.table.get(&this)?;
        self.grants.check_listing(bucket, &prefix)?;
        let list = ListObjects {
            bucket: bucket.clone(),
            prefix,
            start_after: start_after.filter(|after| !after.is_empty()),
            max_keys: MAX_LISTED,
        };
        let page = retrying(|| self.blobs.list(list.clone())).await?;
        let last = page.objects.last().map(|(key, _)| key.clone());
        let objects = page.objects.into_iter().map(|(key, meta)| object_info(key, meta)).collect();
        Ok(wit::ListPage { objects, next: last.filter(|_| page.truncated) })
    }

    async fn copy(
        &mut self,
        this: Resource<Bucket>,
        key: String,
        to: Resource<Bucket>,
        to_key: String,
    ) -> Result<(), CallError> {
        let from = self.address(&this, key, Verb::Read)?;
        let to = self.address(&to, to_key, Verb::Write)?;
        // Heard of now, while the guest can do something about it.
        if !self.staging.will_write(&from) {
            retrying(|| self.blobs.head(&from)).await?;
        }
        Ok(self.staging.copy(from, to)?)
    }

    async fn delete(&mut self, this: Resource<Bucket>, key: String) -> Result<(), CallError> {
        let at = self.address(&this, key, Verb::Write)?;
        Ok(self.staging.delete(at)?)
    }

    async fn drop(&mut self, this: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

fn byte_range(range: wit::ByteRange) -> Result<ByteRange, CallError> {
    let invalid = |why: &str| Err(wit::Error::InvalidArgument(why.to_owned()).into());
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
fn put_options(options: wit::PutOptions) -> Result<PutOptions, CallError> {
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

#[cfg(test)]
mod tests;
