//! Joins what the crates offer into a running program: ports, plans, modules, pollers.
//!
//! `cpe dev`, `cpe run`, the scenario tests and the benches are all composed here, so that what
//! is tested is what runs.

mod allowances;
mod clients;
mod endpoints;
mod fleet;
mod jail;
mod plans;

use std::sync::Arc;

use anyhow::Context;
use cpe_modules::Registry;
use cpe_plan::ModuleRef;
use cpe_ports::{BlobStore, Clock, SystemClock};
use cpe_sandbox::{ChildCompiler, CompileLimits, Compiler, JailConfig, Sandbox, SandboxConfig};
use cpe_worker::{Payloads, Ports, Usage};

pub use self::{
    clients::{
        Clients, DEV_CLIENT, DEV_INPUT_QUEUE, DEV_OUTPUT_QUEUE, input_queue, one_client,
        output_queue,
    },
    endpoints::{
        aws_ports, connect, connect_all, local_ports, prepare, queue_url, register_domain,
    },
    fleet::{Fleet, Roles},
    jail::{TriedJail, tried_jail},
    plans::{load_plans, plan_files},
};
use crate::{
    cli::Global,
    commands::Failed,
    config::{Config, ModulesSection},
};

/// The configuration file and the environment. Mistakes in either are bad usage.
///
/// # Errors
///
/// Everything that is wrong, with its place.
pub fn load_config(global: &Global) -> Result<Config, Failed> {
    let environment = |name: &str| std::env::var(name).ok();
    let config = Config::load(global.config.as_deref(), environment).map_err(Failed::usage)?;
    Ok(Config { compiler: own_compiler(), jailer: Some(own_jailer()), ..config })
}

/// This very program, also where its file has been replaced meanwhile.
fn own_compiler() -> Compiler {
    Compiler::Child(ChildCompiler {
        program: "/proc/self/exe".into(),
        arguments: vec!["compile-module".into()],
        limits: CompileLimits::default(),
    })
}

/// The same, to run guests in jails.
fn own_jailer() -> JailConfig {
    JailConfig::new("/proc/self/exe", &["jailed-guests"])
}

/// The registry of modules that the configuration names.
pub fn registry(config: &Config, ports: &Ports) -> Registry {
    registry_over(config, ports.blobs.clone(), ports.clock.clone())
}

/// The registry, in a store of one's own.
pub fn registry_in(config: &Config, blobs: Arc<dyn BlobStore>) -> Registry {
    registry_over(config, blobs, Arc::new(SystemClock))
}

fn registry_over(config: &Config, blobs: Arc<dyn BlobStore>, clock: Arc<dyn Clock>) -> Registry {
    Registry::new(blobs, clock, config.modules.bucket.clone(), config.modules.prefix.clone())
}

/// The texts that SWF does not take, where the configuration has them.
pub fn payloads(config: &Config, ports: &Ports) -> Payloads {
    let bucket = config.payloads_bucket().to_owned();
    Payloads::new(ports, bucket, config.payloads.prefix.clone())
}

/// What clients use, as all workers tell.
pub fn usage(config: &Config, ports: &Ports) -> Usage {
    let ModulesSection { bucket, prefix, .. } = &config.modules;
    Usage::new(ports, bucket.clone(), prefix.clone(), &fleet::identity())
}

/// A sandbox that checks and compiles modules, and runs them one at a time.
///
/// # Errors
///
/// If no engine can be set up on this machine.
pub fn checking_sandbox(config: &Config) -> anyhow::Result<Sandbox> {
    sandbox(config, (1, 0), None)
}

/// For so many guests at a time, and so many beside them.
fn sandbox(
    config: &Config,
    (max_concurrent, beside): (usize, usize),
    jail: Option<JailConfig>,
) -> anyhow::Result<Sandbox> {
    let cache_dir = Some(config.cache_folder());
    let scratch_dir = Some(scratch_folder(config));
    let compiler = config.compiler.clone();
    let config = SandboxConfig {
        max_concurrent,
        beside,
        cache_dir,
        scratch_dir,
        compiler,
        jail,
        ..SandboxConfig::default()
    };
    Sandbox::new(config).context("cannot set up the sandbox")
}

fn scratch_folder(config: &Config) -> std::path::PathBuf {
    config.cache_folder().join("scratch")
}

/// Name and channel of `name@channel`.
///
/// # Errors
///
/// If the text names nothing in the registry.
pub fn registry_reference(reference: &str) -> anyhow::Result<(String, String)> {
    match reference.parse() {
        Ok(ModuleRef::Registry { name, channel }) => Ok((name, channel)),
        Ok(_) | Err(_) => {
            anyhow::bail!("`{reference}` names no channel of the registry: expected name@channel")
        }
    }
}
