//! The parent's side of one jailed process: what it hears from it, and what it does when that is
//! not what it should be.
//!
//! Nothing that the child says is believed: what it asks for is checked elsewhere against the
//! grants of the run that it names, what it sends is bounded here, and a breach of the protocol is
//! its end.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::{Notify, OnceCell, mpsc, oneshot, watch};

use super::{
    exchange::Exchanges,
    line::level_of,
    wire::{Answer, Down, End, ObjectAsk, PIECE, Up, Used, encode},
};
use crate::{
    Beats, Digest, Directive, Module, SandboxError, WeakModule, guest_log::GuestLog, host,
};

/// Frames that wait to be sent to a child.
pub(super) const FRAMES: usize = 16;

/// A jailed process that may be alive.
pub(super) struct Child {
    out: mpsc::Sender<Bytes>,
    table: Mutex<Table>,
    /// Runs and preparations of runs.
    busy: watch::Sender<usize>,
    condemned: Notify,
}

#[derive(Default)]
struct Table {
    state: State,
    seats: HashMap<u32, Seat>,
    last_run: u32,
    modules: HashMap<Digest, (WeakModule, Arc<OnceCell<u32>>)>,
    last_module: u32,
    linking: HashMap<u32, oneshot::Sender<Option<String>>>,
}

#[derive(Default)]
enum State {
    #[default]
    Alive,
    /// To be killed, and why.
    Condemned(String),
    /// It goes or is gone; of what, if not of idleness.
    Gone(Option<Arc<str>>),
}

/// A run that is in the child.
pub(super) struct Seat {
    pub(super) log: GuestLog,
    pub(super) beats: Arc<dyn Beats>,
    /// The guest should end.
    pub(super) cancel: Arc<Notify>,
    pub(super) objects: mpsc::Sender<ObjectCall>,
    /// None once nobody waits for the run.
    pub(super) exchanges: Option<Exchanges>,
    pub(super) output_limit: u64,
    pub(super) output: Vec<u8>,
    pub(super) ended: oneshot::Sender<Report>,
}

/// A call of `object-store`.
pub(super) struct ObjectCall {
    pub(super) call: u32,
    pub(super) ask: ObjectAsk,
    pub(super) bytes: Bytes,
}

/// A run's end, as the child tells it.
pub(super) struct Report {
    pub(super) end: End,
    pub(super) used: Used,
    pub(super) output: Vec<u8>,
}

/// Keeps a child from being taken for idle.
pub(super) struct Reserved(pub(super) Arc<Child>);

impl Drop for Reserved {
    fn drop(&mut self) {
        self.0.busy.send_modify(|busy| *busy = busy.saturating_sub(1));
    }
}

/// Where the answers to one run's calls go.
#[derive(Clone)]
pub(super) struct Replies {
    pub(super) child: Arc<Child>,
    pub(super) run: u32,
}

impl Replies {
    pub(super) async fn send(&self, call: u32, answer: Answer, bytes: &[u8]) {
        let run = self.run;
        let frame = encode(&Down::Answer { run, call, answer }, bytes);
        // Only a listing of keys that no store should have can be too long.
        let frame = frame.or_else(|| {
            let error = host::wit::Error::Unavailable("the answer is too long".to_owned());
            encode(&Down::Answer { run, call, answer: Answer::Failed(error) }, b"")
        });
        if let Some(frame) = frame {
            let _ = self.child.out.send(frame).await;
        }
    }
}

impl Child {
    pub(super) fn new(out: mpsc::Sender<Bytes>) -> Arc<Self> {
        let (busy, condemned) = (watch::Sender::new(0), Notify::new());
        Arc::new(Self { out, table: Mutex::default(), busy, condemned })
    }

    /// `None` if it is gone or about to go.
    pub(super) fn reserve(self: &Arc<Self>) -> Option<Reserved> {
        let table = self.table();
        matches!(table.state, State::Alive).then(|| {
            self.busy.send_modify(|busy| *busy += 1);
            Reserved(Arc::clone(self))
        })
    }

    pub(super) fn is_idle(&self) -> bool {
        *self.busy.borrow() == 0
    }

    /// Ends when it has had nothing to do for so long, or at once if it may; it takes no more
    /// runs then.
    pub(super) async fn idle(&self, patience: Duration) {
        let mut busy = self.busy.subscribe();
        loop {
            let _ = busy.wait_for(|busy| *busy == 0).await;
            let stirred = tokio::time::timeout(patience, busy.wait_for(|busy| *busy > 0)).await;
            if stirred.is_err() && self.retire() {
                return;
            }
        }
    }

    /// Takes no more runs, if it has none.
    pub(super) fn retire(&self) -> bool {
        let mut table = self.table();
        let idle = self.is_idle();
        if idle && matches!(table.state, State::Alive) {
            table.state = State::Gone(None);
        }
        drop(table);
        self.condemned.notify_one();
        idle
    }

    /// It is to be killed.
    pub(super) fn condemn(&self, why: &str) {
        let mut table = self.table();
        if matches!(table.state, State::Alive) {
            table.state = State::Condemned(why.to_owned());
        }
        drop(table);
        self.condemned.notify_one();
    }

    /// Why it is to be killed, once it is; `None` if only because it has nothing to do.
    pub(super) async fn condemned(&self) -> Option<String> {
        loop {
            match &self.table().state {
                State::Alive => {}
                State::Condemned(why) => return Some(why.clone()),
                State::Gone(_) => return None,
            }
            self.condemned.notified().await;
        }
    }

    /// It is gone, and everything that was in it.
    pub(super) fn lost(&self, why: &str) {
        let mut table = self.table();
        table.state = State::Gone(Some(why.into()));
        let (seats, linking) = (mem::take(&mut table.seats), mem::take(&mut table.linking));
        // What is dropped here may want the table.
        drop(table);
        drop((seats, linking));
    }

    /// What its runs fail with.
    pub(super) fn loss(&self) -> SandboxError {
        let problem = match &self.table().state {
            State::Gone(Some(why)) => why.to_string(),
            State::Condemned(why) => why.clone(),
            State::Gone(None) | State::Alive => "it went".to_owned(),
        };
        SandboxError::Lost { problem }
    }

    pub(super) async fn send(
        &self,
        message: &impl Serialize,
        bytes: &[u8],
    ) -> Result<(), SandboxError> {
        let frame = encode(message, bytes);
        let frame =
            frame.ok_or_else(|| SandboxError::Internal("too long for a jail".to_owned()))?;
        self.out.send(frame).await.map_err(|_| self.loss())
    }

    /// The number by which the child knows the module, once it does.
    pub(super) async fn module(self: &Arc<Self>, module: &Module) -> Result<u32, SandboxError> {
        let (known, gone) = {
            let mut table = self.table();
            let gone: Vec<_> = table
                .modules
                .extract_if(|_, (module, _)| module.upgrade().is_none())
                .filter_map(|(_, (_, number))| number.get().copied())
                .collect();
            let entry = table.modules.entry(module.digest().clone());
            let known = entry.or_insert_with(|| (module.downgrade(), Arc::default()));
            (Arc::clone(&known.1), gone)
        };
        for module in gone {
            self.send(&Down::Forget { module }, b"").await?;
        }
        if let Some(number) = known.get() {
            return Ok(*number);
        }
        let (child, module) = (Arc::clone(self), module.clone());
        // Who asked first may go away; who asks next finds it done.
        let teaching =
            tokio::spawn(
                async move { known.get_or_try_init(|| child.teach(module)).await.copied() },
            );
        teaching.await.map_err(|error| SandboxError::Internal(error.to_string()))?
    }

    async fn teach(&self, module: Module) -> Result<u32, SandboxError> {
        let number = {
            let mut table = self.table();
            table.last_module = table.last_module.wrapping_add(1);
            table.last_module
        };
        let (name, digest) = (module.name().to_owned(), module.digest().as_str().to_owned());
        let code = tokio::task::spawn_blocking(move || module.machine_code()).await;
        let code = code.map_err(|error| SandboxError::Internal(error.to_string()))?;
        let code = code.map_err(SandboxError::Setup)?;
        for piece in code.chunks(PIECE) {
            self.send(&Down::Code { module: number }, piece).await?;
        }
        let (sender, linked) = oneshot::channel();
        self.table().linking.insert(number, sender);
        self.send(&Down::Link { module: number, name, digest }, b"").await?;
        match linked.await {
            Ok(None) => Ok(number),
            Ok(Some(problem)) => Err(SandboxError::Internal(problem)),
            Err(_) => Err(self.loss()),
        }
    }

    pub(super) fn sit_down(&self, seat: impl FnOnce(u32) -> Seat) -> Result<u32, SandboxError> {
        let mut table = self.table();
        if !matches!(table.state, State::Alive) {
            drop(table);
            return Err(self.loss());
        }
        table.last_run = table.last_run.wrapping_add(1);
        let run = table.last_run;
        let seat = seat(run);
        table.seats.insert(run, seat);
        Ok(run)
    }

    /// The run's requests are given up, and no more are sent.
    pub(super) fn give_up(&self, run: u32) {
        let mut table = self.table();
        let before = table.seats.get_mut(&run).and_then(|seat| seat.exchanges.take());
        drop(table);
        drop(before);
    }

    /// Takes a message up. An error is a breach of the protocol.
    pub(super) fn hear(&self, up: Up, bytes: Bytes) -> Result<(), &'static str> {
        match up {
            Up::Linked { module, problem } => {
                let linking = self.table().linking.remove(&module);
                let waiting = linking.ok_or("it linked a module that it was not given")?;
                let _ = waiting.send(problem);
                Ok(())
            }
            Up::Beat { run } => {
                let text = text(&bytes)?;
                let Some((beats, cancel)) =
                    self.seat(run, |seat| (Arc::clone(&seat.beats), Arc::clone(&seat.cancel)))?
                else {
                    return Ok(());
                };
                if beats.beat(&host::well_formed(text.to_owned())) == Directive::Cancel {
                    cancel.notify_one();
                }
                Ok(())
            }
            Up::Line { run, level, fields } => {
                let level = level_of(level).ok_or("a line of its log has no such level")?;
                let text = text(&bytes)?;
                self.seat(run, |seat| seat.log.relay(level, text, &fields)).map(drop)
            }
            Up::Dropped { run, lines } => self.seat(run, |seat| seat.log.dropped(lines)).map(drop),
            Up::Object { run, call, ask } => {
                let full = self.seat(run, |seat| {
                    let sent = seat.objects.try_send(ObjectCall { call, ask, bytes });
                    matches!(sent, Err(mpsc::error::TrySendError::Full(_)))
                })?;
                match full {
                    Some(true) => Err("a call did not wait for the one before it"),
                    Some(false) | None => Ok(()),
                }
            }
            Up::Http { run, call, exchange, ask } => {
                let heard = self.seat(run, |seat| {
                    let exchanges = seat.exchanges.as_mut()?;
                    Some(exchanges.hear(exchange, call, ask, bytes))
                })?;
                heard.flatten().unwrap_or(Ok(()))
            }
            Up::Close { run, exchange } => {
                let close = |seat: &mut Seat| {
                    seat.exchanges.as_mut().map(|exchanges| exchanges.close(exchange))
                };
                self.seat(run, close).map(drop)
            }
            Up::Output { run } => self.seat(run, |seat| seat.take(&bytes))?.unwrap_or(Ok(())),
            Up::Ended { run, end, used } => {
                self.seat(run, |seat| seat.take(&bytes))?.unwrap_or(Ok(()))?;
                let seat = self.table().seats.remove(&run);
                if let Some(seat) = seat {
                    let _ = seat.ended.send(Report { end, used, output: seat.output });
                }
                Ok(())
            }
        }
    }

    /// `None` of a run that is over: what was on its way is no breach.
    fn seat<T>(
        &self,
        run: u32,
        act: impl FnOnce(&mut Seat) -> T,
    ) -> Result<Option<T>, &'static str> {
        let mut table = self.table();
        if run == 0 || run > table.last_run {
            return Err("it spoke of a run that it was not given");
        }
        Ok(table.seats.get_mut(&run).map(act))
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    fn take(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        let size = self.output.len().saturating_add(bytes.len());
        if size as u64 > self.output_limit {
            return Err("a result is longer than its limit");
        }
        self.output.extend_from_slice(bytes);
        Ok(())
    }
}

fn text(bytes: &[u8]) -> Result<&str, &'static str> {
    std::str::from_utf8(bytes).map_err(|_| "a text is no UTF-8")
}
