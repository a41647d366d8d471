//! Secrets that a guest uses without seeing them: it holds a placeholder, which becomes the value
//! in requests that leave for where the secret may go.

use std::{
    collections::BTreeMap,
    fmt,
    hash::{BuildHasher, Hasher, RandomState},
    sync::Arc,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use crate::grants::{Target, UrlPattern};

/// A value that the guest never holds.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    pub name: String,
    pub value: Arc<str>,
    /// Where it may go. Granting a secret grants no request: that is for [`crate::UrlGrant`].
    pub urls: Vec<UrlPattern>,
}

impl fmt::Debug for Secret {
    /// Without the value, so that no log has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret")
            .field("name", &self.name)
            .field("urls", &self.urls)
            .finish_non_exhaustive()
    }
}

/// The secrets of one activity task, each with the placeholder that its guest knows it by.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secrets(Option<Arc<[(String, Secret)]>>);

impl Secrets {
    pub(crate) fn new(secrets: &[Secret]) -> Self {
        // Most activities have none, and pay nothing for it.
        if secrets.is_empty() {
            return Self(None);
        }
        let with_placeholder = |secret: &Secret| (placeholder(), secret.clone());
        Self(Some(secrets.iter().map(with_placeholder).collect()))
    }

    /// What the guest's environment has of them.
    pub(crate) fn environment(&self) -> impl Iterator<Item = (&str, &str)> {
        self.all().iter().map(|(placeholder, secret)| (secret.name.as_str(), placeholder.as_str()))
    }

    /// The same, after what else it has.
    pub(crate) fn environment_with(
        &self,
        environment: &BTreeMap<String, String>,
    ) -> Vec<(String, String)> {
        let plain = environment.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let all = plain.chain(self.environment());
        all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn all(&self) -> &[(String, Secret)] {
        self.0.as_deref().unwrap_or_default()
    }

    /// Those that may go there.
    pub(crate) fn for_target(&self, target: &Target) -> Replacement {
        let may_go =
            |(_, secret): &&(String, Secret)| secret.urls.iter().any(|url| url.covers(target));
        let replaced = self.all().iter().filter(may_go);
        Replacement(
            replaced.map(|(known_as, secret)| (known_as.clone(), secret.value.clone())).collect(),
        )
    }
}

/// What stands for the value: of no use but here, and in no text by chance.
fn placeholder() -> String {
    let dice = || RandomState::new().build_hasher().finish();
    format!("cpe-secret-{:016x}{:016x}", dice(), dice())
}

/// What becomes of placeholders in one request.
pub(crate) struct Replacement(BTreeMap<String, Arc<str>>);

impl Replacement {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In the path and query, with what has a meaning there encoded.
    pub(crate) fn in_path(&self, path: String) -> String {
        self.0.iter().fold(path, |path, (placeholder, value)| {
            if !path.contains(placeholder.as_str()) {
                return path;
            }
            let encoded =
                percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
            path.replace(placeholder.as_str(), &encoded.to_string())
        })
    }

    /// In the values of headers. `None` if a secret makes no header.
    pub(crate) fn in_headers(&self, headers: &mut HeaderMap) -> Option<()> {
        for value in headers.values_mut() {
            if let Some(replaced) = self.in_bytes(value.as_bytes()) {
                *value = HeaderValue::from_bytes(&replaced).ok()?;
                value.set_sensitive(true);
            }
        }
        Some(())
    }

    /// In a body. `None` if no placeholder is in it.
    pub(crate) fn in_bytes(&self, bytes: &[u8]) -> Option<Bytes> {
        let mut replaced: Option<Vec<u8>> = None;
        for (placeholder, value) in &self.0 {
            let from = replaced.as_deref().unwrap_or(bytes);
            replaced = replace(from, placeholder.as_bytes(), value.as_bytes()).or(replaced.take());
        }
        replaced.map(Bytes::from)
    }
}

fn replace(bytes: &[u8], placeholder: &[u8], value: &[u8]) -> Option<Vec<u8>> {
    let mut replaced = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(placeholder.len()).position(|part| part == placeholder) {
        let (before, from) = rest.split_at_checked(at)?;
        replaced.extend_from_slice(before);
        replaced.extend_from_slice(value);
        rest = from.get(placeholder.len()..).unwrap_or_default();
    }
    if rest.len() == bytes.len() {
        return None;
    }
    replaced.extend_from_slice(rest);
    Some(replaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(name: &str, value: &str, url: &str) -> Secret {
        Secret { name: name.to_owned(), value: value.into(), urls: vec![url.parse().unwrap()] }
    }

    fn secrets() -> Secrets {
        Secrets::new(&[
            secret("KEY", "s3cr&t", "https://api.test/*"),
            secret("OTHER", "0ther", "https://other.test/*"),
        ])
    }

    fn known_as(secrets: &Secrets, name: &str) -> String {
        secrets.environment().find(|(known, _)| *known == name).unwrap().1.to_owned()
    }

    #[test]
    fn placeholders_become_values_where_the_secret_may_go() {
        let secrets = secrets();
        let (key, other) = (known_as(&secrets, "KEY"), known_as(&secrets, "OTHER"));
        assert_ne!(key, other);
        let there = secrets.for_target(&Target::parse("https://api.test/x").unwrap());
        assert_eq!(
            there.in_path(format!("/x?k={key}&o={other}")),
            format!("/x?k=s3cr%26t&o={other}")
        );
        let text = format!("{key}-{key}-{other}");
        assert_eq!(there.in_bytes(text.as_bytes()).unwrap(), format!("s3cr&t-s3cr&t-{other}"));
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {key}").parse().unwrap());
        there.in_headers(&mut headers).unwrap();
        assert_eq!(headers["authorization"], "Bearer s3cr&t");
        assert!(!format!("{headers:?}").contains("s3cr&t"));

        let elsewhere = secrets.for_target(&Target::parse("https://evil.test/x").unwrap());
        assert!(elsewhere.is_empty());
        assert_eq!(elsewhere.in_bytes(text.as_bytes()), None);
    }

    #[test]
    fn a_secret_that_makes_no_header_is_not_sent() {
        let secrets = Secrets::new(&[secret("K", "a\r\nX: y", "https://h/*")]);
        let there = secrets.for_target(&Target::parse("https://h/").unwrap());
        let mut headers = HeaderMap::new();
        headers.insert("x", known_as(&secrets, "K").parse().unwrap());
        assert_eq!(there.in_headers(&mut headers), None);
        assert_eq!(there.in_path(known_as(&secrets, "K")), "a%0D%0AX%3A%20y");
    }

    #[test]
    fn no_log_has_the_value() {
        assert!(!format!("{:?}", secrets()).contains("s3cr&t"));
    }
}
