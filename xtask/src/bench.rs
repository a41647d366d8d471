//! `cargo xtask bench`: builds for release, then measures.

use clap::ValueEnum;

use crate::{guests, shell::cargo};

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Name {
    /// A no-op activity through the sandbox, beside bare wasmtime.
    Sandbox,
    /// Steps and jobs per second on the durable embedded endpoint.
    E2e,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Output {
    Text,
    Json,
}

pub(crate) fn run(name: Name, output: Output) -> anyhow::Result<()> {
    guests::build()?;
    let bench = match name {
        Name::Sandbox => "sandbox",
        Name::E2e => "e2e",
    };
    let output = match output {
        Output::Text => "text",
        Output::Json => "json",
    };
    // The whole workspace, so that both benches share one build of the dependencies.
    cargo(["bench", "-q", "--workspace", "--bench", bench, "--", "--output", output])
}
