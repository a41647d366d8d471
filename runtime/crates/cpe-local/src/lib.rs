//! The embedded endpoint: SWF, SQS and S3 on one loopback port, durable on disk.
//!
//! Must know neither AWS's SDK nor CPE's workers: any client of SWF, SQS or S3 is served alike.

mod config;
mod engine;
mod error;
mod store;

pub use self::{
    config::{LocalConfig, Storage},
    engine::Closed,
    error::LocalError,
};

/// Makes a service's tables in a new database.
type CreateTables = fn(&rusqlite::Connection) -> rusqlite::Result<()>;

/// The tables of all services.
const TABLES: &[CreateTables] = &[];
