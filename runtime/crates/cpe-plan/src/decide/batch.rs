//! Decisions that together fit into one answer to SWF.

use std::io;

use cpe_swf::{Decision, limits};

/// Left for the rest of the request: its task token, its context, the timer for what was cut.
const RESERVED_BYTES: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(super) struct Batch {
    decisions: Vec<Decision>,
    bytes: usize,
    cut: bool,
}

impl Batch {
    /// Adds a decision; `false` if there is no room for it in this answer. The first one always
    /// has room: SWF's limits on its parts see to that.
    pub(super) fn push(&mut self, decision: Decision) -> bool {
        let bytes = self.bytes + wire_length(&decision);
        if !self.decisions.is_empty() && bytes > limits::REQUEST_BYTES - RESERVED_BYTES {
            self.cut = true;
            return false;
        }
        self.bytes = bytes;
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

/// The bytes that a decision takes in the request, where its input is JSON within JSON.
fn wire_length(decision: &Decision) -> usize {
    let mut counter = Counter(0);
    match serde_json::to_writer(&mut counter, decision) {
        Ok(()) => counter.0 + 1,
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
