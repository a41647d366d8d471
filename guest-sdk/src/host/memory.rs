//! The host that activities meet natively: buckets in memory, one for each thread that is inside
//! `testing::Host::run`.
//!
//! It keeps the real host's rule that changes appear only when the activity has succeeded, and
//! nothing else of it: no grants by prefix, no limits.

mod store;

use std::cell::RefCell;

pub(crate) use self::store::{Bucket, Buckets, Effect, Reader, Writer};
use crate::{
    context::ActivityTask, heartbeat::Directive, log::Level, object_store::ErrorKind,
    testing::LogLine,
};

/// Everything that a running activity may see and leave behind.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) buckets: Buckets,
    /// What becomes of the buckets if the activity succeeds.
    pub(crate) effects: Vec<Effect>,
    pub(crate) context: ActivityTask,
    pub(crate) cancel_after: Option<usize>,
    pub(crate) faults: Vec<(String, String, ErrorKind)>,
    pub(crate) most_bytes_read: usize,
    pub(crate) beats: Vec<serde_json::Value>,
    pub(crate) logs: Vec<LogLine>,
}

thread_local! {
    static CURRENT: RefCell<Option<State>> = const { RefCell::new(None) };
}

/// Makes `state` this thread's host while `f` runs, and gives it back.
///
/// # Panics
///
/// If this thread has a host already.
pub(crate) fn enter<T>(state: State, f: impl FnOnce() -> T) -> (T, State) {
    /// Takes the host away even from an activity that panics.
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            CURRENT.with_borrow_mut(Option::take);
        }
    }

    CURRENT.with_borrow_mut(|current| {
        assert!(current.is_none(), "`testing::Host::run` cannot run inside another one");
        *current = Some(state);
    });
    let leave = Leave;
    let value = f();
    let state = CURRENT.with_borrow_mut(Option::take).expect("only `enter` takes it away");
    drop(leave);
    (value, state)
}

/// Calls `f` with this thread's host.
///
/// # Panics
///
/// If it has none, with a message that says what to do.
#[track_caller]
fn with<T>(call: &str, f: impl FnOnce(&mut State) -> T) -> T {
    CURRENT.with_borrow_mut(|current| match current {
        Some(state) => f(state),
        None => panic!(
            "`{call}` needs a host, and outside a component there is none: call the activity \
             inside `cpe_guest::testing::Host::new().run(|| ...)`, on that same thread"
        ),
    })
}

pub(crate) fn current() -> ActivityTask {
    with("context::current", |state| state.context.clone())
}

pub(crate) fn beat(progress: String) -> Directive {
    with("heartbeat::beat", |state| {
        state.beats.push(serde_json::from_str(&progress).unwrap_or_default());
        match state.cancel_after {
            Some(beats) if state.beats.len() > beats => Directive::Cancel,
            _ => Directive::Proceed,
        }
    })
}

pub(crate) fn log(level: Level, message: &str, fields: &[(&str, &str)]) {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let fields = fields.iter().map(owned).collect();
    with("log", |state| state.logs.push(LogLine { level, message: message.to_owned(), fields }));
}
