//! Requests and answers of pollers: decision tasks, activity tasks and their answers.

use serde::{Deserialize, Serialize};

use crate::{decision::Decision, event::HistoryEvent, types::*};

/// The request of `PollForActivityTask`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PollForActivityTaskRequest {
    pub domain: DomainName,
    pub task_list: TaskList,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
}

/// The shape `ActivityTask` of the service model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActivityTask {
    pub task_token: TaskToken,
    pub activity_id: ActivityId,
    pub started_event_id: EventId,
    pub workflow_execution: WorkflowExecution,
    pub activity_type: ActivityType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
}

/// The request of `PollForDecisionTask`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PollForDecisionTaskRequest {
    pub domain: DomainName,
    pub task_list: TaskList,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_page_size: Option<u32>,
    #[serde(default)]
    pub reverse_order: bool,
    #[serde(default)]
    pub start_at_previous_started_event: bool,
}

/// The shape `DecisionTask` of the service model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionTask {
    pub task_token: TaskToken,
    pub started_event_id: EventId,
    pub workflow_execution: WorkflowExecution,
    pub workflow_type: WorkflowType,
    pub events: Vec<HistoryEvent>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_started_event_id: Option<EventId>,
}

/// The request of `RecordActivityTaskHeartbeat`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordActivityTaskHeartbeatRequest {
    pub task_token: TaskToken,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
}

/// The shape `ActivityTaskStatus` of the service model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActivityTaskStatus {
    pub cancel_requested: bool,
}

/// The request of `RespondActivityTaskCanceled`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RespondActivityTaskCanceledRequest {
    pub task_token: TaskToken,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
}

/// The request of `RespondActivityTaskCompleted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RespondActivityTaskCompletedRequest {
    pub task_token: TaskToken,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
}

/// The request of `RespondActivityTaskFailed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RespondActivityTaskFailedRequest {
    pub task_token: TaskToken,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
}

/// The request of `RespondDecisionTaskCompleted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RespondDecisionTaskCompletedRequest {
    pub task_token: TaskToken,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<Decision>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_context: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_list: Option<TaskList>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_list_schedule_to_start_timeout: Option<Timeout>,
}
