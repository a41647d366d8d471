//! Events of child workflow executions, in the history of their parent.

use serde::{Deserialize, Serialize};

use crate::{cause::*, types::*};

/// Attributes of the event `StartChildWorkflowExecutionInitiated`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartChildWorkflowExecutionInitiated {
    pub workflow_id: WorkflowId,
    pub workflow_type: WorkflowType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_start_to_close_timeout: Option<Timeout>,
    pub task_list: TaskList,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_priority: Option<String>,
    pub decision_task_completed_event_id: EventId,
    pub child_policy: ChildPolicy,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_start_to_close_timeout: Option<Timeout>,
    #[serde(
        default,
        deserialize_with = "crate::types::without_nulls",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub tag_list: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lambda_role: Option<String>,
}

/// Attributes of the event `StartChildWorkflowExecutionFailed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartChildWorkflowExecutionFailed {
    pub workflow_type: WorkflowType,
    pub cause: StartChildWorkflowExecutionFailedCause,
    pub workflow_id: WorkflowId,
    pub initiated_event_id: EventId,
    pub decision_task_completed_event_id: EventId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<String>,
}

/// Attributes of the event `ChildWorkflowExecutionStarted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChildWorkflowExecutionStarted {
    pub workflow_execution: WorkflowExecution,
    pub workflow_type: WorkflowType,
    pub initiated_event_id: EventId,
}

/// Attributes of the event `ChildWorkflowExecutionCompleted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChildWorkflowExecutionCompleted {
    pub workflow_execution: WorkflowExecution,
    pub workflow_type: WorkflowType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    pub initiated_event_id: EventId,
    pub started_event_id: EventId,
}

/// Attributes of the event `ChildWorkflowExecutionFailed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChildWorkflowExecutionFailed {
    pub workflow_execution: WorkflowExecution,
    pub workflow_type: WorkflowType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    pub initiated_event_id: EventId,
    pub started_event_id: EventId,
}

/// Attributes of the event `ChildWorkflowExecutionTimedOut`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChildWorkflowExecutionTimedOut {
    pub workflow_execution: WorkflowExecution,
    pub workflow_type: WorkflowType,
    pub timeout_type: WorkflowExecutionTimeoutType,
    pub initiated_event_id: EventId,
    pub started_event_id: EventId,
}

/// Attributes of the event `ChildWorkflowExecutionCanceled`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChildWorkflowExecutionCanceled {
    pub workflow_execution: WorkflowExecution,
    pub workflow_type: WorkflowType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    pub initiated_event_id: EventId,
    pub started_event_id: EventId,
}

/// Attributes of the event `ChildWorkflowExecutionTerminated`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChildWorkflowExecutionTerminated {
    pub workflow_execution: WorkflowExecution,
    pub workflow_type: WorkflowType,
    pub initiated_event_id: EventId,
    pub started_event_id: EventId,
}
