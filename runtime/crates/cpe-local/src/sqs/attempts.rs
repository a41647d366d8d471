//! `ReceiveRequestAttemptId`: a receive whose answer was lost is made again and gives the same.
//!
//! It does as long as all its messages are as that receive left them: still hidden, not deleted,
//! their visibility not changed. Otherwise it is a receive like any other.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use cpe_swf::Timestamp;

use super::{
    Sqs,
    fault::SqsFault,
    fifo::DEDUPLICATION,
    message::is_id,
    messages::{Ask, Delivery},
    names::{MessageNo, QueueId, Shown},
    queue::{MessageState, Queue},
    write::Write,
};

/// Attempts that are remembered of one queue; the oldest makes room.
const ATTEMPTS: usize = 10_000;

/// The attempts of the last five minutes by id.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    made: HashMap<Arc<str>, Attempt>,
    order: VecDeque<(Timestamp, Arc<str>)>,
}

/// What a receive gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) at: Timestamp,
    /// Until when it hid all of its messages.
    pub(crate) until: Timestamp,
    /// The messages with their receive counts then.
    pub(crate) messages: Vec<(MessageNo, u32)>,
}

impl Attempts {
    pub(crate) fn remember(&mut self, id: &str, attempt: Attempt) {
        let id: Arc<str> = id.into();
        if self.made.get(&id).is_none_or(|known| known.at != attempt.at) {
            self.order.push_back((attempt.at, Arc::clone(&id)));
        }
        self.made.insert(id, attempt);
    }

    /// Forgets what is too old or too much.
    fn forget(&mut self, now: Timestamp) -> Vec<Arc<str>> {
        let mut forgotten = Vec::new();
        while let Some((at, id)) = self.order.front() {
            if *at + DEDUPLICATION > now && self.order.len() < ATTEMPTS {
                break;
            }
            // The id may have been used again since.
            if self.made.get(id).is_some_and(|attempt| attempt.at == *at) {
                self.made.remove(id);
                forgotten.push(Arc::clone(id));
            }
            self.order.pop_front();
        }
        forgotten
    }
}

impl Attempt {
    /// Whether nothing was done to its messages since.
    fn holds(&self, queue: &Queue) -> bool {
        self.messages.iter().all(|(no, count)| {
            queue.message(*no).is_some_and(|message| {
                message.receive_count == *count
                    && message.state == MessageState::InFlight(self.until)
            })
        })
    }
}

impl Sqs {
    /// Receives under an attempt's id, or repeats the receive that had it.
    pub(super) fn receive_attempt(
        &mut self,
        now: Timestamp,
        queue: QueueId,
        ask: &Ask<'_>,
        attempt: &str,
    ) -> Result<Vec<Delivery>, SqsFault> {
        check_id(attempt)?;
        let (until, again) = {
            let there = self.queues.get_mut(&queue).ok_or_else(SqsFault::no_such_queue)?;
            if !there.attributes.is_fifo() {
                return Err(invalid_id(
                    attempt,
                    "The request includes a parameter that is not valid for this queue type",
                ));
            }
            for id in there.attempts.forget(now) {
                self.writes.push(Write::ForgetAttempt { queue, id });
            }
            let again = there.attempts.made.get(attempt).filter(|made| made.holds(there)).cloned();
            (now + there.visibility(ask.visibility), again)
        };
        if let Some(made) = again {
            return Ok(self.repeat(now, queue, attempt, Attempt { until, ..made }));
        }
        let deliveries = self.receive_new(now, queue, ask)?;
        if !deliveries.is_empty() {
            let messages = deliveries.iter().map(|made| (made.no, made.receive_count)).collect();
            self.remember(queue, attempt, Attempt { at: now, until, messages });
        }
        Ok(deliveries)
    }

    /// Gives the same messages with the same receipts, hidden for the whole time once more.
    fn repeat(
        &mut self,
        now: Timestamp,
        queue: QueueId,
        id: &str,
        attempt: Attempt,
    ) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        for (no, _) in &attempt.messages {
            self.hide(queue, *no, attempt.until);
            let there = self.queues.get(&queue);
            deliveries.extend(there.and_then(|queue| Delivery::of(queue, *no, now)));
        }
        self.remember(queue, id, attempt);
        deliveries
    }

    fn remember(&mut self, queue: QueueId, id: &str, attempt: Attempt) {
        if let Some(queue) = self.queues.get_mut(&queue) {
            queue.attempts.remember(id, attempt.clone());
        }
        self.writes.push(Write::Attempt { queue, id: id.into(), attempt });
    }
}

impl Queue {
    /// For how long a received message is hidden.
    pub(super) fn visibility(&self, asked: Option<Duration>) -> Duration {
        asked.unwrap_or_else(|| self.attributes.visibility_timeout())
    }
}

fn check_id(id: &str) -> Result<(), SqsFault> {
    if is_id(id) {
        return Ok(());
    }
    Err(invalid_id(
        id,
        "ReceiveRequestAttemptId can only include alphanumeric and punctuation characters. 1 to 128 in length",
    ))
}

fn invalid_id(id: &str, why: &str) -> SqsFault {
    let id = Shown(id);
    SqsFault::invalid(format!(
        "Value {id} for parameter ReceiveRequestAttemptId is invalid. Reason: {why}."
    ))
}
