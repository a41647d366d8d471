//! `cargo xtask guests`: the components under `sample-activities/` and `tests/guests/`, built and
//! put where the demo, the tests and the benches find them.
//!
//! It knows what a component's file looks like, and nothing of what is in it.

mod target;

use std::{
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

use crate::shell;

const FOLDERS: [&str; 2] = ["sample-activities", "tests/guests"];
/// As the root's `Cargo.toml` defines it.
const PROFILE: &str = "guest";
/// Codecs take about a third longer without it.
const FLAGS: [&str; 2] = ["-C", "target-feature=+simd128"];
/// The magic number, then the version and the layer of a component.
const COMPONENT: &[u8] = b"\0asm\x0d\x00\x01\x00";

/// A component that was built.
pub(crate) struct Built {
    /// The package's name, such as `word-count`.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

pub(crate) fn run() -> anyhow::Result<()> {
    for Built { name, path } in build()? {
        let size = fs::metadata(&path)?.len();
        println!("guests: {name:16} {:>7} KiB  {}", size.div_ceil(1024), path.display());
    }
    Ok(())
}

/// Builds all guests, and first the target if the toolchain lacks it.
pub(crate) fn build() -> anyhow::Result<Vec<Built>> {
    let packages = packages(&shell::root())?;
    let sysroot = target::ensure()?;
    // Not the folder of the cargo that runs this program: that one holds its lock.
    let folder = target_folder().join("guests");
    let mut cargo = nested_cargo(sysroot.as_deref());
    cargo.env("CARGO_TARGET_DIR", &folder);
    cargo.args(["build", "--profile", PROFILE, "--target", target::TARGET]);
    for package in &packages {
        cargo.args(["-p", package]);
    }
    shell::run(&mut cargo)?;

    let activities = target_folder().join("activities");
    fs::create_dir_all(&activities)
        .with_context(|| format!("cannot make {}", activities.display()))?;
    let artifacts = folder.join(target::TARGET).join(PROFILE);
    packages
        .into_iter()
        .map(|name| {
            // A library's file has no dashes; a program's has.
            let library = artifacts.join(name.replace('-', "_")).with_extension("wasm");
            let program = artifacts.join(&name).with_extension("wasm");
            let artifact = if library.exists() { library } else { program };
            let path = activities.join(format!("{name}.wasm"));
            publish(&artifact, &path)?;
            Ok(Built { name, path })
        })
        .collect()
}

/// Builds all guests and the program side by side: near its end each of the two builds waits for
/// single crates, and the other has work then.
pub(crate) fn build_beside_program() -> anyhow::Result<Vec<Built>> {
    let (guests, program) = std::thread::scope(|scope| {
        let program = scope.spawn(shell::build_program);
        (build(), program.join())
    });
    program.map_err(|_| anyhow::anyhow!("building the program panicked"))??;
    guests
}

/// Where cargo puts what it builds for this workspace.
pub(crate) fn target_folder() -> PathBuf {
    let named = ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR"].map(std::env::var_os);
    let named = named.into_iter().flatten().find(|name| !name.is_empty());
    shell::root().join(named.unwrap_or_else(|| "target".into()))
}

/// The names of all guests. Each folder has its package's name.
fn packages(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut packages = Vec::new();
    for folder in FOLDERS {
        let folder = root.join(folder);
        let entries =
            folder.read_dir().with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            if entry.path().join("Cargo.toml").is_file() {
                packages.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
    }
    packages.sort();
    Ok(packages)
}

/// A cargo that knows nothing of the one that runs this program.
fn nested_cargo(sysroot: Option<&Path>) -> Command {
    let mut cargo = shell::cargo_command();
    for (name, _) in std::env::vars_os() {
        if is_of_the_outer_build(&name) {
            cargo.env_remove(name);
        }
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", encoded_flags(sysroot));
    cargo
}

/// Whether an environment variable tells of, or is for, what the outer cargo builds. What people
/// set for every cargo (where its registry is, how it speaks) is not.
fn is_of_the_outer_build(name: &OsStr) -> bool {
    const KEPT: [&str; 8] = [
        "CARGO_HOME",
        "CARGO_BUILD_JOBS",
        "CARGO_CACHE_",
        "CARGO_HTTP_",
        "CARGO_NET_",
        "CARGO_REGISTRIES_",
        "CARGO_REGISTRY_",
        "CARGO_TERM_",
    ];
    let name = name.to_string_lossy();
    let of_cargo = name == "CARGO" || name.starts_with("CARGO_");
    let of_rustc = matches!(&*name, "RUSTFLAGS" | "RUSTDOCFLAGS" | "RUSTC_BOOTSTRAP");
    of_rustc || of_cargo && !KEPT.iter().any(|kept| name.starts_with(kept))
}

/// Compiler flags in the form that allows spaces in paths.
fn encoded_flags(sysroot: Option<&Path>) -> OsString {
    let mut flags = OsString::from(FLAGS.join("\x1f"));
    if let Some(sysroot) = sysroot {
        flags.push("\x1f--sysroot=");
        flags.push(sysroot);
    }
    flags
}

/// Puts a component in its place, at once, and only if it is another one than is there: what
/// looks at the file's time then sees nothing new.
fn publish(artifact: &Path, path: &Path) -> anyhow::Result<()> {
    let bytes = fs::read(artifact).with_context(|| {
        format!("{} was not built: has the package a cdylib or a program?", artifact.display())
    })?;
    if !bytes.starts_with(COMPONENT) {
        bail!("{} is not a component", artifact.display());
    }
    if fs::read(path).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    let partial = path.with_extension(format!("{}.partial", std::process::id()));
    fs::write(&partial, bytes)
        .and_then(|()| fs::rename(&partial, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests;
