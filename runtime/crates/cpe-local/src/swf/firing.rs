//! What happens by itself: timers fire, and what took too long times out.

use cpe_swf::{
    DecisionTaskTimeoutType, EventId, Timestamp, WorkflowExecutionTimeoutType,
    event::{ActivityTaskTimedOut, DecisionTaskTimedOut, TimerFired, WorkflowExecutionTimedOut},
};

use super::{Call, RunNo, Swf, Write, run::Slot};

impl Swf {
    /// Does everything that is due at `call.now`, in the order in which it became due.
    pub(crate) fn fire_due(&mut self, call: &Call<'_>) {
        while let Some(deadline) = self.agenda.first_deadline() {
            let (at, no, slot) = deadline;
            if at > call.now {
                break;
            }
            self.fire(no, slot, call.now);
            self.settle(call.now);
            // Firing takes a deadline off the agenda. If it did not, it would be due for ever.
            if self.agenda.first_deadline() == Some(deadline) {
                debug_assert!(false, "{deadline:?} stays due after it fired");
                self.agenda.drop_deadline(deadline);
            }
        }
    }

    fn fire(&mut self, no: RunNo, slot: Slot, now: Timestamp) {
        match slot {
            Slot::Execution => self.time_execution_out(no, now),
            Slot::Decision => self.time_decision_out(no, now),
            Slot::Activity(scheduled) => self.time_activity_out(no, scheduled, now),
            Slot::Timer(started) => {
                let Some(run) = self.runs.get(&no) else { return };
                let Some(timer) = run.state.timers.get(&started) else { return };
                let fired = TimerFired { timer_id: timer.id.clone(), started_event_id: started };
                self.append_and_wake(no, now, fired);
            }
        }
    }

    fn time_execution_out(&mut self, no: RunNo, now: Timestamp) {
        let Some(run) = self.runs.get(&no) else { return };
        let timed_out = WorkflowExecutionTimedOut {
            timeout_type: WorkflowExecutionTimeoutType::StartToClose,
            child_policy: run.state.config.child_policy,
        };
        self.append(no, now, timed_out);
    }

    fn time_decision_out(&mut self, no: RunNo, now: Timestamp) {
        let Some(run) = self.runs.get(&no) else { return };
        let decisions = &run.state.decisions;
        let timed_out = match (&decisions.started, &decisions.waiting) {
            (Some(started), _) => DecisionTaskTimedOut {
                timeout_type: DecisionTaskTimeoutType::StartToClose,
                scheduled_event_id: started.scheduled,
                started_event_id: started.started,
            },
            (None, Some(waiting)) => DecisionTaskTimedOut {
                timeout_type: DecisionTaskTimeoutType::ScheduleToStart,
                scheduled_event_id: waiting.scheduled,
                started_event_id: EventId(0),
            },
            (None, None) => return,
        };
        self.append_and_wake(no, now, timed_out);
    }

    fn time_activity_out(&mut self, no: RunNo, scheduled: EventId, now: Timestamp) {
        let Some(run) = self.runs.get(&no) else { return };
        let Some(activity) = run.state.activities.get(&scheduled) else { return };
        let Some((_, timeout_type)) = activity.timeout() else { return };
        let timed_out = ActivityTaskTimedOut {
            timeout_type,
            scheduled_event_id: scheduled,
            started_event_id: activity.started_event_id(),
            details: activity.heartbeat.as_ref().and_then(|heartbeat| heartbeat.details.clone()),
        };
        if activity.heartbeat.is_some() {
            self.writes.push(Write::DropHeartbeat { run: no, activity: scheduled });
        }
        self.append_and_wake(no, now, timed_out);
    }
}
