//! What wasmtime's errors mean to the one who runs an activity.

use std::fmt::Write as _;

use wasmtime::{Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::{Limits, SandboxError, error::cut, state::State};

const MAX_FRAMES: usize = 20;
const MAX_NAME: usize = 160;
const MAX_MESSAGE: usize = 2 << 10;

/// Turns the error that ended a guest into the reason for it.
pub(crate) fn explain(error: &wasmtime::Error, state: &State, limits: &Limits) -> SandboxError {
    if state.limiter.denied {
        return SandboxError::Memory { limit: limits.memory };
    }
    let backtrace = error.downcast_ref::<WasmBacktrace>();
    // Outside of wasm, the only thing that is copied from the guest is its result.
    if backtrace.is_none()
        && error.root_cause().to_string().contains("fuel allocated for hostcalls")
    {
        return SandboxError::Output { limit: limits.output };
    }
    let mut message = match (error.downcast_ref::<Trap>(), error.downcast_ref::<I32Exit>()) {
        (Some(trap), _) => trap.to_string(),
        (None, Some(I32Exit(code))) => format!("it called exit({code}) instead of returning"),
        (None, None) => error.root_cause().to_string(),
    };
    cut(&mut message, MAX_MESSAGE);
    SandboxError::Trap {
        message,
        backtrace: backtrace.map(render).unwrap_or_default(),
        stderr: state.log.last_words(),
    }
}

fn render(backtrace: &WasmBacktrace) -> String {
    let mut text = String::new();
    for (index, frame) in backtrace.frames().iter().take(MAX_FRAMES).enumerate() {
        let mut name = match frame.func_name() {
            Some(name) => name.to_owned(),
            None => format!("function {}", frame.func_index()),
        };
        name.retain(|c| !c.is_control());
        cut(&mut name, MAX_NAME);
        let _ = write!(text, "{index:>4}: {name}");
        if let Some(offset) = frame.module_offset() {
            let _ = write!(text, " at {offset:#x}");
        }
        text.push('\n');
    }
    let more = backtrace.frames().len().saturating_sub(MAX_FRAMES);
    if more > 0 {
        let _ = writeln!(text, "      and {more} more");
    }
    text
}
