//! Why a call to the object store failed, and where.

use std::{error::Error as StdError, fmt, io};

/// Why a call to the object store failed. Says where: the bucket and the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    bucket: String,
    key: Option<String>,
}

/// What kind of error it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorKind {
    /// No object has that key.
    NoSuchKey,
    /// No such bucket, as far as this activity may know.
    NoSuchBucket,
    /// The grant does not cover that bucket, key or verb. Says which.
    AccessDenied(String),
    /// The key, the range or another argument is not valid. Says why.
    InvalidArgument(String),
    /// The store failed or could not be reached, retries included. May be worth another attempt.
    Unavailable(String),
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, bucket: impl Into<String>, key: Option<String>) -> Self {
        Self { kind, bucket: bucket.into(), key }
    }

    /// What kind of error it is.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// The bucket that the call was about.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The key that the call was about, if it was about one.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The `reason` of the failure that this error becomes.
    pub fn reason(&self) -> &'static str {
        match self.kind {
            ErrorKind::NoSuchKey => "s3.no-such-key",
            ErrorKind::NoSuchBucket => "s3.no-such-bucket",
            ErrorKind::AccessDenied(_) => "cpe.denied.s3",
            ErrorKind::InvalidArgument(_) => "s3.invalid-argument",
            ErrorKind::Unavailable(_) => "s3.unavailable",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, bucket, key } = self;
        match (kind, key) {
            (ErrorKind::NoSuchKey, Some(key)) => {
                write!(f, "bucket `{bucket}` has no object `{key}`")
            }
            (ErrorKind::NoSuchKey, None) => write!(f, "bucket `{bucket}` has no such object"),
            (ErrorKind::NoSuchBucket, _) => write!(f, "there is no bucket `{bucket}`"),
            (ErrorKind::AccessDenied(why), _) => write!(f, "access denied: {why}"),
            (ErrorKind::InvalidArgument(why) | ErrorKind::Unavailable(why), Some(key)) => {
                write!(f, "bucket `{bucket}`, key `{key}`: {why}")
            }
            (ErrorKind::InvalidArgument(why) | ErrorKind::Unavailable(why), None) => {
                write!(f, "bucket `{bucket}`: {why}")
            }
        }
    }
}

impl StdError for Error {}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind {
            ErrorKind::NoSuchKey | ErrorKind::NoSuchBucket => io::ErrorKind::NotFound,
            ErrorKind::AccessDenied(_) => io::ErrorKind::PermissionDenied,
            ErrorKind::InvalidArgument(_) => io::ErrorKind::InvalidInput,
            ErrorKind::Unavailable(_) => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
