//! What can go wrong in the object store, with S3's name for it.
//!
//! Knows how S3 and the ports tell an error; not who asked.

use cpe_ports::ErrorKind;
use http::{HeaderMap, HeaderValue, StatusCode};
use s3s::{S3Error, S3ErrorCode};

use super::model::EntityTag;
use crate::engine::Closed;

#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("The bucket {0:?} does not exist")]
    NoSuchBucket(String),
    #[error("The bucket {bucket:?} has no object with the key {key:?}")]
    NoSuchKey { bucket: String, key: String },
    #[error("There is no such upload for this key; it may have been completed or aborted")]
    NoSuchUpload,
    #[error("You own the bucket {0:?} already")]
    BucketAlreadyOwnedByYou(String),
    #[error("The bucket {0:?} still has objects")]
    BucketNotEmpty(String),
    #[error("{0:?} is not a name for a bucket: 3 to 63 lower-case letters, digits, dots, hyphens")]
    InvalidBucketName(String),
    #[error("The key has {0} bytes; at most 1,024 are allowed")]
    KeyTooLong(usize),
    #[error("The metadata has {0} bytes; at most 2,048 are allowed")]
    MetadataTooLarge(usize),
    #[error("{0:?} is not a storage class of S3")]
    InvalidStorageClass(String),
    #[error("At least one of the conditions did not hold")]
    PreconditionFailed,
    #[error("The object has not changed")]
    NotModified(EntityTag),
    #[error("The range cannot be satisfied: the object has {size} bytes")]
    InvalidRange { size: u64 },
    #[error("Part {0} was not uploaded, or has another entity tag")]
    InvalidPart(u32),
    #[error("Parts must be listed in ascending order of their numbers")]
    InvalidPartOrder,
    #[error("Part {0} is smaller than 5 MiB and not the last")]
    EntityTooSmall(u32),
    #[error("The upload exceeds the limit of {limit} bytes")]
    EntityTooLarge { limit: u64 },
    #[error("The {0} that was sent does not match the content that was received")]
    BadDigest(&'static str),
    #[error("The {0} that was sent is not valid")]
    InvalidDigest(&'static str),
    #[error("{expected} bytes were announced, {got} came")]
    IncompleteBody { expected: u64, got: u64 },
    #[error("The body could not be read to its end")]
    BrokenBody(#[source] s3s::StdError),
    #[error("The length of the body must be given")]
    MissingContentLength,
    #[error("{0}")]
    InvalidArgument(&'static str),
    #[error("{0}")]
    InvalidRequest(&'static str),
    #[error("{0}")]
    MalformedXml(&'static str),
    #[error("{0} is not implemented")]
    NotImplemented(&'static str),
    #[error("The index cannot be read or written")]
    Index(#[from] rusqlite::Error),
    #[error("The index has a row that makes no sense: {0}")]
    Corrupt(String),
    #[error("The folder of the objects cannot be read or written")]
    Disk(#[from] std::io::Error),
    #[error(transparent)]
    Closed(#[from] Closed),
}

impl StoreError {
    /// S3's name for it.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::NoSuchBucket(_) => "NoSuchBucket",
            Self::NoSuchKey { .. } => "NoSuchKey",
            Self::NoSuchUpload => "NoSuchUpload",
            Self::BucketAlreadyOwnedByYou(_) => "BucketAlreadyOwnedByYou",
            Self::BucketNotEmpty(_) => "BucketNotEmpty",
            Self::InvalidBucketName(_) => "InvalidBucketName",
            Self::KeyTooLong(_) => "KeyTooLongError",
            Self::MetadataTooLarge(_) => "MetadataTooLarge",
            Self::InvalidStorageClass(_) => "InvalidStorageClass",
            Self::PreconditionFailed => "PreconditionFailed",
            Self::NotModified(_) => "NotModified",
            Self::InvalidRange { .. } => "InvalidRange",
            Self::InvalidPart(_) => "InvalidPart",
            Self::InvalidPartOrder => "InvalidPartOrder",
            Self::EntityTooSmall(_) => "EntityTooSmall",
            Self::EntityTooLarge { .. } => "EntityTooLarge",
            Self::BadDigest(_) => "BadDigest",
            Self::InvalidDigest(_) => "InvalidDigest",
            Self::IncompleteBody { .. } | Self::BrokenBody(_) => "IncompleteBody",
            Self::MissingContentLength => "MissingContentLength",
            Self::InvalidArgument(_) => "InvalidArgument",
            Self::InvalidRequest(_) => "InvalidRequest",
            Self::MalformedXml(_) => "MalformedXML",
            Self::NotImplemented(_) => "NotImplemented",
            Self::Index(_) | Self::Corrupt(_) | Self::Disk(_) => "InternalError",
            Self::Closed(_) => "ServiceUnavailable",
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSuchBucket(_) | Self::NoSuchKey { .. } | Self::NoSuchUpload => {
                ErrorKind::NotFound
            }
            Self::BucketAlreadyOwnedByYou(_) | Self::PreconditionFailed => ErrorKind::AlreadyExists,
            Self::Index(_) | Self::Corrupt(_) | Self::Disk(_) | Self::Closed(_) => {
                ErrorKind::Unavailable
            }
            _ => ErrorKind::Refused,
        }
    }

    /// Ours are told to the log, not to whoever asked.
    pub(crate) fn is_internal(&self) -> bool {
        matches!(self, Self::Index(_) | Self::Corrupt(_) | Self::Disk(_))
    }
}

impl From<StoreError> for cpe_ports::Error {
    fn from(error: StoreError) -> Self {
        let told = Self::new(error.kind(), error.to_string()).with_code(error.code());
        if error.is_internal() { told.with_source(error) } else { told }
    }
}

impl From<StoreError> for S3Error {
    fn from(error: StoreError) -> Self {
        let code = S3ErrorCode::from_bytes(error.code().as_bytes());
        let mut told = Self::new(code.unwrap_or(S3ErrorCode::InternalError));
        if error.is_internal() {
            tracing::error!(error = &error as &dyn std::error::Error, "The object store failed");
            told.set_message("We encountered an internal error. Please try again.");
        } else {
            told.set_message(error.to_string());
        }
        if let StoreError::NotModified(etag) = &error {
            told.set_status_code(StatusCode::NOT_MODIFIED);
            if let Ok(etag) = HeaderValue::try_from(etag.quoted()) {
                told.set_headers(HeaderMap::from_iter([(http::header::ETAG, etag)]));
            }
        }
        told
    }
}
