//! Starting runs: from outside, as a child, or in continuation of another.

use std::{slice, sync::Arc};

use cpe_swf::{
    ChildPolicy, DomainName, EventId, Fault, FaultKind, HistoryEvent, RegistrationStatus, RunId,
    TaskList, Timeout, Timestamp, WorkflowExecution, WorkflowId,
    api::{Run, StartWorkflowExecutionRequest, WorkflowTypeConfiguration},
    event::WorkflowExecutionStarted,
};

use super::{
    Call, OpenRun, RunNo, RunRecord, RunState, Swf, Write,
    check::Checks,
    kinds::{type_deprecated, unknown_type},
    run::Slot,
    token,
};

/// Open executions of a domain.
pub(super) const OPEN_EXECUTIONS: usize = 100_000;

/// What a start says about a run; absent parts come from the workflow type.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) execution_timeout: Option<Timeout>,
    pub(super) task_list: Option<TaskList>,
    pub(super) task_timeout: Option<Timeout>,
    pub(super) child_policy: Option<ChildPolicy>,
    pub(super) task_priority: Option<String>,
    pub(super) lambda_role: Option<String>,
}

/// The same, complete.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) execution_timeout: Timeout,
    pub(super) task_list: TaskList,
    pub(super) task_timeout: Timeout,
    pub(super) child_policy: ChildPolicy,
    pub(super) task_priority: Option<String>,
    pub(super) lambda_role: Option<String>,
}

/// What neither a start nor the type's defaults say. In the order in which SWF looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Undefined {
    ExecutionTimeout,
    TaskList,
    TaskTimeout,
    ChildPolicy,
}

impl Wanted {
    pub(super) fn or_defaults(
        self,
        defaults: &WorkflowTypeConfiguration,
    ) -> Result<Settings, Undefined> {
        let execution_timeout = self
            .execution_timeout
            .or(defaults.default_execution_start_to_close_timeout)
            .ok_or(Undefined::ExecutionTimeout)?;
        let task_list = self
            .task_list
            .or_else(|| defaults.default_task_list.clone())
            .ok_or(Undefined::TaskList)?;
        let task_timeout = self
            .task_timeout
            .or(defaults.default_task_start_to_close_timeout)
            .ok_or(Undefined::TaskTimeout)?;
        let child_policy =
            self.child_policy.or(defaults.default_child_policy).ok_or(Undefined::ChildPolicy)?;
        Ok(Settings {
            execution_timeout,
            task_list,
            task_timeout,
            child_policy,
            task_priority: self.task_priority.or_else(|| defaults.default_task_priority.clone()),
            lambda_role: self.lambda_role.or_else(|| defaults.default_lambda_role.clone()),
        })
    }
}

/// Everything that a new run needs.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) no: RunNo,
    pub(super) domain: DomainName,
    pub(super) execution: WorkflowExecution,
    pub(super) started: WorkflowExecutionStarted,
}

impl Swf {
    pub(crate) fn start_workflow_execution(
        &mut self,
        call: &Call<'_>,
        request: StartWorkflowExecutionRequest,
    ) -> Result<Run, Fault> {
        check(&request)?;
        let domain = self.domain(&request.domain)?;
        let detail = (domain.workflow_types.get(&request.workflow_type))
            .ok_or_else(|| unknown_type(&request.workflow_type))?;
        if detail.type_info.status == RegistrationStatus::Deprecated {
            return Err(type_deprecated(&request.workflow_type));
        }
        // Deprecating a domain deprecates its types; one may have been taken back since.
        if domain.record.status == RegistrationStatus::Deprecated {
            let name = request.domain.to_string();
            return Err(Fault::new(FaultKind::DomainDeprecatedFault, name));
        }
        let wanted = Wanted {
            execution_timeout: request.execution_start_to_close_timeout,
            task_list: request.task_list,
            task_timeout: request.task_start_to_close_timeout,
            child_policy: request.child_policy,
            task_priority: request.task_priority,
            lambda_role: request.lambda_role,
        };
        let settings = wanted.or_defaults(&detail.configuration).map_err(undefined)?;
        if domain.open.contains_key(&request.workflow_id) {
            let kind = FaultKind::WorkflowExecutionAlreadyStartedFault;
            return Err(Fault::new(kind, "Already Started"));
        }
        if domain.open.len() >= OPEN_EXECUTIONS {
            let message =
                format!("Domain {} has {OPEN_EXECUTIONS} open executions", request.domain);
            return Err(Fault::new(FaultKind::LimitExceededFault, message));
        }
        let mut started = settings.started(request.workflow_type, request.tag_list);
        started.input = request.input;
        let (no, run_id) = self.allocate(call.now, &request.domain, &request.workflow_id);
        let execution =
            WorkflowExecution { workflow_id: request.workflow_id, run_id: run_id.clone() };
        self.launch(call.now, Launch { no, domain: request.domain, execution, started });
        Ok(Run { run_id: Some(run_id) })
    }

    /// The number and the run id of the next run.
    pub(super) fn allocate(
        &mut self,
        now: Timestamp,
        domain: &DomainName,
        workflow_id: &WorkflowId,
    ) -> (RunNo, RunId) {
        let no = self.next_run;
        self.next_run = RunNo(no.0 + 1);
        (no, token::run_id(no, domain.as_str(), workflow_id.as_str(), now))
    }

    /// Opens a run and schedules its first decision task.
    pub(super) fn launch(&mut self, now: Timestamp, launch: Launch) {
        let Launch { no, domain, execution, started } = launch;
        let Some(held) = self.domains.get_mut(&domain) else { return };
        let event = HistoryEvent {
            event_id: EventId(1),
            event_timestamp: now,
            attributes: Arc::new(started.into()),
        };
        let Some(state) = RunState::replay(slice::from_ref(&event)) else { return };
        held.open.insert(execution.workflow_id.clone(), no);
        let run = OpenRun { domain, execution, events: vec![event.clone()], state };
        self.agenda.arm(no, &run, Slot::Execution);
        self.writes.push(Write::Run(Box::new(RunRecord::open(no, &run))));
        self.writes.push(Write::Event { run: no, event });
        self.runs.insert(no, run);
        self.wake(no, now);
    }

    /// Puts an open run back that was read from storage. `false` if its history is none.
    pub(super) fn restore(
        &mut self,
        no: RunNo,
        domain: DomainName,
        execution: WorkflowExecution,
        events: Vec<HistoryEvent>,
    ) -> bool {
        let Some(state) = RunState::replay(&events) else { return false };
        let Some(held) = self.domains.get_mut(&domain) else { return false };
        held.open.insert(execution.workflow_id.clone(), no);
        let run = OpenRun { domain, execution, events, state };
        for slot in run.state.slots() {
            self.agenda.arm(no, &run, slot);
        }
        self.runs.insert(no, run);
        true
    }
}

impl Settings {
    /// The event that a run begins with, without its input.
    pub(super) fn started(
        self,
        workflow_type: cpe_swf::WorkflowType,
        tag_list: Vec<String>,
    ) -> WorkflowExecutionStarted {
        WorkflowExecutionStarted {
            input: None,
            execution_start_to_close_timeout: Some(self.execution_timeout),
            task_start_to_close_timeout: Some(self.task_timeout),
            child_policy: self.child_policy,
            task_list: self.task_list,
            task_priority: self.task_priority,
            workflow_type,
            tag_list,
            continued_execution_run_id: None,
            parent_workflow_execution: None,
            parent_initiated_event_id: EventId(0),
            lambda_role: self.lambda_role,
        }
    }
}

fn check(request: &StartWorkflowExecutionRequest) -> Result<(), Fault> {
    let mut checks = Checks::default();
    checks.text("domain", request.domain.as_str(), cpe_swf::limits::ID_CHARS);
    checks.id("workflowId", request.workflow_id.as_str());
    checks.text("workflowType.name", &request.workflow_type.name, cpe_swf::limits::ID_CHARS);
    checks.text(
        "workflowType.version",
        &request.workflow_type.version,
        cpe_swf::limits::VERSION_CHARS,
    );
    checks.task_list("taskList", request.task_list.as_ref());
    checks.priority("taskPriority", request.task_priority.as_ref());
    checks.data("input", request.input.as_ref());
    let at = "executionStartToCloseTimeout";
    checks.execution_timeout(at, request.execution_start_to_close_timeout);
    checks.timeout("taskStartToCloseTimeout", request.task_start_to_close_timeout);
    checks.tags("tagList", &request.tag_list);
    checks.finish()
}

fn undefined(what: Undefined) -> Fault {
    let member = match what {
        Undefined::ExecutionTimeout => "executionStartToCloseTimeout",
        Undefined::TaskList => "taskList",
        Undefined::TaskTimeout => "taskStartToCloseTimeout",
        Undefined::ChildPolicy => "childPolicy",
    };
    Fault::new(FaultKind::DefaultUndefinedFault, member)
}
