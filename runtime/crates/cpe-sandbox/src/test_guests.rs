//! Components for this crate's tests, made from text, so that they need no other compiler.

use bytes::Bytes;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{PackageId, Resolve};

/// Does what the first letter of its input says; see the text.
pub(crate) fn scripted() -> Bytes {
    component(include_str!("test_guests/scripted.wat"), "activity")
}

/// Waits for an hour, and does nothing meanwhile.
pub(crate) fn waiting() -> Bytes {
    // Of WASI, what this guest imports.
    const WASI: &str = "
        package test:waiting;
        world waiting {
            import wasi:clocks/monotonic-clock@0.2.0;
            include cpe:activity/activity@0.1.0;
        }
        package wasi:io@0.2.0 {
            interface poll { resource pollable { block: func(); } }
        }
        package wasi:clocks@0.2.0 {
            interface monotonic-clock {
                use wasi:io/poll@0.2.0.{pollable};
                subscribe-duration: func(when: u64) -> pollable;
            }
        }";
    let mut resolve = activity_wit().0;
    let package = resolve.push_str("waiting.wit", WASI).unwrap();
    encode(include_str!("test_guests/waiting.wat"), &resolve, package, "waiting")
}

/// Does what no compiler would make; see the text.
pub(crate) fn hostile() -> Bytes {
    // A resource of its own, of which there is no end.
    const WIT: &str = "
        package test:hostile;
        interface things { resource thing { constructor(); } }
        world hostile {
            include cpe:activity/activity@0.1.0;
            export things;
        }";
    let mut resolve = activity_wit().0;
    let package = resolve.push_str("hostile.wit", WIT).unwrap();
    encode(include_str!("test_guests/hostile.wat"), &resolve, package, "hostile")
}

/// A component with that core module, for that world of `wit/activity`.
pub(crate) fn component(core: &str, world: &str) -> Bytes {
    let (resolve, package) = activity_wit();
    encode(core, &resolve, package, world)
}

fn activity_wit() -> (Resolve, PackageId) {
    let mut resolve = Resolve::default();
    let wit = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../wit/activity");
    let (package, _) = resolve.push_path(wit).unwrap();
    (resolve, package)
}

fn encode(core: &str, resolve: &Resolve, package: PackageId, world: &str) -> Bytes {
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mut module = wat::parse_str(core).unwrap();
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8).unwrap();
    let mut encoder = ComponentEncoder::default().validate(true).module(&module).unwrap();
    encoder.encode().unwrap().into()
}

/// A component of any other shape.
pub(crate) fn text(text: &str) -> Bytes {
    wat::parse_str(text).unwrap().into()
}
