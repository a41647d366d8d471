use std::fmt;

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use super::*;

/// Collects the messages and fields of events.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.0 = format!("{value:?} {}", self.0),
            "fields" => self.0 = format!("{}{value:?}", self.0),
            _ => {}
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "fields" {
            self.0.push_str(value);
        }
    }
}

impl Subscriber for Collector {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        assert_eq!(event.metadata().target(), "cpe::guest");
        let mut line = Line(String::new());
        event.record(&mut line);
        let line = format!("{} {}", event.metadata().level(), line.0.trim_end());
        self.0.lock().unwrap().push(line);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

fn logged(limits: &Limits, write: impl FnOnce(&GuestLog)) -> Vec<String> {
    let collector = Collector::default();
    tracing::subscriber::with_default(collector.clone(), || {
        let log = GuestLog::new(Arc::default(), limits);
        write(&log);
        log.finish();
    });
    collector.0.lock().unwrap().clone()
}

#[test]
fn lines_lose_what_a_terminal_would_obey() {
    let lines = logged(&Limits::default(), |log| {
        let fields = [("k\x1b[2J".to_owned(), "v \"\n".to_owned())];
        log.write(Level::ERROR, "red \x1b[31m\r\nnext\u{202e}line", &fields);
    });
    assert_eq!(lines, [r#"ERROR red [31m nextline k[2J="v \" ""#]);
}

#[test]
fn standard_streams_become_lines() {
    let lines = logged(&Limits::default(), |log| {
        log.write_raw(StdStream::Out, b"one\ntw");
        log.write_raw(StdStream::Err, b"panicked at x.rs\n\n");
        log.write_raw(StdStream::Out, b"o\r\nlast");
        assert_eq!(log.last_words(), "panicked at x.rs");
    });
    assert_eq!(lines, ["INFO one", "WARN panicked at x.rs", "INFO two", "INFO last"]);
}

#[test]
fn a_flood_is_dropped_and_counted() {
    let limits = Limits { log_lines: 3, ..Limits::default() };
    let lines = logged(&limits, |log| (0..10).for_each(|_| log.write(Level::INFO, "x", &[])));
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[3], "WARN 7 lines of the activity were dropped");

    let lines = logged(&Limits::default(), |log| {
        (0..100_000).for_each(|_| log.write_raw(StdStream::Out, b"x\n"));
    });
    assert!((200..300).contains(&lines.len()), "{}", lines.len());
}

#[test]
fn one_endless_line_is_cut() {
    let lines = logged(&Limits::default(), |log| {
        (0..1000).for_each(|_| log.write_raw(StdStream::Out, &[b'x'; 4096]));
        log.write(Level::INFO, &"y".repeat(1 << 20), &[]);
    });
    assert!(lines.iter().all(|line| line.len() <= MAX_LINE + 10));
}

#[test]
fn bytes_are_limited_too() {
    let limits = Limits { log_bytes: 10, ..Limits::default() };
    let lines = logged(&limits, |log| (0..5).for_each(|_| log.write(Level::INFO, "four", &[])));
    assert_eq!(lines, ["INFO four", "INFO four", "WARN 3 lines of the activity were dropped"]);
}
