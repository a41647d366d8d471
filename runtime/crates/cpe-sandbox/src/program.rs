//! Plain programs (`wasi:cli/command`) as activities: the input on stdin, the output on stdout,
//! and the exit code as the outcome.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::Value;
use tokio::io::AsyncWrite;
use wasmtime::Store;
use wasmtime_wasi::{
    I32Exit,
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamError, StreamResult, pipe::MemoryInputPipe},
};

use crate::{host::Failure, state::State};

/// What a program may write at a time before it asks again.
const PERMIT: usize = 64 << 10;

/// The standard streams of one run.
pub(crate) struct Program {
    input: MemoryInputPipe,
    output: Output,
}

/// What the program writes, up to a limit.
#[derive(Clone)]
pub(crate) struct Output(Arc<Mutex<Written>>);

struct Written {
    bytes: Vec<u8>,
    limit: usize,
    exceeded: bool,
}

impl Program {
    pub(crate) fn new(input: String, limit: usize) -> Self {
        let written = Written { bytes: Vec::new(), limit, exceeded: false };
        let output = Output(Arc::new(Mutex::new(written)));
        Self { input: MemoryInputPipe::new(input), output }
    }

    pub(crate) fn input(&self) -> MemoryInputPipe {
        self.input.clone()
    }

    pub(crate) fn output(&self) -> Output {
        self.output.clone()
    }

    /// Whether it wrote more than it may.
    pub(crate) fn exceeded(&self) -> bool {
        self.output.with(|written| written.exceeded)
    }
}

/// Makes of a program's end what an activity returns.
pub(crate) fn ended(
    ended: wasmtime::Result<Result<(), ()>>,
    store: &Store<State>,
) -> wasmtime::Result<Result<String, Failure>> {
    let code = match ended {
        Ok(Ok(())) => 0,
        Ok(Err(())) => 1,
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(I32Exit(code)) => *code,
            None => return Err(error),
        },
    };
    let state = store.data();
    if code != 0 {
        return Ok(Err(Failure {
            reason: format!("exit.{code}"),
            details: format!("it exited with {code}\n{}", state.log.last_words()),
            // A program does not tell; its plan does, by `retry.on: [exit.*]`.
            retryable: false,
        }));
    }
    let written = state.program.as_ref().map(|program| program.output.with(take));
    Ok(as_json(written.unwrap_or_default()))
}

fn take(written: &mut Written) -> Vec<u8> {
    std::mem::take(&mut written.bytes)
}

/// Results are JSON: what is none becomes a string, and nothing becomes null.
fn as_json(bytes: Vec<u8>) -> Result<String, Failure> {
    let mut text = String::from_utf8(bytes).map_err(|_| Failure {
        reason: "exit.not-text".to_owned(),
        details: "what it wrote to its standard output is not UTF-8".to_owned(),
        retryable: false,
    })?;
    text.truncate(text.trim_end().len());
    if text.is_empty() {
        return Ok("null".to_owned());
    }
    if serde_json::from_str::<IgnoredAny>(&text).is_ok() {
        return Ok(text);
    }
    Ok(Value::String(text).to_string())
}

impl Output {
    fn with<T>(&self, act: impl FnOnce(&mut Written) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    /// Only earlier and later versions of WASI than the one linked here ask for this.
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

#[async_trait::async_trait]
impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.with(|written| {
            if written.limit.saturating_sub(written.bytes.len()) < bytes.len() {
                written.exceeded = true;
                return Err(StreamError::Trap(wasmtime::format_err!("too much output")));
            }
            written.bytes.extend_from_slice(&bytes);
            Ok(())
        })
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PERMIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_becomes_json() {
        let ok = |bytes: &[u8]| as_json(bytes.to_vec()).map_err(|failure| failure.reason);
        assert_eq!(ok(b"{\"a\": 1}\n"), Ok("{\"a\": 1}".to_owned()));
        assert_eq!(ok(b"two\nlines\n"), Ok("\"two\\nlines\"".to_owned()));
        assert_eq!(ok(b"\n"), Ok("null".to_owned()));
        assert_eq!(ok(b"\xff"), Err("exit.not-text".to_owned()));
    }
}
