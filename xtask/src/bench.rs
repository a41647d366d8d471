//! `cargo xtask bench`: builds for release, then measures.

use clap::ValueEnum;

use crate::{guests, moto::Moto, shell::cargo};

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Name {
    /// What the sandbox costs, beside bare wasmtime and native code; large objects through a guest.
    Sandbox,
    /// Steps and jobs per second on the durable embedded endpoint.
    E2e,
    /// The embedded endpoint over loopback HTTP: lifecycles, latencies, what executions cost.
    Local,
    /// How soon a new version of a module runs, what that does to others, what old ones keep.
    Modules,
    /// Jobs per second of one and of a hundred clients, latencies, fairness, calls of an idle fleet.
    Clients,
    /// Decisions per second, how the n-th compares with the first, long lists, large plans.
    Decider,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Output {
    Text,
    Json,
}

/// `with_moto` starts moto's server, for the benches that have something to measure beside it.
/// `quick` shows that a bench runs, with what tests are built from as well.
pub(crate) fn run(name: Name, output: Output, with_moto: bool, quick: bool) -> anyhow::Result<()> {
    guests::build()?;
    let moto = with_moto.then(Moto::install_and_start).transpose()?;
    let benches: &[&str] = match name {
        Name::Sandbox => &["sandbox", "streams"],
        Name::E2e => &["e2e"],
        Name::Local => &["local"],
        Name::Modules => &["modules"],
        Name::Clients => &["clients"],
        Name::Decider => &["decider"],
    };
    let output = match output {
        Output::Text => "text",
        Output::Json => "json",
    };
    // The whole workspace, so that both benches share one build of the dependencies.
    let mut arguments = vec!["bench", "-q", "--workspace"];
    if quick {
        arguments.extend(["--profile", "dev"]);
    }
    for bench in benches {
        arguments.extend(["--bench", bench]);
    }
    let url = moto.as_ref().map(Moto::url);
    arguments.extend(["--", "--output", output]);
    if quick {
        arguments.push("--quick");
    }
    if let Some(url) = &url {
        arguments.extend(["--moto", url]);
    }
    cargo(arguments)
}
