//! What a client hears of a history and of decisions. Pure: when it is sent is not known here.

use std::collections::BTreeMap;

use cpe_plan::Plan;
use cpe_protocol::{ActivityRef, EventData, Metering, Note};
use cpe_swf::{Decision, EventAttributes, EventId, HistoryEvent, Timestamp};

use super::expected_event;
use crate::ending::{of_step, readable};

/// One thing to tell.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fact {
    pub(super) time: Timestamp,
    pub(super) seq: i64,
    /// `None` for what clients do not hear.
    pub(super) data: Option<EventData>,
    /// The priority of an activity task that has begun.
    pub(super) begun: Option<String>,
}

/// Remembers which activity tasks are open, since later events name them by number only.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Narrator {
    open: BTreeMap<EventId, Open>,
}

#[derive(Debug, Clone, PartialEq)]
struct Open {
    activity: ActivityRef,
    priority: Option<String>,
}

impl Narrator {
    /// What one event of the history tells, if anything.
    pub(super) fn apply(&mut self, plan: &Plan, event: &HistoryEvent) -> Option<Fact> {
        let begun = match &*event.attributes {
            EventAttributes::ActivityTaskStarted(started) => {
                self.open.get(&started.scheduled_event_id)?.priority.clone()
            }
            _ => None,
        };
        let data = self.data(plan, event);
        let (time, seq) = (event.event_timestamp, event.event_id.0);
        (data.is_some() || begun.is_some()).then_some(Fact { time, seq, data, begun })
    }

    fn close(&mut self, scheduled: EventId) -> Option<ActivityRef> {
        Some(self.open.remove(&scheduled)?.activity)
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
                let priority = scheduled.task_priority.clone();
                self.open.insert(event.event_id, Open { activity, priority });
                // Told with the decision already.
                return None;
            }
            EventAttributes::ActivityTaskStarted(started) => {
                let activity = &self.open.get(&started.scheduled_event_id)?.activity;
                // CPE's own workers tell it themselves, when it happens.
                let ours = plan.activity(&activity.activity_type)?.module.is_some();
                (!ours).then(|| EventData::ActivityStarted { activity: activity.clone() })?
            }
            EventAttributes::ActivityTaskCompleted(end) => EventData::ActivityCompleted {
                activity: self.close(end.scheduled_event_id)?,
                result: end.result().map(str::to_owned),
                metering: metering(end.note()),
            },
            EventAttributes::ActivityTaskFailed(end) => EventData::ActivityFailed {
                activity: self.close(end.scheduled_event_id)?,
                reason: end.reason.clone().unwrap_or_default(),
                details: readable(end.details()),
                metering: metering(end.note()),
            },
            EventAttributes::ActivityTaskTimedOut(end) => EventData::ActivityTimeout {
                activity: self.close(end.scheduled_event_id)?,
                timeout: end.timeout_type,
                details: readable(end.details.as_deref()),
            },
            EventAttributes::ActivityTaskCanceled(end) => EventData::ActivityCanceled {
                activity: self.close(end.scheduled_event_id)?,
                details: readable(end.details()),
                metering: metering(end.note()),
            },
            _ => return None,
        })
    }
}

/// What a worker of CPE's own noted.
fn metering(note: Option<&str>) -> Option<Box<Metering>> {
    Some(Box::new(Note::parse(note?)?.metering))
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
        let seq = expected_event(started, index);
        Some(Fact { time: now, seq, data: Some(data), begun: None })
    });
    told.collect()
}
