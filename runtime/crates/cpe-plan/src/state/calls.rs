//! Calls: the work of a step, or of one item of its list, from its first attempt to its last.

use cpe_swf::{PayloadRef, limits};
use minijinja::Value;

use super::{RunState, StepFailure, render::value};
use crate::{
    call::CallKey,
    model::{Ending, Plan, StepWork},
};

/// Tries, one after the other, to schedule what SWF does not know (yet).
const MAX_REFUSALS: u32 = 5;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    /// From 1.
    pub(crate) attempt: u32,
    /// How often SWF has refused to schedule this attempt.
    pub(crate) refusals: u32,
    pub(crate) stage: Stage,
    /// Seconds of the timer that it has or wants.
    pub(crate) timer: Option<u32>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stage {
    /// The rendered input waits to be handed to SWF. A long one is not kept, and rendered again.
    Ready(Option<String>),
    /// SWF runs it.
    Open,
    /// Waits for its time.
    Waiting,
    /// Waits before it is tried again.
    BackingOff,
    /// Waits for a signal.
    Listening,
}

impl Stage {
    fn ready(input: String) -> Self {
        Self::Ready(Some(input).filter(|input| !PayloadRef::is_needed(input)))
    }

    /// What the ids of its timers begin with.
    pub(super) fn timer_prefix(&self) -> &'static str {
        match self {
            Self::BackingOff => "cpe.backoff.",
            Self::Listening => "cpe.signal.",
            Self::Waiting | Self::Ready(_) | Self::Open => "cpe.wait.",
        }
    }
}

impl RunState {
    /// Begins the first attempt of a call. Answers its outcome where that is certain at once.
    pub(super) fn begin_call(
        &mut self,
        plan: &Plan,
        key: CallKey,
    ) -> Option<Result<Value, StepFailure>> {
        let step = plan.steps.get(key.step)?;
        let (stage, timer) = match &step.work {
            StepWork::Eval(template) => {
                let rendered = self.render(plan, template, self.item_names(key));
                return Some(
                    rendered
                        .map(|rendered| value(&rendered))
                        .map_err(|details| StepFailure::new("cpe.bad-eval", details)),
                );
            }
            StepWork::Activity { .. } | StepWork::Child { .. } => {
                match self.call_input(plan, key) {
                    Ok(input) => (Stage::ready(input), None),
                    Err(failure) => return Some(Err(failure)),
                }
            }
            StepWork::Wait { seconds } => (Stage::Waiting, Some(*seconds)),
            StepWork::Signal { name, timeout } => match self.signals.take(name) {
                Some(payload) => return Some(Ok(payload)),
                None => (Stage::Listening, *timeout),
            },
        };
        self.put_call(plan, key, Call { attempt: 1, refusals: 0, stage, timer });
        None
    }

    /// Files a call under everything that it waits for.
    pub(super) fn put_call(&mut self, plan: &Plan, key: CallKey, call: Call) {
        match &call.stage {
            Stage::Ready(_) => drop(self.ready.insert(key)),
            Stage::Listening => {
                if let Some(StepWork::Signal { name, .. }) =
                    plan.steps.get(key.step).map(|s| &s.work)
                {
                    self.signals.listen(name, key);
                }
            }
            Stage::Open | Stage::Waiting | Stage::BackingOff => {}
        }
        if call.timer.is_some() {
            self.timers.want(key);
        }
        self.calls.insert(key, call);
    }

    /// Takes a call out of everything; its timer, if it has one, is to be canceled.
    pub(super) fn drop_call(&mut self, plan: &Plan, key: CallKey) {
        let Some(call) = self.calls.remove(&key) else { return };
        self.ready.remove(&key);
        self.hold.forget(key);
        if let (Stage::Listening, Some(StepWork::Signal { name, .. })) =
            (&call.stage, plan.steps.get(key.step).map(|step| &step.work))
        {
            self.signals.unlisten(name, key);
        }
        if call.timer.is_some() {
            self.timers.unwant(key, &self.timer_id(plan, key, &call));
        }
    }

    /// A timer's id names the attempt, so that one that is late is not taken for another.
    pub(crate) fn timer_id(&self, plan: &Plan, key: CallKey, call: &Call) -> String {
        format!("{}{}", call.stage.timer_prefix(), plan.call_id(key, call.attempt))
    }

    /// An attempt ended otherwise than well: it is made again, or the call has failed for good.
    pub(super) fn call_failed(
        &mut self,
        plan: &Plan,
        key: CallKey,
        ending: Ending,
        failure: StepFailure,
    ) {
        let Some(call) = self.calls.get(&key) else { return };
        let attempt = call.attempt;
        let retry = plan.steps.get(key.step).and_then(|step| step.retry.as_ref());
        let again = retry.filter(|retry| {
            attempt < retry.max_attempts
                && !self.is_stopped(key.step)
                && retry.applies(ending, &failure.reason, is_retryable(&failure.details))
        });
        let Some(retry) = again else {
            return self.end_call(plan, key, Err(failure));
        };
        let seed = format!("{} {}", self.seed(), plan.call_id(key, attempt + 1));
        let seconds = retry.seconds(attempt, &seed);
        self.back_off(
            plan,
            key,
            Call {
                attempt: attempt + 1,
                refusals: 0,
                stage: Stage::BackingOff,
                timer: Some(seconds),
            },
        );
    }

    /// SWF does not know what the call asks for. That may change, as while a fleet is rolled out,
    /// but is not waited for without end.
    pub(super) fn call_unknown(&mut self, plan: &Plan, key: CallKey, failure: StepFailure) {
        let Some(call) = self.calls.get(&key) else { return };
        let (attempt, refusals) = (call.attempt, call.refusals + 1);
        let seconds = 1_u32.checked_shl(refusals).unwrap_or(u32::MAX);
        let call = Call { attempt, refusals, stage: Stage::BackingOff, timer: Some(seconds) };
        // The longest names leave no room for the timer's id, which SWF would not take.
        let unnamed = self.timer_id(plan, key, &call).chars().count() > limits::ID_CHARS;
        if refusals > MAX_REFUSALS || unnamed {
            return self.call_failed(plan, key, Ending::Failed, failure);
        }
        self.back_off(plan, key, call);
    }

    fn back_off(&mut self, plan: &Plan, key: CallKey, call: Call) {
        self.drop_call(plan, key);
        self.put_call(plan, key, call);
    }

    /// The wait before an attempt is over.
    pub(super) fn call_again(&mut self, plan: &Plan, key: CallKey) {
        // What it is rendered from cannot have changed, so that the input is the same.
        match self.call_input(plan, key) {
            Ok(input) => {
                let Some(call) = self.calls.get_mut(&key) else { return };
                call.stage = Stage::ready(input);
                call.timer = None;
                self.ready.insert(key);
            }
            Err(failure) => self.end_call(plan, key, Err(failure)),
        }
    }
}

/// CPE's workers write `{"details": …, "retryable": false}` for what would fail again.
fn is_retryable(details: &str) -> bool {
    if !details.contains("retryable") {
        return true;
    }
    let parsed: Option<serde_json::Value> = serde_json::from_str(details).ok();
    let told = parsed.as_ref().and_then(|details| details.get("retryable")?.as_bool());
    told.unwrap_or(true)
}
