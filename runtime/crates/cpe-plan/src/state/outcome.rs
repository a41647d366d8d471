//! What the result of an activity or a child makes of its call.

use minijinja::Value;

use super::{StepFailure, render::value};
use crate::{
    call::CallKey,
    model::{Plan, StepWork},
};

/// The output of a call whose activity task or child completed.
pub(super) fn output(
    plan: &Plan,
    key: CallKey,
    result: Option<&str>,
) -> Result<Value, StepFailure> {
    // Workers of 2015 may complete with nothing.
    let parsed = match result {
        None | Some("") => serde_json::Value::Null,
        Some(text) => serde_json::from_str(text).map_err(|error| {
            StepFailure::new("cpe.bad-output", format!("the result is not JSON: {error}"))
        })?,
    };
    match plan.steps.get(key.step).map(|step| &step.work) {
        Some(StepWork::Activity { activity, .. }) => {
            let activity = plan.activities.get(*activity);
            Ok(value(&activity.map(|activity| activity.outputs_spec.apply(&parsed))))
        }
        _ => Ok(value(&parsed)),
    }
}
