//! Decisions inside a run: activity tasks, timers, markers, Lambda functions.

use cpe_swf::{
    ActivityType, CancelTimerFailedCause, EventId, RegistrationStatus,
    RequestCancelActivityTaskFailedCause, ScheduleActivityTaskFailedCause as Cause,
    ScheduleLambdaFunctionFailedCause, StartTimerFailedCause, TaskList, Timeout,
    decision::{
        CancelTimer, RecordMarker, RequestCancelActivityTask, ScheduleActivityTask,
        ScheduleLambdaFunction, StartTimer,
    },
    event::*,
    limits,
};

use super::{Swf, decide::Deciding};

/// What an activity task is scheduled with, complete.
#[derive(Debug)]
struct Settings {
    task_list: TaskList,
    task_priority: Option<String>,
    schedule_to_start: Timeout,
    schedule_to_close: Timeout,
    start_to_close: Timeout,
    heartbeat: Timeout,
}

impl Swf {
    pub(super) fn schedule_activity_task(
        &mut self,
        deciding: &mut Deciding,
        decision: ScheduleActivityTask,
    ) {
        let settings = if self.may_decide("ScheduleActivityTask", deciding.now) {
            self.activity_settings(deciding, &decision)
        } else {
            Err(Cause::ActivityCreationRateExceeded)
        };
        match settings {
            Ok(settings) => {
                let scheduled = ActivityTaskScheduled {
                    activity_type: decision.activity_type,
                    activity_id: decision.activity_id,
                    input: decision.input,
                    control: decision.control,
                    schedule_to_start_timeout: Some(settings.schedule_to_start),
                    schedule_to_close_timeout: Some(settings.schedule_to_close),
                    start_to_close_timeout: Some(settings.start_to_close),
                    task_list: settings.task_list,
                    task_priority: settings.task_priority,
                    decision_task_completed_event_id: deciding.completed,
                    heartbeat_timeout: Some(settings.heartbeat),
                };
                self.append(deciding.no, deciding.now, scheduled);
            }
            Err(cause) => {
                let failed = ScheduleActivityTaskFailed {
                    activity_type: decision.activity_type,
                    activity_id: decision.activity_id,
                    cause,
                    decision_task_completed_event_id: deciding.completed,
                };
                self.append(deciding.no, deciding.now, failed);
                deciding.wake = true;
            }
        }
    }

    fn activity_settings(
        &self,
        deciding: &Deciding,
        decision: &ScheduleActivityTask,
    ) -> Result<Settings, Cause> {
        let run = self.runs.get(&deciding.no).ok_or(Cause::OperationNotPermitted)?;
        let kind: &ActivityType = &decision.activity_type;
        let detail = (self.domains.get(&run.domain))
            .and_then(|domain| domain.activity_types.get(kind))
            .ok_or(Cause::ActivityTypeDoesNotExist)?;
        if detail.type_info.status == RegistrationStatus::Deprecated {
            return Err(Cause::ActivityTypeDeprecated);
        }
        if run.state.activity_ids.contains_key(&decision.activity_id) {
            return Err(Cause::ActivityIdAlreadyInUse);
        }
        if run.state.activities.len() >= limits::OPEN_ACTIVITY_TASKS {
            return Err(Cause::OpenActivitiesLimitExceeded);
        }
        let defaults = &detail.configuration;
        Ok(Settings {
            task_list: decision
                .task_list
                .clone()
                .or_else(|| defaults.default_task_list.clone())
                .ok_or(Cause::DefaultTaskListUndefined)?,
            task_priority: decision
                .task_priority
                .clone()
                .or_else(|| defaults.default_task_priority.clone()),
            schedule_to_start: decision
                .schedule_to_start_timeout
                .or(defaults.default_task_schedule_to_start_timeout)
                .ok_or(Cause::DefaultScheduleToStartTimeoutUndefined)?,
            schedule_to_close: decision
                .schedule_to_close_timeout
                .or(defaults.default_task_schedule_to_close_timeout)
                .ok_or(Cause::DefaultScheduleToCloseTimeoutUndefined)?,
            start_to_close: decision
                .start_to_close_timeout
                .or(defaults.default_task_start_to_close_timeout)
                .ok_or(Cause::DefaultStartToCloseTimeoutUndefined)?,
            heartbeat: decision
                .heartbeat_timeout
                .or(defaults.default_task_heartbeat_timeout)
                .ok_or(Cause::DefaultHeartbeatTimeoutUndefined)?,
        })
    }

    /// A worker hears of it at its next heartbeat; an activity task that nobody has is canceled
    /// at once.
    pub(super) fn request_cancel_activity_task(
        &mut self,
        deciding: &mut Deciding,
        decision: RequestCancelActivityTask,
    ) {
        let (no, now) = (deciding.no, deciding.now);
        let completed = deciding.completed;
        let Some(run) = self.runs.get(&no) else { return };
        let Some(&scheduled) = run.state.activity_ids.get(&decision.activity_id) else {
            let failed = RequestCancelActivityTaskFailed {
                activity_id: decision.activity_id,
                cause: RequestCancelActivityTaskFailedCause::ActivityIdUnknown,
                decision_task_completed_event_id: completed,
            };
            self.append(no, now, failed);
            deciding.wake = true;
            return;
        };
        let idle = run.state.activities.get(&scheduled).is_some_and(|a| a.started.is_none());
        let requested = ActivityTaskCancelRequested {
            decision_task_completed_event_id: completed,
            activity_id: decision.activity_id,
        };
        let requested = self.append(no, now, requested);
        if idle {
            let canceled = ActivityTaskCanceled {
                details: None,
                scheduled_event_id: scheduled,
                started_event_id: EventId(0),
                latest_cancel_requested_event_id: requested,
            };
            self.append(no, now, canceled);
            deciding.wake = true;
        }
    }

    pub(super) fn record_marker(&mut self, deciding: &Deciding, decision: RecordMarker) {
        let recorded = MarkerRecorded {
            marker_name: decision.marker_name,
            details: decision.details,
            decision_task_completed_event_id: deciding.completed,
        };
        self.append(deciding.no, deciding.now, recorded);
    }

    pub(super) fn start_timer(&mut self, deciding: &mut Deciding, decision: StartTimer) {
        let in_time = self.may_decide("StartTimer", deciding.now);
        let Some(run) = self.runs.get(&deciding.no) else { return };
        let cause = if !in_time {
            Some(StartTimerFailedCause::TimerCreationRateExceeded)
        } else if run.state.timer_ids.contains_key(&decision.timer_id) {
            Some(StartTimerFailedCause::TimerIdAlreadyInUse)
        } else if run.state.timers.len() >= limits::OPEN_TIMERS {
            Some(StartTimerFailedCause::OpenTimersLimitExceeded)
        } else {
            None
        };
        let decision_task_completed_event_id = deciding.completed;
        if let Some(cause) = cause {
            let failed = StartTimerFailed {
                timer_id: decision.timer_id,
                cause,
                decision_task_completed_event_id,
            };
            self.append(deciding.no, deciding.now, failed);
            deciding.wake = true;
        } else {
            let started = TimerStarted {
                timer_id: decision.timer_id,
                control: decision.control,
                start_to_fire_timeout: decision.start_to_fire_timeout,
                decision_task_completed_event_id,
            };
            self.append(deciding.no, deciding.now, started);
        }
    }

    pub(super) fn cancel_timer(&mut self, deciding: &mut Deciding, decision: CancelTimer) {
        let Some(run) = self.runs.get(&deciding.no) else { return };
        let decision_task_completed_event_id = deciding.completed;
        if let Some(&started_event_id) = run.state.timer_ids.get(&decision.timer_id) {
            let canceled = TimerCanceled {
                timer_id: decision.timer_id,
                started_event_id,
                decision_task_completed_event_id,
            };
            self.append(deciding.no, deciding.now, canceled);
        } else {
            let failed = CancelTimerFailed {
                timer_id: decision.timer_id,
                cause: CancelTimerFailedCause::TimerIdUnknown,
                decision_task_completed_event_id,
            };
            self.append(deciding.no, deciding.now, failed);
            deciding.wake = true;
        }
    }

    /// This endpoint has no Lambda; SWF has a cause for a region without it.
    pub(super) fn schedule_lambda(
        &mut self,
        deciding: &mut Deciding,
        decision: ScheduleLambdaFunction,
    ) {
        let failed = ScheduleLambdaFunctionFailed {
            id: decision.id,
            name: decision.name,
            cause: ScheduleLambdaFunctionFailedCause::LambdaServiceNotAvailableInRegion,
            decision_task_completed_event_id: deciding.completed,
        };
        self.append(deciding.no, deciding.now, failed);
        deciding.wake = true;
    }
}
