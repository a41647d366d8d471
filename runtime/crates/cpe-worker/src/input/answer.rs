//! Commands about jobs that are there: they are asked to end, signaled, or looked at.
//!
//! A client names its jobs by their ids alone; the client itself is known from the queue. So no
//! id, whatever it says, leads to a job of somebody else.

use cpe_plan::{CANCEL_ACTIVITY_SIGNAL, cancel_activity_input};
use cpe_ports::{Error, ErrorKind};
use cpe_protocol::{
    Action, Command, EventData, JobAction, JobEnd, JobEvent, JobId, JobInfo, JobRef, JobStatus,
    Page, Problem, Rejection, Request,
};
use cpe_swf::{
    ActivityId, EventId, WorkflowExecution, WorkflowId,
    api::{
        RequestCancelWorkflowExecutionRequest, SignalWorkflowExecutionRequest,
        WorkflowExecutionInfo,
    },
};

use super::{Inbox, Rejected, Served, activities::ActivityTable, check};
use crate::{PayloadError, ending, executions};

/// Why a command has no effect, or only later.
pub(super) enum Failure {
    Rejected(Rejection, Problem),
    Later(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Later(error)
    }
}

pub(super) type Answer = (Option<WorkflowExecution>, EventData);

impl Inbox {
    pub(super) async fn answer(&self, request: Request, command: Command) -> Served {
        let (name, head) = (command.type_name(), command.head);
        let clients = self.worker.clients.current();
        let answer = match check::sender(&self.client, &clients, head.client.as_ref()) {
            Err(problem) => Err(Failure::Rejected(Rejection::Invalid, problem)),
            Ok(client) => match command.action {
                Action::OfJob(job_id, action) => {
                    self.of_job(&JobRef { client, job_id }, action).await
                }
                Action::GetJobList(query) => self.job_list(&client, query).await,
                Action::StartJob(_) => return Served::Dead,
            },
        };
        match answer {
            Ok((execution, data)) => {
                self.say(self.event(request, head.job_id, execution, data)).await
            }
            Err(Failure::Later(error)) => Served::Later(error),
            Err(Failure::Rejected(reason, problem)) => {
                self.reject(Rejected {
                    request,
                    job_id: head.job_id,
                    command: Some(name.to_owned()),
                    reason,
                    problems: vec![problem],
                })
                .await
            }
        }
    }

    async fn of_job(&self, job: &JobRef, action: JobAction) -> Result<Answer, Failure> {
        let workflow_id = job.workflow_id();
        match action {
            JobAction::Cancel => {
                let request = RequestCancelWorkflowExecutionRequest {
                    domain: self.worker.domain.clone(),
                    workflow_id: workflow_id.clone(),
                    run_id: None,
                };
                let workflows = &self.worker.ports.workflows;
                let asked = workflows.request_cancel_workflow_execution(request).await;
                self.unless_closed(job, asked).await?;
                Ok((None, EventData::JobCancelRequested))
            }
            JobAction::Signal { name, input } => {
                let input = input.map(|input| input.to_string());
                self.signal(job, name.clone(), input).await?;
                Ok((None, EventData::JobSignaled { signal: name }))
            }
            JobAction::CancelActivity(activity_id) => self.cancel_activity(job, activity_id).await,
            JobAction::Status => {
                self.admission.read().await;
                let info = self.find(&workflow_id).await?;
                Ok(self.status(job.job_id.clone(), info).await?)
            }
            JobAction::ActivityStatus(id) => {
                self.admission.read().await;
                let execution = self.find(&workflow_id).await?.execution;
                let table = self.activities(&execution).await?;
                let entry = table.named(&id).ok_or_else(|| unknown_activity(&id))?;
                let (activity, result) = (entry.info.clone(), entry.result.clone());
                Ok((Some(execution), EventData::ActivityStatus { activity, result }))
            }
            JobAction::ActivityList(page) => self.activity_list(&workflow_id, page).await,
        }
    }

    /// SWF has no such request: a signal that only CPE can send has the decider ask.
    async fn cancel_activity(&self, job: &JobRef, id: ActivityId) -> Result<Answer, Failure> {
        self.admission.read().await;
        let info = self.find(&job.workflow_id()).await?;
        if info.close_status.is_some() {
            return Err(closed(JobStatus::of(info.close_status)));
        }
        let table = self.activities(&info.execution).await?;
        let entry = table.named(&id).ok_or_else(|| unknown_activity(&id))?;
        let status = entry.info.status;
        // One that failed may have another attempt before it.
        if matches!(
            status,
            cpe_protocol::ActivityStatus::Completed | cpe_protocol::ActivityStatus::Canceled
        ) {
            let message = format!("the activity `{}` has ended already", shown(id.as_str()));
            let problem = Problem::new("data.activityId", message);
            return Err(Failure::Rejected(Rejection::ActivityClosed, problem));
        }
        let activity_id = entry.info.activity.activity_id.clone();
        let input = cancel_activity_input(activity_id.as_str());
        self.signal(job, CANCEL_ACTIVITY_SIGNAL.to_owned(), Some(input)).await?;
        Ok((Some(info.execution), EventData::ActivityCancelRequested { activity_id }))
    }

    async fn signal(
        &self,
        job: &JobRef,
        signal_name: String,
        input: Option<String>,
    ) -> Result<(), Failure> {
        let workflow_id = job.workflow_id();
        let input = match input {
            Some(input) => {
                let shortened = self.worker.payloads.shorten(&workflow_id, input).await;
                Some(shortened.map_err(PayloadError::into_error)?)
            }
            None => None,
        };
        let request = SignalWorkflowExecutionRequest {
            domain: self.worker.domain.clone(),
            workflow_id,
            run_id: None,
            signal_name,
            input,
        };
        let sent = self.worker.ports.workflows.signal_workflow_execution(request).await;
        self.unless_closed(job, sent).await
    }

    async fn activity_list(&self, id: &WorkflowId, page: Page) -> Result<Answer, Failure> {
        self.admission.read().await;
        let after = match &page.token {
            None => EventId(0),
            Some(token) => token.parse().map(EventId).map_err(|_| bad_token())?,
        };
        let execution = self.find(id).await?.execution;
        let table = self.activities(&execution).await?;
        let mut rest = table.after(after);
        let entries: Vec<_> = rest.by_ref().take(page.limit).collect();
        let last = entries.last().map(|entry| entry.scheduled);
        let more = rest.next().is_some();
        let data = EventData::ActivityList {
            activities: entries.into_iter().map(|entry| entry.info.clone()).collect(),
            next_page_token: last.filter(|_| more).map(|event| event.0.to_string()),
        };
        Ok((Some(execution), data))
    }

    async fn activities(&self, execution: &WorkflowExecution) -> Result<ActivityTable, Failure> {
        match executions::history(&self.worker, execution).await {
            Ok(events) => Ok(ActivityTable::of(&events)),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(unknown_job()),
            Err(error) => Err(error.into()),
        }
    }

    async fn find(&self, id: &WorkflowId) -> Result<WorkflowExecutionInfo, Failure> {
        executions::find(&self.worker, id).await?.ok_or_else(unknown_job)
    }

    /// What SWF does not know is closed, or was never there.
    async fn unless_closed(&self, job: &JobRef, done: Result<(), Error>) -> Result<(), Failure> {
        match done {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.admission.read().await;
                let info = self.find(&job.workflow_id()).await?;
                match info.close_status {
                    Some(_) => Err(closed(JobStatus::of(info.close_status))),
                    // Listed as open, and gone: the lists are behind.
                    None => Err(error.into()),
                }
            }
            Err(error) if error.kind() == ErrorKind::Refused => {
                let message = format!("the workflow service refuses it: {}", error.message());
                Err(Failure::Rejected(Rejection::Refused, Problem::new("", message)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Tells how a job is, in answer to whatever asked.
    pub(super) async fn tell_status(
        &self,
        request: Request,
        job_id: JobId,
        info: WorkflowExecutionInfo,
    ) -> Served {
        match self.status(job_id.clone(), info).await {
            Ok((execution, data)) => {
                self.say(self.event(request, Some(job_id), execution, data)).await
            }
            Err(error) => Served::Later(error),
        }
    }

    async fn status(&self, job_id: JobId, info: WorkflowExecutionInfo) -> Result<Answer, Error> {
        let execution = info.execution.clone();
        let mut end = None;
        if info.close_status.is_some() {
            let last = match executions::last_event(&self.worker, &execution).await {
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                last => last?,
            };
            end = last.as_ref().and_then(ending::end_of).and_then(|data| data.result());
        }
        let job = job_info(job_id, info);
        Ok((Some(execution), EventData::JobStatus { job, end: JobEnd(end) }))
    }

    fn event(
        &self,
        request: Request,
        job_id: Option<JobId>,
        execution: Option<WorkflowExecution>,
        data: EventData,
    ) -> JobEvent {
        let time = self.worker.ports.clock.now();
        JobEvent { time, job_id, execution, request: Some(request), seq: 0, data }
    }
}

pub(super) fn job_info(job_id: JobId, info: WorkflowExecutionInfo) -> JobInfo {
    JobInfo {
        job_id,
        execution: info.execution,
        workflow_type: info.workflow_type,
        status: JobStatus::of(info.close_status),
        started: info.start_timestamp,
        closed: info.close_timestamp,
        cancel_requested: info.cancel_requested,
    }
}

fn unknown_job() -> Failure {
    let message = "the client has no such job, or it has ended so long ago that it is forgotten";
    Failure::Rejected(Rejection::JobUnknown, Problem::new("jobId", message))
}

fn closed(status: JobStatus) -> Failure {
    let message = format!("the job has ended already: {status}");
    Failure::Rejected(Rejection::JobClosed, Problem::new("jobId", message))
}

fn unknown_activity(id: &ActivityId) -> Failure {
    let message = format!("the job's present run has had no activity `{}`", shown(id.as_str()));
    Failure::Rejected(Rejection::ActivityUnknown, Problem::new("data.activityId", message))
}

pub(super) fn bad_token() -> Failure {
    let problem = Problem::new("data.pageToken", "is none that CPE gave, or is too old");
    Failure::Rejected(Rejection::Invalid, problem)
}

/// Enough of hostile text to recognise it by.
fn shown(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_debug).collect()
}
