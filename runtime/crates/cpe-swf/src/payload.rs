//! Texts that are longer than SWF takes: in their place stands a reference, in the form that is
//! defined here, and the text itself is an object elsewhere. Where, this module does not know.

use std::fmt;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::{Decision, EventAttributes, limits, note};

/// Characters of one text that is carried by reference, at most.
pub const MAX_PAYLOAD_CHARS: usize = 4 << 20;

/// Every reference begins so.
const BEGINNING: &str = r#"{"cpe.payload":"sha256:"#;
/// No reference is longer.
const MAX_LENGTH: usize = 160;

/// Stands for a text: `{"cpe.payload":"sha256:<64 hex digits>","characters":40000}`.
///
/// It names the text by what it says, and not by a place, so that whoever follows it looks where
/// the execution's own texts are, and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadRef {
    digest: String,
    characters: usize,
}

impl PayloadRef {
    /// The reference to a text.
    pub fn of(text: &str) -> Self {
        let digest = hex::encode(Sha256::digest(text));
        Self { digest, characters: text.chars().count() }
    }

    /// The reference that a text is, if it is one.
    pub fn parse(text: &str) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Wire {
            #[serde(rename = "cpe.payload")]
            payload: String,
            characters: usize,
        }
        if text.len() > MAX_LENGTH || !text.starts_with(BEGINNING) {
            return None;
        }
        let wire: Wire = serde_json::from_str(text).ok()?;
        let digest = wire.payload.strip_prefix("sha256:")?;
        let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let valid = digest.len() == 64 && digest.bytes().all(lower);
        valid.then(|| Self { digest: digest.to_owned(), characters: wire.characters })
    }

    /// Whether a text has to be referred to: it is too long for SWF, or would be taken for a
    /// reference.
    pub fn is_needed(text: &str) -> bool {
        Self::is_needed_beside(text, 0)
    }

    /// The same where `others` characters more go into the same place.
    pub fn is_needed_beside(text: &str, others: usize) -> bool {
        let room = limits::DATA_CHARS.saturating_sub(others);
        text.len() > room && text.chars().count() > room || text.starts_with(BEGINNING)
    }

    /// SHA-256 of the text's UTF-8: 64 lower-case hex digits.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// How long the text is.
    pub fn characters(&self) -> usize {
        self.characters
    }
}

impl fmt::Display for PayloadRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"{BEGINNING}{}","characters":{}}}"#, self.digest, self.characters)
    }
}

/// The one text of a variant that can be too long, by reference of either kind.
macro_rules! payload_of {
    ($value:expr, $as:ident, $type:ident { $($variant:ident . $field:ident,)* }) => {
        match $value {
            $($type::$variant(one) => one.$field.$as(),)*
            _ => None,
        }
    };
}

macro_rules! of_events {
    ($value:expr, $as:ident) => {
        payload_of!($value, $as, EventAttributes {
            WorkflowExecutionStarted.input,
            WorkflowExecutionSignaled.input,
            WorkflowExecutionCompleted.result,
            WorkflowExecutionFailed.details,
            WorkflowExecutionCanceled.details,
            WorkflowExecutionContinuedAsNew.input,
            ActivityTaskScheduled.input,
            ActivityTaskCompleted.result,
            ActivityTaskFailed.details,
            ActivityTaskCanceled.details,
            StartChildWorkflowExecutionInitiated.input,
            ChildWorkflowExecutionCompleted.result,
            ChildWorkflowExecutionFailed.details,
            ChildWorkflowExecutionCanceled.details,
        })
    };
}

macro_rules! of_decisions {
    ($value:expr, $as:ident) => {
        payload_of!($value, $as, Decision {
            ScheduleActivityTask.input,
            StartChildWorkflowExecution.input,
            CompleteWorkflowExecution.result,
            FailWorkflowExecution.details,
            CancelWorkflowExecution.details,
            ContinueAsNewWorkflowExecution.input,
        })
    };
}

impl EventAttributes {
    /// The input, result or details that the event carries, which can be a reference; a worker's
    /// note behind it is not part of it.
    pub fn payload(&self) -> Option<&str> {
        let text = of_events!(self, as_ref)?;
        Some(if self.can_have_note() { note::split(text).0 } else { text })
    }

    /// Puts another text in its place.
    pub fn set_payload(&mut self, text: String) {
        let noted = self.can_have_note();
        match of_events!(self, as_mut) {
            Some(place) if noted => note::replace(place, text),
            Some(place) => *place = text,
            None => {}
        }
    }

    fn can_have_note(&self) -> bool {
        matches!(
            self,
            Self::ActivityTaskCompleted(_)
                | Self::ActivityTaskFailed(_)
                | Self::ActivityTaskCanceled(_)
        )
    }
}

impl Decision {
    /// The input, result or details that the decision carries.
    pub fn payload(&self) -> Option<&String> {
        of_decisions!(self, as_ref)
    }

    /// The same, to be replaced.
    pub fn payload_mut(&mut self) -> Option<&mut String> {
        of_decisions!(self, as_mut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_reads_what_it_writes() {
        let reference = PayloadRef::of("é!");
        let text = reference.to_string();
        assert_eq!(
            text,
            r#"{"cpe.payload":"sha256:f77173de65c6c4e3f587197b281c8de83e8b2885469762896815b3ee1ef35348","characters":2}"#
        );
        assert_eq!(PayloadRef::parse(&text), Some(reference));
    }

    #[test]
    fn what_is_nearly_a_reference_is_none() {
        let good = PayloadRef::of("x").to_string();
        let (digest, rest) = (PayloadRef::of("x").digest, r#"","characters":1}"#);
        for bad in [
            good.to_uppercase(),
            good.replace("sha256:", "sha256:0"),
            good.replace("\"characters\":1", "\"characters\":-1"),
            good.replace('}', r#","key":"of/another"}"#),
            format!(" {good}"),
            format!("{BEGINNING}{}{rest}", digest.to_uppercase()),
            format!("{BEGINNING}../../{}{rest}", digest.get(6..).unwrap()),
            format!("{good}{}", " ".repeat(200)),
        ] {
            assert_eq!(PayloadRef::parse(&bad), None, "{bad}");
        }
    }

    #[test]
    fn a_text_that_would_be_taken_for_a_reference_needs_one() {
        assert!(!PayloadRef::is_needed(&"é".repeat(limits::DATA_CHARS)));
        assert!(PayloadRef::is_needed(&"e".repeat(limits::DATA_CHARS + 1)));
        assert!(PayloadRef::is_needed(&PayloadRef::of("x").to_string()));
        assert!(!PayloadRef::is_needed(r#"{"cpe.payload":1}"#));
    }
}
