//! What can go wrong in the object store, with S3's name for it.
//!
//! Knows how S3 and the ports tell an error; not who asked.

use std::borrow::Cow;

use cpe_ports::{ByteRange, ErrorKind};
use http::{HeaderMap, HeaderValue, StatusCode};
use s3s::{S3Error, S3ErrorCode};

use super::{detail, index::Setting, model::EntityTag};
use crate::engine::Closed;

#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("The bucket {0:?} does not exist")]
    NoSuchBucket(String),
    #[error("The bucket {bucket:?} has no object with the key {key:?}")]
    NoSuchKey { bucket: String, key: String },
    #[error("There is no upload {0:?} for this key; it may have been completed or aborted")]
    NoSuchUpload(String),
    #[error("The object has no version {0:?}: versioning was never enabled")]
    NoSuchVersion(String),
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
    #[error("The condition {0} did not hold")]
    PreconditionFailed(&'static str),
    #[error("The object has not changed")]
    NotModified(EntityTag),
    #[error("The object has no part {0}")]
    InvalidPartNumber(u32),
    #[error("{0}")]
    InvalidTag(&'static str),
    #[error("{0}")]
    TooManyTags(&'static str),
    #[error("{0:?} is not a region that a bucket can be in")]
    InvalidLocationConstraint(String),
    #[error(
        "The {0} location constraint is incompatible for the region specific endpoint this request was sent to."
    )]
    IllegalLocationConstraint(String),
    #[error("{0}")]
    MalformedAcl(&'static str),
    #[error("{0}")]
    MalformedPolicy(&'static str),
    #[error("The bucket {bucket:?} was not told its {which:?}")]
    NoSuchSetting { bucket: String, which: Setting },
    #[error("{0}")]
    Invalid(String),
    #[error("{why}")]
    BadArgument { name: &'static str, value: String, why: &'static str },
    #[error("The range cannot be satisfied: the object has {size} bytes")]
    InvalidRange { range: ByteRange, size: u64 },
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
    #[error("The source changed while its checksum was computed; try again")]
    Changing,
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
            Self::NoSuchUpload(_) => "NoSuchUpload",
            Self::NoSuchVersion(_) => "NoSuchVersion",
            Self::BucketAlreadyOwnedByYou(_) => "BucketAlreadyOwnedByYou",
            Self::BucketNotEmpty(_) => "BucketNotEmpty",
            Self::InvalidBucketName(_) => "InvalidBucketName",
            Self::KeyTooLong(_) => "KeyTooLongError",
            Self::MetadataTooLarge(_) => "MetadataTooLarge",
            Self::InvalidStorageClass(_) => "InvalidStorageClass",
            Self::PreconditionFailed(_) => "PreconditionFailed",
            Self::NotModified(_) => "NotModified",
            Self::InvalidRange { .. } => "InvalidRange",
            Self::InvalidPartNumber(_) => "InvalidPartNumber",
            Self::InvalidTag(_) => "InvalidTag",
            Self::TooManyTags(_) => "BadRequest",
            Self::InvalidLocationConstraint(_) => "InvalidLocationConstraint",
            Self::IllegalLocationConstraint(_) => "IllegalLocationConstraintException",
            Self::MalformedAcl(_) => "MalformedACLError",
            Self::MalformedPolicy(_) => "MalformedPolicy",
            Self::NoSuchSetting { which, .. } => missing(*which).0,
            Self::Invalid(_) | Self::BadArgument { .. } => "InvalidArgument",
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
            Self::Changing => "OperationAborted",
            Self::Index(_) | Self::Corrupt(_) | Self::Disk(_) => "InternalError",
            Self::Closed(_) => "ServiceUnavailable",
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSuchBucket(_)
            | Self::NoSuchKey { .. }
            | Self::NoSuchUpload(_)
            | Self::NoSuchVersion(_)
            | Self::NoSuchSetting { .. } => ErrorKind::NotFound,
            Self::BucketAlreadyOwnedByYou(_) | Self::PreconditionFailed(_) => {
                ErrorKind::AlreadyExists
            }
            Self::Changing
            | Self::Index(_)
            | Self::Corrupt(_)
            | Self::Disk(_)
            | Self::Closed(_) => ErrorKind::Unavailable,
            _ => ErrorKind::Refused,
        }
    }

    /// A part's number that none can have.
    pub(crate) fn part_number(number: impl ToString) -> Self {
        Self::BadArgument {
            name: "partNumber",
            value: number.to_string(),
            why: "Part number must be an integer between 1 and 10000, inclusive",
        }
    }

    /// As it is told of the source of a copy, which cannot be "not modified".
    pub(crate) fn of_source(self) -> Self {
        match self {
            Self::NotModified(_) => Self::PreconditionFailed("x-amz-copy-source-If-None-Match"),
            Self::PreconditionFailed("If-Match") => {
                Self::PreconditionFailed("x-amz-copy-source-If-Match")
            }
            Self::PreconditionFailed("If-Unmodified-Since") => {
                Self::PreconditionFailed("x-amz-copy-source-If-Unmodified-Since")
            }
            other => other,
        }
    }

    /// What S3 says of it, which clients and their tests compare. Where S3 says less than we know,
    /// what we know is in the log and in the ports' errors.
    pub(crate) fn told(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::NoSuchBucket(_) => "The specified bucket does not exist",
            Self::NoSuchKey { .. } => "The specified key does not exist.",
            Self::NoSuchUpload(_) => {
                "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."
            }
            Self::NoSuchVersion(_) => "The specified version does not exist.",
            Self::BucketAlreadyOwnedByYou(_) => {
                "Your previous request to create the named bucket succeeded and you already own it."
            }
            Self::BucketNotEmpty(_) => "The bucket you tried to delete is not empty",
            Self::InvalidBucketName(_) => "The specified bucket is not valid.",
            Self::KeyTooLong(_) => "Your key is too long",
            Self::MetadataTooLarge(_) => {
                "Your metadata headers exceed the maximum allowed metadata size"
            }
            Self::InvalidStorageClass(_) => "The storage class you specified is not valid",
            Self::InvalidLocationConstraint(_) => "The specified location-constraint is not valid",
            Self::PreconditionFailed(_) => {
                "At least one of the pre-conditions you specified did not hold"
            }
            Self::InvalidRange { .. } => "The requested range is not satisfiable",
            Self::InvalidPartNumber(_) => "The requested partnumber is not satisfiable",
            Self::InvalidPart(_) => {
                "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag."
            }
            Self::InvalidPartOrder => {
                "The list of parts was not in ascending order. The parts list must be specified in order by part number."
            }
            Self::EntityTooSmall(_) => {
                "Your proposed upload is smaller than the minimum allowed object size."
            }
            Self::EntityTooLarge { .. } => {
                "Your proposed upload exceeds the maximum allowed object size."
            }
            Self::NoSuchSetting { which, .. } => missing(*which).1,
            Self::MalformedXml(_) => {
                "The XML you provided was not well-formed or did not validate against our published schema"
            }
            Self::Index(_) | Self::Corrupt(_) | Self::Disk(_) => {
                "We encountered an internal error. Please try again."
            }
            _ => return Cow::Owned(self.to_string()),
        })
    }

    /// The status, where `s3s` does not know it by the name.
    fn status(&self) -> Option<StatusCode> {
        match self {
            Self::NotModified(_) => Some(StatusCode::NOT_MODIFIED),
            Self::InvalidPartNumber(_) => Some(StatusCode::RANGE_NOT_SATISFIABLE),
            Self::TooManyTags(_) => Some(StatusCode::BAD_REQUEST),
            Self::NoSuchSetting { .. } => Some(StatusCode::NOT_FOUND),
            _ => None,
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

/// What S3 calls it, and says, when a bucket was not told something.
fn missing(setting: Setting) -> (&'static str, &'static str) {
    match setting {
        Setting::Tags => ("NoSuchTagSet", "The TagSet does not exist"),
        Setting::Policy => ("NoSuchBucketPolicy", "The bucket policy does not exist"),
        Setting::Cors => ("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
        Setting::Lifecycle => {
            ("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist")
        }
        Setting::PublicAccess => (
            "NoSuchPublicAccessBlockConfiguration",
            "The public access block configuration was not found",
        ),
        Setting::Ownership => {
            ("OwnershipControlsNotFoundError", "The bucket ownership controls were not found")
        }
        Setting::Notifications | Setting::Acl => {
            ("NoSuchConfiguration", "The specified configuration does not exist.")
        }
    }
}

impl From<StoreError> for S3Error {
    fn from(error: StoreError) -> Self {
        let code = S3ErrorCode::from_bytes(error.code().as_bytes());
        let mut told = Self::new(code.unwrap_or(S3ErrorCode::InternalError));
        if error.is_internal() {
            tracing::error!(error = &error as &dyn std::error::Error, "The object store failed");
        }
        if let StoreError::MalformedXml(why) = &error {
            tracing::debug!(why, "A document is not what S3 takes");
        }
        told.set_message(error.told());
        if let Some(status) = error.status() {
            told.set_status_code(status);
        }
        let mut headers: HeaderMap = detail::header(&error).into_iter().collect();
        if let StoreError::NotModified(etag) = &error
            && let Ok(etag) = HeaderValue::try_from(etag.quoted())
        {
            headers.insert(http::header::ETAG, etag);
        }
        // With headers of our own, `s3s` leaves out its own.
        if !headers.is_empty() {
            told.set_headers(headers);
        }
        told
    }
}
