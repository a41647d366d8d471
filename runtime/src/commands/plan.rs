//! `cpe plan`: tells what is wrong with plans before anything runs, and what they do.

mod check;
mod graph;
mod replay;
mod test;

use std::path::Path;

use anyhow::Context;
use clap::{Args, Subcommand};
use cpe_plan::{Plan, cases::test_schema, plan_schema};

use super::Failed;
use crate::cli::Global;

#[derive(Debug, Subcommand)]
pub enum PlanCommand {
    /// Checks plans: every mistake of every file, with line and column, and what may not be meant.
    #[command(after_help = "Example:\n  cpe plan check plans/transcode.yaml --deny warnings\n  \
                      cpe plan check plans/ --modules")]
    Check(check::Check),
    /// Draws a plan: its steps, what each waits for, and what happens when some fail.
    #[command(
        after_help = "Example:\n  cpe plan graph plans/transcode.yaml --format svg > transcode.svg"
    )]
    Graph(graph::Graph),
    /// Holds a history against a plan: would the plan have decided the same?
    #[command(after_help = "Example:\n  aws swf get-workflow-execution-history --domain cpe \
                      --execution workflowId=W,runId=R > history.json\n  \
                      cpe plan replay plans/transcode.yaml history.json")]
    Replay(replay::ReplayArgs),
    /// Runs plans by the cases of their `*.test.yaml`, in virtual time, without AWS.
    #[command(after_help = test::EXAMPLE)]
    Test(test::TestArgs),
    /// Prints the JSON Schema of plans or of their tests, for completion and checks in editors.
    #[command(after_help = "Example:\n  cpe plan schema > plan.schema.json\n  \
                            cpe plan schema --tests > plan-test.schema.json")]
    Schema(SchemaArgs),
}

#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// The schema of `*.test.yaml`.
    #[arg(long)]
    tests: bool,
}

impl PlanCommand {
    pub async fn run(self, global: &Global) -> Result<(), Failed> {
        match self {
            Self::Check(check) => check.run(global).await,
            Self::Graph(graph) => graph.run(),
            Self::Replay(replay) => replay.run(global).await,
            Self::Test(test) => test.run(global).await,
            Self::Schema(SchemaArgs { tests }) => {
                let schema = if tests { test_schema() } else { plan_schema() };
                println!("{}", serde_json::to_string_pretty(&schema)?);
                Ok(())
            }
        }
    }
}

/// The text of a file that was named on the command line.
fn read(file: &Path) -> Result<String, Failed> {
    std::fs::read_to_string(file)
        .with_context(|| format!("cannot read {}", file.display()))
        .map_err(Failed::usage)
}

/// A plan that has to be without mistakes.
fn load(file: &Path) -> Result<Plan, Failed> {
    Ok(Plan::parse(&file.display().to_string(), &read(file)?)?)
}
