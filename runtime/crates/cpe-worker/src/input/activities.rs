//! The activities of a run, from its history. Pure.

use std::collections::BTreeMap;

use cpe_plan::parse_activity_id;
use cpe_protocol::{ActivityInfo, ActivityRef, ActivityStatus};
use cpe_swf::{ActivityId, EventAttributes, EventId, HistoryEvent, event::ActivityTaskScheduled};
use serde_json::{Value, json};

use crate::ending::readable;

/// One activity task: the event that scheduled it, how it is, and what it came to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) scheduled: EventId,
    pub(super) info: ActivityInfo,
    pub(super) result: Option<Value>,
}

/// All of them, in the order in which they were scheduled.
#[derive(Debug, Default)]
pub(super) struct ActivityTable {
    entries: BTreeMap<EventId, Entry>,
    by_id: BTreeMap<ActivityId, EventId>,
}

impl ActivityTable {
    pub(super) fn of(events: &[HistoryEvent]) -> Self {
        let mut table = Self::default();
        events.iter().for_each(|event| table.apply(event));
        table
    }

    /// The last activity task with that id; where it names a step only, the last attempt of it.
    pub(super) fn named(&self, id: &ActivityId) -> Option<&Entry> {
        if let Some(event) = self.by_id.get(id) {
            let latest = self.entries.get(event)?;
            let asked = parse_activity_id(id.as_str());
            // An id without an attempt means the step or the item, not its first attempt.
            if asked.attempt > 1 {
                return Some(latest);
            }
        }
        let asked = parse_activity_id(id.as_str());
        self.entries.values().rev().find(|entry| {
            let known = parse_activity_id(entry.info.activity.activity_id.as_str());
            (known.step, known.item) == (asked.step, asked.item)
                && (asked.attempt == 1 || asked.attempt == known.attempt)
        })
    }

    /// Those that were scheduled after an event.
    pub(super) fn after(&self, event: EventId) -> impl Iterator<Item = &Entry> {
        self.entries.range(EventId(event.0.saturating_add(1))..).map(|(_, entry)| entry)
    }

    fn apply(&mut self, event: &HistoryEvent) {
        match &*event.attributes {
            EventAttributes::ActivityTaskScheduled(scheduled) => self.schedule(event, scheduled),
            EventAttributes::ActivityTaskStarted(started) => {
                if let Some(entry) = self.entries.get_mut(&started.scheduled_event_id) {
                    entry.info.status = ActivityStatus::Running;
                    entry.info.started = Some(event.event_timestamp);
                }
            }
            EventAttributes::ActivityTaskCancelRequested(asked) => {
                let entry = self.by_id.get(&asked.activity_id);
                if let Some(entry) = entry.and_then(|event| self.entries.get_mut(event)) {
                    entry.info.cancel_requested = true;
                }
            }
            EventAttributes::ActivityTaskCompleted(end) => {
                let result = end.result().map(embed);
                self.end(event, end.scheduled_event_id, ActivityStatus::Completed, (None, result));
            }
            EventAttributes::ActivityTaskFailed(end) => {
                let why = failure(end.reason.as_deref(), end.details());
                self.end(event, end.scheduled_event_id, ActivityStatus::Failed, why);
            }
            EventAttributes::ActivityTaskTimedOut(end) => {
                let why = failure(Some(end.timeout_type.as_str()), end.details.as_deref());
                self.end(event, end.scheduled_event_id, ActivityStatus::TimedOut, why);
            }
            EventAttributes::ActivityTaskCanceled(end) => {
                let why = failure(Some("CANCELED"), end.details());
                self.end(event, end.scheduled_event_id, ActivityStatus::Canceled, why);
            }
            _ => {}
        }
    }

    fn schedule(&mut self, event: &HistoryEvent, scheduled: &ActivityTaskScheduled) {
        let id = parse_activity_id(scheduled.activity_id.as_str());
        let info = ActivityInfo {
            activity: ActivityRef {
                activity_id: scheduled.activity_id.clone(),
                activity_type: scheduled.activity_type.clone(),
            },
            step: id.step.to_owned(),
            attempt: id.attempt,
            status: ActivityStatus::Scheduled,
            scheduled: event.event_timestamp,
            started: None,
            ended: None,
            cancel_requested: false,
            reason: None,
        };
        let entry = Entry { scheduled: event.event_id, info, result: None };
        self.by_id.insert(scheduled.activity_id.clone(), event.event_id);
        self.entries.insert(event.event_id, entry);
    }

    fn end(
        &mut self,
        event: &HistoryEvent,
        scheduled: EventId,
        status: ActivityStatus,
        (reason, result): (Option<String>, Option<Value>),
    ) {
        if let Some(entry) = self.entries.get_mut(&scheduled) {
            entry.info.status = status;
            entry.info.ended = Some(event.event_timestamp);
            entry.info.reason = reason;
            entry.result = result;
        }
    }
}

fn failure(reason: Option<&str>, details: Option<&str>) -> (Option<String>, Option<Value>) {
    let reason = reason.unwrap_or_default();
    let result = json!({"reason": reason, "details": embed(&readable(details))});
    (Some(reason.to_owned()), Some(result))
}

/// JSON text as the value that it is, other text as a string.
fn embed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}
