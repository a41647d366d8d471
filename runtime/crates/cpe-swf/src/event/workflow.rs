//! Events of the workflow execution itself.

use serde::{Deserialize, Serialize};

use crate::{cause::*, types::*};

/// Attributes of the event `WorkflowExecutionStarted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowExecutionStarted {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_start_to_close_timeout: Option<Timeout>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_start_to_close_timeout: Option<Timeout>,
    pub child_policy: ChildPolicy,
    pub task_list: TaskList,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_priority: Option<String>,
    pub workflow_type: WorkflowType,
    #[serde(
        default,
        deserialize_with = "crate::types::without_nulls",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub tag_list: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continued_execution_run_id: Option<RunId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_workflow_execution: Option<WorkflowExecution>,
    #[serde(default)]
    pub parent_initiated_event_id: EventId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lambda_role: Option<String>,
}

/// Attributes of the event `WorkflowExecutionCancelRequested`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowExecutionCancelRequested {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_workflow_execution: Option<WorkflowExecution>,
    #[serde(default)]
    pub external_initiated_event_id: EventId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<WorkflowExecutionCancelRequestedCause>,
}

/// Attributes of the event `WorkflowExecutionCompleted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowExecutionCompleted {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    pub decision_task_completed_event_id: EventId,
}

/// Attributes of the event `CompleteWorkflowExecutionFailed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CompleteWorkflowExecutionFailed {
    pub cause: CompleteWorkflowExecutionFailedCause,
    pub decision_task_completed_event_id: EventId,
}

/// Attributes of the event `WorkflowExecutionFailed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowExecutionFailed {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    pub decision_task_completed_event_id: EventId,
}

/// Attributes of the event `FailWorkflowExecutionFailed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailWorkflowExecutionFailed {
    pub cause: FailWorkflowExecutionFailedCause,
    pub decision_task_completed_event_id: EventId,
}

/// Attributes of the event `WorkflowExecutionTimedOut`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowExecutionTimedOut {
    pub timeout_type: WorkflowExecutionTimeoutType,
    pub child_policy: ChildPolicy,
}

/// Attributes of the event `WorkflowExecutionCanceled`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowExecutionCanceled {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    pub decision_task_completed_event_id: EventId,
}

/// Attributes of the event `CancelWorkflowExecutionFailed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CancelWorkflowExecutionFailed {
    pub cause: CancelWorkflowExecutionFailedCause,
    pub decision_task_completed_event_id: EventId,
}

/// Attributes of the event `WorkflowExecutionContinuedAsNew`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowExecutionContinuedAsNew {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    pub decision_task_completed_event_id: EventId,
    pub new_execution_run_id: RunId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_start_to_close_timeout: Option<Timeout>,
    pub task_list: TaskList,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_priority: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_start_to_close_timeout: Option<Timeout>,
    pub child_policy: ChildPolicy,
    #[serde(
        default,
        deserialize_with = "crate::types::without_nulls",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub tag_list: Vec<String>,
    pub workflow_type: WorkflowType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lambda_role: Option<String>,
}

/// Attributes of the event `ContinueAsNewWorkflowExecutionFailed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContinueAsNewWorkflowExecutionFailed {
    pub cause: ContinueAsNewWorkflowExecutionFailedCause,
    pub decision_task_completed_event_id: EventId,
}

/// Attributes of the event `WorkflowExecutionTerminated`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowExecutionTerminated {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    pub child_policy: ChildPolicy,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<WorkflowExecutionTerminatedCause>,
}

/// Attributes of the event `WorkflowExecutionSignaled`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowExecutionSignaled {
    pub signal_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_workflow_execution: Option<WorkflowExecution>,
    #[serde(default)]
    pub external_initiated_event_id: EventId,
}
