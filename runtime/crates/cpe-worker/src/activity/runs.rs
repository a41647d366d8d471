//! What activity tasks of one run have in common: the numbers of their events, and how often the
//! job's client hears of progress.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use cpe_ports::Error;
use cpe_swf::{ActivityType, RunId, WorkflowExecution};
use lru::LruCache;
use tokio::{sync::OnceCell, time::Instant};
use tracing::warn;

use crate::{Plans, Worker, sequence, starts};

const KEPT: NonZeroUsize = NonZeroUsize::new(10_000).expect("is not zero");
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two events of progress of one job, whichever activity tasks they are of.
const BETWEEN: Duration = Duration::from_millis(250);

/// The runs whose activity tasks were here last.
#[derive(Debug)]
pub(super) struct Runs(Mutex<LruCache<RunId, Arc<Run>>>);

#[derive(Debug, Default)]
pub(super) struct Run {
    base: OnceCell<i64>,
    next: Mutex<Option<Instant>>,
}

impl Default for Runs {
    fn default() -> Self {
        Self(Mutex::new(LruCache::sparse(KEPT)))
    }
}

impl Runs {
    pub(super) fn of(&self, run: &RunId) -> Arc<Run> {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(runs.get_or_insert(run.clone(), Arc::default))
    }
}

impl Run {
    /// How long until it is the turn of an event of progress.
    pub(super) fn turn(&self) -> Duration {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let turn = next.unwrap_or(now).max(now);
        *next = Some(turn + BETWEEN);
        turn - now
    }

    /// After which number the run's events come. An activity task does not tell, so the run's
    /// first event is read, once, where the job can have had a run before this one.
    pub(super) async fn base(
        &self,
        worker: &Worker,
        execution: &WorkflowExecution,
        activity: &ActivityType,
    ) -> i64 {
        if !may_be_continued(&worker.plans, activity) {
            return 0;
        }
        let read = || read_base(worker, execution);
        match self.base.get_or_try_init(read).await {
            Ok(base) => *base,
            Err(error) => {
                let execution = &execution.workflow_id;
                warn!(%execution, %error, "Events of an activity may come out of order");
                0
            }
        }
    }
}

/// Only lists make histories long.
fn may_be_continued(plans: &Plans, activity: &ActivityType) -> bool {
    plans.iter().any(|plan| {
        plan.activity(activity).is_some() && plan.steps.iter().any(|step| step.foreach.is_some())
    })
}

async fn read_base(worker: &Worker, execution: &WorkflowExecution) -> Result<i64, Error> {
    let first = starts::first_event(worker, execution, PATIENCE).await?;
    Ok(first.as_ref().and_then(sequence::base_of_start).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_activities_of_a_run_take_turns() {
        let runs = Runs::default();
        let turn = |run: &str| runs.of(&run.into()).turn().as_millis();
        assert_eq!([turn("r"), turn("r"), turn("r"), turn("q")], [0, 250, 500, 0]);
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(turn("r"), 0);
    }
}
