//! Tests of `runtime/deploy`: that what operators copy from there fits this program. None of them
//! needs a cloud.

mod files;
mod permissions;

use std::path::{Path, PathBuf};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn deployed(name: &str) -> String {
    let path = workspace().join("runtime/deploy").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
