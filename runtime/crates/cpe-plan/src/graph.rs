//! Pictures of plans: what runs after what, and when.
//!
//! [`Plan::mermaid`] for pages that draw it themselves, [`Plan::svg`] for everything else.

mod layout;
mod mermaid;
mod svg;

use crate::model::{Plan, Requirement, Section, Step, StepWork};

/// The lists of steps, with the keys that they stand under.
const SECTIONS: [(Section, &str); 3] =
    [(Section::Main, "steps"), (Section::OnFailure, "on_failure"), (Section::Finally, "finally")];

impl Plan {
    /// The plan as a Mermaid flowchart.
    pub fn mermaid(&self) -> String {
        mermaid::draw(self)
    }

    /// The plan as an SVG document.
    pub fn svg(&self) -> String {
        svg::draw(self)
    }
}

/// What a step does, in a few words.
fn subtitle(plan: &Plan, step: &Step) -> String {
    let mut text = match &step.work {
        StepWork::Activity { activity, .. } => {
            let activity_type = plan.activities.get(*activity).map(|a| &a.activity_type);
            format!("activity {}", activity_type.map_or("?", |t| t.name.as_str()))
        }
        StepWork::Eval(_) => "eval".to_owned(),
        StepWork::Wait { seconds } => format!("wait {}", duration(*seconds)),
        StepWork::Signal { name, timeout: None } => format!("signal {name}"),
        StepWork::Signal { name, timeout: Some(seconds) } => {
            format!("signal {name}, up to {}", duration(*seconds))
        }
        StepWork::Child { workflow_type, .. } => format!("plan {workflow_type}"),
    };
    if let Some(foreach) = &step.foreach {
        text.push_str(&format!(", each, {} at a time", foreach.max_parallel));
    }
    if let Some(retry) = step.retry.as_ref().filter(|retry| retry.max_attempts > 1) {
        text.push_str(&format!(", {} attempts", retry.max_attempts));
    }
    if step.when.is_some() {
        text.push_str(", when …");
    }
    if step.allow_failure {
        text.push_str(", may fail");
    }
    text
}

/// As a plan would write it.
fn duration(seconds: u32) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let unit = units.iter().find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit));
    unit.map_or(format!("{seconds}s"), |(unit, name)| format!("{}{name}", seconds / unit))
}

fn status(requirement: Requirement) -> &'static str {
    match requirement {
        Requirement::Completed => "completed",
        Requirement::Succeeded => "succeeded",
        Requirement::Failed => "failed",
        Requirement::Skipped => "skipped",
        Requirement::Never => "never",
    }
}

#[cfg(test)]
mod tests;
