//! When a history has grown long: a new run goes on where this one stops.

use cpe_swf::{Decision, decision::ContinueAsNewWorkflowExecution};

use crate::{model::Plan, state::RunState};

/// Events from which on nothing new is begun, and the run is continued when all that runs has
/// ended. SWF terminates an execution at 25,000; what may run then writes some thousands more.
const CONTINUE_AT: i64 = 8_000;
/// Events that one call writes, about: what it is, its start, its end, and the decision after it.
const EVENTS_OF_CALL: i64 = 5;
/// Calls that may begin however near the limit is.
const LEAST_ROOM: usize = 20;

/// Whether the run is to be continued. One whose state is longer than it can hand on goes on: SWF
/// takes some thousands of events more, and many runs end within them.
pub(super) fn is_due(plan: &Plan, state: &RunState) -> bool {
    state.last_event().0 >= limit(state)
        && !state.stays
        && !state.is_done()
        && state.to_continued(plan).chars().count() <= state.max_chars()
}

fn limit(state: &RunState) -> i64 {
    state.continue_at.unwrap_or(CONTINUE_AT)
}

/// How many calls may begin at once: what is left until then.
pub(super) fn room(state: &RunState) -> usize {
    if state.stays {
        return usize::MAX;
    }
    let left = limit(state).saturating_sub(state.last_event().0) / EVENTS_OF_CALL;
    usize::try_from(left).unwrap_or(0).max(LEAST_ROOM)
}

pub(super) fn continue_as_new(plan: &Plan, state: &RunState) -> Decision {
    let origin = state.origin.as_ref();
    ContinueAsNewWorkflowExecution {
        input: Some(state.to_continued(plan)),
        execution_start_to_close_timeout: state.time_left(),
        task_list: origin.map(|origin| origin.task_list.clone()),
        task_priority: origin.and_then(|origin| origin.task_priority.clone()),
        task_start_to_close_timeout: origin.and_then(|origin| origin.decision_timeout),
        child_policy: origin.map(|origin| origin.child_policy),
        tag_list: origin.map(|origin| origin.tag_list.clone()).unwrap_or_default(),
        workflow_type_version: None,
        lambda_role: origin.and_then(|origin| origin.lambda_role.clone()),
    }
    .into()
}
