//! Decisions about other runs. They only announce: what is announced is carried out when all
//! decisions of the answer were written, see `followups`.

use cpe_swf::{
    EventId, RegistrationStatus, RequestCancelExternalWorkflowExecutionFailedCause as CancelCause,
    SignalExternalWorkflowExecutionFailedCause as SignalCause,
    StartChildWorkflowExecutionFailedCause as Cause,
    decision::{
        RequestCancelExternalWorkflowExecution, SignalExternalWorkflowExecution,
        StartChildWorkflowExecution,
    },
    event::*,
    limits,
};

use super::{
    Swf,
    decide::Deciding,
    start::{OPEN_EXECUTIONS, Settings, Undefined, Wanted},
};

impl Swf {
    pub(super) fn initiate_child(
        &mut self,
        deciding: &mut Deciding,
        decision: StartChildWorkflowExecution,
    ) {
        let settings = if self.may_decide("StartChildWorkflowExecution", deciding.now) {
            self.child_settings(deciding, &decision)
        } else {
            Err(Cause::ChildCreationRateExceeded)
        };
        match settings {
            Ok(settings) => {
                let initiated = StartChildWorkflowExecutionInitiated {
                    workflow_id: decision.workflow_id,
                    workflow_type: decision.workflow_type,
                    control: decision.control,
                    input: decision.input,
                    execution_start_to_close_timeout: Some(settings.execution_timeout),
                    task_list: settings.task_list,
                    task_priority: settings.task_priority,
                    decision_task_completed_event_id: deciding.completed,
                    child_policy: settings.child_policy,
                    task_start_to_close_timeout: Some(settings.task_timeout),
                    tag_list: decision.tag_list,
                    lambda_role: settings.lambda_role,
                };
                self.append(deciding.no, deciding.now, initiated);
            }
            Err(cause) => {
                let failed = StartChildWorkflowExecutionFailed {
                    workflow_type: decision.workflow_type,
                    cause,
                    workflow_id: decision.workflow_id,
                    // Nothing was initiated.
                    initiated_event_id: EventId(0),
                    decision_task_completed_event_id: deciding.completed,
                    control: decision.control,
                };
                self.append(deciding.no, deciding.now, failed);
                deciding.wake = true;
            }
        }
    }

    fn child_settings(
        &self,
        deciding: &Deciding,
        decision: &StartChildWorkflowExecution,
    ) -> Result<Settings, Cause> {
        let run = self.runs.get(&deciding.no).ok_or(Cause::OperationNotPermitted)?;
        let domain = self.domains.get(&run.domain).ok_or(Cause::OperationNotPermitted)?;
        let detail = (domain.workflow_types.get(&decision.workflow_type))
            .ok_or(Cause::WorkflowTypeDoesNotExist)?;
        if detail.type_info.status == RegistrationStatus::Deprecated {
            return Err(Cause::WorkflowTypeDeprecated);
        }
        if run.state.children.len() >= limits::OPEN_CHILDREN {
            return Err(Cause::OpenChildrenLimitExceeded);
        }
        if domain.open.len() >= OPEN_EXECUTIONS {
            return Err(Cause::OpenWorkflowsLimitExceeded);
        }
        let wanted = Wanted {
            execution_timeout: decision.execution_start_to_close_timeout,
            task_list: decision.task_list.clone(),
            task_timeout: decision.task_start_to_close_timeout,
            child_policy: decision.child_policy,
            task_priority: decision.task_priority.clone(),
            lambda_role: decision.lambda_role.clone(),
        };
        wanted.or_defaults(&detail.configuration).map_err(|undefined| match undefined {
            Undefined::ExecutionTimeout => Cause::DefaultExecutionStartToCloseTimeoutUndefined,
            Undefined::TaskList => Cause::DefaultTaskListUndefined,
            Undefined::TaskTimeout => Cause::DefaultTaskStartToCloseTimeoutUndefined,
            Undefined::ChildPolicy => Cause::DefaultChildPolicyUndefined,
        })
    }

    pub(super) fn signal_external(
        &mut self,
        deciding: &mut Deciding,
        decision: SignalExternalWorkflowExecution,
    ) {
        if !self.may_decide("SignalExternalWorkflowExecution", deciding.now) {
            let failed = SignalExternalWorkflowExecutionFailed {
                workflow_id: decision.workflow_id,
                run_id: decision.run_id,
                cause: SignalCause::SignalExternalWorkflowExecutionRateExceeded,
                initiated_event_id: EventId(0),
                decision_task_completed_event_id: deciding.completed,
                control: decision.control,
            };
            self.append(deciding.no, deciding.now, failed);
            deciding.wake = true;
            return;
        }
        let initiated = SignalExternalWorkflowExecutionInitiated {
            workflow_id: decision.workflow_id,
            run_id: decision.run_id,
            signal_name: decision.signal_name,
            input: decision.input,
            decision_task_completed_event_id: deciding.completed,
            control: decision.control,
        };
        self.append(deciding.no, deciding.now, initiated);
    }

    pub(super) fn request_cancel_external(
        &mut self,
        deciding: &mut Deciding,
        decision: RequestCancelExternalWorkflowExecution,
    ) {
        if !self.may_decide("RequestCancelExternalWorkflowExecution", deciding.now) {
            let failed = RequestCancelExternalWorkflowExecutionFailed {
                workflow_id: decision.workflow_id,
                run_id: decision.run_id,
                cause: CancelCause::RequestCancelExternalWorkflowExecutionRateExceeded,
                initiated_event_id: EventId(0),
                decision_task_completed_event_id: deciding.completed,
                control: decision.control,
            };
            self.append(deciding.no, deciding.now, failed);
            deciding.wake = true;
            return;
        }
        let initiated = RequestCancelExternalWorkflowExecutionInitiated {
            workflow_id: decision.workflow_id,
            run_id: decision.run_id,
            decision_task_completed_event_id: deciding.completed,
            control: decision.control,
        };
        self.append(deciding.no, deciding.now, initiated);
    }
}
