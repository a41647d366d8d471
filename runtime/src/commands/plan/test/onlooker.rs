//! Looks on while the tested execution is decided: what its steps come to, and in which order
//! they begin.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cpe_plan::{Plan, RunState, StepFailure, StepStatus};
use cpe_swf::{WorkflowExecution, WorkflowId};
use cpe_worker::Watch;
use serde_json::Value;

#[derive(Debug, Clone)]
pub(super) struct Onlooker {
    root: WorkflowId,
    seen: Arc<Mutex<Seen>>,
}

/// By position in the plan.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub(super) steps: Vec<SeenStep>,
    /// Those that began, in their order.
    pub(super) began: Vec<usize>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct SeenStep {
    pub(super) status: StepStatus,
    pub(super) output: Option<Value>,
    pub(super) failure: Option<StepFailure>,
}

impl Onlooker {
    pub(super) fn new(root: WorkflowId) -> Self {
        Self { root, seen: Arc::default() }
    }

    pub(super) fn seen(&self) -> Seen {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch for Onlooker {
    fn decided(&self, execution: &WorkflowExecution, plan: &Plan, state: &RunState) {
        if execution.workflow_id == self.root {
            self.lock().look(plan, state);
        }
    }
}

impl Seen {
    fn look(&mut self, plan: &Plan, state: &RunState) {
        self.steps.resize_with(plan.steps.len(), SeenStep::default);
        let mut begun = Vec::new();
        for (index, step) in self.steps.iter_mut().enumerate() {
            let status = state.step_status(index);
            if status == step.status {
                continue;
            }
            if step.status == StepStatus::Pending && status != StepStatus::Skipped {
                begun.push(index);
            }
            step.status = status;
            if status.has_ended() {
                step.output = state.step_output(index);
                step.failure = state.step_failure(index).cloned();
            }
        }
        in_order(plan, &mut begun);
        self.began.extend(begun);
    }
}

/// What began at the same moment: each after what it requires, otherwise as in the plan.
fn in_order(plan: &Plan, begun: &mut Vec<usize>) {
    let mut left = std::mem::take(begun);
    while !left.is_empty() {
        let free = left.iter().position(|index| {
            let requires = plan.steps.get(*index).map(|step| step.requires.as_slice());
            !requires.unwrap_or_default().iter().any(|requires| left.contains(&requires.step))
        });
        begun.push(left.remove(free.unwrap_or(0)));
    }
}
