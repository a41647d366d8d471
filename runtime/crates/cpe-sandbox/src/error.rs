//! How one activity task ends, other than with the guest's own answer.

use std::{error::Error as StdError, fmt::Write as _, time::Duration};

use cpe_ports::ObjectAddress;

use crate::WORLD;

/// What the details of an error may take at most, in bytes.
const MAX_DETAILS: usize = 16 << 10;

/// Why the sandbox could not produce the activity's own answer.
///
/// A guest that returns `failure` is not here: that is an outcome, not an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    #[error("module {module} is not a component: {found}")]
    NotAComponent { module: String, found: String },
    #[error("module {module} has {size} bytes, of at most {limit}")]
    TooLarge { module: String, size: usize, limit: usize },
    #[error("module {module} is not valid")]
    Invalid {
        module: String,
        #[source]
        source: wasmtime::Error,
    },
    #[error("module {module} needs more than {limit} to be compiled")]
    CompileLimit {
        module: String,
        /// Which limit: a number, a unit and of what.
        limit: String,
    },
    #[error("the compiler failed at module {module}: {problem}")]
    CompilerFailed { module: String, problem: String },
    #[error("module {module} cannot be linked against {WORLD}: {problem}")]
    Link {
        module: String,
        problem: String,
        #[source]
        source: wasmtime::Error,
    },
    #[error("the activity needed more than its {limit} bytes of memory")]
    Memory { limit: u64 },
    #[error("the activity used up its {limit:?} of CPU time")]
    Cpu { limit: Duration },
    #[error("the activity took longer than {limit:?}")]
    Wall { limit: Duration },
    #[error("the activity's result has more than {limit} bytes")]
    Output { limit: u64 },
    #[error("the activity needed a table of more than {limit} elements")]
    Table { limit: usize },
    #[error("the activity's calls went deeper than its stack of {limit} bytes")]
    Stack { limit: usize },
    #[error("the activity wrote more than the {limit} bytes of its scratch space")]
    Scratch { limit: u64 },
    #[error("the activity held more than {limit} handles at a time")]
    Handles { limit: usize },
    #[error("the activity asked for, or passed, too much in one call: {message}")]
    Call { message: String },
    #[error("the activity trapped: {message}")]
    Trap {
        /// The kind of trap, in a sentence.
        message: String,
        /// The guest's calls, innermost first; may be empty.
        backtrace: String,
        /// What the guest last wrote to its standard error, where a panic explains itself.
        stderr: String,
    },
    #[error("the activity succeeded, but {at} could not be written")]
    Commit {
        at: ObjectAddress,
        #[source]
        source: cpe_ports::Error,
    },
    #[error("the jailed process that ran the activity is lost: {problem}")]
    Lost {
        /// How it went, and its last words.
        problem: String,
    },
    #[error("the sandbox cannot be set up")]
    Setup(#[source] wasmtime::Error),
    #[error("the sandbox failed: {0}")]
    Internal(String),
}

impl SandboxError {
    /// The `reason` that SWF keeps, and that a plan's `retry.on` matches.
    /// Stable: changing one is a breaking change of the plan format.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotAComponent { .. } | Self::TooLarge { .. } | Self::Invalid { .. } => {
                "cpe.module.invalid"
            }
            Self::CompileLimit { .. } => "cpe.module.compile-limit",
            Self::CompilerFailed { .. } => "cpe.module.compile-failed",
            Self::Link { .. } => "cpe.module.link",
            Self::Memory { .. } => "cpe.limit.memory",
            Self::Cpu { .. } => "cpe.limit.cpu",
            Self::Wall { .. } => "cpe.limit.wall",
            Self::Output { .. } => "cpe.limit.output",
            Self::Table { .. } => "cpe.limit.table",
            Self::Stack { .. } => "cpe.limit.stack",
            Self::Handles { .. } => "cpe.limit.handles",
            Self::Scratch { .. } => "cpe.limit.scratch",
            Self::Call { .. } => "cpe.limit.call",
            Self::Trap { .. } => "cpe.trap",
            Self::Commit { .. } => "cpe.commit",
            Self::Lost { .. } => "cpe.jail.lost",
            Self::Setup(_) | Self::Internal(_) => "cpe.internal",
        }
    }

    /// Whether the same activity task may end well another time.
    pub fn is_retryable(&self) -> bool {
        match self {
            // Killed from outside, or no process to be had: the next time may differ.
            Self::Wall { .. }
            | Self::CompilerFailed { .. }
            | Self::Lost { .. }
            | Self::Setup(_)
            | Self::Internal(_) => true,
            // An upload that is gone was taken for a dead worker's.
            Self::Commit { source, .. } => {
                source.kind().is_transient() || source.code() == Some("NoSuchUpload")
            }
            Self::NotAComponent { .. }
            | Self::TooLarge { .. }
            | Self::Invalid { .. }
            | Self::CompileLimit { .. }
            | Self::Link { .. }
            | Self::Memory { .. }
            | Self::Cpu { .. }
            | Self::Output { .. }
            | Self::Table { .. }
            | Self::Stack { .. }
            | Self::Handles { .. }
            | Self::Scratch { .. }
            | Self::Call { .. }
            | Self::Trap { .. } => false,
        }
    }

    /// Everything known, for people: the message, its causes, the guest's last words and calls.
    pub fn details(&self) -> String {
        let mut details = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let message = error.to_string();
            if !details.ends_with(&message) {
                let _ = write!(details, ": {message}");
            }
            cause = error.source();
        }
        if let Self::Trap { backtrace, stderr, .. } = self {
            for part in [stderr, backtrace] {
                if !part.is_empty() {
                    let _ = write!(details, "\n{part}");
                }
            }
        }
        cut(&mut details, MAX_DETAILS);
        details
    }
}

/// Shortens `text` to at most `max` bytes, between two characters.
pub(crate) fn cut(text: &mut String, max: usize) {
    if text.len() > max {
        text.truncate(text.floor_char_boundary(max));
    }
}
