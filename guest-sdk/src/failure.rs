//! Why an activity did not succeed. It knows nothing of the wire: the host cuts what is too long.

use std::{error::Error as StdError, fmt, io};

use crate::object_store;

/// Why an activity did not succeed, in a form that plans can match and people can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// A stable, dotted code, such as `media.undecodable`, of at most 256 characters. A plan's
    /// `retry.on` matches it. Codes that begin with `cpe.` are the host's and this crate's own.
    pub reason: String,
    /// What happened, for people. The host cuts it to 32,768 characters.
    pub details: String,
    /// Whether the same input may succeed another time.
    pub retryable: bool,
}

impl Failure {
    /// A failure that another attempt with the same input would repeat.
    pub fn permanent(reason: impl Into<String>, details: impl fmt::Display) -> Self {
        Self { reason: reason.into(), details: details.to_string(), retryable: false }
    }

    /// A failure that another attempt may not meet.
    pub fn retryable(reason: impl Into<String>, details: impl fmt::Display) -> Self {
        Self { reason: reason.into(), details: details.to_string(), retryable: true }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.details)
    }
}

impl StdError for Failure {}

impl From<object_store::Error> for Failure {
    /// The reasons are `s3.no-such-key`, `s3.no-such-bucket`, `cpe.denied.s3`,
    /// `s3.invalid-argument` and, retryable, `s3.unavailable`.
    fn from(error: object_store::Error) -> Self {
        let retryable = matches!(error.kind(), object_store::ErrorKind::Unavailable(_));
        Self { reason: error.reason().to_owned(), details: error.to_string(), retryable }
    }
}

impl From<io::Error> for Failure {
    /// An error of the object store keeps its own reason, however deep it is wrapped; the others
    /// become `io.` and their kind, such as `io.unexpected-eof`.
    fn from(error: io::Error) -> Self {
        if let Some(wrapped) = wrapped_store_error(&error) {
            return wrapped.into();
        }
        Self::permanent(format!("io.{}", code(error.kind())), error)
    }
}

fn wrapped_store_error(error: &io::Error) -> Option<object_store::Error> {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error.get_ref()?);
    while let Some(error) = cause {
        if let Some(store) = error.downcast_ref::<object_store::Error>() {
            return Some(store.clone());
        }
        // An `io::Error` passes over what it wraps when it is asked for its source.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = inner.map(|inner| inner as &(dyn StdError + 'static)).or_else(|| error.source());
    }
    None
}

fn code(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::UnexpectedEof => "unexpected-eof",
        io::ErrorKind::InvalidData => "invalid-data",
        io::ErrorKind::InvalidInput => "invalid-input",
        io::ErrorKind::FileTooLarge => "too-large",
        io::ErrorKind::WriteZero => "write-zero",
        io::ErrorKind::OutOfMemory => "out-of-memory",
        io::ErrorKind::NotFound => "not-found",
        io::ErrorKind::PermissionDenied => "permission-denied",
        io::ErrorKind::Unsupported => "unsupported",
        _ => "other",
    }
}
