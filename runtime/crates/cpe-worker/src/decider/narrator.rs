//! What a client hears of a history and of decisions. Pure: when it is sent is not known here.

use std::collections::BTreeMap;

use cpe_plan::Plan;
use cpe_protocol::{ActivityRef, EventData};
use cpe_swf::{Decision, EventAttributes, EventId, HistoryEvent, Timestamp};
use serde_json::Value;

use super::expected_event;

/// One thing to tell.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fact {
    pub(super) time: Timestamp,
    pub(super) seq: i64,
    pub(super) data: EventData,
}

/// Remembers which activity tasks are open, since later events name them by number only.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Narrator {
    open: BTreeMap<EventId, ActivityRef>,
}

impl Narrator {
    /// What one event of the history tells, if anything.
    pub(super) fn apply(&mut self, plan: &Plan, event: &HistoryEvent) -> Option<Fact> {
        let data = self.data(plan, event)?;
        Some(Fact { time: event.event_timestamp, seq: event.event_id.0, data })
    }

    fn data(&mut self, plan: &Plan, event: &HistoryEvent) -> Option<EventData> {
        Some(match &*event.attributes {
            // A run that continues another one is the same job to its client.
            EventAttributes::WorkflowExecutionStarted(started) => {
                started.continued_execution_run_id.is_none().then_some(EventData::JobStarted)?
            }
            EventAttributes::ActivityTaskScheduled(scheduled) => {
                let activity = ActivityRef {
                    activity_id: scheduled.activity_id.clone(),
                    activity_type: scheduled.activity_type.clone(),
                };
                self.open.insert(event.event_id, activity);
                // Told with the decision already.
                return None;
            }
            EventAttributes::ActivityTaskStarted(started) => {
                let activity = self.open.get(&started.scheduled_event_id)?;
                // CPE's own workers tell it themselves, when it happens.
                let ours = plan.activity(&activity.activity_type)?.module.is_some();
                (!ours).then(|| EventData::ActivityStarted { activity: activity.clone() })?
            }
            EventAttributes::ActivityTaskCompleted(end) => EventData::ActivityCompleted {
                activity: self.open.remove(&end.scheduled_event_id)?,
                result: end.result.clone(),
            },
            EventAttributes::ActivityTaskFailed(end) => EventData::ActivityFailed {
                activity: self.open.remove(&end.scheduled_event_id)?,
                reason: end.reason.clone().unwrap_or_default(),
                details: readable(end.details.as_deref()),
            },
            EventAttributes::ActivityTaskTimedOut(end) => EventData::ActivityTimeout {
                activity: self.open.remove(&end.scheduled_event_id)?,
                timeout: end.timeout_type,
                details: readable(end.details.as_deref()),
            },
            EventAttributes::ActivityTaskCanceled(end) => EventData::ActivityCanceled {
                activity: self.open.remove(&end.scheduled_event_id)?,
                details: readable(end.details.as_deref()),
            },
            _ => return None,
        })
    }
}

/// What follows from decisions that are about to be answered, at the time of answering.
pub(super) fn of_decisions(decisions: &[Decision], started: EventId, now: Timestamp) -> Vec<Fact> {
    let told = decisions.iter().enumerate().filter_map(|(index, decision)| {
        let data = match decision {
            Decision::ScheduleActivityTask(scheduled) => EventData::ActivityScheduled {
                activity: ActivityRef {
                    activity_id: scheduled.activity_id.clone(),
                    activity_type: scheduled.activity_type.clone(),
                },
                input: scheduled.input.clone(),
            },
            Decision::CompleteWorkflowExecution(end) => {
                EventData::JobCompleted { result: end.result.clone() }
            }
            Decision::FailWorkflowExecution(end) => EventData::JobFailed {
                reason: end.reason.clone().unwrap_or_default(),
                details: of_step(end.details.as_deref()),
            },
            Decision::CancelWorkflowExecution(end) => {
                EventData::JobCanceled { details: end.details.clone().unwrap_or_default() }
            }
            _ => return None,
        };
        Some(Fact { time: now, seq: expected_event(started, index), data })
    });
    told.collect()
}

/// The text within what CPE's workers write: `{"details": text, "retryable": …}` is for plans.
/// What others wrote stays as it is.
fn readable(details: Option<&str>) -> String {
    let details = details.unwrap_or_default();
    let parsed = serde_json::from_str(details).ok();
    parsed.as_ref().and_then(text_within).map_or_else(|| details.to_owned(), str::to_owned)
}

/// The same, one level deeper: the details of a failed execution name the step, and in it what
/// its worker wrote.
fn of_step(details: Option<&str>) -> String {
    let details = details.unwrap_or_default();
    let mut parsed: Option<Value> = serde_json::from_str(details).ok();
    if let Some(inner) = parsed.as_mut().and_then(|value| value.get_mut("details"))
        && let Some(text) = text_within(inner).map(str::to_owned)
    {
        *inner = Value::String(text);
    }
    parsed.map_or_else(|| details.to_owned(), |value| value.to_string())
}

fn text_within(value: &Value) -> Option<&str> {
    value.get("retryable")?;
    value.get("details")?.as_str()
}
