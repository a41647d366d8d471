//! Long polls that found nothing yet: who waits for what, first come, first served.
//!
//! Knows neither what is waited for nor how long. Of the two sides of a poll only one wins: the
//! engine *takes* a waiter before it asks a machine for something to hand out, the poller *gives
//! up* when its time is over. So nothing is handed to a poll that has just ended in good order;
//! only a client that vanishes in that instant loses what was meant for it, as with AWS.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::Closed;

/// Nobody has done anything yet.
const WAITING: u8 = 0;
/// The engine looks for something to hand out; the poller waits for its word.
const TAKEN: u8 = 1;
/// As before, and the poller's time is over.
const LEAVING: u8 = 2;
/// The poller has left.
const GONE: u8 = 3;

/// The engine's end of a long poll.
#[derive(Debug)]
struct Waiter<T> {
    state: Arc<AtomicU8>,
    answer: oneshot::Sender<Option<T>>,
}

impl<T> Waiter<T> {
    fn is_there(&self) -> bool {
        self.state.load(Ordering::Acquire) == WAITING
    }

    fn take(&self) -> bool {
        change(&self.state, WAITING, TAKEN)
    }

    /// There was nothing to hand out after all. Gives the waiter back unless it wants to leave.
    fn put_back(self) -> Option<Self> {
        if change(&self.state, TAKEN, WAITING) {
            return Some(self);
        }
        let _ = self.answer.send(None);
        None
    }
}

/// The poller's end of a long poll. Dropping it gives up.
#[derive(Debug)]
pub(crate) struct Ticket<T> {
    state: Arc<AtomicU8>,
    answer: oneshot::Receiver<Option<T>>,
}

impl<T> Ticket<T> {
    /// Waits for an answer for at most `wait`, or until `stop`. `None` means that none came.
    pub(crate) async fn wait(
        mut self,
        wait: Duration,
        stop: &CancellationToken,
    ) -> Result<Option<T>, Closed> {
        tokio::select! {
            biased;
            answer = &mut self.answer => return answer.map_err(|_| Closed::default()),
            () = stop.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
        if change(&self.state, WAITING, GONE) {
            return Ok(None);
        }
        // Taken: something may be on its way, or have arrived. The engine's word comes at once.
        change(&self.state, TAKEN, LEAVING);
        (&mut self.answer).await.map_err(|_| Closed::default())
    }
}

impl<T> Drop for Ticket<T> {
    fn drop(&mut self) {
        change(&self.state, WAITING, GONE);
    }
}

fn change(state: &AtomicU8, from: u8, to: u8) -> bool {
    state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
}

/// What a taken waiter was found, to be told after the commit.
#[derive(Debug)]
pub(crate) struct Handout<T> {
    waiter: Waiter<T>,
    answer: T,
}

impl<T> Handout<T> {
    pub(crate) fn release(self) {
        // Whoever waited may have vanished; that is theirs to lose.
        let _ = self.waiter.answer.send(Some(self.answer));
    }
}

/// All who wait for one kind of thing: a line for each queue, with what each one asked for.
#[derive(Debug)]
pub(crate) struct Lines<K, Q, T> {
    lines: HashMap<K, VecDeque<(Q, Waiter<T>)>>,
    /// Joins until those who left are swept out of all lines. Counted so that the sweep costs
    /// each join a constant share, and no line is kept for queues that nobody polls any more.
    until_sweep: usize,
}

const SWEEP_AT_LEAST: usize = 64;

impl<K, Q, T> Default for Lines<K, Q, T> {
    fn default() -> Self {
        Self { lines: HashMap::new(), until_sweep: SWEEP_AT_LEAST }
    }
}

impl<K: Eq + Hash, Q, T> Lines<K, Q, T> {
    /// How many wait in a line.
    pub(crate) fn len(&self, key: &K) -> usize {
        self.lines.get(key).map_or(0, |line| line.iter().filter(|(_, w)| w.is_there()).count())
    }

    #[cfg(test)]
    pub(super) fn total(&self) -> usize {
        self.lines.keys().map(|key| self.len(key)).sum()
    }

    /// Waits at the end of the line, until [`Lines::hand_out`] has something for it.
    pub(crate) fn join(&mut self, key: K, asked: Q) -> Ticket<T> {
        self.until_sweep = self.until_sweep.saturating_sub(1);
        if self.until_sweep == 0 {
            self.sweep();
        }
        let state = Arc::new(AtomicU8::new(WAITING));
        let (to, from) = oneshot::channel();
        let waiter = Waiter { state: Arc::clone(&state), answer: to };
        self.lines.entry(key).or_default().push_back((asked, waiter));
        Ticket { state, answer: from }
    }

    /// Serves the line from its head for as long as `find` finds something.
    pub(crate) fn hand_out(
        &mut self,
        key: &K,
        mut find: impl FnMut(&Q) -> rusqlite::Result<Option<T>>,
    ) -> rusqlite::Result<Vec<Handout<T>>> {
        let mut found = Vec::new();
        let Some(line) = self.lines.get_mut(key) else { return Ok(found) };
        while let Some((asked, waiter)) = line.pop_front() {
            if !waiter.take() {
                continue;
            }
            match find(&asked)? {
                Some(answer) => found.push(Handout { waiter, answer }),
                None => {
                    if let Some(waiter) = waiter.put_back() {
                        line.push_front((asked, waiter));
                    }
                    break;
                }
            }
        }
        if line.is_empty() {
            self.lines.remove(key);
        }
        Ok(found)
    }

    fn sweep(&mut self) {
        let mut left = 0;
        self.lines.retain(|_, line| {
            line.retain(|(_, waiter)| waiter.is_there());
            left += line.len();
            !line.is_empty()
        });
        self.until_sweep = left.max(SWEEP_AT_LEAST);
    }
}

#[cfg(test)]
mod tests;
