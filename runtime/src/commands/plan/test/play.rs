//! Runs one case to the end of its execution: decides whatever there is to decide, lets mocks
//! answer, and when nothing is left to do at this moment, lets time pass to the next.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    time::Duration,
};

use anyhow::{Context, bail};
use cpe_plan::cases::{Case, MockEnd};
use cpe_ports::{Error, ErrorKind, Message, ReceiptHandle};
use cpe_protocol::{ActivityRef, EventData, JobEvent};
use cpe_swf::{
    CloseStatus, Decision, TaskList, TaskToken, Timestamp, WorkflowExecution, WorkflowId,
    api::*,
    decision::{CancelWorkflowExecution, CompleteWorkflowExecution, FailWorkflowExecution},
};
use cpe_worker::{Activities, ActivitiesConfig};
use serde_json::json;

use super::{
    guests::Components,
    stage::Stage,
    tap::{Canceled, MockedChild},
};

/// Decision tasks of one case; a few seconds' worth.
const MAX_DECISIONS: u32 = 200_000;

/// How the play ended.
#[derive(Debug)]
pub(super) enum Curtain {
    Closed(CloseStatus, Timestamp),
    /// The limit of virtual time has passed.
    Open,
    /// The job was refused.
    Refused,
}

#[derive(Debug)]
pub(super) struct Play<'p> {
    stage: &'p Stage,
    case: &'p Case,
    components: &'p Components,
    folder: &'p Path,
    agenda: BTreeMap<(Timestamp, u64), Action>,
    entries: u64,
    decisions: u32,
    /// Activity tasks that mocks are at.
    running: HashMap<(WorkflowId, String), Running>,
    /// Mocked children that are open.
    children: HashMap<WorkflowId, MockedChild>,
}

#[derive(Debug)]
enum Action {
    Signal(usize),
    Cancel,
    Answer(WorkflowId, String),
    AnswerChild(WorkflowId),
}

#[derive(Debug)]
struct Running {
    token: TaskToken,
    end: MockEnd,
    ignores_cancel: bool,
}

impl<'p> Play<'p> {
    pub(super) fn new(
        stage: &'p Stage,
        case: &'p Case,
        (components, folder): (&'p Components, &'p Path),
    ) -> Self {
        let (agenda, running, children) = (BTreeMap::new(), HashMap::new(), HashMap::new());
        Self {
            stage,
            case,
            components,
            folder,
            agenda,
            entries: 0,
            decisions: 0,
            running,
            children,
        }
    }

    pub(super) async fn run(mut self) -> anyhow::Result<Curtain> {
        if !self.start().await? {
            return Ok(Curtain::Refused);
        }
        for (index, signal) in self.case.signals.iter().enumerate() {
            self.plan(Stage::at(signal.after), Action::Signal(index));
        }
        if let Some(after) = self.case.cancel {
            self.plan(Stage::at(after), Action::Cancel);
        }
        let limit = Stage::at(self.case.limit);
        loop {
            self.do_what_is_due().await?;
            self.settle().await?;
            if let Some(end) = self.closed().await? {
                return Ok(end);
            }
            let now = self.stage.now();
            let mine = self.agenda.first_key_value().map(|((at, _), _)| *at);
            if mine.is_some_and(|at| at <= now) {
                continue;
            }
            let next = self.stage.local.next_due().await?.into_iter().chain(mine).min();
            let next = next.unwrap_or(limit).max(now + Duration::from_millis(1));
            self.stage.local.pass_time(next.min(limit)).await?;
            if next > limit {
                self.settle().await?;
                return Ok(self.closed().await?.unwrap_or(Curtain::Open));
            }
        }
    }

    /// Sends `START_JOB`; `false` if it was refused.
    async fn start(&mut self) -> anyhow::Result<bool> {
        let plan = &self.stage.plan;
        let mut data = self.case.input.clone();
        let object = data.as_object_mut().context("the input is an object")?;
        object.insert("workflow".into(), json!({"name": plan.name, "version": plan.version}));
        let client = json!({"name": self.stage.job.client.as_str()});
        object.entry("client").or_insert(client);
        let body = json!({
            "time": self.stage.now(), "type": "START_JOB",
            "jobId": self.stage.job.job_id.as_str(), "data": data,
        });
        let message = Message {
            message_id: "start".to_owned(),
            receipt_handle: ReceiptHandle("start".to_owned()),
            body: body.to_string(),
            receive_count: 1,
            sent: None,
        };
        if !self.stage.input.serve(&self.stage.client, message).await {
            bail!("the job could not be started; the log says why");
        }
        let events = self.stage.ears.events();
        Ok(!events.iter().any(|event| event.get("type") == Some(&json!("COMMAND_REJECTED"))))
    }

    /// Decides and answers until nothing is left at this moment.
    async fn settle(&mut self) -> anyhow::Result<()> {
        loop {
            let mut busy = false;
            while self.stage.decider.decide_next().await? {
                busy = true;
                self.decisions += 1;
                if self.decisions > MAX_DECISIONS {
                    bail!("the execution has not ended after {MAX_DECISIONS} decision tasks");
                }
                if let Some(trouble) = self.stage.tap.noted().trouble.take() {
                    bail!(trouble);
                }
            }
            busy |= self.begin_activities().await?;
            busy |= self.begin_children();
            busy |= self.heed_cancels().await?;
            if !busy {
                return Ok(());
            }
        }
    }

    async fn begin_activities(&mut self) -> anyhow::Result<bool> {
        let lists = std::mem::take(&mut self.stage.tap.noted().waiting);
        let busy = !lists.is_empty();
        for list in lists {
            let request = PollForActivityTaskRequest {
                domain: self.stage.worker.domain.clone(),
                task_list: TaskList::new(list),
                identity: None,
            };
            let workflows = &self.stage.workflows;
            while let Some(task) = workflows.poll_for_activity_task(request.clone()).await? {
                self.begin(task).await?;
            }
        }
        Ok(busy)
    }

    async fn begin(&mut self, task: ActivityTask) -> anyhow::Result<()> {
        let (id, activity) =
            (task.workflow_execution.workflow_id.clone(), task.activity_id.0.clone());
        let mock = self.stage.tap.mock(&id, &activity).map_err(anyhow::Error::msg)?;
        if let MockEnd::Module(name) = &mock.end {
            let component = self.components.find(self.folder, &name.value).await?;
            let config = ActivitiesConfig {
                max_in_flight: 1,
                cancel_grace: Duration::from_secs(1),
                max_heartbeat: Duration::from_secs(1),
            };
            let guests = std::sync::Arc::new(component);
            let activities =
                Activities::new(std::sync::Arc::clone(&self.stage.worker), guests, config);
            activities.serve_one(task).await;
            return Ok(());
        }
        self.tell_of_start(&task);
        let key = (id.clone(), activity.clone());
        let running =
            Running { token: task.task_token, end: mock.end, ignores_cancel: mock.ignores_cancel };
        let answers = !matches!(running.end, MockEnd::Timeout(_));
        self.running.insert(key, running);
        if answers && mock.after.is_zero() {
            self.answer((id, activity), None).await?;
        } else if answers {
            self.plan(self.stage.now() + mock.after, Action::Answer(id, activity));
        }
        Ok(())
    }

    /// As CPE's activity poller does where it is the worker.
    fn tell_of_start(&self, task: &ActivityTask) {
        let execution = &task.workflow_execution;
        let script = self.stage.tap.script(&execution.workflow_id);
        let of_module = script.is_some_and(|script| {
            script.plan.activity(&task.activity_type).is_some_and(|a| a.module.is_some())
        });
        if of_module {
            let activity = ActivityRef {
                activity_id: task.activity_id.clone(),
                activity_type: task.activity_type.clone(),
            };
            let event = JobEvent {
                time: self.stage.now(),
                job_id: Some(self.stage.job.job_id.clone()),
                execution: Some(execution.clone()),
                request: None,
                seq: task.started_event_id.0,
                data: EventData::ActivityStarted { activity },
            };
            self.stage.ears.hear(event.to_json());
        }
    }

    /// Answers an activity task, as `end` says or as its mock does.
    async fn answer(
        &mut self,
        key: (WorkflowId, String),
        end: Option<MockEnd>,
    ) -> anyhow::Result<()> {
        let Some(running) = self.running.remove(&key) else { return Ok(()) };
        let (task_token, workflows) = (running.token, &self.stage.workflows);
        let answered = match end.unwrap_or(running.end) {
            MockEnd::Result(result) => {
                let result = Some(self.shortened(&key.0, &result).await?);
                let request = RespondActivityTaskCompletedRequest { task_token, result };
                workflows.respond_activity_task_completed(request).await
            }
            MockEnd::Fail { reason, details, retryable } => {
                let details = Some(written(&details, retryable));
                let reason = Some(reason);
                let request = RespondActivityTaskFailedRequest { task_token, reason, details };
                workflows.respond_activity_task_failed(request).await
            }
            MockEnd::Canceled => {
                let request = RespondActivityTaskCanceledRequest { task_token, details: None };
                workflows.respond_activity_task_canceled(request).await
            }
            MockEnd::Timeout(_) | MockEnd::Module(_) | MockEnd::Child(_) => Ok(()),
        };
        unless_over(answered)
    }

    fn begin_children(&mut self) -> bool {
        let children = std::mem::take(&mut self.stage.tap.noted().children);
        let busy = !children.is_empty();
        for child in children {
            if !matches!(child.mock.end, MockEnd::Timeout(_)) {
                let at = self.stage.now() + child.mock.after;
                self.plan(at, Action::AnswerChild(child.workflow_id.clone()));
            }
            self.children.insert(child.workflow_id.clone(), child);
        }
        busy
    }

    /// Closes a mocked child, as `end` says or as its mock does.
    async fn answer_child(&mut self, id: &WorkflowId, end: Option<MockEnd>) -> anyhow::Result<()> {
        let Some(child) = self.children.remove(id) else { return Ok(()) };
        let request = PollForDecisionTaskRequest {
            domain: self.stage.worker.domain.clone(),
            task_list: child.task_list,
            identity: None,
            next_page_token: None,
            maximum_page_size: None,
            reverse_order: true,
            start_at_previous_started_event: false,
        };
        let workflows = &self.stage.workflows;
        let Some(task) = workflows.poll_for_decision_task(request).await? else { return Ok(()) };
        let decision: Decision = match end.unwrap_or(child.mock.end) {
            MockEnd::Result(result) => {
                let result = Some(self.shortened(id, &result).await?);
                CompleteWorkflowExecution { result }.into()
            }
            MockEnd::Fail { reason, details, retryable } => {
                let details = Some(written(&details, retryable));
                FailWorkflowExecution { reason: Some(reason), details }.into()
            }
            _ => CancelWorkflowExecution { details: None }.into(),
        };
        let request = RespondDecisionTaskCompletedRequest {
            task_token: task.task_token,
            decisions: vec![decision],
            execution_context: None,
            task_list: None,
            task_list_schedule_to_start_timeout: None,
        };
        unless_over(workflows.respond_decision_task_completed(request).await)
    }

    async fn heed_cancels(&mut self) -> anyhow::Result<bool> {
        let cancels = std::mem::take(&mut self.stage.tap.noted().cancels);
        let busy = !cancels.is_empty();
        for canceled in cancels {
            match canceled {
                Canceled::Activity(id, activity) => {
                    let key = (id, activity);
                    let heeds = self.running.get(&key).is_some_and(|running| {
                        !running.ignores_cancel && !matches!(running.end, MockEnd::Timeout(_))
                    });
                    if heeds {
                        self.answer(key, Some(MockEnd::Canceled)).await?;
                    }
                }
                Canceled::Child(id) => {
                    let heeds = self.children.get(&id).is_some_and(|child| {
                        !child.mock.ignores_cancel && !matches!(child.mock.end, MockEnd::Timeout(_))
                    });
                    if heeds {
                        self.answer_child(&id, Some(MockEnd::Canceled)).await?;
                    }
                }
            }
        }
        Ok(busy)
    }

    fn plan(&mut self, at: Timestamp, action: Action) {
        self.entries += 1;
        self.agenda.insert((at, self.entries), action);
    }

    async fn do_what_is_due(&mut self) -> anyhow::Result<()> {
        let now = self.stage.now();
        while let Some(entry) = self.agenda.first_entry() {
            if entry.key().0 > now {
                break;
            }
            match entry.remove() {
                Action::Answer(id, activity) => self.answer((id, activity), None).await?,
                Action::AnswerChild(id) => self.answer_child(&id, None).await?,
                Action::Signal(index) => self.signal(index).await?,
                Action::Cancel => {
                    let request = RequestCancelWorkflowExecutionRequest {
                        domain: self.stage.worker.domain.clone(),
                        workflow_id: self.stage.root(),
                        run_id: None,
                    };
                    let workflows = &self.stage.workflows;
                    unless_over(workflows.request_cancel_workflow_execution(request).await)?;
                }
            }
        }
        Ok(())
    }

    async fn signal(&self, index: usize) -> anyhow::Result<()> {
        let Some(signal) = self.case.signals.get(index) else { return Ok(()) };
        let root = self.stage.root();
        let input = match &signal.input {
            Some(input) => Some(self.shortened(&root, input).await?),
            None => None,
        };
        let request = SignalWorkflowExecutionRequest {
            domain: self.stage.worker.domain.clone(),
            workflow_id: root,
            run_id: None,
            signal_name: signal.name.clone(),
            input,
        };
        unless_over(self.stage.workflows.signal_workflow_execution(request).await)
    }

    /// JSON text as SWF takes it: what is long goes by reference, as a worker would send it.
    async fn shortened(
        &self,
        of: &WorkflowId,
        value: &serde_json::Value,
    ) -> anyhow::Result<String> {
        Ok(self.stage.worker.payloads.shorten(of, value.to_string()).await?)
    }

    /// How the tested execution ended, if it has.
    async fn closed(&self) -> anyhow::Result<Option<Curtain>> {
        let Some(run_id) = self.stage.tap.noted().runs.last().cloned() else { return Ok(None) };
        let request = DescribeWorkflowExecutionRequest {
            domain: self.stage.worker.domain.clone(),
            execution: WorkflowExecution { workflow_id: self.stage.root(), run_id },
        };
        let detail = self.stage.workflows.describe_workflow_execution(request).await?;
        let info = detail.execution_info;
        Ok(match info.close_status {
            // The next run has not been decided yet.
            None | Some(CloseStatus::ContinuedAsNew) => None,
            Some(status) => {
                let at = info.close_timestamp.unwrap_or_else(|| self.stage.now());
                Some(Curtain::Closed(status, at))
            }
        })
    }
}

/// The details of a failure as CPE's workers write them.
fn written(details: &str, retryable: Option<bool>) -> String {
    match retryable {
        Some(retryable) => json!({"details": details, "retryable": retryable}).to_string(),
        None => details.to_owned(),
    }
}

/// An answer or a signal to what is over by now changes nothing.
fn unless_over(answered: Result<(), Error>) -> anyhow::Result<()> {
    match answered {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        answered => Ok(answered?),
    }
}
