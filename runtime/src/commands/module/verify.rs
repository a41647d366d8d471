//! `cpe module verify`.

use std::{collections::BTreeSet, path::PathBuf};

use anyhow::{Context, anyhow};
use bytes::Bytes;
use clap::Args;
use cpe_modules::{Inside, ModuleError, SignerKey, check_signature};
use cpe_sandbox::Sandbox;
use serde_json::json;

use super::{Failed, names, open_registry, read};
use crate::{
    cli::{Global, Output},
    compose,
};

#[derive(Debug, Args)]
pub struct Verify {
    /// A channel of the registry, or a file.
    #[arg(value_name = "NAME@CHANNEL|FILE")]
    what: String,
    /// A public key (PEM) that must have signed it; of several, one.
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// Also every version that the channel can go back to.
    #[arg(long)]
    all: bool,
}

impl Verify {
    pub async fn run(self, global: &Global) -> Result<(), Failed> {
        let keys = self.keys()?;
        let (mut told, mut failed) = (Vec::new(), 0);
        let config = compose::load_config(global)?;
        let sandbox = compose::checking_sandbox(&config)?;
        for (digest, bytes) in self.components(global).await? {
            let checked = match bytes {
                Ok(bytes) => check(&sandbox, &digest, bytes, &keys).await,
                Err(error) => Err(error),
            };
            failed += usize::from(checked.is_err());
            told.push((digest, checked));
        }
        for (digest, checked) in &told {
            let problem = checked.as_ref().err().map(ModuleError::details);
            let reason = checked.as_ref().err().map(ModuleError::reason);
            match (global.output, &problem) {
                (Output::Json, _) => {
                    println!("{}", json!({"digest": digest, "reason": reason, "problem": problem}))
                }
                (Output::Text, None) => println!("{digest}  good"),
                (Output::Text, Some(problem)) => println!("{digest}  {problem}"),
            }
        }
        match failed {
            0 => Ok(()),
            _ => Err(Failed::from(anyhow!("{failed} of {} are no good", told.len()))),
        }
    }

    fn keys(&self) -> Result<BTreeSet<SignerKey>, Failed> {
        let key = |file: &PathBuf| {
            let text = String::from_utf8_lossy(&read(file)?).into_owned();
            let key = SignerKey::from_pem(&text).with_context(|| file.display().to_string());
            key.map_err(Failed::usage)
        };
        self.key.iter().map(key).collect()
    }

    async fn components(
        &self,
        global: &Global,
    ) -> Result<Vec<(String, Result<Bytes, ModuleError>)>, Failed> {
        let path = PathBuf::from(&self.what);
        if path.is_file() {
            return Ok(vec![(self.what.clone(), Ok(read(&path)?))]);
        }
        let (name, channel) = names(&self.what)?;
        let (_, registry) = open_registry(global).await?;
        let document = registry.channel(&name, &channel).await?;
        let most = if self.all { usize::MAX } else { 1 };
        let mut components = Vec::new();
        let tried = document.candidate.iter().map(|candidate| &candidate.version);
        for version in document.versions().take(most).chain(tried) {
            let bytes = registry.fetch(&version.digest).await;
            components.push((version.digest.to_string(), bytes));
        }
        Ok(components)
    }
}

async fn check(
    sandbox: &Sandbox,
    name: &str,
    bytes: Bytes,
    keys: &BTreeSet<SignerKey>,
) -> Result<(), ModuleError> {
    Inside::of(name, &bytes)?;
    if !keys.is_empty() {
        check_signature(name, &bytes, keys)?;
    }
    sandbox.load(name, bytes).await?;
    Ok(())
}
