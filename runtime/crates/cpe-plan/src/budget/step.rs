//! What one item of a step takes, or the step where it has no list.

use cpe_swf::Timeout;

use super::{BudgetInput, CHILDREN, HEARTBEATS, HISTORIES, REQUESTS, SIGNALS};
use crate::model::{Plan, Step, StepWork};

/// What is counted; one of them may be several requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Call {
    Start,
    Decision,
    Activity,
    Heartbeat,
    Timer,
    Signal,
    Child,
    History,
}

impl Call {
    /// With what an account may send of each in a second.
    pub(super) fn operations(self) -> &'static [(&'static str, u64)] {
        match self {
            Self::Start => &[("StartWorkflowExecution", REQUESTS)],
            Self::Decision => {
                &[("PollForDecisionTask", REQUESTS), ("RespondDecisionTaskCompleted", REQUESTS)]
            }
            Self::Activity => &[
                ("ScheduleActivityTask", REQUESTS),
                ("PollForActivityTask", REQUESTS),
                ("RespondActivityTaskCompleted", REQUESTS),
            ],
            Self::Heartbeat => &[("RecordActivityTaskHeartbeat", HEARTBEATS)],
            Self::Timer => &[("StartTimer", REQUESTS)],
            Self::Signal => &[("SignalWorkflowExecution", SIGNALS)],
            Self::Child => &[("StartChildWorkflowExecution", CHILDREN)],
            Self::History => &[("GetWorkflowExecutionHistory", HISTORIES)],
        }
    }
}

#[derive(Debug)]
pub(super) struct Cost {
    pub(super) events: u64,
    pub(super) calls: Vec<(Call, u64)>,
}

/// Events of a decision: scheduled, started, completed.
const DECISION: u64 = 3;
/// Events of what SWF runs, and of a timer.
const RUNS: u64 = 3;
const TIMER: u64 = 2;

pub(super) fn cost(plan: &Plan, step: &Step, input: &BudgetInput) -> Cost {
    let attempts = u64::from(step.retry.as_ref().map_or(1, |retry| retry.max_attempts));
    let waits = attempts - 1;
    match &step.work {
        StepWork::Activity { activity, .. } => Cost {
            events: attempts * (RUNS + DECISION) + waits * (TIMER + DECISION),
            calls: vec![
                (Call::Activity, attempts),
                (Call::Timer, waits),
                (Call::Decision, attempts + waits),
                (Call::Heartbeat, attempts * heartbeats(plan, *activity, input)),
            ],
        },
        // That a child has begun is decided upon as well.
        StepWork::Child { .. } => Cost {
            events: attempts * (RUNS + 2 * DECISION) + waits * (TIMER + DECISION),
            calls: vec![
                (Call::Child, attempts),
                (Call::Timer, waits),
                (Call::Decision, 2 * attempts + waits),
            ],
        },
        StepWork::Wait { .. } => {
            Cost { events: TIMER + DECISION, calls: vec![(Call::Timer, 1), (Call::Decision, 1)] }
        }
        StepWork::Signal { timeout, .. } => {
            let timers = u64::from(timeout.is_some());
            Cost {
                events: 1 + timers * TIMER + DECISION,
                calls: vec![(Call::Signal, 1), (Call::Timer, timers), (Call::Decision, 1)],
            }
        }
        StepWork::Eval(_) => Cost { events: 0, calls: Vec::new() },
    }
}

/// A worker sends three in each heartbeat timeout.
fn heartbeats(plan: &Plan, activity: usize, input: &BudgetInput) -> u64 {
    let Some(activity) = plan.activities.get(activity) else { return 0 };
    let Timeout::Seconds(every) = activity.heartbeat_timeout else { return 0 };
    let seconds = match activity.start_to_close_timeout {
        Timeout::Seconds(longest) => input.seconds.min(u64::from(longest)),
        Timeout::None => input.seconds,
    };
    seconds.saturating_mul(3) / u64::from(every).max(1)
}

/// The key of a step that says how much it does.
pub(super) fn key(step: &Step) -> String {
    let list = match step.section {
        crate::model::Section::Main => "steps",
        crate::model::Section::OnFailure => "on_failure",
        crate::model::Section::Finally => "finally",
    };
    let key = match (&step.work, &step.foreach, &step.retry) {
        (_, Some(_), _) => "foreach",
        (_, _, Some(retry)) if retry.max_attempts > 1 => "retry",
        (StepWork::Activity { .. }, ..) => "activity",
        (StepWork::Child { .. }, ..) => "plan",
        (StepWork::Wait { .. }, ..) => "wait",
        (StepWork::Signal { .. }, ..) => "signal",
        (StepWork::Eval(_), ..) => "eval",
    };
    format!("{list}.{}.{key}", step.name)
}
