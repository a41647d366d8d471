//! What is printed of the cases that were run: for people, and as JSON. Pure.

use std::{fmt::Write, time::Duration};

use cpe_plan::cases::show_length;
use serde_json::{Value, json};

use super::{compare::Mismatch, run::Ran};

/// The cases of one file.
#[derive(Debug)]
pub(super) struct FileReport {
    pub(super) file: String,
    pub(super) plan: String,
    pub(super) cases: Vec<Ran>,
}

/// How many of what.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) files: usize,
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) elapsed: Duration,
    pub(super) took: Duration,
}

impl Sum {
    pub(super) fn of(reports: &[FileReport]) -> Self {
        let mut sum = Self { files: reports.len(), ..Self::default() };
        for ran in reports.iter().flat_map(|report| &report.cases) {
            match ran.mismatches.is_empty() {
                true => sum.passed += 1,
                false => sum.failed += 1,
            }
            sum.elapsed += ran.elapsed;
            sum.took += ran.took;
        }
        sum
    }
}

pub(super) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn millis(took: Duration) -> String {
    format!("{} ms", took.as_millis())
}

impl FileReport {
    pub(super) fn head(&self) -> String {
        format!("{}: the plan {}", self.file, self.plan)
    }
}

/// A line for the case, and what does not hold below it.
pub(super) fn of_case(file: &str, ran: &Ran) -> String {
    let word = if ran.mismatches.is_empty() { "ok  " } else { "FAIL" };
    let (elapsed, took) = (show_length(ran.elapsed), millis(ran.took));
    let mut text = format!("  {word}  {}  [{elapsed} in {took}]\n", ran.name);
    for mismatch in &ran.mismatches {
        of_mismatch(file, mismatch, &mut text);
    }
    text
}

fn of_mismatch(file: &str, mismatch: &Mismatch, text: &mut String) {
    let Mismatch { line, column, what, differences } = mismatch;
    let _ = match &differences[..] {
        [only] if !only.starts_with('/') => {
            writeln!(text, "        {file}:{line}:{column}: {what}: {only}")
        }
        _ => writeln!(text, "        {file}:{line}:{column}: {what}:"),
    };
    if differences.len() > 1 || differences.iter().any(|line| line.starts_with('/')) {
        for difference in differences {
            let _ = writeln!(text, "          {}", difference.replace('\n', "\n          "));
        }
    }
}

impl std::fmt::Display for Sum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let cases = count(self.passed + self.failed, "case");
        let files = count(self.files, "file");
        let (elapsed, took) = (show_length(self.elapsed), millis(self.took));
        write!(
            f,
            "{cases} in {files}: {} passed, {} failed [{elapsed} in {took}]",
            self.passed, self.failed
        )
    }
}

pub(super) fn json(reports: &[FileReport]) -> Value {
    let sum = Sum::of(reports);
    let files: Vec<Value> = reports
        .iter()
        .map(|report| {
            let cases: Vec<Value> = report.cases.iter().map(case_json).collect();
            json!({"file": report.file, "plan": report.plan, "cases": cases})
        })
        .collect();
    json!({
        "passed": sum.passed,
        "failed": sum.failed,
        "elapsedSeconds": sum.elapsed.as_secs_f64(),
        "realSeconds": sum.took.as_secs_f64(),
        "files": files,
    })
}

fn case_json(ran: &Ran) -> Value {
    let mismatches: Vec<Value> = ran
        .mismatches
        .iter()
        .map(|Mismatch { line, column, what, differences }| {
            json!({"line": line, "column": column, "what": what, "differences": differences})
        })
        .collect();
    json!({
        "name": ran.name,
        "line": ran.line,
        "passed": ran.mismatches.is_empty(),
        "elapsedSeconds": ran.elapsed.as_secs_f64(),
        "realSeconds": ran.took.as_secs_f64(),
        "mismatches": mismatches,
    })
}
