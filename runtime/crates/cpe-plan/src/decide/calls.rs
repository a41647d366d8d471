//! Hands to SWF what is ready: activity tasks, children, timers.

use cpe_swf::{
    ActivityId, Decision, WorkflowId,
    decision::{ScheduleActivityTask, StartChildWorkflowExecution},
    limits,
};
use sha2::{Digest, Sha256};

use super::{batch::Batch, continuing, timer};
use crate::{
    call::CallKey,
    model::{Plan, StepWork},
    state::{RunState, Stage},
};

/// Timers of calls; SWF's limit leaves room for those that are not of calls.
const OPEN_TIMERS: usize = limits::OPEN_TIMERS - 10;

/// Calls that are passed over because their kind has no room, before the rest is left for later.
const PASSED_OVER: usize = 1_000;

/// Begins as much as SWF's limits and the history have room for.
pub(super) fn begin(plan: &Plan, state: &RunState, batch: &mut Batch) {
    let room = continuing::room(state);
    hand_over(plan, state, room, batch);
    let timers = OPEN_TIMERS.saturating_sub(state.timers.open());
    for key in state.timers.wanted.iter().take(timers.min(room)) {
        let Some(call) = state.calls.get(key) else { continue };
        let id = state.timer_id(plan, *key, call);
        if !batch.push(timer(&id, call.timer.unwrap_or_default())) {
            return;
        }
    }
}

/// Hands over activity tasks and children.
fn hand_over(plan: &Plan, state: &RunState, mut room: usize, batch: &mut Batch) {
    let mut activities = limits::OPEN_ACTIVITY_TASKS.saturating_sub(state.open.activities());
    let mut children = limits::OPEN_CHILDREN.saturating_sub(state.open.children());
    let mut passed_over = 0;
    for key in &state.ready {
        let work = plan.steps.get(key.step).map(|step| &step.work);
        let left = match work {
            Some(StepWork::Activity { .. }) => &mut activities,
            Some(StepWork::Child { .. }) => &mut children,
            _ => continue,
        };
        if *left == 0 {
            passed_over += 1;
            if passed_over == PASSED_OVER {
                return;
            }
            continue;
        }
        if room == 0 {
            return;
        }
        *left -= 1;
        room -= 1;
        if let Some(decision) = begin_one(plan, state, *key)
            && !batch.push(decision)
        {
            return;
        }
    }
}

fn begin_one(plan: &Plan, state: &RunState, key: CallKey) -> Option<Decision> {
    let Stage::Ready(input) = &state.calls.get(&key)?.stage else { return None };
    let input = match input {
        Some(input) => input.clone(),
        // What it is rendered from cannot have changed.
        None => state.call_input(plan, key).ok()?,
    };
    match plan.steps.get(key.step)?.work {
        StepWork::Activity { activity, .. } => schedule(plan, state, (key, activity), input),
        _ => start_child(plan, state, key, input),
    }
}

fn schedule(
    plan: &Plan,
    state: &RunState,
    (key, activity): (CallKey, usize),
    input: String,
) -> Option<Decision> {
    let activity = plan.activities.get(activity)?;
    let attempt = state.calls.get(&key)?.attempt;
    Some(
        ScheduleActivityTask {
            activity_type: activity.activity_type.clone(),
            activity_id: ActivityId(plan.call_id(key, attempt)),
            control: None,
            input: Some(input),
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

/// Of what begins so, a child's tags are its parent's.
const HANDED_DOWN: &str = "modules:";

/// Most tags tell what a run is decided by, and are not handed down: a child has its own plan. But
/// it runs the versions of modules that its job began with.
fn start_child(plan: &Plan, state: &RunState, key: CallKey, input: String) -> Option<Decision> {
    let StepWork::Child { workflow_type, timeout, .. } = &plan.steps.get(key.step)?.work else {
        return None;
    };
    let origin = state.origin.as_ref()?;
    let call = plan.call_id(key, state.calls.get(&key)?.attempt);
    Some(
        StartChildWorkflowExecution {
            workflow_type: workflow_type.clone(),
            workflow_id: child_id(state, &call),
            control: Some(call),
            input: Some(input),
            execution_start_to_close_timeout: timeout.map(cpe_swf::Timeout::Seconds),
            // Who decides for the parent decides for the child.
            task_list: Some(origin.task_list.clone()),
            task_priority: None,
            task_start_to_close_timeout: None,
            child_policy: Some(origin.child_policy),
            tag_list: handed_down(&origin.tag_list),
            lambda_role: None,
        }
        .into(),
    )
}

fn handed_down(tags: &[String]) -> Vec<String> {
    tags.iter().filter(|tag| tag.starts_with(HANDED_DOWN)).cloned().collect()
}

/// `<the parent's id>.<the call>`: a job's own id has one dot only, so that no job is named so.
/// What is too long is cut, with a digest of the whole in its place.
fn child_id(state: &RunState, call: &str) -> WorkflowId {
    let parent = match (&state.execution, &state.origin) {
        (Some(execution), _) => execution.workflow_id.as_str(),
        (None, Some(origin)) => origin.seed.as_str(),
        (None, None) => "cpe",
    };
    let whole = format!("{parent}.{call}");
    if whole.chars().count() <= limits::ID_CHARS {
        return WorkflowId(whole);
    }
    let digest: String = hex::encode(Sha256::digest(&whole)).chars().take(32).collect();
    let beginning: String = whole.chars().take(limits::ID_CHARS - 33).collect();
    WorkflowId(format!("{beginning}.{digest}"))
}
