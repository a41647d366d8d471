//! What of building guests can be tested without building them.

use super::*;

#[test]
fn every_guest_of_the_workspace_is_found() {
    let packages = packages(&shell::root()).unwrap();
    for name in
        ["line-count", "misbehave", "noop", "transcode-asset", "validate-asset", "word-count"]
    {
        assert!(packages.iter().any(|package| package == name), "{name}");
    }
    for name in &packages {
        let manifests = FOLDERS.map(|folder| shell::root().join(folder).join(name));
        let manifest = manifests.iter().find_map(|folder| {
            let text = fs::read_to_string(folder.join("Cargo.toml")).ok()?;
            Some(text.contains(&format!("name = \"{name}\"\n")))
        });
        assert_eq!(manifest, Some(true), "the folder {name} has its package's name");
    }
}

#[test]
fn the_outer_build_is_not_heard_of() {
    for name in [
        "CARGO",
        "CARGO_MANIFEST_DIR",
        "CARGO_PKG_NAME",
        "CARGO_TARGET_DIR",
        "CARGO_BUILD_TARGET",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS",
        "CARGO_PROFILE_RELEASE_LTO",
        "RUSTFLAGS",
    ] {
        assert!(is_of_the_outer_build(OsStr::new(name)), "{name}");
    }
    for name in
        ["CARGO_HOME", "CARGO_NET_OFFLINE", "CARGO_REGISTRIES_X_INDEX", "PATH", "RUSTUP_TOOLCHAIN"]
    {
        assert!(!is_of_the_outer_build(OsStr::new(name)), "{name}");
    }
}

#[test]
fn flags_allow_spaces() {
    assert_eq!(encoded_flags(None), "-C\u{1f}target-feature=+simd128");
    assert_eq!(
        encoded_flags(Some(Path::new("/a b/c"))),
        "-C\u{1f}target-feature=+simd128\u{1f}--sysroot=/a b/c"
    );
}

#[test]
fn only_components_are_published_and_only_when_they_changed() {
    let folder = tempfile::tempdir().unwrap();
    let (artifact, path) = (folder.path().join("a_b.wasm"), folder.path().join("a-b.wasm"));
    assert!(publish(&artifact, &path).unwrap_err().to_string().contains("was not built"));
    fs::write(&artifact, b"\0asm\x01\0\0\0").unwrap();
    assert!(publish(&artifact, &path).unwrap_err().to_string().ends_with("is not a component"));
    assert!(!path.exists());

    fs::write(&artifact, [COMPONENT, b"1"].concat()).unwrap();
    publish(&artifact, &path).unwrap();
    let time = || fs::metadata(&path).unwrap().modified().unwrap();
    let first = time();
    publish(&artifact, &path).unwrap();
    assert_eq!(time(), first);
    fs::write(&artifact, [COMPONENT, b"2"].concat()).unwrap();
    publish(&artifact, &path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), [COMPONENT, b"2"].concat());
    assert_eq!(folder.path().read_dir().unwrap().count(), 2, "nothing else is left");
}
