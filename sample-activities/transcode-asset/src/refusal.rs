//! Why something cannot be done: a stable reason and a sentence for people.
//!
//! The pure modules speak in these; only the activity itself turns them into failures.

/// No side of a picture is longer than this, read or written.
pub(crate) const MAX_SIDE: u32 = 65_535;

/// No picture has more pixels than this, read or written, whatever memory the activity has.
pub(crate) const MAX_PIXELS: u64 = 100_000_000;

/// The request or the asset is at fault, so trying again gives the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {details}")]
pub(crate) struct Refusal {
    pub(crate) reason: &'static str,
    pub(crate) details: String,
}

impl Refusal {
    /// The input of the activity is not what it must be; `details` begins with the path.
    pub(crate) fn bad_input(details: impl Into<String>) -> Self {
        Self { reason: "asset.bad-input", details: details.into() }
    }

    /// Bytes that are no picture this activity can read, or a broken one.
    pub(crate) fn undecodable(details: impl Into<String>) -> Self {
        Self { reason: "media.undecodable", details: details.into() }
    }

    /// A picture beyond the limits above, or beyond the memory the activity was given.
    pub(crate) fn too_large(details: impl Into<String>) -> Self {
        Self { reason: "media.too-large", details: details.into() }
    }

    /// Says which part of the request it is about.
    pub(crate) fn within(mut self, what: &str) -> Self {
        self.details = format!("{what}: {}", self.details);
        self
    }
}
