//! `cargo xtask demo`: from a fresh clone to a finished job.

use std::{path::Path, process::Command};

use crate::{
    guests::{self, Built},
    shell,
};

/// What Transcode's plan names.
const MODULES: [&str; 2] = ["validate-asset", "transcode-asset"];

/// Builds the guests, the program and the demo's client, then runs the client, which starts
/// `cpe dev` on fresh data and does what any client would.
pub(crate) fn run() -> anyhow::Result<()> {
    let modules = build()?;
    shell::run(&mut client(&modules, &guests::target_folder().join("demo")))
}

/// Builds what the client needs; answers the modules that it pushes.
pub(crate) fn build() -> anyhow::Result<Vec<Built>> {
    println!("building cpe and its activities (the first time takes some minutes)");
    let mut built = guests::build_beside_program()?;
    built.retain(|module| MODULES.contains(&module.name.as_str()));
    Ok(built)
}

/// The client's command line; its state and the outputs go to `data`.
pub(crate) fn client(modules: &[Built], data: &Path) -> Command {
    let target = guests::target_folder();
    let mut client = Command::new(target.join("debug/examples/demo"));
    client
        .current_dir(shell::root())
        .arg("--cpe")
        .arg(target.join("debug/cpe"))
        .arg("--plans")
        .arg(shell::root().join("plans"))
        .arg("--data")
        .arg(data);
    for module in modules {
        client.arg("--module").arg(format!("{}@1={}", module.name, module.path.display()));
    }
    client
}
