//! Finding executions in SWF: its lists are throttled and a little behind, so they are asked only
//! where nothing else will do.

use cpe_ports::Error;
use cpe_swf::{
    CloseStatus, HistoryEvent, Timestamp, WorkflowExecution, WorkflowId,
    api::{
        CloseStatusFilter, ExecutionTimeFilter, GetWorkflowExecutionHistoryRequest,
        ListClosedWorkflowExecutionsRequest, ListOpenWorkflowExecutionsRequest, TagFilter,
        WorkflowExecutionFilter, WorkflowExecutionInfo, WorkflowExecutionInfos,
    },
};

use crate::Worker;

/// 25,000 events in pages of a thousand; a little more for services with smaller ones.
const MAX_PAGES: usize = 250;

/// Which executions, of all that are open or closed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub(crate) workflow_id: Option<WorkflowId>,
    pub(crate) tag: Option<String>,
    /// Of closed ones.
    pub(crate) status: Option<CloseStatus>,
    /// Of closed ones: when they closed.
    pub(crate) since: Timestamp,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Page {
    pub(crate) size: Option<u32>,
    pub(crate) token: Option<String>,
}

pub(crate) async fn open(
    worker: &Worker,
    filter: Filter,
    page: Page,
) -> Result<WorkflowExecutionInfos, Error> {
    let request = ListOpenWorkflowExecutionsRequest {
        domain: worker.domain.clone(),
        start_time_filter: ExecutionTimeFilter { oldest_date: Timestamp(0), latest_date: None },
        type_filter: None,
        tag_filter: filter.tag.map(|tag| TagFilter { tag }),
        next_page_token: page.token,
        maximum_page_size: page.size,
        reverse_order: false,
        execution_filter: filter
            .workflow_id
            .map(|workflow_id| WorkflowExecutionFilter { workflow_id }),
    };
    worker.ports.workflows.list_open_workflow_executions(request).await
}

pub(crate) async fn closed(
    worker: &Worker,
    filter: Filter,
    page: Page,
) -> Result<WorkflowExecutionInfos, Error> {
    let since = ExecutionTimeFilter { oldest_date: filter.since, latest_date: None };
    let request = ListClosedWorkflowExecutionsRequest {
        domain: worker.domain.clone(),
        start_time_filter: None,
        close_time_filter: Some(since),
        execution_filter: filter
            .workflow_id
            .map(|workflow_id| WorkflowExecutionFilter { workflow_id }),
        close_status_filter: filter.status.map(|status| CloseStatusFilter { status }),
        type_filter: None,
        tag_filter: filter.tag.map(|tag| TagFilter { tag }),
        next_page_token: page.token,
        maximum_page_size: page.size,
        reverse_order: false,
    };
    worker.ports.workflows.list_closed_workflow_executions(request).await
}

/// The open run of a workflow id, or the last one that closed.
pub(crate) async fn find(
    worker: &Worker,
    workflow_id: &WorkflowId,
) -> Result<Option<WorkflowExecutionInfo>, Error> {
    let filter = Filter { workflow_id: Some(workflow_id.clone()), ..Filter::default() };
    let mut found = open(worker, filter.clone(), Page::default()).await?.execution_infos;
    if found.is_empty() {
        found = closed(worker, filter, Page::default()).await?.execution_infos;
    }
    Ok(found.into_iter().max_by_key(|info| info.start_timestamp))
}

/// The last event of a run's history. A text that SWF does not take stands for itself as clients
/// are told of it: by its object.
pub(crate) async fn last_event(
    worker: &Worker,
    execution: &WorkflowExecution,
) -> Result<Option<HistoryEvent>, Error> {
    let request = history_of(worker, execution, None);
    let request = GetWorkflowExecutionHistoryRequest {
        maximum_page_size: Some(1),
        reverse_order: true,
        ..request
    };
    let mut history = worker.ports.workflows.get_workflow_execution_history(request).await?;
    worker.payloads.locate_all(&execution.workflow_id, &mut history.events);
    Ok(history.events.into_iter().next())
}

/// A run's history, oldest event first; long texts as in [`last_event`].
pub(crate) async fn history(
    worker: &Worker,
    execution: &WorkflowExecution,
) -> Result<Vec<HistoryEvent>, Error> {
    let mut events = Vec::new();
    let mut token = None;
    for _ in 0..MAX_PAGES {
        let request = history_of(worker, execution, token);
        let page = worker.ports.workflows.get_workflow_execution_history(request).await?;
        events.extend(page.events);
        token = page.next_page_token;
        if token.is_none() {
            break;
        }
    }
    worker.payloads.locate_all(&execution.workflow_id, &mut events);
    Ok(events)
}

pub(crate) fn history_of(
    worker: &Worker,
    execution: &WorkflowExecution,
    next_page_token: Option<String>,
) -> GetWorkflowExecutionHistoryRequest {
    GetWorkflowExecutionHistoryRequest {
        domain: worker.domain.clone(),
        execution: execution.clone(),
        next_page_token,
        maximum_page_size: None,
        reverse_order: false,
    }
}
