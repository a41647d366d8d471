//! Events of decision tasks.

use serde::{Deserialize, Serialize};

use crate::types::*;

/// Attributes of the event `DecisionTaskScheduled`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionTaskScheduled {
    pub task_list: TaskList,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_priority: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_to_close_timeout: Option<Timeout>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule_to_start_timeout: Option<Timeout>,
}

/// Attributes of the event `DecisionTaskStarted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionTaskStarted {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    pub scheduled_event_id: EventId,
}

/// Attributes of the event `DecisionTaskCompleted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionTaskCompleted {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_context: Option<String>,
    pub scheduled_event_id: EventId,
    pub started_event_id: EventId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_list: Option<TaskList>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_list_schedule_to_start_timeout: Option<Timeout>,
}

/// Attributes of the event `DecisionTaskTimedOut`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionTaskTimedOut {
    pub timeout_type: DecisionTaskTimeoutType,
    pub scheduled_event_id: EventId,
    pub started_event_id: EventId,
}
