//! What one run does to another: children started and closed, signals, cancel requests.
//!
//! Events announce it; it is carried out at the end of the same command, so that a restart never
//! finds anything half done. One after the other, not by recursion: a chain of children may be
//! long.

use cpe_swf::{
    ChildPolicy, DomainName, EventAttributes, EventId, HistoryEvent,
    RequestCancelExternalWorkflowExecutionFailedCause as CancelCause,
    SignalExternalWorkflowExecutionFailedCause as SignalCause,
    StartChildWorkflowExecutionFailedCause as ChildCause, Timestamp, WorkflowExecution,
    WorkflowExecutionCancelRequestedCause, WorkflowExecutionTerminatedCause, WorkflowId,
    WorkflowType, event::*,
};

use super::{OpenRun, RunNo, Swf, start::Launch};

#[derive(Debug)]
pub(super) enum Followup {
    /// `source` wrote an event that announces something.
    Initiated { no: RunNo, domain: DomainName, source: WorkflowExecution, event: HistoryEvent },
    /// A child closed; its parent has to know.
    ChildClosed {
        child: ChildOf,
        execution: WorkflowExecution,
        kind: WorkflowType,
        event: HistoryEvent,
    },
    /// The parent was terminated or timed out.
    ParentGone { child: ChildOf, workflow_id: WorkflowId, policy: ChildPolicy },
}

/// Whose child a run is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChildOf {
    domain: DomainName,
    parent: WorkflowExecution,
    initiated: EventId,
}

impl Followup {
    /// What the closing of a run means for others.
    pub(super) fn of_closed(run: &OpenRun) -> Vec<Self> {
        use EventAttributes as E;
        let mut followups = Vec::new();
        let Some(event) = run.events.last() else { return followups };
        let config = &run.state.config;
        let continued = matches!(&*event.attributes, E::WorkflowExecutionContinuedAsNew(_));
        // The run that continues a child is the same parent's child.
        if let Some(parent) = &config.parent_workflow_execution
            && !continued
        {
            followups.push(Self::ChildClosed {
                child: ChildOf {
                    domain: run.domain.clone(),
                    parent: parent.clone(),
                    initiated: config.parent_initiated_event_id,
                },
                execution: run.execution.clone(),
                kind: config.workflow_type.clone(),
                event: event.clone(),
            });
        }
        let policy = match &*event.attributes {
            E::WorkflowExecutionTerminated(e) => e.child_policy,
            E::WorkflowExecutionTimedOut(e) => e.child_policy,
            _ => ChildPolicy::Abandon,
        };
        if policy != ChildPolicy::Abandon {
            followups.extend(run.state.children.iter().map(|(initiated, child)| {
                Self::ParentGone {
                    child: ChildOf {
                        domain: run.domain.clone(),
                        parent: run.execution.clone(),
                        initiated: *initiated,
                    },
                    workflow_id: child.workflow_id.clone(),
                    policy,
                }
            }));
        }
        followups
    }
}

impl Swf {
    /// Carries out what events of this command announced.
    pub(super) fn settle(&mut self, now: Timestamp) {
        while let Some(followup) = self.followups.pop_front() {
            match followup {
                Followup::Initiated { no, domain, source, event } => {
                    self.carry_out(now, no, (domain, source), &event);
                }
                Followup::ChildClosed { child, execution, kind, event } => {
                    self.tell_parent(now, &child, (execution, kind), &event);
                }
                Followup::ParentGone { child, workflow_id, policy } => {
                    self.apply_child_policy(now, &child, &workflow_id, policy);
                }
            }
        }
    }

    fn carry_out(
        &mut self,
        now: Timestamp,
        no: RunNo,
        (domain, source): (DomainName, WorkflowExecution),
        event: &HistoryEvent,
    ) {
        use EventAttributes as E;
        let initiated = event.event_id;
        match &*event.attributes {
            E::StartChildWorkflowExecutionInitiated(e) => {
                let child = ChildOf { domain, parent: source, initiated };
                self.start_child(now, no, child, e);
            }
            E::SignalExternalWorkflowExecutionInitiated(e) => {
                let target = self.open_run(&domain, &e.workflow_id, e.run_id.as_ref());
                let told = WorkflowExecutionSignaled {
                    signal_name: e.signal_name.clone(),
                    input: e.input.clone(),
                    external_workflow_execution: Some(source),
                    external_initiated_event_id: initiated,
                };
                let outcome: EventAttributes = match self.tell(now, target, told) {
                    Some(workflow_execution) => ExternalWorkflowExecutionSignaled {
                        workflow_execution,
                        initiated_event_id: initiated,
                    }
                    .into(),
                    None => SignalExternalWorkflowExecutionFailed {
                        workflow_id: e.workflow_id.clone(),
                        run_id: e.run_id.clone(),
                        cause: SignalCause::UnknownExternalWorkflowExecution,
                        initiated_event_id: initiated,
                        decision_task_completed_event_id: e.decision_task_completed_event_id,
                        control: e.control.clone(),
                    }
                    .into(),
                };
                self.append_and_wake(no, now, outcome);
            }
            E::RequestCancelExternalWorkflowExecutionInitiated(e) => {
                let target = self.open_run(&domain, &e.workflow_id, e.run_id.as_ref());
                let told = WorkflowExecutionCancelRequested {
                    external_workflow_execution: Some(source),
                    external_initiated_event_id: initiated,
                    cause: None,
                };
                let outcome: EventAttributes = match self.tell(now, target, told) {
                    Some(workflow_execution) => ExternalWorkflowExecutionCancelRequested {
                        workflow_execution,
                        initiated_event_id: initiated,
                    }
                    .into(),
                    None => RequestCancelExternalWorkflowExecutionFailed {
                        workflow_id: e.workflow_id.clone(),
                        run_id: e.run_id.clone(),
                        cause: CancelCause::UnknownExternalWorkflowExecution,
                        initiated_event_id: initiated,
                        decision_task_completed_event_id: e.decision_task_completed_event_id,
                        control: e.control.clone(),
                    }
                    .into(),
                };
                self.append_and_wake(no, now, outcome);
            }
            _ => {}
        }
    }

    /// Writes an event into another run's history, and tells which run that was.
    fn tell(
        &mut self,
        now: Timestamp,
        target: Option<RunNo>,
        event: impl Into<EventAttributes>,
    ) -> Option<WorkflowExecution> {
        let target = target?;
        let execution = self.runs.get(&target)?.execution.clone();
        let event = event.into();
        let cancels = matches!(event, EventAttributes::WorkflowExecutionCancelRequested(_));
        self.append_and_wake(target, now, event);
        if cancels {
            self.show_anew(target);
        }
        Some(execution)
    }

    fn start_child(
        &mut self,
        now: Timestamp,
        no: RunNo,
        child: ChildOf,
        wanted: &StartChildWorkflowExecutionInitiated,
    ) {
        let initiated_event_id = child.initiated;
        if self.open_run(&child.domain, &wanted.workflow_id, None).is_some() {
            let failed = StartChildWorkflowExecutionFailed {
                workflow_type: wanted.workflow_type.clone(),
                cause: ChildCause::WorkflowAlreadyRunning,
                workflow_id: wanted.workflow_id.clone(),
                initiated_event_id,
                // As documented: with this cause only the initiated event is named.
                decision_task_completed_event_id: EventId(0),
                control: wanted.control.clone(),
            };
            self.append_and_wake(no, now, failed);
            return;
        }
        let started = WorkflowExecutionStarted {
            input: wanted.input.clone(),
            execution_start_to_close_timeout: wanted.execution_start_to_close_timeout,
            task_start_to_close_timeout: wanted.task_start_to_close_timeout,
            child_policy: wanted.child_policy,
            task_list: wanted.task_list.clone(),
            task_priority: wanted.task_priority.clone(),
            workflow_type: wanted.workflow_type.clone(),
            tag_list: wanted.tag_list.clone(),
            continued_execution_run_id: None,
            parent_workflow_execution: Some(child.parent),
            parent_initiated_event_id: initiated_event_id,
            lambda_role: wanted.lambda_role.clone(),
        };
        let (child_no, run_id) = self.allocate(now, &child.domain, &wanted.workflow_id);
        let execution = WorkflowExecution { workflow_id: wanted.workflow_id.clone(), run_id };
        let told = ChildWorkflowExecutionStarted {
            workflow_execution: execution.clone(),
            workflow_type: wanted.workflow_type.clone(),
            initiated_event_id,
        };
        self.launch(now, Launch { no: child_no, domain: child.domain, execution, started });
        self.append_and_wake(no, now, told);
    }

    fn tell_parent(
        &mut self,
        now: Timestamp,
        child: &ChildOf,
        (workflow_execution, workflow_type): (WorkflowExecution, WorkflowType),
        event: &HistoryEvent,
    ) {
        use EventAttributes as E;
        let ChildOf { domain, parent, initiated } = child;
        let no = self.open_run(domain, &parent.workflow_id, Some(&parent.run_id));
        let Some((no, run)) = no.and_then(|no| Some((no, self.runs.get(&no)?))) else { return };
        let Some(known) = run.state.children.get(initiated) else { return };
        let initiated_event_id = *initiated;
        let started_event_id = known.started.unwrap_or_default();
        let told: EventAttributes = match &*event.attributes {
            E::WorkflowExecutionCompleted(e) => ChildWorkflowExecutionCompleted {
                workflow_execution,
                workflow_type,
                result: e.result.clone(),
                initiated_event_id,
                started_event_id,
            }
            .into(),
            E::WorkflowExecutionFailed(e) => ChildWorkflowExecutionFailed {
                workflow_execution,
                workflow_type,
                reason: e.reason.clone(),
                details: e.details.clone(),
                initiated_event_id,
                started_event_id,
            }
            .into(),
            E::WorkflowExecutionCanceled(e) => ChildWorkflowExecutionCanceled {
                workflow_execution,
                workflow_type,
                details: e.details.clone(),
                initiated_event_id,
                started_event_id,
            }
            .into(),
            E::WorkflowExecutionTimedOut(e) => ChildWorkflowExecutionTimedOut {
                workflow_execution,
                workflow_type,
                timeout_type: e.timeout_type,
                initiated_event_id,
                started_event_id,
            }
            .into(),
            _ => ChildWorkflowExecutionTerminated {
                workflow_execution,
                workflow_type,
                initiated_event_id,
                started_event_id,
            }
            .into(),
        };
        self.append_and_wake(no, now, told);
    }

    fn apply_child_policy(
        &mut self,
        now: Timestamp,
        child: &ChildOf,
        workflow_id: &WorkflowId,
        policy: ChildPolicy,
    ) {
        let Some(no) = self.open_run(&child.domain, workflow_id, None) else { return };
        let Some(run) = self.runs.get(&no) else { return };
        // By its parent and not by its run id: it may have continued as new.
        let config = &run.state.config;
        let is_child = config.parent_workflow_execution.as_ref() == Some(&child.parent)
            && config.parent_initiated_event_id == child.initiated;
        if !is_child {
            return;
        }
        match policy {
            ChildPolicy::Abandon => {}
            ChildPolicy::Terminate => {
                let terminated = WorkflowExecutionTerminated {
                    reason: None,
                    details: None,
                    child_policy: config.child_policy,
                    cause: Some(WorkflowExecutionTerminatedCause::ChildPolicyApplied),
                };
                self.append(no, now, terminated);
            }
            ChildPolicy::RequestCancel => {
                let requested = WorkflowExecutionCancelRequested {
                    external_workflow_execution: None,
                    external_initiated_event_id: EventId(0),
                    cause: Some(WorkflowExecutionCancelRequestedCause::ChildPolicyApplied),
                };
                self.append_and_wake(no, now, requested);
                self.show_anew(no);
            }
        }
    }
}
