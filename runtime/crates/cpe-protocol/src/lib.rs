//! The SQS envelopes between clients and CPE: commands in, job events out.
//!
//! Wire-compatible with the protocol of 2015, with additions only. Pure: what a message says and
//! how an event is written, not where either travels. The page for clients is this crate's
//! README; [`schemas`] has JSON Schemas of every message.

mod command;
mod event;
mod job;
mod metering;
pub mod schemas;

pub use self::{
    command::{
        Action, BadCommand, ClientBlock, Command, Head, JobAction, JobQuery, JobStatus,
        MAX_COMMAND_BYTES, Page, Problem, RESERVED_SIGNALS, RequestId, StartJob, WorkflowRef,
    },
    event::{
        ActivityInfo, ActivityRef, ActivityStatus, EventData, JobEnd, JobEvent, JobInfo, Quota,
        QuotaName, Rejection, Request,
    },
    job::{ClientName, JobId, JobRef, NameError},
    metering::{Metering, Note},
};
