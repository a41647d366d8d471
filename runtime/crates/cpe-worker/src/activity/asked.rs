//! What an activity asks to reach. Prefixes may name the job's input, which an activity task does
//! not tell: it is read from the history, and only where it is needed.

use cpe_plan::{Grants, RunState};
use cpe_ports::Error;
use cpe_swf::{WorkflowExecution, api::GetWorkflowExecutionHistoryRequest};
use serde_json::Value;

use super::answer::Answer;
use crate::{Binding, Worker, backoff::retrying};

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

/// `None` asks for whatever the client is allowed.
pub(super) async fn grants(
    worker: &Worker,
    binding: &Binding,
    execution: &WorkflowExecution,
) -> Result<Option<Grants>, Answer> {
    let activity = &binding.activity;
    let asked = activity.grants.as_ref();
    if !asked.is_some_and(|grants| grants.s3.iter().any(|grant| grant.is_template())) {
        return Ok(asked.cloned());
    }
    let input = job_input(worker, binding, execution).await.map_err(|error| {
        let message = format!("the job's input, which grants name, cannot be read: {error}");
        Answer::failed("cpe.grants.unreadable", &message, true)
    })?;
    let granted = binding.plan.grants_for(activity, &input);
    granted.map_err(|error| Answer::failed("cpe.grants.invalid", &error, false))
}

async fn job_input(
    worker: &Worker,
    binding: &Binding,
    execution: &WorkflowExecution,
) -> Result<Value, Error> {
    let request = GetWorkflowExecutionHistoryRequest {
        domain: worker.domain.clone(),
        execution: execution.clone(),
        next_page_token: None,
        maximum_page_size: Some(1),
        reverse_order: false,
    };
    let workflows = &worker.ports.workflows;
    let read = || workflows.get_workflow_execution_history(request.clone());
    let history = retrying(worker.backoff, PATIENCE, read).await?;
    let mut state = RunState::of_execution(execution.clone());
    for event in history.events.iter().take(1) {
        state.apply(&binding.plan, event);
    }
    Ok(state.input())
}
