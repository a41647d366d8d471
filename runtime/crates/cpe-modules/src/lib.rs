//! What a plan writes after `module:` becomes a verified, compiled component here.
//!
//! The registry is a prefix in a bucket: immutable blobs by digest, and channels that point at
//! them. This crate knows neither AWS nor wasmtime: objects come through
//! [`cpe_ports::BlobStore`], components are checked and compiled by [`cpe_sandbox::Sandbox`].

mod channel;
mod compiled;
mod description;
mod difference;
mod error;
mod inspect;
mod lock;
mod look;
mod modules;
mod needs;
mod notify;
mod oci;
mod reading;
mod registry;
mod status;
#[cfg(test)]
mod test_guests;
mod trust;

pub use self::{
    channel::{Action, Author, Channel, Move, Version},
    description::{Description, Inside, SECTION},
    difference::{Change, differences},
    error::ModuleError,
    inspect::{Inspector, inspect_file},
    lock::{LockId, Locks},
    modules::{ModuleState, Modules, ModulesConfig, Wanted},
    notify::Notifications,
    registry::{Pruned, Push, Pushed, Registry, Retention, Seen, Sent},
    status::{Refused, WorkerStatus},
    trust::{KeyError, SignerKey, check_signature, sign},
};
