//! `cpe module`: brings components into the registry, and tells what is in it.

mod folders;
mod list;
mod push;
mod run;
mod show;
mod trial;
mod undo;
mod verify;

use anyhow::Context;
use clap::Subcommand;
use cpe_modules::{Author, Registry, Verdict};
use cpe_swf::Timestamp;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::Failed;
use crate::{cli::Global, compose, config::Config};

#[derive(Debug, Subcommand)]
pub enum ModuleCommand {
    /// Checks a component, tells what it asks for that the version before did not, uploads it and
    /// moves the channel to it.
    #[command(
        after_help = "Example:\n  cpe module push word_count.wasm word-count@1 --message 'Counts lines'"
    )]
    Push(push::Push),
    /// Makes the candidate of a channel what the channel points at.
    #[command(
        after_help = "Example:\n  cpe module promote word-count@1 --message 'A week without a failure'"
    )]
    Promote(trial::Decide),
    /// Gives up the candidate of a channel: its executions go on with what the channel points at.
    #[command(after_help = "Example:\n  cpe module abort word-count@1 --message 'Too slow'")]
    Abort(trial::Decide),
    /// Lists the channels of the registry.
    #[command(after_help = "Example:\n  cpe module list --output json")]
    List,
    /// Shows a channel: what it points at, what that takes, gives and imports, who runs it, and
    /// how it came there.
    #[command(after_help = "Example:\n  cpe module show word-count@1")]
    Show(show::Show),
    /// Moves a channel back to an earlier version.
    #[command(
        after_help = "Example:\n  cpe module rollback word-count@1 --message 'Loses the last line'"
    )]
    Rollback(undo::Rollback),
    /// Runs an activity once, here: its result goes to standard output, what it took to standard
    /// error.
    #[command(
        after_help = "Example:\n  cpe module run word_count.wasm --input job.json --bucket media=./media"
    )]
    Run(run::Run),
    /// Checks what is stored: that every version of a channel is what its digest says, links, and
    /// is signed.
    #[command(after_help = "Example:\n  cpe module verify word-count@1 --key ci.pub.pem")]
    Verify(verify::Verify),
    /// Removes versions that no channel remembers, and lets channels forget old ones.
    #[command(after_help = "Example:\n  cpe module prune --keep 10 --dry-run")]
    Prune(undo::Prune),
}

impl ModuleCommand {
    pub async fn run(self, global: &Global) -> Result<(), Failed> {
        match self {
            Self::Push(push) => push.run(global).await,
            Self::Promote(decide) => decide.run(Verdict::Promote, global).await,
            Self::Abort(decide) => decide.run(Verdict::Abort, global).await,
            Self::List => list::run(global).await,
            Self::Show(show) => show.run(global).await,
            Self::Rollback(rollback) => rollback.run(global).await,
            Self::Run(run) => run.run(global).await,
            Self::Verify(verify) => verify.run(global).await,
            Self::Prune(prune) => prune.run(global).await,
        }
    }
}

/// Name and channel, as the command line has them.
fn names(reference: &str) -> Result<(String, String), Failed> {
    compose::registry_reference(reference).map_err(Failed::usage)
}

async fn open_registry(global: &Global) -> Result<(Config, Registry), Failed> {
    let config = compose::load_config(global)?;
    let ports = compose::connect(global).await?;
    let registry = compose::registry(&config, &ports);
    Ok((config, registry))
}

/// Whoever is at the keyboard.
fn author(message: Option<&str>) -> Author {
    let by = std::env::var("USER").unwrap_or_else(|_| "unknown".to_owned());
    Author::new(&by, message)
}

fn read(file: &std::path::Path) -> Result<bytes::Bytes, Failed> {
    std::fs::read(file)
        .map(bytes::Bytes::from)
        .with_context(|| format!("cannot read {}", file.display()))
        .map_err(Failed::usage)
}

fn when(time: Timestamp) -> String {
    OffsetDateTime::from_unix_timestamp(time.as_millis().div_euclid(1000))
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| time.as_seconds().to_string())
}

pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..10_240 => format!("{bytes} bytes"),
        10_240..10_485_760 => format!("{} KiB", bytes.div_ceil(1024)),
        _ => format!("{} MiB", bytes.div_ceil(1 << 20)),
    }
}

/// Enough of a digest to tell it from others.
fn short(digest: &str) -> &str {
    digest.get(..19).unwrap_or(digest)
}
