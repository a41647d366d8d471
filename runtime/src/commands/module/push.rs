//! `cpe module push`.

use std::{io::IsTerminal, path::PathBuf};

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::Args;
use cpe_modules::{Change, Inside, Registry, Seen, Sent, differences, sign};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::{Failed, author, names, read, size, trial};
use crate::{
    cli::{Global, Output},
    compose,
};

#[derive(Debug, Args)]
pub struct Push {
    /// A component built for `wasm32-wasip2`.
    file: PathBuf,
    /// Name and channel, as plans write them: `transcode-asset@2`.
    #[arg(value_name = "NAME@CHANNEL")]
    reference: String,
    /// Why: kept in the channel's history.
    #[arg(long, short, value_name = "TEXT")]
    message: Option<String>,
    /// Push also if it asks for more than the version before: new imports, an input that takes
    /// less, an output that gives less.
    #[arg(long)]
    accept: bool,
    /// Sign it with this secret key (ed25519, PEM).
    #[arg(long, value_name = "FILE", env = "CPE_SIGNING_KEY")]
    key: Option<PathBuf>,
    #[command(flatten)]
    trial: trial::Trial,
}

impl Push {
    pub async fn run(self, global: &Global) -> Result<(), Failed> {
        let config = compose::load_config(global)?;
        let (name, channel) = names(&self.reference)?;
        let bytes = self.component()?;
        let sandbox = compose::checking_sandbox(&config)?;
        // Checked here, before anything is asked of the network.
        let refused = || format!("{} cannot be pushed", self.file.display());
        let module = sandbox.load(&name, bytes.clone()).await.with_context(refused)?;
        let digest = module.digest().clone();
        let inside = Inside::of(&name, &bytes).with_context(refused)?;

        let ports = compose::connect(global).await?;
        let registry = compose::registry(&config, &ports);
        let bucket = &config.modules.bucket;
        let made = ports.blobs.create_bucket(bucket).await;
        made.with_context(|| format!("cannot use the bucket {bucket}"))?;
        let seen = registry.see(&name, &channel).await?;
        let changes = compare(&registry, &seen, &inside).await;
        self.expect_accepted(&changes, global.output)?;

        let author = author(self.message.as_deref());
        let version = registry.version(digest.clone(), &bytes, &author)?;
        let candidate = self.trial.candidate(&version)?;
        if candidate.is_some() {
            // Known before anything is uploaded for nothing.
            seen.expect_version()?;
        }
        let sent = upload(&registry, &digest, &bytes).await?;
        if let Some(candidate) = candidate {
            let channel = (&seen, self.reference.as_str());
            return trial::begin(&registry, channel, candidate, &author, global.output).await;
        }
        let pushed = registry.advance(&seen, version, &author).await?;
        let before = seen.document.as_ref().map(|document| document.current.digest.to_string());
        match global.output {
            Output::Json => println!(
                "{}",
                json!({
                    "name": name, "channel": channel, "digest": digest.to_string(),
                    "size": bytes.len(), "stored_before": sent.before, "changed": pushed.changed, "before": before,
                    "changes": changes.iter().map(change_json).collect::<Vec<_>>(),
                })
            ),
            Output::Text if pushed.changed => {
                let whole = size(bytes.len() as u64);
                let before = match sent.before {
                    0 => String::new(),
                    before => format!(", {} of it stored before", size(before)),
                };
                println!("{} is now {digest} ({whole}{before})", self.reference);
            }
            Output::Text => println!("{} is {digest} already", self.reference),
        }
        Ok(())
    }

    /// The file, signed if that is asked for.
    fn component(&self) -> Result<Bytes, Failed> {
        let bytes = read(&self.file)?;
        let Some(key) = &self.key else { return Ok(bytes) };
        let secret = std::fs::read_to_string(key)
            .with_context(|| format!("cannot read the key {}", key.display()))
            .map_err(Failed::usage)?;
        let named = self.file.display().to_string();
        Ok(sign(&named, &bytes, &secret).context("cannot sign")?)
    }

    fn expect_accepted(&self, changes: &[Change], output: Output) -> Result<(), Failed> {
        if output == Output::Text && !changes.is_empty() {
            println!("beside what {} is now (`!` asks for more):", self.reference);
            for change in changes {
                println!("  {change}");
            }
        }
        if self.accept || !changes.iter().any(|change| change.grows) {
            return Ok(());
        }
        let grown: Vec<_> = changes.iter().filter(|c| c.grows).map(|c| c.what.as_str()).collect();
        Err(Failed::from(anyhow::anyhow!(
            "it asks for more than {} does now: {}; `--accept` pushes it all the same",
            self.reference,
            grown.join("; ")
        )))
    }
}

fn change_json(change: &Change) -> Value {
    json!({"grows": change.grows, "what": change.what})
}

/// What is different in `inside`; nothing if there is nothing to compare with.
async fn compare(registry: &Registry, seen: &Seen, inside: &Inside) -> Vec<Change> {
    let Some(document) = &seen.document else { return Vec::new() };
    let digest = &document.current.digest;
    let before = async {
        let bytes = registry.fetch(digest).await?;
        Inside::of(digest.as_str(), &bytes)
    };
    match before.await {
        Ok(before) => differences(&before, inside),
        Err(error) => {
            eprintln!("cpe: not compared with what the channel is now: {}", error.details());
            Vec::new()
        }
    }
}

/// Uploads, with a bar for whoever looks.
async fn upload(
    registry: &Registry,
    digest: &cpe_sandbox::Digest,
    bytes: &Bytes,
) -> anyhow::Result<Sent> {
    let target = match std::io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(Some(bytes.len() as u64), target);
    if let Ok(style) = ProgressStyle::with_template("uploading {bar:40} {bytes}/{total_bytes}{msg}")
    {
        bar.set_style(style);
    }
    bar.tick();
    let progress = |sent: Sent| {
        if sent.before > 0 {
            bar.set_message(format!(" ({} stored before)", size(sent.before)));
        }
        bar.set_position(sent.stored);
    };
    let uploaded = registry.upload(digest, bytes.clone(), &progress).await;
    bar.finish_and_clear();
    match uploaded {
        Err(error) if error.is_retryable() => {
            bail!("{}; the same push again goes on from here", error.details())
        }
        uploaded => Ok(uploaded?),
    }
}
