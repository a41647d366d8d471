//! What a guest says, as lines of the operator's log: bounded, slowed down, and made harmless.

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tracing::Level;

use crate::{Limits, TaskContext, error::cut, jail::Line};

const MAX_LINE: usize = 8 << 10;
const MAX_FIELDS: usize = 32;
const MAX_FIELD_KEY: usize = 64;
const MAX_FIELD_VALUE: usize = 1 << 10;
/// Of all fields together, as text.
const MAX_FIELDS_TEXT: usize = 64 << 10;
/// Kept of the standard error, to explain a trap.
const MAX_LAST_WORDS: usize = 2 << 10;
/// Lines at once, and lines a second after that.
const BURST: f64 = 200.0;
const PER_SECOND: f64 = 50.0;

/// The log of one run. Clones share it, its limits included.
#[derive(Clone)]
pub(crate) struct GuestLog(Arc<Mutex<Inner>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StdStream {
    Out,
    Err,
}

/// Where lines go.
enum Sink {
    Log(Arc<TaskContext>),
    /// To the parent of this process, which is jailed, and counts once more.
    Parent(Line),
}

struct Inner {
    sink: Sink,
    lines_left: u32,
    bytes_left: usize,
    dropped: u64,
    tokens: f64,
    refilled: Option<Instant>,
    out: Vec<u8>,
    err: Vec<u8>,
    last_words: String,
}

impl GuestLog {
    pub(crate) fn new(context: Arc<TaskContext>, limits: &Limits) -> Self {
        Self::over(Sink::Log(context), limits)
    }

    /// The log of a run in a jailed process.
    pub(crate) fn to_parent(line: Line, limits: &Limits) -> Self {
        Self::over(Sink::Parent(line), limits)
    }

    fn over(sink: Sink, limits: &Limits) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            sink,
            lines_left: limits.log_lines,
            bytes_left: limits.log_bytes as usize,
            dropped: 0,
            tokens: BURST,
            refilled: None,
            out: Vec::new(),
            err: Vec::new(),
            last_words: String::new(),
        })))
    }

    pub(crate) fn write(&self, level: Level, message: &str, fields: &[(String, String)]) {
        self.lock().line(level, message, || rendered(fields));
    }

    /// A line from a jailed process, with its fields as text: within the same limits.
    pub(crate) fn relay(&self, level: Level, message: &str, fields: &str) {
        self.lock().line(level, message, || harmless(fields, MAX_FIELDS_TEXT));
    }

    /// So many lines were dropped in a jailed process.
    pub(crate) fn dropped(&self, lines: u64) {
        let mut inner = self.lock();
        inner.dropped = inner.dropped.saturating_add(lines);
    }

    /// Takes bytes of a standard stream, and logs the lines that they complete.
    pub(crate) fn write_raw(&self, stream: StdStream, bytes: &[u8]) {
        self.lock().raw(stream, bytes);
    }

    /// What the guest last wrote to its standard error.
    pub(crate) fn last_words(&self) -> String {
        let inner = self.lock();
        let mut words = inner.last_words.clone();
        words.push_str(&harmless(&String::from_utf8_lossy(&inner.err), MAX_LINE));
        words.trim_end().to_owned()
    }

    /// Logs unfinished lines, and how many were dropped.
    pub(crate) fn finish(&self) {
        self.lock().finish();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn line(&mut self, level: Level, message: &str, fields: impl FnOnce() -> String) {
        if !self.admit(message.len()) {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        let (message, fields) = (harmless(message, MAX_LINE), fields());
        self.bytes_left = self.bytes_left.saturating_sub(message.len() + fields.len());
        self.emit(level, &message, &fields);
    }

    /// Whether the limits leave room for one more line. Cheap, since a hostile guest decides how
    /// often it is asked.
    fn admit(&mut self, bytes: usize) -> bool {
        if self.lines_left == 0 || self.bytes_left < bytes.min(MAX_LINE) {
            return false;
        }
        let now = Instant::now();
        if let Some(before) = self.refilled.replace(now) {
            let earned = now.duration_since(before).as_secs_f64() * PER_SECOND;
            self.tokens = (self.tokens + earned).min(BURST);
        }
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        self.lines_left -= 1;
        true
    }

    fn raw(&mut self, stream: StdStream, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let partial = self.partial(stream);
            let room = MAX_LINE.saturating_sub(partial.len());
            partial.extend_from_slice(piece.get(..room).unwrap_or(piece));
            if piece.ends_with(b"\n") {
                self.end_line(stream);
            }
        }
    }

    fn partial(&mut self, stream: StdStream) -> &mut Vec<u8> {
        match stream {
            StdStream::Out => &mut self.out,
            StdStream::Err => &mut self.err,
        }
    }

    fn end_line(&mut self, stream: StdStream) {
        let bytes = std::mem::take(self.partial(stream));
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end();
        if text.is_empty() {
            return;
        }
        if stream == StdStream::Err {
            self.remember(text);
        }
        let level = if stream == StdStream::Err { Level::WARN } else { Level::INFO };
        self.line(level, text, String::new);
    }

    fn remember(&mut self, text: &str) {
        self.last_words.push_str(&harmless(text, MAX_LAST_WORDS));
        self.last_words.push('\n');
        let surplus = self.last_words.len().saturating_sub(MAX_LAST_WORDS);
        let surplus = self.last_words.ceil_char_boundary(surplus);
        self.last_words.drain(..surplus);
    }

    fn finish(&mut self) {
        for stream in [StdStream::Out, StdStream::Err] {
            if !self.partial(stream).is_empty() {
                self.end_line(stream);
            }
        }
        let dropped = std::mem::take(&mut self.dropped);
        if let (Sink::Parent(line), 1..) = (&self.sink, dropped) {
            line.dropped(dropped);
        } else if dropped > 0 {
            self.emit(Level::WARN, &format!("{dropped} lines of the activity were dropped"), "");
        }
    }

    fn emit(&mut self, level: Level, message: &str, fields: &str) {
        let context = match &self.sink {
            Sink::Log(context) => context,
            Sink::Parent(line) => {
                if !line.log(level, message, fields) {
                    self.dropped = self.dropped.saturating_add(1);
                }
                return;
            }
        };
        // Levels are part of an event's static description, so there are five of them.
        macro_rules! emit {
            ($level:ident) => {
                tracing::event!(
                    target: "cpe::guest",
                    Level::$level,
                    workflow_id = context.workflow_id,
                    run_id = context.run_id,
                    activity_id = context.activity_id,
                    fields,
                    "{message}"
                )
            };
        }
        match level {
            Level::ERROR => emit!(ERROR),
            Level::WARN => emit!(WARN),
            Level::INFO => emit!(INFO),
            Level::DEBUG => emit!(DEBUG),
            Level::TRACE => emit!(TRACE),
        }
    }
}

fn rendered(fields: &[(String, String)]) -> String {
    let mut text = String::new();
    for (key, value) in fields.iter().take(MAX_FIELDS) {
        if !text.is_empty() {
            text.push(' ');
        }
        let key = harmless(key, MAX_FIELD_KEY);
        let _ = write!(text, "{key}={:?}", harmless(value, MAX_FIELD_VALUE));
    }
    text
}

/// Without what moves a terminal's cursor, changes its colours, ends the line, or makes text read
/// in another order than it is written. A tab becomes a space.
fn harmless(text: &str, max: usize) -> String {
    let mut harmless: String = text
        .chars()
        .take(max)
        .map(|c| if c == '\t' || c == '\n' { ' ' } else { c })
        .filter(|c| {
            let reorders = matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            !c.is_control() && !reorders
        })
        .collect();
    cut(&mut harmless, max);
    harmless
}

#[cfg(test)]
mod tests;
