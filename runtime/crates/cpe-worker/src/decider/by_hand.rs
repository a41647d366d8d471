//! Decision tasks one at a time, when they are asked for: whoever moves time by hand has to know
//! that nothing is left to decide. For tests of plans.

use std::{fmt, sync::Arc};

use cpe_plan::{Plan, RunState};
use cpe_ports::{Error, ErrorKind};
use cpe_swf::WorkflowExecution;

use super::Decider;

/// Looks on: hears of each state that decisions are made of.
pub trait Watch: fmt::Debug + Send + Sync + 'static {
    fn decided(&self, execution: &WorkflowExecution, plan: &Plan, state: &RunState);
}

impl Decider {
    #[must_use]
    pub fn watched_by(self, watch: Arc<dyn Watch>) -> Self {
        Self { watch: Some(watch), ..self }
    }

    /// Polls once, and decides what was found; answers whether there was anything.
    ///
    /// # Errors
    ///
    /// Whatever would leave the decision task to its timeout.
    pub async fn decide_next(&self) -> Result<bool, Error> {
        let workflows = &self.worker.ports.workflows;
        let Some(task) = workflows.poll_for_decision_task(self.request()).await? else {
            return Ok(false);
        };
        match self.decide(task).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
            decided => decided.map(|()| true),
        }
    }
}
