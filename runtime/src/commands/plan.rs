//! `cpe plan`: tells what is wrong with plans before anything runs.

use std::path::PathBuf;

use anyhow::Context;
use clap::Subcommand;
use cpe_plan::{Plan, plan_schema};
use serde_json::json;

use super::Failed;
use crate::{
    cli::{Global, Output},
    compose::plan_files,
};

#[derive(Debug, Subcommand)]
pub enum PlanCommand {
    /// Checks plans: every mistake of every file, with line and column.
    #[command(after_help = "Example:\n  cpe plan check plans/transcode.yaml")]
    Check {
        /// Plan files, or folders of `*.yaml`.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Prints the JSON Schema of plans, for completion and checks in editors.
    #[command(after_help = "Example:\n  cpe plan schema > plan.schema.json")]
    Schema,
}

impl PlanCommand {
    pub fn run(self, global: &Global) -> Result<(), Failed> {
        match self {
            Self::Check { files } => check(&files, global.output),
            Self::Schema => {
                println!("{}", serde_json::to_string_pretty(&plan_schema())?);
                Ok(())
            }
        }
    }
}

fn check(paths: &[PathBuf], output: Output) -> Result<(), Failed> {
    let files = plan_files(paths).map_err(Failed::usage)?;
    let mut mistakes = 0;
    let mut report = Vec::new();
    for file in &files {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read {}", file.display()))
            .map_err(Failed::usage)?;
        let name = file.display().to_string();
        match Plan::parse(&name, &text) {
            Ok(plan) => {
                if output == Output::Text {
                    println!(
                        "{name}: plan {} is well: {} activities, {} steps",
                        plan.workflow_type(),
                        plan.activities.len(),
                        plan.steps.len(),
                    );
                }
                report.push(json!({
                    "file": name,
                    "plan": {"name": plan.name, "version": plan.version},
                    "digest": plan.digest(),
                    "errors": [],
                }));
            }
            Err(errors) => {
                mistakes += errors.errors().len();
                if output == Output::Text {
                    println!("{errors}");
                }
                let errors: Vec<_> = errors
                    .errors()
                    .iter()
                    .map(|error| {
                        json!({
                            "line": error.line, "column": error.column,
                            "message": error.message, "hint": error.hint,
                        })
                    })
                    .collect();
                report.push(json!({"file": name, "errors": errors}));
            }
        }
    }
    if output == Output::Json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    }
    if mistakes > 0 {
        return Err(anyhow::anyhow!(
            "{mistakes} mistake{} in {} file{}",
            if mistakes == 1 { "" } else { "s" },
            files.len(),
            if files.len() == 1 { "" } else { "s" },
        )
        .into());
    }
    Ok(())
}
