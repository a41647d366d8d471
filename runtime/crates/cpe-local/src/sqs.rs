//! The embedded endpoint's SQS: a state machine without I/O, clock or threads.
//!
//! A command takes the time, changes the state and leaves behind what has to be written
//! ([`Sqs::take_writes`]) and which queues got a message that can be received
//! ([`Sqs::take_ready`]). A command that answers with a fault has changed nothing. In memory is
//! what serving needs of each message, not its content: that is read from the database when the
//! message is handed out. No command costs more for the messages that are there.
//!
//! Must not know: SQLite outside `tables`, HTTP outside `wire`, tokio.

mod attempts;
mod attributes;
mod fault;
mod fifo;
mod message;
mod messages;
mod moves;
mod names;
mod permissions;
mod queue;
mod redrive;
pub(crate) mod tables;
mod tags;
pub(crate) mod wire;
mod write;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use cpe_swf::Timestamp;

use self::{
    attributes::Attributes,
    moves::Moves,
    names::MessageNo,
    queue::{Counts, Queue},
    write::Write,
};
pub(crate) use self::{
    attributes::WAIT_SECONDS,
    fault::{SqsFault, SqsFaultKind},
    messages::{Ask, Outgoing},
    names::{ACCOUNT, QueueId, QueueName},
    tables::Received,
};

const PURGE_INTERVAL: Duration = Duration::from_secs(60);

/// Everything that SQS holds in memory.
#[derive(Debug)]
pub(crate) struct Sqs {
    queues: HashMap<QueueId, Queue>,
    names: BTreeMap<QueueName, QueueId>,
    /// When hidden messages show themselves again.
    hidden: BTreeSet<(Timestamp, QueueId, MessageNo)>,
    /// When each queue's oldest message is thrown away.
    expiries: BTreeSet<(Timestamp, QueueId)>,
    moves: Moves,
    ready: BTreeSet<QueueId>,
    writes: Vec<Write>,
    next_queue: QueueId,
    next_message: MessageNo,
    /// The first number that may not be given yet, as far as the database knows.
    reserved: MessageNo,
}

impl Default for Sqs {
    fn default() -> Self {
        Self {
            queues: HashMap::new(),
            names: BTreeMap::new(),
            hidden: BTreeSet::new(),
            expiries: BTreeSet::new(),
            moves: Moves::default(),
            ready: BTreeSet::new(),
            writes: Vec::new(),
            next_queue: QueueId(1),
            next_message: MessageNo(1),
            reserved: MessageNo(1),
        }
    }
}

impl Sqs {
    /// Forgets everything but what was never to be given again.
    pub(crate) fn reset(&mut self) {
        let (next_queue, next_message) = (self.next_queue, self.next_message);
        *self = Self { next_queue, next_message, reserved: next_message, ..Self::default() };
    }

    /// What has to be written since this was last asked, in order.
    pub(crate) fn take_writes(&mut self) -> Vec<Write> {
        std::mem::take(&mut self.writes)
    }

    /// The queues of which a message became visible since this was last asked.
    pub(crate) fn take_ready(&mut self) -> BTreeSet<QueueId> {
        std::mem::take(&mut self.ready)
    }

    /// When something will happen by itself next. May lie in the past: then it is due.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        let shown = self.hidden.first().map(|(at, ..)| *at);
        let expired = self.expiries.first().map(|(at, _)| *at);
        shown.into_iter().chain(expired).chain(self.moves.next_deadline()).min()
    }

    /// Makes a queue. One that is there with the same settings is fine.
    ///
    /// SQS refuses a name for 60 seconds after its queue was deleted (`QueueDeletedRecently`).
    /// Here it may be used again at once: whoever works on their own machine deletes queues and
    /// makes them again, mostly in tests, and every other local SQS lets them.
    pub(crate) fn create_queue(
        &mut self,
        now: Timestamp,
        name: &QueueName,
        given: &BTreeMap<String, String>,
    ) -> Result<(), SqsFault> {
        let attributes = Attributes::create(name, given)?;
        if let Some(queue) = self.names.get(name).and_then(|id| self.queues.get(id)) {
            // Settings that were not given do not matter.
            let (there, asked) = (queue.attributes.show(), attributes.show());
            return match given.keys().find(|key| there.get(*key) != asked.get(*key)) {
                None => Ok(()),
                Some(key) => Err(SqsFault::new(
                    SqsFaultKind::QueueNameExists,
                    format!(
                        "A queue already exists with the same name and a different value for attribute {key}"
                    ),
                )),
            };
        }
        self.check_redrive(name, &attributes)?;
        let id = self.next_queue;
        self.next_queue = QueueId(id.0 + 1);
        let queue = Queue::new(id, name.clone(), now, attributes);
        self.writes.push(Write::queue(&queue));
        self.names.insert(name.clone(), id);
        self.queues.insert(id, queue);
        Ok(())
    }

    pub(crate) fn queue_id(&self, name: &QueueName) -> Result<QueueId, SqsFault> {
        self.names.get(name).copied().ok_or_else(SqsFault::no_such_queue)
    }

    fn queue(&self, name: &QueueName) -> Result<&Queue, SqsFault> {
        let id = self.queue_id(name)?;
        self.queues.get(&id).ok_or_else(SqsFault::no_such_queue)
    }

    fn queue_mut(&mut self, name: &QueueName) -> Result<&mut Queue, SqsFault> {
        let id = self.queue_id(name)?;
        self.queues.get_mut(&id).ok_or_else(SqsFault::no_such_queue)
    }

    /// How long a receive waits in this queue unless it says so itself.
    pub(crate) fn receive_wait(&self, id: QueueId) -> Duration {
        self.queues.get(&id).map_or(Duration::ZERO, |queue| queue.attributes.receive_wait())
    }

    /// Names that begin so, after that one, in order.
    pub(crate) fn list_queues<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a QueueName>,
    ) -> impl Iterator<Item = &'a QueueName> {
        self.names
            .keys()
            .skip_while(move |name| name.as_str() < prefix)
            .take_while(move |name| name.as_str().starts_with(prefix))
            .filter(move |name| after.is_none_or(|after| *name > after))
    }

    /// The queues whose dead letters go to this one.
    pub(crate) fn sources_of(&self, name: &QueueName) -> Result<Vec<QueueName>, SqsFault> {
        self.queue_id(name)?;
        let into_it = |id: &QueueId| {
            let redrive = self.queues.get(id).and_then(|queue| queue.attributes.redrive());
            redrive.is_some_and(|redrive| redrive.target == *name)
        };
        Ok(self.names.iter().filter(|(_, id)| into_it(id)).map(|(name, _)| name.clone()).collect())
    }

    pub(crate) fn delete_queue(&mut self, name: &QueueName) -> Result<(), SqsFault> {
        let id = self.queue_id(name)?;
        self.empty(id);
        self.moves.forget(id);
        self.names.remove(name);
        self.queues.remove(&id);
        self.writes.push(Write::DeleteQueue(id));
        Ok(())
    }

    /// Throws all messages of a queue away. Once in a minute, as SQS does, although it takes none
    /// here: what works here has to work there.
    pub(crate) fn purge(&mut self, now: Timestamp, name: &QueueName) -> Result<(), SqsFault> {
        let queue = self.queue_mut(name)?;
        if queue.purged.is_some_and(|purged| now < purged + PURGE_INTERVAL) {
            return Err(SqsFault::new(
                SqsFaultKind::PurgeQueueInProgress,
                format!("Only one PurgeQueue operation on {name} is allowed every 60 seconds."),
            ));
        }
        queue.purged = Some(now);
        let (id, write) = (queue.id, Write::queue(queue));
        self.writes.push(write);
        self.empty(id);
        Ok(())
    }

    fn empty(&mut self, id: QueueId) {
        let Some(queue) = self.queues.get(&id) else { return };
        let messages: Vec<_> = queue.messages().map(|(no, _)| no).collect();
        for no in messages {
            self.discard(id, no);
        }
    }

    /// Settings and counts by their names in SQS, without `QueueArn`, which knows the region.
    pub(crate) fn attributes(
        &self,
        name: &QueueName,
    ) -> Result<BTreeMap<String, String>, SqsFault> {
        let queue = self.queue(name)?;
        let Counts { visible, in_flight, delayed } = queue.counts();
        let mut shown = queue.attributes.show();
        let seconds = |at: Timestamp| (at.as_millis() / 1000).to_string();
        shown.extend([
            ("ApproximateNumberOfMessages".to_owned(), visible.to_string()),
            ("ApproximateNumberOfMessagesNotVisible".to_owned(), in_flight.to_string()),
            ("ApproximateNumberOfMessagesDelayed".to_owned(), delayed.to_string()),
            ("CreatedTimestamp".to_owned(), seconds(queue.created)),
            ("LastModifiedTimestamp".to_owned(), seconds(queue.modified)),
        ]);
        Ok(shown)
    }

    pub(crate) fn set_attributes(
        &mut self,
        now: Timestamp,
        name: &QueueName,
        given: &BTreeMap<String, String>,
    ) -> Result<(), SqsFault> {
        let changed = self.queue(name)?.attributes.changed(given)?;
        self.check_redrive(name, &changed)?;
        let id = self.queue_id(name)?;
        if let Some(queue) = self.queues.get_mut(&id) {
            queue.attributes = changed;
            queue.modified = now;
            self.writes.push(Write::queue(queue));
        }
        self.note_expiry(id);
        Ok(())
    }

    /// Checks whether a queue with these settings may have the dead-letter queue that they name.
    fn check_redrive(&self, name: &QueueName, attributes: &Attributes) -> Result<(), SqsFault> {
        let Some(redrive) = attributes.redrive() else { return Ok(()) };
        let Ok(target) = self.queue(&redrive.target) else {
            return Err(redrive.refuse("Dead letter target does not exist"));
        };
        if redrive.target.is_fifo() != attributes.is_fifo() {
            return Err(redrive.refuse(
                "Dead-letter queue must be same type of queue as the source: FIFO for FIFO, standard for standard",
            ));
        }
        if !target.attributes.takes_dead_letters_of(name) {
            return Err(redrive.refuse(
                "The RedriveAllowPolicy of the dead letter target does not allow this queue",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
