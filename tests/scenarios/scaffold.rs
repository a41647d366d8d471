//! `cpe activity new`: what it makes builds outside this repository, and its test passes.

use std::path::Path;

use cpe_tests::Program;
use tokio::process::Command;

#[tokio::test]
async fn a_new_activity_builds_and_its_test_passes() {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let sdk = root.join("guest-sdk");
    let arguments = ["activity", "new", "count-lines", "--sdk", sdk.to_str().unwrap()];
    let (status, printed, said) = Program::run(folder.path(), &arguments, &[]).await;
    assert_eq!(status, 0, "{said}");
    assert!(printed.contains("cargo test"), "{printed}");
    let (status, _, said) = Program::run(folder.path(), &arguments, &[]).await;
    assert!(status == 1 && said.contains("is there already"), "{said}");

    let made = folder.path().join("count-lines");
    // The versions that are here, so that nothing is asked of a registry.
    std::fs::copy(root.join("Cargo.lock"), made.join("Cargo.lock")).unwrap();
    let mut cargo = Command::new("cargo");
    // What the outer cargo was told is not for this one.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("CARGO_") && name != "CARGO_HOME" || name.starts_with("RUST") {
            cargo.env_remove(name);
        }
    }
    if let Some(home) = std::env::var_os("RUSTUP_HOME") {
        cargo.env("RUSTUP_HOME", home);
    }
    let output = cargo
        .args(["test", "--offline", "--quiet"])
        .current_dir(&made)
        .env("CARGO_TARGET_DIR", folder.path().join("target"))
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{said}", String::from_utf8_lossy(&output.stdout));
}
