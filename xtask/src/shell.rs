//! Running other programs, and saying which one failed.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail};

/// The workspace's root folder.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// The cargo that runs this program.
pub(crate) fn cargo_command() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Runs cargo in the workspace, showing what it prints.
pub(crate) fn cargo<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> anyhow::Result<()> {
    let mut command = cargo_command();
    command.args(arguments);
    run(&mut command)
}

/// Builds the program and the demo's client.
///
/// Always for the whole workspace and with an example: what cargo selects decides which features
/// the dependencies get, and a second set of features would build wasmtime a second time.
pub(crate) fn build_program() -> anyhow::Result<()> {
    cargo(["build", "--workspace", "--bin", "cpe", "--example", "demo"])
}

/// Runs a program to its end; its failure is an error.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let shown = show(command);
    let status = command.status().with_context(|| format!("cannot start `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed: {status}");
    }
    Ok(())
}

/// Whether a program can be started and succeeds, silently.
pub(crate) fn succeeds<'a>(program: &str, arguments: impl IntoIterator<Item = &'a str>) -> bool {
    Command::new(program)
        .args(arguments)
        .current_dir(root())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
