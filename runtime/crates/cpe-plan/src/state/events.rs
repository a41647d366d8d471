//! What each kind of event does to the state.

use cpe_swf::{
    CancelWorkflowExecutionFailedCause, CompleteWorkflowExecutionFailedCause,
    ContinueAsNewWorkflowExecutionFailedCause, EventAttributes, EventId,
    FailWorkflowExecutionFailedCause, HistoryEvent,
    RequestCancelExternalWorkflowExecutionFailedCause, ScheduleActivityTaskFailedCause,
    StartChildWorkflowExecutionFailedCause,
    event::{ActivityTaskTimedOut, StartChildWorkflowExecutionFailed},
};
use serde::Serialize;

use super::{
    CANCEL_ACTIVITY_SIGNAL, Kind, MORE_TIMER, Phase, RETRY_TIMER, RunState, Stage, StepFailure,
    signals,
};
use crate::{
    call::CallKey,
    model::{Ending, Plan},
};

impl RunState {
    /// Applies one event. Events are to come in order; kinds that tell nothing of the plan
    /// (markers, lambdas, children of other deciders) change nothing.
    pub fn apply(&mut self, plan: &Plan, event: &HistoryEvent) {
        self.last_event = event.event_id;
        self.now = self.now.max(event.event_timestamp);
        match &*event.attributes {
            EventAttributes::WorkflowExecutionStarted(started) => {
                self.start(plan, started, event.event_timestamp);
            }
            // Once the main steps have ended the outcome is fixed, and deciders tell it before
            // SWF has accepted it: a request that comes then comes too late.
            EventAttributes::WorkflowExecutionCancelRequested(_) => self.cancel(plan),
            EventAttributes::WorkflowExecutionSignaled(signal)
                if signal.signal_name == CANCEL_ACTIVITY_SIGNAL =>
            {
                self.cancel_activity(plan, signal.input.as_deref());
            }
            EventAttributes::WorkflowExecutionSignaled(signal) => {
                let payload = signals::payload(signal.input.as_deref());
                self.signaled(plan, &signal.signal_name, payload);
            }
            EventAttributes::WorkflowExecutionCompleted(_)
            | EventAttributes::WorkflowExecutionFailed(_)
            | EventAttributes::WorkflowExecutionTimedOut(_)
            | EventAttributes::WorkflowExecutionCanceled(_)
            | EventAttributes::WorkflowExecutionTerminated(_)
            | EventAttributes::WorkflowExecutionContinuedAsNew(_) => self.closed = true,
            attributes => {
                self.apply_refused_close(attributes);
                self.apply_timer(plan, attributes);
                self.apply_activity(plan, event.event_id, attributes);
                self.apply_child(plan, event.event_id, attributes);
            }
        }
        self.advance_phase(plan);
    }

    fn apply_activity(&mut self, plan: &Plan, id: EventId, event: &EventAttributes) {
        match event {
            EventAttributes::ActivityTaskScheduled(scheduled) => {
                let call = scheduled.activity_id.as_str();
                self.opened(plan, id, Kind::Activity, (call, call));
            }
            EventAttributes::ScheduleActivityTaskFailed(failed) => {
                self.schedule_failed(plan, failed.activity_id.as_str(), failed.cause);
            }
            EventAttributes::ActivityTaskCompleted(end) => {
                self.completed(plan, end.scheduled_event_id, end.result());
            }
            EventAttributes::ActivityTaskFailed(end) => {
                let reason = end.reason.as_deref().unwrap_or("activity.failed");
                let failure = failure(reason, end.details());
                self.ended_badly(plan, end.scheduled_event_id, Ending::Failed, failure);
            }
            EventAttributes::ActivityTaskTimedOut(end) => {
                let failure = failure(&timeout_reason(end), end.details.as_deref());
                self.ended_badly(plan, end.scheduled_event_id, Ending::TimedOut, failure);
            }
            EventAttributes::ActivityTaskCanceled(end) => {
                let failure = failure("cpe.canceled", end.details());
                self.ended_badly(plan, end.scheduled_event_id, Ending::Canceled, failure);
            }
            EventAttributes::ActivityTaskCancelRequested(asked) => {
                self.open.asked(Kind::Activity, asked.activity_id.as_str());
            }
            // It has ended, or may not be asked: either way, asking again would not help.
            EventAttributes::RequestCancelActivityTaskFailed(failed) => {
                self.open.asked(Kind::Activity, failed.activity_id.as_str());
            }
            _ => {}
        }
    }

    fn apply_child(&mut self, plan: &Plan, id: EventId, event: &EventAttributes) {
        match event {
            EventAttributes::StartChildWorkflowExecutionInitiated(initiated) => {
                if let Some(call) = initiated.control.as_deref() {
                    let child = initiated.workflow_id.as_str();
                    self.opened(plan, id, Kind::Child, (call, child));
                }
            }
            EventAttributes::StartChildWorkflowExecutionFailed(failed) => {
                self.child_refused(plan, failed);
            }
            EventAttributes::ChildWorkflowExecutionStarted(started) => {
                self.open.begun(started.initiated_event_id);
            }
            EventAttributes::ChildWorkflowExecutionCompleted(end) => {
                self.completed(plan, end.initiated_event_id, end.result.as_deref());
            }
            EventAttributes::ChildWorkflowExecutionFailed(end) => {
                let reason = end.reason.as_deref().unwrap_or("cpe.child.failed");
                let failure = failure(reason, end.details.as_deref());
                self.ended_badly(plan, end.initiated_event_id, Ending::Failed, failure);
            }
            EventAttributes::ChildWorkflowExecutionTimedOut(end) => {
                let failure = failure("cpe.child.timeout", None);
                self.ended_badly(plan, end.initiated_event_id, Ending::TimedOut, failure);
            }
            EventAttributes::ChildWorkflowExecutionCanceled(end) => {
                let failure = failure("cpe.child.canceled", end.details.as_deref());
                self.ended_badly(plan, end.initiated_event_id, Ending::Canceled, failure);
            }
            EventAttributes::ChildWorkflowExecutionTerminated(end) => {
                let failure = failure("cpe.child.terminated", None);
                self.ended_badly(plan, end.initiated_event_id, Ending::Canceled, failure);
            }
            EventAttributes::RequestCancelExternalWorkflowExecutionInitiated(asked) => {
                self.open.asked(Kind::Child, asked.workflow_id.as_str());
            }
            EventAttributes::RequestCancelExternalWorkflowExecutionFailed(failed) => {
                use RequestCancelExternalWorkflowExecutionFailedCause as Cause;
                // Otherwise it has ended, or may not be asked.
                if failed.cause == Cause::RequestCancelExternalWorkflowExecutionRateExceeded {
                    self.open.ask_again(Kind::Child, failed.workflow_id.as_str());
                    self.hold.begin();
                }
            }
            _ => {}
        }
    }

    /// A closing decision that came too late is decided again, with what had happened. One that
    /// is not permitted waits: to try again at once would only fill the history.
    fn apply_refused_close(&mut self, event: &EventAttributes) {
        use ContinueAsNewWorkflowExecutionFailedCause as Continue;

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
            EventAttributes::ContinueAsNewWorkflowExecutionFailed(failed) => match failed.cause {
                Continue::UnhandledDecision => false,
                Continue::ContinueAsNewWorkflowExecutionRateExceeded => true,
                // It goes on in this run, as far as its history carries.
                _ => {
                    self.stays = true;
                    false
                }
            },
            _ => false,
        };
        if denied {
            self.hold.begin();
        }
    }

    fn apply_timer(&mut self, plan: &Plan, event: &EventAttributes) {
        match event {
            EventAttributes::TimerStarted(timer) => match timer.timer_id.as_str() {
                MORE_TIMER => self.more_coming = true,
                RETRY_TIMER => self.hold.timer_open = true,
                _ => self.timer_started(plan, &timer.timer_id, timer.start_to_fire_timeout),
            },
            EventAttributes::TimerFired(timer) => match timer.timer_id.as_str() {
                MORE_TIMER => self.more_coming = false,
                RETRY_TIMER => self.hold_is_over(),
                _ => self.timer_fired(plan, &timer.timer_id),
            },
            EventAttributes::TimerCanceled(timer) => match timer.timer_id.as_str() {
                MORE_TIMER => self.more_coming = false,
                RETRY_TIMER => self.hold_is_over(),
                _ => self.timer_canceled(&timer.timer_id),
            },
            EventAttributes::CancelTimerFailed(failed) => {
                self.timers.stale.remove(failed.timer_id.as_str());
            }
            EventAttributes::StartTimerFailed(failed) => match failed.timer_id.as_str() {
                MORE_TIMER => {}
                RETRY_TIMER => self.hold_timer_refused(),
                _ => self.timer_refused(plan, &failed.timer_id, failed.cause),
            },
            _ => {}
        }
    }

    fn hold_is_over(&mut self) {
        self.hold.timer_open = false;
        self.release_hold();
    }

    /// Without a timer, the next thing to happen is what is waited for; and if nothing can, there
    /// is no waiting.
    fn hold_timer_refused(&mut self) {
        if !self.hold.timer_open {
            if self.open.is_empty() {
                self.release_hold();
            } else {
                self.hold.timer_refused = true;
            }
        }
    }

    /// What waited is to be decided again.
    pub(super) fn release_hold(&mut self) {
        for key in self.hold.release() {
            let Some(call) = self.calls.get(&key) else { continue };
            if matches!(call.stage, Stage::Ready(_)) {
                self.ready.insert(key);
            } else if call.timer.is_some() {
                self.timers.want(key);
            }
        }
    }

    /// SWF has begun what a call asked for; it goes by `id` from now on.
    fn opened(&mut self, plan: &Plan, event: EventId, kind: Kind, (call, id): (&str, &str)) {
        let Some((key, attempt)) = plan.call_named(call) else { return };
        let call = self
            .calls
            .get_mut(&key)
            .filter(|call| call.attempt == attempt && matches!(call.stage, Stage::Ready(_)));
        let wanted = call.is_some();
        if let Some(call) = call {
            call.stage = Stage::Open;
            self.ready.remove(&key);
            self.hold.accepted(key);
        }
        self.open.add(event, kind, id, wanted.then_some(key));
    }

    /// Something has ended; answers the call that waits for it.
    fn ended(&mut self, event: EventId) -> Option<CallKey> {
        let entry = self.open.remove(event)?;
        if self.hold.timer_refused {
            self.release_hold();
        }
        entry.call
    }

    fn completed(&mut self, plan: &Plan, event: EventId, result: Option<&str>) {
        let Some(key) = self.ended(event) else { return };
        match super::outcome::output(plan, key, result) {
            Ok(value) => self.end_call(plan, key, Ok(value)),
            Err(failure) => self.call_failed(plan, key, Ending::Failed, failure),
        }
    }

    fn ended_badly(&mut self, plan: &Plan, event: EventId, ending: Ending, failure: StepFailure) {
        if let Some(key) = self.ended(event) {
            self.call_failed(plan, key, ending, failure);
        }
    }

    /// Limits pass, so all that is ready waits for a while; what SWF does not know is tried a few
    /// times; any other cause fails the step.
    fn schedule_failed(&mut self, plan: &Plan, id: &str, cause: ScheduleActivityTaskFailedCause) {
        use ScheduleActivityTaskFailedCause as Cause;

        let Some(key) = self.ready_call(plan, id) else { return };
        let failure = refusal(cause, "SWF refused to schedule the activity task");
        match cause {
            Cause::OpenActivitiesLimitExceeded | Cause::ActivityCreationRateExceeded => {
                self.hold_call(key);
            }
            Cause::ActivityTypeDoesNotExist => self.call_unknown(plan, key, failure),
            _ => self.call_failed(plan, key, Ending::Failed, failure),
        }
    }

    fn child_refused(&mut self, plan: &Plan, failed: &StartChildWorkflowExecutionFailed) {
        use StartChildWorkflowExecutionFailedCause as Cause;

        let failure = refusal(failed.cause, "SWF refused to start the child");
        // It was begun already when SWF found out that its id is taken.
        if self.open.get(failed.initiated_event_id).is_some() {
            return self.ended_badly(plan, failed.initiated_event_id, Ending::Failed, failure);
        }
        let call = failed.control.as_deref().unwrap_or_default();
        let Some(key) = self.ready_call(plan, call) else { return };
        match failed.cause {
            Cause::OpenChildrenLimitExceeded
            | Cause::OpenWorkflowsLimitExceeded
            | Cause::ChildCreationRateExceeded => self.hold_call(key),
            Cause::WorkflowTypeDoesNotExist => self.call_unknown(plan, key, failure),
            _ => self.call_failed(plan, key, Ending::Failed, failure),
        }
    }

    fn ready_call(&self, plan: &Plan, id: &str) -> Option<CallKey> {
        let (key, attempt) = plan.call_named(id)?;
        let call = self.calls.get(&key)?;
        let ready = call.attempt == attempt && matches!(call.stage, Stage::Ready(_));
        ready.then_some(key)
    }

    fn hold_call(&mut self, key: CallKey) {
        if self.ready.remove(&key) {
            self.hold.add(key);
        }
    }

    fn signaled(&mut self, plan: &Plan, name: &str, payload: minijinja::Value) {
        match self.signals.first_listener(name) {
            Some(key) => self.end_call(plan, key, Ok(payload)),
            // Nobody will ever take one that the plan does not name.
            None if plan.names_signal(name) => self.signals.keep(name, payload),
            None => {}
        }
    }

    /// Gives up the main steps: what runs is asked to cancel, nothing new begins.
    fn cancel(&mut self, plan: &Plan) {
        if self.canceled || self.phase > Phase::Main || self.main_has_ended() || !self.has_started()
        {
            return;
        }
        self.canceled = true;
        // Nothing is worth waiting for any more.
        self.release_hold();
        self.open.unwant_all();
        self.give_up(plan);
    }
}

fn failure(reason: &str, details: Option<&str>) -> StepFailure {
    StepFailure::new(reason, details.unwrap_or_default())
}

fn timeout_reason(end: &ActivityTaskTimedOut) -> String {
    let kind = end.timeout_type.as_str().to_ascii_lowercase().replace('_', "-");
    format!("cpe.timeout.{kind}")
}

/// The failure of what SWF refused, named as SWF names its cause.
pub(super) fn refusal(cause: impl Serialize, details: &str) -> StepFailure {
    let name = serde_json::to_value(cause).unwrap_or_default();
    let name = name.as_str().unwrap_or_default().to_ascii_lowercase().replace('_', "-");
    StepFailure::new(format!("cpe.schedule.{name}"), details)
}
