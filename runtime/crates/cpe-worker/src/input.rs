//! The input poller: commands from clients' queues, executions into SWF, answers to clients.
//!
//! The queue that a command arrived on tells who sent it. A message is deleted once its effect is
//! certain: the execution is there and the client was told, or the client was told what is wrong
//! with it. Until then it stays in the queue, hidden while it is handled, and for longer from time
//! to time after that. A message that nobody can make anything of goes to the client's
//! dead-letter queue.

mod activities;
mod admission;
mod answer;
mod by_hand;
mod check;
mod claims;
mod inboxes;
mod jobs;
mod start;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use cpe_ports::{Error, ErrorKind, MAX_BATCH, Message, OutgoingMessage, ReceiptHandle, Receive};
use cpe_protocol::{
    Action, BadCommand, Command, EventData, JobEvent, JobId, Problem, Rejection, Request, RequestId,
};
use cpe_swf::TaskList;
use futures::{FutureExt, StreamExt, stream::FuturesUnordered};
use tracing::{error, info, warn};

use self::admission::Admission;
pub use self::{claims::JobClaims, inboxes::InputPoller, start::MESSAGE_TAG};
use crate::{
    Backoff, Client, Worker,
    backoff::retrying,
    poller::{Handler, Source},
    teller::Teller,
};

/// What SQS gives at most in one answer, and waits for at most.
const BATCH: u32 = 10;
const WAIT: Duration = Duration::from_secs(20);
/// How long a message is hidden from others while it is handled, and when that is said again.
const HIDDEN: Duration = Duration::from_secs(60);
const HIDE_AGAIN: Duration = Duration::from_secs(20);
/// Until a message that could not be served yet is shown again: longer after each time.
const MIN_HIDDEN: Duration = Duration::from_secs(2);
const MAX_HIDDEN: Duration = Duration::from_secs(300);
/// SQS hides a message for twelve hours at most, and a quota may be raised meanwhile.
const LONGEST_HIDDEN: Duration = Duration::from_secs(3_600);
/// A delete that fails brings the message back, which is harmless but not free.
const DELETE_PATIENCE: Duration = Duration::from_secs(5);
/// So often a message may bring its handler down before it is given up.
const PANICS: u32 = 3;

#[derive(Debug, Clone)]
pub struct InputConfig {
    /// The task list of the deciders, for the executions that are started.
    pub decider: TaskList,
    /// Receives at a time from each queue.
    pub polls: usize,
    /// Which message began which job.
    pub claims: JobClaims,
}

/// One client's queue.
#[derive(Debug)]
struct Inbox {
    worker: Arc<Worker>,
    teller: Teller,
    client: Arc<Client>,
    config: InputConfig,
    admission: Admission,
}

struct Messages(Arc<Inbox>);

impl Source for Messages {
    type Work = Vec<Message>;

    async fn poll(&self) -> Result<Option<Vec<Message>>, Error> {
        let receive = Receive { max_messages: BATCH, wait: WAIT, visibility_timeout: Some(HIDDEN) };
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
    /// It has to come again, and not before this time is over.
    After(Duration),
    /// It can go, to where somebody may look at it.
    Dead,
}

impl Inbox {
    /// Answers the receipt of a message that can go.
    async fn serve(&self, message: Message) -> Option<ReceiptHandle> {
        let work = AssertUnwindSafe(self.carry_out(&message)).catch_unwind();
        let served = tokio::select! {
            biased;
            served = work => served.unwrap_or_else(|_| self.fell(&message)),
            () = self.keep_hidden(&message.receipt_handle) => return None,
        };
        let times = message.receive_count;
        let (hidden, error) = match served {
            Served::Done => return Some(message.receipt_handle),
            Served::Dead => match self.bury(&message).await {
                Ok(()) => return Some(message.receipt_handle),
                Err(error) => (self.hide_after(times), error.to_string()),
            },
            Served::Later(error) => (self.hide_after(times), error.to_string()),
            Served::After(wait) => {
                let wait = wait.min(LONGEST_HIDDEN).max(self.hide_after(times));
                (wait, "over quota".to_owned())
            }
        };
        info!(
            client = %self.client.name, times, error, ?hidden,
            "A command could not be served yet: it comes again"
        );
        let (queues, queue) = (&self.worker.ports.queues, &self.client.input);
        // If this fails the time holds for which it is hidden already.
        let _ = queues.change_visibility(queue, &message.receipt_handle, hidden).await;
        None
    }

    async fn carry_out(&self, message: &Message) -> Served {
        let request =
            |id: Option<RequestId>| Request { id, message_id: message.message_id.clone() };
        match Command::parse(&message.body) {
            Ok(command) => {
                let request = request(command.head.request_id.clone());
                match command.action {
                    Action::StartJob(start) => {
                        let said = command.head.client;
                        let received = message.receive_count;
                        self.start_job(start::Start { request, said, start, received }).await
                    }
                    _ => self.answer(request, command).await,
                }
            }
            Err(bad) => self.refuse(request(bad.request_id.clone()), *bad).await,
        }
    }

    /// The host is wrong: a bug, which the next attempt may not meet, but not forever.
    fn fell(&self, message: &Message) -> Served {
        let (client, id) = (&self.client.name, &message.message_id);
        error!(%client, id, "CPE itself failed while it handled a message");
        if message.receive_count >= PANICS {
            return Served::Dead;
        }
        Served::Later(Error::new(ErrorKind::Broken, "CPE itself failed"))
    }

    /// Hides a message from others for as long as it is handled. Never ends.
    async fn keep_hidden(&self, receipt: &ReceiptHandle) {
        let (queues, queue) = (&self.worker.ports.queues, &self.client.input);
        loop {
            tokio::time::sleep(HIDE_AGAIN).await;
            if let Err(error) = queues.change_visibility(queue, receipt, HIDDEN).await {
                warn!(client = %self.client.name, %error, "A message may be seen by others");
            }
        }
    }

    /// Puts a message where its client's operator finds it.
    async fn bury(&self, message: &Message) -> Result<(), Error> {
        let (client, id) = (&self.client.name, &message.message_id);
        let Some(queue) = &self.client.dead_letters else {
            warn!(%client, id, "A message is dropped: the client has no dead-letter queue");
            return Ok(());
        };
        let mut letter = OutgoingMessage::new(message.body.as_str());
        if queue.0.ends_with(".fifo") {
            letter.group_id = Some(client.to_string());
            letter.deduplication_id = Some(crate::digest::digest_of(id));
        }
        match self.worker.ports.queues.send(queue, letter).await {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Refused) => {
                warn!(%client, id, %error, "A message is dropped: its dead-letter queue refuses it");
                Ok(())
            }
            sent => sent,
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

    async fn refuse(&self, request: Request, bad: BadCommand) -> Served {
        let readable = bad.readable;
        let reason = if readable { Rejection::Invalid } else { Rejection::Poison };
        let rejected = Rejected {
            request,
            job_id: bad.job_id,
            command: bad.command,
            reason,
            problems: bad.problems,
        };
        match self.reject(rejected).await {
            Served::Done if !readable => Served::Dead,
            served => served,
        }
    }

    /// Tells the client everything that is wrong. Nothing was started.
    async fn reject(&self, rejected: Rejected) -> Served {
        let Rejected { request, job_id, command, reason, problems } = rejected;
        let list = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        let code = reason.code();
        info!(client = %self.client.name, code, problems = list, "A command was rejected");
        let data = EventData::CommandRejected { command, reason, problems };
        self.say(JobEvent {
            time: self.worker.ports.clock.now(),
            job_id,
            execution: None,
            request: Some(request),
            seq: 0,
            data,
        })
        .await
    }

    /// Answers the client. The message that is answered waits for it.
    async fn say(&self, event: JobEvent) -> Served {
        match self.teller.tell(&self.client, &event).await {
            Ok(()) => Served::Done,
            Err(error) => Served::Later(error),
        }
    }
}

/// A command that has no effect.
struct Rejected {
    request: Request,
    job_id: Option<JobId>,
    command: Option<String>,
    reason: Rejection,
    problems: Vec<Problem>,
}

#[cfg(test)]
mod tests;
