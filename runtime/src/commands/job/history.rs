//! What a job's history tells: the list, the table of steps, the live view.

mod live;
mod steps;

use std::time::Duration;

use anyhow::{Context, bail};
use cpe_ports::{Clock, ErrorKind, SystemClock};
use cpe_swf::{
    CloseStatus, DomainName, EventAttributes, EventId, HistoryEvent, RunId, Timestamp,
    WorkflowExecution, WorkflowId,
    api::{
        ExecutionTimeFilter, GetWorkflowExecutionHistoryRequest,
        ListClosedWorkflowExecutionsRequest, ListOpenWorkflowExecutionsRequest,
        WorkflowExecutionFilter, WorkflowExecutionInfo,
    },
};
use cpe_worker::{PayloadError, Ports};
use serde_json::{Value, json};

pub(super) use self::steps::duration;
use self::{live::View, steps::Steps};
use super::{Failed, ask, canary, peek::Peek};
use crate::{cli::Output, compose, config::Config};

/// How often the live view asks. SWF allows 60 history calls a second for a whole account.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);
/// How long a job that was just sent may take to appear.
const APPEAR_ATTEMPTS: u32 = 60;

pub(super) async fn show(
    ports: &Ports,
    config: &Config,
    workflow_id: &WorkflowId,
    output: Output,
) -> Result<(), Failed> {
    let execution = find(ports, config, workflow_id)
        .await?
        .with_context(|| format!("no job {workflow_id} in the domain {}", config.domain))?;
    let events = whole_history(ports, config, &execution).await?;
    let steps = Steps::of(&events);
    let canaries = match ask::plan_of(ports, config, &events).await {
        Some(plan) => canary::reasons(ports, config, (workflow_id, &plan), &events).await,
        None => Vec::new(),
    };
    match output {
        Output::Json => {
            let mut shown = steps.to_json(&execution);
            if let Some(shown) = shown.as_object_mut().filter(|_| !canaries.is_empty()) {
                shown.insert("aborted_canaries".to_owned(), json!(canaries));
            }
            println!("{}", serde_json::to_string_pretty(&shown)?);
        }
        Output::Text => {
            println!("{}", steps.to_text(&execution, SystemClock.now()));
            canaries.iter().for_each(|canary| println!("! {}", canary.sentence));
        }
    }
    Ok(())
}

pub(super) async fn watch(
    ports: &Ports,
    config: &Config,
    workflow_id: WorkflowId,
    output: Output,
) -> Result<(), Failed> {
    watch_answered(ports, config, workflow_id, output, None).await
}

/// As [`watch`], of a job that was just asked for: unless the answer says that it is refused.
pub(super) async fn watch_answered(
    ports: &Ports,
    config: &Config,
    workflow_id: WorkflowId,
    output: Output,
    answer: Option<Peek>,
) -> Result<(), Failed> {
    let mut execution = appear(ports, config, &workflow_id, answer).await?;
    let mut seen = EventId(0);
    let mut all: Vec<HistoryEvent> = Vec::new();
    let mut view = View::of(output);
    loop {
        let fresh = events_after(ports, config, &execution, seen).await?;
        for event in &fresh {
            seen = event.event_id;
            view.show(event, &all, SystemClock.now())?;
            all.push(event.clone());
        }
        let end = all.last().and_then(end_of);
        if end == Some(CloseStatus::ContinuedAsNew) {
            // The job goes on in a run whose events are numbered anew.
            if let Some(next) = find(ports, config, &workflow_id).await?
                && next != execution
            {
                (execution, seen) = (next, EventId(0));
                all.clear();
                continue;
            }
        } else if let Some(end) = end {
            return if end == CloseStatus::Completed {
                Ok(())
            } else {
                Err(anyhow::anyhow!("the job {workflow_id} ended as {end}").into())
            };
        }
        tokio::time::sleep(WATCH_INTERVAL).await;
    }
}

/// Waits for the job to be there: its message may still be on its way.
async fn appear(
    ports: &Ports,
    config: &Config,
    workflow_id: &WorkflowId,
    answer: Option<Peek>,
) -> Result<WorkflowExecution, Failed> {
    for _ in 0..APPEAR_ATTEMPTS {
        if let Some(execution) = find(ports, config, workflow_id).await? {
            return Ok(execution);
        }
        if let Some(why) = refusal(ports, answer.as_ref()).await {
            return Err(anyhow::anyhow!("the job {workflow_id} was refused: {why}").into());
        }
        tokio::time::sleep(WATCH_INTERVAL).await;
    }
    let message = format!(
        "no job {workflow_id} appeared in the domain {}: either no input poller reads the \
         client's queue, or the command was refused (the output queue says why)",
        config.domain
    );
    Err(anyhow::anyhow!(message).into())
}

async fn refusal(ports: &Ports, answer: Option<&Peek>) -> Option<String> {
    answer?.refusal(ports).await
}

/// The newest run of a workflow id.
pub(super) async fn find(
    ports: &Ports,
    config: &Config,
    workflow_id: &WorkflowId,
) -> anyhow::Result<Option<WorkflowExecution>> {
    let request = ListOpenWorkflowExecutionsRequest {
        domain: domain(config),
        start_time_filter: since(Timestamp::from_millis(0)),
        type_filter: None,
        tag_filter: None,
        next_page_token: None,
        maximum_page_size: None,
        reverse_order: false,
        execution_filter: Some(WorkflowExecutionFilter { workflow_id: workflow_id.clone() }),
    };
    let open = ports.workflows.list_open_workflow_executions(request).await;
    let open = open.with_context(|| unreachable_domain(config))?;
    if let Some(info) = open.execution_infos.into_iter().next() {
        return Ok(Some(info.execution));
    }
    let closed =
        closed_executions(ports, config, Some(workflow_id), Timestamp::from_millis(0)).await?;
    Ok(closed.into_iter().max_by_key(|info| info.start_timestamp).map(|info| info.execution))
}

pub(super) async fn open_executions(
    ports: &Ports,
    config: &Config,
) -> anyhow::Result<Vec<WorkflowExecutionInfo>> {
    let mut infos = Vec::new();
    let mut token = None;
    loop {
        let request = ListOpenWorkflowExecutionsRequest {
            domain: domain(config),
            start_time_filter: since(Timestamp::from_millis(0)),
            type_filter: None,
            tag_filter: None,
            next_page_token: token,
            maximum_page_size: None,
            reverse_order: false,
            execution_filter: None,
        };
        let page = ports.workflows.list_open_workflow_executions(request).await;
        let mut page = page.with_context(|| unreachable_domain(config))?;
        infos.append(&mut page.execution_infos);
        token = page.next_page_token;
        if token.is_none() {
            return Ok(infos);
        }
    }
}

pub(super) async fn closed_executions(
    ports: &Ports,
    config: &Config,
    workflow_id: Option<&WorkflowId>,
    oldest: Timestamp,
) -> anyhow::Result<Vec<WorkflowExecutionInfo>> {
    let mut infos = Vec::new();
    let mut token = None;
    loop {
        let request = ListClosedWorkflowExecutionsRequest {
            domain: domain(config),
            start_time_filter: None,
            close_time_filter: Some(since(oldest)),
            execution_filter: workflow_id
                .map(|id| WorkflowExecutionFilter { workflow_id: id.clone() }),
            close_status_filter: None,
            type_filter: None,
            tag_filter: None,
            next_page_token: token,
            maximum_page_size: None,
            reverse_order: false,
        };
        let page = ports.workflows.list_closed_workflow_executions(request).await;
        let mut page = page.with_context(|| unreachable_domain(config))?;
        infos.append(&mut page.execution_infos);
        token = page.next_page_token;
        if token.is_none() {
            return Ok(infos);
        }
    }
}

pub(super) async fn whole_history(
    ports: &Ports,
    config: &Config,
    execution: &WorkflowExecution,
) -> anyhow::Result<Vec<HistoryEvent>> {
    events_after(ports, config, execution, EventId(0)).await
}

/// The events after `seen`, oldest first, read from the end so that a long history costs what
/// is new in it.
async fn events_after(
    ports: &Ports,
    config: &Config,
    execution: &WorkflowExecution,
    seen: EventId,
) -> anyhow::Result<Vec<HistoryEvent>> {
    let mut events = Vec::new();
    let mut token = None;
    loop {
        let request = GetWorkflowExecutionHistoryRequest {
            domain: domain(config),
            execution: execution.clone(),
            next_page_token: token,
            maximum_page_size: None,
            reverse_order: true,
        };
        let page = match ports.workflows.get_workflow_execution_history(request).await {
            Ok(page) => page,
            Err(error) if error.kind().is_transient() => {
                tokio::time::sleep(WATCH_INTERVAL).await;
                events.clear();
                token = None;
                continue;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let RunId(run) = &execution.run_id;
                bail!("the run {run} is gone: SWF forgets closed executions after a while");
            }
            Err(error) => return Err(error).context("cannot read the history"),
        };
        let known = page.events.iter().any(|event| event.event_id <= seen);
        events.extend(page.events.into_iter().filter(|event| event.event_id > seen));
        token = page.next_page_token;
        if known || token.is_none() {
            events.reverse();
            follow(ports, config, &execution.workflow_id, &mut events).await?;
            return Ok(events);
        }
    }
}

/// Puts texts in place of the references to them; one that is lost stays a reference.
async fn follow(
    ports: &Ports,
    config: &Config,
    workflow_id: &WorkflowId,
    events: &mut [HistoryEvent],
) -> anyhow::Result<()> {
    let payloads = compose::payloads(config, ports);
    for event in events {
        let one = std::slice::from_mut(event);
        match payloads.follow_all(workflow_id, one, |_| true).await {
            Err(error @ PayloadError::Unreachable { .. }) => return Err(error.into()),
            Ok(()) | Err(PayloadError::Lost { .. } | PayloadError::TooMuch { .. }) => {}
        }
    }
    Ok(())
}

fn end_of(event: &HistoryEvent) -> Option<CloseStatus> {
    Some(match &*event.attributes {
        EventAttributes::WorkflowExecutionCompleted(_) => CloseStatus::Completed,
        EventAttributes::WorkflowExecutionFailed(_) => CloseStatus::Failed,
        EventAttributes::WorkflowExecutionCanceled(_) => CloseStatus::Canceled,
        EventAttributes::WorkflowExecutionTerminated(_) => CloseStatus::Terminated,
        EventAttributes::WorkflowExecutionTimedOut(_) => CloseStatus::TimedOut,
        EventAttributes::WorkflowExecutionContinuedAsNew(_) => CloseStatus::ContinuedAsNew,
        _ => return None,
    })
}

fn domain(config: &Config) -> DomainName {
    DomainName::from(config.domain.as_str())
}

fn since(oldest: Timestamp) -> ExecutionTimeFilter {
    ExecutionTimeFilter { oldest_date: oldest, latest_date: None }
}

fn unreachable_domain(config: &Config) -> String {
    format!("cannot list the executions of the domain {}", config.domain)
}

/// JSON text as its value, other text as a string.
fn embed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}
