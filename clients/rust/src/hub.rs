//! Who waits for what, and which messages may be deleted.
//!
//! A message is deleted once what it says was handed over: to each watcher of its job, or to the
//! command that it answers. Until then the queue keeps it, so that nothing is lost with this
//! process. Knows no queue.

use std::{
    collections::{HashMap, HashSet},
    num::NonZeroUsize,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use cpe_ports::ReceiptHandle;
use cpe_protocol::JobId;
use lru::LruCache;
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

use crate::{
    error::Error,
    event::{Answer, Event, EventKind},
    sequencer::{Limits, Next, Offered, Sequencer},
};

/// Facts that were handed over and whose duplicates are deleted.
const DONE: NonZeroUsize = NonZeroUsize::new(65_536).expect("is not zero");
/// Jobs that were watched to their ends: what still comes of them is deleted.
const ENDED: NonZeroUsize = NonZeroUsize::new(4_096).expect("is not zero");

/// What a message is to this client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// Somebody here takes it, or has taken it.
    Ours,
    /// There is no room for it now: the queue will bring it again.
    Later,
    /// Nobody here waits for it.
    Foreign,
}

#[derive(Debug)]
pub(crate) struct Hub {
    limits: Limits,
    /// What the requests of this client begin with.
    prefix: String,
    state: Mutex<State>,
    /// Something may be deleted.
    pub(crate) handed: Notify,
}

#[derive(Debug)]
struct State {
    next: u64,
    watches: HashMap<u64, Watch>,
    by_job: HashMap<JobId, Vec<u64>>,
    pending: HashMap<String, oneshot::Sender<Event>>,
    held: HashMap<String, Held>,
    done: LruCache<String, ()>,
    ended: LruCache<JobId, ()>,
    acks: Vec<ReceiptHandle>,
    failed: Option<Error>,
}

#[derive(Debug)]
struct Watch {
    job_id: JobId,
    /// The `START_JOB` that it began with.
    request: Option<String>,
    sequencer: Sequencer,
    waker: Option<Waker>,
}

/// The deliveries of one fact that some watcher keeps.
#[derive(Debug, Default)]
struct Held {
    /// By message: two deciders may have told it.
    receipts: HashMap<String, ReceiptHandle>,
    holders: HashSet<u64>,
    /// Whether somebody took it.
    taken: bool,
    /// Whether some watcher had no room for it.
    short: bool,
}

/// What a watcher hears next.
#[derive(Debug)]
pub(crate) enum Heard {
    Event(Box<Event>),
    Failed(Error),
    Wait(Option<Instant>),
    Over,
}

impl Hub {
    pub(crate) fn new(limits: Limits, prefix: String) -> Self {
        let state = State {
            next: 0,
            watches: HashMap::new(),
            by_job: HashMap::new(),
            pending: HashMap::new(),
            held: HashMap::new(),
            done: LruCache::sparse(DONE),
            ended: LruCache::sparse(ENDED),
            acks: Vec::new(),
            failed: None,
        };
        Self { limits, prefix, state: Mutex::new(state), handed: Notify::new() }
    }

    /// A request's own name, and where its answer will come.
    pub(crate) fn ask(&self) -> Result<(String, oneshot::Receiver<Event>), Error> {
        let mut state = self.state();
        if let Some(error) = &state.failed {
            return Err(error.clone());
        }
        state.next += 1;
        let request = format!("{}-{}", self.prefix, state.next);
        let (sender, receiver) = oneshot::channel();
        state.pending.insert(request.clone(), sender);
        Ok((request, receiver))
    }

    /// Nobody waits for the answer any more.
    pub(crate) fn forget(&self, request: &str) {
        self.state().pending.remove(request);
    }

    /// A watcher of a job; `request` is the `START_JOB` that begins it.
    pub(crate) fn watch(&self, job_id: &JobId, request: Option<String>) -> u64 {
        let mut state = self.state();
        state.next += 1;
        let id = state.next;
        let sequencer = Sequencer::new(self.limits, request.is_some());
        let watch = Watch { job_id: job_id.clone(), request, sequencer, waker: None };
        state.watches.insert(id, watch);
        state.by_job.entry(job_id.clone()).or_default().push(id);
        state.ended.pop(job_id);
        id
    }

    pub(crate) fn joined_late(&self, watch: u64) {
        if let Some(watch) = self.state().watches.get_mut(&watch) {
            watch.sequencer.joined_late();
        }
    }

    /// Gives a watcher an event that came with no message.
    pub(crate) fn offer(&self, id: u64, event: Event, now: Instant) {
        if let Some(watch) = self.state().watches.get_mut(&id) {
            watch.offer(event, now);
        }
    }

    /// Hands a message to those who wait for it.
    pub(crate) fn found(
        &self,
        message_id: &str,
        receipt: ReceiptHandle,
        event: Event,
        now: Instant,
    ) -> Found {
        let mut state = self.state();
        let found = state.found((message_id, &receipt), event, now, &self.prefix);
        if found == Found::Ours && !state.acks.is_empty() {
            self.handed.notify_one();
        }
        found
    }

    pub(crate) fn next(&self, id: u64, now: Instant, waker: &Waker) -> Heard {
        let mut state = self.state();
        let failed = state.failed.clone();
        let Some(watch) = state.watches.get_mut(&id) else { return Heard::Over };
        match watch.sequencer.next(now) {
            Next::Over => Heard::Over,
            Next::Wait(until) => match failed {
                // What is here already is handed over first.
                Some(error) if until.is_none() => {
                    watch.sequencer.leave();
                    Heard::Failed(error)
                }
                _ => {
                    watch.waker = Some(waker.clone());
                    Heard::Wait(until)
                }
            },
            Next::Event(event) => {
                let (over, job_id) = (event.is_terminal(), watch.job_id.clone());
                state.took(id, &event.event_id);
                if over {
                    state.ended.put(job_id, ());
                }
                if !state.acks.is_empty() {
                    self.handed.notify_one();
                }
                Heard::Event(event)
            }
        }
    }

    /// The watcher is gone. What it kept and nobody took stays in the queue.
    pub(crate) fn leave(&self, id: u64) {
        let mut state = self.state();
        let Some(mut watch) = state.watches.remove(&id) else { return };
        if let Some(others) = state.by_job.get_mut(&watch.job_id) {
            others.retain(|other| *other != id);
            if others.is_empty() {
                state.by_job.remove(&watch.job_id);
            }
        }
        for event_id in watch.sequencer.leave() {
            state.dropped(id, &event_id);
        }
        if !state.acks.is_empty() {
            self.handed.notify_one();
        }
    }

    /// What may be deleted, a batch at most.
    pub(crate) fn acks(&self, batch: usize) -> Vec<ReceiptHandle> {
        let mut state = self.state();
        let count = state.acks.len().min(batch);
        state.acks.drain(..count).collect()
    }

    /// Nothing more will be heard.
    pub(crate) fn fail(&self, error: Error) {
        let mut state = self.state();
        state.failed.get_or_insert(error);
        state.pending.clear();
        for watch in state.watches.values_mut() {
            watch.wake();
        }
    }

    pub(crate) fn failed(&self) -> Option<Error> {
        self.state().failed.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    fn offer(&mut self, event: Event, now: Instant) -> Offered {
        let offered = self.sequencer.offer(event, now);
        if offered == Offered::Kept {
            self.wake();
        }
        offered
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Whether it is of those that the job's watchers hear: facts, and what became of the start.
    fn hears(&self, event: &Event) -> bool {
        match &event.kind {
            EventKind::Answer(_) => false,
            EventKind::Delayed(_) | EventKind::Rejected(_) => {
                self.request.is_some() && self.request == event.request_id
            }
            _ => true,
        }
    }
}

impl State {
    fn found(
        &mut self,
        (message_id, receipt): (&str, &ReceiptHandle),
        event: Event,
        now: Instant,
        prefix: &str,
    ) -> Found {
        let event_id = event.event_id.clone();
        if self.done.contains(&event_id) {
            self.acks.push(receipt.clone());
            return Found::Ours;
        }
        let mut taken = self.answer(&event);
        let ours = event.request_id.as_deref().is_some_and(|id| id.starts_with(prefix));
        let job_id = event.job_id.clone();
        let watching: Vec<_> =
            job_id.as_ref().and_then(|id| self.by_job.get(id)).cloned().unwrap_or_default();
        let mut holders = HashSet::new();
        let mut short = false;
        for id in watching {
            let Some(watch) = self.watches.get_mut(&id).filter(|watch| watch.hears(&event)) else {
                continue;
            };
            match watch.offer(event.clone(), now) {
                Offered::Kept => drop(holders.insert(id)),
                Offered::Full => short = true,
                // It is kept still, or was taken.
                Offered::Known => taken |= !self.is_held(&event_id, id),
            }
        }
        let held = self.held.contains_key(&event_id);
        if held || !holders.is_empty() {
            let held = self.held.entry(event_id).or_default();
            held.receipts.insert(message_id.to_owned(), receipt.clone());
            held.holders.extend(holders);
            held.taken |= taken;
            held.short = short;
            return Found::Ours;
        }
        let ended = job_id.as_ref().is_some_and(|id| self.ended.contains(id));
        if short {
            Found::Later
        } else if taken || ours || ended {
            self.acks.push(receipt.clone());
            Found::Ours
        } else {
            Found::Foreign
        }
    }

    /// Answers the command that waits for it, if one does.
    fn answer(&mut self, event: &Event) -> bool {
        let sender = event.request_id.as_ref().and_then(|id| self.pending.remove(id));
        sender.is_some_and(|sender| sender.send(event.clone()).is_ok())
    }

    fn is_held(&self, event_id: &str, by: u64) -> bool {
        self.held.get(event_id).is_some_and(|held| held.holders.contains(&by))
    }

    fn took(&mut self, id: u64, event_id: &str) {
        if let Some(held) = self.held.get_mut(event_id) {
            held.taken = true;
        }
        self.dropped(id, event_id);
    }

    /// A watcher keeps it no longer.
    fn dropped(&mut self, id: u64, event_id: &str) {
        let Some(held) = self.held.get_mut(event_id) else { return };
        held.holders.remove(&id);
        if !held.holders.is_empty() {
            return;
        }
        let Some(held) = self.held.remove(event_id) else { return };
        if held.taken && !held.short {
            self.acks.extend(held.receipts.into_values());
            self.done.put(event_id.to_owned(), ());
        }
    }
}

impl Answer {
    /// For messages about answers that nobody expected.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Done => "a plain confirmation",
            Self::ActivityCancelRequested(_) => "ACTIVITY_CANCEL_REQUESTED",
            Self::Job(_) => "JOB_STATUS",
            Self::Jobs(_) => "JOB_LIST",
            Self::Activity(_) => "ACTIVITY_STATUS",
            Self::Activities(_) => "ACTIVITY_LIST",
        }
    }
}
