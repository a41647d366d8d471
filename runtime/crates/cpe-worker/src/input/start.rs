//! `START_JOB`: the execution, once, and the answer to the client.

use std::time::Duration;

use cpe_modules::LockId;
use cpe_plan::Plan;
use cpe_ports::{Error, ErrorKind};
use cpe_protocol::{
    ClientBlock, ClientName, EventData, JobEvent, Problem, Quota, QuotaName, Rejection, Request,
    StartJob,
};
use cpe_swf::{
    ChildPolicy, RunId, WorkflowExecution, WorkflowId, WorkflowType,
    api::{Run, StartWorkflowExecutionRequest, WorkflowExecutionInfo},
};
use tracing::{info, warn};

use super::{
    Inbox, Rejected, Served,
    check::{Accepted, Rules},
    claims::Claim,
};
use crate::{
    OverQuota, PayloadError, executions,
    starts::{self, MODULES_TAG},
    worker::PLAN_TAG,
};

/// So often SWF may refuse a job, for a reason that is not the client's, before the client is
/// told: what an operator has to mend takes a while, and until then nothing is lost.
const REFUSALS: u32 = 5;
/// SWF's lists are behind by seconds. A job that was claimed longer ago and is not in them was
/// never started, or is forgotten.
const LISTED: Duration = Duration::from_secs(60);
/// For so long the registry may take to say what is current.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
/// How long SWF is left alone when it has too much to do, time after time.
const THROTTLED: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_millis(600), Duration::from_millis(1_800)];
/// What the tag of an execution begins with that tells which message started it.
pub const MESSAGE_TAG: &str = "message:";

/// One delivery of a `START_JOB`.
pub(super) struct Start {
    pub(super) request: Request,
    /// Who the message says it is from.
    pub(super) said: Option<ClientBlock>,
    pub(super) start: StartJob,
    /// How often it has been delivered, this time included.
    pub(super) received: u32,
}

/// What became of a job that is to be started.
enum Begun {
    /// By this message, now or when it came before.
    Here(RunId),
    /// It was there already.
    Before(Box<WorkflowExecutionInfo>),
    Over(Quota),
}

impl Inbox {
    pub(super) async fn start_job(&self, start: Start) -> Served {
        let clients = self.worker.clients.current();
        let rules = Rules {
            client: &self.client,
            clients: &clients,
            plans: &self.worker.plans,
            domain: &self.worker.domain,
        };
        let accepted = match rules.check(&start.start, start.said.as_ref()) {
            Ok(accepted) => accepted,
            Err(problems) => return self.turn_away(start, Rejection::Invalid, problems).await,
        };
        let workflow_id = accepted.job.workflow_id();
        let client = accepted.job.client.clone();
        match self.begin(&start, accepted).await {
            Ok(Begun::Here(run_id)) => {
                let execution = WorkflowExecution { workflow_id, run_id };
                self.confirm(start, execution).await
            }
            Ok(Begun::Before(info)) => {
                info!(%client, %workflow_id, "The job is there already: its client hears how it is");
                self.tell_status(start.request, start.start.job_id, *info).await
            }
            Ok(Begun::Over(quota)) => self.over(start, quota).await,
            Err(error) if error.kind() == ErrorKind::Refused && start.received >= REFUSALS => {
                warn!(%client, %workflow_id, %error, "SWF refuses a job, and its client is told");
                let message = format!("the workflow service refuses it: {}", error.message());
                let problems = vec![Problem::new("", message)];
                self.turn_away(start, Rejection::Refused, problems).await
            }
            Err(error) => Served::Later(error),
        }
    }

    /// Starts the execution, or finds the one that is there: of this message, which came before,
    /// or of another with the same jobId.
    async fn begin(&self, start: &Start, accepted: Accepted) -> Result<Begun, Error> {
        let claims = &self.config.claims;
        let message_id = start.request.message_id.as_str();
        let job = accepted.job.clone();
        let workflow_id = job.workflow_id();
        // Whoever was here before may have come to any point. A quota is no matter then.
        if start.received > 1
            && claims.look(&job).await?.is_some_and(|claimed| claimed.message_id == message_id)
            && let Some(info) = executions::find(&self.worker, &workflow_id).await?
        {
            return Ok(begun(message_id, info));
        }
        let quotas = &self.client.quotas;
        if let Err(quota) = self.admission.admit(&self.worker, &job.client, quotas).await? {
            return Ok(Begun::Over(quota));
        }
        match claims.claim(&job, message_id).await? {
            Claim::Fresh => {}
            Claim::Unknown => {
                if let Some(info) = executions::find(&self.worker, &workflow_id).await? {
                    return Ok(begun(message_id, info));
                }
            }
            Claim::Taken(claimed) => {
                if let Some(info) = executions::find(&self.worker, &workflow_id).await? {
                    return Ok(begun(message_id, info));
                }
                let age = self.worker.ports.clock.now().since(claimed.time);
                if claimed.message_id != message_id && age < LISTED {
                    let why = "the job is just being started by another message";
                    return Err(Error::new(ErrorKind::Unavailable, why));
                }
                claims.take_over(&job, message_id).await?;
            }
        }
        let lock = self.lock(&accepted.plan, &workflow_id).await;
        let mut request = self.request(start, accepted, lock.as_ref());
        if let Some(input) = request.input.take() {
            let shortened = self.worker.payloads.shorten(&workflow_id, input).await;
            request.input = Some(shortened.map_err(PayloadError::into_error)?);
        }
        match self.start_execution(request).await {
            Ok(run) => {
                let run = run.run_id.ok_or_else(|| {
                    Error::new(ErrorKind::Broken, "an execution without a run id")
                })?;
                let at = self.worker.ports.clock.now();
                self.worker.starts.keep(run.clone(), starts::Start { at, lock });
                Ok(Begun::Here(run))
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                // Listings are a little behind, so a moment later it will be found.
                let info = executions::find(&self.worker, &workflow_id).await?.ok_or(error)?;
                Ok(begun(message_id, info))
            }
            Err(error) => Err(error),
        }
    }

    /// Asks again only where SWF has surely done nothing. What else may pass is found out first,
    /// when the message comes again: the execution may be there, and may even have ended.
    async fn start_execution(&self, request: StartWorkflowExecutionRequest) -> Result<Run, Error> {
        let workflows = &self.worker.ports.workflows;
        for pause in THROTTLED {
            match workflows.start_workflow_execution(request.clone()).await {
                Err(error) if error.kind() == ErrorKind::Throttled => {
                    tokio::time::sleep(pause).await;
                }
                answer => return answer,
            }
        }
        workflows.start_workflow_execution(request).await
    }

    /// The versions that the execution begins with. A store that is out of reach does not keep it
    /// from starting: then its time says what they were.
    async fn lock(&self, plan: &Plan, job: &WorkflowId) -> Option<LockId> {
        let modules = self.worker.plans.fixed_modules(plan);
        let taking = self.worker.locks.take(&modules, job.as_str());
        let taken = tokio::time::timeout(LOCK_PATIENCE, taking).await;
        let problem = match taken {
            Ok(Ok(lock)) => return lock,
            Ok(Err(error)) => error.details(),
            Err(_) => "the store does not answer".to_owned(),
        };
        let plan = plan.workflow_type();
        warn!(%plan, problem, "Which versions an execution begins with is not written down");
        None
    }

    fn request(
        &self,
        start: &Start,
        accepted: Accepted,
        lock: Option<&LockId>,
    ) -> StartWorkflowExecutionRequest {
        let Accepted { job, plan, input } = accepted;
        let asked = start.start.workflow.execution_start_to_close_timeout;
        StartWorkflowExecutionRequest {
            domain: self.worker.domain.clone(),
            workflow_id: job.workflow_id(),
            workflow_type: plan.workflow_type(),
            task_list: Some(self.config.decider.clone()),
            task_priority: None,
            input: Some(input),
            execution_start_to_close_timeout: Some(
                asked.unwrap_or(plan.default_execution_start_to_close_timeout),
            ),
            // By the first one executions are found, by the second it is known which text of the
            // plan they began with, by the third which message they are of, by the fourth which
            // versions of its modules they run.
            tag_list: [
                format!("client:{}", job.client),
                format!("{PLAN_TAG}{}", plan.digest()),
                format!("{MESSAGE_TAG}{}", start.request.message_id),
            ]
            .into_iter()
            .chain(lock.map(|lock| format!("{MODULES_TAG}{lock}")))
            .collect(),
            task_start_to_close_timeout: Some(plan.default_task_start_to_close_timeout),
            child_policy: Some(ChildPolicy::Terminate),
            lambda_role: None,
        }
    }

    async fn confirm(&self, start: Start, execution: WorkflowExecution) -> Served {
        let Start { request, start, .. } = start;
        let workflow = &start.workflow;
        self.say(JobEvent {
            time: self.worker.ports.clock.now(),
            job_id: Some(start.job_id),
            execution: Some(execution),
            request: Some(request),
            seq: 0,
            data: EventData::WorkflowScheduled {
                workflow_type: WorkflowType::new(workflow.name.as_str(), workflow.version.as_str()),
                input: start.data,
            },
        })
        .await
    }

    /// The client has no room: the job waits in the queue, or is refused.
    async fn over(&self, start: Start, quota: Quota) -> Served {
        let now = self.worker.ports.clock.now();
        let message = told(&self.client.name, &quota);
        if self.client.quotas.over == OverQuota::Refuse {
            let problems = vec![Problem::new("", message)];
            return self.turn_away(start, Rejection::Quota(quota), problems).await;
        }
        // Told once: the message may come back many times.
        if start.received == 1 {
            info!(client = %self.client.name, job = %start.start.job_id, message, "A job waits");
            let event = JobEvent {
                time: now,
                job_id: Some(start.start.job_id),
                execution: None,
                request: Some(start.request),
                seq: 0,
                data: EventData::JobDelayed { quota },
            };
            if let Served::Later(error) = self.say(event).await {
                return Served::Later(error);
            }
        }
        Served::After(quota.until.since(now))
    }

    async fn turn_away(&self, start: Start, reason: Rejection, problems: Vec<Problem>) -> Served {
        self.reject(Rejected {
            request: start.request,
            job_id: Some(start.start.job_id),
            command: Some("START_JOB".to_owned()),
            reason,
            problems,
        })
        .await
    }
}

fn told(client: &ClientName, Quota { name, limit, .. }: &Quota) -> String {
    match name {
        QuotaName::JobsInFlight => format!("{client} may have {limit} jobs in flight at a time"),
        QuotaName::ActivitiesInFlight => {
            format!("{client} may have {limit} activity tasks in flight at a time")
        }
        QuotaName::StartsPerSecond => format!("{client} may start {limit} jobs in a second"),
        QuotaName::CpuSecondsPerDay => {
            format!("{client} may use {limit} s of CPU time in a day, which ends at midnight UTC")
        }
        QuotaName::BytesPerDay => {
            format!("{client} may move {limit} bytes in a day, which ends at midnight UTC")
        }
    }
}

fn begun(message_id: &str, info: WorkflowExecutionInfo) -> Begun {
    let ours = info.tag_list.iter().filter_map(|tag| tag.strip_prefix(MESSAGE_TAG));
    if ours.into_iter().any(|id| id == message_id) {
        return Begun::Here(info.execution.run_id);
    }
    Begun::Before(Box::new(info))
}
