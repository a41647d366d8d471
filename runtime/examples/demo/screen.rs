//! What the demo shows: events, a progress bar for each step, two tables.

use std::{collections::BTreeMap, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::verify::Row;

/// Events as lines, steps as bars.
#[derive(Debug)]
pub(crate) struct Screen {
    bars: MultiProgress,
    steps: BTreeMap<String, ProgressBar>,
}

impl Screen {
    pub(crate) fn new() -> Self {
        Self { bars: MultiProgress::new(), steps: BTreeMap::new() }
    }

    pub(crate) fn show(&mut self, event: &Value) {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
        let kind = text("/type").unwrap_or("?");
        let Some(step) = text("/data/activity/activityId") else {
            self.line(kind);
            return;
        };
        let bar = self.bar(step);
        match kind {
            "ACTIVITY_PROGRESS" => {
                let progress = event.pointer("/data/activity/progress");
                let percent = progress
                    .and_then(|progress| progress.get("percent"))
                    .and_then(Value::as_f64)
                    .unwrap_or_default();
                bar.set_position(percent.clamp(0.0, 100.0) as u64);
                let message = progress
                    .and_then(|progress| progress.get("message"))
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                bar.set_message(message.to_owned());
            }
            "ACTIVITY_COMPLETED" => {
                bar.set_position(100);
                bar.finish_with_message("completed");
                self.line(&format!("{kind} {step}"));
            }
            "ACTIVITY_FAILED" | "ACTIVITY_TIMEOUT" | "ACTIVITY_CANCELED" => {
                let result = event.pointer("/data/activity/result");
                bar.abandon_with_message(result.map(ToString::to_string).unwrap_or_default());
                self.line(&format!("{kind} {step}"));
            }
            _ => self.line(&format!("{kind} {step}")),
        }
    }

    fn bar(&mut self, step: &str) -> ProgressBar {
        if let Some(bar) = self.steps.get(step) {
            return bar.clone();
        }
        let style = ProgressStyle::with_template("  {prefix:20} [{bar:30}] {percent:>3}% {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = self.bars.add(ProgressBar::new(100)).with_style(style);
        bar.set_prefix(step.to_owned());
        self.steps.insert(step.to_owned(), bar.clone());
        bar
    }

    /// Bars hide where there is no terminal; lines are always shown.
    fn line(&self, line: &str) {
        self.bars.suspend(|| println!("  {line}"));
    }
}

/// Where the time went.
#[derive(Debug, Default)]
pub(crate) struct Stages(Vec<(String, Duration)>);

impl Stages {
    pub(crate) fn add(&mut self, name: impl Into<String>, took: Duration) {
        self.0.push((name.into(), took));
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn print(&self) {
        println!("\nwhere the time went");
        for (name, took) in &self.0 {
            println!("  {name:<52} {:>9.3} s", took.as_secs_f64());
        }
    }
}

pub(crate) fn outputs(rows: &[Row]) {
    println!("\noutputs");
    println!("  {:<18} {:<6} {:>11} {:>9}  open at", "key", "format", "dimensions", "bytes");
    for row in rows {
        println!(
            "  {:<18} {:<6} {:>11} {:>9}  {}",
            row.key,
            row.format,
            format!("{}x{}", row.width, row.height),
            row.bytes,
            row.path.display(),
        );
    }
}
