//! A version that is tried beside the one that a channel points at: on a share of the executions
//! (a canary), or with its outputs discarded (a shadow).

use cpe_sandbox::Digest;
use cpe_swf::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    Action, Author, Channel, Move, Percent, Version,
    channel::{MAX_HISTORY, presentable},
};

const MAX_FIGURES: usize = 512;

/// A version on trial: in the channel's document, until it is promoted or aborted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    #[serde(flatten)]
    pub version: Version,
    pub mode: Mode,
    /// Of the executions, by a hash of their job's workflow id.
    pub share: Percent,
    /// Its figures count from here. Another share does not begin them anew.
    pub since: Timestamp,
    #[serde(default, skip_serializing_if = "Overrides::is_empty")]
    pub margins: Overrides,
}

/// What becomes of what a candidate does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Its share of the executions runs it.
    Canary,
    /// It runs beside the stable version, and is only compared with it.
    Shadow,
}

/// How much worse than the stable version a canary may be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Margins {
    /// Runs of it before anything is decided.
    pub min_count: u64,
    /// Points of failure rate above the stable version's.
    pub max_failure_rate_increase: Percent,
    /// Its p95 of durations, as a multiple of the stable version's.
    pub max_p95_ratio: f64,
}

impl Default for Margins {
    fn default() -> Self {
        let max_failure_rate_increase = Percent::of(5);
        Self { min_count: 30, max_failure_rate_increase, max_p95_ratio: 1.5 }
    }
}

impl Margins {
    /// What is wrong with them, a sentence each.
    pub fn problems(&self) -> Vec<&'static str> {
        let mut problems = Vec::new();
        if !(1..=1_000_000).contains(&self.min_count) {
            problems.push("`min_count` must be from 1 to 1000000");
        }
        // Not written so that it holds for what is no number.
        if !(1.0..=1_000.0).contains(&self.max_p95_ratio) {
            problems.push("`max_p95_ratio` must be from 1 to 1000");
        }
        problems
    }
}

/// Margins that were given with a push, and count instead of the workers'.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Overrides {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_failure_rate_increase: Option<Percent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_p95_ratio: Option<f64>,
}

impl Overrides {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub fn over(&self, margins: Margins) -> Margins {
        Margins {
            min_count: self.min_count.unwrap_or(margins.min_count),
            max_failure_rate_increase: self
                .max_failure_rate_increase
                .unwrap_or(margins.max_failure_rate_increase),
            max_p95_ratio: self.max_p95_ratio.unwrap_or(margins.max_p95_ratio),
        }
    }
}

impl Candidate {
    /// A canary that this execution runs.
    pub(crate) fn takes(&self, execution: &str) -> bool {
        self.mode == Mode::Canary && self.share.takes(execution, &self.version.digest)
    }

    /// Whether an execution's activities are run by it, too, to be compared.
    pub fn shadows(&self, execution: &str) -> bool {
        self.mode == Mode::Shadow && self.share.takes(execution, &self.version.digest)
    }
}

/// How a trial ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Promote,
    Abort,
}

impl Channel {
    /// The version that an execution begins with now.
    pub(crate) fn version_for(&self, execution: &str) -> &Digest {
        let candidate = self.candidate.as_ref().filter(|candidate| candidate.takes(execution));
        candidate.map_or(&self.current.digest, |candidate| &candidate.version.digest)
    }

    /// Whether that version was tried and given up, and did not come back since.
    pub fn is_aborted(&self, digest: &Digest) -> bool {
        let last = self.history.iter().find(|step| step.digest == *digest);
        last.is_some_and(|step| step.action == Action::Abort)
    }

    /// With a candidate to try. `None` if it is tried like that already.
    pub(crate) fn tried(
        &self,
        candidate: Candidate,
        author: &Author,
        at: Timestamp,
    ) -> Option<Self> {
        let mut after = self.clone();
        let mut candidate = Candidate { since: at, ..candidate };
        match &self.candidate {
            Some(before) if before.version.digest != candidate.version.digest => {
                let why = "another candidate came in its place";
                after.note(Action::Abort, &before.version.digest, &reason(author, why), at);
            }
            Some(before) if before.mode == candidate.mode => {
                candidate =
                    Candidate { version: before.version.clone(), since: before.since, ..candidate };
                if *before == candidate {
                    return None;
                }
            }
            _ => {}
        }
        let action = match candidate.mode {
            Mode::Canary => Action::Canary,
            Mode::Shadow => Action::Shadow,
        };
        after.note(action, &candidate.version.digest, author, at);
        if let Some(step) = after.history.first_mut() {
            step.share = Some(candidate.share);
        }
        after.candidate = Some(candidate);
        Some(after)
    }

    /// Without its candidate. `None` if it has none.
    pub(crate) fn decided(
        &self,
        verdict: Verdict,
        author: &Author,
        figures: Option<&str>,
        at: Timestamp,
    ) -> Option<Self> {
        let candidate = self.candidate.clone()?;
        let mut after = match verdict {
            Verdict::Promote => {
                let version = candidate.version;
                Self::moved(Some(self.clone()), version, Action::Promote, author, at)
            }
            Verdict::Abort => {
                let mut after = Self { candidate: None, ..self.clone() };
                after.note(Action::Abort, &candidate.version.digest, author, at);
                after
            }
        };
        if let Some(step) = after.history.first_mut() {
            step.figures = figures.map(|text| presentable(text, MAX_FIGURES));
        }
        Some(after)
    }

    /// Whoever points a channel elsewhere ends what was tried on it.
    pub(crate) fn supersede(&mut self, author: &Author, at: Timestamp) {
        if let Some(candidate) = self.candidate.take() {
            let author = reason(author, "the channel was pointed elsewhere");
            self.note(Action::Abort, &candidate.version.digest, &author, at);
        }
    }

    fn note(&mut self, action: Action, digest: &Digest, author: &Author, at: Timestamp) {
        self.history.insert(0, Move::new(action, digest.clone(), author, at));
        self.history.truncate(MAX_HISTORY);
    }
}

fn reason(author: &Author, why: &str) -> Author {
    Author { by: author.by.clone(), message: Some(why.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(n: i64) -> Timestamp {
        Timestamp::from_millis(n * 1000)
    }

    fn version(n: i64) -> Version {
        Version::new(digest(n), 1, at(n), "me")
    }

    fn digest(n: i64) -> Digest {
        Digest::of(&n.to_le_bytes())
    }

    fn pushed(before: Option<Channel>, n: i64) -> Channel {
        Channel::moved(before, version(n), Action::Push, &Author::default(), at(n))
    }

    fn candidate(n: i64, share: Percent) -> Candidate {
        let margins = Overrides::default();
        Candidate { version: version(n), mode: Mode::Canary, share, since: at(0), margins }
    }

    fn tried(channel: &Channel, candidate: Candidate, n: i64) -> Option<Channel> {
        channel.tried(candidate, &Author::new("ann", Some("see")), at(n))
    }

    fn actions(channel: &Channel) -> Vec<(Action, i64)> {
        let number = |digest: &Digest| (0..9).find(|n| self::digest(*n) == *digest).unwrap();
        channel.history.iter().map(|step| (step.action, number(&step.digest))).collect()
    }

    #[test]
    fn a_canary_begins_grows_and_is_promoted() {
        let stable = pushed(None, 1);
        let begun = tried(&stable, candidate(2, Percent::of(10)), 3).unwrap();
        assert_eq!(tried(&begun, candidate(2, Percent::of(10)), 4), None);
        let grown = tried(&begun, candidate(2, Percent::of(20)), 4).unwrap();
        let trial = grown.candidate.as_ref().unwrap();
        assert_eq!((trial.since, trial.share), (at(3), Percent::of(20)));
        // What is current does not change by any of that.
        assert_eq!((&grown.current.digest, grown.at(at(9))), (&digest(1), &digest(1)));
        let json = serde_json::to_string(&grown).unwrap();
        assert_eq!(serde_json::from_str::<Channel>(&json).unwrap(), grown);

        let figures = Some("0 of 40 failed");
        let promoted = grown.decided(Verdict::Promote, &Author::default(), figures, at(5)).unwrap();
        assert_eq!((&promoted.current.digest, promoted.candidate.as_ref()), (&digest(2), None));
        assert_eq!(promoted.history[0].figures.as_deref(), figures);
        assert_eq!([at(4), at(5)].map(|time| promoted.at(time).clone()), [digest(1), digest(2)]);
        assert_eq!(promoted.version_before().unwrap().digest, digest(1));
        assert_eq!(
            actions(&promoted),
            [(Action::Promote, 2), (Action::Canary, 2), (Action::Canary, 2), (Action::Push, 1)]
        );
        assert_eq!(promoted.decided(Verdict::Abort, &Author::default(), None, at(6)), None);
    }

    #[test]
    fn what_was_aborted_is_known_until_it_comes_back() {
        let begun = tried(&pushed(None, 1), candidate(2, Percent::ALL), 3).unwrap();
        assert!(!begun.is_aborted(&digest(2)));
        assert_eq!(begun.version_for("a.b"), &digest(2));
        let aborted = begun.decided(Verdict::Abort, &Author::default(), None, at(4)).unwrap();
        assert!(aborted.is_aborted(&digest(2)) && !aborted.is_aborted(&digest(1)));
        assert_eq!(aborted.version_for("a.b"), &digest(1));
        assert!(!tried(&aborted, candidate(2, Percent::ALL), 5).unwrap().is_aborted(&digest(2)));
        assert!(!pushed(Some(aborted), 2).is_aborted(&digest(2)));
    }

    #[test]
    fn only_one_is_tried_at_a_time() {
        let begun = tried(&pushed(None, 1), candidate(2, Percent::of(1)), 3).unwrap();
        let other = tried(&begun, candidate(3, Percent::of(1)), 4).unwrap();
        assert_eq!(actions(&other)[..2], [(Action::Canary, 3), (Action::Abort, 2)]);
        assert!(other.is_aborted(&digest(2)));
        let elsewhere = pushed(Some(other.clone()), 4);
        assert_eq!((elsewhere.candidate.as_ref(), elsewhere.is_aborted(&digest(3))), (None, true));
        // Pushed outright, the candidate itself is not given up.
        let itself = pushed(Some(other), 3);
        assert_eq!(actions(&itself)[..2], [(Action::Push, 3), (Action::Canary, 3)]);
        assert_eq!(itself.candidate, None);
    }

    #[test]
    fn another_mode_begins_anew_and_a_shadow_takes_nobody() {
        let shadow = Candidate { mode: Mode::Shadow, ..candidate(2, Percent::ALL) };
        let begun = tried(&pushed(None, 1), shadow, 3).unwrap();
        assert_eq!(begun.version_for("a.b"), &digest(1));
        assert!(begun.candidate.as_ref().unwrap().shadows("a.b"));
        let canary = tried(&begun, candidate(2, Percent::ALL), 4).unwrap();
        assert_eq!(canary.candidate.unwrap().since, at(4));
    }

    #[test]
    fn what_a_push_says_counts_more() {
        let given = Overrides { min_count: Some(5), ..Overrides::default() };
        let margins = given.over(Margins::default());
        assert_eq!((margins.min_count, margins.max_p95_ratio), (5, 1.5));
        assert_eq!(margins.problems(), [""; 0]);
        let wrong = Margins { min_count: 0, max_p95_ratio: f64::NAN, ..margins };
        assert_eq!(wrong.problems().len(), 2);
    }
}
