//! How an execution ends: its result, or the failure that nobody handled.

use cpe_swf::{
    Decision,
    decision::{CompleteWorkflowExecution, FailWorkflowExecution},
    limits,
};
use serde_json::{Map, Value, json};

use crate::{
    model::Plan,
    state::{RunState, StepFailure, StepState},
};

/// Stands in a result for what did not fit.
const OMITTED: &str = "$omitted";

/// The execution cannot even begin.
pub(super) fn refuse(failure: &StepFailure) -> Decision {
    fail(failure.reason.clone(), &json!({"details": failure.details}))
}

/// All steps have come to their ends: so does the execution.
pub(super) fn close(plan: &Plan, state: &RunState) -> Decision {
    match unhandled_failure(plan, state) {
        Some((step, failure)) => {
            let details = json!({
                "step": step,
                "reason": failure.reason,
                "details": embed(&failure.details),
            });
            fail(failure.reason.clone(), &details)
        }
        None => CompleteWorkflowExecution { result: Some(result(plan, state)) }.into(),
    }
}

/// The first failed step, in the plan's order, whose failure no step provides for.
fn unhandled_failure<'s>(
    plan: &'s Plan,
    state: &'s RunState,
) -> Option<(&'s str, &'s StepFailure)> {
    plan.steps.iter().enumerate().find_map(|(index, step)| match state.steps.get(index) {
        Some(StepState::Failed(failure)) if !plan.is_failure_handled(index) => {
            Some((step.name.as_str(), failure))
        }
        _ => None,
    })
}

/// The outputs of the steps that no other step requires, by name.
///
/// Where they are more than SWF carries, the largest are left out and say so: the job has
/// succeeded, and the client heard each output in its `ACTIVITY_COMPLETED`.
fn result(plan: &Plan, state: &RunState) -> String {
    let mut outputs: Vec<(&str, String)> = Vec::new();
    for (index, step) in plan.steps.iter().enumerate() {
        let last = plan.dependents.get(index).is_none_or(Vec::is_empty);
        if last && let Some(StepState::Succeeded(output)) = state.steps.get(index) {
            let text = serde_json::to_string(output).unwrap_or_else(|_| "null".to_owned());
            outputs.push((step.name.as_str(), text));
        }
    }
    shorten(&mut outputs);
    let whole = render(&outputs);
    let characters = whole.chars().count();
    if characters <= limits::DATA_CHARS {
        return whole;
    }
    json!({OMITTED: {"steps": outputs.len(), "characters": characters}}).to_string()
}

/// Leaves out the largest outputs until the rest fits, or nothing is gained by it any more.
fn shorten(outputs: &mut [(&str, String)]) {
    let mut total = render(outputs).chars().count();
    let mut sizes: Vec<(usize, usize)> = outputs
        .iter()
        .enumerate()
        .map(|(index, (_, text))| (text.chars().count(), index))
        .collect();
    sizes.sort_by_key(|(size, index)| (std::cmp::Reverse(*size), *index));
    for (size, index) in sizes {
        if total <= limits::DATA_CHARS {
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

fn fail(reason: String, details: &Value) -> Decision {
    let reason: String = reason.chars().take(limits::REASON_CHARS).collect();
    let mut text = details.to_string();
    if text.chars().count() > limits::DATA_CHARS {
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

/// JSON text as its value, other text as a string.
fn embed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}
