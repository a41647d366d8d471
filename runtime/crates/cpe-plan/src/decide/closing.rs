//! How an execution ends: its result, or the failure that nobody handled.

use cpe_swf::{
    Decision,
    decision::{CancelWorkflowExecution, CompleteWorkflowExecution, FailWorkflowExecution},
    limits,
};
use serde_json::{Map, Value, json};

use crate::{
    model::{Plan, Section},
    state::{RunState, StepFailure, StepState, embed},
};

/// Stands in a result for what did not fit.
const OMITTED: &str = "$omitted";

/// The execution cannot even begin.
pub(super) fn refuse(state: &RunState, failure: &StepFailure) -> Decision {
    fail(state, failure.reason.clone(), &json!({"details": failure.details}))
}

/// All steps have come to their ends: so does the execution.
///
/// What the main steps came to is what counts; a step of `finally` matters only where all was
/// well before.
pub(super) fn close(plan: &Plan, state: &RunState) -> Decision {
    if state.canceled {
        let details = Some("the execution was asked to cancel".to_owned());
        return CancelWorkflowExecution { details }.into();
    }
    let failure = state.failure.clone().or_else(|| state.unhandled_failure(plan, Section::Finally));
    if let Some((step, failure)) = failure {
        let details = json!({
            "step": plan.steps.get(step).map(|step| step.name.as_str()),
            "reason": failure.reason,
            "details": embed(&failure.details),
        });
        return fail(state, failure.reason, &details);
    }
    let result = match &plan.output {
        None => outputs_of_last(plan, state),
        Some(output) => match state.render(plan, output, Vec::new()) {
            Ok(value) => bounded(value.to_string(), 1, state.max_chars()),
            Err(details) => {
                return fail(state, "cpe.bad-result".to_owned(), &json!({"details": details}));
            }
        },
    };
    CompleteWorkflowExecution { result: Some(result) }.into()
}

/// The outputs of the main steps that no other of them requires, by name.
///
/// Where they are more than SWF carries, the largest are left out and say so: the job has
/// succeeded, and the client heard each output in its `ACTIVITY_COMPLETED`.
fn outputs_of_last(plan: &Plan, state: &RunState) -> String {
    let mut outputs: Vec<(&str, String)> = Vec::new();
    for index in plan.section(Section::Main) {
        let Some(step) = plan.steps.get(index) else { continue };
        let dependents = plan.dependents.get(index).into_iter().flatten();
        let last = dependents
            .filter_map(|dependent| plan.steps.get(dependent.step))
            .all(|dependent| dependent.section != Section::Main);
        if last && let Some(StepState::Succeeded(output)) = state.steps.get(index) {
            let text = serde_json::to_string(output).unwrap_or_else(|_| "null".to_owned());
            outputs.push((step.name.as_str(), text));
        }
    }
    shorten(&mut outputs, state.max_chars());
    bounded(render(&outputs), outputs.len(), state.max_chars())
}

/// What is still too long says so in its place.
fn bounded(whole: String, steps: usize, max: usize) -> String {
    let characters = whole.chars().count();
    if characters <= max {
        return whole;
    }
    json!({OMITTED: {"steps": steps, "characters": characters}}).to_string()
}

/// Leaves out the largest outputs until the rest fits, or nothing is gained by it any more.
fn shorten(outputs: &mut [(&str, String)], max: usize) {
    let mut total = render(outputs).chars().count();
    let mut sizes: Vec<(usize, usize)> = outputs
        .iter()
        .enumerate()
        .map(|(index, (_, text))| (text.chars().count(), index))
        .collect();
    sizes.sort_by_key(|(size, index)| (std::cmp::Reverse(*size), *index));
    for (size, index) in sizes {
        if total <= max {
            return;
        }
        let mark = json!({OMITTED: {"characters": size}}).to_string();
        if mark.len() >= size {
            return;
        }
        total -= size - mark.len();
        if let Some((_, text)) = outputs.get_mut(index) {
            *text = mark;
        }
    }
}

fn render(outputs: &[(&str, String)]) -> String {
    let mut text = String::from("{");
    for (index, (name, output)) in outputs.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&Value::from(*name).to_string());
        text.push(':');
        text.push_str(output);
    }
    text.push('}');
    text
}

fn fail(state: &RunState, reason: String, details: &Value) -> Decision {
    let reason: String = reason.chars().take(limits::REASON_CHARS).collect();
    let mut text = details.to_string();
    if text.chars().count() > state.max_chars() {
        text = cut(details, &text);
    }
    FailWorkflowExecution { reason: Some(reason), details: Some(text) }.into()
}

/// Details that are too long keep their shape, with the longest part as the beginning of its text.
fn cut(details: &Value, text: &str) -> String {
    // JSON within JSON takes two characters for some, so a quarter is sure to fit.
    let beginning: String = text.chars().take(limits::DATA_CHARS / 4).collect();
    let mut short = Map::new();
    if let Some(step) = details.get("step") {
        short.insert("step".to_owned(), step.clone());
    }
    if let Some(reason) = details.get("reason") {
        short.insert("reason".to_owned(), reason.clone());
    }
    short.insert("details".to_owned(), Value::String(beginning));
    short.insert("truncated".to_owned(), Value::Bool(true));
    Value::Object(short).to_string()
}
