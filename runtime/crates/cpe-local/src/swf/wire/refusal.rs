//! What is wrong with a request that could not be read, in the words of AWS.

use cpe_swf::Decision;
use serde_json::{Map, Value};

const DECISION_TYPES: &[&str] = &[
    "ScheduleActivityTask",
    "RequestCancelActivityTask",
    "CompleteWorkflowExecution",
    "FailWorkflowExecution",
    "CancelWorkflowExecution",
    "ContinueAsNewWorkflowExecution",
    "RecordMarker",
    "StartTimer",
    "CancelTimer",
    "SignalExternalWorkflowExecution",
    "RequestCancelExternalWorkflowExecution",
    "StartChildWorkflowExecution",
    "ScheduleLambdaFunction",
];

/// The message of a validation fault, or `None` where the JSON does not have the shape at all.
///
/// `error` is what the reader stopped at; the decisions of an answer are looked at one by one.
pub(super) fn explain(body: &Value, error: &str) -> Option<String> {
    let mut problems = decisions(body);
    if problems.is_empty() {
        problems.push(in_words("", error)?);
    }
    let count = problems.len();
    let errors = if count == 1 { "error" } else { "errors" };
    Some(format!("{count} validation {errors} detected: {}", problems.join("; ")))
}

/// Takes out what says `null`, in objects and in lists.
pub(super) fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => {
            items.retain(|item| !item.is_null());
            items.iter_mut().for_each(drop_nulls);
        }
        _ => {}
    }
}

fn decisions(body: &Value) -> Vec<String> {
    let decisions = body.get("decisions").and_then(Value::as_array);
    let numbered = decisions.into_iter().flatten().zip(1..);
    numbered.filter_map(|(decision, number)| decision_problem(decision, number)).collect()
}

fn decision_problem(decision: &Value, number: usize) -> Option<String> {
    let prefix = format!("decisions.{number}.member.");
    let members: &Map<String, Value> = decision.as_object()?;
    let Some(kind) = members.get("decisionType").and_then(Value::as_str) else {
        return Some(missing(&format!("{prefix}decisionType")));
    };
    if !DECISION_TYPES.contains(&kind) {
        let allowed = DECISION_TYPES.join(", ");
        return Some(format!(
            "Value '{}' at '{prefix}decisionType' failed to satisfy constraint: Member must \
             satisfy enum value set: [{allowed}]",
            kind.chars().take(64).collect::<String>()
        ));
    }
    let error = serde_json::from_value::<Decision>(decision.clone()).err()?;
    let (head, tail) = kind.split_at(1);
    let key = format!("{}{tail}DecisionAttributes", head.to_lowercase());
    if !members.contains_key(&key) {
        return Some(missing(&format!("{prefix}{key}")));
    }
    // The error begins with the key of the attributes.
    let error = error.to_string();
    let rest = error.strip_prefix(&format!("{key}: ")).unwrap_or(&error);
    let words = in_words(&format!("{prefix}{key}."), rest);
    Some(words.unwrap_or_else(|| format!("{prefix}{key}: {rest}")))
}

/// What the reader says, as AWS would.
fn in_words(prefix: &str, error: &str) -> Option<String> {
    if let Some((_, rest)) = error.split_once("missing field `") {
        let (field, _) = rest.split_once('`')?;
        return Some(missing(&format!("{prefix}{field}")));
    }
    if let Some((_, rest)) = error.split_once("unknown variant `") {
        let (value, rest) = rest.split_once('`')?;
        let allowed = rest.split_once("expected ").map_or("", |(_, allowed)| allowed);
        let allowed = allowed.split(" at line").next().unwrap_or_default();
        let allowed = allowed.trim_start_matches("one of ").replace('`', "");
        return Some(format!(
            "Value '{value}' failed to satisfy constraint: Member must satisfy enum value set: \
             [{allowed}]"
        ));
    }
    error.contains("neither whole seconds nor `NONE`").then(|| error.to_owned())
}

fn missing(at: &str) -> String {
    format!("Value null at '{at}' failed to satisfy constraint: Member must not be null")
}
