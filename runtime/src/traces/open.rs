//! A span that has begun.

use std::time::{Duration, SystemTime};

use cpe_protocol::Metering;
use cpe_swf::{Timestamp, WorkflowExecution};
use opentelemetry::{
    InstrumentationScope, Key, KeyValue, Value,
    trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState},
};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SpanData, SpanEvents, SpanLinks};

use super::ids::Trace;

#[derive(Debug, Clone)]
pub(crate) struct Open {
    trace: TraceId,
    /// `None` where nothing refers to it.
    pub(super) id: Option<SpanId>,
    pub(super) parent: Option<SpanId>,
    name: String,
    kind: SpanKind,
    pub(super) began: Timestamp,
    pub(super) attributes: Vec<KeyValue>,
    /// Of a decision task, which may be the last of its run.
    pub(super) execution: Option<WorkflowExecution>,
    pub(super) plan: Option<String>,
}

impl Open {
    /// A span of a job's trace, whose parent nobody has told yet.
    pub(super) fn new(trace: &Trace, name: String, kind: SpanKind, began: Timestamp) -> Self {
        let attributes = vec![
            attribute("cpe.client", trace.job.client.to_string()),
            attribute("cpe.job.id", trace.job.job_id.to_string()),
        ];
        Self {
            trace: trace.id,
            id: None,
            parent: None,
            name,
            kind,
            began,
            attributes,
            execution: None,
            plan: None,
        }
    }

    /// What a run of a module took.
    pub(super) fn meter(&mut self, took: &Metering) {
        let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        self.attributes.extend([
            attribute("cpe.module.digest", took.module.clone()),
            attribute("cpe.wait_ms", took.wait_ms),
            attribute("cpe.instantiate_ms", took.instantiate_ms),
            attribute("cpe.run_ms", took.run_ms),
            attribute("cpe.commit_ms", took.commit_ms),
            attribute("cpe.cpu_ms", took.cpu_ms),
            attribute("cpe.peak_memory", bytes(took.peak_memory)),
            attribute("cpe.s3.read", bytes(took.s3_read)),
            attribute("cpe.s3.written", bytes(took.s3_written)),
            attribute("cpe.http.sent", bytes(took.http_sent)),
            attribute("cpe.http.received", bytes(took.http_received)),
        ]);
    }

    pub(super) fn close(
        self,
        end: Timestamp,
        status: Status,
        scope: &InstrumentationScope,
        random: &RandomIdGenerator,
    ) -> SpanData {
        let id = self.id.unwrap_or_else(|| random.new_span_id());
        let (flags, state) = (TraceFlags::SAMPLED, TraceState::default());
        // Clocks of two machines may differ: nothing ends before it begins.
        let end = end.max(self.began);
        SpanData {
            span_context: SpanContext::new(self.trace, id, flags, false, state),
            parent_span_id: self.parent.unwrap_or(SpanId::INVALID),
            // Most often of another process.
            parent_span_is_remote: self.parent.is_some(),
            span_kind: self.kind,
            name: self.name.into(),
            start_time: system_time(self.began),
            end_time: system_time(end),
            attributes: self.attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status,
            instrumentation_scope: scope.clone(),
        }
    }
}

pub(super) fn attribute(key: &'static str, value: impl Into<Value>) -> KeyValue {
    KeyValue::new(Key::from_static_str(key), value)
}

fn system_time(at: Timestamp) -> SystemTime {
    let millis = u64::try_from(at.as_millis()).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
}
