//! `decide`: history in, decisions out.

mod batch;
mod closing;

use cpe_swf::{
    ActivityId, Decision, HistoryEvent, Timeout, TimerId,
    decision::{
        CancelWorkflowExecution, RequestCancelActivityTask, ScheduleActivityTask, StartTimer,
    },
    limits,
};

use self::batch::Batch;
use crate::{
    model::{Plan, StepWork},
    state::{MORE_TIMER, RETRY_TIMER, RunState, StepState},
};

/// Decides what follows from a whole history.
///
/// Pure and total: any history gives decisions, and the same history the same ones. They come in
/// the order of the plan's steps, a closing one last, and together fit into one answer.
pub fn decide(plan: &Plan, history: &[HistoryEvent]) -> Vec<Decision> {
    let mut state = RunState::default();
    for event in history {
        state.apply(plan, event);
    }
    next_decisions(plan, &state)
}

/// Decides what follows from the state that a history was folded into.
pub fn next_decisions(plan: &Plan, state: &RunState) -> Vec<Decision> {
    if state.closed || !state.has_started() {
        return Vec::new();
    }
    if state.cancel_requested && !state.running.is_empty() {
        return ask_to_cancel(plan, state);
    }
    if state.hold.active {
        return hold(state);
    }
    if let Some(failure) = &state.refused {
        return vec![closing::refuse(failure)];
    }
    if state.cancel_requested {
        let details = Some("the execution was asked to cancel".to_owned());
        return vec![CancelWorkflowExecution { details }.into()];
    }
    if state.unsettled == 0 {
        return vec![closing::close(plan, state)];
    }
    schedule(plan, state)
}

/// Schedules what is ready, as far as SWF's limit on open activity tasks goes.
fn schedule(plan: &Plan, state: &RunState) -> Vec<Decision> {
    let room = limits::OPEN_ACTIVITY_TASKS.saturating_sub(state.running.len());
    let mut batch = Batch::default();
    for step in state.ready.iter().take(room) {
        let Some(StepState::Ready(input)) = state.steps.get(*step) else { continue };
        if let Some(decision) = schedule_step(plan, *step, input)
            && !batch.push(decision)
        {
            break;
        }
    }
    finish(batch, state)
}

fn schedule_step(plan: &Plan, step: usize, input: &str) -> Option<Decision> {
    let step = plan.steps.get(step)?;
    let StepWork::Activity { activity, .. } = &step.work else { return None };
    let activity = plan.activities.get(*activity)?;
    Some(
        ScheduleActivityTask {
            activity_type: activity.activity_type.clone(),
            activity_id: ActivityId(step.name.clone()),
            control: None,
            input: Some(input.to_owned()),
            schedule_to_close_timeout: Some(activity.schedule_to_close_timeout),
            task_list: Some(activity.task_list.clone()),
            task_priority: None,
            schedule_to_start_timeout: Some(activity.schedule_to_start_timeout),
            start_to_close_timeout: Some(activity.start_to_close_timeout),
            heartbeat_timeout: Some(activity.heartbeat_timeout),
        }
        .into(),
    )
}

/// Asks what runs to cancel, each once; the execution ends when nothing runs any more.
fn ask_to_cancel(plan: &Plan, state: &RunState) -> Vec<Decision> {
    let mut batch = Batch::default();
    let unasked = state.running.iter().filter(|(_, running)| !running.cancel_asked);
    for step in unasked.filter_map(|(step, _)| plan.steps.get(*step)) {
        let ask = RequestCancelActivityTask { activity_id: ActivityId(step.name.clone()) };
        if !batch.push(ask.into()) {
            break;
        }
    }
    finish(batch, state)
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
