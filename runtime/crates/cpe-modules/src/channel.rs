//! What a channel points at: its document in the registry.

use cpe_sandbox::{Digest, WORLD};
use cpe_swf::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// So many versions back a channel remembers.
const MAX_PREVIOUS: usize = 100;

/// A channel's document: the version it points at, and those it pointed at before, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    #[serde(flatten)]
    pub current: Version,
    #[serde(default)]
    pub previous: Vec<Version>,
}

/// One component, as it was pushed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    #[serde(serialize_with = "write_digest", deserialize_with = "read_digest")]
    pub digest: Digest,
    /// What it could be linked against then.
    pub world: String,
    pub size: u64,
    pub pushed_at: Timestamp,
    pub pushed_by: String,
}

impl Version {
    pub(crate) fn new(digest: Digest, size: usize, pushed_at: Timestamp, by: &str) -> Self {
        Self {
            digest,
            world: WORLD.to_owned(),
            size: size as u64,
            pushed_at,
            pushed_by: by.chars().filter(|c| !c.is_control()).take(128).collect(),
        }
    }
}

impl Channel {
    /// Points at `version`, and remembers what `before` pointed at.
    pub(crate) fn moved(before: Option<Self>, version: Version) -> Self {
        let previous = before.map(|before| {
            let mut all = vec![before.current];
            all.extend(before.previous);
            all.retain(|old| old.digest != version.digest);
            all.truncate(MAX_PREVIOUS);
            all
        });
        Self { current: version, previous: previous.unwrap_or_default() }
    }
}

fn write_digest<S: Serializer>(digest: &Digest, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(digest.as_str())
}

fn read_digest<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn version(n: usize) -> Version {
        let digest = Digest::of(&n.to_le_bytes());
        Version::new(digest, n, Timestamp::from_millis(1_437_447_258_900), "me\n")
    }

    #[test]
    fn the_document_reads_as_it_writes() {
        let channel = Channel::moved(None, version(1));
        let json = serde_json::to_string(&channel).unwrap();
        expect![[r#"{"digest":"sha256:7c9fa136d4413fa6173637e883b6998d32e1d675f88cddff9dcbcf331820f4b8","world":"cpe:activity/activity@0.1.0","size":1,"pushed_at":1437447258.9,"pushed_by":"me","previous":[]}"#]]
            .assert_eq(&json);
        assert_eq!(serde_json::from_str::<Channel>(&json).unwrap(), channel);
        let wrong = json.replace("sha256:", "sha1:");
        let error = serde_json::from_str::<Channel>(&wrong).unwrap_err().to_string();
        assert!(error.contains("is not a digest"), "{error}");
    }

    #[test]
    fn remembers_each_version_once_and_not_for_ever() {
        let mut channel = Channel::moved(None, version(0));
        for n in 1..200 {
            channel = Channel::moved(Some(channel), version(n));
        }
        assert_eq!(channel.previous.len(), MAX_PREVIOUS);
        assert_eq!(channel.previous[0], version(198));
        channel = Channel::moved(Some(channel), version(198));
        assert_eq!(channel.previous[0], version(199));
        assert!(!channel.previous.contains(&version(198)));
    }
}
