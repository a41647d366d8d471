//! Batches: up to ten entries with ids of their own, each of which succeeds or fails alone.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use crate::sqs::{SqsFault, SqsFaultKind};

pub(super) const ENTRIES: usize = 10;
const ID_CHARS: usize = 80;

/// Checks what a batch must be before any entry is looked at. `entry` is what SQS calls one.
pub(super) fn check<'a>(
    entry: &str,
    ids: impl ExactSizeIterator<Item = &'a str>,
) -> Result<(), SqsFault> {
    let refuse = |kind, message: String| Err(SqsFault::new(kind, message));
    let count = ids.len();
    if count == 0 {
        return refuse(
            SqsFaultKind::EmptyBatchRequest,
            format!("There should be at least one {entry} in the request."),
        );
    }
    if count > ENTRIES {
        return refuse(
            SqsFaultKind::TooManyEntriesInBatchRequest,
            format!("Maximum number of entries per request are {ENTRIES}. You have sent {count}."),
        );
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let mut seen = HashSet::new();
    for id in ids {
        if id.is_empty() || id.len() > ID_CHARS || !id.chars().all(is_plain) {
            return refuse(
                SqsFaultKind::InvalidBatchEntryId,
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.".to_owned(),
            );
        }
        if !seen.insert(id) {
            return refuse(SqsFaultKind::BatchEntryIdsNotDistinct, format!("Id {id} repeated."));
        }
    }
    Ok(())
}

/// Puts the answer of a batch together.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    successful: Vec<Value>,
    failed: Vec<Value>,
}

impl Outcome {
    pub(super) fn add(&mut self, id: &str, result: Result<Value, SqsFault>) {
        match result {
            Ok(value) => {
                let mut entry = Map::new();
                entry.insert("Id".to_owned(), json!(id));
                if let Value::Object(value) = value {
                    entry.extend(value);
                }
                self.successful.push(Value::Object(entry));
            }
            Err(fault) => self.failed.push(json!({
                "Id": id,
                "SenderFault": fault.is_senders(),
                "Code": fault.kind.query_code(),
                "Message": fault.message,
            })),
        }
    }

    /// Both lists, of which only those are there that have something.
    pub(super) fn answer(self) -> Value {
        let mut answer = Map::new();
        if !self.successful.is_empty() {
            answer.insert("Successful".to_owned(), Value::Array(self.successful));
        }
        if !self.failed.is_empty() {
            answer.insert("Failed".to_owned(), Value::Array(self.failed));
        }
        Value::Object(answer)
    }
}
