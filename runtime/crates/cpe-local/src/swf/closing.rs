//! Decisions that end a run.
//!
//! While the decider thought, something may have happened that it did not see. Then the decision
//! fails, and the decision task that already waits tells it.

use cpe_swf::{
    CancelWorkflowExecutionFailedCause, CompleteWorkflowExecutionFailedCause,
    ContinueAsNewWorkflowExecutionFailedCause as Cause, FailWorkflowExecutionFailedCause,
    RegistrationStatus, WorkflowExecution, WorkflowType,
    decision::{
        CancelWorkflowExecution, CompleteWorkflowExecution, ContinueAsNewWorkflowExecution,
        FailWorkflowExecution,
    },
    event::*,
};

use super::{
    Swf,
    decide::Deciding,
    start::{Launch, Settings, Undefined, Wanted},
};

impl Swf {
    pub(super) fn complete_execution(
        &mut self,
        deciding: &Deciding,
        decision: CompleteWorkflowExecution,
    ) {
        let decision_task_completed_event_id = deciding.completed;
        if deciding.unhandled {
            let failed = CompleteWorkflowExecutionFailed {
                cause: CompleteWorkflowExecutionFailedCause::UnhandledDecision,
                decision_task_completed_event_id,
            };
            self.append(deciding.no, deciding.now, failed);
        } else {
            let completed = WorkflowExecutionCompleted {
                result: decision.result,
                decision_task_completed_event_id,
            };
            self.append(deciding.no, deciding.now, completed);
        }
    }

    pub(super) fn fail_execution(&mut self, deciding: &Deciding, decision: FailWorkflowExecution) {
        let decision_task_completed_event_id = deciding.completed;
        if deciding.unhandled {
            let failed = FailWorkflowExecutionFailed {
                cause: FailWorkflowExecutionFailedCause::UnhandledDecision,
                decision_task_completed_event_id,
            };
            self.append(deciding.no, deciding.now, failed);
        } else {
            let failed = WorkflowExecutionFailed {
                reason: decision.reason,
                details: decision.details,
                decision_task_completed_event_id,
            };
            self.append(deciding.no, deciding.now, failed);
        }
    }

    pub(super) fn cancel_execution(
        &mut self,
        deciding: &Deciding,
        decision: CancelWorkflowExecution,
    ) {
        let decision_task_completed_event_id = deciding.completed;
        if deciding.unhandled {
            let failed = CancelWorkflowExecutionFailed {
                cause: CancelWorkflowExecutionFailedCause::UnhandledDecision,
                decision_task_completed_event_id,
            };
            self.append(deciding.no, deciding.now, failed);
        } else {
            let canceled = WorkflowExecutionCanceled {
                details: decision.details,
                decision_task_completed_event_id,
            };
            self.append(deciding.no, deciding.now, canceled);
        }
    }

    pub(super) fn continue_as_new(
        &mut self,
        deciding: &mut Deciding,
        decision: ContinueAsNewWorkflowExecution,
    ) {
        let (no, now) = (deciding.no, deciding.now);
        let Some(run) = self.runs.get(&no) else { return };
        let mut workflow_type = run.state.config.workflow_type.clone();
        if let Some(version) = &decision.workflow_type_version {
            workflow_type.version.clone_from(version);
        }
        let settings = match self.next_settings(deciding, &decision, &workflow_type) {
            Ok(settings) => settings,
            Err(cause) => {
                let failed = ContinueAsNewWorkflowExecutionFailed {
                    cause,
                    decision_task_completed_event_id: deciding.completed,
                };
                self.append(no, now, failed);
                deciding.wake = true;
                return;
            }
        };
        let domain = run.domain.clone();
        let before = run.execution.clone();
        let parent = run.state.config.parent_workflow_execution.clone();
        let parent_initiated_event_id = run.state.config.parent_initiated_event_id;
        let mut started = settings.started(workflow_type, decision.tag_list);
        started.input = decision.input;
        started.continued_execution_run_id = Some(before.run_id);
        started.parent_workflow_execution = parent;
        started.parent_initiated_event_id = parent_initiated_event_id;
        let (next, run_id) = self.allocate(now, &domain, &before.workflow_id);
        let continued = WorkflowExecutionContinuedAsNew {
            input: started.input.clone(),
            decision_task_completed_event_id: deciding.completed,
            new_execution_run_id: run_id.clone(),
            execution_start_to_close_timeout: started.execution_start_to_close_timeout,
            task_list: started.task_list.clone(),
            task_priority: started.task_priority.clone(),
            task_start_to_close_timeout: started.task_start_to_close_timeout,
            child_policy: started.child_policy,
            tag_list: started.tag_list.clone(),
            workflow_type: started.workflow_type.clone(),
            lambda_role: started.lambda_role.clone(),
        };
        if self.append(no, now, continued).is_some() {
            let execution = WorkflowExecution { workflow_id: before.workflow_id, run_id };
            self.launch(now, Launch { no: next, domain, execution, started });
        }
    }

    /// What the next run is started with: as for any start, what the decision leaves out comes
    /// from the workflow type, not from the run that ends.
    fn next_settings(
        &self,
        deciding: &Deciding,
        decision: &ContinueAsNewWorkflowExecution,
        workflow_type: &WorkflowType,
    ) -> Result<Settings, Cause> {
        if deciding.unhandled {
            return Err(Cause::UnhandledDecision);
        }
        let run = self.runs.get(&deciding.no).ok_or(Cause::OperationNotPermitted)?;
        let detail = (self.domains.get(&run.domain))
            .and_then(|domain| domain.workflow_types.get(workflow_type))
            .ok_or(Cause::WorkflowTypeDoesNotExist)?;
        if detail.type_info.status == RegistrationStatus::Deprecated {
            return Err(Cause::WorkflowTypeDeprecated);
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
}
