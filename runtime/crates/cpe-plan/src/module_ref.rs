//! What a plan writes after `module:`.

use std::{fmt, path::PathBuf, str::FromStr};

/// Where an activity's component comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ModuleRef {
    /// `name@channel`: the registry.
    Registry {
        /// The module's name.
        name: String,
        /// The moving name of its version.
        channel: String,
    },
    /// `s3://bucket/key.wasm`.
    S3 {
        /// The bucket's name.
        bucket: String,
        /// The object's key.
        key: String,
    },
    /// `oci://host/repository:tag`, without the scheme.
    Oci(String),
    /// `./file.wasm`: for development only.
    File(PathBuf),
}

/// What is written is no [`ModuleRef`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no module reference: expected name@channel, s3://bucket/key.wasm, \
     oci://host/repository:tag or ./file.wasm"
)]
pub struct ModuleRefError(String);

impl FromStr for ModuleRef {
    type Err = ModuleRefError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || ModuleRefError(text.chars().take(120).collect());
        if text.chars().any(char::is_control) {
            return Err(bad());
        }
        if let Some(path) = text.strip_prefix("s3://") {
            let (bucket, key) = path.split_once('/').ok_or_else(bad)?;
            if bucket.is_empty() || key.is_empty() {
                return Err(bad());
            }
            return Ok(Self::S3 { bucket: bucket.to_owned(), key: key.to_owned() });
        }
        if let Some(reference) = text.strip_prefix("oci://") {
            let valid = reference.contains('/');
            return if valid { Ok(Self::Oci(reference.to_owned())) } else { Err(bad()) };
        }
        if text.starts_with("./") || text.starts_with("../") || text.starts_with('/') {
            return Ok(Self::File(PathBuf::from(text)));
        }
        let (name, channel) = text.split_once('@').ok_or_else(bad)?;
        if is_name(name) && is_name(channel) {
            Ok(Self::Registry { name: name.to_owned(), channel: channel.to_owned() })
        } else {
            Err(bad())
        }
    }
}

/// Names and channels: 1 to 128 of `A–Z a–z 0–9 . _ -`, not beginning with a dot.
fn is_name(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && !text.starts_with('.')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

impl fmt::Display for ModuleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry { name, channel } => write!(f, "{name}@{channel}"),
            Self::S3 { bucket, key } => write!(f, "s3://{bucket}/{key}"),
            Self::Oci(reference) => write!(f, "oci://{reference}"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_read_as_they_write() {
        for text in ["word-count@1", "s3://b/k/x.wasm", "oci://h/r:t@sha256:00", "./x.wasm"] {
            assert_eq!(text.parse::<ModuleRef>().unwrap().to_string(), text);
        }
        for text in ["word-count", "@1", "a@", "a b@1", "s3://b", "oci://h", "..@1", "a@1@2"] {
            assert!(text.parse::<ModuleRef>().is_err(), "{text}");
        }
    }
}
