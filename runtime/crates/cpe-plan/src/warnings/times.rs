//! Times that contradict each other. Only what is written counts: that a default is longer than
//! what an author wrote is no contradiction of theirs.

use cpe_swf::Timeout;

use super::Warnings;
use crate::model::{Activity, Retry, StepWork};

pub(super) fn warn(warnings: &mut Warnings<'_>) {
    for (index, activity) in warnings.plan.activities.iter().enumerate() {
        activity_times(warnings, index, activity);
    }
    let Timeout::Seconds(limit) = warnings.plan.default_execution_start_to_close_timeout else {
        return;
    };
    for index in 0..warnings.plan.steps.len() {
        step_times(warnings, index, limit);
    }
}

fn activity_times(warnings: &mut Warnings<'_>, index: usize, activity: &Activity) {
    let entry = warnings.places.activity(index);
    let name = &activity.activity_type.name;
    let works = entry.has("start_to_close_timeout") || entry.has("timeout");
    let (heartbeat, all) =
        (entry.at_key("heartbeat_timeout"), entry.at_key("schedule_to_close_timeout"));
    let says_heartbeat = entry.has("heartbeat_timeout");
    let says_all = entry.has("schedule_to_close_timeout");
    let says_wait = entry.has("schedule_to_start_timeout");
    let Timeout::Seconds(work) = activity.start_to_close_timeout else { return };
    if let Timeout::Seconds(beat) = activity.heartbeat_timeout
        && beat > work
        && says_heartbeat
        && works
    {
        let message = format!(
            "`heartbeat_timeout` of `{name}` is {beat} seconds, but `start_to_close_timeout` \
             ends it after {work}"
        );
        warnings.add("times", heartbeat, message, format!("at most {work}, or leave it out"));
    }
    let Timeout::Seconds(longest) = activity.schedule_to_close_timeout else { return };
    if !says_all {
        return;
    }
    if longest < work && works {
        let message = format!(
            "`schedule_to_close_timeout` of `{name}` is {longest} seconds, less than \
             `start_to_close_timeout`, {work}, which never passes"
        );
        warnings.add("times", all, message, format!("at least {work}, with the wait for a worker"));
    }
    if let Timeout::Seconds(wait) = activity.schedule_to_start_timeout
        && longest < wait
        && says_wait
    {
        let message = format!(
            "`schedule_to_close_timeout` of `{name}` is {longest} seconds, less than \
             `schedule_to_start_timeout`, {wait}, which never passes"
        );
        warnings.add("times", all, message, None);
    }
}

/// A step that may take longer than the whole execution.
fn step_times(warnings: &mut Warnings<'_>, index: usize, limit: u32) {
    let plan = warnings.plan;
    let Some(step) = plan.steps.get(index) else { return };
    let entry = warnings.places.step(plan, index);
    let name = &step.name;
    let (seconds, at, what) = match &step.work {
        StepWork::Wait { seconds } => (Some(*seconds), entry.at_key("wait"), "waits"),
        StepWork::Signal { timeout, .. } => (*timeout, entry.at_key("timeout"), "waits for up to"),
        StepWork::Child { timeout, .. } => (*timeout, entry.at_key("timeout"), "may take"),
        StepWork::Activity { activity, .. } => {
            let of = warnings.places.activity(*activity);
            let written = of.has("start_to_close_timeout") || of.has("timeout");
            let timeout = plan.activities.get(*activity).map(|a| a.start_to_close_timeout);
            let seconds = match timeout {
                Some(Timeout::Seconds(seconds)) if written => Some(seconds),
                _ => None,
            };
            (seconds, entry.at_key("activity"), "may take")
        }
        StepWork::Eval(_) => return,
    };
    let once = u64::from(seconds.unwrap_or(0));
    let hint = "`default_execution_start_to_close_timeout` is how long an execution may last";
    if once > u64::from(limit) {
        let message = format!(
            "the step `{name}` {what} {once} seconds, but the execution ends after {limit}"
        );
        return warnings.add("times", at, message, hint.to_owned());
    }
    let Some(retry) = &step.retry else { return };
    let all = once * u64::from(retry.max_attempts) + waits(retry);
    if all > u64::from(limit) {
        let attempts = retry.max_attempts;
        let own = entry.has("retry");
        let at = match step.work {
            StepWork::Activity { activity, .. } if !own => {
                warnings.places.activity(activity).at_key("retry")
            }
            _ => entry.at_key("retry"),
        };
        let message = format!(
            "the {attempts} attempts of the step `{name}` and the waits between them may take \
             {all} seconds, but the execution ends after {limit}"
        );
        warnings.add("retries", at, message, hint.to_owned());
    }
}

/// Seconds of all waits between attempts, at their longest.
fn waits(retry: &Retry) -> u64 {
    let mut wait = retry.backoff.as_secs_f64();
    let longest = retry.max_backoff.as_secs_f64();
    let mut all = 0.0;
    for _ in 1..retry.max_attempts {
        all += (wait.min(longest) * (1.0 + retry.jitter)).ceil().max(1.0);
        wait *= retry.factor;
    }
    // The conversion saturates.
    all as u64
}
