//! The input poller: commands from clients' queues, executions into SWF.
//!
//! The queue that a command arrived on tells who sent it. A message is deleted once its effect is
//! certain: the execution is there and the client was told, or the client was told what is wrong
//! with it. Until then it stays in the queue, hidden for longer from time to time, and the
//! workflow id made from client and jobId lets it start nothing twice.

mod by_hand;
mod check;
mod start;

use std::{sync::Arc, time::Duration};

use cpe_ports::{Error, MAX_BATCH, Message, ReceiptHandle, Receive};
use cpe_protocol::{BadCommand, ClientName, Command, EventData, JobEvent, JobId, Problem};
use cpe_swf::TaskList;
use futures::{StreamExt, stream::FuturesUnordered};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use crate::{
    Backoff, Client, Worker,
    backoff::retrying,
    poller::{Handler, Poller, Source},
    teller::Teller,
};

/// What SQS gives at most in one answer, and waits for at most.
const BATCH: u32 = 10;
const WAIT: Duration = Duration::from_secs(20);
/// Until a message that could not be served yet is shown again: longer after each time.
const MIN_HIDDEN: Duration = Duration::from_secs(2);
const MAX_HIDDEN: Duration = Duration::from_secs(300);
/// A delete that fails brings the message back, which is harmless but not free.
const DELETE_PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
pub struct InputConfig {
    /// The task list of the deciders, for the executions that are started.
    pub decider: TaskList,
    /// Receives at a time from each queue.
    pub polls: usize,
}

/// Polls the input queues of all clients of a worker.
#[derive(Debug)]
pub struct InputPoller {
    worker: Arc<Worker>,
    config: InputConfig,
}

impl InputPoller {
    pub fn new(worker: Arc<Worker>, config: InputConfig) -> Self {
        Self { worker, config }
    }

    /// Polls until `stop`, then returns when all messages in flight are dealt with.
    pub async fn run(self, stop: CancellationToken) {
        let queues = TaskTracker::new();
        let polls = self.config.polls.max(1);
        for client in self.worker.clients.iter() {
            let poller = Poller {
                name: format!("input {}", client.name),
                polls,
                backoff: self.worker.backoff,
                // While one batch is served, the next may arrive. No client waits for another.
                slots: Arc::new(Semaphore::new(polls * 2)),
            };
            let inbox = Arc::new(self.inbox(client));
            queues.spawn(poller.run(Messages(Arc::clone(&inbox)), inbox, stop.clone()));
        }
        queues.close();
        queues.wait().await;
    }

    fn inbox(&self, client: &Arc<Client>) -> Inbox {
        Inbox {
            worker: Arc::clone(&self.worker),
            teller: self.worker.teller(),
            client: Arc::clone(client),
            decider: self.config.decider.clone(),
        }
    }
}

/// One client's queue.
#[derive(Debug)]
struct Inbox {
    worker: Arc<Worker>,
    teller: Teller,
    client: Arc<Client>,
    decider: TaskList,
}

struct Messages(Arc<Inbox>);

impl Source for Messages {
    type Work = Vec<Message>;

    async fn poll(&self) -> Result<Option<Vec<Message>>, Error> {
        let receive = Receive { max_messages: BATCH, wait: WAIT, visibility_timeout: None };
        let queue = &self.0.client.input;
        let messages = self.0.worker.ports.queues.receive(queue, receive).await?;
        Ok(Some(messages).filter(|messages| !messages.is_empty()))
    }
}

impl Handler<Vec<Message>> for Inbox {
    async fn handle(&self, messages: Vec<Message>) {
        let serving: FuturesUnordered<_> = messages.into_iter().map(|m| self.serve(m)).collect();
        // Those that are done at the same time go together; none waits for one that takes long.
        let done = serving.filter_map(async |receipt| receipt).ready_chunks(MAX_BATCH);
        done.for_each(|receipts| self.delete(receipts)).await;
    }
}

/// What becomes of a message.
#[derive(Debug)]
enum Served {
    /// Its effect is certain: it can go.
    Done,
    /// It has to come again.
    Later(Error),
}

impl Inbox {
    /// Answers the receipt of a message that can go.
    async fn serve(&self, message: Message) -> Option<ReceiptHandle> {
        let served = match Command::parse(&message.body) {
            Ok(Command::StartJob(job)) => self.start_job(job, message.receive_count).await,
            Err(bad) => self.refuse(bad).await,
        };
        match served {
            Served::Done => Some(message.receipt_handle),
            Served::Later(error) => {
                let times = message.receive_count;
                let hidden = self.hide_after(times);
                warn!(
                    client = %self.client.name, times, %error, ?hidden,
                    "A command could not be served yet: it comes again"
                );
                let (queues, queue) = (&self.worker.ports.queues, &self.client.input);
                // If this fails the queue's own timeout holds.
                let _ = queues.change_visibility(queue, &message.receipt_handle, hidden).await;
                None
            }
        }
    }

    async fn delete(&self, receipts: Vec<ReceiptHandle>) {
        let (queues, queue) = (&self.worker.ports.queues, &self.client.input);
        let delete = || queues.delete_batch(queue, receipts.clone());
        let deleted = retrying(self.worker.backoff, DELETE_PATIENCE, delete).await;
        // One that was not deleted comes back, and is served again.
        let failed = deleted.and_then(|outcome| outcome.into_iter().collect::<Result<(), _>>());
        if let Err(error) = failed {
            warn!(client = %self.client.name, %error, "A message could not be deleted");
        }
    }

    fn hide_after(&self, times: u32) -> Duration {
        let jitter = self.worker.backoff.jitter;
        Backoff { min: MIN_HIDDEN, max: MAX_HIDDEN, jitter }.after(times)
    }

    async fn refuse(&self, bad: BadCommand) -> Served {
        self.reject(Rejected {
            client: bad.client,
            job_id: bad.job_id,
            command: bad.command,
            problems: bad.problems,
        })
        .await
    }

    /// Tells the client everything that is wrong. Nothing was started.
    async fn reject(&self, rejected: Rejected) -> Served {
        let Rejected { client, job_id, command, problems } = rejected;
        let says = client.map(String::from).unwrap_or_default();
        let list = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        info!(client = %self.client.name, says, problems = list, "A command was rejected");
        let event = JobEvent {
            time: self.worker.ports.clock.now(),
            job_id,
            execution: None,
            seq: 0,
            data: EventData::CommandRejected { command, problems },
        };
        match self.teller.tell(&self.client.output, &event).await {
            Ok(()) => Served::Done,
            Err(error) => Served::Later(error),
        }
    }
}

/// A command that starts nothing.
struct Rejected {
    /// Who it says it is from.
    client: Option<ClientName>,
    job_id: Option<JobId>,
    command: Option<String>,
    problems: Vec<Problem>,
}

#[cfg(test)]
mod tests;
