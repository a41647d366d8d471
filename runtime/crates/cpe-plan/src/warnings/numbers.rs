//! More than SWF takes of one execution, or of one account in a second.

use cpe_swf::limits;

use super::Warnings;
use crate::budget::{self, Load};

pub(super) fn warn(warnings: &mut Warnings<'_>) {
    let plan = warnings.plan;
    let load = Load::of(plan);
    let open = u64::try_from(limits::OPEN_ACTIVITY_TASKS).unwrap_or(u64::MAX);
    if load.activities.open > open {
        let message = format!(
            "up to {} activity tasks are wanted at a time, of {open} that SWF lets an execution \
             have open; the others wait",
            load.activities.open
        );
        add(warnings, load.activities.largest, message);
    } else if load.activities.open > budget::REQUESTS {
        let message = format!(
            "up to {} activity tasks are scheduled at once, and SWF takes some {} \
             ScheduleActivityTask a second of a whole account",
            load.activities.open,
            budget::REQUESTS
        );
        add(warnings, load.activities.largest, message);
    }
    if load.children.open > budget::CHILDREN {
        let message = format!(
            "up to {} children are started at once, and SWF takes {} \
             StartChildWorkflowExecution a second of a whole account",
            load.children.open,
            budget::CHILDREN
        );
        add(warnings, load.children.largest, message);
    }
    if load.heartbeats > budget::HEARTBEATS as f64 {
        let message = format!(
            "one execution sends up to {:.0} heartbeats a second, and SWF takes some {} \
             RecordActivityTaskHeartbeat a second of a whole account",
            load.heartbeats,
            budget::HEARTBEATS
        );
        let at = load.most_heartbeats.map_or(warnings.places.top().at(), |activity| {
            warnings.places.activity(activity).at_first(&["heartbeat_timeout", "name"])
        });
        let hint = "a longer `heartbeat_timeout` makes fewer: there are three in it".to_owned();
        warnings.add("budget", at, message, hint);
    }
}

/// At what makes a step so wide.
fn add(warnings: &mut Warnings<'_>, step: Option<usize>, message: String) {
    let plan = warnings.plan;
    let Some((index, step)) = step.and_then(|index| Some((index, plan.steps.get(index)?))) else {
        return;
    };
    let entry = warnings.places.step(plan, index);
    let (at, hint) = if step.foreach.is_some() {
        let at = entry.at_first(&["max_parallel", "foreach"]);
        (at, format!("a smaller `max_parallel` of the step `{}`", step.name))
    } else {
        let at = warnings.places.top().at_key("steps");
        (at, "let some steps require others, or put their inputs into one `foreach`".to_owned())
    };
    warnings.add("budget", at, message, hint);
}
