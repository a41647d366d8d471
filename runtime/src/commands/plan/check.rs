//! `cpe plan check`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use cpe_plan::{Budget, BudgetInput, Plan, PlanErrors, PlanWarning};
use serde_json::{Value, json};

use super::{Failed, read};
use crate::{cli::Output, compose::plan_files};

#[derive(Debug, Args)]
pub struct Check {
    /// Plan files, or folders of `*.yaml`.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Fails where there are warnings, too.
    #[arg(long, value_enum, value_name = "WHAT")]
    deny: Option<Deny>,
    /// Items that each `foreach` is counted with whose list depends on the job.
    #[arg(long, value_name = "N", default_value_t = 100)]
    items: u64,
    /// Seconds that each activity task is counted to run.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    seconds: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Deny {
    Warnings,
}

/// What was found in all files.
#[derive(Debug, Default)]
struct Found {
    mistakes: usize,
    warnings: usize,
    report: Vec<Value>,
}

impl Check {
    pub(super) fn run(self, output: Output) -> Result<(), Failed> {
        let files = plan_files(&self.files).map_err(Failed::usage)?;
        let mut found = Found::default();
        for file in &files {
            self.one(file, output, &mut found)?;
        }
        if output == Output::Json {
            println!("{}", serde_json::to_string_pretty(&found.report)?);
        }
        let mut failures = Vec::new();
        if found.mistakes > 0 {
            failures.push(count(found.mistakes, "mistake"));
        }
        if found.warnings > 0 && self.deny == Some(Deny::Warnings) {
            failures.push(count(found.warnings, "warning"));
        }
        if failures.is_empty() {
            return Ok(());
        }
        let files = count(files.len(), "file");
        Err(anyhow::anyhow!("{} in {files}", failures.join(" and ")).into())
    }

    fn one(&self, file: &Path, output: Output, found: &mut Found) -> Result<(), Failed> {
        let text = read(file)?;
        let name = file.display().to_string();
        match Plan::parse(&name, &text) {
            Ok(plan) => {
                let warnings = plan.warnings();
                let input = BudgetInput { items: self.items, seconds: self.seconds };
                let budget = plan.budget(&input);
                if output == Output::Text {
                    for warning in &warnings {
                        println!("{warning}");
                    }
                    println!(
                        "{name}: plan {} is well: {} activities, {} steps; {}",
                        plan.workflow_type(),
                        plan.activities.len(),
                        plan.steps.len(),
                        sum(&budget),
                    );
                }
                found.warnings += warnings.len();
                found.report.push(json!({
                    "file": name,
                    "plan": {"name": plan.name, "version": plan.version},
                    "digest": plan.digest(),
                    "errors": [],
                    "warnings": warnings.iter().map(warning_json).collect::<Vec<_>>(),
                    "budget": budget,
                }));
            }
            Err(errors) => {
                if output == Output::Text {
                    println!("{errors}");
                }
                found.mistakes += errors.errors().len();
                found.report.push(json!({"file": name, "errors": errors_json(&errors)}));
            }
        }
        Ok(())
    }
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// What an execution takes of SWF, in a line.
fn sum(budget: &Budget) -> String {
    let runs = match budget.runs {
        1 => "in one run".to_owned(),
        runs => format!("in {runs} runs"),
    };
    let limit = budget.limiting().map_or_else(String::new, |call| {
        // What every execution takes has the plan itself for its key.
        let because = match call.key.as_str() {
            "name" => String::new(),
            key => format!(", because of {key}"),
        };
        format!(
            ", {:.3} executions/s for an account ({}{because})",
            call.executions_per_second, call.operation
        )
    });
    format!("at worst {} events {runs}{limit}", budget.events)
}

fn warning_json(warning: &PlanWarning) -> Value {
    json!({
        "code": warning.code, "line": warning.line, "column": warning.column,
        "message": warning.message, "hint": warning.hint,
    })
}

fn errors_json(errors: &PlanErrors) -> Vec<Value> {
    let json = |error: &cpe_plan::PlanError| {
        json!({
            "line": error.line, "column": error.column,
            "message": error.message, "hint": error.hint,
        })
    };
    errors.errors().iter().map(json).collect()
}
