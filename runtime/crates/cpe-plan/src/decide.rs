//! `decide`: history in, decisions out.

mod batch;
mod calls;
mod closing;
mod continuing;

use cpe_swf::{
    ActivityId, Decision, HistoryEvent, Timeout, TimerId, WorkflowId,
    decision::{
        CancelTimer, RequestCancelActivityTask, RequestCancelExternalWorkflowExecution, StartTimer,
    },
};

use self::batch::Batch;
use crate::{
    model::Plan,
    state::{Kind, MORE_TIMER, Phase, RETRY_TIMER, RunState},
};

/// Decides what follows from a whole history.
///
/// Pure and total: any history gives decisions, and the same history the same ones. They come in
/// the order of the plan's steps, a closing one last, and together fit into one answer.
///
/// What depends on which run it is (ids of children, waits before retries) follows from the first
/// event here; a decider that knows the run begins with [`RunState::of_execution`].
pub fn decide(plan: &Plan, history: &[HistoryEvent]) -> Vec<Decision> {
    let mut state = RunState::default();
    for event in history {
        state.apply(plan, event);
    }
    next_decisions(plan, &state)
}

/// Decides what follows from the state that a history was folded into.
///
/// No text in a decision is longer than SWF takes, unless the state is [`RunState::by_reference`].
pub fn next_decisions(plan: &Plan, state: &RunState) -> Vec<Decision> {
    if state.closed || !state.has_started() {
        return Vec::new();
    }
    if state.hold.active {
        return hold(state);
    }
    if let Some(failure) = &state.refused {
        return vec![closing::refuse(state, failure)];
    }
    if state.is_done() && state.open.is_empty() {
        return vec![closing::close(plan, state)];
    }
    let ends = continuing::is_due(plan, state);
    if ends && state.open.is_empty() {
        return vec![continuing::continue_as_new(plan, state)];
    }
    let mut batch = Batch::default();
    // What cleans up comes after what it cleans up; and what the history has no more room for is
    // begun by the next run.
    let waits = state.phase > Phase::Main && state.open.has_unwanted();
    if tidy_up(state, &mut batch) && !waits && !ends {
        calls::begin(plan, state, &mut batch);
    }
    finish(batch, state)
}

/// Ends what nobody waits for: timers are canceled, what runs is asked to cancel, each once.
/// `false` if not all of it fits.
fn tidy_up(state: &RunState, batch: &mut Batch) -> bool {
    for id in &state.timers.stale {
        if !batch.push(CancelTimer { timer_id: TimerId::from(id.as_str()) }.into()) {
            return false;
        }
    }
    for entry in state.open.unasked.iter().filter_map(|event| state.open.get(*event)) {
        let ask = match entry.kind {
            Kind::Activity => {
                RequestCancelActivityTask { activity_id: ActivityId(entry.id.clone()) }.into()
            }
            Kind::Child => RequestCancelExternalWorkflowExecution {
                workflow_id: WorkflowId(entry.id.clone()),
                run_id: None,
                control: None,
            }
            .into(),
        };
        if !batch.push(ask) {
            return false;
        }
    }
    true
}

/// What did not fit into this answer is decided in the next, which a timer without a wait asks
/// for: otherwise it would come only after something else had happened.
fn finish(batch: Batch, state: &RunState) -> Vec<Decision> {
    let cut = batch.is_cut();
    let mut decisions = batch.into_decisions();
    if cut && !state.more_coming {
        decisions.push(timer(MORE_TIMER, 0));
    }
    decisions
}

/// Waits before the next attempt: to try again at once would only fill the history.
fn hold(state: &RunState) -> Vec<Decision> {
    if state.hold.timer_open || state.hold.timer_refused {
        return Vec::new();
    }
    vec![timer(RETRY_TIMER, state.hold.seconds())]
}

fn timer(id: &str, seconds: u32) -> Decision {
    StartTimer {
        timer_id: TimerId::from(id),
        control: None,
        start_to_fire_timeout: Timeout::Seconds(seconds),
    }
    .into()
}

#[cfg(test)]
mod tests;
