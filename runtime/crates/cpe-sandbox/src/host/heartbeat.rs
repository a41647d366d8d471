//! `heartbeat`: the guest's progress, made well-formed; what becomes of it is for [`Beats`].

use serde_json::Value;

use super::bindings::cpe::activity::heartbeat as wit;
use crate::{Beats, Directive};

const MAX_PROGRESS: usize = 2048;

pub(crate) struct HeartbeatView<'a> {
    pub(crate) beats: &'a dyn Beats,
}

impl wit::Host for HeartbeatView<'_> {
    fn beat(&mut self, progress: String) -> wasmtime::Result<wit::Directive> {
        Ok(match self.beats.beat(&well_formed(progress)) {
            Directive::Proceed => wit::Directive::Proceed,
            Directive::Cancel => wit::Directive::Cancel,
        })
    }
}

/// Progress as JSON of the length that SWF and clients take. What is not JSON becomes a message.
pub(crate) fn well_formed(progress: String) -> String {
    let fits = progress.chars().nth(MAX_PROGRESS).is_none();
    if fits && serde_json::from_str::<serde::de::IgnoredAny>(&progress).is_ok() {
        return progress;
    }
    // JSON may need six characters for one, and the frame takes some too.
    let message: String = progress.chars().take(MAX_PROGRESS / 6 - 8).collect();
    Value::from_iter([("message", message)]).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_always_json_of_bounded_length() {
        assert_eq!(well_formed(r#"{"percent":5}"#.into()), r#"{"percent":5}"#);
        assert_eq!(well_formed("half way".into()), r#"{"message":"half way"}"#);
        for long in ["x".repeat(5000), "\u{1}".repeat(5000), format!("{:?}", "é".repeat(5000))] {
            let progress = well_formed(long);
            assert!(progress.chars().count() <= MAX_PROGRESS);
            serde_json::from_str::<Value>(&progress).unwrap();
        }
    }
}
