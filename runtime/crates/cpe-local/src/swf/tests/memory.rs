//! An archive in memory, kept from the machine's writes.

use std::collections::BTreeMap;

use cpe_swf::{
    DomainName, EventId, ExecutionStatus, Fault, HistoryEvent, WorkflowExecution,
    api::WorkflowExecutionDetail,
};

use super::super::{
    Archive, EventRange, Filter, Listed, Listing, RunNo, RunRecord, TimeField, Write,
};

#[derive(Debug, Default)]
pub(in super::super) struct MemoryArchive {
    pub(in super::super) runs: BTreeMap<RunNo, RunRecord>,
    pub(in super::super) events: BTreeMap<RunNo, Vec<HistoryEvent>>,
}

impl MemoryArchive {
    pub(in super::super) fn write(&mut self, writes: &[Write]) {
        for write in writes {
            match write {
                Write::Run(record) => {
                    self.runs.insert(record.no, (**record).clone());
                }
                Write::Event { run, event } => {
                    self.events.entry(*run).or_default().push(event.clone());
                }
                _ => {}
            }
        }
    }

    fn matching(&self, listing: &Listing<'_>) -> Vec<Listed> {
        let time = |record: &RunRecord| match listing.time {
            TimeField::Started => Some(record.info.start_timestamp),
            TimeField::Closed => record.info.close_timestamp,
        };
        let mut found: Vec<_> = self
            .runs
            .values()
            .filter(|run| run.domain == *listing.domain)
            .filter(|run| run.info.execution_status == listing.status)
            .filter_map(|run| Some((time(run)?, run.no, run)))
            .filter(|(at, ..)| (listing.oldest..=listing.latest).contains(at))
            .filter(|(_, _, run)| match listing.filter {
                Filter::All => true,
                Filter::WorkflowId(id) => run.info.execution.workflow_id == *id,
                Filter::Type(kind) => {
                    run.info.workflow_type.name == kind.name
                        && kind
                            .version
                            .as_ref()
                            .is_none_or(|version| run.info.workflow_type.version == *version)
                }
                Filter::Tag(tag) => run.info.tag_list.iter().any(|own| own == tag),
                Filter::CloseStatus(status) => run.info.close_status == Some(status),
            })
            .collect();
        found.sort_by_key(|(at, no, _)| (*at, *no));
        if !listing.ascending {
            found.reverse();
        }
        found
            .into_iter()
            .filter(|(at, no, _)| match listing.after {
                None => true,
                Some(after) if listing.ascending => (*at, *no) > after,
                Some(after) => (*at, *no) < after,
            })
            .take(listing.limit as usize)
            .map(|(_, no, run)| Listed { no, info: run.info.clone() })
            .collect()
    }
}

impl Archive for MemoryArchive {
    fn find(
        &self,
        domain: &DomainName,
        execution: &WorkflowExecution,
    ) -> Result<Option<(RunNo, WorkflowExecutionDetail)>, Fault> {
        Ok(self
            .runs
            .values()
            .filter(|run| run.info.execution_status == ExecutionStatus::Closed)
            .find(|run| run.domain == *domain && run.info.execution == *execution)
            .map(|run| (run.no, run.detail.clone().unwrap())))
    }

    fn execution(&self, run: RunNo) -> Result<Option<WorkflowExecution>, Fault> {
        let closed = self.runs.values().find(|record| record.no == run);
        let closed = closed.filter(|run| run.info.execution_status == ExecutionStatus::Closed);
        Ok(closed.map(|run| run.info.execution.clone()))
    }

    fn events(&self, run: RunNo, range: EventRange) -> Result<Vec<HistoryEvent>, Fault> {
        Ok(self.events.get(&run).map(|events| range.of(events)).unwrap_or_default())
    }

    fn last_event(&self, run: RunNo) -> Result<EventId, Fault> {
        Ok(EventId(self.events.get(&run).map_or(0, Vec::len) as i64))
    }

    fn list(&self, listing: &Listing<'_>) -> Result<Vec<Listed>, Fault> {
        Ok(self.matching(listing))
    }

    fn count(&self, listing: &Listing<'_>) -> Result<u32, Fault> {
        Ok(self.matching(listing).len() as u32)
    }
}
