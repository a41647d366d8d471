//! What the machine asks to be written.

use cpe_swf::{
    ActivityType, DomainName, EventId, ExecutionStatus, HistoryEvent, WorkflowType,
    api::{
        ActivityTypeDetail, WorkflowExecutionConfiguration, WorkflowExecutionDetail,
        WorkflowExecutionInfo, WorkflowExecutionOpenCounts, WorkflowTypeDetail,
    },
};

use super::{DomainRecord, Heartbeat, OpenRun, RunNo};

/// One change to what is stored. In the order in which they must be written.
#[derive(Debug, Clone)]
pub(crate) enum Write {
    Domain(DomainRecord),
    WorkflowType {
        domain: DomainName,
        detail: WorkflowTypeDetail,
    },
    DropWorkflowType {
        domain: DomainName,
        workflow_type: WorkflowType,
    },
    ActivityType {
        domain: DomainName,
        detail: ActivityTypeDetail,
    },
    DropActivityType {
        domain: DomainName,
        activity_type: ActivityType,
    },
    /// A run began, closed, or shows something else in a list.
    Run(Box<RunRecord>),
    Event {
        run: RunNo,
        event: HistoryEvent,
    },
    Heartbeat {
        run: RunNo,
        activity: EventId,
        heartbeat: Heartbeat,
    },
    DropHeartbeat {
        run: RunNo,
        activity: EventId,
    },
    DropHeartbeats {
        run: RunNo,
    },
}

/// What is kept of a run beside its events: what lists show and, once closed, its description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunRecord {
    pub(crate) no: RunNo,
    pub(crate) domain: DomainName,
    pub(crate) info: WorkflowExecutionInfo,
    /// Of closed runs only: open ones are described from memory.
    pub(crate) detail: Option<WorkflowExecutionDetail>,
}

impl RunRecord {
    pub(super) fn open(no: RunNo, run: &OpenRun) -> Self {
        Self { no, domain: run.domain.clone(), info: run.info(), detail: None }
    }

    /// As recordings of SWF show, what was open at the close stays counted.
    pub(super) fn closed(no: RunNo, run: &OpenRun) -> Self {
        Self { no, domain: run.domain.clone(), info: run.info(), detail: Some(run.detail()) }
    }
}

impl OpenRun {
    pub(super) fn info(&self) -> WorkflowExecutionInfo {
        let state = &self.state;
        let status = match state.closed {
            Some(_) => ExecutionStatus::Closed,
            None => ExecutionStatus::Open,
        };
        WorkflowExecutionInfo {
            execution: self.execution.clone(),
            workflow_type: state.config.workflow_type.clone(),
            start_timestamp: state.started_at,
            close_timestamp: state.closed.map(|(at, _)| at),
            execution_status: status,
            close_status: state.closed.map(|(_, status)| status),
            parent: state.config.parent_workflow_execution.clone(),
            tag_list: state.config.tag_list.clone(),
            // Recordings of SWF show `false` for closed runs, even for canceled ones.
            cancel_requested: state.cancel_requested && state.closed.is_none(),
        }
    }

    pub(super) fn detail(&self) -> WorkflowExecutionDetail {
        let state = &self.state;
        let config = &state.config;
        let none = cpe_swf::Timeout::None;
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let decisions = &state.decisions;
        let deciding = decisions.waiting.is_some() || decisions.started.is_some();
        WorkflowExecutionDetail {
            execution_info: self.info(),
            execution_configuration: WorkflowExecutionConfiguration {
                task_start_to_close_timeout: config.task_start_to_close_timeout.unwrap_or(none),
                execution_start_to_close_timeout: config
                    .execution_start_to_close_timeout
                    .unwrap_or(none),
                task_list: config.task_list.clone(),
                task_priority: config.task_priority.clone(),
                child_policy: config.child_policy,
                lambda_role: config.lambda_role.clone(),
            },
            open_counts: WorkflowExecutionOpenCounts {
                open_activity_tasks: count(state.activities.len()),
                open_decision_tasks: u32::from(deciding),
                open_timers: count(state.timers.len()),
                open_child_workflow_executions: count(state.children.len()),
                open_lambda_functions: Some(0),
            },
            latest_activity_task_timestamp: state.latest_activity,
            latest_execution_context: state.latest_context.clone(),
        }
    }
}
