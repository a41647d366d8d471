//! What an operator allows: where activities may go, what secrets they may use, and the most that
//! they may take.

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use cpe_sandbox::UrlPattern;
use serde::{Deserialize, Deserializer, de::Error};

/// What activities may reach in S3.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Allowance {
    /// A bucket's name, or `*` for any.
    pub bucket: String,
    #[serde(default)]
    pub prefix: String,
    pub access: Access,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    Read,
    Write,
    ReadWrite,
}

/// Where activities may send HTTP requests: `https://cdn.example.com/*`, or with more to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAllowance {
    pub url: UrlPattern,
    /// Whether the host may be on the operator's own network. Otherwise only the internet is
    /// reached, whatever the name resolves to.
    pub private: bool,
}

impl<'de> Deserialize<'de> for HttpAllowance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Full {
            url: String,
            #[serde(default)]
            private: bool,
        }
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a URL, or {url, private}")]
        enum Written {
            Short(String),
            Full(Full),
        }
        let full = match Written::deserialize(deserializer)? {
            Written::Short(url) => Full { url, private: false },
            Written::Full(full) => full,
        };
        let url = full.url.parse().map_err(D::Error::custom)?;
        Ok(Self { url, private: full.private })
    }
}

/// A secret of a client: where its value is, and where it may go.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretAllowance {
    /// The value itself.
    #[serde(default)]
    pub value: Option<Hidden>,
    /// The environment variable of this program that has it.
    #[serde(default)]
    pub env: Option<String>,
    /// The file that has it; the last line may end or not.
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// Requests to these carry it; the guest never sees it.
    #[serde(deserialize_with = "patterns")]
    pub urls: Vec<UrlPattern>,
}

/// A text that no log shows.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Hidden(pub String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// Secrets by their names.
pub type Secrets = BTreeMap<String, SecretAllowance>;

/// The most that one activity task may use, whatever its plan asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsSection {
    #[serde(deserialize_with = "size")]
    pub memory: Option<u64>,
    #[serde(deserialize_with = "duration")]
    pub cpu: Option<Duration>,
    #[serde(deserialize_with = "size")]
    pub output: Option<u64>,
    #[serde(deserialize_with = "size")]
    pub scratch: Option<u64>,
}

fn patterns<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<UrlPattern>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    if texts.is_empty() {
        return Err(D::Error::custom("a secret that may go nowhere is of no use"));
    }
    texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
}

pub(super) fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let size = cpe_plan::parse_size(&text);
    size.map(Some).ok_or_else(|| {
        D::Error::custom(format!("`{text}` is no size, such as 64KiB, 256MiB or 1GiB"))
    })
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let duration = cpe_plan::parse_duration(&text);
    duration.map(Some).ok_or_else(|| {
        D::Error::custom(format!("`{text}` is no duration, such as 500ms, 30s, 10m or 2h"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Client;

    fn client(keys: &str) -> Result<Client, String> {
        let yaml = format!("name: a\ninput_queue: i\noutput_queue: o\n{keys}");
        serde_saphyr::from_str(&yaml).map_err(|error| error.without_snippet().to_string())
    }

    #[test]
    fn allowances_are_read() {
        let client = client(
            "http: ['https://cdn.test/*', {url: 'http://lan.test:8080/*', private: true}]\n\
             secrets: {KEY: {value: t0p, urls: ['https://api.test/*']}}\n\
             limits: {memory: 64MiB, cpu: 1500ms}\n",
        )
        .unwrap();
        let http: Vec<_> =
            client.http.iter().map(|http| (http.url.to_string(), http.private)).collect();
        assert_eq!(
            http,
            [("https://cdn.test/*".into(), false), ("http://lan.test:8080/*".into(), true)]
        );
        assert_eq!(client.limits.memory, Some(64 << 20));
        assert_eq!(client.limits.cpu, Some(Duration::from_millis(1500)));
        assert_eq!(client.limits.output, None);
        assert!(!format!("{client:?}").contains("t0p"));
    }

    #[test]
    fn mistakes_are_told() {
        for (keys, expected) in [
            ("http: [cdn.test]", "no URL that can be granted"),
            ("http: [{private: true}]", "a URL, or {url, private}"),
            ("secrets: {KEY: {value: x, urls: []}}", "may go nowhere"),
            ("secrets: {KEY: {value: x}}", "urls"),
            ("limits: {memory: lots}", "`lots` is no size"),
            ("limits: {cpu: 0s}", "`0s` is no duration"),
        ] {
            let error = client(keys).unwrap_err();
            assert!(error.contains(expected), "{keys}: {error}");
        }
    }
}
