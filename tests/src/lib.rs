//! The harness of the scenario tests: a whole CPE in one process, reached either directly or
//! through the AWS SDK over loopback, and a client that knows only queues, objects and JSON.

#![allow(clippy::unwrap_used, reason = "a harness of tests fails as tests do")]
#![allow(
    clippy::indexing_slicing,
    reason = "events are indexed by their keys, absent ones are null"
)]

mod acting;
mod client;
mod execution;
mod model;
mod outage;
mod programs;
mod proxy;
mod schemas;
mod stage;
mod versions;
mod world;

pub use self::{
    client::{Client, events_text},
    execution::{Execution, open_executions},
    model::{Expected, judge},
    outage::Outage,
    programs::{Program, cpe_program, jailer},
    proxy::Proxy,
    schemas::check as check_schema,
    stage::{MIDNIGHT, Role, Stage},
    versions::{faulty, of_a_newer_world, of_another_world, version},
    world::{Options, Wire, Worker, World, activity, photo, plan_file},
};
