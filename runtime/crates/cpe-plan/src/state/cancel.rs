//! One activity that is asked to end, while its execution goes on.
//!
//! SWF can ask a whole execution to end, or, as a decision, one activity task; nobody outside can
//! ask for the latter. So the wish comes as a signal of a reserved name, and the decision follows
//! from the history like every other.

use serde::{Deserialize, Serialize};

use super::{Kind, RunState, Stage, StepFailure};
use crate::model::{Plan, StepWork};

/// The signal's name. Plans cannot wait for it, and clients cannot send it: whoever passes on a
/// client's wish checks first whose execution it is.
pub const CANCEL_ACTIVITY_SIGNAL: &str = "cpe.cancel-activity";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wish {
    activity_id: String,
}

/// The input of the signal [`CANCEL_ACTIVITY_SIGNAL`].
pub fn cancel_activity_input(activity_id: &str) -> String {
    serde_json::json!(Wish { activity_id: activity_id.to_owned() }).to_string()
}

impl RunState {
    /// What runs is asked to end; what waits for its next attempt has none. Either way the call
    /// fails with `cpe.canceled`, unless it ends well before it hears of it.
    ///
    /// An id that is not of this run, or has ended, means nothing: the wish came too late.
    pub(super) fn cancel_activity(&mut self, plan: &Plan, input: Option<&str>) {
        let wish = input.and_then(|input| serde_json::from_str::<Wish>(input).ok());
        let Some(Wish { activity_id }) = wish else { return };
        if self.open.cancel(Kind::Activity, &activity_id) {
            return;
        }
        // Whoever asked may not have heard of the latest attempt yet.
        let Some((key, attempt)) = plan.call_named(&activity_id) else { return };
        let is_activity = plan
            .steps
            .get(key.step)
            .is_some_and(|step| matches!(step.work, StepWork::Activity { .. }));
        let Some(call) = self.calls.get(&key).filter(|call| is_activity && attempt <= call.attempt)
        else {
            return;
        };
        if call.stage == Stage::Open {
            let current = plan.call_id(key, call.attempt);
            self.open.cancel(Kind::Activity, &current);
        } else {
            let details = "asked to cancel before it was handed to a worker";
            self.end_call(plan, key, Err(StepFailure::new("cpe.canceled", details)));
        }
    }
}
