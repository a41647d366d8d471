//! The events of one job, put in order. Pure: it is told what time it is.
//!
//! Queues keep no order, and `seq` has holes where nothing is told, so that a missing event does
//! not show in the numbers. So every event waits a moment for those that it may have overtaken
//! (`settle`), and one that must come after something that was not heard waits longer
//! (`patience`). Each execution of a job, its own and its children's, counts for itself.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    num::NonZeroUsize,
    time::Duration,
};

use cpe_swf::{ActivityId, WorkflowId};
use lru::LruCache;
use tokio::time::Instant;

use crate::event::{Event, EventKind, Order};

/// Executions of a job that are remembered: its own, and children with something to wait for.
const MAX_LANES: usize = 4_096;
/// Event ids that are remembered of one job: more than SWF lets a run have events.
const SEEN: NonZeroUsize = NonZeroUsize::new(32_768).expect("is not zero");

/// How long what there was no room for may take to come again: four times SQS's usual visibility
/// timeout.
const AGAIN: Duration = Duration::from_secs(120);
/// Events without room that are remembered.
const MAX_REFUSED: usize = 16_384;

/// How long to wait, and for how much.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) settle: Duration,
    pub(crate) patience: Duration,
    /// Events that are kept.
    pub(crate) capacity: usize,
}

/// What became of an event that was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offered {
    Kept,
    /// It is here, or was.
    Known,
    /// There is no room: offer it later.
    Full,
}

/// What comes next.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    Event(Box<Event>),
    /// Nothing before then; for nobody knows how long, if `None`.
    Wait(Option<Instant>),
    /// The job's last event was handed over.
    Over,
}

#[derive(Debug)]
pub(crate) struct Sequencer {
    limits: Limits,
    /// Whether it hears the job from its beginning.
    whole: bool,
    scheduled: bool,
    started: bool,
    over: bool,
    seen: LruCache<String, ()>,
    kept: usize,
    lanes: HashMap<WorkflowId, Lane>,
}

/// One execution.
#[derive(Debug, Default)]
struct Lane {
    of_job: bool,
    waiting: BTreeMap<Place, Waiting>,
    /// What there was no room for, and when: the queue will bring it again.
    refused: BTreeMap<(i64, String), Instant>,
    /// The greatest number that was handed over.
    last: i64,
    /// Activity tasks that run, and how much progress of each was handed over.
    open: HashMap<ActivityId, u64>,
    ended: HashSet<ActivityId>,
}

#[derive(Debug)]
struct Waiting {
    event: Event,
    since: Instant,
}

/// Where an event belongs. The last event of a job is the last, whatever number it has: SWF may
/// have refused an ending that was told already.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    terminal: bool,
    seq: i64,
    /// Of events with one number.
    rank: u8,
    count: u64,
    event_id: String,
}

impl Place {
    fn of(event: &Event) -> Self {
        let (rank, count) = match &event.kind {
            EventKind::Delayed(_) => (0, 0),
            EventKind::ActivityScheduled { .. } => (2, 0),
            EventKind::ActivityStarted(_) => (3, 0),
            EventKind::ActivityProgress { count, .. } => (4, *count),
            _ => (1, 0),
        };
        let (terminal, seq) = (event.is_terminal(), event.seq);
        Self { terminal, seq, rank, count, event_id: event.event_id.clone() }
    }
}

impl Lane {
    /// Whether something that comes before it had no room, and may still come again.
    fn refuses_before(&mut self, place: &Place, now: Instant) -> bool {
        while let Some(first) = self.refused.first_entry() {
            if now.duration_since(*first.get()) < AGAIN {
                let (seq, id) = first.key();
                return (*seq < place.seq || place.terminal) && *id != place.event_id;
            }
            first.remove();
        }
        false
    }

    /// Whether what it should have come before has been handed over.
    fn is_past(&self, place: &Place, event: &Event) -> bool {
        match &event.kind {
            // It has the number of its activity task's start, however late it is made.
            EventKind::ActivityProgress { activity, count, .. } => {
                let id = &activity.activity_id;
                self.ended.contains(id) || self.open.get(id).is_some_and(|last| count <= last)
            }
            _ => !place.terminal && place.seq < self.last,
        }
    }

    /// Whether nothing can be between it and what was handed over.
    fn is_next(&self, place: &Place, event: &Event) -> bool {
        match &event.kind {
            EventKind::ActivityProgress { activity, count, .. } => {
                let last = self.open.get(&activity.activity_id).copied().unwrap_or(0);
                *count <= last.saturating_add(1)
            }
            _ => !place.terminal && place.seq <= self.last.saturating_add(1),
        }
    }

    /// Remembers what is handed over.
    fn note(&mut self, event: &Event) {
        match &event.kind {
            EventKind::ActivityProgress { activity, count, .. } => {
                if let Some(last) = self.open.get_mut(&activity.activity_id) {
                    *last = (*last).max(*count);
                }
                return;
            }
            EventKind::ActivityScheduled { activity, .. }
            | EventKind::ActivityStarted(activity)
                if !self.ended.contains(&activity.activity_id) =>
            {
                self.open.entry(activity.activity_id.clone()).or_insert(0);
            }
            EventKind::ActivityCompleted { activity, .. }
            | EventKind::ActivityFailed { activity, .. }
            | EventKind::ActivityTimeout { activity, .. }
            | EventKind::ActivityCanceled { activity, .. } => {
                self.open.remove(&activity.activity_id);
                self.ended.insert(activity.activity_id.clone());
            }
            _ => {}
        }
        self.last = self.last.max(event.seq);
    }
}

impl Sequencer {
    /// `whole` where the job is about to be started, so that everything of it is heard.
    pub(crate) fn new(limits: Limits, whole: bool) -> Self {
        Self {
            limits,
            whole,
            scheduled: false,
            started: false,
            over: false,
            seen: LruCache::sparse(SEEN),
            kept: 0,
            lanes: HashMap::new(),
        }
    }

    /// The job turned out to have begun before.
    pub(crate) fn joined_late(&mut self) {
        self.whole = false;
    }

    pub(crate) fn offer(&mut self, event: Event, now: Instant) -> Offered {
        if self.over || self.seen.contains(&event.event_id) {
            return Offered::Known;
        }
        self.forget_idle_lanes();
        let id = event.execution.as_ref().map(|execution| execution.workflow_id.clone());
        let lane = self.lanes.entry(id.unwrap_or_else(|| "".into())).or_default();
        let place = Place::of(&event);
        let first = lane.waiting.first_key_value().map(|(first, _)| first);
        let full = self.kept >= self.limits.capacity;
        // One that others wait for is let in, and none that would go before one without room.
        let wanted = first.is_some_and(|first| place < *first);
        let most = self.limits.capacity.saturating_mul(2);
        if full && !wanted || self.kept >= most || lane.refuses_before(&place, now) {
            if lane.refused.len() < MAX_REFUSED {
                lane.refused.insert((event.seq, event.event_id), now);
            }
            return Offered::Full;
        }
        lane.refused.remove(&(event.seq, event.event_id.clone()));
        self.seen.put(event.event_id.clone(), ());
        self.kept += 1;
        lane.of_job = event.is_of_job();
        lane.waiting.insert(place, Waiting { event, since: now });
        Offered::Kept
    }

    /// The next event, if it may go.
    pub(crate) fn next(&mut self, now: Instant) -> Next {
        if self.over {
            return Next::Over;
        }
        let mut until: Option<Instant> = None;
        let mut ready = None;
        for (id, lane) in &self.lanes {
            let Some((place, first)) = lane.waiting.first_key_value() else { continue };
            let (wait, order) = self.wait(lane, place, &first.event);
            let at = first.since + wait;
            if at > now {
                until = Some(until.map_or(at, |until| until.min(at)));
                continue;
            }
            // The end of a job comes after what its children have told.
            let sooner = ready.as_ref().is_none_or(|(_, best, _): &(_, Place, _)| place < best);
            if sooner {
                ready = Some((id.clone(), place.clone(), order));
            }
        }
        match ready {
            Some((id, place, order)) if !place.terminal || until.is_none() => {
                self.hand_over(&id, &place, order).map_or(Next::Wait(until), Next::Event)
            }
            _ => Next::Wait(until),
        }
    }

    /// For how long an event has to wait after it came, and how it will then stand to the others.
    fn wait(&self, lane: &Lane, place: &Place, event: &Event) -> (Duration, Order) {
        let Limits { settle, patience, .. } = self.limits;
        if lane.is_past(place, event) {
            return (Duration::ZERO, Order::Late);
        }
        if self.lacks(lane, event) {
            return (patience, Order::AfterGap);
        }
        let wait = if lane.is_next(place, event) { Duration::ZERO } else { settle };
        (wait, Order::Kept)
    }

    /// Whether something must have happened before that was not heard.
    fn lacks(&self, lane: &Lane, event: &Event) -> bool {
        let of_start = matches!(
            event.kind,
            EventKind::Scheduled { .. } | EventKind::Delayed(_) | EventKind::Rejected(_)
        );
        if of_start {
            return false;
        }
        let started = matches!(event.kind, EventKind::JobStarted);
        if self.whole && lane.of_job && !(self.scheduled && (self.started || started)) {
            return true;
        }
        match &event.kind {
            EventKind::ActivityScheduled { .. } => false,
            // SWF ends an execution whatever runs.
            EventKind::JobFailed(failure) => {
                !matches!(failure.reason.as_str(), "cpe.timeout.execution" | "cpe.terminated")
                    && !lane.open.is_empty()
            }
            EventKind::JobCompleted { .. } | EventKind::JobCanceled(_) => !lane.open.is_empty(),
            _ => event.activity().is_some_and(|activity| {
                self.whole && !lane.open.contains_key(&activity.activity_id)
            }),
        }
    }

    fn hand_over(&mut self, id: &WorkflowId, place: &Place, order: Order) -> Option<Box<Event>> {
        let lane = self.lanes.get_mut(id)?;
        let Waiting { mut event, .. } = lane.waiting.remove(place)?;
        event.order = order;
        self.kept -= 1;
        lane.note(&event);
        match &event.kind {
            EventKind::Scheduled { .. } => self.scheduled = true,
            EventKind::JobStarted => self.started = true,
            _ => {}
        }
        self.over = event.is_terminal();
        Some(Box::new(event))
    }

    /// The ids of what is kept still: it will not be handed over.
    pub(crate) fn leave(&mut self) -> Vec<String> {
        self.over = true;
        let lanes = std::mem::take(&mut self.lanes);
        let waiting = lanes.into_values().flat_map(|lane| lane.waiting.into_values());
        waiting.map(|waiting| waiting.event.event_id).collect()
    }

    fn forget_idle_lanes(&mut self) {
        if self.lanes.len() >= MAX_LANES {
            self.lanes.retain(|_, lane| {
                lane.of_job
                    || !lane.waiting.is_empty()
                    || !lane.refused.is_empty()
                    || !lane.open.is_empty()
            });
        }
    }
}

#[cfg(test)]
mod tests;
