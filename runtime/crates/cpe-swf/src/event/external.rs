//! Events of signals and cancel requests sent to other workflow executions.

use serde::{Deserialize, Serialize};

use crate::{cause::*, types::*};

/// Attributes of the event `SignalExternalWorkflowExecutionInitiated`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignalExternalWorkflowExecutionInitiated {
    pub workflow_id: WorkflowId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    pub signal_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    pub decision_task_completed_event_id: EventId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<String>,
}

/// Attributes of the event `SignalExternalWorkflowExecutionFailed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignalExternalWorkflowExecutionFailed {
    pub workflow_id: WorkflowId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    pub cause: SignalExternalWorkflowExecutionFailedCause,
    pub initiated_event_id: EventId,
    pub decision_task_completed_event_id: EventId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<String>,
}

/// Attributes of the event `ExternalWorkflowExecutionSignaled`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExternalWorkflowExecutionSignaled {
    pub workflow_execution: WorkflowExecution,
    pub initiated_event_id: EventId,
}

/// Attributes of the event `RequestCancelExternalWorkflowExecutionInitiated`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestCancelExternalWorkflowExecutionInitiated {
    pub workflow_id: WorkflowId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    pub decision_task_completed_event_id: EventId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<String>,
}

/// Attributes of the event `RequestCancelExternalWorkflowExecutionFailed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestCancelExternalWorkflowExecutionFailed {
    pub workflow_id: WorkflowId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    pub cause: RequestCancelExternalWorkflowExecutionFailedCause,
    pub initiated_event_id: EventId,
    pub decision_task_completed_event_id: EventId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<String>,
}

/// Attributes of the event `ExternalWorkflowExecutionCancelRequested`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExternalWorkflowExecutionCancelRequested {
    pub workflow_execution: WorkflowExecution,
    pub initiated_event_id: EventId,
}
