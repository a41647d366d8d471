//! What is asked of one job: why, cancel, signal.

use anyhow::Context;
use cpe_plan::{CANCEL_ACTIVITY_SIGNAL, Plan, cancel_activity_input};
use cpe_ports::{Clock, SystemClock};
use cpe_protocol::{ClientName, JobRef, QuotaName};
use cpe_swf::{
    EventAttributes, HistoryEvent, WorkflowId,
    api::{RequestCancelWorkflowExecutionRequest, SignalWorkflowExecutionRequest},
    event::WorkflowExecutionStarted,
};
use cpe_worker::{PlanArchive, Ports};
use serde_json::json;

use super::{Failed, canary, history, why};
use crate::{
    cli::Output,
    compose,
    config::{self, Config},
};

pub(super) async fn why(
    ports: &Ports,
    config: &Config,
    id: &WorkflowId,
    output: Output,
) -> Result<(), Failed> {
    let reasons = match history::find(ports, config, id).await? {
        None => vec![absent(ports, config, id).await?],
        Some(execution) => {
            let events = history::whole_history(ports, config, &execution).await?;
            let plan = plan_of(ports, config, &events).await;
            let mut reasons = why::explain(id, &events, plan.as_deref(), SystemClock.now());
            if let Some(plan) = &plan
                && reasons.iter().all(|reason| reason.code != "completed")
            {
                reasons.extend(canary::reasons(ports, config, (id, plan), &events).await);
            }
            reasons
        }
    };
    match output {
        Output::Json => {
            let text = json!({"workflowId": id, "reasons": reasons});
            println!("{}", serde_json::to_string_pretty(&text)?);
        }
        Output::Text => {
            for reason in &reasons {
                let event = reason.event.map(|event| format!(" (event {})", event.0));
                println!("{id}: {}{}", reason.sentence, event.unwrap_or_default());
            }
        }
    }
    Ok(())
}

/// Why there is no such job: a quota, if it is used up, or what else may be.
async fn absent(ports: &Ports, config: &Config, id: &WorkflowId) -> anyhow::Result<why::Reason> {
    let client = JobRef::owner_of(id).ok().map(|job| job.client);
    if let Some(reason) = used_up(ports, config, client.as_ref()).await? {
        return Ok(reason);
    }
    let known = known(config, client.as_ref());
    if let Some((client, limit)) = known.and_then(|c| Some((c, c.quotas.jobs_in_flight?))) {
        let name = &client.name.value;
        let open = history::open_executions(ports, config).await?;
        let tag = format!("client:{name}");
        let is_job = |id: &WorkflowId| JobRef::from_workflow_id(id).is_ok();
        let open = open
            .iter()
            .filter(|info| info.tag_list.contains(&tag) && is_job(&info.execution.workflow_id));
        let open = open.count();
        if open >= usize::try_from(limit).unwrap_or(usize::MAX) {
            let sentence = format!(
                "it has not begun, and its client is at its quota: {name} has {open} of \
                 {limit} jobs in flight"
            );
            return Ok(why::Reason::new("quota", sentence));
        }
    }
    let sentence = format!(
        "the domain {} has no such job: either no input poller reads its client's queue, or the \
         command was refused (the output queue says why), or it ended so long ago that SWF forgot \
         it",
        config.domain
    );
    Ok(why::Reason::new("absent", sentence))
}

fn known<'c>(config: &'c Config, client: Option<&ClientName>) -> Option<&'c config::Client> {
    config
        .clients
        .iter()
        .find(|known| Some(known.name.value.as_str()) == client.map(|c| c.as_str()))
}

/// The quota that the client has used up, of those that workers tell of.
async fn used_up(
    ports: &Ports,
    config: &Config,
    client: Option<&ClientName>,
) -> anyhow::Result<Option<why::Reason>> {
    let (Some(client), Some(known)) = (client, known(config, client)) else { return Ok(None) };
    let usage = compose::usage(config, ports);
    let used = usage.of(client).await.context("what the client has used cannot be read")?;
    let Some((quota, limit)) = known.quotas.to_worker().used_up(&used) else { return Ok(None) };
    let midnight = why::moment(usage.end_of_day());
    let sentence = match quota {
        QuotaName::CpuSecondsPerDay => {
            let seconds = used.cpu.as_secs();
            format!(
                "{client} has used {seconds} of {limit} s of CPU time for today, until {midnight}"
            )
        }
        QuotaName::BytesPerDay => {
            let bytes = used.bytes;
            format!("{client} has moved {bytes} of {limit} bytes for today, until {midnight}")
        }
        _ => {
            let running = used.activities;
            format!("{client} has {running} of {limit} activity tasks in flight")
        }
    };
    let sentence = format!("it has not begun, and its client is at its quota {quota}: {sentence}");
    Ok(Some(why::Reason::new("quota", sentence)))
}

/// The plan that the run began with, from the configured files or from the archive.
pub(super) async fn plan_of(
    ports: &Ports,
    config: &Config,
    events: &[HistoryEvent],
) -> Option<std::sync::Arc<Plan>> {
    let started = begun(events)?;
    let digest = started.tag_list.iter().find_map(|tag| tag.strip_prefix("plan:sha256:"))?;
    let loaded = compose::load_plans(&config.plans).unwrap_or_default();
    if let Some(plan) = loaded.into_iter().find(|plan| plan.digest() == digest) {
        return Some(plan);
    }
    let modules = &config.modules;
    let archive = PlanArchive::new(ports, modules.bucket.clone(), modules.prefix.clone());
    archive.plan(digest).await.ok().flatten()
}

pub(super) fn begun(events: &[HistoryEvent]) -> Option<&WorkflowExecutionStarted> {
    match &*events.first()?.attributes {
        EventAttributes::WorkflowExecutionStarted(started) => Some(started),
        _ => None,
    }
}

pub(super) async fn cancel(
    ports: &Ports,
    config: &Config,
    id: &WorkflowId,
    activity: Option<String>,
) -> Result<(), Failed> {
    if let Some(activity) = activity {
        let input = Some(cancel_activity_input(&activity));
        signal(ports, config, id, (CANCEL_ACTIVITY_SIGNAL.to_owned(), input)).await?;
        println!("asked {id} to cancel its activity {activity}");
        return Ok(());
    }
    let request = RequestCancelWorkflowExecutionRequest {
        domain: config.domain.as_str().into(),
        workflow_id: id.clone(),
        run_id: None,
    };
    let asked = ports.workflows.request_cancel_workflow_execution(request).await;
    asked.with_context(|| format!("the job {id} cannot be canceled"))?;
    println!("asked {id} to cancel");
    Ok(())
}

pub(super) async fn signal(
    ports: &Ports,
    config: &Config,
    id: &WorkflowId,
    (signal_name, input): (String, Option<String>),
) -> anyhow::Result<()> {
    let request = SignalWorkflowExecutionRequest {
        domain: config.domain.as_str().into(),
        workflow_id: id.clone(),
        run_id: None,
        signal_name,
        input,
    };
    let sent = ports.workflows.signal_workflow_execution(request).await;
    sent.with_context(|| format!("the job {id} cannot be signaled"))
}

#[cfg(test)]
mod tests;
