//! Who turns a component into machine code: this process, or a child of it that has limits.
//!
//! A compiler works on what a stranger wrote. In a child process, a component that makes it run
//! forever, eat all memory or crash costs one activity task its module, and nobody else anything.
//! This module knows neither the cache nor the linker.

mod child;
mod inside;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use self::inside::compile_module;
use crate::{SandboxError, engine};

/// Where components are compiled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Compiler {
    /// In this process and without limits: for tools and tests, which trust what they compile.
    #[default]
    InProcess,
    /// In a child process for each component.
    Child(ChildCompiler),
}

/// A program that calls [`compile_module`] with its last argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildCompiler {
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    pub limits: CompileLimits,
}

/// What compiling one component may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompileLimits {
    /// Seconds of CPU time, of all cores together.
    pub cpu: u64,
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes of machine code.
    pub output: u64,
    /// Seconds altogether.
    pub wall: u64,
}

impl Default for CompileLimits {
    /// An interpreter of 12 MB takes 16 s and gives 32 MB.
    fn default() -> Self {
        Self { cpu: 300, memory: 2 << 30, output: 512 << 20, wall: 600 }
    }
}

impl Compiler {
    /// The machine code of a component. `scratch` is a folder for the files of a child.
    pub(crate) async fn compile(
        &self,
        module: &str,
        bytes: Bytes,
        scratch: Option<&Path>,
    ) -> Result<Vec<u8>, SandboxError> {
        match self {
            Self::Child(compiler) => child::compile(compiler, module, bytes, scratch).await,
            Self::InProcess => {
                let compiling = tokio::task::spawn_blocking(move || machine_code(&bytes));
                let compiled = compiling.await.map_err(|error| SandboxError::CompilerFailed {
                    module: module.to_owned(),
                    problem: error.to_string(),
                })?;
                compiled
                    .map_err(|source| SandboxError::Invalid { module: module.to_owned(), source })
            }
        }
    }
}

/// Machine code for every engine of this crate: how they allocate does not change it.
pub(crate) fn machine_code(component: &[u8]) -> wasmtime::Result<Vec<u8>> {
    engine::on_demand()?.precompile_component(component)
}
