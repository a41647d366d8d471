//! One queue in memory: which messages can be received now, which are hidden, how old they are.
//!
//! Of a message only what serving needs is here; its content is in the database. Knows nothing of
//! other queues: deadlines and moves are the machine's.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use cpe_swf::Timestamp;

use super::{
    attempts::Attempts,
    attributes::Attributes,
    fifo::{Deduplication, Groups},
    names::{MessageNo, QueueId, QueueName},
    tags::Tags,
};

/// In-flight messages of one queue.
pub(crate) const IN_FLIGHT: usize = 120_000;

#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) id: QueueId,
    pub(crate) name: QueueName,
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
    pub(crate) attributes: Attributes,
    pub(crate) tags: Tags,
    /// When it was purged last.
    pub(crate) purged: Option<Timestamp>,
    messages: HashMap<MessageNo, Message>,
    /// What can be received now, in the order of receiving. In a FIFO queue: the first message of
    /// each group of which none is in flight.
    visible: BTreeSet<(Timestamp, MessageNo)>,
    by_age: BTreeSet<(Timestamp, MessageNo)>,
    in_flight: usize,
    delayed: usize,
    /// FIFO queues only.
    groups: Groups,
    pub(crate) deduplication: Deduplication,
    pub(super) attempts: Attempts,
    /// The expiry of the oldest message, as the machine has noted it.
    pub(super) expiry: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) sent: Timestamp,
    pub(crate) state: MessageState,
    pub(crate) receive_count: u32,
    pub(crate) first_received: Option<Timestamp>,
    pub(crate) last_received: Option<Timestamp>,
    /// In a standard queue it is kept and shown, and changes nothing.
    pub(crate) group: Option<Arc<str>>,
    /// The queue that it was moved from, if this is a dead letter.
    pub(crate) source: Option<QueueName>,
}

impl Message {
    /// A message that was just sent.
    pub(crate) fn new(sent: Timestamp) -> Self {
        Self {
            sent,
            state: MessageState::Visible(sent),
            receive_count: 0,
            first_received: None,
            last_received: None,
            group: None,
            source: None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MessageState {
    /// Can be received, since then.
    Visible(Timestamp),
    /// Sent with a delay, until then.
    Delayed(Timestamp),
    /// Received, and hidden until then.
    InFlight(Timestamp),
}

impl MessageState {
    /// When the message shows itself again.
    pub(crate) fn hidden_until(self) -> Option<Timestamp> {
        match self {
            Self::Visible(_) => None,
            Self::Delayed(until) | Self::InFlight(until) => Some(until),
        }
    }
}

/// How many messages are in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) visible: usize,
    pub(crate) in_flight: usize,
    pub(crate) delayed: usize,
}

impl Queue {
    pub(crate) fn new(
        id: QueueId,
        name: QueueName,
        created: Timestamp,
        attributes: Attributes,
    ) -> Self {
        Self {
            id,
            name,
            created,
            modified: created,
            attributes,
            tags: Tags::new(),
            purged: None,
            messages: HashMap::new(),
            visible: BTreeSet::new(),
            by_age: BTreeSet::new(),
            in_flight: 0,
            delayed: 0,
            groups: Groups::default(),
            deduplication: Deduplication::default(),
            attempts: Attempts::default(),
            expiry: None,
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        let hidden = self.in_flight + self.delayed;
        Counts {
            visible: self.messages.len().saturating_sub(hidden),
            in_flight: self.in_flight,
            delayed: self.delayed,
        }
    }

    pub(crate) fn message(&self, no: MessageNo) -> Option<&Message> {
        self.messages.get(&no)
    }

    /// The messages' numbers and states, in no order.
    pub(crate) fn messages(&self) -> impl Iterator<Item = (MessageNo, MessageState)> + '_ {
        self.messages.iter().map(|(no, message)| (*no, message.state))
    }

    /// When the oldest message is thrown away.
    pub(crate) fn next_expiry(&self) -> Option<Timestamp> {
        self.by_age.first().map(|(sent, _)| *sent + self.attributes.retention())
    }

    pub(crate) fn oldest(&self) -> Option<MessageNo> {
        self.by_age.first().map(|(_, no)| *no)
    }

    /// The message to receive next.
    pub(crate) fn next_visible(&self) -> Option<MessageNo> {
        self.visible.first().map(|(_, no)| *no)
    }

    /// The message that may be received in the same breath as `no`: the next one of its group.
    pub(crate) fn next_in_group(&self, no: MessageNo) -> Option<MessageNo> {
        let group = self.messages.get(&no)?.group.as_ref()?;
        if self.attributes.is_fifo() { self.groups.next(group) } else { None }
    }

    /// Takes a message in, in whatever state it is.
    pub(crate) fn insert(&mut self, no: MessageNo, mut message: Message) {
        self.by_age.insert((message.sent, no));
        if self.attributes.is_fifo()
            && let Some(group) = &mut message.group
        {
            *group = self.groups.intern(group);
        }
        let state = message.state;
        self.messages.insert(no, message);
        self.enter(no, state);
    }

    /// Takes a message out.
    pub(crate) fn remove(&mut self, no: MessageNo) -> Option<Message> {
        self.leave(no);
        let message = self.messages.remove(&no)?;
        self.by_age.remove(&(message.sent, no));
        if let Some(group) = &message.group {
            self.groups.forget_if_empty(group);
        }
        Some(message)
    }

    /// Hands a message out: hidden until then, with a count that names this delivery.
    pub(crate) fn deliver(&mut self, no: MessageNo, now: Timestamp, until: Timestamp) {
        self.change(no, MessageState::InFlight(until));
        if let Some(message) = self.messages.get_mut(&no) {
            message.receive_count = message.receive_count.saturating_add(1);
            message.first_received.get_or_insert(now);
            message.last_received = Some(now);
        }
    }

    /// Moves a message to another state.
    pub(crate) fn change(&mut self, no: MessageNo, state: MessageState) {
        self.leave(no);
        if let Some(message) = self.messages.get_mut(&no) {
            message.state = state;
            self.enter(no, state);
        }
    }

    fn enter(&mut self, no: MessageNo, state: MessageState) {
        let group = self.group_of(no);
        match state {
            MessageState::Visible(since) => match &group {
                Some(group) => self.groups.wait(group, no),
                None => drop(self.visible.insert((since, no))),
            },
            MessageState::Delayed(_) => self.delayed += 1,
            MessageState::InFlight(_) => {
                self.in_flight += 1;
                if let Some(group) = &group {
                    self.groups.start(group);
                }
            }
        }
        self.show_head(group.as_ref());
    }

    fn leave(&mut self, no: MessageNo) {
        let Some(state) = self.messages.get(&no).map(|message| message.state) else { return };
        let group = self.group_of(no);
        match state {
            MessageState::Visible(since) => match &group {
                Some(group) => self.groups.unwait(group, no),
                None => drop(self.visible.remove(&(since, no))),
            },
            MessageState::Delayed(_) => self.delayed = self.delayed.saturating_sub(1),
            MessageState::InFlight(_) => {
                self.in_flight = self.in_flight.saturating_sub(1);
                if let Some(group) = &group {
                    self.groups.end(group);
                }
            }
        }
        self.show_head(group.as_ref());
    }

    /// The group whose order binds this message.
    fn group_of(&self, no: MessageNo) -> Option<Arc<str>> {
        self.messages.get(&no)?.group.clone().filter(|_| self.attributes.is_fifo())
    }

    /// Lets exactly that message of a group be seen which may be received next.
    fn show_head(&mut self, group: Option<&Arc<str>>) {
        // FIFO queues hand out in order of sending, whenever a message became visible.
        let at = |no| (Timestamp::default(), no);
        if let Some((was, is)) = group.and_then(|group| self.groups.update_head(group)) {
            if let Some(no) = was {
                self.visible.remove(&at(no));
            }
            if let Some(no) = is {
                self.visible.insert(at(no));
            }
        }
    }
}
