//! A guest that misbehaves on request: each way of it is one that the host must survive, and
//! answer with the right reason. It knows nothing of what the host makes of it.

mod exhaust;
mod http;
mod reach;

use std::time::Duration;

use cpe_guest::{Failure, activity};
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
    /// Spends its time in one instruction.
    CopyMemory,
    /// Calls itself without end.
    Recurse,
    /// Opens a bucket so often, and keeps all handles.
    HoldHandles {
        bucket: String,
        #[serde(default = "many")]
        count: u64,
    },
    /// Asks for as many random bytes as there can be.
    RandomBomb,
    /// Makes so many header fields, one by one or at once.
    HeaderBomb {
        #[serde(default = "many")]
        fields: u64,
        #[serde(default)]
        at_once: bool,
    },
    /// Writes an object.
    Write { bucket: String, key: String },
    /// Lists objects. The answer is their keys.
    List { bucket: String, prefix: String },
    /// Copies an object within a bucket.
    Copy { bucket: String, key: String, to: String },
    /// Deletes an object.
    Delete { bucket: String, key: String },
    /// Does all of it to keys that could mean another key.
    EvilKeys { bucket: String },
    /// Looks for files, sockets, names, arguments and the environment.
    Snoop,
    /// Answers with a variable of its environment.
    Variable { name: String },
    /// Sends a request, with a variable of its environment as the bearer's token.
    Fetch {
        url: String,
        #[serde(default)]
        token: Option<String>,
        #[serde(default)]
        follow: bool,
    },
    /// Writes so many bytes to a file in its scratch space, again and again if told to, and makes
    /// links out of it. The answer is what is there then.
    Scratch {
        bytes: u64,
        #[serde(default)]
        forever: bool,
    },
    /// Leaves as a program does.
    Exit { code: i32 },
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
        Input::Spin => exhaust::spin(),
        Input::EatMemory => exhaust::eat_memory(),
        Input::Fail { reason, details, retryable } => Err(Failure { reason, details, retryable }),
        Input::HugeOutput { bytes } => Ok("x".repeat(bytes).into()),
        Input::FloodLog { lines } => Ok(exhaust::flood_log(lines)),
        Input::Sleep { millis } => {
            exhaust::pause(Duration::from_millis(millis));
            Ok(json!({ "slept": millis }))
        }
        Input::BeatForever => exhaust::beat_forever(),
        Input::IgnoreCancel => exhaust::ignore_cancel(),
        Input::WriteThenFail { bucket, key } => write_then_fail(bucket, &key),
        Input::Read { bucket, key } => reach::read(bucket, &key),
        Input::CopyMemory => exhaust::copy_memory(),
        Input::Recurse => Ok(exhaust::recurse(0).into()),
        Input::HoldHandles { bucket, count } => exhaust::hold_handles(&bucket, count),
        Input::RandomBomb => Ok(exhaust::random_bomb()),
        Input::HeaderBomb { fields, at_once } => http::header_bomb(fields, at_once),
        Input::Write { bucket, key } => reach::write(bucket, &key),
        Input::List { bucket, prefix } => reach::list(bucket, prefix),
        Input::Copy { bucket, key, to } => reach::copy(bucket, &key, &to),
        Input::Delete { bucket, key } => reach::delete(bucket, &key),
        Input::EvilKeys { bucket } => reach::evil_keys(bucket),
        Input::Snoop => Ok(reach::snoop()),
        Input::Variable { name } => Ok(reach::variable(&name)),
        Input::Fetch { url, token, follow } => {
            let token = token.map(|name| std::env::var(name).unwrap_or_default());
            http::fetch(&url, token.as_deref(), follow)
        }
        Input::Scratch { bytes, forever } => Ok(reach::scratch(bytes, forever)?),
        Input::Exit { code } => std::process::exit(code),
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

fn write_then_fail(bucket: String, key: &str) -> Result<Value, Failure> {
    reach::write(bucket, key)?;
    Err(Failure::permanent("misbehave.after-writing", "failed after writing, as asked"))
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
