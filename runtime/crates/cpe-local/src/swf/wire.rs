//! SWF on the wire: JSON 1.0 in and out, one line for each operation.

use cpe_swf::{
    EventId, Fault, FaultKind,
    api::{ActivityTask, DecisionTask, PollForActivityTaskRequest, PollForDecisionTaskRequest},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{Call, Swf, check::invalid};

pub(super) mod refusal;

/// All operations but the polls, and how each method takes its request: by value where it keeps
/// parts of it.
macro_rules! operations {
    (
        { $($taken:literal $take:ident;)* }
        { $($lent:literal $lend:ident;)* }
    ) => {
        /// Every operation that is served.
        pub(crate) const OPERATIONS: &[&str] =
            &["PollForDecisionTask", "PollForActivityTask", $($taken,)* $($lent,)*];

        /// Carries out one operation other than a poll and gives the answer's body.
        pub(crate) fn dispatch(
            swf: &mut Swf,
            call: &Call<'_>,
            operation: &str,
            body: &[u8],
        ) -> Result<Vec<u8>, Fault> {
            match operation {
                $($taken => {
                    swf.admit($taken, call.now)?;
                    answer(&swf.$take(call, request(body, operation)?)?)
                })*
                $($lent => {
                    swf.admit($lent, call.now)?;
                    answer(&swf.$lend(call, &request(body, operation)?)?)
                })*
                other => Err(unknown_operation(other)),
            }
        }
    };
}

operations! {
    {
        "StartWorkflowExecution" start_workflow_execution;
        "SignalWorkflowExecution" signal_workflow_execution;
        "TerminateWorkflowExecution" terminate_workflow_execution;
        "RespondDecisionTaskCompleted" respond_decision_task_completed;
        "RespondActivityTaskCompleted" respond_activity_task_completed;
        "RespondActivityTaskFailed" respond_activity_task_failed;
        "RespondActivityTaskCanceled" respond_activity_task_canceled;
        "RecordActivityTaskHeartbeat" record_activity_task_heartbeat;
        "RegisterDomain" register_domain;
        "RegisterWorkflowType" register_workflow_type;
        "RegisterActivityType" register_activity_type;
        "DeleteWorkflowType" delete_workflow_type;
        "DeleteActivityType" delete_activity_type;
        "TagResource" tag_resource;
    }
    {
        "RequestCancelWorkflowExecution" request_cancel_workflow_execution;
        "DescribeWorkflowExecution" describe_workflow_execution;
        "GetWorkflowExecutionHistory" get_workflow_execution_history;
        "ListOpenWorkflowExecutions" list_open_workflow_executions;
        "ListClosedWorkflowExecutions" list_closed_workflow_executions;
        "CountOpenWorkflowExecutions" count_open_workflow_executions;
        "CountClosedWorkflowExecutions" count_closed_workflow_executions;
        "CountPendingDecisionTasks" count_pending_decision_tasks;
        "CountPendingActivityTasks" count_pending_activity_tasks;
        "DescribeDomain" describe_domain;
        "DeprecateDomain" deprecate_domain;
        "UndeprecateDomain" undeprecate_domain;
        "ListDomains" list_domains;
        "DescribeWorkflowType" describe_workflow_type;
        "DeprecateWorkflowType" deprecate_workflow_type;
        "UndeprecateWorkflowType" undeprecate_workflow_type;
        "ListWorkflowTypes" list_workflow_types;
        "DescribeActivityType" describe_activity_type;
        "DeprecateActivityType" deprecate_activity_type;
        "UndeprecateActivityType" undeprecate_activity_type;
        "ListActivityTypes" list_activity_types;
        "UntagResource" untag_resource;
        "ListTagsForResource" list_tags_for_resource;
    }
}

pub(crate) fn poll_decision_request(body: &[u8]) -> Result<PollForDecisionTaskRequest, Fault> {
    request(body, "PollForDecisionTask")
}

pub(crate) fn poll_activity_request(body: &[u8]) -> Result<PollForActivityTaskRequest, Fault> {
    request(body, "PollForActivityTask")
}

/// The answer to a poll. One that ended without a decision task has no token: what SWF documents
/// as empty is not there on the wire, and clients look whether it is.
pub(crate) fn decision_task_body(polled: Option<&DecisionTask>) -> Result<Vec<u8>, Fault> {
    match polled {
        Some(decision_task) => answer(decision_task),
        None => answer(&json!({
            "previousStartedEventId": EventId(0),
            "startedEventId": EventId(0),
        })),
    }
}

/// The answer to a poll. One that ended without an activity task has no token either.
pub(crate) fn activity_task_body(polled: Option<&ActivityTask>) -> Result<Vec<u8>, Fault> {
    match polled {
        Some(activity_task) => answer(activity_task),
        None => answer(&json!({ "startedEventId": EventId(0) })),
    }
}

/// The body of an error response; its status is 400, or 500 for [`FaultKind::InternalFailure`].
pub(crate) fn fault_body(fault: &Fault) -> Vec<u8> {
    // SWF's own faults and those of AWS's front door come from different models.
    let namespace = match fault.kind {
        FaultKind::ValidationException => "com.amazon.coral.validate",
        FaultKind::SerializationException
        | FaultKind::UnknownOperationException
        | FaultKind::InternalFailure => "com.amazon.coral.service",
        FaultKind::ThrottlingException => "com.amazon.coral.availability",
        _ => "com.amazonaws.swf.base.model",
    };
    let kind = format!("{namespace}#{}", fault.kind);
    json!({ "__type": kind, "message": fault.message }).to_string().into_bytes()
}

fn unknown_operation(name: &str) -> Fault {
    let name: String = name.chars().take(64).collect();
    let message = format!("SWF has no operation `{name}`");
    Fault::new(FaultKind::UnknownOperationException, message)
}

/// Operations without a result answer with an empty body, as SWF does.
fn answer<T: Serialize>(answer: &T) -> Result<Vec<u8>, Fault> {
    let body = serde_json::to_vec(answer).map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "An answer cannot be written");
        Fault::new(FaultKind::InternalFailure, "The answer cannot be written")
    })?;
    Ok(if body == b"null" { Vec::new() } else { body })
}

fn request<T: DeserializeOwned>(body: &[u8], operation: &str) -> Result<T, Fault> {
    // A body may be left out where nothing is required.
    let body = if body.is_empty() { b"{}" } else { body };
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(unreadable("the body is not a JSON object"));
    }
    serde_json::from_slice(body).or_else(|error| reread(body, operation, &error))
}

/// Reads a request that cannot be read as it is: members that are `null` count as absent.
fn reread<T: DeserializeOwned>(
    body: &[u8],
    operation: &str,
    error: &serde_json::Error,
) -> Result<T, Fault> {
    let mut body: Value = serde_json::from_slice(body).map_err(|_| unreadable(error))?;
    refusal::drop_nulls(&mut body);
    T::deserialize(&body).map_err(|error| {
        match refusal::explain(operation, &body, &error.to_string()) {
            Some(message) => invalid(message),
            None => unreadable(error),
        }
    })
}

fn unreadable(why: impl ToString) -> Fault {
    Fault::new(FaultKind::SerializationException, why.to_string())
}

#[cfg(test)]
mod tests;
