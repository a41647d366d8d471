#![doc = include_str!("../README.md")]
//!
//! # In this crate
//!
//! It owns what a Rust activity sees of its host, and how it is exported. It knows nothing of
//! SWF, plans or AWS: host and guests share the text of `wit/` and nothing else.

#[cfg(test)]
extern crate self as cpe_guest;

pub mod context;
pub mod describe;
mod failure;
pub mod heartbeat;
mod host;
pub mod log;
pub mod object_store;
mod run;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

pub use cpe_guest_macros::{Schema, activity};

pub use crate::{describe::Schema, failure::Failure, run::run_json};

/// What the expansion of [`activity`] names. Not part of the API.
#[doc(hidden)]
#[cfg(target_family = "wasm")]
pub mod __private {
    pub use crate::host::bindings::{
        self, export,
        exports::cpe::activity::handler::{Failure, Guest},
    };
}
