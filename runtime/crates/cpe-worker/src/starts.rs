//! How executions began: when, and with which versions of modules. An activity task tells neither,
//! so it is kept where it passes by, and read from the history where it did not.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cpe_modules::LockId;
use cpe_ports::{Error, ErrorKind};
use cpe_swf::{
    EventAttributes, HistoryEvent, RunId, Timestamp, WorkflowExecution,
    api::GetWorkflowExecutionHistoryRequest,
};
use lru::LruCache;

use crate::{Worker, backoff::retrying, executions::history_of};

/// What the tag of an execution begins with that tells which versions of modules it began with.
/// `cpe_plan` hands it down to children.
pub const MODULES_TAG: &str = "modules:";

const KEPT: NonZeroUsize = NonZeroUsize::new(16_384).expect("is not zero");
const PATIENCE: Duration = Duration::from_secs(20);

/// How one run began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) at: Timestamp,
    pub(crate) lock: Option<LockId>,
}

/// The runs that passed by last.
#[derive(Debug)]
pub struct Starts(Mutex<LruCache<RunId, Start>>);

impl Default for Starts {
    fn default() -> Self {
        Self(Mutex::new(LruCache::sparse(KEPT)))
    }
}

impl Starts {
    pub(crate) fn keep(&self, run: RunId, start: Start) {
        self.lock().put(run, start);
    }

    /// Of a history's first event, if it is that.
    pub(crate) fn keep_event(&self, run: &RunId, first: &HistoryEvent) -> Option<Start> {
        let EventAttributes::WorkflowExecutionStarted(started) = &*first.attributes else {
            return None;
        };
        let lock = started.tag_list.iter().find_map(|tag| tag.strip_prefix(MODULES_TAG));
        // A tag of somebody else's making is none.
        let lock = lock.and_then(|lock| lock.parse().ok());
        let start = Start { at: first.event_timestamp, lock };
        self.keep(run.clone(), start.clone());
        Some(start)
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<RunId, Start>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How an execution began.
pub(crate) async fn start_of(
    worker: &Worker,
    execution: &WorkflowExecution,
) -> Result<Start, Error> {
    if let Some(start) = worker.starts.lock().get(&execution.run_id) {
        return Ok(start.clone());
    }
    first_event(worker, execution, PATIENCE)
        .await?
        .as_ref()
        .and_then(|first| worker.starts.keep_event(&execution.run_id, first))
        .ok_or_else(|| Error::new(ErrorKind::Broken, "the history does not begin with a start"))
}

/// The event that a run's history begins with, and again while that may help.
pub(crate) async fn first_event(
    worker: &Worker,
    execution: &WorkflowExecution,
    patience: Duration,
) -> Result<Option<HistoryEvent>, Error> {
    let request = GetWorkflowExecutionHistoryRequest {
        maximum_page_size: Some(1),
        ..history_of(worker, execution, None)
    };
    let read = || worker.ports.workflows.get_workflow_execution_history(request.clone());
    let history = retrying(worker.backoff, patience, read).await?;
    Ok(history.events.into_iter().next())
}
