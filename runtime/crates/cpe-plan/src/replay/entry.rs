//! One decision in a form in which what is decided and what SWF wrote of it can be compared.

use std::fmt;

use cpe_swf::{Decision, EventAttributes as Event, EventId, HistoryEvent};
use serde_json::Value;

use crate::{call::parse_activity_id, model::Plan};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// As in "the plan would …".
    verb: &'static str,
    /// What it is about: ids, empty for what closes the run.
    id: String,
    /// Names of parts with their texts; empty where SWF did not carry it out, and so did not
    /// write them.
    parts: Vec<(&'static str, String)>,
    carried_out: bool,
}

const SCHEDULE: &str = "schedule the activity task";
const ASK: &str = "ask to cancel the activity task";
const TIMER: &str = "start the timer";
const CANCEL_TIMER: &str = "cancel the timer";
const CHILD: &str = "start the child";
const ASK_CHILD: &str = "ask to cancel the child";
const COMPLETE: &str = "complete the execution";
const FAIL: &str = "fail the execution";
const CANCEL: &str = "close the execution as canceled";
const CONTINUE: &str = "continue the execution as a new run";

impl Entry {
    fn new(verb: &'static str, id: impl fmt::Display, parts: Vec<(&'static str, String)>) -> Self {
        Self { verb, id: id.to_string(), parts, carried_out: true }
    }

    fn refused(verb: &'static str, id: impl fmt::Display) -> Self {
        Self { verb, id: id.to_string(), parts: Vec::new(), carried_out: false }
    }

    /// `known`: whether it is known of which run the history is.
    pub(super) fn of_decision(decision: &Decision, known: bool) -> Self {
        match decision {
            Decision::ScheduleActivityTask(d) => Self::new(
                SCHEDULE,
                &d.activity_id,
                vec![("activity", d.activity_type.to_string()), ("input", text(&d.input))],
            ),
            Decision::RequestCancelActivityTask(d) => Self::new(ASK, &d.activity_id, Vec::new()),
            Decision::StartTimer(d) => {
                let id = d.timer_id.as_str();
                Self::new(TIMER, id, wait(id, d.start_to_fire_timeout, known))
            }
            Decision::CancelTimer(d) => Self::new(CANCEL_TIMER, &d.timer_id, Vec::new()),
            Decision::StartChildWorkflowExecution(d) => Self::new(
                CHILD,
                child(d.workflow_id.as_str(), d.control.as_deref(), known),
                vec![("plan", d.workflow_type.to_string()), ("input", text(&d.input))],
            ),
            Decision::RequestCancelExternalWorkflowExecution(d) => {
                Self::new(ASK_CHILD, asked(d.workflow_id.as_str(), known), Vec::new())
            }
            Decision::CompleteWorkflowExecution(d) => {
                Self::new(COMPLETE, "", vec![("result", text(&d.result))])
            }
            Decision::FailWorkflowExecution(d) => Self::new(
                FAIL,
                "",
                vec![("reason", text(&d.reason)), ("details", text(&d.details))],
            ),
            Decision::CancelWorkflowExecution(_) => Self::new(CANCEL, "", Vec::new()),
            Decision::ContinueAsNewWorkflowExecution(d) => {
                Self::new(CONTINUE, "", vec![("state", state(&text(&d.input)))])
            }
            other => Self::new("decide", format!("{other:?}"), Vec::new()),
        }
    }

    /// What SWF wrote of a decision, if the event is of one, with the answer that it was in.
    pub(super) fn of_event(event: &HistoryEvent, known: bool) -> Option<(EventId, Self)> {
        let found = match &*event.attributes {
            Event::ActivityTaskScheduled(e) => (
                e.decision_task_completed_event_id,
                Self::new(
                    SCHEDULE,
                    &e.activity_id,
                    vec![("activity", e.activity_type.to_string()), ("input", text(&e.input))],
                ),
            ),
            Event::ScheduleActivityTaskFailed(e) => {
                (e.decision_task_completed_event_id, Self::refused(SCHEDULE, &e.activity_id))
            }
            Event::ActivityTaskCancelRequested(e) => {
                (e.decision_task_completed_event_id, Self::new(ASK, &e.activity_id, Vec::new()))
            }
            Event::RequestCancelActivityTaskFailed(e) => {
                (e.decision_task_completed_event_id, Self::refused(ASK, &e.activity_id))
            }
            Event::TimerStarted(e) => {
                let id = e.timer_id.as_str();
                let parts = wait(id, e.start_to_fire_timeout, known);
                (e.decision_task_completed_event_id, Self::new(TIMER, id, parts))
            }
            Event::StartTimerFailed(e) => {
                (e.decision_task_completed_event_id, Self::refused(TIMER, &e.timer_id))
            }
            Event::TimerCanceled(e) => (
                e.decision_task_completed_event_id,
                Self::new(CANCEL_TIMER, &e.timer_id, Vec::new()),
            ),
            Event::CancelTimerFailed(e) => {
                (e.decision_task_completed_event_id, Self::refused(CANCEL_TIMER, &e.timer_id))
            }
            Event::MarkerRecorded(e) => (
                e.decision_task_completed_event_id,
                Self::new("record the marker", &e.marker_name, Vec::new()),
            ),
            Event::LambdaFunctionScheduled(e) => (
                e.decision_task_completed_event_id,
                Self::new("schedule the Lambda function", &e.id, Vec::new()),
            ),
            Event::SignalExternalWorkflowExecutionInitiated(e) => (
                e.decision_task_completed_event_id,
                Self::new("signal the execution", &e.workflow_id, Vec::new()),
            ),
            other => return Self::of_execution(other, known),
        };
        Some(found)
    }

    /// Of children, and of the execution itself.
    fn of_execution(event: &Event, known: bool) -> Option<(EventId, Self)> {
        let found = match event {
            Event::StartChildWorkflowExecutionInitiated(e) => (
                e.decision_task_completed_event_id,
                Self::new(
                    CHILD,
                    child(e.workflow_id.as_str(), e.control.as_deref(), known),
                    vec![("plan", e.workflow_type.to_string()), ("input", text(&e.input))],
                ),
            ),
            // With an initiated event it is what came later, of what was carried out.
            Event::StartChildWorkflowExecutionFailed(e) if e.initiated_event_id.0 == 0 => {
                let id = child(e.workflow_id.as_str(), e.control.as_deref(), known);
                (e.decision_task_completed_event_id, Self::refused(CHILD, id))
            }
            Event::RequestCancelExternalWorkflowExecutionInitiated(e) => {
                let id = asked(e.workflow_id.as_str(), known);
                (e.decision_task_completed_event_id, Self::new(ASK_CHILD, id, Vec::new()))
            }
            Event::RequestCancelExternalWorkflowExecutionFailed(e)
                if e.initiated_event_id.0 == 0 =>
            {
                let id = asked(e.workflow_id.as_str(), known);
                (e.decision_task_completed_event_id, Self::refused(ASK_CHILD, id))
            }
            Event::WorkflowExecutionCompleted(e) => (
                e.decision_task_completed_event_id,
                Self::new(COMPLETE, "", vec![("result", text(&e.result))]),
            ),
            Event::CompleteWorkflowExecutionFailed(e) => {
                (e.decision_task_completed_event_id, Self::refused(COMPLETE, ""))
            }
            Event::WorkflowExecutionFailed(e) => (
                e.decision_task_completed_event_id,
                Self::new(
                    FAIL,
                    "",
                    vec![("reason", text(&e.reason)), ("details", text(&e.details))],
                ),
            ),
            Event::FailWorkflowExecutionFailed(e) => {
                (e.decision_task_completed_event_id, Self::refused(FAIL, ""))
            }
            Event::WorkflowExecutionCanceled(e) => {
                (e.decision_task_completed_event_id, Self::new(CANCEL, "", Vec::new()))
            }
            Event::CancelWorkflowExecutionFailed(e) => {
                (e.decision_task_completed_event_id, Self::refused(CANCEL, ""))
            }
            Event::WorkflowExecutionContinuedAsNew(e) => (
                e.decision_task_completed_event_id,
                Self::new(CONTINUE, "", vec![("state", state(&text(&e.input)))]),
            ),
            Event::ContinueAsNewWorkflowExecutionFailed(e) => {
                (e.decision_task_completed_event_id, Self::refused(CONTINUE, ""))
            }
            _ => return None,
        };
        Some(found)
    }

    pub(super) fn is_same_thing(&self, other: &Self) -> bool {
        self.verb == other.verb && self.id == other.id
    }

    /// The part in which another one of the same thing differs.
    pub(super) fn differs_in(&self, other: &Self) -> Option<&'static str> {
        if !self.carried_out || !other.carried_out {
            return None;
        }
        let mut parts = self.parts.iter().zip(&other.parts);
        parts.find(|(mine, others)| mine != others).map(|((part, _), _)| *part)
    }

    /// The plan's step that it is about.
    pub(super) fn step(&self, plan: &Plan) -> Option<String> {
        let id = match self.verb {
            TIMER | CANCEL_TIMER => {
                let mut parts = self.id.splitn(3, '.');
                parts.by_ref().take(2).for_each(drop);
                parts.next()?
            }
            CHILD => self.id.as_str(),
            SCHEDULE | ASK => self.id.as_str(),
            _ => return None,
        };
        let whole = plan.step_named(id).map(|_| id);
        let step = whole.unwrap_or_else(|| parse_activity_id(id).step);
        // Where the run is known, a child's id begins with its parent's.
        let known = plan.steps.iter().map(|step| step.name.as_str());
        let mut named = known.filter(|name| step == *name || step.ends_with(&format!(".{name}")));
        Some(named.next().unwrap_or(step).to_owned())
    }

    /// With its parts, each on a line.
    pub(super) fn in_full(&self) -> String {
        let mut text = self.to_string();
        for (part, value) in self.parts.iter().filter(|(_, value)| !value.is_empty()) {
            let shown: String = value.chars().take(2_000).collect();
            text.push_str(&format!("\n{part}: {shown}"));
        }
        text
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verb)?;
        if !self.id.is_empty() {
            write!(f, " {}", self.id)?;
        }
        if self.carried_out { Ok(()) } else { f.write_str(" (refused by SWF)") }
    }
}

fn text(text: &Option<String>) -> String {
    text.clone().unwrap_or_default()
}

/// How long a timer runs, unless chance is in it that follows from the run.
fn wait(id: &str, timeout: cpe_swf::Timeout, known: bool) -> Vec<(&'static str, String)> {
    let chance = id.starts_with("cpe.backoff.") && !known;
    if chance { Vec::new() } else { vec![("wait", format!("{timeout} seconds"))] }
}

/// What a child is called where its parent is not known: by the call, which is the rest.
fn child(workflow_id: &str, control: Option<&str>, known: bool) -> String {
    let call = control.filter(|_| !known);
    call.unwrap_or(workflow_id).to_owned()
}

/// Nothing but its id names a child that is asked to cancel.
fn asked(workflow_id: &str, known: bool) -> String {
    if known {
        return workflow_id.to_owned();
    }
    workflow_id.rsplit_once('.').map_or(workflow_id, |(_, call)| call).to_owned()
}

/// What is handed to the next run, but for the plan's digest, which differs in every change.
fn state(input: &str) -> String {
    let Ok(mut envelope) = serde_json::from_str::<Value>(input) else { return input.to_owned() };
    if let Some(digest) = envelope.pointer_mut("/cpe.continued/plan") {
        *digest = Value::Null;
        return envelope.to_string();
    }
    input.to_owned()
}
