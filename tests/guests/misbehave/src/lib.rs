//! A guest that misbehaves on request: each way of it is one that the host must survive, and
//! answer with the right reason. It knows nothing of what the host makes of it.

use std::{hint::black_box, io::Write, time::Duration};

use cpe_guest::{
    Failure, activity,
    heartbeat::{self, Progress},
    log,
    object_store::{Bucket, PutOptions},
};
use serde::Deserialize;
use serde_json::{Value, json};

/// What to do.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Input {
    /// Nothing. The answer is null.
    Noop,
    /// Answers with a value.
    Echo { value: Value },
    /// Executes an `unreachable` instruction.
    Trap,
    /// Panics, which says something on stderr first.
    Panic,
    /// Computes without end, and calls nothing.
    Spin,
    /// Allocates, and touches, until there is no more.
    EatMemory,
    /// Fails in an orderly way.
    Fail {
        reason: String,
        #[serde(default)]
        details: String,
        #[serde(default)]
        retryable: bool,
    },
    /// Answers with a string of so many bytes.
    HugeOutput {
        #[serde(default = "huge")]
        bytes: usize,
    },
    /// Logs so many lines, with control characters in them, and as many on stderr and stdout.
    FloodLog {
        #[serde(default = "many")]
        lines: u64,
    },
    /// Waits in a host call, using no CPU.
    Sleep { millis: u64 },
    /// Reports progress until it is asked to cancel, and obeys.
    BeatForever,
    /// Reports progress, and does not obey.
    IgnoreCancel,
    /// Writes an object to its end, then fails.
    WriteThenFail { bucket: String, key: String },
    /// Reads an object to its end. The answer is its size.
    Read { bucket: String, key: String },
}

fn huge() -> usize {
    64 << 20
}

fn many() -> u64 {
    1_000_000
}

#[activity]
pub fn misbehave(input: Input) -> Result<Value, Failure> {
    match input {
        Input::Noop => Ok(Value::Null),
        Input::Echo { value } => Ok(value),
        Input::Trap => trap(),
        Input::Panic => panic!("misbehaving on request"),
        Input::Spin => spin(),
        Input::EatMemory => eat_memory(),
        Input::Fail { reason, details, retryable } => Err(Failure { reason, details, retryable }),
        Input::HugeOutput { bytes } => Ok("x".repeat(bytes).into()),
        Input::FloodLog { lines } => Ok(flood_log(lines)),
        Input::Sleep { millis } => {
            pause(Duration::from_millis(millis));
            Ok(json!({ "slept": millis }))
        }
        Input::BeatForever => beat_forever(),
        Input::IgnoreCancel => ignore_cancel(),
        Input::WriteThenFail { bucket, key } => write_then_fail(bucket, &key),
        Input::Read { bucket, key } => {
            let mut body = Bucket::open(bucket)?.get(&key)?;
            let size = std::io::copy(&mut body, &mut std::io::sink())?;
            Ok(json!({ "size": size }))
        }
    }
}

#[cfg(target_family = "wasm")]
fn trap() -> ! {
    core::arch::wasm32::unreachable()
}

#[cfg(not(target_family = "wasm"))]
fn trap() -> ! {
    panic!("natively, a trap is a panic")
}

fn spin() -> ! {
    let mut turns: u64 = 0;
    loop {
        turns = black_box(turns).wrapping_add(1);
    }
}

fn eat_memory() -> ! {
    let mut eaten = Vec::new();
    loop {
        eaten.push(black_box(vec![1_u8; 1 << 20]));
    }
}

fn flood_log(lines: u64) -> Value {
    // Whether anybody reads them is not this guest's concern.
    let (mut stdout, mut stderr) = (std::io::stdout(), std::io::stderr());
    for line in 0..lines {
        let message = format!("line {line} \u{1b}[31mred\u{7}\n of many");
        log::info(&message, &[("line", &line.to_string()), ("long", &"x".repeat(200))]);
        let _ = writeln!(stdout, "{message}").and_then(|()| writeln!(stderr, "{message}"));
    }
    json!({ "lines": lines })
}

fn beat_forever() -> Result<Value, Failure> {
    loop {
        heartbeat::checkpoint(50, "beating until canceled")?;
        pause(Duration::from_millis(1));
    }
}

fn ignore_cancel() -> ! {
    loop {
        let progress = Progress { percent: 50, message: "not listening".to_owned() };
        let _deaf = heartbeat::beat(&progress);
    }
}

fn write_then_fail(bucket: String, key: &str) -> Result<Value, Failure> {
    let mut writer = Bucket::open(bucket)?.put(key, PutOptions::default())?;
    writer.write_all(b"must not appear")?;
    writer.finish()?;
    Err(Failure::permanent("misbehave.after-writing", "failed after writing, as asked"))
}

#[expect(clippy::disallowed_methods, reason = "a guest has a thread of its own to block")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use cpe_guest::{run_json, testing::Host};

    use super::*;

    fn run(input: &str) -> Result<String, String> {
        let host = Host::new().object("texts", "a", "abc").cancel_after(3);
        let run = host.run(|| run_json(input, misbehave));
        assert_eq!(run.objects.values().map(|bucket| bucket.len()).sum::<usize>(), 1);
        run.result.map_err(|failure| failure.reason)
    }

    #[test]
    fn does_as_asked() {
        let ok = |text: &str| Ok(text.to_owned());
        let failed = |text: &str| Err(text.to_owned());
        assert_eq!(run(r#"{"do":"noop"}"#), ok("null"));
        assert_eq!(run(r#"{"do":"echo","value":{"a":[1]}}"#), ok(r#"{"a":[1]}"#));
        assert_eq!(run(r#"{"do":"sleep","millis":1}"#), ok(r#"{"slept":1}"#));
        assert_eq!(run(r#"{"do":"flood-log","lines":0}"#), ok(r#"{"lines":0}"#));
        assert_eq!(run(r#"{"do":"read","bucket":"texts","key":"a"}"#), ok(r#"{"size":3}"#));
        assert_eq!(run(r#"{"do":"huge-output","bytes":3}"#), ok(r#""xxx""#));
        assert_eq!(run(r#"{"do":"fail","reason":"a.b"}"#), failed("a.b"));
        assert_eq!(run(r#"{"do":"beat-forever"}"#), failed("cpe.canceled"));
        let writes = r#"{"do":"write-then-fail","bucket":"texts","key":"b"}"#;
        assert_eq!(run(writes), failed("misbehave.after-writing"));
        assert_eq!(run(r#"{"do":"behave"}"#), failed("cpe.bad-input"));
    }
}
