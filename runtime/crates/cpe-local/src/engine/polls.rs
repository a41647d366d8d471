//! Long polls of SWF and SQS: try at once, otherwise wait in line, be served when something comes.
//!
//! Who is served gets it in the transaction in which it became ready, and hears of it after the
//! commit.

use std::time::Duration;

use cpe_swf::{
    DomainName, Fault, FaultKind,
    api::{ActivityTask, DecisionTask, PollForActivityTaskRequest, PollForDecisionTaskRequest},
};
use tokio_util::sync::CancellationToken;

use super::{
    Closed, Core, Engine,
    waiting::{Handout, Lines, Ticket},
};
use crate::{
    sqs::{self, Ask, QueueId, QueueName, Received, SqsFault},
    swf::{Ready, TaskKind},
};

/// Pollers that may wait on one task list, as in SWF; the same for a queue.
const POLLERS: usize = 1_000;

type Decided = Result<Option<DecisionTask>, Fault>;
type Acted = Result<Option<ActivityTask>, Fault>;
type Got = Result<Vec<Received>, SqsFault>;

/// How to receive from a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Receive {
    pub(crate) queue: QueueName,
    pub(crate) most: usize,
    /// The queue's own if `None`.
    pub(crate) visibility: Option<Duration>,
    /// The queue's own if `None`.
    pub(crate) wait: Option<Duration>,
    /// Under which id it may be repeated.
    pub(crate) attempt: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct TaskListKey {
    domain: DomainName,
    task_list: String,
}

/// Everybody who waits, and what was found for them in the transaction that is open.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    decisions: Lines<TaskListKey, PollForDecisionTaskRequest, Decided>,
    activities: Lines<TaskListKey, PollForActivityTaskRequest, Acted>,
    receivers: Lines<QueueId, Receive, Got>,
    decided: Vec<Handout<Decided>>,
    acted: Vec<Handout<Acted>>,
    got: Vec<Handout<Got>>,
}

/// What a poll found when it came.
enum Polled<T> {
    Now(T),
    /// Nothing yet: wait for so long.
    Later(Ticket<T>, Duration),
}

impl Engine {
    pub(crate) async fn poll_for_decision_task(
        &self,
        request: PollForDecisionTaskRequest,
        stop: &CancellationToken,
    ) -> Result<Decided, Closed> {
        let wait = self.poll_wait();
        let polled = self.call(move |core| core.poll_decision(request, wait)).await?;
        Ok(self.outcome(polled, stop).await?.unwrap_or(Ok(None)))
    }

    pub(crate) async fn poll_for_activity_task(
        &self,
        request: PollForActivityTaskRequest,
        stop: &CancellationToken,
    ) -> Result<Acted, Closed> {
        let wait = self.poll_wait();
        let polled = self.call(move |core| core.poll_activity(request, wait)).await?;
        Ok(self.outcome(polled, stop).await?.unwrap_or(Ok(None)))
    }

    pub(crate) async fn receive(
        &self,
        receive: Receive,
        stop: &CancellationToken,
    ) -> Result<Got, Closed> {
        let polled = self.call(move |core| core.poll_queue(receive)).await?;
        Ok(self.outcome(polled, stop).await?.unwrap_or(Ok(Vec::new())))
    }

    async fn outcome<T>(
        &self,
        polled: Polled<T>,
        stop: &CancellationToken,
    ) -> Result<Option<T>, Closed> {
        match polled {
            Polled::Now(outcome) => Ok(Some(outcome)),
            Polled::Later(ticket, wait) => {
                let wait = wait.min(self.poll_wait());
                ticket.wait(wait, stop).await.map_err(|_| self.closed())
            }
        }
    }
}

impl Core {
    fn poll_decision(
        &mut self,
        request: PollForDecisionTaskRequest,
        wait: Duration,
    ) -> Polled<Decided> {
        let found = self.swf(|swf, call| {
            swf.admit("PollForDecisionTask", call.now)?;
            swf.poll_for_decision_task(call, &request)
        });
        if !matches!(found, Ok(None)) || wait.is_zero() {
            return Polled::Now(found);
        }
        let key = TaskListKey {
            domain: request.domain.clone(),
            task_list: request.task_list.name.clone(),
        };
        if self.waiting.decisions.len(&key) >= POLLERS {
            return Polled::Now(Err(too_many_pollers(&key)));
        }
        Polled::Later(self.waiting.decisions.join(key, request), wait)
    }

    fn poll_activity(
        &mut self,
        request: PollForActivityTaskRequest,
        wait: Duration,
    ) -> Polled<Acted> {
        let found = self.swf(|swf, call| {
            swf.admit("PollForActivityTask", call.now)?;
            swf.poll_for_activity_task(call, &request)
        });
        if !matches!(found, Ok(None)) || wait.is_zero() {
            return Polled::Now(found);
        }
        let key = TaskListKey {
            domain: request.domain.clone(),
            task_list: request.task_list.name.clone(),
        };
        if self.waiting.activities.len(&key) >= POLLERS {
            return Polled::Now(Err(too_many_pollers(&key)));
        }
        Polled::Later(self.waiting.activities.join(key, request), wait)
    }

    fn poll_queue(&mut self, receive: Receive) -> Polled<Got> {
        let id = match self.sqs.queue_id(&receive.queue) {
            Ok(id) => id,
            Err(fault) => return Polled::Now(Err(fault)),
        };
        let found = self.receive(id, &receive).unwrap_or_else(|error| {
            self.broken(error);
            Ok(Vec::new())
        });
        let wait = receive.wait.unwrap_or_else(|| self.sqs.receive_wait(id));
        let nothing = found.as_ref().is_ok_and(Vec::is_empty);
        if !nothing || wait.is_zero() || self.waiting.receivers.len(&id) >= POLLERS {
            return Polled::Now(found);
        }
        Polled::Later(self.waiting.receivers.join(id, receive), wait)
    }

    /// Receives from a queue, with the messages' contents.
    fn receive(&mut self, id: QueueId, receive: &Receive) -> rusqlite::Result<Got> {
        let Receive { most, visibility, ref attempt, .. } = *receive;
        let ask = Ask { most, visibility, attempt: attempt.as_deref() };
        let deliveries = match self.sqs.receive(self.now, id, &ask) {
            Ok(deliveries) => deliveries,
            Err(fault) => return Ok(Err(fault)),
        };
        // A message may have come in this very transaction.
        self.write()?;
        let with_content = |delivery| sqs::tables::with_content(&self.db, delivery);
        deliveries.into_iter().map(with_content).collect::<rusqlite::Result<_>>().map(Ok)
    }

    /// Gives what became ready to those who wait for it, for as long as more becomes ready.
    pub(super) fn hand_out(&mut self) -> rusqlite::Result<()> {
        loop {
            let task_lists = self.swf.take_ready();
            let queues = self.sqs.take_ready();
            if task_lists.is_empty() && queues.is_empty() {
                return Ok(());
            }
            for ready in task_lists {
                self.hand_out_task_list(ready)?;
            }
            for id in queues {
                let mut receivers = std::mem::take(&mut self.waiting.receivers);
                let got = receivers.hand_out(&id, |receive| {
                    let found = self.receive(id, receive)?;
                    Ok((!found.as_ref().is_ok_and(Vec::is_empty)).then_some(found))
                });
                self.waiting.receivers = receivers;
                self.waiting.got.extend(got?);
            }
        }
    }

    fn hand_out_task_list(&mut self, ready: Ready) -> rusqlite::Result<()> {
        let key = TaskListKey { domain: ready.domain, task_list: ready.task_list };
        match ready.kind {
            TaskKind::Decision => {
                let mut line = std::mem::take(&mut self.waiting.decisions);
                let decided = line.hand_out(&key, |request| {
                    let found = self.swf(|swf, call| swf.poll_for_decision_task(call, request));
                    self.write()?;
                    Ok((!matches!(found, Ok(None))).then_some(found))
                });
                self.waiting.decisions = line;
                self.waiting.decided.extend(decided?);
            }
            TaskKind::Activity => {
                let mut line = std::mem::take(&mut self.waiting.activities);
                let acted = line.hand_out(&key, |request| {
                    let found = self.swf(|swf, call| swf.poll_for_activity_task(call, request));
                    self.write()?;
                    Ok((!matches!(found, Ok(None))).then_some(found))
                });
                self.waiting.activities = line;
                self.waiting.acted.extend(acted?);
            }
        }
        Ok(())
    }

    /// How many wait for messages, of all queues.
    #[cfg(test)]
    pub(crate) fn waiting_receivers(&self) -> usize {
        self.waiting.receivers.total()
    }

    /// Tells those who waited what they were found, after the commit.
    pub(super) fn release(&mut self) {
        self.waiting.decided.drain(..).for_each(Handout::release);
        self.waiting.acted.drain(..).for_each(Handout::release);
        self.waiting.got.drain(..).for_each(Handout::release);
    }
}

fn too_many_pollers(key: &TaskListKey) -> Fault {
    Fault::new(
        FaultKind::LimitExceededFault,
        format!("{POLLERS} pollers wait on the task list {} already", key.task_list),
    )
}
