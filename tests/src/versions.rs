//! A module in any number of versions, each of which says which one it is. Made from text, so that
//! pushing one takes a moment.

use bytes::Bytes;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, SourceMap, UnresolvedPackageGroup};

/// An activity that answers `{"version": n}`, whatever its input.
pub fn version(n: u32) -> Bytes {
    component(n, "0.1.0", "(i32.const 0)")
}

/// The same for a world that comes after the one that there is.
pub fn of_a_newer_world(n: u32) -> Bytes {
    component(n, "0.2.0", "(i32.const 0)")
}

/// The same, but where the last digit of the input is divisible by 3 it fails with
/// `version.third`, which is worth a retry.
pub fn faulty(n: u32) -> Bytes {
    component(
        n,
        "0.1.0",
        "(select (i32.const 0) (i32.const 256) (i32.rem_u (i32.sub (i32.load8_u (i32.add
            (local.get 0) (i32.sub (local.get 1) (i32.const 1)))) (i32.const 48)) (i32.const 3)))",
    )
}

/// `result` is where its answer stands: at 0 the good one, at 256 the bad one.
fn component(n: u32, world: &str, result: &str) -> Bytes {
    const REASON: &str = "version.third";
    let answer = format!(r#"{{"version":{n}}}"#);
    let length = |text: &str| u32::try_from(text.len()).unwrap();
    let escaped = |words: &[u32]| -> String {
        let bytes = words.iter().flat_map(|word| word.to_le_bytes());
        bytes.map(|byte| format!("\\{byte:02x}")).collect()
    };
    // `result<string, failure>`: which of both, then where the texts are, and how long; of a
    // failure whether it is retryable.
    let good = escaped(&[0, 64, length(&answer)]);
    let bad = escaped(&[1, 320, length(REASON), 320, length(REASON), 1]);
    let answer = answer.replace('"', "\\22");
    let core = format!(
        r#"(module
            (memory (export "memory") 1)
            (data (i32.const 0) "{good}")
            (data (i32.const 64) "{answer}")
            (data (i32.const 256) "{bad}")
            (data (i32.const 320) "{REASON}")
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
            (func (export "cpe:activity/handler@{world}#run") (param i32 i32) (result i32)
                {result}))"#
    );
    let mut resolve = Resolve::default();
    let wit = concat!(env!("CARGO_MANIFEST_DIR"), "/../wit/activity");
    let package = match world {
        "0.1.0" => resolve.push_path(wit).unwrap().0,
        newer => resolve.push_group(wit_of(wit, newer)).unwrap(),
    };
    let world = resolve.select_world(&[package], Some("activity")).unwrap();
    let mut module = wat::parse_str(core).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let mut encoder = ComponentEncoder::default().validate(true).module(&module).unwrap();
    encoder.encode().unwrap().into()
}

/// The interfaces that there are, as of another version.
fn wit_of(folder: &str, version: &str) -> UnresolvedPackageGroup {
    let mut sources = SourceMap::new();
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "wit")) {
        let text = std::fs::read_to_string(file).unwrap().replace("0.1.0", version);
        sources.push_str(&file.display().to_string(), text);
    }
    sources.parse().map_err(|(_, error)| error).unwrap()
}

/// A component for a world that nobody offers yet.
pub fn of_another_world() -> Bytes {
    let text = r#"(component
        (import "cpe:activity/teleport@9.0.0" (instance (export "go" (func)))))"#;
    wat::parse_str(text).unwrap().into()
}
