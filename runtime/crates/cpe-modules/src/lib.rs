//! What a plan writes after `module:` becomes a verified, compiled component here.
//!
//! The registry is a prefix in a bucket: immutable blobs by digest, and channels that point at
//! them. This crate knows neither AWS nor wasmtime: objects come through
//! [`cpe_ports::BlobStore`], components are checked and compiled by [`cpe_sandbox::Sandbox`].

mod channel;
mod compiled;
mod error;
mod look;
mod modules;
mod reading;
mod registry;
#[cfg(test)]
mod test_guests;

pub use self::{
    channel::{Channel, Version},
    error::ModuleError,
    modules::{Modules, ModulesConfig},
    registry::{Pushed, Registry},
};
