//! The SQS envelopes between clients and CPE: commands in, job events out.
//!
//! Wire-compatible with the protocol of 2015, with additions only. Pure: what a message says and
//! how an event is written, not where either travels.

mod command;
mod event;
mod job;

pub use self::{
    command::{
        BadCommand, ClientBlock, Command, MAX_COMMAND_BYTES, Problem, StartJob, WorkflowRef,
    },
    event::{ActivityRef, EventData, JobEvent},
    job::{ClientName, JobId, JobRef, NameError},
};
