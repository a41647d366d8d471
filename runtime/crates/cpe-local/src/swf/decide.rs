//! `RespondDecisionTaskCompleted`: the whole answer is checked first, then its decisions are
//! carried out in order.

use cpe_swf::{
    Decision, EventId, Fault, FaultKind, Timestamp, api::RespondDecisionTaskCompletedRequest,
    event::DecisionTaskCompleted, limits,
};

use super::{
    Call, RunNo, Swf,
    check::{Checks, invalid},
    polls::DECISION_TOKEN,
    token::HandedOut,
    wire::refusal::CLOSE_LAST,
};

/// The answer to one decision task, while its decisions are carried out.
#[derive(Debug)]
pub(super) struct Deciding {
    pub(super) no: RunNo,
    pub(super) now: Timestamp,
    /// The event `DecisionTaskCompleted` that the decisions belong to.
    pub(super) completed: EventId,
    /// Whether something happened that the decider had not seen: then the run cannot be closed.
    pub(super) unhandled: bool,
    /// Whether the decider must hear of what its decisions came to.
    pub(super) wake: bool,
}

impl Swf {
    pub(crate) fn respond_decision_task_completed(
        &mut self,
        call: &Call<'_>,
        request: RespondDecisionTaskCompletedRequest,
    ) -> Result<(), Fault> {
        check(&request)?;
        let token = &request.task_token;
        let out = HandedOut::read(DECISION_TOKEN, token)?;
        self.check_open(call, DECISION_TOKEN, out, token)?;
        let unhandled = self
            .runs
            .get(&out.run)
            .filter(|run| out.is_genuine(DECISION_TOKEN, token, &run.execution.run_id))
            .filter(|run| {
                let started = run.state.decisions.started.as_ref();
                started.is_some_and(|started| started.started == out.started)
            })
            .map(|run| run.state.decisions.waiting.is_some())
            .ok_or_else(|| {
                let message =
                    format!("Unknown decision task, scheduledEventId = {}", out.scheduled);
                Fault::new(FaultKind::UnknownResourceFault, message)
            })?;
        let completed = DecisionTaskCompleted {
            execution_context: request.execution_context,
            scheduled_event_id: out.scheduled,
            started_event_id: out.started,
            task_list: request.task_list,
            task_list_schedule_to_start_timeout: request.task_list_schedule_to_start_timeout,
        };
        let (no, now) = (out.run, call.now);
        if let Some(completed) = self.append(no, now, completed) {
            let mut deciding = Deciding { no, now, completed, unhandled, wake: false };
            for decision in request.decisions {
                self.decide(&mut deciding, decision);
            }
            // What was done to other runs comes first: its outcome wakes the decider as well.
            self.settle(now);
            if deciding.wake {
                self.wake(no, now);
            }
        }
        self.settle(now);
        Ok(())
    }

    fn decide(&mut self, deciding: &mut Deciding, decision: Decision) {
        match decision {
            Decision::ScheduleActivityTask(d) => self.schedule_activity_task(deciding, d),
            Decision::RequestCancelActivityTask(d) => {
                self.request_cancel_activity_task(deciding, d);
            }
            Decision::CompleteWorkflowExecution(d) => self.complete_execution(deciding, d),
            Decision::FailWorkflowExecution(d) => self.fail_execution(deciding, d),
            Decision::CancelWorkflowExecution(d) => self.cancel_execution(deciding, d),
            Decision::ContinueAsNewWorkflowExecution(d) => self.continue_as_new(deciding, d),
            Decision::RecordMarker(d) => self.record_marker(deciding, d),
            Decision::StartTimer(d) => self.start_timer(deciding, d),
            Decision::CancelTimer(d) => self.cancel_timer(deciding, d),
            Decision::SignalExternalWorkflowExecution(d) => self.signal_external(deciding, d),
            Decision::RequestCancelExternalWorkflowExecution(d) => {
                self.request_cancel_external(deciding, d);
            }
            Decision::StartChildWorkflowExecution(d) => self.initiate_child(deciding, d),
            Decision::ScheduleLambdaFunction(d) => self.schedule_lambda(deciding, d),
        }
    }
}

fn check(request: &RespondDecisionTaskCompletedRequest) -> Result<(), Fault> {
    let mut checks = Checks::default();
    checks.data("executionContext", request.execution_context.as_ref());
    checks.task_list("taskList", request.task_list.as_ref());
    let timeout = request.task_list_schedule_to_start_timeout;
    checks.timeout("taskListScheduleToStartTimeout", timeout);
    for (index, decision) in request.decisions.iter().enumerate() {
        check_decision(&mut checks, index + 1, decision);
    }
    checks.finish()?;
    let before_last = request.decisions.split_last().map_or(&[][..], |(_, rest)| rest);
    if before_last.iter().any(Decision::is_closing) {
        return Err(invalid(CLOSE_LAST));
    }
    Ok(())
}

fn check_decision(checks: &mut Checks, number: usize, decision: &Decision) {
    let key = decision.type_name();
    let (head, tail) = key.split_at(1);
    let prefix =
        format!("decisions.{number}.member.{}{tail}DecisionAttributes", head.to_lowercase());
    let at = |member: &str| format!("{prefix}.{member}");
    match decision {
        Decision::ScheduleActivityTask(d) => {
            checks.id(&at("activityId"), d.activity_id.as_str());
            checks.text(&at("activityType.name"), &d.activity_type.name, limits::ID_CHARS);
            let version = &d.activity_type.version;
            checks.text(&at("activityType.version"), version, limits::VERSION_CHARS);
            checks.data(&at("input"), d.input.as_ref());
            checks.data(&at("control"), d.control.as_ref());
            checks.task_list(&at("taskList"), d.task_list.as_ref());
            checks.priority(&at("taskPriority"), d.task_priority.as_ref());
            checks.timeout(&at("scheduleToCloseTimeout"), d.schedule_to_close_timeout);
            checks.timeout(&at("scheduleToStartTimeout"), d.schedule_to_start_timeout);
            checks.timeout(&at("startToCloseTimeout"), d.start_to_close_timeout);
            checks.timeout(&at("heartbeatTimeout"), d.heartbeat_timeout);
        }
        Decision::RequestCancelActivityTask(d) => {
            checks.text(&at("activityId"), d.activity_id.as_str(), limits::ID_CHARS);
        }
        Decision::CompleteWorkflowExecution(d) => checks.data(&at("result"), d.result.as_ref()),
        Decision::FailWorkflowExecution(d) => {
            checks.optional(&at("reason"), d.reason.as_ref(), limits::REASON_CHARS);
            checks.data(&at("details"), d.details.as_ref());
        }
        Decision::CancelWorkflowExecution(d) => checks.data(&at("details"), d.details.as_ref()),
        Decision::RecordMarker(d) => {
            checks.text(&at("markerName"), &d.marker_name, limits::ID_CHARS);
            checks.data(&at("details"), d.details.as_ref());
        }
        Decision::StartTimer(d) => {
            checks.id(&at("timerId"), d.timer_id.as_str());
            checks.data(&at("control"), d.control.as_ref());
            checks.duration(&at("startToFireTimeout"), d.start_to_fire_timeout);
        }
        Decision::CancelTimer(d) => {
            checks.text(&at("timerId"), d.timer_id.as_str(), limits::ID_CHARS);
        }
        Decision::ScheduleLambdaFunction(d) => {
            checks.text(&at("id"), &d.id, limits::ID_CHARS);
            checks.text(&at("name"), &d.name, 64);
            checks.data(&at("input"), d.input.as_ref());
        }
        other => check_execution_decision(checks, &at, other),
    }
}

/// Decisions about other runs, or about the next one.
fn check_execution_decision(checks: &mut Checks, at: &dyn Fn(&str) -> String, decision: &Decision) {
    match decision {
        Decision::ContinueAsNewWorkflowExecution(d) => {
            checks.data(&at("input"), d.input.as_ref());
            let timeout = d.execution_start_to_close_timeout;
            checks.execution_timeout(&at("executionStartToCloseTimeout"), timeout);
            checks.timeout(&at("taskStartToCloseTimeout"), d.task_start_to_close_timeout);
            checks.task_list(&at("taskList"), d.task_list.as_ref());
            checks.priority(&at("taskPriority"), d.task_priority.as_ref());
            checks.tags(&at("tagList"), &d.tag_list);
        }
        Decision::StartChildWorkflowExecution(d) => {
            checks.id(&at("workflowId"), d.workflow_id.as_str());
            checks.text(&at("workflowType.name"), &d.workflow_type.name, limits::ID_CHARS);
            let version = &d.workflow_type.version;
            checks.text(&at("workflowType.version"), version, limits::VERSION_CHARS);
            checks.data(&at("input"), d.input.as_ref());
            checks.data(&at("control"), d.control.as_ref());
            let timeout = d.execution_start_to_close_timeout;
            checks.execution_timeout(&at("executionStartToCloseTimeout"), timeout);
            checks.timeout(&at("taskStartToCloseTimeout"), d.task_start_to_close_timeout);
            checks.task_list(&at("taskList"), d.task_list.as_ref());
            checks.priority(&at("taskPriority"), d.task_priority.as_ref());
            checks.tags(&at("tagList"), &d.tag_list);
        }
        Decision::SignalExternalWorkflowExecution(d) => {
            checks.text(&at("workflowId"), d.workflow_id.as_str(), limits::ID_CHARS);
            checks.text(&at("signalName"), &d.signal_name, limits::ID_CHARS);
            checks.data(&at("input"), d.input.as_ref());
            checks.data(&at("control"), d.control.as_ref());
        }
        Decision::RequestCancelExternalWorkflowExecution(d) => {
            checks.text(&at("workflowId"), d.workflow_id.as_str(), limits::ID_CHARS);
            checks.data(&at("control"), d.control.as_ref());
        }
        _ => {}
    }
}
