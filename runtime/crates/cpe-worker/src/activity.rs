//! The activity poller: activity tasks from SWF, modules in the sandbox, answers back.
//!
//! It polls the task lists of all activities that plans bind to modules. An activity task is
//! answered whatever happens: by the guest's result, by its failure, by what kept it from
//! running, or, if the host itself is at fault, with `cpe.internal`. Only an activity task that
//! SWF gave up meanwhile is not: somebody else won.

mod answer;
mod asked;
mod by_hand;
mod heartbeat;
mod note;
mod progress;
mod run;
mod runs;
mod sandboxed;
mod shadow;
mod version;

use std::{sync::Arc, time::Duration};

use cpe_ports::Error;
use cpe_protocol::ActivityRef;
use cpe_swf::{
    TaskList,
    api::{ActivityTask, PollForActivityTaskRequest},
};
use tokio::{sync::Semaphore, time::Instant};
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker},
};
use tracing::{debug, error, info, warn};

use self::{
    answer::{Answer, Answered},
    heartbeat::Pulse,
    progress::About,
};
pub use self::{
    run::{Guests, NewInvocation, Ran, RunError},
    sandboxed::SandboxGuests,
    shadow::SHADOWS,
    version::Choice,
};
use crate::{
    Binding, Worker,
    poller::{Handler, Poller, Source},
};

/// Of one task list.
const MAX_POLLS: usize = 16;

#[derive(Debug, Clone)]
pub struct ActivitiesConfig {
    /// Activity tasks at a time, over all task lists.
    pub max_in_flight: usize,
    /// How long a guest that was asked to cancel may go on.
    pub cancel_grace: Duration,
    /// The longest time between two heartbeats, also where a plan's heartbeat timeout would allow
    /// more: by them a worker learns of cancels.
    pub max_heartbeat: Duration,
}

/// Runs the activities of all plans of a worker.
#[derive(Debug)]
pub struct Activities {
    worker: Arc<Worker>,
    guests: Arc<dyn Guests>,
    config: ActivitiesConfig,
    runs: runs::Runs,
}

impl Activities {
    pub fn new(worker: Arc<Worker>, guests: Arc<dyn Guests>, config: ActivitiesConfig) -> Self {
        Self { worker, guests, config, runs: runs::Runs::default() }
    }

    /// Polls until `stop`, then returns when all activity tasks in flight are answered.
    pub async fn run(self, stop: CancellationToken) {
        let lists = self.worker.plans.task_lists();
        let slots = self.config.max_in_flight.max(1);
        if slots < lists.len() {
            warn!(
                slots,
                task_lists = lists.len(),
                "More task lists than activity tasks at a time: some wait for a poll to end"
            );
        }
        // A poll that waits has a slot, so the polls of all lists together leave half of the
        // slots to a list that is busy.
        let polls = (slots / (2 * lists.len().max(1))).clamp(1, MAX_POLLS);
        let slots = Arc::new(Semaphore::new(slots));
        let activities = Arc::new(self);
        let pollers = TaskTracker::new();
        for list in lists {
            let poller = Poller {
                name: format!("activities {}", list.name),
                polls,
                backoff: activities.worker.backoff,
                slots: Arc::clone(&slots),
            };
            let source = ActivityTasks { worker: Arc::clone(&activities.worker), list };
            pollers.spawn(poller.run(source, Arc::clone(&activities), stop.clone()));
        }
        pollers.close();
        let Worker { usage, clients, .. } = &*activities.worker;
        tokio::join!(pollers.wait(), usage.write(clients, &stop));
        // What ended meanwhile, and that nothing runs here any more.
        usage.write_now(clients).await;
    }

    /// What this process knows of an activity task, or why it cannot run it.
    fn about(&self, task: &ActivityTask) -> Result<(About, Arc<Binding>), Answer> {
        let owner = self.worker.clients.of_execution(&task.workflow_execution.workflow_id);
        let (client, job) = owner.ok_or_else(|| {
            let id = &task.workflow_execution.workflow_id;
            let message =
                format!("the workflow id `{id}` names no client of this worker's configuration");
            Answer::failed("cpe.client.unknown", &message, true)
        })?;
        let binding = self.worker.plans.binding(&task.activity_type).ok_or_else(|| {
            let activity = &task.activity_type;
            let message = format!("no plan of this worker has a module for {activity}");
            Answer::failed("cpe.activity.unknown", &message, true)
        })?;
        let about = About {
            client,
            job,
            run: self.runs.of(&task.workflow_execution.run_id),
            execution: task.workflow_execution.clone(),
            activity: ActivityRef {
                activity_id: task.activity_id.clone(),
                activity_type: task.activity_type.clone(),
            },
            started: task.started_event_id,
        };
        Ok((about, Arc::clone(binding)))
    }

    async fn serve(&self, job: Job) {
        let _running = self.worker.usage.begin(&job.about.job.client);
        let pulse = Arc::new(Pulse::default());
        let interval = self.heartbeat_interval(&job.binding);
        // Until the answer is out, so that the activity task does not time out meanwhile.
        let _heart = AbortOnDropHandle::new(tokio::spawn(heartbeat::keep_alive(
            Arc::clone(&self.worker),
            job.task.task_token.clone(),
            interval,
            Arc::clone(&pulse),
        )));
        let ended = CancellationToken::new();
        let told = AbortOnDropHandle::new(tokio::spawn(progress::tell(
            Arc::clone(&self.worker),
            job.about.clone(),
            pulse.progress(),
            ended.clone(),
        )));
        let answered = Answered {
            task_token: job.task.task_token.clone(),
            workflow_id: job.task.workflow_execution.workflow_id.clone(),
            activity: job.about.to_string(),
        };
        let activity = &answered.activity;
        debug!(activity, module = %job.binding.module, "An activity task began");
        let began = job.began;
        let work = run::work(
            Arc::clone(&self.worker),
            Arc::clone(&self.guests),
            job,
            pulse,
            self.config.cancel_grace,
        );
        // In a tokio task of its own, so that a fault of the host is caught there and told.
        let answer = match AbortOnDropHandle::new(tokio::spawn(work)).await {
            Ok(answer) => answer,
            Err(error) => fault(activity, error).into(),
        };
        ended.cancel();
        // What began and how far it came is heard before how it ended.
        let _ = told.await;
        info!(activity, took = ?began.elapsed(), "An activity task ended: {}", answer.answer);
        answer::send(&self.worker, &answered, answer).await;
    }

    fn heartbeat_interval(&self, binding: &Binding) -> Duration {
        let third = binding.heartbeat.map(|timeout| timeout / 3);
        let interval =
            third.map_or(self.config.max_heartbeat, |third| third.min(self.config.max_heartbeat));
        interval.max(Duration::from_millis(100))
    }
}

/// An activity task, and what belongs to it.
#[derive(Debug)]
pub(crate) struct Job {
    about: About,
    binding: Arc<Binding>,
    task: ActivityTask,
    began: Instant,
}

struct ActivityTasks {
    worker: Arc<Worker>,
    list: TaskList,
}

impl Source for ActivityTasks {
    type Work = ActivityTask;

    async fn poll(&self) -> Result<Option<ActivityTask>, Error> {
        let request = PollForActivityTaskRequest {
            domain: self.worker.domain.clone(),
            task_list: self.list.clone(),
            identity: Some(self.worker.identity.clone()),
        };
        self.worker.ports.workflows.poll_for_activity_task(request).await
    }
}

impl Handler<ActivityTask> for Activities {
    async fn handle(&self, task: ActivityTask) {
        match self.about(&task) {
            Ok((about, binding)) => {
                self.serve(Job { about, binding, task, began: Instant::now() }).await;
            }
            Err(answer) => {
                let answered = Answered {
                    task_token: task.task_token,
                    workflow_id: task.workflow_execution.workflow_id,
                    activity: task.activity_type.to_string(),
                };
                warn!(activity = answered.activity, "An activity task cannot run here: {answer}");
                answer::send(&self.worker, &answered, answer.into()).await;
            }
        }
    }
}

/// The host is wrong: a bug, told as such.
fn fault(activity: &str, error: tokio::task::JoinError) -> Answer {
    let said = match error.try_into_panic() {
        Ok(payload) => panic_message(&*payload),
        Err(error) => error.to_string(),
    };
    error!(activity, said, "CPE itself failed while it ran an activity");
    Answer::failed("cpe.internal", "CPE itself failed; its log says more", true)
}

fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".to_owned())
}

#[cfg(test)]
mod tests;
