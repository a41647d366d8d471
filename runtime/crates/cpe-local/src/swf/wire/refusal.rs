//! What is wrong with a request that could not be read, in the words of AWS.

use cpe_swf::Decision;
use serde_json::{Map, Value};

/// What SWF says of a decision that closes the run and is not the last.
pub(in crate::swf) const CLOSE_LAST: &str = "Close must be last decision in list";

const CLOSING: [&str; 4] = [
    "CompleteWorkflowExecution",
    "FailWorkflowExecution",
    "CancelWorkflowExecution",
    "ContinueAsNewWorkflowExecution",
];

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

/// What each operation cannot do without, in the order in which AWS complains.
fn required(operation: &str) -> &'static [&'static str] {
    match operation {
        "DescribeWorkflowExecution" | "GetWorkflowExecutionHistory" => &["execution", "domain"],
        "StartWorkflowExecution" => &["domain", "workflowId", "workflowType"],
        "SignalWorkflowExecution" => &["domain", "workflowId", "signalName"],
        "RequestCancelWorkflowExecution" | "TerminateWorkflowExecution" => {
            &["domain", "workflowId"]
        }
        "PollForDecisionTask"
        | "PollForActivityTask"
        | "CountPendingDecisionTasks"
        | "CountPendingActivityTasks" => &["domain", "taskList"],
        "RespondDecisionTaskCompleted"
        | "RespondActivityTaskCompleted"
        | "RespondActivityTaskFailed"
        | "RespondActivityTaskCanceled"
        | "RecordActivityTaskHeartbeat" => &["taskToken"],
        "RegisterDomain" => &["name", "workflowExecutionRetentionPeriodInDays"],
        "DescribeDomain" | "DeprecateDomain" | "UndeprecateDomain" => &["name"],
        "RegisterWorkflowType" | "RegisterActivityType" => &["domain", "name", "version"],
        "DescribeWorkflowType"
        | "DeprecateWorkflowType"
        | "UndeprecateWorkflowType"
        | "DeleteWorkflowType" => &["domain", "workflowType"],
        "DescribeActivityType"
        | "DeprecateActivityType"
        | "UndeprecateActivityType"
        | "DeleteActivityType" => &["domain", "activityType"],
        "ListWorkflowTypes" | "ListActivityTypes" => &["domain", "registrationStatus"],
        "ListDomains" => &["registrationStatus"],
        "ListOpenWorkflowExecutions" | "CountOpenWorkflowExecutions" => {
            &["domain", "startTimeFilter"]
        }
        "ListClosedWorkflowExecutions" | "CountClosedWorkflowExecutions" => &["domain"],
        "TagResource" => &["resourceArn", "tags"],
        "UntagResource" => &["resourceArn", "tagKeys"],
        "ListTagsForResource" => &["resourceArn"],
        _ => &[],
    }
}

/// What structures cannot do without, wherever they are given.
const NESTED: [(&str, &[&str]); 11] = [
    ("execution", &["runId", "workflowId"]),
    ("workflowType", &["name", "version"]),
    ("activityType", &["name", "version"]),
    ("taskList", &["name"]),
    ("defaultTaskList", &["name"]),
    ("startTimeFilter", &["oldestDate"]),
    ("closeTimeFilter", &["oldestDate"]),
    ("typeFilter", &["name"]),
    ("tagFilter", &["tag"]),
    ("executionFilter", &["workflowId"]),
    ("closeStatusFilter", &["status"]),
];

fn missing_members(operation: &str, body: &Value) -> Vec<String> {
    let absent = |value: &Value, name: &str| value.is_object() && value.get(name).is_none();
    let top = required(operation).iter().filter(|name| absent(body, name));
    let mut problems: Vec<_> = top.map(|name| missing(name)).collect();
    for (structure, members) in NESTED {
        let Some(given) = body.get(structure) else { continue };
        let inside = members.iter().filter(|name| absent(given, name));
        problems.extend(inside.map(|name| missing(&format!("{structure}.{name}"))));
    }
    problems
}

/// The message of a validation fault, or `None` where the JSON does not have the shape at all.
///
/// `error` is what the reader stopped at; the decisions of an answer are looked at one by one.
pub(super) fn explain(operation: &str, body: &Value, error: &str) -> Option<String> {
    if closes_too_early(body) {
        return Some(CLOSE_LAST.to_owned());
    }
    let mut problems = decisions(body);
    problems.extend(missing_members(operation, body));
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

/// Whether a decision that closes the run comes before others, which is said before anything else
/// of them.
fn closes_too_early(body: &Value) -> bool {
    let decisions = body.get("decisions").and_then(Value::as_array);
    let before = decisions.and_then(|all| all.split_last()).map_or(&[][..], |(_, before)| before);
    before.iter().any(|decision| {
        let kind = decision.get("decisionType").and_then(Value::as_str);
        kind.is_some_and(|kind| CLOSING.contains(&kind))
    })
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
        // What would be missing if the attributes were there, and empty.
        let mut empty = members.clone();
        empty.insert(key.clone(), Value::Object(Map::new()));
        let error = serde_json::from_value::<Decision>(Value::Object(empty)).err();
        let words = error.and_then(|error| {
            let error = error.to_string();
            let rest = error.strip_prefix(&format!("{key}: ")).unwrap_or(&error);
            in_words(&format!("{prefix}{key}."), rest)
        });
        return Some(words.unwrap_or_else(|| missing(&format!("{prefix}{key}"))));
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
