//! The embedded endpoint: SWF, SQS and S3 on one loopback port, durable on disk.
//!
//! What it serves ([`operations`]) is judged by the AWS SDK itself, in `cpe-aws`'s
//! `tests/embedded`.
//!
//! Must know neither AWS's SDK nor CPE's workers: any client of SWF, SQS or S3 is served alike.

mod clock;
mod config;
mod engine;
mod error;
mod http;
mod local;
pub mod operations;
mod ports;
mod s3;
mod sqs;
mod store;
mod swf;

pub use self::{
    clock::VirtualClock,
    config::{Credentials, LocalConfig, Storage},
    engine::Closed,
    error::LocalError,
    local::Local,
};

/// Makes a service's tables in a new database.
type CreateTables = fn(&rusqlite::Connection) -> rusqlite::Result<()>;

/// The tables of all services.
const TABLES: &[CreateTables] = &[swf::tables::create, sqs::tables::create, s3::create_tables];
