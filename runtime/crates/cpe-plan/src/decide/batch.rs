//! Decisions that together fit into one answer to SWF.

use std::io;

use cpe_swf::{Decision, PayloadRef, limits};
use serde::Serialize;

/// Left for the rest of the request: its task token, its context, the timer for what was cut.
const RESERVED_BYTES: usize = 64 * 1024;
/// What a reference takes as a string within JSON, at most.
const REFERENCE_BYTES: usize = 200;
/// Of texts that are referred to, in one answer: they are written before it is given.
const REFERRED_BYTES: usize = 32 << 20;

#[derive(Debug, Default)]
pub(super) struct Batch {
    decisions: Vec<Decision>,
    bytes: usize,
    /// Bytes of the texts that are referred to.
    referred: usize,
    cut: bool,
}

impl Batch {
    /// Adds a decision; `false` if there is no room for it in this answer. The first one always
    /// has room: SWF's limits on its parts see to that.
    pub(super) fn push(&mut self, decision: Decision) -> bool {
        let bytes = self.bytes + wire_length(&decision);
        let referred = self.referred + referred(&decision).map_or(0, String::len);
        let fits = bytes <= limits::REQUEST_BYTES - RESERVED_BYTES && referred <= REFERRED_BYTES;
        if !self.decisions.is_empty() && !fits {
            self.cut = true;
            return false;
        }
        (self.bytes, self.referred) = (bytes, referred);
        self.decisions.push(decision);
        true
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut
    }

    pub(super) fn into_decisions(self) -> Vec<Decision> {
        self.decisions
    }
}

/// The bytes that a decision takes in the request, where its input is JSON within JSON, or a
/// reference to it.
fn wire_length(decision: &Decision) -> usize {
    let whole = json_length(decision) + 1;
    match referred(decision) {
        Some(text) => whole.saturating_sub(json_length(text)) + REFERENCE_BYTES,
        None => whole,
    }
}

/// The text that the request only refers to.
fn referred(decision: &Decision) -> Option<&String> {
    decision.payload().filter(|text| PayloadRef::is_needed(text))
}

fn json_length(value: &impl Serialize) -> usize {
    let mut counter = Counter(0);
    match serde_json::to_writer(&mut counter, value) {
        Ok(()) => counter.0,
        // It would not fit, wherever it was put.
        Err(_) => limits::REQUEST_BYTES,
    }
}

struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
