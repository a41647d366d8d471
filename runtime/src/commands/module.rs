//! `cpe module`: brings components into the registry.

use std::path::PathBuf;

use anyhow::Context;
use clap::Subcommand;
use serde_json::json;

use super::Failed;
use crate::{
    cli::{Global, Output},
    compose,
};

#[derive(Debug, Subcommand)]
pub enum ModuleCommand {
    /// Checks a component, uploads it and moves the channel to it.
    #[command(after_help = "Example:\n  cpe module push word_count.wasm word-count@1")]
    Push {
        /// A component built for `wasm32-wasip2`.
        file: PathBuf,
        /// Name and channel, as plans write them: `transcode-asset@2`.
        #[arg(value_name = "NAME@CHANNEL")]
        reference: String,
    },
}

impl ModuleCommand {
    pub async fn run(self, global: &Global) -> Result<(), Failed> {
        match self {
            Self::Push { file, reference } => push(global, file, reference).await,
        }
    }
}

async fn push(global: &Global, file: PathBuf, reference: String) -> Result<(), Failed> {
    let config = compose::load_config(global)?;
    let reference = compose::registry_reference(&reference).map_err(Failed::usage)?;
    let bytes = std::fs::read(&file)
        .with_context(|| format!("cannot read {}", file.display()))
        .map_err(Failed::usage)?;
    let size = bytes.len();
    let sandbox = compose::checking_sandbox(&config)?;
    // Checked here, before anything is asked of the network.
    sandbox
        .load(&reference.0, bytes.clone().into())
        .await
        .with_context(|| format!("{} cannot be pushed", file.display()))?;
    let ports = compose::connect(global).await?;
    let registry = compose::registry(&config, &ports);
    ports
        .blobs
        .create_bucket(&config.modules.bucket)
        .await
        .with_context(|| format!("cannot use the bucket {}", config.modules.bucket))?;
    let by = std::env::var("USER").unwrap_or_else(|_| "unknown".to_owned());
    let pushed = registry.push(&sandbox, &reference.0, &reference.1, bytes.into(), &by).await?;
    match global.output {
        Output::Json => println!(
            "{}",
            json!({
                "name": reference.0, "channel": reference.1, "digest": pushed.digest.to_string(),
                "size": size, "changed": pushed.changed,
            })
        ),
        Output::Text if pushed.changed => {
            println!("{}@{} is now {} ({size} bytes)", reference.0, reference.1, pushed.digest);
        }
        Output::Text => println!("{}@{} is {} already", reference.0, reference.1, pushed.digest),
    }
    Ok(())
}
