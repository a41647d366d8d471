//! What the machine reads of runs that left memory.

use std::fmt;

use cpe_swf::{
    CloseStatus, DomainName, EventId, ExecutionStatus, Fault, HistoryEvent, Timestamp,
    WorkflowExecution, WorkflowId,
    api::{WorkflowExecutionDetail, WorkflowExecutionInfo, WorkflowTypeFilter},
};

use super::RunNo;

/// The stored runs: closed ones whole, open ones as lists show them.
pub(crate) trait Archive: fmt::Debug {
    /// A closed run by its ids.
    fn find(
        &self,
        domain: &DomainName,
        execution: &WorkflowExecution,
    ) -> Result<Option<(RunNo, WorkflowExecutionDetail)>, Fault>;

    /// The ids of a closed run.
    fn execution(&self, run: RunNo) -> Result<Option<WorkflowExecution>, Fault>;

    /// Events of a closed run.
    fn events(&self, run: RunNo, range: EventRange) -> Result<Vec<HistoryEvent>, Fault>;

    /// The last event of a closed run.
    fn last_event(&self, run: RunNo) -> Result<EventId, Fault>;

    /// Runs, open or closed, in the order that the listing asks for.
    fn list(&self, listing: &Listing<'_>) -> Result<Vec<Listed>, Fault>;

    /// How many runs a listing has in all, counted up to its limit.
    fn count(&self, listing: &Listing<'_>) -> Result<u32, Fault>;
}

/// Events by their ids, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventRange {
    pub(crate) first: EventId,
    pub(crate) last: EventId,
    pub(crate) reverse: bool,
}

impl EventRange {
    /// That range of a whole history.
    pub(crate) fn of(self, events: &[HistoryEvent]) -> Vec<HistoryEvent> {
        let start = usize::try_from(self.first.0.saturating_sub(1)).unwrap_or(0);
        let end = usize::try_from(self.last.0).unwrap_or(0).min(events.len());
        let events = events.get(start..end).unwrap_or_default();
        if self.reverse { events.iter().rev().cloned().collect() } else { events.to_vec() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeField {
    Started,
    Closed,
}

/// At most one filter beside the time, as in SWF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filter<'a> {
    All,
    WorkflowId(&'a WorkflowId),
    Type(&'a WorkflowTypeFilter),
    Tag(&'a str),
    CloseStatus(CloseStatus),
}

/// Which runs to list, and from where on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listing<'a> {
    pub(crate) domain: &'a DomainName,
    pub(crate) status: ExecutionStatus,
    pub(crate) time: TimeField,
    pub(crate) oldest: Timestamp,
    pub(crate) latest: Timestamp,
    pub(crate) filter: Filter<'a>,
    /// Oldest first. SWF's own order is the newest first.
    pub(crate) ascending: bool,
    /// The place after which to begin: a time, and a run among those of the same time.
    pub(crate) after: Option<(Timestamp, RunNo)>,
    pub(crate) limit: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) no: RunNo,
    pub(crate) info: WorkflowExecutionInfo,
}
