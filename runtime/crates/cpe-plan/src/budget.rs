//! What executions of a plan take of SWF, at their worst: events, open activity tasks, requests.
//!
//! Counted per attempt as SWF writes them: an activity task is three events, and the decision
//! that follows is three more. Nothing here is exact to the event; it is what a plan can come to.

mod load;
mod step;

use std::collections::BTreeMap;

use serde::Serialize;

pub(crate) use self::load::Load;
use self::step::{Call, cost};
use crate::model::Plan;

/// Requests of most kinds that an account may send in a second.
pub(crate) const REQUESTS: u64 = 200;
/// `RecordActivityTaskHeartbeat` in a second.
pub(crate) const HEARTBEATS: u64 = 160;
/// `StartChildWorkflowExecution` in a second.
pub(crate) const CHILDREN: u64 = 12;
/// `GetWorkflowExecutionHistory` in a second.
const HISTORIES: u64 = 60;
/// `SignalWorkflowExecution` in a second.
const SIGNALS: u64 = 30;
/// Events from which on a run is continued by a new one.
const RUN: u64 = 8_000;
/// Of the start, the first decision and the close of a run.
const RUN_ITSELF: u64 = 5;
/// Of an open activity task: its start, its end, and the decision after it.
const OPEN: u64 = 5;
/// Events of one page.
const PAGE: u64 = 1_000;

/// What a plan does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetInput {
    /// Items of each list that depends on the job.
    pub items: u64,
    /// Seconds that an activity task runs.
    pub seconds: u64,
}

impl Default for BudgetInput {
    fn default() -> Self {
        Self { items: 100, seconds: 60 }
    }
}

/// What one execution takes at its worst.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Budget {
    /// Of all runs together.
    pub events: u64,
    /// Of the longest run.
    pub events_per_run: u64,
    /// The first one included.
    pub runs: u64,
    /// Open at a time, at most; the decider keeps to SWF's 1,000.
    pub open_activity_tasks: u64,
    /// As for activity tasks.
    pub open_children: u64,
    /// Each step that costs something, in the order of the plan.
    pub steps: Vec<StepBudget>,
    /// Requests by operation, those first that limit the number of executions most.
    pub calls: Vec<CallBudget>,
}

/// What one step takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepBudget {
    /// Its name.
    pub step: String,
    /// Of its list, if it has one.
    pub items: Option<u64>,
    /// Whether that number is assumed, since the list depends on the job.
    pub assumed: bool,
    /// Of one item, or of the step; with all attempts.
    pub events_per_item: u64,
    /// How many items one run has room for.
    pub items_per_run: Option<u64>,
    /// Altogether.
    pub events: u64,
}

/// What all executions of an account share.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CallBudget {
    /// SWF's name of the request or decision.
    pub operation: &'static str,
    /// Of one execution.
    pub calls: u64,
    /// That SWF takes of an account.
    pub per_second: u64,
    /// How many executions of this plan can begin in a second, as far as this operation goes.
    pub executions_per_second: f64,
    /// What in the plan causes most of them, such as `steps.Each.foreach`.
    pub key: String,
}

impl Budget {
    /// The operation that limits how many executions an account carries.
    pub fn limiting(&self) -> Option<&CallBudget> {
        self.calls.first()
    }
}

impl Plan {
    /// What one execution takes of SWF at its worst: with all attempts, and all lists of steps.
    pub fn budget(&self, input: &BudgetInput) -> Budget {
        let load = Load::of(self);
        let mut steps = Vec::new();
        let mut sums = Sums::default();
        let mut events = RUN_ITSELF;
        for step in &self.steps {
            let one = cost(self, step, input);
            let known = step.foreach.as_ref().map(|each| load::items(self, each));
            let items = known.map(|known| known.unwrap_or(input.items));
            let times = items.unwrap_or(1);
            let all = one.events.saturating_mul(times);
            events = events.saturating_add(all);
            for (call, count) in one.calls {
                sums.add(call, count.saturating_mul(times), || step::key(step));
            }
            if one.events > 0 {
                steps.push(StepBudget {
                    step: step.name.clone(),
                    items,
                    assumed: known == Some(None),
                    events_per_item: one.events,
                    items_per_run: items.map(|_| (RUN - RUN_ITSELF) / one.events),
                    events: all,
                });
            }
        }
        let runs = events.div_ceil(RUN).max(1);
        let open = load.activities.open.saturating_add(load.children.open).min(2_000);
        let events_per_run = events.min(RUN.saturating_add(open.saturating_mul(OPEN)));
        let of_runs = || "name".to_owned();
        sums.add(Call::Start, 1, of_runs);
        sums.add(Call::Decision, runs, of_runs);
        let pages = events_per_run.div_ceil(PAGE).saturating_mul(runs);
        sums.add(Call::History, pages, of_runs);
        Budget {
            events: events.saturating_add((runs - 1).saturating_mul(RUN_ITSELF)),
            events_per_run,
            runs,
            open_activity_tasks: load.activities.open,
            open_children: load.children.open,
            steps,
            calls: sums.into_calls(),
        }
    }
}

/// Requests so far, and what causes most of each.
#[derive(Debug, Default)]
struct Sums(BTreeMap<Call, (u64, u64, String)>);

impl Sums {
    fn add(&mut self, call: Call, count: u64, key: impl FnOnce() -> String) {
        if count == 0 {
            return;
        }
        let (sum, most, cause) = self.0.entry(call).or_default();
        *sum = sum.saturating_add(count);
        if count > *most {
            *most = count;
            *cause = key();
        }
    }

    fn into_calls(self) -> Vec<CallBudget> {
        let mut calls: Vec<CallBudget> = Vec::new();
        for (call, (count, _, key)) in self.0 {
            for (operation, per_second) in call.operations() {
                calls.push(CallBudget {
                    operation,
                    calls: count,
                    per_second: *per_second,
                    executions_per_second: *per_second as f64 / count as f64,
                    key: key.clone(),
                });
            }
        }
        calls.sort_by(|a, b| a.executions_per_second.total_cmp(&b.executions_per_second));
        calls
    }
}

#[cfg(test)]
mod tests;
