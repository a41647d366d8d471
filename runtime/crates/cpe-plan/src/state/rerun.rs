//! From one execution to another: a job is run again from one of its steps on, and what came
//! before is taken as it was.
//!
//! The new execution begins with the envelope of [`super::carry`], and with a tag that says so:
//! only whoever may start executions in SWF itself can give one, so an input that a client sends
//! carries nothing.

use std::collections::BTreeSet;

use super::{
    RunState, StepState,
    carry::{Continued, carried, envelope},
};
use crate::model::{Plan, Section};

/// What the tag of an execution begins with that takes results of another one: the rest is that
/// one's run id.
pub const RERUN_TAG: &str = "rerun:";

/// The start of an execution that takes results of another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rerun {
    /// Its input, for a start with a tag that begins with [`RERUN_TAG`].
    pub input: String,
    /// The steps whose results are taken, in the plan's order.
    pub kept: Vec<String>,
}

/// Why a job cannot be run again from a step on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RerunError {
    /// The plan has no such step.
    #[error("the plan {plan} has no step `{step}`; its steps are {steps}")]
    Unknown {
        /// The plan's name and version.
        plan: String,
        /// What was asked for.
        step: String,
        /// What there is.
        steps: String,
    },
    /// Steps of `on_failure` and `finally` follow from how the others end.
    #[error("`{step}` is none of the plan's `steps`: what cleans up follows from how they end")]
    Section {
        /// What was asked for.
        step: String,
    },
    /// The step had not begun.
    #[error("the job never came to `{step}`: {why}")]
    NotReached {
        /// What was asked for.
        step: String,
        /// What became of it.
        why: String,
    },
    /// The plan does not take the job's input.
    #[error("the plan {plan} does not take the job's input: {why}")]
    Input {
        /// The plan's name and version.
        plan: String,
        /// Every violation.
        why: String,
    },
    /// What would be taken is longer than a start can be.
    #[error("the results of the steps before have {characters} characters, of at most {most}")]
    TooLong {
        /// Of the input that there would be.
        characters: usize,
        /// See [`RunState::by_reference`].
        most: usize,
    },
}

/// The steps whose results an execution with [`RERUN_TAG`] took, by the input that it began with.
pub fn taken_steps(input: &str) -> Vec<String> {
    Continued::parse(input).map(Continued::into_step_names).unwrap_or_default()
}

impl RunState {
    /// The start of an execution that runs this job again from a step on, by the plan that it
    /// had, or by another.
    ///
    /// That step and all that depend on it run again. Steps that it depends on keep what they came
    /// to; others keep it if they succeeded. Whatever requires a step that runs again does so, too.
    ///
    /// # Errors
    ///
    /// If there is nothing to run again from there.
    pub fn rerun(&self, old: &Plan, new: &Plan, from: &str) -> Result<Rerun, RerunError> {
        let step = || from.to_owned();
        let plan = || new.workflow_type().to_string();
        let Some(at) = new.step_named(from) else {
            let steps: Vec<_> = new.steps.iter().map(|step| step.name.as_str()).collect();
            return Err(RerunError::Unknown {
                plan: plan(),
                step: step(),
                steps: steps.join(", "),
            });
        };
        if new.steps.get(at).is_none_or(|step| step.section != Section::Main) {
            return Err(RerunError::Section { step: step() });
        }
        self.reached(old, from)?;
        if let Err(violations) = new.check_input(&self.input()) {
            return Err(RerunError::Input { plan: plan(), why: violations.join("; ") });
        }
        let kept = self.kept(old, new, at);
        let named = |step: &usize| new.steps.get(*step).map(|step| step.name.clone());
        let steps = kept.iter().filter_map(|step| {
            let name = named(step)?;
            let state = carried(self.steps.get(old.step_named(&name)?)?)?;
            Some((name, state))
        });
        let input = envelope(Continued::of_steps(new, self.input.clone(), steps.collect()));
        let (characters, most) = (input.chars().count(), self.max_chars());
        if characters > most {
            return Err(RerunError::TooLong { characters, most });
        }
        Ok(Rerun { input, kept: kept.iter().filter_map(named).collect() })
    }

    /// A step that only the new plan has can be run, wherever the job had come to.
    fn reached(&self, old: &Plan, from: &str) -> Result<(), RerunError> {
        let state = old.step_named(from).map(|step| self.steps.get(step));
        let why = match state {
            None
            | Some(Some(StepState::Active(_) | StepState::Succeeded(_) | StepState::Failed(..))) => {
                return Ok(());
            }
            Some(Some(StepState::Skipped)) => {
                "it was skipped, because its requirements or its `when` were not met, or because \
                 the job was canceled"
            }
            Some(Some(StepState::Pending)) => "steps before it had not ended",
            Some(None) => "its input was refused, or it has not started",
        };
        Err(RerunError::NotReached { step: from.to_owned(), why: why.to_owned() })
    }

    /// The steps of the new plan that need not run again.
    fn kept(&self, old: &Plan, new: &Plan, from: usize) -> BTreeSet<usize> {
        let before = before(new, from);
        let mut kept = BTreeSet::new();
        // Requirements come first, and `from` is not kept, so neither is what depends on it.
        for step in new.in_order().into_iter().filter(|step| *step != from) {
            let Some(definition) = new.steps.get(step) else { continue };
            let state = old.step_named(&definition.name).and_then(|step| self.steps.get(step));
            let good = state.is_some_and(|state| match state {
                StepState::Succeeded(_) => true,
                state => before.contains(&step) && state.has_ended(),
            });
            let stands = definition.requires.iter().all(|requires| kept.contains(&requires.step));
            if good && stands && definition.section == Section::Main {
                kept.insert(step);
            }
        }
        kept
    }
}

/// All steps that a step depends on.
fn before(plan: &Plan, step: usize) -> BTreeSet<usize> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![step]);
    while let Some(step) = open.pop() {
        for requires in plan.steps.get(step).into_iter().flat_map(|step| &step.requires) {
            if seen.insert(requires.step) {
                open.push(requires.step);
            }
        }
    }
    seen
}
