//! What only FIFO queues have: the order within message groups, and de-duplication.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use cpe_swf::Timestamp;

use super::names::MessageNo;

/// For how long a second message with the same de-duplication id is the first one again.
pub(crate) const DEDUPLICATION: Duration = Duration::from_secs(300);
pub(crate) const DEDUPLICATION_MILLIS: i64 = 300_000;

/// The message groups of one queue: while a message of a group is in flight, no later one is
/// handed out.
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: HashMap<Arc<str>, Group>,
}

#[derive(Debug, Default)]
struct Group {
    waiting: BTreeSet<MessageNo>,
    in_flight: usize,
    /// The message that the queue shows of this group.
    head: Option<MessageNo>,
}

impl Groups {
    /// The group's name, in memory once.
    pub(super) fn intern(&mut self, name: &Arc<str>) -> Arc<str> {
        if let Some((known, _)) = self.groups.get_key_value(name) {
            return Arc::clone(known);
        }
        self.groups.insert(Arc::clone(name), Group::default());
        Arc::clone(name)
    }

    pub(super) fn next(&self, name: &str) -> Option<MessageNo> {
        self.groups.get(name)?.waiting.first().copied()
    }

    pub(super) fn wait(&mut self, name: &str, no: MessageNo) {
        self.with(name, |group| {
            group.waiting.insert(no);
        });
    }

    pub(super) fn unwait(&mut self, name: &str, no: MessageNo) {
        self.with(name, |group| {
            group.waiting.remove(&no);
        });
    }

    pub(super) fn start(&mut self, name: &str) {
        self.with(name, |group| group.in_flight += 1);
    }

    pub(super) fn end(&mut self, name: &str) {
        self.with(name, |group| group.in_flight = group.in_flight.saturating_sub(1));
    }

    fn with(&mut self, name: &str, change: impl FnOnce(&mut Group)) {
        if let Some(group) = self.groups.get_mut(name) {
            change(group);
        }
    }

    /// The head that was shown and the one to show now, if they differ.
    pub(super) fn update_head(
        &mut self,
        name: &str,
    ) -> Option<(Option<MessageNo>, Option<MessageNo>)> {
        let group = self.groups.get_mut(name)?;
        let head = group.waiting.first().copied().filter(|_| group.in_flight == 0);
        let was = std::mem::replace(&mut group.head, head);
        (was != head).then_some((was, head))
    }

    pub(super) fn forget_if_empty(&mut self, name: &str) {
        if self.groups.get(name).is_some_and(|g| g.waiting.is_empty() && g.in_flight == 0) {
            self.groups.remove(name);
        }
    }
}

/// The messages of the last five minutes by de-duplication id, also those deleted since.
#[derive(Debug, Default)]
pub(crate) struct Deduplication {
    seen: HashMap<Arc<str>, First>,
    order: VecDeque<(Timestamp, Arc<str>)>,
}

/// The message that was first to have a de-duplication id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct First {
    pub(crate) no: MessageNo,
    pub(crate) message_id: String,
}

impl Deduplication {
    pub(crate) fn find(&self, id: &str) -> Option<&First> {
        self.seen.get(id)
    }

    pub(crate) fn remember(&mut self, id: &str, at: Timestamp, first: First) {
        let id: Arc<str> = id.into();
        self.order.push_back((at, Arc::clone(&id)));
        self.seen.insert(id, first);
    }

    /// Forgets what was sent too long ago. Answers whether there was any such message.
    pub(crate) fn forget_old(&mut self, now: Timestamp) -> bool {
        let before = self.order.len();
        while let Some((at, id)) = self.order.front() {
            if *at + DEDUPLICATION > now {
                break;
            }
            self.seen.remove(id);
            self.order.pop_front();
        }
        self.order.len() < before
    }
}
