//! Events of timers and markers.

use serde::{Deserialize, Serialize};

use crate::{cause::*, types::*};

/// Attributes of the event `MarkerRecorded`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MarkerRecorded {
    pub marker_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    pub decision_task_completed_event_id: EventId,
}

/// Attributes of the event `RecordMarkerFailed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordMarkerFailed {
    pub marker_name: String,
    pub cause: RecordMarkerFailedCause,
    pub decision_task_completed_event_id: EventId,
}

/// Attributes of the event `TimerStarted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TimerStarted {
    pub timer_id: TimerId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<String>,
    pub start_to_fire_timeout: Timeout,
    pub decision_task_completed_event_id: EventId,
}

/// Attributes of the event `StartTimerFailed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartTimerFailed {
    pub timer_id: TimerId,
    pub cause: StartTimerFailedCause,
    pub decision_task_completed_event_id: EventId,
}

/// Attributes of the event `TimerFired`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TimerFired {
    pub timer_id: TimerId,
    pub started_event_id: EventId,
}

/// Attributes of the event `TimerCanceled`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TimerCanceled {
    pub timer_id: TimerId,
    pub started_event_id: EventId,
    pub decision_task_completed_event_id: EventId,
}

/// Attributes of the event `CancelTimerFailed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CancelTimerFailed {
    pub timer_id: TimerId,
    pub cause: CancelTimerFailedCause,
    pub decision_task_completed_event_id: EventId,
}
