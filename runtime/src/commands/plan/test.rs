//! `cpe plan test`: runs plans by the cases of `*.test.yaml`, in virtual time.
//!
//! What decides, starts jobs and tells clients is what runs in a fleet (`cpe-worker`), on the
//! embedded endpoint in memory; only who does the work is played by mocks, and time is moved from
//! one thing that is due to the next. The format and its mistakes are [`cpe_plan::cases::TestFile`]'s.

mod compare;
mod difference;
mod ears;
mod files;
mod guests;
mod junit;
mod lookup;
mod onlooker;
mod outcome;
mod play;
mod report;
mod run;
mod stage;
mod tap;

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};

use self::{
    files::{Loaded, load, test_files},
    guests::Components,
    report::{FileReport, Sum, count, of_case},
};
use super::{Failed, read};
use crate::{
    cli::{Global, Output},
    compose,
};

pub(super) const EXAMPLE: &str = "\
Example:
  cpe plan test plans/
  cpe plan test plans/approval.test.yaml --filter 'within a day' --junit report.xml

A test file, beside the plan:
  plan: approval.yaml
  cases:
  - name: approved within a day
    input: {bucket: media, file: text}
    steps:
      Count: {result: {words: 7}}
    signals: [{name: approved, after: 3h, input: {by: me, go: true}}]
    expect: {output: {approved by: me, words: 7}, elapsed: 3h}";

#[derive(Debug, Args)]
pub struct TestArgs {
    /// Test files, or folders: every `*.test.yaml` below.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Runs only the cases whose names contain this, upper and lower case alike.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Where components lie that mocks name as `module`, beside the test file's own folder.
    #[arg(long, value_name = "FOLDER")]
    modules: Vec<PathBuf>,
    /// Writes the report as JUnit XML as well.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

impl TestArgs {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failed> {
        let files = test_files(&self.files).map_err(Failed::usage)?;
        let loaded = load_all(&files, global.output)?;
        let wanted = self.filter.as_deref().map(str::to_lowercase);
        let is_wanted =
            |name: &str| wanted.as_ref().is_none_or(|wanted| name.to_lowercase().contains(wanted));
        let components = Components::new(compose::load_config(global)?, self.modules);
        let mut reports = Vec::new();
        for loaded in &loaded {
            let cases: Vec<_> =
                loaded.file.cases.iter().filter(|case| is_wanted(&case.name.value)).collect();
            if cases.is_empty() {
                continue;
            }
            let plan = loaded.file.plan.workflow_type().to_string();
            let mut report = FileReport { file: loaded.name(), plan, cases: Vec::new() };
            if global.output == Output::Text {
                println!("{}", report.head());
            }
            for case in cases {
                let ran = run::run(&loaded.file, case, (&components, loaded.folder())).await;
                if global.output == Output::Text {
                    print!("{}", of_case(&report.file, &ran));
                }
                report.cases.push(ran);
            }
            reports.push(report);
        }
        components.settle().await;
        self.junit.map_or(Ok(()), |path| {
            std::fs::write(&path, junit::junit(&reports))
                .with_context(|| format!("cannot write {}", path.display()))
                .map_err(Failed::usage)
        })?;
        conclude(&reports, self.filter.as_deref(), global.output)
    }
}

/// All files, or every mistake of every one.
fn load_all(files: &[PathBuf], output: Output) -> Result<Vec<Loaded>, Failed> {
    let mut loaded = Vec::new();
    let mut mistakes: Vec<Value> = Vec::new();
    for path in files {
        match load(path, &read(path)?) {
            Ok(file) => loaded.push(file),
            Err(errors) => {
                if output == Output::Text {
                    println!("{errors}");
                }
                mistakes.extend(errors.errors().iter().map(|error| {
                    json!({
                        "file": error.file, "line": error.line, "column": error.column,
                        "message": error.message, "hint": error.hint,
                    })
                }));
            }
        }
    }
    if mistakes.is_empty() {
        return Ok(loaded);
    }
    if output == Output::Json {
        println!("{}", serde_json::to_string_pretty(&json!({"errors": mistakes}))?);
    }
    let (mistakes, files) = (count(mistakes.len(), "mistake"), count(files.len(), "file"));
    Err(Failed::usage(anyhow::anyhow!("{mistakes} in {files}; nothing was run")))
}

fn conclude(reports: &[FileReport], filter: Option<&str>, output: Output) -> Result<(), Failed> {
    if reports.is_empty() {
        let filter = filter.unwrap_or_default();
        return Err(Failed::usage(anyhow::anyhow!("no case has `{filter}` in its name")));
    }
    let sum = Sum::of(reports);
    match output {
        Output::Text => println!("{sum}"),
        Output::Json => println!("{}", serde_json::to_string_pretty(&report::json(reports))?),
    }
    match sum.failed {
        0 => Ok(()),
        failed => {
            let all = sum.passed + failed;
            Err(anyhow::anyhow!("{failed} of {} failed", count(all, "case")).into())
        }
    }
}
