//! The history that a decision needs: from where the service began, or all of it.

use cpe_ports::{Error, ErrorKind};
use cpe_swf::{
    EventId, HistoryEvent,
    api::{DecisionTask, GetWorkflowExecutionHistoryRequest, PollForDecisionTaskRequest},
};

use crate::{Worker, backoff::retrying};

/// 25,000 events in pages of the smallest size that any service is known to give.
const MAX_PAGES: usize = 2_500;
/// Tokens of further pages die after a minute.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// All pages of a decision task's own history.
pub(super) async fn of_task(
    worker: &Worker,
    request: &PollForDecisionTaskRequest,
    task: &DecisionTask,
) -> Result<Vec<HistoryEvent>, Error> {
    let mut events = task.events.clone();
    let mut token = task.next_page_token.clone();
    for _ in 0..MAX_PAGES {
        let Some(next_page_token) = token else { return Ok(events) };
        let request = PollForDecisionTaskRequest {
            next_page_token: Some(next_page_token),
            ..request.clone()
        };
        let poll = || worker.ports.workflows.poll_for_decision_task(request.clone());
        let page = retrying(worker.backoff, PATIENCE, poll).await?;
        let page = page.ok_or_else(|| {
            Error::new(ErrorKind::Broken, "a further page of a history was not there")
        })?;
        events.extend(page.events);
        token = page.next_page_token;
    }
    Err(endless())
}

/// The execution's history from its first event to the start of this decision task.
pub(super) async fn whole(
    worker: &Worker,
    task: &DecisionTask,
) -> Result<Vec<HistoryEvent>, Error> {
    let mut events = Vec::new();
    let mut token = None;
    for _ in 0..MAX_PAGES {
        let request = GetWorkflowExecutionHistoryRequest {
            domain: worker.domain.clone(),
            execution: task.workflow_execution.clone(),
            next_page_token: token,
            maximum_page_size: None,
            reverse_order: false,
        };
        let get = || worker.ports.workflows.get_workflow_execution_history(request.clone());
        let page = retrying(worker.backoff, PATIENCE, get).await?;
        // What came in since then belongs to the next decision task.
        let known = page.events.into_iter().filter(|e| e.event_id <= task.started_event_id);
        events.extend(known);
        token = page.next_page_token;
        if token.is_none() {
            return Ok(events);
        }
    }
    Err(endless())
}

/// Whether nothing is missing between what was applied and these events.
pub(super) fn continues(events: &[HistoryEvent], last_applied: EventId) -> bool {
    events.first().is_none_or(|first| first.event_id.0 <= last_applied.0.saturating_add(1))
}

fn endless() -> Error {
    Error::new(ErrorKind::Broken, format!("a history has more than {MAX_PAGES} pages"))
}
