//! Events of Lambda functions.

use serde::{Deserialize, Serialize};

use crate::{cause::*, types::*};

/// Attributes of the event `LambdaFunctionScheduled`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LambdaFunctionScheduled {
    pub id: String,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_to_close_timeout: Option<Timeout>,
    pub decision_task_completed_event_id: EventId,
}

/// Attributes of the event `LambdaFunctionStarted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LambdaFunctionStarted {
    pub scheduled_event_id: EventId,
}

/// Attributes of the event `LambdaFunctionCompleted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LambdaFunctionCompleted {
    pub scheduled_event_id: EventId,
    pub started_event_id: EventId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
}

/// Attributes of the event `LambdaFunctionFailed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LambdaFunctionFailed {
    pub scheduled_event_id: EventId,
    pub started_event_id: EventId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
}

/// Attributes of the event `LambdaFunctionTimedOut`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LambdaFunctionTimedOut {
    pub scheduled_event_id: EventId,
    pub started_event_id: EventId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_type: Option<LambdaFunctionTimeoutType>,
}

/// Attributes of the event `ScheduleLambdaFunctionFailed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleLambdaFunctionFailed {
    pub id: String,
    pub name: String,
    pub cause: ScheduleLambdaFunctionFailedCause,
    pub decision_task_completed_event_id: EventId,
}

/// Attributes of the event `StartLambdaFunctionFailed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartLambdaFunctionFailed {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_event_id: Option<EventId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<StartLambdaFunctionFailedCause>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
