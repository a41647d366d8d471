//! The embedded endpoint's SWF: a state machine without I/O, clock or threads.
//!
//! A run's history is its state: everything that decides what happens next is a fold over events
//! ([`RunState::apply`]), and the agenda (task lists and deadlines) follows from that state. So a
//! restart is nothing but replaying the events of open runs. Beside the events only heartbeats,
//! the records that lists show, domains and types are written.
//!
//! A command takes a [`Call`], changes the state and leaves behind what has to be written
//! ([`Swf::take_writes`]) and which task lists got something ([`Swf::take_ready`]). A command that
//! answers with a fault has changed nothing. Closed runs leave memory: they are read through
//! [`Archive`], so that no command costs more for the executions that came before.
//!
//! Must not know: SQLite outside `tables`, HTTP, tokio.

mod agenda;
mod answers;
mod archive;
mod check;
mod children;
mod closing;
mod decide;
mod decisions;
mod domains;
mod executions;
mod firing;
mod followups;
mod kinds;
mod pages;
mod polls;
mod record;
mod run;
mod start;
pub(crate) mod tables;
mod tags;
mod throttle;
mod token;
mod visibility;
pub(crate) mod wire;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use cpe_swf::{
    DomainName, EventAttributes, EventId, Fault, FaultKind, HistoryEvent, Timestamp,
    WorkflowExecution, WorkflowExecutionTerminatedCause, WorkflowId, event, limits,
};

use self::{agenda::Agenda, domains::Domain, followups::Followup, run::Slot, throttle::Throttle};
pub(crate) use self::{
    agenda::{Ready, TaskKind},
    archive::{Archive, EventRange, Filter, Listed, Listing, TimeField},
    domains::DomainRecord,
    record::{RunRecord, Write},
    run::{Heartbeat, RunState},
};

/// What a command is given: the time, and the runs that are no longer in memory.
///
/// The archive must show what earlier commands wrote: put the writes of each command into the
/// open transaction before the next one is called.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) now: Timestamp,
    /// Where the client believes to be: what is named by ARNs is there.
    pub(crate) region: &'a str,
    pub(crate) archive: &'a dyn Archive,
}

/// The number of a run in this endpoint, in order of starting. Never on the wire as such.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RunNo(pub(crate) i64);

/// An open run: its history, and what follows from it.
#[derive(Debug)]
struct OpenRun {
    domain: DomainName,
    execution: WorkflowExecution,
    events: Vec<HistoryEvent>,
    state: RunState,
}

/// Everything that SWF holds in memory: domains, types, open runs, task lists, deadlines.
#[derive(Debug)]
pub(crate) struct Swf {
    domains: BTreeMap<DomainName, Domain>,
    runs: HashMap<RunNo, OpenRun>,
    agenda: Agenda,
    followups: VecDeque<Followup>,
    writes: Vec<Write>,
    next_run: RunNo,
    /// Nothing where calls are not counted.
    throttle: Option<Throttle>,
}

impl Default for Swf {
    fn default() -> Self {
        Self {
            domains: BTreeMap::new(),
            runs: HashMap::new(),
            agenda: Agenda::default(),
            followups: VecDeque::new(),
            writes: Vec::new(),
            next_run: RunNo(1),
            throttle: None,
        }
    }
}

impl Swf {
    /// Forgets everything but what was never to be given again.
    pub(crate) fn reset(&mut self) {
        let throttle = self.throttle.as_ref().map(|_| Throttle::default());
        *self = Self { next_run: self.next_run, throttle, ..Self::default() };
    }

    /// From now on the account's quotas hold, with all buckets full.
    pub(crate) fn throttle_as_aws(&mut self) {
        self.throttle = Some(Throttle::default());
    }

    /// Whether an operation may be called now. Counts it.
    pub(crate) fn admit(&mut self, operation: &'static str, now: Timestamp) -> Result<(), Fault> {
        self.throttle.as_mut().map_or(Ok(()), |throttle| throttle.admit(operation, now))
    }

    /// Whether a decision may be carried out now. Counts it.
    fn may_decide(&mut self, decision: &'static str, now: Timestamp) -> bool {
        self.throttle.as_mut().is_none_or(|throttle| throttle.take(decision, now))
    }

    /// What has to be written since this was last asked, in order.
    pub(crate) fn take_writes(&mut self) -> Vec<Write> {
        std::mem::take(&mut self.writes)
    }

    /// The task lists that got a new entry since this was last asked, each once.
    pub(crate) fn take_ready(&mut self) -> Vec<Ready> {
        self.agenda.take_ready()
    }

    /// When something will happen by itself next. May lie in the past: then it is due.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.agenda.first_deadline().map(|(at, ..)| at)
    }

    /// Appends an event to an open run, and does what follows from it.
    ///
    /// `None` if the event was not written: the run is closed, or this was one event too many and
    /// SWF terminated it instead.
    fn append(
        &mut self,
        no: RunNo,
        now: Timestamp,
        attributes: impl Into<EventAttributes>,
    ) -> Option<EventId> {
        let run = self.runs.get_mut(&no)?;
        let mut attributes = attributes.into();
        // The last place of a history is kept for the event that closes it.
        let refused =
            run.events.len() + 1 >= limits::HISTORY_EVENTS && !run::is_closing(&attributes);
        if refused {
            let terminated = event::WorkflowExecutionTerminated {
                reason: None,
                details: None,
                child_policy: run.state.config.child_policy,
                cause: Some(WorkflowExecutionTerminatedCause::EventLimitExceeded),
            };
            attributes = terminated.into();
        }
        let event = HistoryEvent {
            event_id: EventId(run.state.last.0 + 1),
            event_timestamp: now,
            attributes: Arc::new(attributes),
        };
        let slot = Slot::touched_by(&event);
        if let Some(slot) = slot {
            self.agenda.disarm(no, run, slot);
        }
        run.state.apply(&event);
        run.events.push(event.clone());
        if let Some(slot) = slot {
            self.agenda.arm(no, run, slot);
        }
        if run::is_initiating(&event.attributes) {
            self.followups.push_back(Followup::Initiated {
                no,
                domain: run.domain.clone(),
                source: run.execution.clone(),
                event: event.clone(),
            });
        }
        let id = event.event_id;
        let closed = run.state.closed.is_some();
        self.writes.push(Write::Event { run: no, event });
        if closed {
            self.retire(no);
        }
        (!refused).then_some(id)
    }

    /// Appends an event that the decider has to see.
    fn append_and_wake(
        &mut self,
        no: RunNo,
        now: Timestamp,
        attributes: impl Into<EventAttributes>,
    ) {
        self.append(no, now, attributes);
        self.wake(no, now);
    }

    /// Schedules a decision task, unless one waits already.
    ///
    /// One may be scheduled while another is started: it is handed out when that one has ended.
    fn wake(&mut self, no: RunNo, now: Timestamp) {
        let Some(run) = self.runs.get(&no) else { return };
        if run.state.decisions.waiting.is_none() {
            let scheduled = run.state.next_decision_task();
            self.append(no, now, scheduled);
        }
    }

    /// Takes a run that was just closed out of memory.
    fn retire(&mut self, no: RunNo) {
        let Some(run) = self.runs.remove(&no) else { return };
        for slot in run.state.slots() {
            self.agenda.disarm(no, &run, slot);
        }
        if let Some(domain) = self.domains.get_mut(&run.domain) {
            domain.open.remove(&run.execution.workflow_id);
        }
        if run.state.had_heartbeats {
            self.writes.push(Write::DropHeartbeats { run: no });
        }
        self.writes.push(Write::Run(Box::new(RunRecord::closed(no, &run))));
        self.followups.extend(Followup::of_closed(&run));
    }

    /// A heartbeat is not an event, but it moves a deadline.
    fn set_heartbeat(&mut self, no: RunNo, scheduled: EventId, heartbeat: Heartbeat) {
        let Some(run) = self.runs.get_mut(&no) else { return };
        let slot = Slot::Activity(scheduled);
        self.agenda.disarm(no, run, slot);
        run.state.record_heartbeat(scheduled, heartbeat);
        self.agenda.arm(no, run, slot);
    }

    fn domain(&self, name: &DomainName) -> Result<&Domain, Fault> {
        self.domains.get(name).ok_or_else(|| unknown_domain(name))
    }

    /// The open run of a workflow id, if `run_id` does not name another.
    fn open_run(
        &self,
        domain: &DomainName,
        workflow_id: &WorkflowId,
        run_id: Option<&cpe_swf::RunId>,
    ) -> Option<RunNo> {
        let no = *self.domains.get(domain)?.open.get(workflow_id)?;
        let run = self.runs.get(&no)?;
        run_id.is_none_or(|id| *id == run.execution.run_id).then_some(no)
    }
}

fn unknown_domain(name: &DomainName) -> Fault {
    Fault::new(FaultKind::UnknownResourceFault, format!("Unknown domain: {name}"))
}

#[cfg(test)]
mod tests;
