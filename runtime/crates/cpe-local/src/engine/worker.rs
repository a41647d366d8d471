//! The thread's loop: wait, run what came in one transaction, commit, release.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        mpsc::{Receiver, RecvTimeoutError, TryRecvError},
    },
    time::{Duration, Instant},
};

use cpe_ports::Clock;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{Core, Job, Message};
use crate::{
    LocalConfig, LocalError, Storage,
    store::{self, Flusher, Home, Store},
};

/// Jobs that share one commit at most, and for how long they may keep the first one waiting.
const BATCH_JOBS: usize = 256;
const BATCH_TIME: Duration = Duration::from_millis(5);
/// How often the thread looks for a job before it sleeps. A sleeping thread takes the kernel tens
/// of microseconds to wake, and the next step of a workflow usually comes sooner.
const SPINS: u32 = 40;
/// How often others are let run to bring more jobs into a batch that has several.
const LINGERS: u32 = 4;
const SHORTEST_SLEEP: Duration = Duration::from_millis(1);

/// Opens the state, says so, and works until it is told to stop.
pub(super) fn main(
    config: &LocalConfig,
    jobs: Receiver<Message>,
    opened: oneshot::Sender<Result<PathBuf, LocalError>>,
    why_stopped: &OnceLock<String>,
) {
    let (mut worker, objects, home) = match Worker::open(config, jobs) {
        Ok(open) => open,
        Err(error) => {
            let _ = opened.send(Err(error));
            return;
        }
    };
    if opened.send(Ok(objects)).is_err() {
        return;
    }
    // After a panic nothing of the state is looked at again.
    let why = match catch_unwind(AssertUnwindSafe(|| worker.run())) {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(format!("cannot write the state: {error}")),
        Err(panic) => Some(format!("internal error: {}", panic_message(panic.as_ref()))),
    };
    if let Some(why) = why {
        tracing::error!(why, "The embedded endpoint stops; the state on disk is whole");
        let _ = why_stopped.set(why);
    }
    // The callers hear that it is over, and find the reason; the folder is let go of last.
    drop(worker);
    drop(home);
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a message")
}

struct Worker {
    core: Core,
    jobs: Receiver<Message>,
    clock: Arc<dyn Clock>,
    flusher: Option<Flusher>,
    /// Jobs that ran, to be answered after the commit. Their permits go with them.
    done: Vec<(Box<dyn Job>, OwnedSemaphorePermit)>,
}

impl Worker {
    fn open(
        config: &LocalConfig,
        jobs: Receiver<Message>,
    ) -> Result<(Self, PathBuf, Home), LocalError> {
        let Store { db, objects, home, flusher } = Store::open(&config.data)?;
        let clock = Arc::clone(&config.clock);
        let mut core = Core::load(db, clock.now())
            .map_err(|source| LocalError::Database { place: place_of(&config.data), source })?;
        if config.throttle {
            core.swf.throttle_as_aws();
        }
        let done = Vec::with_capacity(BATCH_JOBS);
        Ok((Self { core, jobs, clock, flusher, done }, objects, home))
    }

    fn run(&mut self) -> rusqlite::Result<()> {
        let mut stopping = false;
        while !stopping {
            let first = self.next();
            begin(&self.core)?;
            stopping = self.run_jobs(first)?;
            self.tell_time()?;
            self.core.hand_out()?;
            self.core.take_broken()?;
            commit(&self.core)?;
            for (job, permit) in self.done.drain(..) {
                job.release();
                drop(permit);
            }
            self.core.release();
            if let Some(flusher) = &self.flusher {
                flusher.flush_soon();
            }
        }
        store::checkpoint(&self.core.db)
    }

    /// Waits for a job, or until something is due (`None`).
    fn next(&self) -> Option<Message> {
        for _ in 0..SPINS {
            match self.jobs.try_recv() {
                Ok(message) => return Some(message),
                Err(TryRecvError::Disconnected) => return Some(Message::Stop),
                Err(TryRecvError::Empty) => std::thread::yield_now(),
            }
        }
        // A deadline that is over by now is fired by the next turn; with a clock that a test moves
        // it may also be far away although little time passed.
        let sleep = self.core.next_deadline().since(self.clock.now()).max(SHORTEST_SLEEP);
        match self.jobs.recv_timeout(sleep) {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Message::Stop),
        }
    }

    /// Runs the first job and all that wait behind it. Answers whether to stop after them.
    fn run_jobs(&mut self, first: Option<Message>) -> rusqlite::Result<bool> {
        let begun = Instant::now();
        let mut next = first;
        while let Some(message) = next {
            let Message::Job(job, permit) = message else { return Ok(true) };
            self.tell_time()?;
            // Kept before it runs, so that after a panic its caller finds the reason too.
            let (job, _) = self.done.push_mut((job, permit));
            job.run(&mut self.core);
            self.core.write()?;
            if self.done.len() >= BATCH_JOBS || begun.elapsed() >= BATCH_TIME {
                break;
            }
            next = self.one_more();
        }
        Ok(false)
    }

    /// The next job, if one waits or is about to come.
    ///
    /// A commit costs as much as many jobs. Where several callers are at work, those that the
    /// last commit woke call again at once, so they are let run before this one is made.
    fn one_more(&self) -> Option<Message> {
        let lingers = if self.done.len() > 1 { LINGERS } else { 0 };
        for _ in 0..lingers {
            if let Ok(message) = self.jobs.try_recv() {
                return Some(message);
            }
            std::thread::yield_now();
        }
        self.jobs.try_recv().ok()
    }

    /// Moves the core's time on, and lets happen what is due by then.
    fn tell_time(&mut self) -> rusqlite::Result<()> {
        self.core.now = self.core.now.max(self.clock.now());
        self.core.fire_due()
    }
}

fn place_of(storage: &Storage) -> PathBuf {
    match storage {
        Storage::Disk(folder) => folder.clone(),
        Storage::Memory => PathBuf::from(":memory:"),
    }
}

fn begin(core: &Core) -> rusqlite::Result<()> {
    core.db.prepare_cached("BEGIN")?.execute([]).map(drop)
}

fn commit(core: &Core) -> rusqlite::Result<()> {
    // A full disk or an I/O error makes SQLite roll back by itself, in the middle of any
    // statement. What was done before it is lost then, though the job saw no more than one error.
    if core.db.is_autocommit() {
        return Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ABORT_ROLLBACK),
            Some("the transaction was rolled back by the database".to_owned()),
        ));
    }
    core.db.prepare_cached("COMMIT")?.execute([]).map(drop)
}
