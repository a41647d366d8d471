//! What a file is, by its first bytes: so that a wrong upload is called by its name.

/// The magic number, then the version and the layer of a component.
const COMPONENT: &[u8] = b"\0asm\x0d\x00\x01\x00";
const CORE_MODULE: &[u8] = b"\0asm\x01\x00\x00\x00";

/// `Ok` if the bytes begin as a component does; otherwise what they seem to be.
pub(crate) fn expect_component(bytes: &[u8]) -> Result<(), String> {
    if bytes.starts_with(COMPONENT) {
        return Ok(());
    }
    Err(describe(bytes).to_owned())
}

fn describe(bytes: &[u8]) -> &'static str {
    let text = bytes.get(..64).unwrap_or(bytes).trim_ascii_start();
    if bytes.is_empty() {
        "the file is empty"
    } else if bytes.len() < 8 && (COMPONENT.starts_with(bytes) || CORE_MODULE.starts_with(bytes)) {
        "the file is cut off within its first bytes"
    } else if bytes.starts_with(CORE_MODULE) {
        "it is a core module (build with --target wasm32-wasip2, or wrap it as a component)"
    } else if bytes.starts_with(b"\0asm") {
        "it is WebAssembly of a version that is not known here"
    } else if bytes.starts_with(b"\x7fELF") {
        "it is a native program or a precompiled module, and only WebAssembly is loaded"
    } else if text.starts_with(b"(component") || text.starts_with(b"(module") {
        "it is WebAssembly text, and only the binary format is loaded"
    } else if bytes.starts_with(b"PK\x03\x04") {
        "it is a ZIP archive"
    } else if bytes.starts_with(b"\x1f\x8b") {
        "it is compressed with gzip"
    } else if text.starts_with(b"<") {
        "it is an HTML or XML document"
    } else {
        "it is not WebAssembly"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_files_are_called_by_their_name() {
        assert_eq!(expect_component(b"\0asm\x0d\0\x01\0rest"), Ok(()));
        for (bytes, word) in [
            (&b""[..], "empty"),
            (b"\0as", "cut off"),
            (b"\0asm\x0d\0", "cut off"),
            (b"\0asm\x01\0\0\0\0", "core module"),
            (b"\0asm\x09\0\x01\0", "version"),
            (b"\x7fELF\x02", "precompiled"),
            (b"  (component)", "text"),
            (b"PK\x03\x04", "ZIP"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"<?xml", "XML"),
            (b"hello", "not WebAssembly"),
        ] {
            let found = expect_component(bytes).unwrap_err();
            assert!(found.contains(word), "{bytes:?}: {found}");
        }
    }
}
