//! Components for this crate's tests, made from text, so that they need no other compiler.

use bytes::Bytes;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Does what the first letter of its input says; see the text.
pub(crate) fn scripted() -> Bytes {
    component(include_str!("test_guests/scripted.wat"), "activity")
}

/// A component with that core module, for that world of `wit/activity`.
pub(crate) fn component(core: &str, world: &str) -> Bytes {
    let mut resolve = Resolve::default();
    let wit = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../wit/activity");
    let (package, _) = resolve.push_path(wit).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mut module = wat::parse_str(core).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let mut encoder = ComponentEncoder::default().validate(true).module(&module).unwrap();
    encoder.encode().unwrap().into()
}

/// A component of any other shape.
pub(crate) fn text(text: &str) -> Bytes {
    wat::parse_str(text).unwrap().into()
}
