//! What callers do to an open run: signal it, ask it to cancel, terminate it.

use cpe_swf::{
    DomainName, EventId, Fault, FaultKind, RunId, WorkflowExecutionTerminatedCause, WorkflowId,
    api::{
        RequestCancelWorkflowExecutionRequest, SignalWorkflowExecutionRequest,
        TerminateWorkflowExecutionRequest,
    },
    event::{
        WorkflowExecutionCancelRequested, WorkflowExecutionSignaled, WorkflowExecutionTerminated,
    },
    limits,
};

use super::{Call, RunNo, RunRecord, Swf, Write, check::Checks};

const RUN_ID_CHARS: usize = 64;

impl Swf {
    pub(crate) fn signal_workflow_execution(
        &mut self,
        call: &Call<'_>,
        request: SignalWorkflowExecutionRequest,
    ) -> Result<(), Fault> {
        let mut checks = Checks::default();
        check_target(&mut checks, &request.workflow_id, request.run_id.as_ref());
        checks.text("signalName", &request.signal_name, limits::ID_CHARS);
        checks.data("input", request.input.as_ref());
        checks.finish()?;
        let no = self.target(&request.domain, &request.workflow_id, request.run_id.as_ref())?;
        let signaled = WorkflowExecutionSignaled {
            signal_name: request.signal_name,
            input: request.input,
            external_workflow_execution: None,
            external_initiated_event_id: EventId(0),
        };
        self.append_and_wake(no, call.now, signaled);
        self.settle(call.now);
        Ok(())
    }

    pub(crate) fn request_cancel_workflow_execution(
        &mut self,
        call: &Call<'_>,
        request: &RequestCancelWorkflowExecutionRequest,
    ) -> Result<(), Fault> {
        let mut checks = Checks::default();
        check_target(&mut checks, &request.workflow_id, request.run_id.as_ref());
        checks.finish()?;
        let no = self.target(&request.domain, &request.workflow_id, request.run_id.as_ref())?;
        let requested = WorkflowExecutionCancelRequested {
            external_workflow_execution: None,
            external_initiated_event_id: EventId(0),
            cause: None,
        };
        self.append_and_wake(no, call.now, requested);
        self.show_anew(no);
        self.settle(call.now);
        Ok(())
    }

    pub(crate) fn terminate_workflow_execution(
        &mut self,
        call: &Call<'_>,
        request: TerminateWorkflowExecutionRequest,
    ) -> Result<(), Fault> {
        let mut checks = Checks::default();
        check_target(&mut checks, &request.workflow_id, request.run_id.as_ref());
        checks.optional("reason", request.reason.as_ref(), limits::REASON_CHARS);
        checks.data("details", request.details.as_ref());
        checks.finish()?;
        let no = self.target(&request.domain, &request.workflow_id, request.run_id.as_ref())?;
        let Some(run) = self.runs.get(&no) else { return Ok(()) };
        let terminated = WorkflowExecutionTerminated {
            reason: request.reason,
            details: request.details,
            child_policy: request.child_policy.unwrap_or(run.state.config.child_policy),
            cause: Some(WorkflowExecutionTerminatedCause::OperatorInitiated),
        };
        self.append(no, call.now, terminated);
        self.settle(call.now);
        Ok(())
    }

    /// The open run that a request means.
    fn target(
        &self,
        domain: &DomainName,
        workflow_id: &WorkflowId,
        run_id: Option<&RunId>,
    ) -> Result<RunNo, Fault> {
        self.domain(domain)?;
        // SWF takes an empty run id for none.
        let run_id = run_id.filter(|id| !id.as_str().is_empty());
        self.open_run(domain, workflow_id, run_id)
            .ok_or_else(|| unknown_execution(workflow_id, run_id))
    }

    /// Writes again what lists show of an open run.
    pub(super) fn show_anew(&mut self, no: RunNo) {
        if let Some(run) = self.runs.get(&no) {
            self.writes.push(Write::Run(Box::new(RunRecord::open(no, run))));
        }
    }
}

pub(super) fn unknown_execution(workflow_id: &WorkflowId, run_id: Option<&RunId>) -> Fault {
    let message = match run_id {
        Some(run_id) => format!(
            "Unknown execution: WorkflowExecution=[workflowId={workflow_id}, runId={run_id}]"
        ),
        None => format!("Unknown execution, workflowId = {workflow_id}"),
    };
    Fault::new(FaultKind::UnknownResourceFault, message)
}

fn check_target(checks: &mut Checks, workflow_id: &WorkflowId, run_id: Option<&RunId>) {
    checks.text("workflowId", workflow_id.as_str(), limits::ID_CHARS);
    if let Some(run_id) = run_id {
        checks.most("runId", run_id.as_str(), RUN_ID_CHARS);
    }
}
