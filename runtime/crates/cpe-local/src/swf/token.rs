//! Opaque tokens: of decision tasks and activity tasks that were handed out, and of pages.
//!
//! A token carries numbers, and a digest over them and a secret of what it belongs to. The secret
//! of a run is its run id, so a token survives a restart and is of no use for another run.

use base64::Engine;
use cpe_swf::{EventId, Fault, RunId, TaskToken, Timestamp, WorkflowExecution};
use sha2::{Digest, Sha256};

use super::{RunNo, check::invalid};

/// Bytes of the digest that a token carries.
const DIGEST_BYTES: usize = 12;
/// A page token is good for a day.
const PAGE_TOKEN_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// What the token of a decision task or an activity task says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HandedOut {
    pub(super) run: RunNo,
    pub(super) scheduled: EventId,
    pub(super) started: EventId,
}

impl HandedOut {
    pub(super) fn token(self, kind: &str, run_id: &RunId) -> TaskToken {
        let numbers = [self.run.0, self.scheduled.0, self.started.0];
        TaskToken(seal(kind, &numbers, run_id.as_str()))
    }

    /// Reads a token; [`HandedOut::is_genuine`] is asked once the run is known.
    pub(super) fn read(kind: &str, token: &TaskToken) -> Result<Self, Fault> {
        match numbers(kind, token.as_str()).as_deref() {
            Some(&[run, scheduled, started]) => Ok(Self {
                run: RunNo(run),
                scheduled: EventId(scheduled),
                started: EventId(started),
            }),
            _ => Err(invalid("Invalid token")),
        }
    }

    pub(super) fn is_genuine(self, kind: &str, token: &TaskToken, run_id: &RunId) -> bool {
        self.token(kind, run_id) == *token
    }
}

/// Where a next page begins: what kind of page, of what, and the numbers that it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PageToken {
    pub(super) issued: Timestamp,
    pub(super) numbers: Vec<i64>,
}

impl PageToken {
    pub(super) fn write(&self, kind: &str, of: &str) -> String {
        let mut numbers = vec![self.issued.0];
        numbers.extend(&self.numbers);
        seal(kind, &numbers, of)
    }

    /// Reads a token that was written for the same kind and `of`.
    pub(super) fn read(kind: &str, of: &str, token: &str, now: Timestamp) -> Result<Self, Fault> {
        let read = numbers(kind, token).filter(|numbers| seal(kind, numbers, of) == token);
        let Some((&issued, rest)) = read.as_ref().and_then(|numbers| numbers.split_first()) else {
            return Err(invalid("Invalid token"));
        };
        if now.0.saturating_sub(issued) > PAGE_TOKEN_MILLIS {
            return Err(invalid("Specified token has exceeded its maximum lifetime"));
        }
        Ok(Self { issued: Timestamp(issued), numbers: rest.to_vec() })
    }
}

/// A run id that looks like one of SWF's, from nothing but its arguments.
pub(super) fn run_id(no: RunNo, domain: &str, workflow_id: &str, now: Timestamp) -> RunId {
    let mut digest = Sha256::new();
    for part in [&no.0.to_le_bytes()[..], &now.0.to_le_bytes(), domain.as_bytes(), b"/"] {
        digest.update(part);
    }
    digest.update(workflow_id);
    RunId(format!("22{}", base64::prelude::BASE64_STANDARD.encode(digest.finalize())))
}

/// What names a run in a page token.
pub(super) fn of_run(execution: &WorkflowExecution) -> &str {
    execution.run_id.as_str()
}

fn seal(kind: &str, numbers: &[i64], secret: &str) -> String {
    let mut text = kind.to_owned();
    for number in numbers {
        text.push(':');
        text.push_str(&number.to_string());
    }
    let digest = Sha256::new().chain_update(&text).chain_update("#").chain_update(secret);
    let mut bytes = text.into_bytes();
    bytes.push(b'#');
    bytes.extend(digest.finalize().into_iter().take(DIGEST_BYTES));
    hex::encode(bytes)
}

/// The numbers of a token of that kind, not yet verified.
fn numbers(kind: &str, token: &str) -> Option<Vec<i64>> {
    let bytes = hex::decode(token).ok()?;
    let text = bytes.split(|byte| *byte == b'#').next()?;
    let mut parts = str::from_utf8(text).ok()?.split(':');
    if parts.next()? != kind {
        return None;
    }
    parts.map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_of_another_run_or_kind_is_not_genuine() {
        let out = HandedOut { run: RunNo(7), scheduled: EventId(5), started: EventId(6) };
        let token = out.token("d", &RunId::from("r1"));
        assert_eq!(HandedOut::read("d", &token), Ok(out));
        assert!(out.is_genuine("d", &token, &RunId::from("r1")));
        assert!(!out.is_genuine("d", &token, &RunId::from("r2")));
        assert!(HandedOut::read("a", &token).is_err());
        assert!(HandedOut::read("d", &TaskToken::from("nonsense")).is_err());
    }

    #[test]
    fn a_page_token_lives_a_day() {
        let page = PageToken { issued: Timestamp(1000), numbers: vec![3, -4] };
        let token = page.write("h", "r1");
        assert_eq!(PageToken::read("h", "r1", &token, Timestamp(2000)), Ok(page));
        assert!(PageToken::read("h", "r2", &token, Timestamp(2000)).is_err());
        let fault = PageToken::read("h", "r1", &token, Timestamp(90_000_000)).unwrap_err();
        assert_eq!(fault.message, "Specified token has exceeded its maximum lifetime");
    }

    #[test]
    fn run_ids_look_like_those_of_swf() {
        let id = run_id(RunNo(1), "d", "w", Timestamp(0));
        assert_eq!(id.as_str().len(), 46);
        assert_ne!(id, run_id(RunNo(2), "d", "w", Timestamp(0)));
    }
}
