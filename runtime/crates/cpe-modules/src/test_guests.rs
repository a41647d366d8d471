//! Components for this crate's tests, made from text, so that they need no other compiler.

use bytes::Bytes;
use cpe_sandbox::{Sandbox, SandboxConfig};
use wasm_encoder::{ComponentSection, CustomSection};
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

/// The same, with that text for its description.
pub(crate) fn described(version: u32, description: &str) -> Bytes {
    let mut bytes = activity(version).to_vec();
    let (name, data) = (crate::description::SECTION.into(), description.as_bytes().into());
    CustomSection { name, data }.append_to_component(&mut bytes);
    bytes.into()
}

/// A pair of keys: the secret one as PEM.
pub(crate) fn key_pair(seed: u8) -> (String, crate::SignerKey) {
    use base64::Engine as _;

    // PKCS #8 around the seed, as `openssl genpkey` writes it.
    let mut der = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
    der.extend([seed; 32]);
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    let secret = wasmsign2::SecretKey::from_pem(&pem).unwrap();
    let public = wasmsign2::PublicKey { pk: secret.sk.public_key(), key_id: None };
    (pem, crate::SignerKey::from_pem(&public.to_pem()).unwrap())
}

pub(crate) fn sandbox() -> Sandbox {
    Sandbox::new(SandboxConfig { max_concurrent: 2, ..SandboxConfig::default() }).unwrap()
}
