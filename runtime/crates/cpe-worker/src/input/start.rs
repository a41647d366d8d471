//! `START_JOB`: the execution, once, and the answer to the client.

use cpe_modules::LockId;
use cpe_plan::Plan;
use cpe_ports::{Error, ErrorKind};
use cpe_protocol::{EventData, JobEvent, Problem, StartJob};
use cpe_swf::{
    ChildPolicy, RunId, Timestamp, WorkflowExecution, WorkflowId,
    api::{
        ExecutionTimeFilter, ListClosedWorkflowExecutionsRequest,
        ListOpenWorkflowExecutionsRequest, StartWorkflowExecutionRequest, WorkflowExecutionFilter,
    },
};
use tracing::{info, warn};

use super::{
    Inbox, Rejected, Served,
    check::{Accepted, Rules},
};
use crate::{
    starts::{MODULES_TAG, Start},
    worker::PLAN_TAG,
};

/// So often SWF may refuse a job, for a reason that is not the client's, before the client is
/// told: what an operator has to mend takes a while, and until then nothing is lost.
const REFUSALS: u32 = 5;
/// For so long the registry may take to say what is current.
const LOCK_PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

impl Inbox {
    pub(super) async fn start_job(&self, start: StartJob, received: u32) -> Served {
        let rules = Rules {
            client: &self.client,
            clients: &self.worker.clients,
            plans: &self.worker.plans,
            domain: &self.worker.domain,
        };
        let accepted = match rules.check(&start) {
            Ok(accepted) => accepted,
            Err(problems) => return self.reject(rejected(start, problems)).await,
        };
        let workflow_id = accepted.job.workflow_id();
        match self.execute(&start, accepted, received).await {
            Ok(run_id) => {
                let execution = WorkflowExecution { workflow_id, run_id };
                self.confirm(start, execution).await
            }
            Err(error) if error.kind() == ErrorKind::Refused && received >= REFUSALS => {
                warn!(%workflow_id, %error, "SWF refuses a job, and its client is told");
                let message = format!("the workflow service refuses it: {}", error.message());
                let problem = Problem { path: String::new(), message };
                self.reject(rejected(start, vec![problem])).await
            }
            Err(error) => Served::Later(error),
        }
    }

    /// Starts the execution, or finds the one that an earlier delivery of the message started.
    async fn execute(
        &self,
        start: &StartJob,
        accepted: Accepted,
        received: u32,
    ) -> Result<RunId, Error> {
        let workflow_id = accepted.job.workflow_id();
        // SWF keeps a workflow id from being used twice only while the execution is open, and by
        // now the job may have run to its end.
        if received > 1
            && let Some(run_id) = self.find(&workflow_id).await?
        {
            info!(%workflow_id, "The job of a message that was delivered again is there already");
            return Ok(run_id);
        }
        let lock = self.lock(&accepted.plan).await;
        let request = self.request(start, accepted, lock.as_ref());
        match self.worker.ports.workflows.start_workflow_execution(request).await {
            Ok(run) => {
                let run = run.run_id.ok_or_else(|| {
                    Error::new(ErrorKind::Broken, "an execution without a run id")
                })?;
                let at = self.worker.ports.clock.now();
                self.worker.starts.keep(run.clone(), Start { at, lock });
                Ok(run)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                info!(%workflow_id, "The job is there already");
                // Listings are a little behind, so a moment later it will be found.
                self.find(&workflow_id).await?.ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    /// The versions that the execution begins with. A store that is out of reach does not keep it
    /// from starting: then its time says what they were.
    async fn lock(&self, plan: &Plan) -> Option<LockId> {
        let modules = self.worker.plans.fixed_modules(plan);
        let taken = tokio::time::timeout(LOCK_PATIENCE, self.worker.locks.take(&modules)).await;
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
        start: &StartJob,
        accepted: Accepted,
        lock: Option<&LockId>,
    ) -> StartWorkflowExecutionRequest {
        let Accepted { job, plan, input } = accepted;
        let asked = start.workflow.execution_start_to_close_timeout;
        StartWorkflowExecutionRequest {
            domain: self.worker.domain.clone(),
            workflow_id: job.workflow_id(),
            workflow_type: plan.workflow_type(),
            task_list: Some(self.decider.clone()),
            task_priority: None,
            input: Some(input),
            execution_start_to_close_timeout: Some(
                asked.unwrap_or(plan.default_execution_start_to_close_timeout),
            ),
            // By the first one executions are found, by the second it is known which text of the
            // plan they began with, by the third which versions of its modules.
            tag_list: [format!("client:{}", job.client), format!("{PLAN_TAG}{}", plan.digest())]
                .into_iter()
                .chain(lock.map(|lock| format!("{MODULES_TAG}{lock}")))
                .collect(),
            task_start_to_close_timeout: Some(plan.default_task_start_to_close_timeout),
            child_policy: Some(ChildPolicy::Terminate),
            lambda_role: None,
        }
    }

    async fn confirm(&self, start: StartJob, execution: WorkflowExecution) -> Served {
        let workflow = &start.workflow;
        let event = JobEvent {
            time: self.worker.ports.clock.now(),
            job_id: Some(start.job_id),
            execution: Some(execution),
            seq: 0,
            data: EventData::WorkflowScheduled {
                workflow_type: cpe_swf::WorkflowType::new(
                    workflow.name.as_str(),
                    workflow.version.as_str(),
                ),
                input: start.data,
            },
        };
        match self.teller.tell(&self.client.output, &event).await {
            Ok(()) => Served::Done,
            Err(error) => Served::Later(error),
        }
    }

    /// The open run of a workflow id, or the last one that closed.
    async fn find(&self, workflow_id: &WorkflowId) -> Result<Option<RunId>, Error> {
        let workflows = &self.worker.ports.workflows;
        let ever = ExecutionTimeFilter { oldest_date: Timestamp(0), latest_date: None };
        let filter = WorkflowExecutionFilter { workflow_id: workflow_id.clone() };
        let open = ListOpenWorkflowExecutionsRequest {
            domain: self.worker.domain.clone(),
            start_time_filter: ever.clone(),
            type_filter: None,
            tag_filter: None,
            next_page_token: None,
            maximum_page_size: None,
            reverse_order: false,
            execution_filter: Some(filter.clone()),
        };
        let mut found = workflows.list_open_workflow_executions(open).await?.execution_infos;
        if found.is_empty() {
            let closed = ListClosedWorkflowExecutionsRequest {
                domain: self.worker.domain.clone(),
                start_time_filter: None,
                close_time_filter: Some(ever),
                execution_filter: Some(filter),
                close_status_filter: None,
                type_filter: None,
                tag_filter: None,
                next_page_token: None,
                maximum_page_size: None,
                reverse_order: false,
            };
            found = workflows.list_closed_workflow_executions(closed).await?.execution_infos;
        }
        let last = found.into_iter().max_by_key(|info| info.start_timestamp);
        Ok(last.map(|info| info.execution.run_id))
    }
}

fn rejected(start: StartJob, problems: Vec<Problem>) -> Rejected {
    Rejected {
        client: start.client.map(|block| block.name),
        job_id: Some(start.job_id),
        command: Some("START_JOB".to_owned()),
        problems,
    }
}
