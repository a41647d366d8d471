//! Real modules: components from files, in the sandbox.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use cpe_sandbox::{Module, Sandbox};
use cpe_worker::{Binding, Choice, Guests, NewInvocation, Ran};
use tokio::sync::Mutex;

use crate::{compose, config::Config};

/// Modules by their files, each compiled once. Nothing is set up before the first is needed.
#[derive(Debug)]
pub(super) struct Components {
    config: Config,
    folders: Vec<PathBuf>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    sandbox: Option<Sandbox>,
    modules: HashMap<PathBuf, Module>,
}

impl Components {
    pub(super) fn new(config: Config, folders: Vec<PathBuf>) -> Self {
        Self { config, folders, kept: Mutex::default() }
    }

    /// The component of a mock in a test file of that folder.
    pub(super) async fn find(&self, folder: &Path, name: &str) -> anyhow::Result<One> {
        let places = std::iter::once(folder).chain(self.folders.iter().map(PathBuf::as_path));
        let paths: Vec<PathBuf> = places.map(|place| place.join(name)).collect();
        let Some(path) = paths.iter().find(|path| path.is_file()) else {
            anyhow::bail!(
                "the module {name} is neither beside the test file nor in a folder of `--modules`"
            );
        };
        let mut kept = self.kept.lock().await;
        let sandbox = match &kept.sandbox {
            Some(sandbox) => sandbox.clone(),
            None => kept.sandbox.insert(compose::checking_sandbox(&self.config)?).clone(),
        };
        if let Some(module) = kept.modules.get(path) {
            return Ok(One { sandbox, module: module.clone() });
        }
        let bytes = tokio::fs::read(path).await;
        let bytes = bytes.with_context(|| format!("cannot read {}", path.display()))?;
        let module = sandbox.load(name, Bytes::from(bytes)).await?;
        kept.modules.insert(path.clone(), module.clone());
        Ok(One { sandbox, module })
    }

    /// Waits for what guests left behind.
    pub(super) async fn settle(&self) {
        if let Some(sandbox) = &self.kept.lock().await.sandbox {
            sandbox.settle().await;
        }
    }
}

/// One component, whatever activity asks.
#[derive(Debug, Clone)]
pub(super) struct One {
    sandbox: Sandbox,
    module: Module,
}

#[async_trait]
impl Guests for One {
    async fn run(
        &self,
        _: Arc<Binding>,
        _: Choice,
        invocation: NewInvocation,
        input: String,
    ) -> Ran {
        Ran::of(&self.module, self.sandbox.run(&self.module, invocation(), input).await)
    }
}
