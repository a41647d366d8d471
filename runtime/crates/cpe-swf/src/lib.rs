//! The vocabulary of Amazon Simple Workflow Service: ids, limits, history events, decisions,
//! requests, answers and faults, each in the form it has on the wire.
//!
//! This crate knows no I/O, no clock and no async runtime. Decider, workers, the AWS client and
//! the embedded endpoint all speak in its types.

pub mod api;
mod cause;
pub mod decision;
pub mod event;
mod fault;
pub mod limits;
mod note;
mod payload;
mod tagged;
mod types;
#[cfg(test)]
mod wire_tests;

pub use self::{
    cause::*,
    decision::Decision,
    event::{EventAttributes, HistoryEvent},
    fault::{Fault, FaultKind},
    note::{MAX_NOTE_CHARS, note_of, with_note},
    payload::{MAX_PAYLOAD_CHARS, PayloadRef},
    types::*,
};
