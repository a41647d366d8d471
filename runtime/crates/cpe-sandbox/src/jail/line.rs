//! The jailed process's side of a run: what its guest asks for, said to the parent, and the answer
//! waited for. Nothing is checked here: the parent believes nothing that comes from here.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::{Notify, mpsc, oneshot};
use tracing::Level;

use super::wire::{Answer, HttpAsk, ObjectAsk, Up, encode};
use crate::{Beats, Directive, host::wit};

/// Between two beats that the parent hears of one guest.
const BETWEEN_BEATS: Duration = Duration::from_millis(10);

type Waiting = Mutex<HashMap<(u32, u32), oneshot::Sender<(Answer, Bytes)>>>;

/// What all runs of a jailed process share: the way to the parent.
pub(super) struct Link {
    out: mpsc::Sender<Bytes>,
    waiting: Waiting,
}

impl Link {
    pub(super) fn new(out: mpsc::Sender<Bytes>) -> Arc<Self> {
        Arc::new(Self { out, waiting: Mutex::default() })
    }

    pub(super) async fn send(&self, message: &impl Serialize, bytes: &[u8]) {
        // Without a parent this process ends anyway.
        if let Some(frame) = encode(message, bytes) {
            let _ = self.out.send(frame).await;
        }
    }

    pub(super) fn out(&self) -> &mpsc::Sender<Bytes> {
        &self.out
    }

    pub(super) fn answered(&self, run: u32, call: u32, answer: Answer, bytes: Bytes) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = waiting.remove(&(run, call)) {
            let _ = waiting.send((answer, bytes));
        }
    }
}

/// The way of one run to the parent. Clones share it.
#[derive(Clone)]
pub(crate) struct Line {
    pub(super) run: u32,
    pub(super) link: Arc<Link>,
    calls: Arc<AtomicU32>,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("run", &self.run).finish_non_exhaustive()
    }
}

/// Forgets a call that nobody waits for any more.
struct Forgotten<'a>(&'a Waiting, (u32, u32));

impl Drop for Forgotten<'_> {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

impl Line {
    pub(super) fn new(run: u32, link: Arc<Link>) -> Self {
        Self { run, link, calls: Arc::default() }
    }

    async fn call(&self, ask: impl FnOnce(u32) -> Up, bytes: &[u8]) -> Option<(Answer, Bytes)> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        let known_as = (self.run, call);
        let waiting = &self.link.waiting;
        waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(known_as, sender);
        let _forgotten = Forgotten(waiting, known_as);
        let frame = encode(&ask(call), bytes)?;
        self.link.out.send(frame).await.ok()?;
        answer.await.ok()
    }

    pub(super) async fn http(
        &self,
        exchange: u32,
        ask: HttpAsk,
        bytes: &[u8],
    ) -> Option<(Answer, Bytes)> {
        self.call(|call| Up::Http { run: self.run, call, exchange, ask }, bytes).await
    }

    /// Whether there was room for the line.
    pub(crate) fn log(&self, level: Level, message: &str, fields: &str) -> bool {
        let level = level_number(level);
        let line = Up::Line { run: self.run, level, fields: fields.to_owned() };
        encode(&line, message.as_bytes()).is_some_and(|line| self.link.out.try_send(line).is_ok())
    }

    pub(crate) fn dropped(&self, lines: u64) {
        if let Some(frame) = encode(&Up::Dropped { run: self.run, lines }, b"") {
            // That lines were lost may be lost as well.
            let _ = self.link.out.try_send(frame);
        }
    }
}

const LEVELS: [Level; 5] = [Level::TRACE, Level::DEBUG, Level::INFO, Level::WARN, Level::ERROR];

fn level_number(level: Level) -> u8 {
    let at = LEVELS.iter().position(|known| *known == level).unwrap_or_default();
    u8::try_from(at).unwrap_or_default()
}

pub(super) fn level_of(number: u8) -> Option<Level> {
    LEVELS.get(usize::from(number)).copied()
}

/// `object-store`, asked of the parent.
pub(crate) struct AskedObjects(pub(super) Line);

/// What [`Answer`] an ask has, and what of it.
macro_rules! expect {
    ($answer:expr, $pattern:pat => $value:expr) => {
        match $answer {
            $pattern => Ok($value),
            _ => Err(gone()),
        }
    };
}

fn gone() -> wit::Error {
    wit::Error::Unavailable("the store cannot be asked".to_owned())
}

impl AskedObjects {
    async fn ask(&self, ask: ObjectAsk, bytes: &[u8]) -> Result<(Answer, Bytes), wit::Error> {
        let run = self.0.run;
        match self.0.call(|call| Up::Object { run, call, ask }, bytes).await {
            Some((Answer::Failed(error), _)) => Err(error),
            Some(answer) => Ok(answer),
            None => Err(gone()),
        }
    }

    async fn done(&self, ask: ObjectAsk) -> Result<(), wit::Error> {
        expect!(self.ask(ask, b"").await?, (Answer::Done, _) => ())
    }

    pub(crate) async fn open(&self, bucket: String) -> Result<(), wit::Error> {
        self.done(ObjectAsk::Open { bucket }).await
    }

    pub(crate) async fn head(
        &self,
        bucket: String,
        key: String,
    ) -> Result<wit::ObjectInfo, wit::Error> {
        let ask = ObjectAsk::Head { bucket, key };
        expect!(self.ask(ask, b"").await?, (Answer::Info(info), _) => info)
    }

    pub(crate) async fn get(
        &self,
        bucket: String,
        key: String,
        range: Option<wit::ByteRange>,
    ) -> Result<(u32, wit::ObjectInfo), wit::Error> {
        let ask = ObjectAsk::Get { bucket, key, range };
        expect!(self.ask(ask, b"").await?, (Answer::Reader { reader, info }, _) => (reader, info))
    }

    pub(crate) async fn read(&self, reader: u32, max: u32) -> Result<Vec<u8>, wit::Error> {
        let ask = ObjectAsk::Read { reader, max };
        expect!(self.ask(ask, b"").await?, (Answer::Bytes, bytes) => bytes.into())
    }

    pub(crate) async fn close_reader(&self, reader: u32) {
        let _ = self.done(ObjectAsk::CloseReader { reader }).await;
    }

    pub(crate) async fn put(
        &self,
        bucket: String,
        key: String,
        options: wit::PutOptions,
    ) -> Result<u32, wit::Error> {
        let ask = ObjectAsk::Put { bucket, key, options };
        expect!(self.ask(ask, b"").await?, (Answer::Writer(writer), _) => writer)
    }

    pub(crate) async fn write(&self, writer: u32, bytes: Vec<u8>) -> Result<(), wit::Error> {
        // What is too long for the parent is too long for a frame, perhaps.
        if bytes.len() > crate::host::MAX_WRITE {
            let why = "at most 1 MiB may be written at a time";
            return Err(wit::Error::InvalidArgument(why.to_owned()));
        }
        expect!(self.ask(ObjectAsk::Write { writer }, &bytes).await?, (Answer::Done, _) => ())
    }

    pub(crate) async fn finish(&self, writer: u32) -> Result<(), wit::Error> {
        self.done(ObjectAsk::Finish { writer }).await
    }

    pub(crate) async fn discard(&self, writer: u32) {
        let _ = self.done(ObjectAsk::Discard { writer }).await;
    }

    pub(crate) async fn list(
        &self,
        bucket: String,
        prefix: String,
        start_after: Option<String>,
    ) -> Result<wit::ListPage, wit::Error> {
        let ask = ObjectAsk::List { bucket, prefix, start_after };
        expect!(self.ask(ask, b"").await?, (Answer::Page(page), _) => page)
    }

    pub(crate) async fn copy(
        &self,
        from: (String, String),
        to: (String, String),
    ) -> Result<(), wit::Error> {
        self.done(ObjectAsk::Copy { from, to }).await
    }

    pub(crate) async fn delete(&self, bucket: String, key: String) -> Result<(), wit::Error> {
        self.done(ObjectAsk::Delete { bucket, key }).await
    }
}

/// The guest's beats, of which the parent hears the latest.
#[derive(Debug)]
pub(super) struct AskedBeats {
    line: Line,
    latest: Mutex<Option<String>>,
    beaten: Notify,
    canceled: Arc<AtomicBool>,
}

impl AskedBeats {
    pub(super) fn new(line: Line, canceled: Arc<AtomicBool>) -> Self {
        Self { line, latest: Mutex::default(), beaten: Notify::new(), canceled }
    }

    /// Never ends.
    pub(super) async fn tell(&self) {
        loop {
            self.beaten.notified().await;
            self.tell_latest().await;
            tokio::time::sleep(BETWEEN_BEATS).await;
        }
    }

    pub(super) async fn tell_latest(&self) {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(progress) = latest {
            self.line.link.send(&Up::Beat { run: self.line.run }, progress.as_bytes()).await;
        }
    }
}

impl Beats for AskedBeats {
    fn beat(&self, progress: &str) -> Directive {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        *latest = Some(progress.to_owned());
        self.beaten.notify_one();
        match self.canceled.load(Ordering::Relaxed) {
            true => Directive::Cancel,
            false => Directive::Proceed,
        }
    }
}
