//! The product as a library: what the binary runs, what the scenario tests and benches compose.
//!
//! This is the only crate that knows AWS, the embedded endpoint and the sandbox at once.

pub mod cli;
pub mod commands;
pub mod compose;
pub mod config;
#[cfg(test)]
mod deploy;
pub mod metrics;
pub mod traces;
