//! The decider: polls decision tasks, follows the plan of each execution, tells its client.
//!
//! # When events are sent
//!
//! A decision is a pure function of the history, so whatever the history leads to is as good as a
//! fact: whoever gets the decision task next comes to the same. Therefore *everything* that a
//! client hears of a decision task is sent before the decision is answered: what is new in the
//! history, what is about to be scheduled, and how the job ends. A crash at any point leaves a
//! decision task that times out, and the next decider sends the same events again, with the same
//! `eventId`. Were anything sent after the answer, a crash between the two would lose it, and
//! after the closing decision there is no further decision task to recover it by.
//!
//! SWF may refuse a closing decision because an event came in that the decider had not seen. The
//! next decision task then closes the execution again, with the same outcome, because nothing
//! that arrives after the last step has ended changes it: signals have nobody to wait for them,
//! and a cancel request that comes after everything is done is too late
//! (`cpe_plan::RunState` sees to that).
//!
//! # Executions that this process cannot follow
//!
//! A workflow type without a plan here may have one in another process of the fleet, above all
//! while a new version is rolled out. The decision task is left alone, times out and is handed
//! out again. After ten timeouts in a row nobody seems to have the plan, and the execution fails
//! with `cpe.plan.unknown`. An execution whose workflow id names no client of this process is
//! followed like any other; there is only nobody to tell.

mod by_hand;
mod cache;
mod history;
mod narrator;
mod sweeper;

use std::sync::{Arc, Mutex, PoisonError};

use cpe_plan::{Plan, next_decisions};
use cpe_ports::{Error, ErrorKind};
use cpe_protocol::JobEvent;
use cpe_swf::{
    Decision, EventAttributes, EventId, HistoryEvent, TaskList, TaskToken, Timestamp,
    api::{DecisionTask, PollForDecisionTaskRequest, RespondDecisionTaskCompletedRequest},
    decision::FailWorkflowExecution,
};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

pub use self::by_hand::Watch;
use self::{
    cache::{Follow, RunCache, is_of_decision},
    narrator::Fact,
};
use crate::{
    PayloadError, Worker,
    backoff::retrying,
    poller::{Handler, Poller, Source},
    sequence,
    teller::Teller,
    worker::{CLIENT_TAG, PLAN_TAG},
};

/// Decision tasks in a row that nobody answers before an execution without a plan fails.
const UNANSWERED: usize = 10;
/// For so long an answer is tried again. The decision task's own timeout is most often a minute.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
/// Events applied before others get their turn on the thread.
const FOLD_AT_A_TIME: usize = 512;
const MAX_POLLS: usize = 16;

#[derive(Debug, Clone)]
pub struct DeciderConfig {
    pub task_list: TaskList,
    /// Decision tasks at a time.
    pub max_in_flight: usize,
}

/// Decides for all plans of a worker.
#[derive(Debug)]
pub struct Decider {
    worker: Arc<Worker>,
    teller: Teller,
    config: DeciderConfig,
    cache: Mutex<RunCache>,
    watch: Option<Arc<dyn Watch>>,
}

impl Decider {
    pub fn new(worker: Arc<Worker>, config: DeciderConfig) -> Self {
        Self { teller: worker.teller(), worker, config, cache: Mutex::default(), watch: None }
    }

    /// Polls until `stop`, then returns when all decision tasks in flight are answered.
    pub async fn run(self, stop: CancellationToken) {
        let slots = self.config.max_in_flight.max(1);
        let poller = Poller {
            name: format!("decider {}", self.config.task_list.name),
            polls: slots.div_ceil(2).min(MAX_POLLS),
            backoff: self.worker.backoff,
            slots: Arc::new(Semaphore::new(slots)),
        };
        let decider = Arc::new(self);
        let worker = Arc::clone(&decider.worker);
        let polling = poller.run(DecisionTasks(Arc::clone(&decider)), decider, stop.clone());
        let sweeper = sweeper::Sweeper::new(Arc::clone(&worker));
        tokio::join!(polling, sweeper.run(&stop), worker.outbox.deliver(&worker.clients, &stop));
    }

    async fn decide(&self, task: DecisionTask) -> Result<(), Error> {
        let run = task.workflow_execution.run_id.clone();
        let kept = self.cache().take(&run);
        let Some((mut follow, mut events)) = self.catch_up(&task, kept).await? else {
            return self.without_plan(task).await;
        };
        let plan = Arc::clone(follow.plan());
        let workflow_id = &task.workflow_execution.workflow_id;
        let last = follow.state.last_event();
        let wanted =
            |event: &HistoryEvent| event.event_id > last && !is_of_decision(&event.attributes);
        let followed = self.worker.payloads.follow_all(workflow_id, &mut events, wanted);
        if let Err(error) = followed.await {
            let base = events.first().and_then(sequence::base_of_start);
            return self.without_texts(task, base.unwrap_or(follow.base), error).await;
        }
        let facts = follow.apply(&events).await;
        if follow.is_too_heavy() {
            let error = PayloadError::TooMuch { workflow_id: workflow_id.clone() };
            return self.without_texts(task, follow.base, error).await;
        }
        let mut decisions = next_decisions(&plan, &follow.state);
        if let Some(watch) = &self.watch {
            watch.decided(&task.workflow_execution, &plan, &follow.state);
        }
        sequence::hand_on(&mut decisions, follow.base, task.started_event_id.0);
        self.share(&task, &facts, &mut decisions);
        self.tag_children(&task, &mut decisions);
        let told = narrator::of_decisions(&decisions, task.started_event_id, self.now());
        // Before anybody hears of it, so that whoever follows a reference finds the text.
        let shortened = self.worker.payloads.shorten_all(workflow_id, &mut decisions);
        if let Err(error) = shortened.await {
            return self.without_texts(task, follow.base, error).await;
        }
        self.tell(&task, follow.base, facts.into_iter().chain(told)).await?;

        let closes = decisions.iter().any(Decision::is_closing);
        let answered = self.answer(task.task_token, decisions).await;
        if !(closes && answered.is_ok()) {
            // Right whatever became of the answer: it is the fold of events that are there.
            self.cache().put(run, follow);
        } else {
            info!(execution = %task.workflow_execution.workflow_id, "The execution ended");
        }
        answered
    }

    /// The state of the run as far as it is known here, and the events from there on. `None` if
    /// the plan is not known.
    async fn catch_up(
        &self,
        task: &DecisionTask,
        kept: Option<Follow>,
    ) -> Result<Option<(Follow, Vec<HistoryEvent>)>, Error> {
        let mut events = history::of_task(&self.worker, &self.request(), task).await?;
        if let Some(follow) = kept
            && history::continues(&events, follow.state.last_event())
        {
            return Ok(Some((follow, events)));
        }
        if !history::continues(&events, EventId(0)) {
            let workflow_id = &task.workflow_execution.workflow_id;
            debug!(execution = %workflow_id, "The whole history is read");
            events = history::whole(&self.worker, task).await?;
        }
        if let Some(first) = events.first() {
            self.worker.starts.keep_event(&task.workflow_execution.run_id, first);
        }
        let Some(plan) = self.plan_of(task, &events).await? else { return Ok(None) };
        Ok(Some((Follow::new(plan, &task.workflow_execution), events)))
    }

    /// The plan that the execution began with. One that began without CPE has no digest, and is
    /// followed by the plan that is loaded.
    async fn plan_of(
        &self,
        task: &DecisionTask,
        events: &[HistoryEvent],
    ) -> Result<Option<Arc<Plan>>, Error> {
        let loaded = self.worker.plans.get(&task.workflow_type);
        let first = events.first().map(|event| &*event.attributes);
        let tags = match first {
            Some(EventAttributes::WorkflowExecutionStarted(started)) => &*started.tag_list,
            _ => &[],
        };
        let digest = tags.iter().find_map(|tag| tag.strip_prefix(PLAN_TAG));
        let Some(digest) = digest.filter(|digest| loaded.is_none_or(|p| p.digest() != *digest))
        else {
            return Ok(loaded.cloned());
        };
        let plan = self.worker.archive.plan(digest).await?;
        Ok(plan.filter(|plan| plan.workflow_type() == task.workflow_type))
    }

    /// Gives activity tasks their place among those of all clients.
    fn share(&self, task: &DecisionTask, facts: &[Fact], decisions: &mut [Decision]) {
        let Worker { shares, clients, .. } = &*self.worker;
        for fact in facts {
            shares.begun(fact.begun.as_deref());
        }
        let Some((client, job)) = clients.of_execution(&task.workflow_execution.workflow_id) else {
            return;
        };
        for decision in decisions {
            if let Decision::ScheduleActivityTask(scheduled) = decision
                && scheduled.task_priority.is_none()
            {
                scheduled.task_priority = Some(shares.next(&job.client, client.quotas.weight));
            }
        }
    }

    /// A child is followed to its end by the plan that is loaded now, and is found by its client.
    fn tag_children(&self, task: &DecisionTask, decisions: &mut [Decision]) {
        let owner = self.worker.clients.of_execution(&task.workflow_execution.workflow_id);
        for decision in decisions {
            if let Decision::StartChildWorkflowExecution(child) = decision {
                let client = owner.as_ref().map(|(_, job)| format!("{CLIENT_TAG}{}", job.client));
                let plan = self.worker.plans.get(&child.workflow_type);
                let digest = plan.map(|plan| format!("{PLAN_TAG}{}", plan.digest()));
                child.tag_list.extend(client.into_iter().chain(digest));
            }
        }
    }

    async fn tell(
        &self,
        task: &DecisionTask,
        base: i64,
        facts: impl IntoIterator<Item = Fact>,
    ) -> Result<(), Error> {
        let execution = &task.workflow_execution;
        let owner = self.worker.clients.of_execution(&execution.workflow_id);
        let Some((client, job)) = owner else {
            debug!(execution = %execution.workflow_id, "The execution is of no client here");
            return Ok(());
        };
        // How a child begins and ends is its parent's business; what it does is the job's.
        let is_job = job.workflow_id() == execution.workflow_id;
        let told = facts.into_iter();
        let told = told.filter_map(|fact| Some((fact.time, fact.seq, fact.data?)));
        let told = told.filter(|(_, _, data)| is_job || data.is_of_activity());
        let events = told.map(|(time, seq, data)| JobEvent {
            time,
            job_id: Some(job.job_id.clone()),
            execution: Some(execution.clone()),
            request: None,
            seq: base.saturating_add(seq),
            data,
        });
        self.teller.tell_all(&self.worker.outbox, &client, events.collect()).await
    }

    async fn answer(&self, task_token: TaskToken, decisions: Vec<Decision>) -> Result<(), Error> {
        let request = RespondDecisionTaskCompletedRequest {
            task_token,
            decisions,
            execution_context: None,
            task_list: None,
            task_list_schedule_to_start_timeout: None,
        };
        let workflows = &self.worker.ports.workflows;
        let respond = || workflows.respond_decision_task_completed(request.clone());
        retrying(self.worker.backoff, PATIENCE, respond).await
    }

    /// Leaves the decision task to deciders that have the plan, unless there seem to be none.
    async fn without_plan(&self, task: DecisionTask) -> Result<(), Error> {
        let workflow_type = task.workflow_type.to_string();
        let execution = task.workflow_execution.workflow_id.to_string();
        let events = history::of_task(&self.worker, &self.request(), &task).await?;
        let unanswered = timed_out_in_a_row(&events);
        if unanswered < UNANSWERED {
            warn!(
                execution,
                workflow_type,
                "No plan here for a decision task: left to other deciders ({unanswered} of \
                 {UNANSWERED} timeouts until the execution fails)"
            );
            return Ok(());
        }
        error!(execution, workflow_type, "No decider has the plan: the execution fails");
        let details = format!(
            "no decider of the task list {} has the plan {workflow_type}: {unanswered} decision \
             tasks in a row were not answered",
            self.config.task_list.name
        );
        let base = events.first().and_then(sequence::base_of_start).unwrap_or_default();
        self.fail(task, base, ("cpe.plan.unknown", &details)).await
    }

    /// Leaves a decision task whose texts cannot be reached now to its timeout; fails an execution
    /// whose texts nobody can have.
    async fn without_texts(
        &self,
        task: DecisionTask,
        base: i64,
        error: PayloadError,
    ) -> Result<(), Error> {
        if let PayloadError::Unreachable { source, .. } = error {
            return Err(source);
        }
        let execution = task.workflow_execution.workflow_id.to_string();
        error!(execution, "The execution fails: {error}");
        self.fail(task, base, (error.reason(), &error.to_string())).await
    }

    /// Fails an execution, whatever its plan is.
    async fn fail(
        &self,
        task: DecisionTask,
        base: i64,
        (reason, details): (&str, &str),
    ) -> Result<(), Error> {
        let failed = FailWorkflowExecution {
            reason: Some(reason.to_owned()),
            details: Some(json!({"details": details}).to_string()),
        };
        let decisions = vec![Decision::from(failed)];
        let told = narrator::of_decisions(&decisions, task.started_event_id, self.now());
        self.tell(&task, base, told).await?;
        self.answer(task.task_token, decisions).await
    }

    fn now(&self) -> Timestamp {
        self.worker.ports.clock.now()
    }

    fn request(&self) -> PollForDecisionTaskRequest {
        PollForDecisionTaskRequest {
            domain: self.worker.domain.clone(),
            task_list: self.config.task_list.clone(),
            identity: Some(self.worker.identity.clone()),
            next_page_token: None,
            maximum_page_size: None,
            reverse_order: false,
            start_at_previous_started_event: true,
        }
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, RunCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct DecisionTasks(Arc<Decider>);

impl Source for DecisionTasks {
    type Work = DecisionTask;

    async fn poll(&self) -> Result<Option<DecisionTask>, Error> {
        self.0.worker.ports.workflows.poll_for_decision_task(self.0.request()).await
    }
}

impl Handler<DecisionTask> for Decider {
    async fn handle(&self, task: DecisionTask) {
        let execution = task.workflow_execution.workflow_id.to_string();
        match self.decide(task).await {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                debug!(execution, %error, "Somebody else answered the decision task");
            }
            Err(error) if error.kind().is_transient() => {
                warn!(execution, %error, "A decision task is left to its timeout");
            }
            Err(error) => error!(execution, %error, "A decision task is left to its timeout"),
        }
    }
}

/// Decision tasks that nobody answered since the last that somebody did.
fn timed_out_in_a_row(events: &[HistoryEvent]) -> usize {
    events
        .iter()
        .rev()
        .take_while(|event| {
            !matches!(&*event.attributes, EventAttributes::DecisionTaskCompleted(_))
        })
        .filter(|event| matches!(&*event.attributes, EventAttributes::DecisionTaskTimedOut(_)))
        .count()
}

/// How an event is ordered that comes of a decision, so many decisions before it.
///
/// The decision task's completion follows its start, and then come the decisions' own events, if
/// nothing else arrives meanwhile. If something does, the number is a little early, but still
/// after all that the decider had seen.
fn expected_event(started: EventId, index: usize) -> i64 {
    let index = i64::try_from(index).unwrap_or(i64::MAX);
    started.0.saturating_add(2).saturating_add(index)
}

#[cfg(test)]
mod tests;
