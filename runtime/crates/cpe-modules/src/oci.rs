//! Components in OCI registries: artifacts with one layer of `application/wasm`, as `wkg` and
//! other tools push them. Read only.
//!
//! The manifest names the component by digest, so a look costs a manifest, and what is fetched is
//! checked. A reference with `@sha256:…` names the manifest itself, which then never changes.

mod http;
mod reference;

use std::sync::Arc;

use bytes::Bytes;
use cpe_sandbox::Digest;
use serde::Deserialize;

use self::{http::Http, reference::Reference};
use crate::{ModuleError, reading::MAX_MODULE};

/// Manifests of artifacts with one layer are some hundred bytes.
const MAX_MANIFEST: usize = 1 << 20;
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const WASM: &str = "application/wasm";

/// Reads OCI registries.
#[derive(Debug)]
pub(crate) struct Oci {
    http: Http,
}

#[derive(Deserialize)]
struct Manifest {
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    media_type: String,
    digest: String,
    size: u64,
}

impl Oci {
    pub(crate) fn new() -> Self {
        Self { http: Http::new() }
    }

    /// Whether the reference can never point at anything else.
    pub(crate) fn is_fixed(text: &str) -> bool {
        text.parse::<Reference>().is_ok_and(|reference| reference.digest.is_some())
    }

    /// The digest of the component that a reference points at, and that of its manifest.
    pub(crate) async fn look(&self, text: &str) -> Result<(Digest, String), ModuleError> {
        let reference = parse(text)?;
        let name = reference.digest.as_ref().map_or(&*reference.tag, Digest::as_str);
        let url = reference.url(&format!("manifests/{name}"));
        let what = format!("module oci://{text}");
        let bytes = self.http.get(&reference, &url, MANIFEST, (&what, MAX_MANIFEST)).await?;
        let found = Digest::of(&bytes);
        if let Some(expected) = reference.digest.filter(|expected| *expected != found) {
            return Err(mismatch(text, &expected, &found));
        }
        let refused =
            |problem: String| ModuleError::Description { module: format!("oci://{text}"), problem };
        let manifest: Manifest = serde_json::from_slice(&bytes)
            .map_err(|error| refused(format!("its manifest is not one: {error}")))?;
        let [layer] = manifest.layers.as_slice() else {
            return Err(refused(format!("it has {} layers, not one", manifest.layers.len())));
        };
        if layer.media_type != WASM {
            let kind: String = layer.media_type.chars().take(100).collect();
            return Err(refused(format!("its layer is `{kind}`, not `{WASM}`")));
        }
        if layer.size > MAX_MODULE as u64 {
            return Err(ModuleError::TooLarge { what, limit: MAX_MODULE });
        }
        let digest = layer.digest.parse();
        Ok((digest.map_err(|_| refused("its layer has no digest".to_owned()))?, found.to_string()))
    }

    /// The component with that digest, from the repository of a reference.
    pub(crate) async fn fetch(&self, text: &str, digest: &Digest) -> Result<Bytes, ModuleError> {
        let reference = parse(text)?;
        let url = reference.url(&format!("blobs/{digest}"));
        let what = format!("module oci://{text}");
        let bytes = self.http.get(&reference, &url, "*/*", (&what, MAX_MODULE)).await?;
        let found = Digest::of(&bytes);
        if found == *digest { Ok(bytes) } else { Err(mismatch(text, digest, &found)) }
    }
}

fn parse(text: &str) -> Result<Reference, ModuleError> {
    text.parse()
        .map_err(|problem| ModuleError::Unsupported { reference: format!("oci://{text}"), problem })
}

fn mismatch(text: &str, expected: &Digest, found: &Digest) -> ModuleError {
    ModuleError::DigestMismatch {
        module: format!("oci://{text}"),
        expected: expected.to_string(),
        found: found.to_string(),
    }
}

/// An error of the network, as one of a store.
fn failed(what: &str, kind: cpe_ports::ErrorKind, message: impl Into<String>) -> ModuleError {
    let source = Arc::new(cpe_ports::Error::new(kind, message));
    match kind {
        cpe_ports::ErrorKind::NotFound => ModuleError::NotFound { what: what.to_owned() },
        _ => ModuleError::Unavailable { what: what.to_owned(), source },
    }
}

#[cfg(test)]
mod tests;
