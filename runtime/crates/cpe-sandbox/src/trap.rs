//! What wasmtime's errors mean to the one who runs an activity.

use std::fmt::Write as _;

use wasmtime::{Trap, WasmBacktrace, component::ResourceTableError};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi_http::FieldMapError;

use crate::{
    Limits, SandboxError,
    engine::WASM_STACK,
    error::cut,
    limiter::{Denied, TABLE_ELEMENTS},
    program::Program,
    scratch::ScratchFull,
    state::{MAX_HANDLES, State},
};

const MAX_FRAMES: usize = 20;
const MAX_NAME: usize = 160;
const MAX_MESSAGE: usize = 2 << 10;

/// Turns the error that ended a guest into the reason for it.
pub(crate) fn explain(error: &wasmtime::Error, state: &State, limits: &Limits) -> SandboxError {
    match state.limiter.denied {
        Some(Denied::Memory) => return SandboxError::Memory { limit: limits.memory },
        Some(Denied::Table) => return SandboxError::Table { limit: TABLE_ELEMENTS },
        None => {}
    }
    if state.program.as_ref().is_some_and(Program::exceeded) {
        return SandboxError::Output { limit: limits.output };
    }
    let backtrace = error.downcast_ref::<WasmBacktrace>();
    if let Some(exceeded) = limit_of_calls(error, backtrace.is_some(), limits) {
        return exceeded;
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

/// The limits that wasmtime and its WASI keep to by themselves.
fn limit_of_calls(
    error: &wasmtime::Error,
    within_wasm: bool,
    limits: &Limits,
) -> Option<SandboxError> {
    if let Some(Trap::StackOverflow) = error.downcast_ref::<Trap>() {
        return Some(SandboxError::Stack { limit: WASM_STACK });
    }
    let full = error.downcast_ref::<ResourceTableError>();
    if full.is_some_and(|error| matches!(error, ResourceTableError::Full)) {
        return Some(SandboxError::Handles { limit: MAX_HANDLES });
    }
    if let Some(full) = error.downcast_ref::<ScratchFull>() {
        return Some(SandboxError::Scratch { limit: full.limit });
    }
    // These are no types of their own.
    let mut message = error.root_cause().to_string();
    if message.contains("store handle limit exceeded") {
        return Some(SandboxError::Handles { limit: MAX_HANDLES });
    }
    let fuel = message.contains("fuel allocated for hostcalls");
    // Outside of wasm, the only thing that is copied from the guest is its result.
    if fuel && !within_wasm {
        return Some(SandboxError::Output { limit: limits.output });
    }
    let fields = error.downcast_ref::<FieldMapError>().is_some();
    let random = message.starts_with("requested len ") && message.contains("exceeds limit");
    if fuel || random || fields {
        cut(&mut message, MAX_MESSAGE);
        return Some(SandboxError::Call { message });
    }
    None
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
