//! What is to be handed out, and when something happens by itself: task lists and deadlines.
//!
//! Both follow from the states of the open runs, entry by entry ([`Slot`]); this is an index over
//! them, kept as runs change. Its keys come from the state alone, so that the order after a
//! restart is the order before it.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
};

use cpe_swf::{DomainName, EventId, Timestamp};

use super::{OpenRun, RunNo, run::Slot};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum TaskKind {
    Decision,
    Activity,
}

/// A task list that got a new entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ready {
    pub(crate) domain: DomainName,
    pub(crate) task_list: String,
    pub(crate) kind: TaskKind,
}

/// An entry of a task list. Ordered as SWF hands out: priority first, then the oldest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    priority: Reverse<i32>,
    since: Timestamp,
    run: RunNo,
    scheduled: EventId,
}

type TaskLists = HashMap<String, BTreeSet<Entry>>;

#[derive(Debug, Default, PartialEq, Eq)]
struct DomainLists {
    decisions: TaskLists,
    activities: TaskLists,
}

impl DomainLists {
    fn of(&self, kind: TaskKind) -> &TaskLists {
        match kind {
            TaskKind::Decision => &self.decisions,
            TaskKind::Activity => &self.activities,
        }
    }

    fn of_mut(&mut self, kind: TaskKind) -> &mut TaskLists {
        match kind {
            TaskKind::Decision => &mut self.decisions,
            TaskKind::Activity => &mut self.activities,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Agenda {
    deadlines: BTreeSet<(Timestamp, RunNo, Slot)>,
    lists: HashMap<DomainName, DomainLists>,
    ready: BTreeSet<Ready>,
}

impl Agenda {
    /// Enters what `slot` of the run waits for.
    pub(super) fn arm(&mut self, no: RunNo, run: &OpenRun, slot: Slot) {
        if let Some(at) = run.state.due(slot) {
            self.deadlines.insert((at, no, slot));
        }
        let Some(offer) = run.state.offered(slot) else { return };
        let entry = Entry {
            priority: Reverse(offer.priority),
            since: offer.since,
            run: no,
            scheduled: offer.scheduled,
        };
        let lists = match self.lists.get_mut(&run.domain) {
            Some(lists) => lists,
            None => self.lists.entry(run.domain.clone()).or_default(),
        };
        match lists.of_mut(offer.kind).get_mut(offer.task_list) {
            Some(list) => {
                list.insert(entry);
            }
            None => {
                let list = BTreeSet::from([entry]);
                lists.of_mut(offer.kind).insert(offer.task_list.to_owned(), list);
            }
        }
        self.ready.insert(Ready {
            domain: run.domain.clone(),
            task_list: offer.task_list.to_owned(),
            kind: offer.kind,
        });
    }

    /// Removes what `slot` of the run waited for. To be called before its state changes.
    pub(super) fn disarm(&mut self, no: RunNo, run: &OpenRun, slot: Slot) {
        if let Some(at) = run.state.due(slot) {
            self.deadlines.remove(&(at, no, slot));
        }
        let Some(offer) = run.state.offered(slot) else { return };
        let Some(domain) = self.lists.get_mut(&run.domain) else { return };
        let lists = domain.of_mut(offer.kind);
        let Some(list) = lists.get_mut(offer.task_list) else { return };
        list.remove(&Entry {
            priority: Reverse(offer.priority),
            since: offer.since,
            run: no,
            scheduled: offer.scheduled,
        });
        // Clients may use a task list for each run: an empty one must not stay.
        if list.is_empty() {
            lists.remove(offer.task_list);
        }
    }

    pub(super) fn first_deadline(&self) -> Option<(Timestamp, RunNo, Slot)> {
        self.deadlines.first().copied()
    }

    /// Forgets a deadline that no longer says anything about its run.
    pub(super) fn drop_deadline(&mut self, deadline: (Timestamp, RunNo, Slot)) {
        self.deadlines.remove(&deadline);
    }

    /// The entry of a task list that is to be handed out next: its run and its scheduled event.
    pub(super) fn next_in(
        &self,
        kind: TaskKind,
        domain: &DomainName,
        task_list: &str,
    ) -> Option<(RunNo, EventId)> {
        let list = self.lists.get(domain)?.of(kind).get(task_list)?;
        list.first().map(|entry| (entry.run, entry.scheduled))
    }

    pub(super) fn count(&self, kind: TaskKind, domain: &DomainName, task_list: &str) -> usize {
        let lists = self.lists.get(domain).map(|lists| lists.of(kind));
        lists.and_then(|lists| lists.get(task_list)).map_or(0, BTreeSet::len)
    }

    pub(super) fn take_ready(&mut self) -> Vec<Ready> {
        std::mem::take(&mut self.ready).into_iter().collect()
    }

    /// Whether both hold the same entries and deadlines.
    #[cfg(test)]
    pub(super) fn agrees_with(&self, other: &Self) -> bool {
        let filled = |agenda: &Self| {
            let mut lists: Vec<String> = agenda
                .lists
                .iter()
                .filter(|(_, lists)| **lists != DomainLists::default())
                .flat_map(|(domain, lists)| {
                    let both = [("decision", &lists.decisions), ("activity", &lists.activities)];
                    both.map(|(kind, lists)| {
                        let sorted: std::collections::BTreeMap<_, _> = lists.iter().collect();
                        format!("{domain} {kind} {sorted:?}")
                    })
                })
                .collect();
            lists.sort();
            lists
        };
        self.deadlines == other.deadlines && filled(self) == filled(other)
    }
}
