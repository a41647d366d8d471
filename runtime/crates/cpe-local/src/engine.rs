//! One thread owns all state: the database and the machines of the services.
//!
//! Everything that reads or changes state is a job for this thread. It takes all jobs that wait,
//! runs them in one transaction, fires what is due, hands out to waiting pollers, commits, and only
//! then releases the answers: nobody hears of what is not on disk.
//!
//! Whenever the state in memory could differ from the disk (a commit that failed, a panic), the
//! thread ends and every call answers [`Closed`]: what is on disk is whole, and the next start
//! begins there. Knows no wire format.

mod core;
mod polls;
mod waiting;
mod worker;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use cpe_swf::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

pub(crate) use self::{
    core::{Core, DEFAULT_REGION},
    polls::Receive,
};
use crate::{LocalConfig, LocalError, Storage, VirtualClock};

/// The engine has stopped: it was closed, or it could not write its state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Closed {
    why: Option<String>,
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Some(why) => write!(f, "the embedded endpoint has stopped: {why}"),
            None => f.write_str("the embedded endpoint is closed"),
        }
    }
}

impl std::error::Error for Closed {}

/// A handle to the thread. The last one to be dropped ends it.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    jobs: mpsc::Sender<Message>,
    /// One permit for each job that waits or runs, so that the channel has a bound.
    permits: Arc<Semaphore>,
    thread: Mutex<Option<JoinHandle<()>>>,
    why_stopped: Arc<OnceLock<String>>,
    /// Cancelled when the polls of this process are to end: at the latest when it closes.
    closing: CancellationToken,
    poll_wait: Duration,
    objects: PathBuf,
    /// Whether nothing outlives this process.
    in_memory: bool,
    virtual_clock: Option<Arc<VirtualClock>>,
}

enum Message {
    Job(Box<dyn Job>, OwnedSemaphorePermit),
    Stop,
}

/// Work for the thread, and its answer, kept until the commit.
trait Job: Send {
    fn run(&mut self, core: &mut Core);
    fn release(self: Box<Self>);
}

struct Call<F, T> {
    work: Option<F>,
    answer: Option<T>,
    caller: oneshot::Sender<T>,
}

impl<F, T> Job for Call<F, T>
where
    F: FnOnce(&mut Core) -> T + Send,
    T: Send,
{
    fn run(&mut self, core: &mut Core) {
        if let Some(work) = self.work.take() {
            self.answer = Some(work(core));
        }
    }

    fn release(self: Box<Self>) {
        if let Some(answer) = self.answer {
            // The caller may have gone away; what it asked for is done all the same.
            let _ = self.caller.send(answer);
        }
    }
}

impl Engine {
    /// Starts the thread, which opens the state and loads it.
    pub(crate) async fn start(config: LocalConfig) -> Result<Self, LocalError> {
        let (jobs, queue) = mpsc::channel();
        let (opened, is_open) = oneshot::channel();
        let why_stopped = Arc::new(OnceLock::new());
        let (poll_wait, max_calls) = (config.poll_wait, config.max_calls);
        let in_memory = config.data == Storage::Memory;
        let virtual_clock = config.virtual_clock.clone();
        let thread = std::thread::Builder::new()
            .name("cpe-local".to_owned())
            .spawn({
                let why_stopped = Arc::clone(&why_stopped);
                move || worker::main(&config, queue, opened, &why_stopped)
            })
            .map_err(LocalError::Thread)?;
        let objects = is_open.await.unwrap_or_else(|_| Err(closed(&why_stopped).into()))?;
        Ok(Self {
            shared: Arc::new(Shared {
                jobs,
                permits: Arc::new(Semaphore::new(max_calls.clamp(1, Semaphore::MAX_PERMITS))),
                thread: Mutex::new(Some(thread)),
                why_stopped,
                closing: CancellationToken::new(),
                poll_wait,
                objects,
                in_memory,
                virtual_clock,
            }),
        })
    }

    /// Runs `work` on the engine's thread, and answers once what it wrote is committed.
    ///
    /// `work` shares its transaction with others. If it writes in several steps and may fail
    /// between them, it takes a savepoint (`core.db.savepoint()`). It must not panic: that stops
    /// the engine. Dropping the future does not call the work back.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Core) -> T + Send + 'static,
    ) -> Result<T, Closed> {
        let permit =
            Arc::clone(&self.shared.permits).acquire_owned().await.map_err(|_| self.closed())?;
        let (caller, answer) = oneshot::channel();
        let job = Box::new(Call { work: Some(work), answer: None, caller });
        self.shared.jobs.send(Message::Job(job, permit)).map_err(|_| self.closed())?;
        answer.await.map_err(|_| self.closed())
    }

    /// How long polls for decision tasks and activity tasks are held.
    pub(crate) fn poll_wait(&self) -> Duration {
        self.shared.poll_wait
    }

    /// Cancelled when the polls of this process are to end: at the latest when it closes.
    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.shared.closing
    }

    /// The folder for the bytes of objects.
    pub(crate) fn objects(&self) -> &Path {
        &self.shared.objects
    }

    /// Whether nothing outlives this process.
    pub(crate) fn is_in_memory(&self) -> bool {
        self.shared.in_memory
    }

    /// Whether time stands still until it is moved.
    pub(crate) fn is_time_virtual(&self) -> bool {
        self.shared.virtual_clock.is_some()
    }

    /// Forgets everything. What is in a transaction before stays before.
    pub(crate) async fn reset(&self) -> Result<(), Closed> {
        self.call(|core| {
            if let Err(error) = core.reset() {
                core.broken(error);
            }
        })
        .await
    }

    /// What time it is for the services, and when something will happen by itself next.
    pub(crate) async fn time(&self) -> Result<(Timestamp, Option<Timestamp>), Closed> {
        self.call(|core| (core.now, core.next_event())).await
    }

    /// Lets virtual time pass until then, from one thing that is due to the next, so that each
    /// happens at its own time and whoever waits hears of it in order.
    ///
    /// Answers `false` where time is not virtual.
    pub(crate) async fn pass_time(&self, until: Timestamp) -> Result<bool, Closed> {
        let Some(clock) = &self.shared.virtual_clock else { return Ok(false) };
        loop {
            let (_, next) = self.time().await?;
            let step = next.map_or(until, |next| next.min(until));
            clock.move_to(step);
            if step >= until {
                break;
            }
        }
        self.time().await.map(|_| true)
    }

    /// Finishes the jobs that wait, closes the database and gives the folder free.
    pub(crate) async fn close(&self) {
        let thread = self.shared.stop();
        if let Some(thread) = thread {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("The endpoint's thread did not end well");
            }
        }
    }

    /// Why calls fail.
    pub(crate) fn closed(&self) -> Closed {
        closed(&self.shared.why_stopped)
    }
}

fn closed(why: &OnceLock<String>) -> Closed {
    Closed { why: why.get().cloned() }
}

impl Shared {
    /// Tells the thread to stop, and hands it over to whoever is first to wait for its end.
    fn stop(&self) -> Option<JoinHandle<()>> {
        self.closing.cancel();
        let _ = self.jobs.send(Message::Stop);
        self.permits.close();
        self.thread.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Waits for the thread, so that the folder is free when the last handle is gone. A job
        // never holds a handle, so this is not the thread itself; if it is, it is ending anyway.
        if let Some(thread) = self.stop()
            && thread.thread().id() != std::thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("objects", &self.objects).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
