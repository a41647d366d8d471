//! Components for this crate's tests, made from text, so that they need no other compiler.

use bytes::Bytes;
use cpe_sandbox::{Sandbox, SandboxConfig};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// An activity that does nothing; each `version` has other bytes.
pub(crate) fn activity(version: u32) -> Bytes {
    let core = format!(
        r#"(module
            (memory (export "memory") 1)
            (data (i32.const 64) "version {version}")
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
            (func (export "cpe:activity/handler@0.1.0#run") (param i32 i32) (result i32)
                (i32.const 0)))"#
    );
    let mut resolve = Resolve::default();
    let wit = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../wit/activity");
    let (package, _) = resolve.push_path(wit).unwrap();
    let world = resolve.select_world(&[package], Some("activity")).unwrap();
    let mut module = wat::parse_str(core).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let mut encoder = ComponentEncoder::default().validate(true).module(&module).unwrap();
    encoder.encode().unwrap().into()
}

pub(crate) fn sandbox() -> Sandbox {
    Sandbox::new(SandboxConfig { max_concurrent: 2, ..SandboxConfig::default() }).unwrap()
}
