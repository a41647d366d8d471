//! One job that is watched: a stream of its events, and its end.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use cpe_protocol::JobId;
use futures::{Stream, StreamExt};
use serde_json::Value;
use tokio::time::{Instant, Sleep};

use crate::{
    error::Error,
    event::{Event, EventKind, Failure, JobReport},
    hub::{Heard, Hub},
};

/// A watcher of one job: the stream of its events, each once, in their order, to the last.
///
/// An event's message is deleted when the stream has yielded it. Of a job that was started here,
/// the stream begins with [`EventKind::Scheduled`], perhaps after [`EventKind::Delayed`]; of one
/// that was begun before, with what nobody has taken so far. It ends after the job's last event.
/// An error ends it, too.
#[derive(Debug)]
pub struct Job {
    id: JobId,
    watch: Watch,
    found: Option<JobReport>,
    sleep: Pin<Box<Sleep>>,
    over: bool,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum JobEnd {
    /// With the plan's output.
    Completed(Value),
    Failed(Failure),
    Canceled(Failure),
}

/// Keeps a place at the hub.
#[derive(Debug)]
struct Watch {
    hub: Arc<Hub>,
    id: u64,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.hub.leave(self.id);
    }
}

impl Job {
    pub(crate) fn new(hub: Arc<Hub>, id: JobId, request: Option<String>) -> Self {
        let watch = hub.watch(&id, request);
        let sleep = Box::pin(tokio::time::sleep(Duration::ZERO));
        Self { id, watch: Watch { hub, id: watch }, found: None, sleep, over: false }
    }

    pub fn id(&self) -> &JobId {
        &self.id
    }

    /// What was known of the job when it was found: `None` of one that was started here.
    pub fn found(&self) -> Option<&JobReport> {
        self.found.as_ref()
    }

    /// The job was there before. One that has ended has its end for an event, which is dropped if
    /// the end's own event is heard.
    pub(crate) fn was_there(&mut self, report: JobReport, end: Option<Event>) {
        let Watch { hub, id } = &self.watch;
        hub.joined_late(*id);
        if let Some(end) = end {
            hub.offer(*id, end, Instant::now());
        }
        self.found = Some(report);
    }

    /// Waits for the job's end; takes the events until then.
    ///
    /// # Errors
    ///
    /// If the stream ends before the job does.
    pub async fn end(&mut self) -> Result<JobEnd, Error> {
        while let Some(event) = self.next().await {
            match event?.kind {
                EventKind::JobCompleted { result } => return Ok(JobEnd::Completed(result)),
                EventKind::JobFailed(failure) => return Ok(JobEnd::Failed(failure)),
                EventKind::JobCanceled(failure) => return Ok(JobEnd::Canceled(failure)),
                EventKind::Rejected(rejected) => return Err(Error::Rejected(Box::new(rejected))),
                _ => {}
            }
        }
        Err(Error::Invalid("the job's end was heard already".to_owned()))
    }
}

impl Stream for Job {
    type Item = Result<Event, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if self.over {
                return Poll::Ready(None);
            }
            let Watch { hub, id } = &self.watch;
            match hub.next(*id, Instant::now(), context.waker()) {
                Heard::Event(event) => return Poll::Ready(Some(Ok(*event))),
                Heard::Over => self.over = true,
                Heard::Failed(error) => {
                    self.over = true;
                    return Poll::Ready(Some(Err(error)));
                }
                Heard::Wait(None) => return Poll::Pending,
                Heard::Wait(Some(until)) => {
                    self.sleep.as_mut().reset(until);
                    ready!(self.sleep.as_mut().poll(context));
                }
            }
        }
    }
}
