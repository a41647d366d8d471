//! Waiting before something is tried again that SWF refused for now.
//!
//! One timer serves all calls that wait: a timer for each would meet the next limit.

use std::collections::BTreeSet;

use crate::call::CallKey;

/// Fires when what SWF refused is to be tried again.
pub(crate) const RETRY_TIMER: &str = "cpe.retry";
/// Fires at once, to get another decision task for the rest of a batch.
pub(crate) const MORE_TIMER: &str = "cpe.more";

const FIRST_SECONDS: u32 = 2;
const MAX_SECONDS: u32 = 300;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Hold {
    /// Calls that were ready when SWF refused them.
    calls: BTreeSet<CallKey>,
    /// Nothing is scheduled, and nothing closed, while this is set.
    pub(crate) active: bool,
    pub(crate) timer_open: bool,
    /// SWF refuses the timer as well; the end of an activity task takes its place.
    pub(crate) timer_refused: bool,
    /// Waits in a row; 1 in the first.
    attempts: u32,
}

impl Hold {
    pub(super) fn begin(&mut self) {
        if !self.active {
            self.active = true;
            self.attempts = self.attempts.saturating_add(1);
        }
    }

    pub(super) fn add(&mut self, key: CallKey) {
        self.begin();
        self.calls.insert(key);
    }

    /// The call has ended, or is given up.
    pub(super) fn forget(&mut self, key: CallKey) {
        self.calls.remove(&key);
    }

    /// SWF takes calls again.
    pub(super) fn accepted(&mut self, key: CallKey) {
        self.calls.remove(&key);
        if !self.active {
            self.attempts = 0;
        }
    }

    /// Ends the wait; answers the calls that waited.
    pub(super) fn release(&mut self) -> BTreeSet<CallKey> {
        self.active = false;
        self.timer_refused = false;
        std::mem::take(&mut self.calls)
    }

    /// Doubles from one wait in a row to the next.
    pub(crate) fn seconds(&self) -> u32 {
        let doublings = self.attempts.saturating_sub(1).min(16);
        (FIRST_SECONDS << doublings).min(MAX_SECONDS)
    }
}
