//! How steps come to be ready, and how the end of one sets others in motion.

use cpe_swf::limits;
use minijinja::{Value, value::Serde};

use super::{RunState, StepFailure, StepState};
use crate::model::{Plan, Requirement, StepInput, StepWork};

const BAD_INPUT: &str = "cpe.bad-input";
const BAD_EVAL: &str = "cpe.bad-eval";
const BAD_OUTPUT: &str = "cpe.bad-output";

impl StepState {
    fn has_ended(&self) -> bool {
        matches!(self, Self::Succeeded(_) | Self::Failed(_) | Self::Skipped)
    }

    fn meets(&self, requirement: Requirement) -> bool {
        match requirement {
            Requirement::Completed => self.has_ended(),
            Requirement::Succeeded => matches!(self, Self::Succeeded(_)),
            Requirement::Failed => matches!(self, Self::Failed(_)),
            Requirement::Skipped => matches!(self, Self::Skipped),
            Requirement::Never => false,
        }
    }
}

impl RunState {
    pub(super) fn start(&mut self, plan: &Plan, input: Option<&str>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        self.steps = vec![StepState::Pending; plan.steps.len()];
        self.waiting = plan.steps.iter().map(|step| step.requires.len()).collect();
        self.unsettled = plan.steps.len();
        // An execution that is started without input has `null` for one.
        let parsed = serde_json::from_str::<serde_json::Value>(input.unwrap_or("null"))
            .map_err(|error| format!("the input is not JSON: {error}"));
        let checked = parsed.and_then(|input| match plan.check_input(&input) {
            Ok(()) => Ok(input),
            Err(violations) => Err(violations.join("; ")),
        });
        match checked {
            Ok(input) => {
                self.input = Value::from(Serde(&input));
                for step in 0..plan.steps.len() {
                    self.consider(plan, step);
                }
            }
            Err(details) => {
                self.refused = Some(StepFailure { reason: BAD_INPUT.to_owned(), details });
            }
        }
    }

    /// Begins a step that waits for nothing.
    fn consider(&mut self, plan: &Plan, step: usize) {
        if self.waiting.get(step) == Some(&0) && self.is_pending(step) {
            let next = self.begin(plan, step);
            self.advance(plan, step, next);
        }
    }

    pub(super) fn settle(&mut self, plan: &Plan, step: usize, state: StepState) {
        self.advance(plan, step, state);
    }

    /// Puts a step into its next state, and does whatever follows from that without a worker:
    /// skips, evals, and so on.
    fn advance(&mut self, plan: &Plan, step: usize, state: StepState) {
        let mut ended = Vec::new();
        self.enter(step, state, &mut ended);
        while let Some(step) = ended.pop() {
            for dependent in plan.dependents.get(step).into_iter().flatten() {
                let met =
                    self.steps.get(step).is_some_and(|state| state.meets(dependent.requirement));
                if let Some(next) = self.next(plan, dependent.step, met) {
                    self.enter(dependent.step, next, &mut ended);
                }
            }
        }
    }

    fn enter(&mut self, step: usize, state: StepState, ended: &mut Vec<usize>) {
        let Some(slot) = self.steps.get_mut(step) else { return };
        if slot.has_ended() {
            return;
        }
        if matches!(state, StepState::Ready(_)) {
            self.ready.insert(step);
        }
        if state.has_ended() {
            self.unsettled = self.unsettled.saturating_sub(1);
            ended.push(step);
        }
        *slot = state;
    }

    /// What becomes of a step now that one of those that it requires has ended: skipped as soon
    /// as one ended otherwise than required, begun when the last one has ended.
    fn next(&mut self, plan: &Plan, step: usize, met: bool) -> Option<StepState> {
        let waiting = self.waiting.get_mut(step)?;
        *waiting = waiting.saturating_sub(1);
        let last = *waiting == 0;
        if !self.is_pending(step) {
            return None;
        }
        if !met {
            return Some(StepState::Skipped);
        }
        last.then(|| self.begin(plan, step))
    }

    fn is_pending(&self, step: usize) -> bool {
        self.steps.get(step) == Some(&StepState::Pending)
    }

    /// The state of a step whose requirements are met.
    fn begin(&self, plan: &Plan, step: usize) -> StepState {
        let Some(definition) = plan.steps.get(step) else { return StepState::Skipped };
        match &definition.work {
            StepWork::Eval(template) => match self.render(plan, template) {
                Ok(value) => StepState::Succeeded(Value::from(Serde(&value))),
                Err(details) => failed(BAD_EVAL, details),
            },
            StepWork::Activity { activity, input } => {
                match self.activity_input(plan, *activity, input) {
                    Ok(text) => StepState::Ready(text),
                    Err(details) => failed(BAD_INPUT, details),
                }
            }
        }
    }

    fn activity_input(
        &self,
        plan: &Plan,
        activity: usize,
        input: &StepInput,
    ) -> Result<String, String> {
        let value = self.render(plan, input)?;
        if let Some(activity) = plan.activities.get(activity) {
            activity.check_input(&value).map_err(|violations| violations.join("; "))?;
        }
        let text = value.to_string();
        let (length, max) = (text.chars().count(), limits::DATA_CHARS);
        if length > max {
            return Err(format!("the input has {length} characters, of at most {max}"));
        }
        Ok(text)
    }

    fn render(&self, plan: &Plan, input: &StepInput) -> Result<serde_json::Value, String> {
        let mut names = vec![("__input__".to_owned(), self.input.clone())];
        let mut without = Vec::new();
        for index in &input.steps {
            let (Some(step), Some(state)) = (plan.steps.get(*index), self.steps.get(*index)) else {
                continue;
            };
            let value = match state {
                StepState::Succeeded(output) => output.clone(),
                StepState::Failed(_) => {
                    without.push(format!("`{}` failed and has no outputs", step.name));
                    no_outputs()
                }
                _ => {
                    without.push(format!("`{}` was skipped and has no outputs", step.name));
                    no_outputs()
                }
            };
            names.push((step.name.clone(), value));
        }
        plan.templates.render(&input.template, names).map_err(|error| {
            without.insert(0, error.to_string());
            without.join("; ")
        })
    }
}

/// What a step offers that has none: to name one of them is told as what it is.
fn no_outputs() -> Value {
    Value::from(Serde(serde_json::Map::new()))
}

fn failed(reason: &str, details: String) -> StepState {
    StepState::Failed(StepFailure { reason: reason.to_owned(), details })
}

/// What an activity's answer makes of its step.
pub(super) fn outcome(plan: &Plan, step: usize, result: Option<&str>) -> StepState {
    let activity = plan.steps.get(step).and_then(|step| match step.work {
        StepWork::Activity { activity, .. } => plan.activities.get(activity),
        StepWork::Eval(_) => None,
    });
    // Workers of 2015 may complete with nothing.
    let parsed = match result {
        None | Some("") => Ok(serde_json::Value::Null),
        Some(text) => serde_json::from_str::<serde_json::Value>(text),
    };
    match parsed {
        Ok(result) => {
            let outputs = activity.map(|activity| activity.outputs_spec.apply(&result));
            StepState::Succeeded(Value::from(Serde(outputs)))
        }
        Err(error) => failed(BAD_OUTPUT, format!("the activity's result is not JSON: {error}")),
    }
}
