//! How each event changes the state of its run.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use cpe_swf::{
    EventAttributes, EventId, HistoryEvent, Timeout,
    event::{ActivityTaskScheduled, DecisionTaskCompleted, WorkflowExecutionStarted},
};

use super::{
    Activity, Child, DecisionTasks, RunState, Slot, StartedDecision, StickyList, Timer,
    WaitingDecision, close_status, priority,
};

impl RunState {
    /// The state after a whole history. `None` if it does not begin with a start.
    pub(crate) fn replay(events: &[HistoryEvent]) -> Option<Self> {
        let (first, rest) = events.split_first()?;
        let EventAttributes::WorkflowExecutionStarted(started) = &*first.attributes else {
            return None;
        };
        let mut state = Self::begin(first, started);
        for event in rest {
            state.apply(event);
        }
        Some(state)
    }

    fn begin(event: &HistoryEvent, started: &WorkflowExecutionStarted) -> Self {
        Self {
            last: event.event_id,
            started_at: event.event_timestamp,
            // The input stays in the event: a run may be open for a year.
            config: WorkflowExecutionStarted { input: None, ..started.clone() },
            cancel_requested: false,
            closed: None,
            decisions: DecisionTasks::default(),
            activities: BTreeMap::new(),
            activity_ids: HashMap::new(),
            timers: BTreeMap::new(),
            timer_ids: HashMap::new(),
            children: BTreeMap::new(),
            latest_activity: None,
            latest_context: None,
            had_heartbeats: false,
        }
    }

    pub(crate) fn apply(&mut self, event: &HistoryEvent) {
        use EventAttributes as E;
        self.last = event.event_id;
        let id = event.event_id;
        match &*event.attributes {
            E::WorkflowExecutionCancelRequested(_) => self.cancel_requested = true,
            E::TimerStarted(e) => {
                self.timer_ids.insert(e.timer_id.clone(), id);
                let after = e.start_to_fire_timeout.as_duration().unwrap_or(Duration::MAX);
                let timer =
                    Timer { id: e.timer_id.clone(), fires_at: event.event_timestamp + after };
                self.timers.insert(id, timer);
            }
            E::TimerFired(e) => self.drop_timer(e.started_event_id),
            E::TimerCanceled(e) => self.drop_timer(e.started_event_id),
            E::StartChildWorkflowExecutionInitiated(e) => {
                let child = Child { workflow_id: e.workflow_id.clone(), started: None };
                self.children.insert(id, child);
            }
            E::ChildWorkflowExecutionStarted(e) => {
                if let Some(child) = self.children.get_mut(&e.initiated_event_id) {
                    child.started = Some(id);
                }
            }
            E::StartChildWorkflowExecutionFailed(e) => self.drop_child(e.initiated_event_id),
            E::ChildWorkflowExecutionCompleted(e) => self.drop_child(e.initiated_event_id),
            E::ChildWorkflowExecutionFailed(e) => self.drop_child(e.initiated_event_id),
            E::ChildWorkflowExecutionCanceled(e) => self.drop_child(e.initiated_event_id),
            E::ChildWorkflowExecutionTimedOut(e) => self.drop_child(e.initiated_event_id),
            E::ChildWorkflowExecutionTerminated(e) => self.drop_child(e.initiated_event_id),
            _ => {
                self.apply_decision_task(event);
                self.apply_activity_task(event);
            }
        }
        if let Some(status) = close_status(&event.attributes) {
            self.closed = Some((event.event_timestamp, status));
        }
    }

    fn apply_decision_task(&mut self, event: &HistoryEvent) {
        use EventAttributes as E;
        let decisions = &mut self.decisions;
        match &*event.attributes {
            E::DecisionTaskScheduled(e) => {
                decisions.waiting = Some(WaitingDecision {
                    scheduled: event.event_id,
                    at: event.event_timestamp,
                    task_list: e.task_list.name.clone(),
                    priority: priority(e.task_priority.as_ref()),
                    schedule_to_start: e.schedule_to_start_timeout.unwrap_or(Timeout::None),
                    start_to_close: e.start_to_close_timeout.unwrap_or(Timeout::None),
                });
            }
            E::DecisionTaskStarted(_) => {
                decisions.started = decisions.waiting.take().map(|waiting| StartedDecision {
                    scheduled: waiting.scheduled,
                    started: event.event_id,
                    at: event.event_timestamp,
                    start_to_close: waiting.start_to_close,
                });
            }
            E::DecisionTaskCompleted(e) => self.complete_decision_task(e),
            E::DecisionTaskTimedOut(e) => {
                if e.started_event_id == EventId(0) {
                    decisions.waiting = None;
                } else {
                    decisions.started = None;
                }
                if decisions.sticky.as_ref().is_some_and(|list| list.schedule_to_start.is_some()) {
                    decisions.sticky = None;
                }
            }
            _ => {}
        }
    }

    fn complete_decision_task(&mut self, completed: &DecisionTaskCompleted) {
        self.decisions.started = None;
        self.decisions.previous_started = completed.started_event_id;
        if let Some(task_list) = &completed.task_list {
            self.decisions.sticky = Some(StickyList {
                task_list: task_list.clone(),
                schedule_to_start: completed.task_list_schedule_to_start_timeout,
            });
        }
        if completed.execution_context.is_some() {
            self.latest_context.clone_from(&completed.execution_context);
        }
    }

    fn apply_activity_task(&mut self, event: &HistoryEvent) {
        use EventAttributes as E;
        if let Some(Slot::Activity(_)) = Slot::touched_by(event) {
            self.latest_activity = Some(event.event_timestamp);
        }
        match &*event.attributes {
            E::ActivityTaskScheduled(e) => self.schedule_activity(event, e),
            E::ActivityTaskStarted(e) => {
                if let Some(activity) = self.activities.get_mut(&e.scheduled_event_id) {
                    activity.started = Some((event.event_id, event.event_timestamp));
                }
            }
            E::ActivityTaskCancelRequested(e) => {
                let scheduled = self.activity_ids.get(&e.activity_id);
                if let Some(activity) = scheduled.and_then(|id| self.activities.get_mut(id)) {
                    activity.cancel_requested = Some(event.event_id);
                }
            }
            E::ActivityTaskCompleted(e) => self.drop_activity(e.scheduled_event_id),
            E::ActivityTaskFailed(e) => self.drop_activity(e.scheduled_event_id),
            E::ActivityTaskTimedOut(e) => self.drop_activity(e.scheduled_event_id),
            E::ActivityTaskCanceled(e) => self.drop_activity(e.scheduled_event_id),
            _ => {}
        }
    }

    fn schedule_activity(&mut self, event: &HistoryEvent, scheduled: &ActivityTaskScheduled) {
        let id = event.event_id;
        let timeout = |timeout: Option<Timeout>| timeout.unwrap_or(Timeout::None);
        self.activity_ids.insert(scheduled.activity_id.clone(), id);
        let activity = Activity {
            id: scheduled.activity_id.clone(),
            activity_type: scheduled.activity_type.clone(),
            task_list: scheduled.task_list.name.clone(),
            priority: priority(scheduled.task_priority.as_ref()),
            at: event.event_timestamp,
            schedule_to_start: timeout(scheduled.schedule_to_start_timeout),
            schedule_to_close: timeout(scheduled.schedule_to_close_timeout),
            start_to_close: timeout(scheduled.start_to_close_timeout),
            heartbeat_timeout: timeout(scheduled.heartbeat_timeout),
            started: None,
            cancel_requested: None,
            heartbeat: None,
        };
        self.activities.insert(id, activity);
    }

    fn drop_activity(&mut self, scheduled: EventId) {
        if let Some(activity) = self.activities.remove(&scheduled) {
            self.activity_ids.remove(&activity.id);
        }
    }

    fn drop_timer(&mut self, started: EventId) {
        if let Some(timer) = self.timers.remove(&started) {
            self.timer_ids.remove(&timer.id);
        }
    }

    fn drop_child(&mut self, initiated: EventId) {
        self.children.remove(&initiated);
    }
}
