//! Runs activity components: one engine, modules compiled once, a fresh store for each activity
//! task, and nothing reachable but what was granted.
//!
//! The only crate that names wasmtime. It knows neither SWF nor AWS: objects come through
//! [`cpe_ports::BlobStore`], progress leaves through [`Beats`].

mod cache;
mod compile;
mod digest;
mod egress;
mod engine;
mod error;
mod file_kind;
mod grants;
mod guest_log;
mod host;
mod invocation;
mod jail;
mod journal;
mod limiter;
mod link;
mod loading;
mod metered;
mod program;
mod retry;
mod sandbox;
mod scratch;
mod secrets;
mod staging;
mod state;
#[cfg(test)]
mod test_guests;
mod trap;
mod wasi;

pub use self::{
    compile::{ChildCompiler, CompileLimits, Compiler, compile_module},
    digest::Digest,
    error::SandboxError,
    grants::{Access, BucketGrant, Grants, InvalidUrl, UrlGrant, UrlPattern},
    invocation::{
        Beats, Directive, Failure, Finished, Invocation, Limits, Metering, TaskContext, Unfinished,
    },
    jail::{Attempt, JailConfig, JailFeatures, JailReport, Support, jailed_guests, try_jail},
    journal::UploadJournal,
    link::{Module, WORLD, WeakModule},
    loading::LoadCounts,
    sandbox::{Sandbox, SandboxConfig},
    secrets::Secret,
};
