#![doc = include_str!("../README.md")]
//!
//! # How it is built
//!
//! One reader receives from the output queue and gives every event to the watchers of its job, and
//! every answer to the call that waits for it. A message is deleted only when what it says has
//! been taken by all of them; so what a process had received when it died is heard by the next one.

mod client;
mod config;
mod error;
mod event;
mod hub;
mod job;
mod long_texts;
mod reader;
mod sequencer;

#[cfg(feature = "aws")]
pub use cpe_aws::AwsConfig;
pub use cpe_protocol::{
    ActivityStatus, ClientName, JobId, JobQuery, JobStatus, NameError, Page, Quota, QuotaName,
};
pub use cpe_swf::{
    ActivityId, ActivityType, RunId, Timestamp, WorkflowExecution, WorkflowId, WorkflowType,
};

pub use self::{
    client::{Client, Start},
    config::{Config, Ports, Unwatched},
    error::{ConnectError, Error},
    event::{
        Activity, ActivityInfo, Answer, Event, EventKind, Failure, JobInfo, JobReport, List,
        NoEvent, Order, Problem, Rejected,
    },
    job::{Job, JobEnd},
};

#[cfg(test)]
mod tests;
