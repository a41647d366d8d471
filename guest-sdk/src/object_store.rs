//! Objects in the buckets that were granted to the activity (S3 or what speaks like it).
//!
//! Bodies are [`std::io::Read`] and [`std::io::Write`]. What an activity writes, copies or
//! deletes appears only once the activity has succeeded.

mod body;
mod error;
mod listing;

pub use self::{
    body::{Reader, Writer},
    error::{Error, ErrorKind},
    listing::Objects,
};
use crate::host;

/// What the store knows of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its whole key.
    pub key: String,
    /// Bytes of the whole object.
    pub size: u64,
    /// The entity tag, with its quotes.
    pub etag: String,
    /// As it was given when the object was stored.
    pub content_type: Option<String>,
    /// In milliseconds since the Unix epoch.
    pub last_modified: u64,
}

/// Which bytes of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteRange {
    /// From this position to the end; 0 is the first byte.
    Start(u64),
    /// From the first position to the last, both included.
    Inclusive(u64, u64),
    /// The last so many bytes.
    Suffix(u64),
}

/// How to store a new object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PutOptions {
    /// Such as `image/jpeg`.
    pub content_type: Option<String>,
    /// A storage class of S3, such as `REDUCED_REDUNDANCY`.
    pub storage_class: Option<String>,
    /// Ask for encryption at rest with keys of the store.
    pub encrypt: bool,
}

/// A bucket, opened by the name that the plan grants.
///
/// ```
/// # use cpe_guest::{object_store::{Bucket, PutOptions}, testing::Host};
/// use std::io::{Read, Write};
///
/// # Host::new().object("media", "in/a.txt", "abc").run(|| {
/// let bucket = Bucket::open("media")?;
/// let mut text = String::new();
/// bucket.get("in/a.txt")?.read_to_string(&mut text)?;
///
/// let mut writer = bucket.put("out/a.txt", PutOptions::default())?;
/// writer.write_all(text.to_uppercase().as_bytes())?;
/// writer.finish()?;
/// # Ok(()) }).result.unwrap();
/// ```
#[derive(Debug)]
pub struct Bucket {
    name: String,
    handle: host::Bucket,
}

impl Bucket {
    /// Opens a bucket.
    ///
    /// # Errors
    ///
    /// `AccessDenied` if nothing in it was granted.
    pub fn open(name: impl Into<String>) -> Result<Self, Error> {
        let name = name.into();
        match host::Bucket::open(&name) {
            Ok(handle) => Ok(Self { name, handle }),
            Err(kind) => Err(Error::new(kind, name, None)),
        }
    }

    /// The name it was opened by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the store knows of one object.
    ///
    /// # Errors
    ///
    /// As the store says; `NoSuchKey` if there is none.
    pub fn head(&self, key: &str) -> Result<ObjectInfo, Error> {
        self.handle.head(key).map_err(self.at(key))
    }

    /// Opens an object for reading.
    ///
    /// # Errors
    ///
    /// As the store says; `NoSuchKey` if there is none.
    pub fn get(&self, key: &str) -> Result<Reader, Error> {
        self.open_reader(key, None)
    }

    /// Opens a part of an object for reading. A range that goes beyond the end is cut there.
    ///
    /// # Errors
    ///
    /// As the store says; `InvalidArgument` if the object has none of these bytes.
    pub fn get_range(&self, key: &str, range: ByteRange) -> Result<Reader, Error> {
        self.open_reader(key, Some(range))
    }

    fn open_reader(&self, key: &str, range: Option<ByteRange>) -> Result<Reader, Error> {
        let handle = self.handle.get(key, range).map_err(self.at(key))?;
        Ok(Reader::new(handle, &self.name, key))
    }

    /// Opens a new object for writing. It appears only after [`Writer::finish`], and only if the
    /// activity itself succeeds.
    ///
    /// # Errors
    ///
    /// As the store says; `AccessDenied` if the grant does not cover writing that key.
    pub fn put(&self, key: &str, options: PutOptions) -> Result<Writer, Error> {
        let handle = self.handle.put(key, options).map_err(self.at(key))?;
        Ok(Writer::new(handle, &self.name, key))
    }

    /// Lists the objects whose keys begin with `prefix`, in key order. Pages are fetched as the
    /// iterator gets to them; it ends after the first error.
    pub fn list(&self, prefix: impl Into<String>) -> Objects<'_> {
        Objects::new(self, prefix.into())
    }

    /// Copies an object of this bucket to `to_key` in the bucket `to`, inside the store. It needs
    /// read access here and write access there, and appears only if the activity succeeds.
    ///
    /// # Errors
    ///
    /// As the store says; `NoSuchKey` if there is nothing to copy.
    pub fn copy(&self, key: &str, to: &Bucket, to_key: &str) -> Result<(), Error> {
        self.handle.copy(key, &to.handle, to_key).map_err(|kind| match kind {
            // What was not found is the source; what was refused may be either, and says which.
            ErrorKind::NoSuchKey => self.at(key)(kind),
            kind => to.at(to_key)(kind),
        })
    }

    /// Deletes an object, once the activity has succeeded. A key that does not exist is no error.
    ///
    /// # Errors
    ///
    /// As the store says; `AccessDenied` if the grant does not cover writing that key.
    pub fn delete(&self, key: &str) -> Result<(), Error> {
        self.handle.delete(key).map_err(self.at(key))
    }

    fn at(&self, key: &str) -> impl FnOnce(ErrorKind) -> Error {
        move |kind| Error::new(kind, &self.name, Some(key.to_owned()))
    }
}
