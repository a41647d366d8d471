//! What workers answer about the activity tasks that they were given.

use cpe_swf::{
    EventId, Fault, FaultKind, TaskToken, WorkflowExecution,
    api::{
        ActivityTaskStatus, RecordActivityTaskHeartbeatRequest, RespondActivityTaskCanceledRequest,
        RespondActivityTaskCompletedRequest, RespondActivityTaskFailedRequest,
    },
    event::{ActivityTaskCanceled, ActivityTaskCompleted, ActivityTaskFailed},
    limits,
};

use super::{
    Call, Heartbeat, Swf, Write, check::Checks, executions::unknown_execution,
    polls::ACTIVITY_TOKEN, token::HandedOut,
};

/// The activity task that a token names, and that its worker still has.
#[derive(Debug)]
struct Held {
    out: HandedOut,
    cancel_requested: Option<EventId>,
    beaten: bool,
}

impl Swf {
    /// Says of a token whose run has closed that the run is what is unknown.
    pub(super) fn check_open(
        &self,
        call: &Call<'_>,
        kind: &str,
        out: HandedOut,
        token: &TaskToken,
    ) -> Result<(), Fault> {
        if self.runs.contains_key(&out.run) {
            return Ok(());
        }
        match call.archive.execution(out.run)? {
            Some(execution) if out.is_genuine(kind, token, &execution.run_id) => {
                let WorkflowExecution { workflow_id, run_id } = execution;
                Err(unknown_execution(&workflow_id, Some(&run_id)))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn record_activity_task_heartbeat(
        &mut self,
        call: &Call<'_>,
        request: RecordActivityTaskHeartbeatRequest,
    ) -> Result<ActivityTaskStatus, Fault> {
        let mut checks = Checks::default();
        checks.optional("details", request.details.as_ref(), limits::HEARTBEAT_DETAILS_CHARS);
        checks.finish()?;
        let held = self.held(call, &request.task_token)?;
        let heartbeat = Heartbeat { at: call.now, details: request.details };
        let (run, activity) = (held.out.run, held.out.scheduled);
        self.set_heartbeat(run, activity, heartbeat.clone());
        self.writes.push(Write::Heartbeat { run, activity, heartbeat });
        Ok(ActivityTaskStatus { cancel_requested: held.cancel_requested.is_some() })
    }

    pub(crate) fn respond_activity_task_completed(
        &mut self,
        call: &Call<'_>,
        request: RespondActivityTaskCompletedRequest,
    ) -> Result<(), Fault> {
        let mut checks = Checks::default();
        checks.data("result", request.result.as_ref());
        checks.finish()?;
        let held = self.held(call, &request.task_token)?;
        let completed = ActivityTaskCompleted {
            result: request.result,
            scheduled_event_id: held.out.scheduled,
            started_event_id: held.out.started,
        };
        self.end_activity(call, &held, completed);
        Ok(())
    }

    pub(crate) fn respond_activity_task_failed(
        &mut self,
        call: &Call<'_>,
        request: RespondActivityTaskFailedRequest,
    ) -> Result<(), Fault> {
        let mut checks = Checks::default();
        checks.optional("reason", request.reason.as_ref(), limits::REASON_CHARS);
        checks.data("details", request.details.as_ref());
        checks.finish()?;
        let held = self.held(call, &request.task_token)?;
        let failed = ActivityTaskFailed {
            reason: request.reason,
            details: request.details,
            scheduled_event_id: held.out.scheduled,
            started_event_id: held.out.started,
        };
        self.end_activity(call, &held, failed);
        Ok(())
    }

    pub(crate) fn respond_activity_task_canceled(
        &mut self,
        call: &Call<'_>,
        request: RespondActivityTaskCanceledRequest,
    ) -> Result<(), Fault> {
        let mut checks = Checks::default();
        checks.data("details", request.details.as_ref());
        checks.finish()?;
        let held = self.held(call, &request.task_token)?;
        let canceled = ActivityTaskCanceled {
            details: request.details,
            scheduled_event_id: held.out.scheduled,
            started_event_id: held.out.started,
            latest_cancel_requested_event_id: held.cancel_requested,
        };
        self.end_activity(call, &held, canceled);
        Ok(())
    }

    fn end_activity(
        &mut self,
        call: &Call<'_>,
        held: &Held,
        event: impl Into<cpe_swf::EventAttributes>,
    ) {
        if held.beaten {
            let (run, activity) = (held.out.run, held.out.scheduled);
            self.writes.push(Write::DropHeartbeat { run, activity });
        }
        self.append_and_wake(held.out.run, call.now, event);
        self.settle(call.now);
    }

    /// A worker whose activity task timed out, was answered or belongs to a closed run is told
    /// that there is none: somebody else won.
    fn held(&self, call: &Call<'_>, token: &TaskToken) -> Result<Held, Fault> {
        let out = HandedOut::read(ACTIVITY_TOKEN, token)?;
        self.check_open(call, ACTIVITY_TOKEN, out, token)?;
        self.runs
            .get(&out.run)
            .filter(|run| out.is_genuine(ACTIVITY_TOKEN, token, &run.execution.run_id))
            .and_then(|run| run.state.activities.get(&out.scheduled))
            .filter(|activity| activity.started_event_id() == out.started)
            .map(|activity| Held {
                out,
                cancel_requested: activity.cancel_requested,
                beaten: activity.heartbeat.is_some(),
            })
            .ok_or_else(|| {
                let message = format!("Unknown activity, scheduledEventId = {}", out.scheduled);
                Fault::new(FaultKind::UnknownResourceFault, message)
            })
    }
}
