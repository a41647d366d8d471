//! `cpe plan check`.

mod modules;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use cpe_plan::{Budget, BudgetInput, Plan, PlanError, PlanWarning};
use serde_json::{Value, json};

use self::modules::Modules;
use super::{Failed, read};
use crate::{
    cli::{Global, Output},
    compose::plan_files,
};

#[derive(Debug, Args)]
pub struct Check {
    /// Plan files, or folders of `*.yaml`.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Fails where there are warnings, too.
    #[arg(long, value_enum, value_name = "WHAT")]
    deny: Option<Deny>,
    /// Looks at all modules, in the registry and elsewhere, and checks inputs, outputs and grants
    /// against them. Without it only `./file.wasm` modules are looked at that are there.
    #[arg(long)]
    modules: bool,
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
    pub(super) async fn run(self, global: &Global) -> Result<(), Failed> {
        let output = global.output;
        let files = plan_files(&self.files).map_err(Failed::usage)?;
        let mut found = Found::default();
        let mut modules = Modules::open(global, self.modules).await?;
        for file in &files {
            self.one(file, output, &mut modules, &mut found).await?;
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

    async fn one(
        &self,
        file: &Path,
        output: Output,
        modules: &mut Modules,
        found: &mut Found,
    ) -> Result<(), Failed> {
        let text = read(file)?;
        let name = file.display().to_string();
        let plan = match Plan::parse(&name, &text) {
            Ok(plan) => plan,
            Err(errors) => {
                if output == Output::Text {
                    println!("{errors}");
                }
                found.mistakes += errors.errors().len();
                found.report.push(json!({"file": name, "errors": errors_json(errors.errors())}));
                return Ok(());
            }
        };
        let looked_at = modules.of(&plan).await?;
        let types = plan.check_types(&looked_at.types);
        let mut errors = types.errors;
        errors.extend_from_slice(&looked_at.errors);
        errors.sort_by_key(|error| (error.line, error.column));
        let mut warnings = plan.warnings();
        warnings.extend(types.warnings);
        warnings.sort_by_key(|warning| (warning.line, warning.column));
        let input = BudgetInput { items: self.items, seconds: self.seconds };
        let budget = plan.budget(&input);
        if output == Output::Text {
            errors.iter().for_each(|error| println!("{error}"));
            warnings.iter().for_each(|warning| println!("{warning}"));
            if errors.is_empty() {
                println!(
                    "{name}: plan {} is well: {} activities, {} steps; {}",
                    plan.workflow_type(),
                    plan.activities.len(),
                    plan.steps.len(),
                    sum(&budget),
                );
            }
            if let Some(modules) = looked_at.told() {
                println!("{name}: types are checked against {modules}");
            }
        }
        found.mistakes += errors.len();
        found.warnings += warnings.len();
        found.report.push(json!({
            "file": name,
            "plan": {"name": plan.name, "version": plan.version},
            "digest": plan.digest(),
            "errors": errors_json(&errors),
            "warnings": warnings.iter().map(warning_json).collect::<Vec<_>>(),
            "modules": looked_at.json(),
            "budget": budget,
        }));
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

fn errors_json(errors: &[PlanError]) -> Vec<Value> {
    let json = |error: &PlanError| {
        json!({
            "line": error.line, "column": error.column,
            "message": error.message, "hint": error.hint,
        })
    };
    errors.iter().map(json).collect()
}
