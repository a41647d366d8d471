//! The fold of a history: what has become of each step so far.
//!
//! Everything here follows from the plan and the events alone, one event at a time, so a decider
//! that kept the state applies only what is new and comes to the same as one that starts over. An
//! event costs what it sets in motion, whatever the number of steps.

mod hold;
mod progress;

use std::collections::{BTreeMap, BTreeSet};

use cpe_swf::{
    CancelWorkflowExecutionFailedCause, CompleteWorkflowExecutionFailedCause, EventAttributes,
    EventId, FailWorkflowExecutionFailedCause, HistoryEvent, ScheduleActivityTaskFailedCause,
    event::{ActivityTaskTimedOut, StartTimerFailed},
};
use minijinja::Value;

pub(crate) use self::hold::{Hold, MORE_TIMER, RETRY_TIMER};
use crate::model::Plan;

/// What has become of one run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunState {
    /// `__input__`, as templates see it.
    input: Value,
    /// Why the run cannot go on at all, such as an input that breaks the plan's `input_spec`.
    pub(crate) refused: Option<StepFailure>,
    pub(crate) steps: Vec<StepState>,
    /// For each step, how many of those that it requires have not come to their ends.
    waiting: Vec<usize>,
    /// Steps that wait to be scheduled.
    pub(crate) ready: BTreeSet<usize>,
    /// Steps whose activity task is open.
    pub(crate) running: BTreeMap<usize, Running>,
    pub(crate) hold: Hold,
    /// Whether the timer is open that asks for the rest of a large batch.
    pub(crate) more_coming: bool,
    /// Steps that have not come to an end.
    pub(crate) unsettled: usize,
    scheduled: BTreeMap<EventId, usize>,
    started: bool,
    pub(crate) cancel_requested: bool,
    pub(crate) closed: bool,
    last_event: EventId,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) enum StepState {
    #[default]
    Pending,
    /// The rendered input waits for its activity task.
    Ready(String),
    Running,
    Succeeded(Value),
    Failed(StepFailure),
    Skipped,
}

/// Why a step failed: a stable dotted reason, and what people read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepFailure {
    /// At most 256 characters.
    pub reason: String,
    /// JSON text where it came from CPE's own workers; any text otherwise.
    pub details: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) cancel_asked: bool,
}

impl RunState {
    /// The id of the last event applied; 0 before the first.
    pub fn last_event(&self) -> EventId {
        self.last_event
    }

    pub(crate) fn has_started(&self) -> bool {
        self.started
    }

    /// Whether the run has ended.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Applies one event. Events are to come in order; kinds that tell nothing of steps (markers,
    /// signals nobody waits for, children of other deciders) change nothing.
    pub fn apply(&mut self, plan: &Plan, event: &HistoryEvent) {
        self.last_event = event.event_id;
        match &*event.attributes {
            EventAttributes::WorkflowExecutionStarted(started) => {
                self.start(plan, started.input.as_deref());
            }
            // Once every step has ended the outcome is fixed, and deciders tell it before SWF has
            // accepted it: a request that comes then comes too late.
            EventAttributes::WorkflowExecutionCancelRequested(_) if self.unsettled > 0 => {
                self.cancel_requested = true;
                // Nothing is worth waiting for any more.
                self.release_hold();
            }
            EventAttributes::WorkflowExecutionCompleted(_)
            | EventAttributes::WorkflowExecutionFailed(_)
            | EventAttributes::WorkflowExecutionTimedOut(_)
            | EventAttributes::WorkflowExecutionCanceled(_)
            | EventAttributes::WorkflowExecutionTerminated(_)
            | EventAttributes::WorkflowExecutionContinuedAsNew(_) => self.closed = true,
            EventAttributes::TimerStarted(timer) => self.timer(timer.timer_id.as_str(), true),
            EventAttributes::TimerCanceled(timer) => self.timer(timer.timer_id.as_str(), false),
            EventAttributes::TimerFired(timer) => self.timer(timer.timer_id.as_str(), false),
            EventAttributes::StartTimerFailed(failed) => self.timer_refused(failed),
            _ => {
                self.apply_refused_close(&event.attributes);
                self.apply_activity(plan, event);
            }
        }
    }

    fn apply_activity(&mut self, plan: &Plan, event: &HistoryEvent) {
        match &*event.attributes {
            EventAttributes::ActivityTaskScheduled(scheduled) => {
                if let Some(step) = plan.step_named(scheduled.activity_id.as_str()) {
                    self.scheduled(step, event.event_id);
                }
            }
            EventAttributes::ScheduleActivityTaskFailed(failed) => {
                if let Some(step) = plan.step_named(failed.activity_id.as_str()) {
                    self.schedule_failed(plan, step, failed.cause);
                }
            }
            EventAttributes::ActivityTaskCompleted(end) => {
                self.completed(plan, end.scheduled_event_id, end.result.as_deref());
            }
            EventAttributes::ActivityTaskFailed(end) => {
                let reason = end.reason.clone().unwrap_or_else(|| "activity.failed".to_owned());
                self.failed(plan, end.scheduled_event_id, reason, end.details.as_deref());
            }
            EventAttributes::ActivityTaskTimedOut(end) => {
                let reason = timeout_reason(end);
                self.failed(plan, end.scheduled_event_id, reason, end.details.as_deref());
            }
            EventAttributes::ActivityTaskCanceled(end) => {
                let reason = "cpe.canceled".to_owned();
                self.failed(plan, end.scheduled_event_id, reason, end.details.as_deref());
            }
            EventAttributes::ActivityTaskCancelRequested(asked) => {
                self.cancel_asked(plan, asked.activity_id.as_str());
            }
            // It has ended, or may not be asked: either way, asking again would not help.
            EventAttributes::RequestCancelActivityTaskFailed(failed) => {
                self.cancel_asked(plan, failed.activity_id.as_str());
            }
            _ => {}
        }
    }

    /// A closing decision that came too late is decided again, with what had happened. One that
    /// is not permitted waits: to try again at once would only fill the history.
    fn apply_refused_close(&mut self, event: &EventAttributes) {
        let denied = match event {
            EventAttributes::CompleteWorkflowExecutionFailed(failed) => {
                failed.cause == CompleteWorkflowExecutionFailedCause::OperationNotPermitted
            }
            EventAttributes::FailWorkflowExecutionFailed(failed) => {
                failed.cause == FailWorkflowExecutionFailedCause::OperationNotPermitted
            }
            EventAttributes::CancelWorkflowExecutionFailed(failed) => {
                failed.cause == CancelWorkflowExecutionFailedCause::OperationNotPermitted
            }
            _ => false,
        };
        if denied {
            self.hold.begin();
        }
    }

    fn scheduled(&mut self, step: usize, event: EventId) {
        let Some(state) = self.steps.get_mut(step) else { return };
        if !matches!(state, StepState::Pending | StepState::Ready(_)) {
            return;
        }
        *state = StepState::Running;
        self.ready.remove(&step);
        self.hold.accepted(step);
        self.scheduled.insert(event, step);
        self.running.insert(step, Running { cancel_asked: false });
    }

    /// Limits pass, so the step tries again after a timer; any other cause fails it.
    fn schedule_failed(
        &mut self,
        plan: &Plan,
        step: usize,
        cause: ScheduleActivityTaskFailedCause,
    ) {
        use ScheduleActivityTaskFailedCause as Cause;

        if !matches!(self.steps.get(step), Some(StepState::Ready(_))) {
            return;
        }
        self.ready.remove(&step);
        if matches!(cause, Cause::OpenActivitiesLimitExceeded | Cause::ActivityCreationRateExceeded)
        {
            self.hold.add(step);
            return;
        }
        let name = serde_json::to_value(cause).unwrap_or_default();
        let name = name.as_str().unwrap_or_default().to_ascii_lowercase().replace('_', "-");
        let failure = StepFailure {
            reason: format!("cpe.schedule.{name}"),
            details: "SWF refused to schedule the activity task".to_owned(),
        };
        self.settle(plan, step, StepState::Failed(failure));
    }

    fn completed(&mut self, plan: &Plan, scheduled: EventId, result: Option<&str>) {
        if let Some(step) = self.ended(scheduled) {
            let state = progress::outcome(plan, step, result);
            self.settle(plan, step, state);
        }
    }

    fn failed(&mut self, plan: &Plan, scheduled: EventId, reason: String, details: Option<&str>) {
        if let Some(step) = self.ended(scheduled) {
            let details = details.unwrap_or_default().to_owned();
            self.settle(plan, step, StepState::Failed(StepFailure { reason, details }));
        }
    }

    fn ended(&mut self, scheduled: EventId) -> Option<usize> {
        let step = self.scheduled.remove(&scheduled)?;
        self.running.remove(&step);
        if self.hold.timer_refused {
            self.release_hold();
        }
        Some(step)
    }

    fn cancel_asked(&mut self, plan: &Plan, activity_id: &str) {
        let step = plan.step_named(activity_id);
        if let Some(running) = step.and_then(|step| self.running.get_mut(&step)) {
            running.cancel_asked = true;
        }
    }

    fn timer(&mut self, timer: &str, open: bool) {
        match timer {
            MORE_TIMER => self.more_coming = open,
            RETRY_TIMER => {
                self.hold.timer_open = open;
                if !open {
                    self.release_hold();
                }
            }
            _ => {}
        }
    }

    /// Without a timer, the next thing to happen is what is waited for; and if nothing can, there
    /// is no waiting.
    fn timer_refused(&mut self, failed: &StartTimerFailed) {
        if failed.timer_id.as_str() == RETRY_TIMER && !self.hold.timer_open {
            if self.running.is_empty() {
                self.release_hold();
            } else {
                self.hold.timer_refused = true;
            }
        }
    }

    fn release_hold(&mut self) {
        self.ready.append(&mut self.hold.release());
    }
}

fn timeout_reason(end: &ActivityTaskTimedOut) -> String {
    let kind = end.timeout_type.as_str().to_ascii_lowercase().replace('_', "-");
    format!("cpe.timeout.{kind}")
}
