//! One module for each command, and how commands end.
#![allow(clippy::print_stdout, reason = "printing is what commands are for")]

pub mod activity;
pub mod dev;
pub mod doctor;
pub mod job;
pub mod local;
pub mod module;
pub mod plan;
mod reload;
pub mod run;

use clap::Args;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, JailMode};

/// An option of the commands that run guests.
#[derive(Debug, Clone, Copy, Args)]
pub struct Jailing {
    /// Run guests in jailed processes, one for each client, instead of what cpe.yaml says; alone
    /// it means `on`.
    #[arg(
        long, value_enum, value_name = "MODE", num_args = 0..=1, require_equals = true,
        default_missing_value = "on"
    )]
    jail: Option<JailMode>,
}

impl Jailing {
    pub(crate) fn set(self, config: &mut Config) {
        config.jail = self.jail.unwrap_or(config.jail);
    }
}

/// Why a command did not do what it was asked: an exit status and a message.
#[derive(Debug)]
pub struct Failed {
    status: u8,
    error: anyhow::Error,
}

impl Failed {
    /// The command was called wrongly, or with a configuration that has mistakes.
    pub fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { status: 2, error: error.into() }
    }

    pub fn status(&self) -> u8 {
        self.status
    }

    /// Prints what went wrong to standard error.
    pub fn print(&self) {
        eprintln!("cpe: {self}");
    }
}

/// The chain of causes, each part once.
impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::new();
        for cause in self.error.chain() {
            let cause = cause.to_string();
            if text.is_empty() {
                text = cause;
            } else if !text.contains(&cause) {
                text = format!("{text}: {cause}");
            }
        }
        f.write_str(text.trim_end())
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self { status: 1, error: error.into() }
    }
}

/// A token that Ctrl-C or SIGTERM cancels; a second one ends the process at once.
pub(crate) fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};

    let token = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = token.clone();
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "Ctrl-C",
            }
        };
        let name = next().await;
        eprintln!("cpe: {name}: draining; what runs is let finish, a second signal ends at once");
        stop.cancel();
        next().await;
        std::process::exit(130);
    });
    Ok(token)
}
