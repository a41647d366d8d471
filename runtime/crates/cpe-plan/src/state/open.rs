//! What SWF runs for this execution: activity tasks and children.

use std::collections::{BTreeMap, BTreeSet};

use cpe_swf::EventId;

use crate::call::CallKey;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Activity,
    Child,
}

/// All that runs, by the event that began it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Open {
    running: BTreeMap<EventId, Entry>,
    /// Activity ids and workflow ids of children: later events know them by these.
    by_id: BTreeMap<(Kind, String), EventId>,
    /// Those to be asked to cancel.
    pub(crate) unasked: BTreeSet<EventId>,
    activities: usize,
    /// How many are to end because nobody waits for them.
    unwanted: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    pub(crate) id: String,
    /// `None` for what nobody waits for any more.
    pub(super) call: Option<CallKey>,
    /// Whether it can be asked to cancel: a child can once it has begun.
    begun: bool,
    unwanted: bool,
    asked: bool,
}

impl Open {
    pub(crate) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    pub(crate) fn activities(&self) -> usize {
        self.activities
    }

    /// Whether something runs that is to end before anything else begins.
    pub(crate) fn has_unwanted(&self) -> bool {
        self.unwanted > 0
    }

    pub(crate) fn children(&self) -> usize {
        self.running.len() - self.activities
    }

    pub(crate) fn get(&self, event: EventId) -> Option<&Entry> {
        self.running.get(&event)
    }

    /// SWF runs nothing twice under one id: what a history claims beyond that is left out.
    pub(super) fn add(&mut self, event: EventId, kind: Kind, id: &str, call: Option<CallKey>) {
        if self.by_id.contains_key(&(kind, id.to_owned())) || self.running.contains_key(&event) {
            return;
        }
        let activity = kind == Kind::Activity;
        let entry =
            Entry { kind, id: id.to_owned(), call, begun: activity, unwanted: false, asked: false };
        self.running.insert(event, entry);
        self.activities += usize::from(activity);
        self.by_id.insert((kind, id.to_owned()), event);
        if call.is_none() {
            self.unwant(event);
        }
    }

    pub(super) fn remove(&mut self, event: EventId) -> Option<Entry> {
        let entry = self.running.remove(&event)?;
        self.unasked.remove(&event);
        self.activities -= usize::from(entry.kind == Kind::Activity);
        self.unwanted -= usize::from(entry.unwanted);
        let id = (entry.kind, entry.id.clone());
        if self.by_id.get(&id) == Some(&event) {
            self.by_id.remove(&id);
        }
        Some(entry)
    }

    pub(super) fn begun(&mut self, event: EventId) {
        if let Some(entry) = self.running.get_mut(&event) {
            entry.begun = true;
            if entry.unwanted && !entry.asked {
                self.unasked.insert(event);
            }
        }
    }

    fn unwant(&mut self, event: EventId) {
        if let Some(entry) = self.running.get_mut(&event) {
            self.unwanted += usize::from(!entry.unwanted);
            entry.unwanted = true;
            if entry.begun && !entry.asked {
                self.unasked.insert(event);
            }
        }
    }

    /// Asks one to end that somebody may wait for; `false` if none such runs.
    pub(super) fn cancel(&mut self, kind: Kind, id: &str) -> bool {
        let event = self.by_id.get(&(kind, id.to_owned())).copied();
        event.map(|event| self.unwant(event)).is_some()
    }

    pub(super) fn unwant_all(&mut self) {
        let events: Vec<EventId> = self.running.keys().copied().collect();
        events.into_iter().for_each(|event| self.unwant(event));
    }

    /// It was asked to cancel, whether SWF did so or said that it cannot.
    pub(super) fn asked(&mut self, kind: Kind, id: &str) {
        let Some(event) = self.by_id.get(&(kind, id.to_owned())).copied() else { return };
        self.unasked.remove(&event);
        if let Some(entry) = self.running.get_mut(&event) {
            entry.asked = true;
        }
    }

    /// Asking came to nothing, but may be tried again.
    pub(super) fn ask_again(&mut self, kind: Kind, id: &str) {
        let Some(event) = self.by_id.get(&(kind, id.to_owned())).copied() else { return };
        if let Some(entry) = self.running.get_mut(&event) {
            entry.asked = false;
            if entry.unwanted {
                self.unasked.insert(event);
            }
        }
    }
}
