//! From the start of a run to its end: the main steps, `on_failure`, `finally`.

use cpe_swf::{Timestamp, event::WorkflowExecutionStarted};
use sha2::{Digest, Sha256};

use super::{Origin, Phase, RERUN_TAG, RunState, StepFailure, StepState, render::value};
use crate::model::{Plan, Section};

impl Phase {
    pub(super) fn of(section: Section) -> Self {
        match section {
            Section::Main => Self::Main,
            Section::OnFailure => Self::OnFailure,
            Section::Finally => Self::Finally,
        }
    }

    fn section(self) -> Option<Section> {
        match self {
            Self::Main => Some(Section::Main),
            Self::OnFailure => Some(Section::OnFailure),
            Self::Finally => Some(Section::Finally),
            Self::Done => None,
        }
    }

    fn next(self) -> Self {
        match self {
            Self::Main => Self::OnFailure,
            Self::OnFailure => Self::Finally,
            Self::Finally | Self::Done => Self::Done,
        }
    }
}

impl RunState {
    pub(super) fn start(&mut self, plan: &Plan, started: &WorkflowExecutionStarted, at: Timestamp) {
        if self.origin.is_some() {
            return;
        }
        self.origin = Some(Origin {
            task_list: started.task_list.clone(),
            task_priority: started.task_priority.clone(),
            child_policy: started.child_policy,
            tag_list: started.tag_list.clone(),
            lambda_role: started.lambda_role.clone(),
            execution_timeout: started.execution_start_to_close_timeout,
            decision_timeout: started.task_start_to_close_timeout,
            started: at,
            seed: seed(started, at),
        });
        self.steps = vec![StepState::Pending; plan.steps.len()];
        self.waiting = plan.steps.iter().map(|step| step.requires.len()).collect();
        self.count_unsettled(plan);
        // Only SWF says that a run continues another one, and only who starts executions in SWF
        // gives tags: an input that claims it is an input.
        let reruns = started.tag_list.iter().any(|tag| tag.starts_with(RERUN_TAG));
        if (reruns || started.continued_execution_run_id.is_some())
            && self.resume(plan, started.input.as_deref())
        {
            return;
        }
        // An execution that is started without input has `null` for one.
        let input = started.input.as_deref().unwrap_or("null");
        let parsed = serde_json::from_str::<serde_json::Value>(input)
            .map_err(|error| format!("the input is not JSON: {error}"));
        let checked = parsed.and_then(|input| match plan.check_input(&input) {
            Ok(()) => Ok(input),
            Err(violations) => Err(violations.join("; ")),
        });
        match checked {
            Ok(input) => {
                self.input = value(&input);
                self.enter_section(plan, Section::Main);
            }
            Err(details) => self.refused = Some(StepFailure::new("cpe.bad-input", details)),
        }
    }

    /// Counts anew, in each section, the steps that have not ended.
    pub(super) fn count_unsettled(&mut self, plan: &Plan) {
        self.unsettled = [0; 3];
        for (step, state) in plan.steps.iter().zip(&self.steps) {
            if !state.has_ended()
                && let Some(count) = self.unsettled.get_mut(step.section as usize)
            {
                *count += 1;
            }
        }
    }

    pub(super) fn main_has_ended(&self) -> bool {
        self.unsettled.first() == Some(&0)
    }

    /// Whether all has been done but to close the execution.
    pub(crate) fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    fn enter_section(&mut self, plan: &Plan, section: Section) {
        for step in plan.section(section) {
            self.consider(plan, step);
        }
    }

    /// Goes to the next section when the steps of this one have ended, and nothing runs that was
    /// begun for steps that have.
    pub(super) fn advance_phase(&mut self, plan: &Plan) {
        if !self.has_started() || self.refused.is_some() {
            return;
        }
        while let Some(section) = self.phase.section() {
            if self.unsettled.get(section as usize) != Some(&0) || !self.open.is_empty() {
                return;
            }
            if section == Section::Main && !self.canceled {
                self.failure = self.unhandled_failure(plan, section);
            }
            if section == Section::Main && self.failure.is_none() {
                // Before that phase begins, so that none of its steps does.
                for step in plan.section(Section::OnFailure) {
                    self.advance(plan, step, StepState::Skipped);
                }
            }
            self.phase = self.phase.next();
            if let Some(section) = self.phase.section() {
                self.enter_section(plan, section);
            }
        }
    }

    /// The first failed step of a section, in the plan's order, whose failure nothing provides
    /// for.
    pub(crate) fn unhandled_failure(
        &self,
        plan: &Plan,
        section: Section,
    ) -> Option<(usize, StepFailure)> {
        plan.section(section).find_map(|index| {
            let step = plan.steps.get(index)?;
            match self.steps.get(index)? {
                StepState::Failed(failure, _)
                    if !step.allow_failure && !plan.is_failure_handled(index) =>
                {
                    Some((index, failure.clone()))
                }
                _ => None,
            }
        })
    }
}

/// Differs from run to run, as far as a run's first event does.
fn seed(started: &WorkflowExecutionStarted, at: Timestamp) -> String {
    let text = serde_json::to_string(&(started, at)).unwrap_or_default();
    hex::encode(Sha256::digest(text)).chars().take(32).collect()
}
