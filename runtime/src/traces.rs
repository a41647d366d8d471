//! Traces for OpenTelemetry: one job is one trace, from the message that asks for it to the event
//! that tells its end, whichever processes of the fleet had a part in it.
//!
//! Like metrics, spans are seen at the ports, so that pollers, plans and sandbox know nothing of
//! them. No context travels with messages and tasks: trace and parents follow from the names of
//! job and run ([`ids`]), which every process reads from what SWF hands it.
//!
//! | span | from | to |
//! |---|---|---|
//! | `START_JOB` | its message was sent | SWF has started the execution |
//! | `run PLAN` | the execution began | its last decision was taken |
//! | `decide` | a decision task was handed out | it was answered |
//! | `activity NAME` | an activity task was handed out | it was answered |
//! | `send TYPE` | an event goes to its queue | the queue has it |
//!
//! The first is the root; runs are its children, and everything else belongs to a run.

mod export;
mod ids;
mod open;

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use cpe_ports::{Clock, Error, Message, QueueUrl};
use cpe_protocol::Note;
use cpe_swf::{
    Decision, HistoryEvent, RunId, TaskToken, Timestamp, WorkflowExecution, WorkflowId, api::*,
    note_of,
};
use cpe_worker::MESSAGE_TAG;
use lru::LruCache;
use opentelemetry::{
    InstrumentationScope,
    trace::{SpanKind, Status},
};
use opentelemetry_sdk::trace::{
    Config, RandomIdGenerator, SamplingDecision, ShouldSample, SpanProcessor,
};
use serde::Deserialize;

pub(crate) use self::open::Open;
use self::{ids::Trace, open::attribute};

/// Messages, tasks and runs that are remembered, each. What was forgotten has no span, or a run
/// that begins late.
const KEPT: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");

/// Clones share everything.
#[derive(Debug, Clone)]
pub struct Traces(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    processor: Box<dyn SpanProcessor>,
    sampler: Box<dyn ShouldSample>,
    random: RandomIdGenerator,
    scope: InstrumentationScope,
    clock: Arc<dyn Clock>,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    /// By message id.
    messages: LruCache<String, Received>,
    tasks: LruCache<TaskToken, Open>,
    begins: LruCache<RunId, Timestamp>,
}

#[derive(Debug, Clone)]
struct Received {
    queue: String,
    sent: Timestamp,
    count: u32,
}

/// Spans that end with the answer to a task.
#[derive(Debug)]
pub(crate) struct Answering {
    token: TaskToken,
    /// The task's own first.
    spans: Vec<(Open, Status)>,
}

impl Traces {
    /// What the variables of OpenTelemetry ask for: nothing, unless
    /// `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` is set. Those for
    /// headers, sampler, batches, service name and resource are read too.
    ///
    /// [Specification](https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/)
    ///
    /// # Errors
    ///
    /// If one of them makes no sense.
    pub fn from_env(clock: Arc<dyn Clock>) -> anyhow::Result<Option<Self>> {
        let Some(processor) = export::from_env()? else { return Ok(None) };
        // By `OTEL_TRACES_SAMPLER`.
        let sampler = Config::default().sampler;
        Ok(Some(Self::new(Box::new(processor), sampler, clock)))
    }

    /// The spans of the jobs that `sampler` takes go to `processor`.
    fn new(
        processor: Box<dyn SpanProcessor>,
        sampler: Box<dyn ShouldSample>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let kept = Kept {
            messages: LruCache::new(KEPT),
            tasks: LruCache::new(KEPT),
            begins: LruCache::new(KEPT),
        };
        let scope = InstrumentationScope::builder("cpe").with_version(env!("CARGO_PKG_VERSION"));
        Self(Arc::new(Inner {
            processor,
            sampler,
            random: RandomIdGenerator::default(),
            scope: scope.build(),
            clock,
            kept: Mutex::new(kept),
        }))
    }

    /// Sends what is left. Takes as long as the collector does, and a few seconds at most.
    pub async fn close(self) {
        let closing = tokio::task::spawn_blocking(move || self.0.processor.shutdown());
        if let Ok(Err(error)) = closing.await {
            tracing::warn!(%error, "The last spans may be lost");
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// The trace of an execution, if it is a job's and its trace is wanted: by its name, so that
    /// all processes that have the same sampler come to the same.
    fn trace(&self, execution: &WorkflowId) -> Option<Trace> {
        let trace = Trace::of(execution)?;
        let kind = &SpanKind::Internal;
        let sampled = self.0.sampler.should_sample(None, trace.id, "job", kind, &[], &[]);
        (sampled.decision == SamplingDecision::RecordAndSample).then_some(trace)
    }

    /// A span of a run that begins now.
    fn of_run(&self, execution: &WorkflowExecution, name: String, kind: SpanKind) -> Option<Open> {
        let trace = self.trace(&execution.workflow_id)?;
        let parent = ids::of_run(&execution.run_id);
        let mut open = Open::new(&trace, name, kind, self.now());
        open.parent = Some(parent);
        open.attributes.push(attribute("aws.swf.run_id", execution.run_id.to_string()));
        Some(open)
    }

    fn close_span(&self, open: Open, status: Status) {
        let span = open.close(self.now(), status, &self.0.scope, &self.0.random);
        self.0.processor.on_end(span);
    }

    pub(crate) fn received(&self, queue: &QueueUrl, messages: &[Message]) {
        let now = self.now();
        let name = queue.0.rsplit('/').next().unwrap_or_default();
        let mut kept = self.kept();
        for message in messages {
            let received = Received {
                queue: name.to_owned(),
                sent: message.sent.unwrap_or(now),
                count: message.receive_count,
            };
            kept.messages.put(message.message_id.clone(), received);
        }
    }

    /// The root of the trace of a job that SWF is asked to start.
    pub(crate) fn starting(&self, request: &StartWorkflowExecutionRequest) -> Option<Open> {
        let trace = self.trace(&request.workflow_id)?;
        let message = request.tag_list.iter().find_map(|tag| tag.strip_prefix(MESSAGE_TAG));
        let received = message.and_then(|id| self.kept().messages.get(id).cloned());
        let began = received.as_ref().map_or_else(|| self.now(), |received| received.sent);
        let mut open = Open::new(&trace, "START_JOB".to_owned(), SpanKind::Consumer, began);
        open.id = Some(trace.root);
        open.attributes.push(attribute("cpe.plan", request.workflow_type.to_string()));
        if let (Some(id), Some(received)) = (message, received) {
            open.attributes.extend([
                attribute("messaging.system", "aws_sqs"),
                attribute("messaging.message.id", id.to_owned()),
                attribute("messaging.destination.name", received.queue),
                attribute("cpe.message.received", i64::from(received.count)),
            ]);
        }
        Some(open)
    }

    /// Something asked of a job: a signal, or a cancel.
    pub(crate) fn asking(
        &self,
        workflow_id: &WorkflowId,
        run: Option<&RunId>,
        name: String,
    ) -> Option<Open> {
        let trace = self.trace(workflow_id)?;
        let mut open = Open::new(&trace, name, SpanKind::Client, self.now());
        open.parent = Some(run.map_or(trace.root, ids::of_run));
        Some(open)
    }

    /// A call that is a span was answered.
    pub(crate) fn ended<T>(&self, open: Open, answer: &Result<T, Error>) {
        let status = match answer {
            Ok(_) => Status::Unset,
            Err(error) => Status::error(error.to_string()),
        };
        self.close_span(open, status);
    }

    /// When a run began stands in the first event of its history.
    pub(crate) fn read(&self, run: &RunId, events: &[HistoryEvent]) {
        if let Some(first) = events.iter().find(|event| event.event_id.0 == 1) {
            self.kept().begins.put(run.clone(), first.event_timestamp);
        }
    }

    pub(crate) fn decision_came(&self, task: &DecisionTask) {
        let execution = &task.workflow_execution;
        self.read(&execution.run_id, &task.events);
        let open = self.of_run(execution, "decide".to_owned(), SpanKind::Internal);
        if let Some(mut open) = open {
            open.execution = Some(execution.clone());
            open.plan = Some(task.workflow_type.to_string());
            let events = i64::try_from(task.events.len()).unwrap_or(i64::MAX);
            open.attributes.extend([
                attribute("aws.swf.started_event_id", task.started_event_id.0),
                attribute("cpe.decide.events", events),
            ]);
            self.kept().tasks.put(task.task_token.clone(), open);
        }
    }

    pub(crate) fn deciding(
        &self,
        request: &RespondDecisionTaskCompletedRequest,
    ) -> Option<Answering> {
        let mut open = self.kept().tasks.peek(&request.task_token)?.clone();
        let taken: Vec<_> = request.decisions.iter().map(Decision::type_name).collect();
        open.attributes.push(attribute("aws.swf.decisions", taken.join(" ")));
        let end = request.decisions.iter().find_map(end);
        let run = end.and_then(|(outcome, status)| Some((self.run(&open, outcome)?, status)));
        let spans = std::iter::once((open, Status::Unset)).chain(run).collect();
        Some(Answering { token: request.task_token.clone(), spans })
    }

    /// The span of a run whose last decision task this is.
    fn run(&self, decide: &Open, outcome: &'static str) -> Option<Open> {
        let (execution, plan) = (decide.execution.as_ref()?, decide.plan.as_ref()?);
        let began = self.kept().begins.pop(&execution.run_id).unwrap_or(decide.began);
        let trace = self.trace(&execution.workflow_id)?;
        let mut run = Open::new(&trace, format!("run {plan}"), SpanKind::Internal, began);
        run.id = Some(ids::of_run(&execution.run_id));
        run.parent = Some(trace.root);
        run.attributes.extend([
            attribute("aws.swf.workflow_id", execution.workflow_id.to_string()),
            attribute("aws.swf.run_id", execution.run_id.to_string()),
            attribute("cpe.plan", plan.clone()),
            attribute("cpe.outcome", outcome),
        ]);
        Some(run)
    }

    pub(crate) fn activity_came(&self, task: &ActivityTask) {
        let name = format!("activity {}", task.activity_type.name);
        let open = self.of_run(&task.workflow_execution, name, SpanKind::Internal);
        if let Some(mut open) = open {
            let id = cpe_plan::parse_activity_id(&task.activity_id.0);
            open.attributes.extend([
                attribute("cpe.activity.id", task.activity_id.to_string()),
                attribute("cpe.activity.type", task.activity_type.to_string()),
                attribute("cpe.activity.attempt", i64::from(id.attempt)),
            ]);
            self.kept().tasks.put(task.task_token.clone(), open);
        }
    }

    /// An activity task is about to be answered, by a text with the worker's note behind it.
    pub(crate) fn ending(
        &self,
        token: &TaskToken,
        outcome: &'static str,
        reason: Option<&str>,
        text: Option<&str>,
    ) -> Option<Answering> {
        let mut open = self.kept().tasks.peek(token)?.clone();
        open.attributes.push(attribute("cpe.outcome", outcome));
        if let Some(Note { metering, .. }) = text.and_then(note_of).and_then(Note::parse) {
            open.meter(&metering);
        }
        let status = reason.map_or(Status::Unset, |reason| Status::error(reason.to_owned()));
        Some(Answering { token: token.clone(), spans: vec![(open, status)] })
    }

    /// An answer that may still arrive is given again.
    pub(crate) fn answered(&self, answering: Answering, answer: &Result<(), Error>) {
        let Answering { token, spans } = answering;
        match answer {
            Ok(()) => {
                self.kept().tasks.pop(&token);
                for (open, status) in spans {
                    self.close_span(open, status);
                }
            }
            Err(error) if error.kind().is_transient() => {}
            Err(error) => self.lost(&token, error),
        }
    }

    /// SWF knows of no such task any more.
    pub(crate) fn lost(&self, token: &TaskToken, error: &Error) {
        let open = self.kept().tasks.pop(token);
        if let Some(open) = open {
            self.close_span(open, Status::error(error.to_string()));
        }
    }

    /// An event is about to be sent.
    pub(crate) fn sending(&self, queue: &QueueUrl, body: &str) -> Option<Open> {
        let head: Head = serde_json::from_str(body).ok()?;
        let execution = head.execution()?;
        let mut open =
            self.of_run(&execution, format!("send {}", head.r#type), SpanKind::Producer)?;
        let queue = queue.0.rsplit('/').next().unwrap_or_default();
        open.attributes.extend([
            attribute("messaging.system", "aws_sqs"),
            attribute("messaging.destination.name", queue.to_owned()),
            attribute("cpe.event.seq", head.seq),
        ]);
        let activity = head.data.activity.map(|activity| activity.activity_id);
        open.attributes.extend(activity.map(|id| attribute("cpe.activity.id", id)));
        Some(open)
    }
}

/// Of an event, what a span tells.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    r#type: String,
    #[serde(default)]
    seq: i64,
    workflow_id: Option<String>,
    run_id: Option<String>,
    #[serde(default)]
    data: HeadData,
}

#[derive(Deserialize, Default)]
struct HeadData {
    workflow: Option<WorkflowExecution>,
    activity: Option<HeadActivity>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HeadActivity {
    activity_id: String,
}

impl Head {
    fn execution(&self) -> Option<WorkflowExecution> {
        let above = || {
            let (workflow_id, run_id) = (self.workflow_id.as_deref()?, self.run_id.as_deref()?);
            Some(WorkflowExecution { workflow_id: workflow_id.into(), run_id: run_id.into() })
        };
        self.data.workflow.clone().or_else(above)
    }
}

/// How a decision ends its run.
fn end(decision: &Decision) -> Option<(&'static str, Status)> {
    match decision {
        Decision::CompleteWorkflowExecution(_) => Some(("completed", Status::Ok)),
        Decision::CancelWorkflowExecution(_) => Some(("canceled", Status::Unset)),
        Decision::ContinueAsNewWorkflowExecution(_) => Some(("continued as new", Status::Unset)),
        Decision::FailWorkflowExecution(failed) => {
            let reason = failed.reason.clone().unwrap_or_default();
            Some(("failed", Status::error(reason)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
