//! What is kept of runs between their decision tasks, so that only new events are read and
//! applied. Everything here can be lost: it follows from the history.

use std::{num::NonZeroUsize, sync::Arc};

use cpe_plan::{Plan, RunState};
use cpe_protocol::JobRef;
use cpe_swf::{EventAttributes, HistoryEvent, RunId, WorkflowExecution};
use lru::LruCache;

use super::{
    FOLD_AT_A_TIME,
    narrator::{Fact, Narrator},
    sequence,
};

const MAX_RUNS: NonZeroUsize = NonZeroUsize::new(2_000).expect("is not zero");
/// Characters of the inputs and results that were applied, over all runs.
const MAX_WEIGHT: usize = 256 << 20;
/// The same, of one run: with more it fails, before it harms those beside it.
const MAX_RUN_WEIGHT: usize = 512 << 20;

/// One run, followed event by event.
#[derive(Debug)]
pub(super) struct Follow {
    plan: Arc<Plan>,
    pub(super) state: RunState,
    narrator: Narrator,
    /// After which number the events of this run come.
    pub(super) base: i64,
    weight: usize,
}

impl Follow {
    pub(super) fn new(plan: Arc<Plan>, execution: &WorkflowExecution) -> Self {
        let weight = plan.steps.len() * 256;
        let state = RunState::of_execution(execution.clone());
        // Texts of no job have no place to stand but SWF itself.
        let of_job = JobRef::owner_of(&execution.workflow_id).is_ok();
        let state = if of_job { state.by_reference() } else { state };
        Self { plan, state, narrator: Narrator::default(), base: 0, weight }
    }

    /// Whether its texts are more than one run may have.
    pub(super) fn is_too_heavy(&self) -> bool {
        self.weight > MAX_RUN_WEIGHT
    }

    /// What it is followed by.
    pub(super) fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Applies the events that were not applied before. Of those that came after the last
    /// answered decision task, answers what a client hears: earlier ones it has heard already.
    pub(super) async fn apply(&mut self, events: &[HistoryEvent]) -> Vec<Fact> {
        let plan = Arc::clone(&self.plan);
        let answered = events.iter().rev().find_map(|event| match &*event.attributes {
            EventAttributes::DecisionTaskCompleted(completed) => Some(completed.started_event_id),
            _ => None,
        });
        let answered = answered.unwrap_or_default();
        let mut facts = Vec::new();
        for (index, event) in events.iter().enumerate() {
            if index % FOLD_AT_A_TIME == FOLD_AT_A_TIME - 1 {
                tokio::task::yield_now().await;
            }
            if event.event_id <= self.state.last_event() {
                continue;
            }
            if let Some(base) = sequence::base_of_start(event) {
                self.base = base;
            }
            self.state.apply(&plan, event);
            self.weight += weight(event);
            let fact = self.narrator.apply(&plan, event);
            facts.extend(fact.filter(|_| event.event_id > answered));
        }
        facts
    }
}

/// The runs that were decided last.
#[derive(Debug)]
pub(super) struct RunCache {
    runs: LruCache<RunId, Follow>,
    weight: usize,
}

impl Default for RunCache {
    fn default() -> Self {
        Self { runs: LruCache::sparse(MAX_RUNS), weight: 0 }
    }
}

impl RunCache {
    /// Takes a run out: whoever decides has it alone.
    pub(super) fn take(&mut self, run: &RunId) -> Option<Follow> {
        let follow = self.runs.pop(run)?;
        self.weight = self.weight.saturating_sub(follow.weight);
        Some(follow)
    }

    pub(super) fn put(&mut self, run: RunId, follow: Follow) {
        self.weight += follow.weight;
        if let Some((_, evicted)) = self.runs.push(run, follow) {
            self.weight = self.weight.saturating_sub(evicted.weight);
        }
        while self.weight > MAX_WEIGHT
            && let Some((_, evicted)) = self.runs.pop_lru()
        {
            self.weight = self.weight.saturating_sub(evicted.weight);
        }
    }
}

/// Whether all that the event says was decided here.
pub(super) fn is_of_decision(event: &EventAttributes) -> bool {
    matches!(
        event,
        EventAttributes::ActivityTaskScheduled(_)
            | EventAttributes::StartChildWorkflowExecutionInitiated(_)
    )
}

/// About what an event adds to the state.
fn weight(event: &HistoryEvent) -> usize {
    // What is scheduled was rendered before, and is dropped from now on.
    let text = event.attributes.payload().filter(|_| !is_of_decision(&event.attributes));
    // Parsed JSON takes several times its text.
    text.map_or(0, str::len) * 4 + 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::plan;

    fn execution() -> WorkflowExecution {
        WorkflowExecution { workflow_id: "c.j".into(), run_id: "r".into() }
    }

    #[test]
    fn the_cache_is_bounded_by_weight() {
        let plan = plan();
        let mut cache = RunCache::default();
        let heavy = |weight| Follow { weight, ..Follow::new(Arc::clone(&plan), &execution()) };
        cache.put("a".into(), heavy(MAX_WEIGHT / 2));
        cache.put("b".into(), heavy(MAX_WEIGHT / 2));
        cache.put("c".into(), heavy(MAX_WEIGHT / 2));
        assert!(cache.take(&"a".into()).is_none());
        assert!(cache.take(&"b".into()).is_some());
        assert!(cache.take(&"c".into()).is_some());
        assert_eq!(cache.weight, 0);
    }
}
