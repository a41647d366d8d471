//! Steps that can never run, since what they wait for can never come to be.

use super::Warnings;
use crate::model::{Plan, Requirement, Requires, Section, Step, StepWork};

/// The ways in which a step can end.
#[derive(Debug, Clone, Copy, Default)]
struct Ends {
    succeeded: bool,
    failed: bool,
    skipped: bool,
}

impl Ends {
    const SKIPPED: Self = Self { succeeded: false, failed: false, skipped: true };

    fn can_meet(self, requirement: Requirement) -> bool {
        match requirement {
            Requirement::Completed => true,
            Requirement::Succeeded => self.succeeded,
            Requirement::Failed => self.failed,
            Requirement::Skipped => self.skipped,
            Requirement::Never => false,
        }
    }

    fn can_miss(self, requirement: Requirement) -> bool {
        match requirement {
            Requirement::Completed => false,
            Requirement::Succeeded => self.failed || self.skipped,
            Requirement::Failed => self.succeeded || self.skipped,
            Requirement::Skipped => self.succeeded || self.failed,
            Requirement::Never => true,
        }
    }
}

pub(super) fn warn(warnings: &mut Warnings<'_>) {
    let plan = warnings.plan;
    let mut ends = vec![Ends::default(); plan.steps.len()];
    for index in plan.in_order() {
        let Some(step) = plan.steps.get(index) else { continue };
        let found = ends_of(plan, step, &ends);
        if let Some(ends) = ends.get_mut(index) {
            *ends = found;
        }
        if found.succeeded || found.failed {
            continue;
        }
        let impossible = step.requires.iter().find(|requires| !can_hold(requires, &ends));
        tell(warnings, index, impossible, &ends);
    }
    never_fails(warnings, &ends);
}

fn can_hold(requires: &Requires, ends: &[Ends]) -> bool {
    ends.get(requires.step).is_none_or(|ends| ends.can_meet(requires.status))
}

fn ends_of(plan: &Plan, step: &Step, ends: &[Ends]) -> Ends {
    let when = step.when.as_ref().map(|when| plan.templates.constant(&when.template));
    let never = matches!(when, Some(Some(serde_json::Value::Bool(false))));
    if never || !step.requires.iter().all(|requires| can_hold(requires, ends)) {
        return Ends::SKIPPED;
    }
    let always = matches!(when, None | Some(Some(serde_json::Value::Bool(true))));
    let missed = step
        .requires
        .iter()
        .any(|requires| ends.get(requires.step).is_some_and(|ends| ends.can_miss(requires.status)));
    let of_work = match &step.work {
        StepWork::Activity { .. } | StepWork::Child { .. } => true,
        StepWork::Eval(template) => plan.templates.constant(&template.template).is_none(),
        StepWork::Wait { .. } => false,
        StepWork::Signal { timeout, .. } => timeout.is_some(),
    };
    Ends {
        succeeded: true,
        // A `when` that is no constant may not render, or not to a boolean.
        failed: of_work || !always,
        // Whole lists of steps may not run at all.
        skipped: missed || !always || step.section == Section::OnFailure,
    }
}

fn tell(warnings: &mut Warnings<'_>, index: usize, impossible: Option<&Requires>, ends: &[Ends]) {
    let plan = warnings.plan;
    let Some(step) = plan.steps.get(index) else { return };
    let entry = warnings.places.step(plan, index);
    let Some(requires) = impossible else {
        let at = entry.at_key("when");
        let message = format!("the step `{}` never runs: its `when` is always false", step.name);
        return warnings.add("unreachable", at, message, None);
    };
    let required = plan.steps.get(requires.step).map_or("", |step| step.name.as_str());
    let at = entry.at_item_named("requires", required);
    let (status, hint) = match requires.status {
        Requirement::Never => {
            let message = format!(
                "the step `{}` never runs: `{required}` is never looked at in that status",
                step.name
            );
            let hint = "`succeeded`, `failed`, `skipped` and `completed` are how steps end";
            return warnings.add("unreachable", at, message, hint.to_owned());
        }
        Requirement::Succeeded => ("succeed", "it never runs"),
        Requirement::Failed => ("fail", "nothing in it can fail"),
        Requirement::Skipped => ("be skipped", "it always runs"),
        Requirement::Completed => return,
    };
    let skipped = ends.get(requires.step).is_some_and(|ends| !ends.succeeded && !ends.failed);
    let hint = if skipped { "it is always skipped" } else { hint };
    let message = format!("the step `{}` never runs: `{required}` can never {status}", step.name);
    warnings.add("unreachable", at, message, format!("of `{required}`: {hint}"));
}

/// Steps of `on_failure` where nothing can fail.
fn never_fails(warnings: &mut Warnings<'_>, ends: &[Ends]) {
    let plan = warnings.plan;
    let fails = plan.section(Section::Main).any(|index| {
        let step = plan.steps.get(index);
        ends.get(index).is_some_and(|ends| ends.failed)
            && !plan.is_failure_handled(index)
            && step.is_some_and(|step| !step.allow_failure)
    });
    if !fails && plan.section(Section::OnFailure).next().is_some() {
        let at = warnings.places.top().at_key("on_failure");
        warnings.add(
            "unreachable",
            at,
            "`on_failure` never runs: none of `steps` can make the execution fail".to_owned(),
            "each of them cannot fail, has `allow_failure`, or its failure is provided for"
                .to_owned(),
        );
    }
}
