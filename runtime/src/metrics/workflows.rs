//! The workflow service, metered: polls, decisions, activity tasks and how they end.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use cpe_ports::{Error, ErrorKind, WorkflowService};
use cpe_swf::{DomainName, RunId, TaskToken, WorkflowId, api::*};
use tokio::time::Instant;

use super::Metrics;
use crate::traces::{Answering, Open};

/// Tokens that are kept before those are looked for whose answer never came.
const KEPT: usize = 16_384;
/// No decision task takes longer.
const LONGEST_DECISION: Duration = Duration::from_secs(3_600);

#[derive(Debug)]
pub(super) struct Metered {
    inner: Arc<dyn WorkflowService>,
    metrics: Metrics,
    decisions: Mutex<HashMap<TaskToken, Instant>>,
    /// Activity tasks in flight, and whose they are.
    activities: Mutex<HashMap<TaskToken, String>>,
}

impl Metered {
    pub(super) fn new(inner: Arc<dyn WorkflowService>, metrics: Metrics) -> Self {
        Self { inner, metrics, decisions: Mutex::default(), activities: Mutex::default() }
    }

    fn look<T>(&self, answer: Result<T, Error>) -> Result<T, Error> {
        self.metrics.look("swf", answer)
    }

    fn decision_begins(&self, token: &TaskToken) {
        let mut decisions = self.decisions.lock().unwrap_or_else(PoisonError::into_inner);
        if decisions.len() >= KEPT {
            decisions.retain(|_, since| since.elapsed() < LONGEST_DECISION);
        }
        if decisions.len() < KEPT {
            decisions.insert(token.clone(), Instant::now());
        }
    }

    fn decision_ends(&self, token: &TaskToken) {
        let mut decisions = self.decisions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(since) = decisions.remove(token) {
            self.metrics.tables().decision_seconds.observe(since.elapsed().as_secs_f64());
        }
    }

    fn activity_begins(&self, activity_task: &ActivityTask) {
        let client = self.metrics.client_of(&activity_task.workflow_execution.workflow_id);
        let mut activities = self.activities.lock().unwrap_or_else(PoisonError::into_inner);
        if activities.insert(activity_task.task_token.clone(), client.clone()).is_none() {
            self.metrics.tables().in_flight.get_or_create(&[("client", client)]).inc();
        }
    }

    /// With its answer, or when SWF knows of no such activity task any more. Answers whose it was.
    fn activity_ends(&self, token: &TaskToken, outcome: &str) -> Option<String> {
        let mut activities = self.activities.lock().unwrap_or_else(PoisonError::into_inner);
        let client = activities.remove(token)?;
        let tables = self.metrics.tables();
        tables.in_flight.get_or_create(&[("client", client.clone())]).dec();
        let labels = [("client", client.clone()), ("outcome", outcome.to_owned())];
        tables.activity_tasks.get_or_create(&labels).inc();
        Some(client)
    }

    /// An answer that may still arrive is given again.
    fn answered(
        &self,
        token: &TaskToken,
        outcome: &str,
        answer: &Result<(), Error>,
    ) -> Option<String> {
        match answer {
            Ok(()) => self.activity_ends(token, outcome),
            Err(error) if error.kind().is_transient() => None,
            Err(_) => self.activity_ends(token, "lost"),
        }
    }

    fn asking(&self, job: &WorkflowId, run: Option<&RunId>, name: String) -> Option<Open> {
        self.metrics.traces()?.asking(job, run, name)
    }

    fn ending(
        &self,
        token: &TaskToken,
        outcome: &'static str,
        reason: Option<&str>,
        text: Option<&str>,
    ) -> Option<Answering> {
        self.metrics.traces()?.ending(token, outcome, reason, text)
    }

    fn close(&self, spans: Option<Answering>, answer: &Result<(), Error>) {
        if let (Some(traces), Some(spans)) = (self.metrics.traces(), spans) {
            traces.answered(spans, answer);
        }
    }
}

/// The limit that a reason tells of.
fn limit(reason: &str) -> Option<&'static str> {
    const LIMITS: [&str; 11] = [
        "cpe.limit.memory",
        "cpe.limit.cpu",
        "cpe.limit.wall",
        "cpe.limit.output",
        "cpe.limit.table",
        "cpe.limit.stack",
        "cpe.limit.handles",
        "cpe.limit.scratch",
        "cpe.limit.call",
        "cpe.module.compile-limit",
        "cpe.result.too-large",
    ];
    LIMITS.into_iter().find(|known| *known == reason)
}

#[async_trait]
impl WorkflowService for Metered {
    async fn poll_for_decision_task(
        &self,
        request: PollForDecisionTaskRequest,
    ) -> Result<Option<DecisionTask>, Error> {
        let first = request.next_page_token.is_none();
        let since = Instant::now();
        let answer = self.look(self.inner.poll_for_decision_task(request).await);
        // Further pages belong to the same decision task.
        if first {
            self.metrics.polled("decider", since, &answer, Option::is_some);
            if let Ok(Some(decision_task)) = &answer {
                self.decision_begins(&decision_task.task_token);
                if let Some(traces) = self.metrics.traces() {
                    traces.decision_came(decision_task);
                }
            }
        }
        answer
    }

    async fn respond_decision_task_completed(
        &self,
        request: RespondDecisionTaskCompletedRequest,
    ) -> Result<(), Error> {
        let token = request.task_token.clone();
        let spans = self.metrics.traces().and_then(|traces| traces.deciding(&request));
        let answer = self.look(self.inner.respond_decision_task_completed(request).await);
        self.close(spans, &answer);
        if !answer.as_ref().is_err_and(|error| error.kind().is_transient()) {
            self.decision_ends(&token);
        }
        answer
    }

    async fn poll_for_activity_task(
        &self,
        request: PollForActivityTaskRequest,
    ) -> Result<Option<ActivityTask>, Error> {
        let since = Instant::now();
        let answer = self.look(self.inner.poll_for_activity_task(request).await);
        self.metrics.polled("activity", since, &answer, Option::is_some);
        if let Ok(Some(activity_task)) = &answer {
            self.activity_begins(activity_task);
            if let Some(traces) = self.metrics.traces() {
                traces.activity_came(activity_task);
            }
        }
        answer
    }

    async fn record_activity_task_heartbeat(
        &self,
        task_token: &TaskToken,
        details: Option<String>,
    ) -> Result<ActivityTaskStatus, Error> {
        let beat = self.inner.record_activity_task_heartbeat(task_token, details).await;
        let beat = self.look(beat);
        if let Err(error) = &beat
            && error.kind() == ErrorKind::NotFound
        {
            self.activity_ends(task_token, "lost");
            if let Some(traces) = self.metrics.traces() {
                traces.lost(task_token, error);
            }
        }
        beat
    }

    async fn respond_activity_task_completed(
        &self,
        request: RespondActivityTaskCompletedRequest,
    ) -> Result<(), Error> {
        let token = request.task_token.clone();
        let text = request.result.as_deref();
        let spans = self.ending(&token, "completed", None, text);
        let answer = self.look(self.inner.respond_activity_task_completed(request).await);
        self.close(spans, &answer);
        self.answered(&token, "completed", &answer);
        answer
    }

    async fn respond_activity_task_failed(
        &self,
        request: RespondActivityTaskFailedRequest,
    ) -> Result<(), Error> {
        let token = request.task_token.clone();
        let limit = request.reason.as_deref().and_then(limit);
        let text = request.details.as_deref();
        let spans = self.ending(&token, "failed", request.reason.as_deref(), text);
        let answer = self.look(self.inner.respond_activity_task_failed(request).await);
        self.close(spans, &answer);
        let client = self.answered(&token, "failed", &answer);
        if let (Some(client), Some(limit)) = (client, limit) {
            let labels = [("client", client), ("reason", limit.to_owned())];
            self.metrics.tables().limits.get_or_create(&labels).inc();
        }
        answer
    }

    async fn respond_activity_task_canceled(
        &self,
        request: RespondActivityTaskCanceledRequest,
    ) -> Result<(), Error> {
        let token = request.task_token.clone();
        let text = request.details.as_deref();
        let spans = self.ending(&token, "canceled", None, text);
        let answer = self.look(self.inner.respond_activity_task_canceled(request).await);
        self.close(spans, &answer);
        self.answered(&token, "canceled", &answer);
        answer
    }

    async fn register_domain(&self, request: RegisterDomainRequest) -> Result<(), Error> {
        self.look(self.inner.register_domain(request).await)
    }

    async fn register_workflow_type(
        &self,
        request: RegisterWorkflowTypeRequest,
    ) -> Result<(), Error> {
        self.look(self.inner.register_workflow_type(request).await)
    }

    async fn register_activity_type(
        &self,
        request: RegisterActivityTypeRequest,
    ) -> Result<(), Error> {
        self.look(self.inner.register_activity_type(request).await)
    }

    async fn start_workflow_execution(
        &self,
        request: StartWorkflowExecutionRequest,
    ) -> Result<Run, Error> {
        let span = self.metrics.traces().and_then(|traces| traces.starting(&request));
        let answer = self.look(self.inner.start_workflow_execution(request).await);
        // Another try, or somebody else, may have done it.
        self.metrics.close(span.filter(|_| answer.is_ok()), &answer);
        answer
    }

    async fn signal_workflow_execution(
        &self,
        request: SignalWorkflowExecutionRequest,
    ) -> Result<(), Error> {
        let name = format!("signal {}", request.signal_name);
        let span = self.asking(&request.workflow_id, request.run_id.as_ref(), name);
        let answer = self.look(self.inner.signal_workflow_execution(request).await);
        self.metrics.close(span, &answer);
        answer
    }

    async fn request_cancel_workflow_execution(
        &self,
        request: RequestCancelWorkflowExecutionRequest,
    ) -> Result<(), Error> {
        let span = self.asking(&request.workflow_id, request.run_id.as_ref(), "cancel".to_owned());
        let answer = self.look(self.inner.request_cancel_workflow_execution(request).await);
        self.metrics.close(span, &answer);
        answer
    }

    async fn terminate_workflow_execution(
        &self,
        request: TerminateWorkflowExecutionRequest,
    ) -> Result<(), Error> {
        self.look(self.inner.terminate_workflow_execution(request).await)
    }

    async fn describe_workflow_execution(
        &self,
        request: DescribeWorkflowExecutionRequest,
    ) -> Result<WorkflowExecutionDetail, Error> {
        self.look(self.inner.describe_workflow_execution(request).await)
    }

    async fn get_workflow_execution_history(
        &self,
        request: GetWorkflowExecutionHistoryRequest,
    ) -> Result<History, Error> {
        let run = request.execution.run_id.clone();
        let answer = self.look(self.inner.get_workflow_execution_history(request).await);
        if let (Ok(history), Some(traces)) = (&answer, self.metrics.traces()) {
            traces.read(&run, &history.events);
        }
        answer
    }

    async fn list_open_workflow_executions(
        &self,
        request: ListOpenWorkflowExecutionsRequest,
    ) -> Result<WorkflowExecutionInfos, Error> {
        self.look(self.inner.list_open_workflow_executions(request).await)
    }

    async fn list_closed_workflow_executions(
        &self,
        request: ListClosedWorkflowExecutionsRequest,
    ) -> Result<WorkflowExecutionInfos, Error> {
        self.look(self.inner.list_closed_workflow_executions(request).await)
    }

    async fn describe_domain(&self, domain: &DomainName) -> Result<(), Error> {
        self.look(self.inner.describe_domain(domain).await)
    }
}
