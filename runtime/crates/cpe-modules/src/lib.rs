//! What a plan writes after `module:` becomes a verified, compiled component here.
//!
//! The registry is a prefix in a bucket: immutable blobs by digest, and channels that point at
//! them. This crate knows neither AWS nor wasmtime: objects come through
//! [`cpe_ports::BlobStore`], components are checked and compiled by [`cpe_sandbox::Sandbox`].

mod candidate;
mod channel;
mod compiled;
mod description;
mod difference;
mod error;
mod figures;
mod inspect;
mod lock;
mod look;
mod modules;
mod needs;
mod notify;
mod oci;
mod percent;
mod reading;
mod registry;
mod status;
#[cfg(test)]
mod test_guests;
mod trials;
mod trust;

pub use self::{
    candidate::{Candidate, Margins, Mode, Overrides, Verdict},
    channel::{Action, Author, Channel, Move, Version},
    description::{Description, Inside, SECTION},
    difference::{Change, differences},
    error::ModuleError,
    figures::{Figures, Shadowed, Tally},
    inspect::{Inspector, inspect_file},
    lock::{LockId, Locks},
    modules::{Chosen, ModuleState, Modules, ModulesConfig, Wanted},
    notify::Notifications,
    percent::{ParsePercentError, Percent},
    registry::{Pruned, Push, Pushed, Registry, Retention, Seen, Sent},
    status::{Refused, WorkerStatus},
    trials::{Compared, Ended, ModuleCounts, Trial},
    trust::{KeyError, SignerKey, check_signature, sign},
};
