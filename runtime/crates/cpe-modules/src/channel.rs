//! What a channel points at: its document in the registry.

use std::fmt;

use cpe_sandbox::{Digest, WORLD};
use cpe_swf::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Candidate, Percent};

/// So many versions back a channel remembers.
const MAX_PREVIOUS: usize = 100;
/// So many moves a channel remembers.
pub(crate) const MAX_HISTORY: usize = 200;
const MAX_BY: usize = 128;
const MAX_MESSAGE: usize = 512;

/// A channel's document: the version it points at, and those it pointed at before, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Channel {
    #[serde(flatten)]
    pub current: Version,
    /// What is tried beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<Candidate>,
    /// Each once, as it was when it was left last.
    #[serde(default)]
    pub previous: Vec<Version>,
    /// Every move, newest first: the first of them that is not of a candidate led to `current`.
    #[serde(default)]
    pub history: Vec<Move>,
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
    /// Name and version that the component says of itself, such as `word-count 0.1.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// When the channel went on to another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_at: Option<Timestamp>,
}

/// One move of a channel: who let it point at what, or tried what, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    #[serde(serialize_with = "write_digest", deserialize_with = "read_digest")]
    pub digest: Digest,
    pub action: Action,
    pub at: Timestamp,
    pub by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Of a candidate that begins, or goes on with another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Percent>,
    /// How the candidate did, where its trial ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figures: Option<String>,
}

impl Move {
    pub(crate) fn new(action: Action, digest: Digest, author: &Author, at: Timestamp) -> Self {
        let Author { by, message } = author.clone();
        Self { digest, action, at, by, message, share: None, figures: None }
    }
}

/// How a channel came to point at something, or what became of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    Push,
    Rollback,
    /// A candidate became what the channel points at.
    Promote,
    /// A candidate runs a share of the executions.
    Canary,
    /// A candidate runs beside.
    Shadow,
    /// A candidate was given up.
    Abort,
}

impl Action {
    /// Whether the channel points at the move's version since.
    fn points(self) -> bool {
        match self {
            Self::Push | Self::Rollback | Self::Promote => true,
            Self::Canary | Self::Shadow | Self::Abort => false,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Push => "push",
            Self::Rollback => "rollback",
            Self::Promote => "promote",
            Self::Canary => "canary",
            Self::Shadow => "shadow",
            Self::Abort => "abort",
        })
    }
}

/// Who moves a channel, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Author {
    pub by: String,
    pub message: Option<String>,
}

impl Author {
    pub fn new(by: &str, message: Option<&str>) -> Self {
        let message = message.map(|text| presentable(text, MAX_MESSAGE));
        Self { by: presentable(by, MAX_BY), message: message.filter(|text| !text.is_empty()) }
    }
}

/// One line of at most so many characters.
pub(crate) fn presentable(text: &str, most: usize) -> String {
    let spaced = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c });
    let line: String = spaced.filter(|c| !c.is_control()).take(most).collect();
    line.trim().to_owned()
}

impl Version {
    pub(crate) fn new(digest: Digest, size: usize, pushed_at: Timestamp, by: &str) -> Self {
        Self {
            digest,
            world: WORLD.to_owned(),
            size: size as u64,
            pushed_at,
            pushed_by: presentable(by, MAX_BY),
            about: None,
            left_at: None,
        }
    }
}

impl Channel {
    /// Points at `version`, and remembers what `before` pointed at, and who moved it.
    pub(crate) fn moved(
        before: Option<Self>,
        version: Version,
        action: Action,
        author: &Author,
        at: Timestamp,
    ) -> Self {
        let digest = version.digest.clone();
        let (mut previous, mut history) = (Vec::new(), Vec::new());
        if let Some(mut before) = before {
            let is_tried = |tried: &Candidate| tried.version.digest == digest;
            if !before.candidate.as_ref().is_some_and(is_tried) {
                before.supersede(author, at);
            }
            previous.push(Version { left_at: Some(at), ..before.current });
            previous.extend(before.previous);
            previous.retain(|old| old.digest != version.digest);
            previous.truncate(MAX_PREVIOUS);
            history = before.history;
        }
        history.insert(0, Move::new(action, digest, author, at));
        history.truncate(MAX_HISTORY);
        let current = Version { left_at: None, ..version };
        Self { current, candidate: None, previous, history }
    }

    /// The version with that digest, if the channel points at it or did.
    pub fn version(&self, digest: &Digest) -> Option<&Version> {
        self.versions().find(|version| version.digest == *digest)
    }

    /// What it points at, and what it pointed at before, newest first.
    pub fn versions(&self) -> impl Iterator<Item = &Version> {
        std::iter::once(&self.current).chain(&self.previous)
    }

    /// Where a rollback without a digest leads: to what was pushed last before the version that
    /// the channel points at. So one rollback after another leads further back.
    pub fn version_before(&self) -> Option<&Version> {
        let older = |version: &&Version| version.pushed_at < self.current.pushed_at;
        self.previous.iter().filter(older).max_by_key(|version| version.pushed_at)
    }

    /// The digest that it pointed at then, as far as it remembers.
    pub fn at(&self, time: Timestamp) -> &Digest {
        let mut moves = self.history.iter().filter(|step| step.action.points());
        let oldest = moves.clone().next_back();
        let then = moves.find(|step| step.at <= time);
        then.or(oldest).map_or(&self.current.digest, |step| &step.digest)
    }

    /// Whoever moved it last.
    pub fn last_move(&self) -> Option<&Move> {
        self.history.first()
    }
}

pub(crate) fn write_digest<S: Serializer>(
    digest: &Digest,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(digest.as_str())
}

pub(crate) fn read_digest<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn version(n: i64) -> Version {
        let digest = Digest::of(&n.to_le_bytes());
        Version::new(digest, 1, Timestamp::from_millis(1_437_447_258_900 + n * 1000), "me\n")
    }

    fn pushed(before: Option<Channel>, n: i64) -> Channel {
        let version = version(n);
        let at = version.pushed_at;
        Channel::moved(before, version, Action::Push, &Author::new("me", Some("a\nb")), at)
    }

    #[test]
    fn the_document_reads_as_it_writes() {
        let channel = pushed(None, 1);
        let json = serde_json::to_string(&channel).unwrap();
        expect![[r#"{"digest":"sha256:7c9fa136d4413fa6173637e883b6998d32e1d675f88cddff9dcbcf331820f4b8","world":"cpe:activity/activity@0.1.0","size":1,"pushed_at":1437447259.9,"pushed_by":"me","previous":[],"history":[{"digest":"sha256:7c9fa136d4413fa6173637e883b6998d32e1d675f88cddff9dcbcf331820f4b8","action":"push","at":1437447259.9,"by":"me","message":"a b"}]}"#]]
            .assert_eq(&json);
        assert_eq!(serde_json::from_str::<Channel>(&json).unwrap(), channel);
        let wrong = json.replace("sha256:", "sha1:");
        let error = serde_json::from_str::<Channel>(&wrong).unwrap_err().to_string();
        assert!(error.contains("is not a digest"), "{error}");
        // As documents were before they had a history.
        let old = r#"{"digest":"sha256:7c9fa136d4413fa6173637e883b6998d32e1d675f88cddff9dcbcf331820f4b8","world":"w","size":1,"pushed_at":1,"pushed_by":"me","previous":[]}"#;
        assert!(serde_json::from_str::<Channel>(old).unwrap().history.is_empty());
    }

    #[test]
    fn remembers_each_version_once_and_not_for_ever() {
        let mut channel = pushed(None, 0);
        for n in 1..300 {
            channel = pushed(Some(channel), n);
        }
        assert_eq!((channel.previous.len(), channel.history.len()), (MAX_PREVIOUS, MAX_HISTORY));
        assert_eq!(channel.previous[0].digest, version(298).digest);
        assert_eq!(channel.previous[0].left_at, Some(version(299).pushed_at));
        channel = pushed(Some(channel), 298);
        assert_eq!(channel.previous[0].digest, version(299).digest);
        assert!(channel.previous.iter().all(|old| old.digest != version(298).digest));
    }

    #[test]
    fn one_rollback_after_another_leads_further_back() {
        let mut channel = (0..3).fold(None, |before, n| Some(pushed(before, n))).unwrap();
        for n in [1, 0] {
            let back = channel.version_before().unwrap().clone();
            assert_eq!(back.digest, version(n).digest);
            let at = Timestamp::from_millis(channel.history[0].at.as_millis() + 1000);
            channel = Channel::moved(Some(channel), back, Action::Rollback, &Author::default(), at);
        }
        assert_eq!(channel.version_before(), None);
        assert_eq!(channel.history.len(), 5);
    }

    #[test]
    fn tells_what_was_current_when() {
        let channel = (0..3).fold(None, |before, n| Some(pushed(before, n))).unwrap();
        let at = |millis: i64| {
            let time = Timestamp::from_millis(1_437_447_258_900 + millis);
            (0..3).find(|n| version(*n).digest == *channel.at(time)).unwrap()
        };
        assert_eq!([-5, 0, 999, 1000, 1500, 2000, 9000].map(at), [0, 0, 0, 1, 1, 2, 2]);
    }
}
