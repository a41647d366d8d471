//! The loop that all three pollers share: a slot, a long poll, the work in a tokio task of its own.
//!
//! It knows neither SWF nor SQS: what is polled is a [`Source`], what is done with it a
//! [`Handler`].

use std::{sync::Arc, time::Duration};

use cpe_ports::{Error, ErrorKind};
use tokio::{sync::Semaphore, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, error, info, warn};

use crate::backoff::{Backoff, Delays};

/// A poll that found nothing lasts at least this long. A service that holds polls takes longer
/// anyway; one that does not is not to be asked in a tight loop.
const EMPTY_POLL: Duration = Duration::from_millis(500);

/// Something that can be long-polled.
pub(crate) trait Source: Send + Sync + 'static {
    type Work: Send + 'static;

    /// Waits for work. `None` means that the poll ended without any.
    fn poll(&self) -> impl Future<Output = Result<Option<Self::Work>, Error>> + Send;
}

pub(crate) trait Handler<W>: Send + Sync + 'static {
    /// Does one piece of work to its end and answers the service. Errors are answers too, so
    /// there is nothing left to return.
    fn handle(&self, work: W) -> impl Future<Output = ()> + Send;
}

/// How to poll one source.
#[derive(Debug, Clone)]
pub(crate) struct Poller {
    /// For people.
    pub(crate) name: String,
    /// Polls at a time. Each has a slot of its own, so no more than `slots` ever wait.
    pub(crate) polls: usize,
    pub(crate) backoff: Backoff,
    /// Pieces of work at a time; pollers may share them.
    pub(crate) slots: Arc<Semaphore>,
}

impl Poller {
    /// Polls until `stop`, then returns when all work in flight is done.
    pub(crate) async fn run<S, H>(self, source: S, handler: Arc<H>, stop: CancellationToken)
    where
        S: Source,
        H: Handler<S::Work>,
    {
        let source = Arc::new(source);
        let in_flight = TaskTracker::new();
        let polls = TaskTracker::new();
        for _ in 0..self.polls.max(1) {
            let (source, handler) = (Arc::clone(&source), Arc::clone(&handler));
            let one = self.clone().poll(source, handler, in_flight.clone(), stop.clone());
            polls.spawn(one.in_current_span());
        }
        polls.close();
        stop.cancelled().await;
        let (open, running) = (polls.len(), in_flight.len());
        info!(poller = self.name, polls = open, in_flight = running, "Draining");
        polls.wait().await;
        in_flight.close();
        in_flight.wait().await;
        info!(poller = self.name, "Drained");
    }

    async fn poll<S, H>(
        self,
        source: Arc<S>,
        handler: Arc<H>,
        in_flight: TaskTracker,
        stop: CancellationToken,
    ) where
        S: Source,
        H: Handler<S::Work>,
    {
        let mut delays = self.backoff.delays();
        loop {
            // A slot before the poll, never after: the service starts a clock when it hands work
            // out, so work that cannot run yet is work that times out here instead of running
            // elsewhere.
            let slot = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                slot = Arc::clone(&self.slots).acquire_owned() => slot,
            };
            let slot = slot.expect("the slots are never closed");
            let start = Instant::now();
            // A poll that is cut off may already have been given work. The service would hold it
            // until its timeout, so the poll is let end, also when draining.
            let pause = match source.poll().await {
                Ok(Some(work)) => {
                    delays.reset();
                    let handler = Arc::clone(&handler);
                    let handling = async move {
                        handler.handle(work).await;
                        drop(slot);
                    };
                    in_flight.spawn(handling.in_current_span());
                    continue;
                }
                Ok(None) => {
                    delays.reset();
                    EMPTY_POLL.saturating_sub(start.elapsed())
                }
                Err(error) => self.failed(&error, &mut delays),
            };
            // Others may use the slot meanwhile.
            drop(slot);
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    fn failed(&self, error: &Error, delays: &mut Delays) -> Duration {
        let pause = delays.next();
        let poller = self.name.as_str();
        match error.kind() {
            ErrorKind::Throttled | ErrorKind::Unavailable => {
                warn!(poller, %error, ?pause, "A poll failed");
            }
            // Somebody has to do something, yet what is missing may come, and come back.
            _ => error!(poller, %error, ?pause, "A poll was refused"),
        }
        pause
    }
}

#[cfg(test)]
mod tests;
