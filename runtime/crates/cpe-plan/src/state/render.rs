//! Rendering of templates with what the run knows by now.

use minijinja::{Value, value::Serde};
use serde_json::json;

use super::{RunState, StepFailure, StepState};
use crate::{
    call::CallKey,
    model::{Plan, StepInput, StepWork},
};

/// JSON as templates see it.
pub(super) fn value(json: &impl serde::Serialize) -> Value {
    Value::from(Serde(json))
}

impl RunState {
    /// The input of a step's activity or child, as text that SWF takes.
    pub(crate) fn call_input(&self, plan: &Plan, key: CallKey) -> Result<String, StepFailure> {
        let bad = |details: String| StepFailure::new("cpe.bad-input", details);
        let Some(step) = plan.steps.get(key.step) else { return Err(bad(String::new())) };
        let (input, activity) = match &step.work {
            StepWork::Activity { activity, input } => (input, plan.activities.get(*activity)),
            StepWork::Child { input, .. } => (input, None),
            _ => return Err(bad(format!("`{}` takes no input", step.name))),
        };
        let value = self.render(plan, input, self.item_names(key)).map_err(bad)?;
        if let Some(activity) = activity {
            activity.check_input(&value).map_err(|violations| bad(violations.join("; ")))?;
        }
        let text = value.to_string();
        let (length, max) = (text.chars().count(), self.max_chars());
        if length > max {
            return Err(bad(format!("the input has {length} characters, of at most {max}")));
        }
        Ok(text)
    }

    /// `item` and `index`, in a `foreach`.
    pub(super) fn item_names(&self, key: CallKey) -> Vec<(String, Value)> {
        let Some(StepState::Active(active)) = self.steps.get(key.step) else { return Vec::new() };
        let Some(item) = active.items.as_ref().and_then(|items| items.get(key.item)) else {
            return Vec::new();
        };
        vec![("item".to_owned(), item.clone()), ("index".to_owned(), Value::from(key.item))]
    }

    pub(crate) fn render(
        &self,
        plan: &Plan,
        input: &StepInput,
        more: Vec<(String, Value)>,
    ) -> Result<serde_json::Value, String> {
        let mut names = vec![
            ("__input__".to_owned(), self.input.clone()),
            ("__failure__".to_owned(), self.failure_value(plan)),
        ];
        let mut without = Vec::new();
        for index in &input.steps {
            let (Some(step), Some(state)) = (plan.steps.get(*index), self.steps.get(*index)) else {
                continue;
            };
            let value = match state {
                StepState::Succeeded(output) | StepState::Failed(_, Some(output)) => output.clone(),
                StepState::Failed(_, None) => {
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
        names.extend(more);
        plan.templates.render(&input.template, names).map_err(|error| {
            without.insert(0, error.to_string());
            without.join("; ")
        })
    }

    /// `__failure__`: `null` while nothing has failed.
    fn failure_value(&self, plan: &Plan) -> Value {
        let Some((step, failure)) = &self.failure else { return Value::from(()) };
        let name = plan.steps.get(*step).map(|step| step.name.as_str());
        let details = embed(&failure.details);
        value(&json!({"step": name, "reason": failure.reason, "details": details}))
    }
}

/// JSON text as its value, other text as a string.
pub(crate) fn embed(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|_| serde_json::Value::String(text.to_owned()))
}

/// What a step offers that has none: to name one of them is told as what it is.
fn no_outputs() -> Value {
    value(&serde_json::Map::new())
}
