//! Names of traces and spans that every process comes to by itself.

use cpe_protocol::JobRef;
use cpe_swf::{RunId, WorkflowId};
use opentelemetry::trace::{SpanId, TraceId};
use sha2::{Digest, Sha256};

/// The trace of a job.
#[derive(Debug, Clone)]
pub(super) struct Trace {
    pub(super) job: JobRef,
    pub(super) id: TraceId,
    pub(super) root: SpanId,
}

impl Trace {
    /// `None` for an execution that is no job's. A jobId is never used again, so that a trace
    /// has one job.
    pub(super) fn of(execution: &WorkflowId) -> Option<Self> {
        let job = JobRef::owner_of(execution).ok()?;
        let hash = Sha256::digest(job.workflow_id().as_str());
        let (id, rest) = hash.split_first_chunk()?;
        let root = rest.first_chunk()?;
        Some(Self { id: TraceId::from_bytes(*id), root: SpanId::from_bytes(*root), job })
    }
}

pub(super) fn of_run(run: &RunId) -> SpanId {
    let hash = Sha256::digest(run.to_string());
    let bytes = hash.first_chunk().copied().unwrap_or_default();
    SpanId::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_and_its_children_are_one_trace() {
        let trace = |id: &str| Trace::of(&WorkflowId::from(id));
        let job = trace("acme.j-1").unwrap();
        let child = trace("acme.j-1.Encode").unwrap();
        assert_eq!((child.id, child.root), (job.id, job.root));
        assert_ne!(trace("acme.j-2").unwrap().id, job.id);
        assert_eq!(job.id.to_string().len(), 32);
        assert!(trace("nobody's").is_none());
    }
}
