//! `host[:port]/repository[:tag][@sha256:…]`.

use std::{net::IpAddr, str::FromStr};

use cpe_sandbox::Digest;

const FORM: &str = "expected oci://host/repository:tag or oci://host/repository@sha256:…";

/// Which artifact of which registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    /// With its port, if one is written.
    pub(super) host: String,
    pub(super) repository: String,
    pub(super) tag: String,
    pub(super) digest: Option<Digest>,
}

impl Reference {
    pub(super) fn url(&self, what: &str) -> String {
        let scheme = if is_loopback(&self.host) { "http" } else { "https" };
        format!("{scheme}://{}/v2/{}/{what}", self.host, self.repository)
    }
}

/// Registries on one's own machine have no certificates.
pub(super) fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl FromStr for Reference {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse().map_err(|_| FORM)?)),
            None => (text, None),
        };
        let (host, path) = rest.split_once('/').ok_or(FORM)?;
        let (repository, tag) = path.split_once(':').unwrap_or((path, "latest"));
        let host_is_good = !host.is_empty()
            && host.len() <= 255
            && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b));
        let part_is_good = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
        };
        let tag_is_good = (1..=128).contains(&tag.len())
            && !tag.starts_with(['.', '-'])
            && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        let repository_is_good = repository.len() <= 255 && repository.split('/').all(part_is_good);
        if !(host_is_good && repository_is_good && tag_is_good) {
            return Err(FORM);
        }
        let text = |text: &str| text.to_owned();
        Ok(Self { host: text(host), repository: text(repository), tag: text(tag), digest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_lead_to_urls() {
        let url = |text: &str| {
            let found: Reference = text.parse()?;
            Ok::<_, &str>(format!("{} {}", found.url("x"), found.tag))
        };
        assert_eq!(url("ghcr.io/a/b:1.2"), Ok("https://ghcr.io/v2/a/b/x 1.2".to_owned()));
        assert_eq!(url("localhost:5000/a"), Ok("http://localhost:5000/v2/a/x latest".to_owned()));
        assert_eq!(url("127.0.0.1:5000/a:t"), Ok("http://127.0.0.1:5000/v2/a/x t".to_owned()));
        let pinned = format!("h/r:t@{}", Digest::of(b""));
        assert!(pinned.parse::<Reference>().unwrap().digest.is_some());
        for wrong in [
            "h",
            "/r",
            "h/",
            "h/R:t",
            "h/../r",
            "h/r:",
            "h/r:a b",
            "h/r@sha256:1",
            "u@h/r",
            "h?/r",
            "h/r?x",
        ] {
            assert!(wrong.parse::<Reference>().is_err(), "{wrong}");
        }
    }
}
