//! What SWF keeps of everything that ever ran.

use cpe_ports::WorkflowService;
use cpe_swf::{
    CloseStatus, DomainName, HistoryEvent, Timestamp, WorkflowExecution,
    api::{
        ExecutionTimeFilter, GetWorkflowExecutionHistoryRequest,
        ListClosedWorkflowExecutionsRequest, ListOpenWorkflowExecutionsRequest,
        WorkflowExecutionInfo,
    },
};

/// An execution as SWF has it.
#[derive(Debug)]
pub struct Execution {
    pub of: WorkflowExecution,
    /// `None` if it is open.
    pub closed: Option<CloseStatus>,
    pub events: Vec<HistoryEvent>,
}

impl Execution {
    /// All of a domain, open and closed.
    pub async fn all(workflows: &dyn WorkflowService, domain: &DomainName) -> Vec<Self> {
        let mut infos = open_executions(workflows, domain).await;
        infos.extend(closed_executions(workflows, domain).await);
        let mut executions = Vec::new();
        for info in infos {
            let events = history(workflows, domain, &info.execution).await;
            executions.push(Self { of: info.execution, closed: info.close_status, events });
        }
        executions
    }
}

fn ever() -> ExecutionTimeFilter {
    ExecutionTimeFilter { oldest_date: Timestamp(0), latest_date: None }
}

/// All that are open, in all pages of the list.
pub async fn open_executions(
    workflows: &dyn WorkflowService,
    domain: &DomainName,
) -> Vec<WorkflowExecutionInfo> {
    let (mut infos, mut token) = (Vec::new(), None);
    loop {
        let list = ListOpenWorkflowExecutionsRequest {
            domain: domain.clone(),
            start_time_filter: ever(),
            type_filter: None,
            tag_filter: None,
            next_page_token: token,
            maximum_page_size: None,
            reverse_order: false,
            execution_filter: None,
        };
        let page = workflows.list_open_workflow_executions(list).await.unwrap();
        infos.extend(page.execution_infos);
        token = page.next_page_token;
        if token.is_none() {
            return infos;
        }
    }
}

async fn closed_executions(
    workflows: &dyn WorkflowService,
    domain: &DomainName,
) -> Vec<WorkflowExecutionInfo> {
    let (mut infos, mut token) = (Vec::new(), None);
    loop {
        let list = ListClosedWorkflowExecutionsRequest {
            domain: domain.clone(),
            start_time_filter: Some(ever()),
            close_time_filter: None,
            execution_filter: None,
            close_status_filter: None,
            type_filter: None,
            tag_filter: None,
            next_page_token: token,
            maximum_page_size: None,
            reverse_order: false,
        };
        let page = workflows.list_closed_workflow_executions(list).await.unwrap();
        infos.extend(page.execution_infos);
        token = page.next_page_token;
        if token.is_none() {
            return infos;
        }
    }
}

async fn history(
    workflows: &dyn WorkflowService,
    domain: &DomainName,
    execution: &WorkflowExecution,
) -> Vec<HistoryEvent> {
    let (mut events, mut token) = (Vec::new(), None);
    loop {
        let request = GetWorkflowExecutionHistoryRequest {
            domain: domain.clone(),
            execution: execution.clone(),
            next_page_token: token,
            maximum_page_size: None,
            reverse_order: false,
        };
        let page = workflows.get_workflow_execution_history(request).await.unwrap();
        events.extend(page.events);
        token = page.next_page_token;
        if token.is_none() {
            return events;
        }
    }
}
