//! The history of a workflow execution: every kind of event that SWF writes.
//!
//! Source: the data type `HistoryEvent` of the SWF API reference.

mod activity;
mod child;
mod decision_task;
mod external;
mod lambda;
mod timer;
mod workflow;

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap};

pub use self::{
    activity::*, child::*, decision_task::*, external::*, lambda::*, timer::*, workflow::*,
};
use crate::{
    tagged::tagged,
    types::{EventId, Timestamp},
};

/// One event of a history. Cheap to clone: the attributes are shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEvent {
    pub event_id: EventId,
    pub event_timestamp: Timestamp,
    pub attributes: Arc<EventAttributes>,
}

impl HistoryEvent {
    /// The event type's name on the wire, such as `ActivityTaskScheduled`.
    pub fn event_type(&self) -> &'static str {
        self.attributes.type_name()
    }
}

impl Serialize for HistoryEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("eventId", &self.event_id)?;
        map.serialize_entry("eventTimestamp", &self.event_timestamp)?;
        self.attributes.serialize_into(&mut map)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for HistoryEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Head {
            event_id: EventId,
            event_timestamp: Timestamp,
            #[serde(flatten)]
            rest: serde_json::Map<String, serde_json::Value>,
        }
        let mut head = Head::deserialize(deserializer)?;
        let attributes = EventAttributes::from_map::<D::Error>(&mut head.rest)
            .map_err(|error| de::Error::custom(format_args!("event {}: {error}", head.event_id)))?;
        Ok(Self {
            event_id: head.event_id,
            event_timestamp: head.event_timestamp,
            attributes: Arc::new(attributes),
        })
    }
}

tagged! {
    /// What an event says, by its type.
    EventAttributes tagged by "eventType" {
        WorkflowExecutionStarted "workflowExecutionStartedEventAttributes",
        WorkflowExecutionCancelRequested "workflowExecutionCancelRequestedEventAttributes",
        WorkflowExecutionCompleted "workflowExecutionCompletedEventAttributes",
        CompleteWorkflowExecutionFailed "completeWorkflowExecutionFailedEventAttributes",
        WorkflowExecutionFailed "workflowExecutionFailedEventAttributes",
        FailWorkflowExecutionFailed "failWorkflowExecutionFailedEventAttributes",
        WorkflowExecutionTimedOut "workflowExecutionTimedOutEventAttributes",
        WorkflowExecutionCanceled "workflowExecutionCanceledEventAttributes",
        CancelWorkflowExecutionFailed "cancelWorkflowExecutionFailedEventAttributes",
        WorkflowExecutionContinuedAsNew "workflowExecutionContinuedAsNewEventAttributes",
        ContinueAsNewWorkflowExecutionFailed "continueAsNewWorkflowExecutionFailedEventAttributes",
        WorkflowExecutionTerminated "workflowExecutionTerminatedEventAttributes",
        DecisionTaskScheduled "decisionTaskScheduledEventAttributes",
        DecisionTaskStarted "decisionTaskStartedEventAttributes",
        DecisionTaskCompleted "decisionTaskCompletedEventAttributes",
        DecisionTaskTimedOut "decisionTaskTimedOutEventAttributes",
        ActivityTaskScheduled "activityTaskScheduledEventAttributes",
        ScheduleActivityTaskFailed "scheduleActivityTaskFailedEventAttributes",
        ActivityTaskStarted "activityTaskStartedEventAttributes",
        ActivityTaskCompleted "activityTaskCompletedEventAttributes",
        ActivityTaskFailed "activityTaskFailedEventAttributes",
        ActivityTaskTimedOut "activityTaskTimedOutEventAttributes",
        ActivityTaskCanceled "activityTaskCanceledEventAttributes",
        ActivityTaskCancelRequested "activityTaskCancelRequestedEventAttributes",
        RequestCancelActivityTaskFailed "requestCancelActivityTaskFailedEventAttributes",
        WorkflowExecutionSignaled "workflowExecutionSignaledEventAttributes",
        MarkerRecorded "markerRecordedEventAttributes",
        RecordMarkerFailed "recordMarkerFailedEventAttributes",
        TimerStarted "timerStartedEventAttributes",
        StartTimerFailed "startTimerFailedEventAttributes",
        TimerFired "timerFiredEventAttributes",
        TimerCanceled "timerCanceledEventAttributes",
        CancelTimerFailed "cancelTimerFailedEventAttributes",
        StartChildWorkflowExecutionInitiated "startChildWorkflowExecutionInitiatedEventAttributes",
        StartChildWorkflowExecutionFailed "startChildWorkflowExecutionFailedEventAttributes",
        ChildWorkflowExecutionStarted "childWorkflowExecutionStartedEventAttributes",
        ChildWorkflowExecutionCompleted "childWorkflowExecutionCompletedEventAttributes",
        ChildWorkflowExecutionFailed "childWorkflowExecutionFailedEventAttributes",
        ChildWorkflowExecutionTimedOut "childWorkflowExecutionTimedOutEventAttributes",
        ChildWorkflowExecutionCanceled "childWorkflowExecutionCanceledEventAttributes",
        ChildWorkflowExecutionTerminated "childWorkflowExecutionTerminatedEventAttributes",
        SignalExternalWorkflowExecutionInitiated "signalExternalWorkflowExecutionInitiatedEventAttributes",
        SignalExternalWorkflowExecutionFailed "signalExternalWorkflowExecutionFailedEventAttributes",
        ExternalWorkflowExecutionSignaled "externalWorkflowExecutionSignaledEventAttributes",
        RequestCancelExternalWorkflowExecutionInitiated "requestCancelExternalWorkflowExecutionInitiatedEventAttributes",
        RequestCancelExternalWorkflowExecutionFailed "requestCancelExternalWorkflowExecutionFailedEventAttributes",
        ExternalWorkflowExecutionCancelRequested "externalWorkflowExecutionCancelRequestedEventAttributes",
        LambdaFunctionScheduled "lambdaFunctionScheduledEventAttributes",
        LambdaFunctionStarted "lambdaFunctionStartedEventAttributes",
        LambdaFunctionCompleted "lambdaFunctionCompletedEventAttributes",
        LambdaFunctionFailed "lambdaFunctionFailedEventAttributes",
        LambdaFunctionTimedOut "lambdaFunctionTimedOutEventAttributes",
        ScheduleLambdaFunctionFailed "scheduleLambdaFunctionFailedEventAttributes",
        StartLambdaFunctionFailed "startLambdaFunctionFailedEventAttributes",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_reads_and_writes_the_wire_form() {
        let wire = r#"{"eventId":4,"eventTimestamp":1492443962.037,"eventType":"TimerStarted","timerStartedEventAttributes":{"timerId":"t","startToFireTimeout":"120","decisionTaskCompletedEventId":3}}"#;
        let event: HistoryEvent = serde_json::from_str(wire).unwrap();
        assert_eq!(event.event_type(), "TimerStarted");
        assert_eq!(event.event_timestamp, Timestamp::from_millis(1_492_443_962_037));
        assert_eq!(serde_json::to_string(&event).unwrap(), wire);
    }

    #[test]
    fn an_unknown_event_type_is_an_error() {
        let wire = r#"{"eventId":4,"eventTimestamp":1.5,"eventType":"Nonsense"}"#;
        let error = serde_json::from_str::<HistoryEvent>(wire).unwrap_err();
        assert_eq!(error.to_string(), "event 4: unknown eventType `Nonsense`");
    }
}
