//! Why there is no module to run.

use std::{error::Error as StdError, fmt::Write as _, io, path::PathBuf, sync::Arc};

use cpe_ports::{Error, ErrorKind, ObjectAddress};
use cpe_sandbox::SandboxError;

/// Cheap to clone: everyone who waited for the same load is told the same.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ModuleError {
    #[error("there is no {what}")]
    NotFound { what: String },
    #[error("module {module} has the digest {found}, and {expected} is asked for")]
    DigestMismatch { module: String, expected: String, found: String },
    #[error("{what} cannot be read or written")]
    Unavailable {
        what: String,
        #[source]
        source: Arc<Error>,
    },
    #[error("module {} cannot be read", .path.display())]
    File {
        path: PathBuf,
        #[source]
        source: Arc<io::Error>,
    },
    #[error("{what} changed while it was read")]
    Changed { what: String },
    #[error(
        "the channel {channel} was moved while this was going on: {problem}; look at it, and try \
         again"
    )]
    Moved { channel: String, problem: String },
    #[error("module {module} cannot be read: {problem}")]
    Description { module: String, problem: String },
    #[error("module {module} does not run: {problem}")]
    Untrusted { module: String, problem: String, tampered: bool },
    #[error("{at} is not a channel's document: {problem}")]
    Document { at: ObjectAddress, problem: String },
    #[error("{what} has more than {limit} bytes")]
    TooLarge { what: String, limit: usize },
    #[error(
        "`{name}@{channel}` names no channel: both parts have 1 to 128 of A–Z a–z 0–9 . _ - and \
         do not begin with a dot"
    )]
    Name { name: String, channel: String },
    #[error("module {reference} cannot be used: {problem}")]
    Unsupported { reference: String, problem: &'static str },
    #[error(transparent)]
    Sandbox(Arc<SandboxError>),
}

impl From<SandboxError> for ModuleError {
    fn from(error: SandboxError) -> Self {
        Self::Sandbox(Arc::new(error))
    }
}

impl ModuleError {
    /// A port's error about `what`.
    pub(crate) fn port(what: impl Into<String>, error: Error) -> Self {
        let what = what.into();
        match error.kind() {
            ErrorKind::NotFound => Self::NotFound { what },
            _ => Self::Unavailable { what, source: Arc::new(error) },
        }
    }

    /// The `reason` that SWF keeps, and that a plan's `retry.on` matches.
    /// Stable: changing one is a breaking change of the plan format.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "cpe.module.not-found",
            Self::DigestMismatch { .. } => "cpe.module.digest-mismatch",
            Self::Unavailable { .. }
            | Self::File { .. }
            | Self::Changed { .. }
            | Self::Document { .. } => "cpe.module.unavailable",
            Self::Moved { .. } => "cpe.module.moved",
            Self::Untrusted { tampered: true, .. } => "cpe.module.tampered",
            Self::Untrusted { .. } => "cpe.module.untrusted",
            Self::TooLarge { .. } | Self::Name { .. } | Self::Description { .. } => {
                "cpe.module.invalid"
            }
            Self::Unsupported { .. } => "cpe.module.unsupported",
            Self::Sandbox(error) => error.reason(),
        }
    }

    /// Whether asking again may help.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable { source, .. } => source.kind().is_transient(),
            Self::Changed { .. } => true,
            Self::Sandbox(error) => error.is_retryable(),
            Self::NotFound { .. }
            | Self::DigestMismatch { .. }
            | Self::File { .. }
            | Self::Document { .. }
            | Self::Moved { .. }
            | Self::Description { .. }
            | Self::Untrusted { .. }
            | Self::TooLarge { .. }
            | Self::Name { .. }
            | Self::Unsupported { .. } => false,
        }
    }

    /// Whether the same bytes will always fail like this.
    pub(crate) fn is_of_the_bytes(&self) -> bool {
        matches!(self, Self::Sandbox(error) if !error.is_retryable())
    }

    /// Whether it is this version of the module that is no good, or not there, and another one may
    /// be: then the one before goes on.
    pub(crate) fn is_of_the_version(&self) -> bool {
        self.is_of_the_bytes()
            || matches!(
                self,
                Self::NotFound { .. }
                    | Self::DigestMismatch { .. }
                    | Self::Description { .. }
                    | Self::Untrusted { .. }
                    | Self::TooLarge { .. }
            )
    }

    /// Everything known, for people: the message and its causes.
    pub fn details(&self) -> String {
        if let Self::Sandbox(error) = self {
            return error.details();
        }
        let mut details = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let _ = write!(details, ": {error}");
            cause = error.source();
        }
        details
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_asked_again() {
        let of = |kind| {
            let error = ModuleError::port("module a@1", Error::new(kind, "it says"));
            (error.reason(), error.is_retryable(), error.details())
        };
        let said = "module a@1 cannot be read or written: it says".to_owned();
        assert_eq!(of(ErrorKind::Throttled), ("cpe.module.unavailable", true, said.clone()));
        assert_eq!(of(ErrorKind::Refused), ("cpe.module.unavailable", false, said));
        let missing = ("cpe.module.not-found", false, "there is no module a@1".to_owned());
        assert_eq!(of(ErrorKind::NotFound), missing);
    }
}
