//! `cpe plan replay`.

use std::path::PathBuf;

use clap::Args;
use cpe_plan::{Difference, Replay, read_history, replay};
use cpe_swf::{HistoryEvent, PayloadRef, RunId, WorkflowExecution, WorkflowId};

use super::{Failed, load, read};
use crate::{
    cli::{Global, Output},
    compose,
};

#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The plan.
    plan: PathBuf,
    /// The history, as `aws swf get-workflow-execution-history` prints it.
    history: PathBuf,
    /// The execution that the history is of. Without it, ids of children and waits before retries
    /// are not compared, and texts that are kept elsewhere are not found.
    #[arg(long, value_name = "ID", requires = "run_id")]
    workflow_id: Option<String>,
    /// Its run.
    #[arg(long, value_name = "ID", requires = "workflow_id")]
    run_id: Option<String>,
}

impl ReplayArgs {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failed> {
        let output = global.output;
        let plan = load(&self.plan)?;
        let mut history = read_history(&read(&self.history)?)
            .map_err(|error| anyhow::anyhow!("{}: {error}", self.history.display()))
            .map_err(Failed::usage)?;
        let execution = self.workflow_id.zip(self.run_id).map(|(workflow_id, run_id)| {
            WorkflowExecution { workflow_id: WorkflowId(workflow_id), run_id: RunId(run_id) }
        });
        follow(global, execution.as_ref(), &mut history).await?;
        let replay = replay(&plan, execution.as_ref(), &history);
        match output {
            Output::Text => show(&replay),
            Output::Json => println!("{}", serde_json::to_string_pretty(&replay)?),
        }
        match replay.difference {
            None => Ok(()),
            Some(difference) => Err(anyhow::anyhow!(
                "the plan decides otherwise at the decision task that event {} completed",
                difference.completed
            )
            .into()),
        }
    }
}

/// Puts the texts in place that the history only refers to: they stand in the bucket of the fleet
/// that decided it.
async fn follow(
    global: &Global,
    execution: Option<&WorkflowExecution>,
    history: &mut [HistoryEvent],
) -> Result<(), Failed> {
    let texts = history.iter().filter_map(|event| event.attributes.payload());
    if !texts.into_iter().any(|text| PayloadRef::parse(text).is_some()) {
        return Ok(());
    }
    let execution = execution.ok_or_else(|| {
        Failed::usage(anyhow::anyhow!(
            "the history refers to texts that are kept elsewhere, by job: --workflow-id and \
             --run-id are needed to find them"
        ))
    })?;
    let config = compose::load_config(global)?;
    let ports = compose::connect(global).await?;
    let payloads = compose::payloads(&config, &ports);
    Ok(payloads.follow_all(&execution.workflow_id, history, |_| true).await?)
}

fn show(replay: &Replay) {
    for one in &replay.decisions {
        println!("event {}, of the events up to {}:", one.completed, one.seen);
        let differs = replay.difference.as_ref().is_some_and(|d| d.completed == one.completed);
        let plan = if differs { one.expected.as_slice() } else { &[] };
        for (who, decisions) in [("decided", one.recorded.as_slice()), ("plan", plan)] {
            for decision in decisions {
                println!("  {who}: {decision}");
            }
        }
        if one.recorded.is_empty() {
            println!("  decided: nothing");
        }
    }
    match &replay.difference {
        None => println!("the plan decides all {} as they were decided", replay.decisions.len()),
        Some(difference) => explain(difference),
    }
}

fn explain(difference: &Difference) {
    if let Some(step) = &difference.step {
        println!("step `{step}`:");
    }
    println!("{}", difference.explanation);
    for (what, decision) in
        [("the plan", &difference.expected), ("the history", &difference.recorded)]
    {
        let text = decision.as_deref().unwrap_or("nothing").replace('\n', "\n    ");
        println!("  {what}: {text}");
    }
}
