//! Every event, decision, request and answer of the service model reads and writes its wire form.
//!
//! The samples under `tests/golden` follow the shapes of SWF's service model (API version
//! 2012-01-25): of each type one with every member, one with the required members only, and one
//! for each further value of an enumeration. Conversations recorded from SWF itself are read as
//! well where `CPE_SWF_RECORDINGS` names a folder of them.

use std::{collections::BTreeMap, path::Path};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{Decision, HistoryEvent, api::*};

/// Reads `wire` as a `T`, writes it again, and tells where the two differ.
fn round_trip<T: Serialize + DeserializeOwned>(what: &str, wire: &Value) {
    let read: T = serde_json::from_value(wire.clone())
        .unwrap_or_else(|error| panic!("{what} cannot be read: {error}\n{wire}"));
    let written = serde_json::to_value(&read).unwrap();
    let difference = difference(wire, &written);
    assert_eq!(difference, None, "{what}\nread:    {wire}\nwritten: {written}");
}

/// What may be said or left out: a flag that is off, an event that does not exist, a list of
/// nothing.
fn is_implied(value: &Value) -> bool {
    if let Value::Array(items) = value {
        return items.iter().all(Value::is_null);
    }
    value.as_bool() == Some(false) || value.as_i64() == Some(0)
}

/// Where `written` says something else than `wire`.
fn difference(wire: &Value, written: &Value) -> Option<String> {
    match (wire, written) {
        (Value::Object(wire), Value::Object(written)) => {
            let lost = wire.iter().find_map(|(key, value)| match written.get(key) {
                Some(other) => difference(value, other).map(|rest| format!("{key}.{rest}")),
                // SWF says some things that its model does not know.
                None if is_implied(value) => None,
                None => Some(format!("{key} is lost")),
            });
            let added =
                written.iter().find(|(key, value)| !wire.contains_key(*key) && !is_implied(value));
            lost.or_else(|| added.map(|(key, _)| format!("{key} is added")))
        }
        (Value::Array(wire), Value::Array(written)) if wire.len() == written.len() => wire
            .iter()
            .zip(written)
            .enumerate()
            .find_map(|(at, (a, b))| difference(a, b).map(|rest| format!("{at}.{rest}"))),
        // 1.0 and 1 are the same number of seconds.
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => None,
        (a, b) if a == b => None,
        (a, b) => Some(format!("{a} became {b}")),
    }
}

#[derive(serde::Deserialize)]
struct Samples {
    request: Vec<Value>,
    response: Vec<Value>,
}

/// Checks one operation's samples; its name is the beginning of its request's.
macro_rules! operations {
    ($check:ident: $($operation:ident $request:ident $(-> $response:ty)?;)*) => {
        fn $check(operation: &str, samples: &Samples) {
            match operation {
                $(stringify!($operation) => {
                    for wire in &samples.request {
                        round_trip::<$request>(stringify!($request), wire);
                    }
                    let answers = false $(|| {
                        for wire in &samples.response {
                            round_trip::<$response>(stringify!($response), wire);
                        }
                        true
                    })?;
                    assert!(answers || samples.response.is_empty(), "{operation} has an answer");
                })*
                other => panic!("the operation {other} is not covered"),
            }
        }
    };
}

operations! { check_operation:
    CountClosedWorkflowExecutions CountClosedWorkflowExecutionsRequest -> WorkflowExecutionCount;
    CountOpenWorkflowExecutions CountOpenWorkflowExecutionsRequest -> WorkflowExecutionCount;
    CountPendingActivityTasks CountPendingActivityTasksRequest -> PendingTaskCount;
    CountPendingDecisionTasks CountPendingDecisionTasksRequest -> PendingTaskCount;
    DeleteActivityType DeleteActivityTypeRequest;
    DeleteWorkflowType DeleteWorkflowTypeRequest;
    DeprecateActivityType DeprecateActivityTypeRequest;
    DeprecateDomain DeprecateDomainRequest;
    DeprecateWorkflowType DeprecateWorkflowTypeRequest;
    DescribeActivityType DescribeActivityTypeRequest -> ActivityTypeDetail;
    DescribeDomain DescribeDomainRequest -> DomainDetail;
    DescribeWorkflowExecution DescribeWorkflowExecutionRequest -> WorkflowExecutionDetail;
    DescribeWorkflowType DescribeWorkflowTypeRequest -> WorkflowTypeDetail;
    GetWorkflowExecutionHistory GetWorkflowExecutionHistoryRequest -> History;
    ListActivityTypes ListActivityTypesRequest -> ActivityTypeInfos;
    ListClosedWorkflowExecutions ListClosedWorkflowExecutionsRequest -> WorkflowExecutionInfos;
    ListDomains ListDomainsRequest -> DomainInfos;
    ListOpenWorkflowExecutions ListOpenWorkflowExecutionsRequest -> WorkflowExecutionInfos;
    ListTagsForResource ListTagsForResourceRequest -> ListTagsForResourceOutput;
    ListWorkflowTypes ListWorkflowTypesRequest -> WorkflowTypeInfos;
    PollForActivityTask PollForActivityTaskRequest -> ActivityTask;
    PollForDecisionTask PollForDecisionTaskRequest -> DecisionTask;
    RecordActivityTaskHeartbeat RecordActivityTaskHeartbeatRequest -> ActivityTaskStatus;
    RegisterActivityType RegisterActivityTypeRequest;
    RegisterDomain RegisterDomainRequest;
    RegisterWorkflowType RegisterWorkflowTypeRequest;
    RequestCancelWorkflowExecution RequestCancelWorkflowExecutionRequest;
    RespondActivityTaskCanceled RespondActivityTaskCanceledRequest;
    RespondActivityTaskCompleted RespondActivityTaskCompletedRequest;
    RespondActivityTaskFailed RespondActivityTaskFailedRequest;
    RespondDecisionTaskCompleted RespondDecisionTaskCompletedRequest;
    SignalWorkflowExecution SignalWorkflowExecutionRequest;
    StartWorkflowExecution StartWorkflowExecutionRequest -> Run;
    TagResource TagResourceRequest;
    TerminateWorkflowExecution TerminateWorkflowExecutionRequest;
    UndeprecateActivityType UndeprecateActivityTypeRequest;
    UndeprecateDomain UndeprecateDomainRequest;
    UndeprecateWorkflowType UndeprecateWorkflowTypeRequest;
    UntagResource UntagResourceRequest;
}

fn type_names(samples: &[Value], tag: &str) -> usize {
    let names: std::collections::BTreeSet<_> =
        samples.iter().map(|sample| sample[tag].as_str().unwrap()).collect();
    names.len()
}

#[test]
fn every_event_round_trips() {
    let samples: Vec<Value> =
        serde_json::from_str(include_str!("../tests/golden/events.json")).unwrap();
    for wire in &samples {
        round_trip::<HistoryEvent>("an event", wire);
    }
    assert_eq!(type_names(&samples, "eventType"), 54);
}

#[test]
fn every_decision_round_trips() {
    let samples: Vec<Value> =
        serde_json::from_str(include_str!("../tests/golden/decisions.json")).unwrap();
    for wire in &samples {
        round_trip::<Decision>("a decision", wire);
    }
    assert_eq!(type_names(&samples, "decisionType"), 13);
}

#[test]
fn every_request_and_answer_round_trips() {
    let samples: BTreeMap<String, Samples> =
        serde_json::from_str(include_str!("../tests/golden/operations.json")).unwrap();
    assert_eq!(samples.len(), 39);
    for (operation, samples) in &samples {
        check_operation(operation, samples);
    }
}

/// One call of a recording.
#[derive(serde::Deserialize)]
struct Call {
    op: String,
    request: Value,
    status: u16,
    #[serde(default)]
    response: Value,
}

fn check_recording(path: &Path) -> usize {
    let text = std::fs::read_to_string(path).unwrap();
    let calls: Vec<Call> = serde_json::from_str(&text).unwrap();
    for call in &calls {
        let answered =
            call.status == 200 && call.response.as_object().is_some_and(|r| !r.is_empty());
        let response = if answered { vec![call.response.clone()] } else { Vec::new() };
        check_operation(&call.op, &Samples { request: vec![call.request.clone()], response });
    }
    calls.len()
}

#[test]
fn recordings_round_trip_where_there_are_some() {
    let Some(folder) = std::env::var_os("CPE_SWF_RECORDINGS") else { return };
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let json = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    assert!(json.map(|path| check_recording(&path)).sum::<usize>() > 0, "a folder of recordings");
}
