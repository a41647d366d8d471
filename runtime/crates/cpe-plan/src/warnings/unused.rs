//! Steps whose output nobody uses, where the plan says what its result is.

use super::Warnings;
use crate::model::{Plan, Section, Step, StepInput, StepWork};

pub(super) fn warn(warnings: &mut Warnings<'_>) {
    let plan = warnings.plan;
    // Otherwise the outputs of the last steps are the result.
    let Some(output) = &plan.output else { return };
    let mut used = vec![false; plan.steps.len()];
    let inputs = plan.steps.iter().flat_map(templates).chain([output]);
    let named = inputs.flat_map(|input| input.steps.iter().copied());
    let required = plan.steps.iter().flat_map(|step| &step.requires).map(|requires| requires.step);
    for step in named.chain(required) {
        if let Some(used) = used.get_mut(step) {
            *used = true;
        }
    }
    let steps = plan.steps.iter().zip(used).enumerate();
    for (index, (step, _)) in steps.filter(|(_, (step, used))| !used && offers(plan, step)) {
        let at = warnings.places.step(plan, index).at_key("name");
        warnings.add(
            "unused",
            at,
            format!("nobody uses the output of the step `{}`", step.name),
            "name it in a template or in `output`, or leave the step out".to_owned(),
        );
    }
}

/// All templates of a step.
fn templates(step: &Step) -> impl Iterator<Item = &StepInput> {
    let work = match &step.work {
        StepWork::Activity { input, .. } | StepWork::Child { input, .. } => Some(input),
        StepWork::Eval(template) => Some(template),
        StepWork::Wait { .. } | StepWork::Signal { .. } => None,
    };
    work.into_iter().chain(&step.when).chain(step.foreach.iter().map(|foreach| &foreach.list))
}

/// Whether a step is there for its output. An activity without outputs, and what cleans up, run
/// for what they do.
fn offers(plan: &Plan, step: &Step) -> bool {
    let by_kind = match step.work {
        StepWork::Activity { activity, .. } => {
            plan.activities.get(activity).is_some_and(|activity| !activity.outputs_spec.is_empty())
        }
        StepWork::Eval(_) => true,
        StepWork::Child { .. } => step.foreach.is_some(),
        StepWork::Wait { .. } | StepWork::Signal { .. } => false,
    };
    by_kind && step.section == Section::Main
}
