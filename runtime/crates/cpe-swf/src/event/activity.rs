//! Events of activity tasks.

use serde::{Deserialize, Serialize};

use crate::{cause::*, types::*};

/// Attributes of the event `ActivityTaskScheduled`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActivityTaskScheduled {
    pub activity_type: ActivityType,
    pub activity_id: ActivityId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule_to_start_timeout: Option<Timeout>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule_to_close_timeout: Option<Timeout>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_to_close_timeout: Option<Timeout>,
    pub task_list: TaskList,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_priority: Option<String>,
    pub decision_task_completed_event_id: EventId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_timeout: Option<Timeout>,
}

/// Attributes of the event `ScheduleActivityTaskFailed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleActivityTaskFailed {
    pub activity_type: ActivityType,
    pub activity_id: ActivityId,
    pub cause: ScheduleActivityTaskFailedCause,
    pub decision_task_completed_event_id: EventId,
}

/// Attributes of the event `ActivityTaskStarted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActivityTaskStarted {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    pub scheduled_event_id: EventId,
}

/// Attributes of the event `ActivityTaskCompleted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActivityTaskCompleted {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    pub scheduled_event_id: EventId,
    pub started_event_id: EventId,
}

/// Attributes of the event `ActivityTaskFailed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActivityTaskFailed {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    pub scheduled_event_id: EventId,
    pub started_event_id: EventId,
}

/// Attributes of the event `ActivityTaskTimedOut`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActivityTaskTimedOut {
    pub timeout_type: ActivityTaskTimeoutType,
    pub scheduled_event_id: EventId,
    pub started_event_id: EventId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
}

/// Attributes of the event `ActivityTaskCanceled`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActivityTaskCanceled {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    pub scheduled_event_id: EventId,
    pub started_event_id: EventId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_cancel_requested_event_id: Option<EventId>,
}

/// Attributes of the event `ActivityTaskCancelRequested`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActivityTaskCancelRequested {
    pub decision_task_completed_event_id: EventId,
    pub activity_id: ActivityId,
}

/// Attributes of the event `RequestCancelActivityTaskFailed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestCancelActivityTaskFailed {
    pub activity_id: ActivityId,
    pub cause: RequestCancelActivityTaskFailedCause,
    pub decision_task_completed_event_id: EventId,
}
