//! Timers of calls: wanted, running, and no longer wanted.

use std::collections::{BTreeMap, BTreeSet};

use cpe_swf::{StartTimerFailedCause, Timeout, TimerId, Timestamp};
use minijinja::Value;

use super::{RunState, Stage, StepFailure};
use crate::{
    call::CallKey,
    model::{Ending, Plan, StepWork},
};

/// The timers of a run, but for those of [`super::Hold`] and of large batches.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Timers {
    /// To be started.
    pub(crate) wanted: BTreeSet<CallKey>,
    /// Running, by id.
    running: BTreeMap<String, Running>,
    /// Running for nobody: to be canceled.
    pub(crate) stale: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq)]
struct Running {
    key: CallKey,
    fires: Timestamp,
}

impl Timers {
    pub(super) fn want(&mut self, key: CallKey) {
        self.wanted.insert(key);
    }

    pub(super) fn unwant(&mut self, key: CallKey, id: &str) {
        self.wanted.remove(&key);
        if self.running.remove(id).is_some() {
            self.stale.insert(id.to_owned());
        }
    }

    /// How many SWF runs.
    pub(crate) fn open(&self) -> usize {
        self.running.len() + self.stale.len()
    }

    /// Seconds that a timer has to go; `None` if it does not run.
    pub(super) fn remaining(&self, id: &str, now: Timestamp) -> Option<u32> {
        let left = self.running.get(id)?.fires.since(now);
        match Timeout::from_duration(left) {
            Timeout::Seconds(seconds) => Some(seconds),
            Timeout::None => None,
        }
    }
}

impl RunState {
    pub(super) fn timer_started(&mut self, plan: &Plan, id: &TimerId, timeout: Timeout) {
        let id = id.as_str();
        let Some((key, _)) = self.timer_of(plan, id) else { return };
        let wanted = self.calls.get(&key).is_some_and(|call| self.timer_id(plan, key, call) == id);
        if !wanted || !self.timers.wanted.remove(&key) {
            // Meanwhile what it was to wait for has happened.
            if !self.timers.running.contains_key(id) {
                self.timers.stale.insert(id.to_owned());
            }
            return;
        }
        self.hold.accepted(key);
        let fires = self.now() + timeout.as_duration().unwrap_or_default();
        self.timers.running.insert(id.to_owned(), Running { key, fires });
    }

    pub(super) fn timer_fired(&mut self, plan: &Plan, id: &TimerId) {
        self.timers.stale.remove(id.as_str());
        let Some(Running { key, .. }) = self.timers.running.remove(id.as_str()) else { return };
        let Some(call) = self.calls.get(&key) else { return };
        match &call.stage {
            Stage::Waiting => self.end_call(plan, key, Ok(Value::from(()))),
            Stage::BackingOff => self.call_again(plan, key),
            Stage::Listening => {
                // As the plan has it: after a continuation the call has the rest only.
                let seconds = match plan.steps.get(key.step).map(|step| &step.work) {
                    Some(StepWork::Signal { timeout: Some(seconds), .. }) => *seconds,
                    _ => call.timer.unwrap_or_default(),
                };
                let details = format!("the signal did not come within {seconds} seconds");
                let failure = StepFailure::new("cpe.signal.timeout", details);
                self.call_failed(plan, key, Ending::TimedOut, failure);
            }
            Stage::Ready(_) | Stage::Open => {}
        }
    }

    pub(super) fn timer_canceled(&mut self, id: &TimerId) {
        self.timers.stale.remove(id.as_str());
        // Only what is stale is canceled here; if somebody else did it, the wait is not over.
        if let Some(Running { key, .. }) = self.timers.running.remove(id.as_str()) {
            self.timers.wanted.insert(key);
        }
    }

    pub(super) fn timer_refused(
        &mut self,
        plan: &Plan,
        id: &TimerId,
        cause: StartTimerFailedCause,
    ) {
        let Some((key, attempt)) = self.timer_of(plan, id.as_str()) else { return };
        if !self.timers.wanted.contains(&key) {
            return;
        }
        let Some(call) = self.calls.get_mut(&key).filter(|call| call.attempt == attempt) else {
            return;
        };
        call.refusals += 1;
        let passes = matches!(
            cause,
            StartTimerFailedCause::OpenTimersLimitExceeded
                | StartTimerFailedCause::TimerCreationRateExceeded
        );
        if passes || call.refusals <= 5 {
            self.timers.wanted.remove(&key);
            return self.hold.add(key);
        }
        let failure = super::events::refusal(cause, "SWF refused to start the timer");
        self.end_call(plan, key, Err(failure));
    }

    fn timer_of(&self, plan: &Plan, id: &str) -> Option<(CallKey, u32)> {
        let call = ["cpe.backoff.", "cpe.signal.", "cpe.wait."]
            .iter()
            .find_map(|prefix| id.strip_prefix(prefix))?;
        plan.call_named(call)
    }
}
