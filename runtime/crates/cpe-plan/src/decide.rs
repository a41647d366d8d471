//! `decide`: history in, decisions out.

use cpe_swf::{
    ActivityId, Decision, HistoryEvent, Timeout,
    decision::{
        CancelWorkflowExecution, CompleteWorkflowExecution, FailWorkflowExecution,
        RequestCancelActivityTask, ScheduleActivityTask, StartTimer,
    },
    limits,
};
use serde_json::{Map, Value, json};

use crate::{
    model::{Plan, Requirement, StepWork},
    state::{Held, RunState, StepFailure, StepState, held_timer},
};

/// Characters of input that one answer schedules; a request carries at most 1 MB.
const MAX_BATCH_CHARS: usize = 500_000;
/// Waits before scheduling again what SWF refused for now.
const HOLD_SECONDS: u32 = 2;
const MAX_HOLD_SECONDS: u32 = 300;

/// Decides what follows from a whole history.
///
/// Pure and total: any history gives decisions, and the same history the same ones.
pub fn decide(plan: &Plan, history: &[HistoryEvent]) -> Vec<Decision> {
    let mut state = RunState::default();
    for event in history {
        state.apply(plan, event);
    }
    next_decisions(plan, &state)
}

/// Decides what follows from the state that a history was folded into.
pub fn next_decisions(plan: &Plan, state: &RunState) -> Vec<Decision> {
    if state.closed {
        return Vec::new();
    }
    if let Some(failure) = &state.refused {
        return vec![fail(failure.reason.clone(), &json!({"details": failure.details}))];
    }
    if state.cancel_requested {
        return cancel(plan, state);
    }
    if state.unsettled == 0 {
        return vec![close(plan, state)];
    }
    let mut decisions = schedule(plan, state);
    decisions.extend(state.held.iter().filter_map(|(step, held)| hold(state, *step, held)));
    decisions
}

/// Schedules what is ready, as far as SWF's limits on open activity tasks and requests go. What
/// is left over is scheduled when something that runs has ended.
fn schedule(plan: &Plan, state: &RunState) -> Vec<Decision> {
    let room = limits::OPEN_ACTIVITY_TASKS.saturating_sub(state.running.len());
    let mut decisions = Vec::new();
    let mut chars = 0;
    for step in state.ready.iter().take(room) {
        let Some(StepState::Ready(input)) = state.steps.get(*step) else { continue };
        if chars > 0 && chars + input.len() > MAX_BATCH_CHARS {
            break;
        }
        chars += input.len();
        decisions.extend(schedule_step(plan, *step, input));
    }
    decisions
}

fn schedule_step(plan: &Plan, step: usize, input: &str) -> Option<Decision> {
    let step = plan.steps.get(step)?;
    let StepWork::Activity { activity, .. } = &step.work else { return None };
    let activity = plan.activities.get(*activity)?;
    Some(
        ScheduleActivityTask {
            activity_type: activity.activity_type.clone(),
            activity_id: ActivityId(step.name.clone()),
            control: None,
            input: Some(input.to_owned()),
            schedule_to_close_timeout: Some(activity.schedule_to_close_timeout),
            task_list: Some(activity.task_list.clone()),
            task_priority: None,
            schedule_to_start_timeout: Some(activity.schedule_to_start_timeout),
            start_to_close_timeout: Some(activity.start_to_close_timeout),
            heartbeat_timeout: Some(activity.heartbeat_timeout),
        }
        .into(),
    )
}

/// Waits before the next attempt: scheduling again at once would only fill the history.
fn hold(state: &RunState, step: usize, held: &Held) -> Option<Decision> {
    if held.timer_started || state.ready.contains(&step) {
        return None;
    }
    let doublings = held.attempts.saturating_sub(1).min(16);
    let seconds = (HOLD_SECONDS << doublings).min(MAX_HOLD_SECONDS);
    Some(
        StartTimer {
            timer_id: held_timer(step, held.attempts),
            control: None,
            start_to_fire_timeout: Timeout::Seconds(seconds),
        }
        .into(),
    )
}

/// Asks what runs to cancel, and ends the execution when nothing does any more.
fn cancel(plan: &Plan, state: &RunState) -> Vec<Decision> {
    if state.running.is_empty() {
        let details = Some("the execution was asked to cancel".to_owned());
        return vec![CancelWorkflowExecution { details }.into()];
    }
    let unasked = state.running.iter().filter(|(_, running)| !running.cancel_asked);
    let names = unasked.filter_map(|(step, _)| plan.steps.get(*step));
    names
        .map(|step| RequestCancelActivityTask { activity_id: ActivityId(step.name.clone()) }.into())
        .collect()
}

/// All steps have come to their ends: so does the execution.
fn close(plan: &Plan, state: &RunState) -> Decision {
    if let Some((step, failure)) = unhandled_failure(plan, state) {
        let details = json!({
            "step": step,
            "reason": failure.reason,
            "details": embed(&failure.details),
        });
        return fail(failure.reason.clone(), &details);
    }
    let result = result(plan, state).to_string();
    let length = result.chars().count();
    if length > limits::DATA_CHARS {
        let message =
            format!("the result has {length} characters, of at most {}", limits::DATA_CHARS);
        return fail("cpe.result.too-large".to_owned(), &json!({"details": message}));
    }
    CompleteWorkflowExecution { result: Some(result) }.into()
}

/// The outputs of the steps that no other step requires, by name.
fn result(plan: &Plan, state: &RunState) -> Value {
    let mut outputs = Map::new();
    for (index, step) in plan.steps.iter().enumerate() {
        let last = plan.dependents.get(index).is_none_or(Vec::is_empty);
        if last && let Some(StepState::Succeeded(output)) = state.steps.get(index) {
            outputs.insert(step.name.clone(), Value::clone(output));
        }
    }
    Value::Object(outputs)
}

/// The first failed step, in the plan's order, that no step requires as failed or completed.
fn unhandled_failure<'s>(plan: &'s Plan, state: &'s RunState) -> Option<(&'s str, &'s StepFailure)> {
    plan.steps.iter().enumerate().find_map(|(index, step)| {
        let Some(StepState::Failed(failure)) = state.steps.get(index) else { return None };
        let handled = plan.dependents.get(index).into_iter().flatten().any(|dependent| {
            plan.steps.get(*dependent).is_some_and(|dependent| {
                dependent.requires.iter().any(|requires| {
                    requires.step == index
                        && matches!(requires.status, Requirement::Failed | Requirement::Completed)
                })
            })
        });
        (!handled).then_some((step.name.as_str(), failure))
    })
}

fn fail(reason: String, details: &Value) -> Decision {
    let reason: String = reason.chars().take(limits::REASON_CHARS).collect();
    let mut text = details.to_string();
    if text.chars().count() > limits::DATA_CHARS {
        // Cut inside the details, so that what is stored is still JSON.
        let cut: String = text.chars().take(limits::DATA_CHARS / 8).collect();
        text = json!({"truncated": true, "details": cut}).to_string();
    }
    FailWorkflowExecution { reason: Some(reason), details: Some(text) }.into()
}

/// JSON text as its value, other text as a string.
fn embed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests;
