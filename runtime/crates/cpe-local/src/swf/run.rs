//! The state of an open run: a fold over its history, and what it offers and waits for.

mod fold;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use cpe_swf::{
    ActivityId, ActivityTaskTimeoutType, ActivityType, CloseStatus, EventAttributes, EventId,
    HistoryEvent, TaskList, Timeout, TimerId, Timestamp, WorkflowId,
    event::{DecisionTaskScheduled, WorkflowExecutionStarted},
};

use super::TaskKind;

/// A part of a run that may have a deadline, an entry in a task list, or both.
///
/// The order is that of deadlines at the same millisecond of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Slot {
    Execution,
    Decision,
    /// By its scheduled event.
    Activity(EventId),
    /// By its started event.
    Timer(EventId),
}

impl Slot {
    /// The slot that an event changes. Closing events change all, and are seen to apart.
    pub(super) fn touched_by(event: &HistoryEvent) -> Option<Self> {
        use EventAttributes as E;
        match &*event.attributes {
            E::WorkflowExecutionStarted(_) => Some(Self::Execution),
            E::DecisionTaskScheduled(_)
            | E::DecisionTaskStarted(_)
            | E::DecisionTaskCompleted(_)
            | E::DecisionTaskTimedOut(_) => Some(Self::Decision),
            E::ActivityTaskScheduled(_) => Some(Self::Activity(event.event_id)),
            E::ActivityTaskStarted(e) => Some(Self::Activity(e.scheduled_event_id)),
            E::ActivityTaskCompleted(e) => Some(Self::Activity(e.scheduled_event_id)),
            E::ActivityTaskFailed(e) => Some(Self::Activity(e.scheduled_event_id)),
            E::ActivityTaskTimedOut(e) => Some(Self::Activity(e.scheduled_event_id)),
            E::ActivityTaskCanceled(e) => Some(Self::Activity(e.scheduled_event_id)),
            E::TimerStarted(_) => Some(Self::Timer(event.event_id)),
            E::TimerFired(e) => Some(Self::Timer(e.started_event_id)),
            E::TimerCanceled(e) => Some(Self::Timer(e.started_event_id)),
            _ => None,
        }
    }
}

/// An entry that a slot has in a task list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offer<'a> {
    pub(super) kind: TaskKind,
    pub(super) task_list: &'a str,
    pub(super) priority: i32,
    pub(super) since: Timestamp,
    pub(super) scheduled: EventId,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunState {
    /// The last event so far; also how many there are.
    pub(crate) last: EventId,
    pub(crate) started_at: Timestamp,
    /// What the run was started with, without its input.
    pub(crate) config: WorkflowExecutionStarted,
    pub(crate) cancel_requested: bool,
    pub(crate) closed: Option<(Timestamp, CloseStatus)>,
    pub(crate) decisions: DecisionTasks,
    /// Open activity tasks, by scheduled event.
    pub(crate) activities: BTreeMap<EventId, Activity>,
    pub(crate) activity_ids: HashMap<ActivityId, EventId>,
    /// Open timers, by started event.
    pub(crate) timers: BTreeMap<EventId, Timer>,
    pub(crate) timer_ids: HashMap<TimerId, EventId>,
    /// Open children, by initiated event.
    pub(crate) children: BTreeMap<EventId, Child>,
    /// When an activity task was last scheduled, started or closed. (The reference says only
    /// "scheduled"; recordings of SWF show the others as well.)
    pub(crate) latest_activity: Option<Timestamp>,
    pub(crate) latest_context: Option<String>,
    /// Not from events: whether a heartbeat of this run was ever written.
    pub(crate) had_heartbeats: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DecisionTasks {
    /// Scheduled and not yet started. May wait for the started one to end.
    pub(crate) waiting: Option<WaitingDecision>,
    pub(crate) started: Option<StartedDecision>,
    /// The started event of the last decision task that was completed; 0 if none was.
    pub(crate) previous_started: EventId,
    pub(crate) sticky: Option<StickyList>,
}

/// The task list that the last answer set in place of the run's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StickyList {
    pub(crate) task_list: TaskList,
    /// If set, the override ends with the first decision task that times out.
    pub(crate) schedule_to_start: Option<Timeout>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WaitingDecision {
    pub(crate) scheduled: EventId,
    pub(crate) at: Timestamp,
    pub(crate) task_list: String,
    pub(crate) priority: i32,
    pub(crate) schedule_to_start: Timeout,
    pub(crate) start_to_close: Timeout,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StartedDecision {
    pub(crate) scheduled: EventId,
    pub(crate) started: EventId,
    pub(crate) at: Timestamp,
    pub(crate) start_to_close: Timeout,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Activity {
    pub(crate) id: ActivityId,
    pub(crate) activity_type: ActivityType,
    pub(crate) task_list: String,
    pub(crate) priority: i32,
    pub(crate) at: Timestamp,
    pub(crate) schedule_to_start: Timeout,
    pub(crate) schedule_to_close: Timeout,
    pub(crate) start_to_close: Timeout,
    pub(crate) heartbeat_timeout: Timeout,
    pub(crate) started: Option<(EventId, Timestamp)>,
    /// The last request to cancel.
    pub(crate) cancel_requested: Option<EventId>,
    /// Not from events.
    pub(crate) heartbeat: Option<Heartbeat>,
}

/// What a worker said of an activity task that it still works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heartbeat {
    pub(crate) at: Timestamp,
    pub(crate) details: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Timer {
    pub(crate) id: TimerId,
    pub(crate) fires_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Child {
    pub(crate) workflow_id: WorkflowId,
    /// `None` until it was started.
    pub(crate) started: Option<EventId>,
}

impl Activity {
    /// When this activity task will time out, and why.
    pub(crate) fn timeout(&self) -> Option<(Timestamp, ActivityTaskTimeoutType)> {
        use ActivityTaskTimeoutType as T;
        let after = |start: Timestamp, timeout: Timeout, kind: T| {
            timeout.as_duration().map(|duration| (start + duration, kind))
        };
        let to_close = after(self.at, self.schedule_to_close, T::ScheduleToClose);
        let Some((_, started)) = self.started else {
            let to_start = after(self.at, self.schedule_to_start, T::ScheduleToStart);
            return [to_start, to_close].into_iter().flatten().min_by_key(|(at, _)| *at);
        };
        let beaten = self.heartbeat.as_ref().map_or(started, |heartbeat| heartbeat.at);
        let start_to_close = after(started, self.start_to_close, T::StartToClose);
        let heartbeat = after(beaten, self.heartbeat_timeout, T::Heartbeat);
        [start_to_close, to_close, heartbeat].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    pub(crate) fn started_event_id(&self) -> EventId {
        self.started.map_or(EventId(0), |(id, _)| id)
    }
}

impl RunState {
    /// When `slot` does something by itself.
    pub(super) fn due(&self, slot: Slot) -> Option<Timestamp> {
        match slot {
            Slot::Execution => {
                let limit = self.config.execution_start_to_close_timeout?.as_duration()?;
                Some(self.started_at + limit)
            }
            Slot::Decision => match (&self.decisions.started, &self.decisions.waiting) {
                (Some(started), _) => Some(started.at + started.start_to_close.as_duration()?),
                (None, Some(waiting)) => {
                    Some(waiting.at + waiting.schedule_to_start.as_duration()?)
                }
                (None, None) => None,
            },
            Slot::Activity(id) => self.activities.get(&id)?.timeout().map(|(at, _)| at),
            Slot::Timer(id) => self.timers.get(&id).map(|timer| timer.fires_at),
        }
    }

    /// What `slot` has in a task list.
    pub(super) fn offered(&self, slot: Slot) -> Option<Offer<'_>> {
        match slot {
            Slot::Decision if self.decisions.started.is_none() => {
                let waiting = self.decisions.waiting.as_ref()?;
                Some(Offer {
                    kind: TaskKind::Decision,
                    task_list: &waiting.task_list,
                    priority: waiting.priority,
                    since: waiting.at,
                    scheduled: waiting.scheduled,
                })
            }
            Slot::Activity(id) => {
                let activity = self.activities.get(&id)?;
                activity.started.is_none().then_some(Offer {
                    kind: TaskKind::Activity,
                    task_list: &activity.task_list,
                    priority: activity.priority,
                    since: activity.at,
                    scheduled: id,
                })
            }
            Slot::Execution | Slot::Decision | Slot::Timer(_) => None,
        }
    }

    /// All slots that may wait for something.
    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> + use<'_> {
        let activities = self.activities.keys().copied().map(Slot::Activity);
        let timers = self.timers.keys().copied().map(Slot::Timer);
        [Slot::Execution, Slot::Decision].into_iter().chain(activities).chain(timers)
    }

    /// The event that schedules the next decision task.
    pub(super) fn next_decision_task(&self) -> DecisionTaskScheduled {
        let sticky = self.decisions.sticky.as_ref();
        DecisionTaskScheduled {
            task_list: sticky.map_or(&self.config.task_list, |sticky| &sticky.task_list).clone(),
            task_priority: self.config.task_priority.clone(),
            start_to_close_timeout: self.config.task_start_to_close_timeout,
            schedule_to_start_timeout: Some(
                sticky.and_then(|sticky| sticky.schedule_to_start).unwrap_or(Timeout::None),
            ),
        }
    }

    pub(super) fn record_heartbeat(&mut self, scheduled: EventId, heartbeat: Heartbeat) {
        if let Some(activity) = self.activities.get_mut(&scheduled) {
            activity.heartbeat = Some(heartbeat);
            self.had_heartbeats = true;
        }
    }
}

/// The status that an event closes its run with.
pub(super) fn close_status(attributes: &EventAttributes) -> Option<CloseStatus> {
    use EventAttributes as E;
    match attributes {
        E::WorkflowExecutionCompleted(_) => Some(CloseStatus::Completed),
        E::WorkflowExecutionFailed(_) => Some(CloseStatus::Failed),
        E::WorkflowExecutionCanceled(_) => Some(CloseStatus::Canceled),
        E::WorkflowExecutionTimedOut(_) => Some(CloseStatus::TimedOut),
        E::WorkflowExecutionTerminated(_) => Some(CloseStatus::Terminated),
        E::WorkflowExecutionContinuedAsNew(_) => Some(CloseStatus::ContinuedAsNew),
        _ => None,
    }
}

pub(super) fn is_closing(attributes: &EventAttributes) -> bool {
    close_status(attributes).is_some()
}

/// Whether an event announces something that is to be done to another run.
pub(super) fn is_initiating(attributes: &Arc<EventAttributes>) -> bool {
    use EventAttributes as E;
    matches!(
        **attributes,
        E::StartChildWorkflowExecutionInitiated(_)
            | E::SignalExternalWorkflowExecutionInitiated(_)
            | E::RequestCancelExternalWorkflowExecutionInitiated(_)
    )
}

/// A priority as SWF writes it: a whole number, 0 if absent. Requests were checked already.
pub(super) fn priority(text: Option<&String>) -> i32 {
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}
