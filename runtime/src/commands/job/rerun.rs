//! `cpe job rerun`: a job once more, from its beginning or from one of its steps on.
//!
//! From the beginning it is a job like any other, and is asked for as clients do. From a step on
//! it takes results of the old execution, which no client may say: it is started in SWF itself.

use std::{path::Path, sync::Arc};

use anyhow::{Context, bail};
use clap::Args;
use cpe_modules::{LockId, Locks};
use cpe_plan::{Plan, RERUN_TAG, Rerun as Taken, RunState};
use cpe_ports::ErrorKind;
use cpe_protocol::{JobId, JobRef};
use cpe_swf::{
    ChildPolicy, HistoryEvent, TaskList, Timeout, WorkflowExecution, WorkflowId,
    api::StartWorkflowExecutionRequest,
};
use cpe_worker::{JobClaims, MODULES_TAG, PLAN_TAG, PlanArchive, Plans, Ports};
use serde_json::{Map, Value, json};

use super::{
    Failed, JobName,
    ask::{begun, plan_of},
    history, start,
};
use crate::{
    cli::{Global, Output},
    compose,
    config::Config,
};

#[derive(Debug, Args)]
pub struct Rerun {
    #[command(flatten)]
    job: JobName,
    /// Only this step and what depends on it: the results of the steps before are taken from the
    /// job as it was.
    #[arg(long, value_name = "STEP")]
    from: Option<String>,
    /// With `--from`, by this plan instead of the one that the job began with: a file, or
    /// `Name@version` of the configured plans.
    #[arg(long, value_name = "PLAN", requires = "from")]
    plan: Option<String>,
    /// What to call the new job; made up if absent.
    #[arg(long, value_name = "ID")]
    job_id: Option<String>,
    /// Follow the new job to its end; exit 1 if it fails.
    #[arg(long)]
    wait: bool,
}

/// The job as it was.
struct Old {
    id: WorkflowId,
    execution: WorkflowExecution,
    events: Vec<HistoryEvent>,
}

impl Rerun {
    pub(super) async fn run(self, global: &Global, config: &Config) -> Result<(), Failed> {
        let id = self.job.workflow_id(config).map_err(Failed::usage)?;
        let ports = compose::connect(global).await?;
        let execution = history::find(&ports, config, &id).await?;
        let execution = execution.with_context(|| {
            format!(
                "no job {id} in the domain {}: it never began, or SWF has forgotten it",
                config.domain
            )
        })?;
        let events = history::whole_history(&ports, config, &execution).await?;
        let old = Old { id, execution, events };
        if let Some(step) = &self.from {
            return self.begin_at(global, config, &ports, (old, step)).await;
        }
        let (plan, data) = asked_for(&old.events)?;
        let client = JobRef::owner_of(&old.id).map_err(anyhow::Error::from)?.client;
        let start = start::Start::again(plan, client.to_string(), self.job_id, self.wait);
        start.send(global, config, data).await
    }

    async fn begin_at(
        &self,
        global: &Global,
        config: &Config,
        ports: &Ports,
        (old, step): (Old, &str),
    ) -> Result<(), Failed> {
        let client = JobRef::from_workflow_id(&old.id)
            .with_context(|| format!("{} is no job of its own, but a child", old.id))?
            .client;
        let job_id = match &self.job_id {
            Some(id) => JobId::new(id.as_str()),
            None => JobId::new(start::fresh_id()),
        };
        let job = JobRef { client, job_id: job_id.map_err(Failed::usage)? };
        let plan = plan_of(ports, config, &old.events).await.with_context(|| {
            format!("the plan that {} began with is neither configured nor kept", old.id)
        })?;
        let new = match &self.plan {
            Some(name) => named_plan(config, name).map_err(Failed::usage)?,
            None => Arc::clone(&plan),
        };
        let (taken, timeout) = take(ports, config, &old, (&plan, &new, step)).await?;
        let workflow_id = job.workflow_id();
        begin(ports, config, &job, &old, (new, &taken, timeout)).await?;
        match global.output {
            Output::Json if !self.wait => {
                let taken = &taken.kept;
                println!(
                    "{}",
                    json!({"jobId": job.job_id, "workflowId": workflow_id, "taken": taken})
                );
            }
            Output::Json => {}
            Output::Text if taken.kept.is_empty() => {
                println!("{workflow_id} begins at {step}; no result of {} is taken", old.id);
            }
            Output::Text => {
                println!(
                    "{workflow_id} begins at {step}; of {}: {}",
                    old.id,
                    taken.kept.join(", ")
                );
            }
        }
        if self.wait {
            history::watch(ports, config, workflow_id, global.output).await?;
        }
        Ok(())
    }
}

/// The results that the new execution begins with, and how long it may take.
async fn take(
    ports: &Ports,
    config: &Config,
    old: &Old,
    (plan, new, step): (&Plan, &Plan, &str),
) -> anyhow::Result<(Taken, Timeout)> {
    let mut events = old.events.clone();
    let payloads = compose::payloads(config, ports);
    let followed = payloads.follow_all(&old.id, &mut events, |_| true).await;
    followed.with_context(|| format!("results of {} cannot be read", old.id))?;
    let mut state = RunState::of_execution(old.execution.clone()).by_reference();
    events.iter().for_each(|event| state.apply(plan, event));
    let asked = state.input();
    let asked = asked.pointer("/workflow/executionStartToCloseTimeout").and_then(Value::as_u64);
    let asked = asked.and_then(|seconds| u32::try_from(seconds).ok()).map(Timeout::Seconds);
    let timeout = asked.unwrap_or(new.default_execution_start_to_close_timeout);
    Ok((state.rerun(plan, new, step)?, timeout))
}

async fn begin(
    ports: &Ports,
    config: &Config,
    job: &JobRef,
    old: &Old,
    (plan, taken, timeout): (Arc<Plan>, &Taken, Timeout),
) -> anyhow::Result<()> {
    let modules = &config.modules;
    let archive = PlanArchive::new(ports, modules.bucket.clone(), modules.prefix.clone());
    archive.keep(&plan).await.context("the plan cannot be kept for those who will decide")?;
    let workflow_id = job.workflow_id();
    let input = compose::payloads(config, ports).shorten(&workflow_id, taken.input.clone()).await;
    let input = input.context("the results of the steps before cannot be stored")?;
    let mut tag_list = vec![
        format!("client:{}", job.client),
        format!("{PLAN_TAG}{}", plan.digest()),
        format!("{RERUN_TAG}{}", old.execution.run_id),
    ];
    if let Some(lock) = lock(ports, config, &plan, &workflow_id).await? {
        tag_list.push(format!("{MODULES_TAG}{lock}"));
    }
    let claims = JobClaims::new(ports, modules.bucket.clone(), modules.prefix.clone());
    if !claims.claim_for(job, &format!("rerun of {}", old.execution.run_id)).await? {
        bail!("there is a job {} of {} already: give another --job-id", job.job_id, job.client);
    }
    let request = StartWorkflowExecutionRequest {
        domain: config.domain.as_str().into(),
        workflow_id: workflow_id.clone(),
        workflow_type: plan.workflow_type(),
        task_list: Some(TaskList::new(config.decider.task_list.as_str())),
        task_priority: None,
        input: Some(input),
        execution_start_to_close_timeout: Some(timeout),
        tag_list,
        task_start_to_close_timeout: Some(plan.default_task_start_to_close_timeout),
        child_policy: Some(ChildPolicy::Terminate),
        lambda_role: None,
    };
    match ports.workflows.start_workflow_execution(request).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("there is a job {} of {} already: give another --job-id", job.job_id, job.client)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Err(error).with_context(|| {
            let plan = plan.workflow_type();
            format!("SWF does not know the plan {plan}: a fleet that has it makes it known")
        }),
        Err(error) => Err(error).with_context(|| format!("{workflow_id} cannot be started")),
    }
}

/// The versions of modules that are current now, as for any new job.
async fn lock(
    ports: &Ports,
    config: &Config,
    plan: &Arc<Plan>,
    workflow_id: &WorkflowId,
) -> anyhow::Result<Option<LockId>> {
    // Of its children as well, as far as their plans are configured here.
    let others = compose::load_plans(&config.plans).unwrap_or_default().into_iter();
    let others = others.filter(|other| other.workflow_type() != plan.workflow_type());
    let plans = Plans::new(others.chain([Arc::clone(plan)]));
    let plans = plans.or_else(|_| Plans::new([Arc::clone(plan)]))?;
    let locks = Locks::new(compose::registry(config, ports));
    let taken = locks.take(&plans.fixed_modules(plan), workflow_id.as_str()).await;
    taken.context("which versions of its modules are current cannot be written down")
}

/// A plan file, or one of the configured plans.
fn named_plan(config: &Config, name: &str) -> anyhow::Result<Arc<Plan>> {
    let file = Path::new(name);
    if file.is_file() {
        let plans = compose::load_plans(&[file.to_owned()])?;
        return plans.into_iter().next().with_context(|| format!("no plan in {name}"));
    }
    let plans = compose::load_plans(&config.plans)?;
    let found = plans.iter().find(|plan| plan.workflow_type().to_string() == name);
    found.cloned().with_context(|| {
        let known: Vec<_> = plans.iter().map(|plan| plan.workflow_type().to_string()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        format!("`{name}` is neither a file nor one of the configured plans: {known}")
    })
}

/// What the job was asked to do: the plan, and the input without what every start has.
fn asked_for(events: &[HistoryEvent]) -> anyhow::Result<(String, Map<String, Value>)> {
    let started = begun(events).context("the job's history does not begin with its start")?;
    let input = started.input.as_deref().unwrap_or("{}");
    let carries = started.continued_execution_run_id.is_some()
        || started.tag_list.iter().any(|tag| tag.starts_with(RERUN_TAG));
    let data = match serde_json::from_str(input) {
        Ok(Value::Object(continued)) if carries => {
            match continued.get("cpe.continued").and_then(|run| run.get("input")) {
                Some(Value::Object(data)) => data.clone(),
                _ => bail!("the job's first input is not in its present run"),
            }
        }
        Ok(Value::Object(data)) => data,
        _ => bail!("the job's input is no JSON object"),
    };
    Ok((started.workflow_type.to_string(), data))
}
