//! When a failed attempt is made again, and after how long.
//!
//! Pure: what looks like chance follows from what a seed says, so that the same history always
//! gives the same timers.

use std::time::Duration;

use sha2::{Digest, Sha256};

/// `retry` of an activity or a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// The first one included.
    pub max_attempts: u32,
    /// Before the second attempt.
    pub backoff: Duration,
    /// By which the wait grows from attempt to attempt.
    pub factor: f64,
    /// The longest wait.
    pub max_backoff: Duration,
    /// The share by which a wait may be longer or shorter, so that what failed together does not
    /// come back together.
    pub jitter: f64,
    /// What is tried again.
    pub on: Vec<ReasonPattern>,
    /// What is not, even if `on` has it.
    pub not_on: Vec<ReasonPattern>,
}

/// One entry of `on` or `not_on`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReasonPattern {
    /// The word `timeout`, `failed` or `canceled`: any ending of that kind.
    Ending(Ending),
    /// A reason, in which each `*` stands for any text.
    Glob(String),
}

/// How an attempt ended that did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It, or whoever ran it, said so.
    Failed,
    /// Some timeout passed.
    TimedOut,
    /// It was canceled or terminated.
    Canceled,
}

impl Retry {
    /// Whether an attempt that ended so is made again, were there attempts left. What its
    /// activity calls not `retryable` is only where a pattern names the reason.
    pub fn applies(&self, ending: Ending, reason: &str, retryable: bool) -> bool {
        let names = |pattern: &ReasonPattern| match pattern {
            ReasonPattern::Ending(word) => retryable && *word == ending,
            ReasonPattern::Glob(glob) => matches(glob, reason),
        };
        let excluded = self.not_on.iter().any(|pattern| match pattern {
            ReasonPattern::Ending(word) => *word == ending,
            ReasonPattern::Glob(glob) => matches(glob, reason),
        });
        !excluded && self.on.iter().any(names)
    }

    /// Seconds from the end of this attempt, the first being 1, to the next one.
    pub fn seconds(&self, attempt: u32, seed: &str) -> u32 {
        let doublings = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let wait = self.backoff.as_secs_f64() * self.factor.powi(doublings);
        let wait = wait.min(self.max_backoff.as_secs_f64());
        let varied = wait * (1.0 + self.jitter * (2.0 * share(seed) - 1.0));
        // SWF's timers know whole seconds. The conversion saturates, also for what is no number.
        (varied.ceil() as u32).clamp(1, MAX_SECONDS)
    }
}

const MAX_SECONDS: u32 = 31_536_000;

/// A number from 0 to 1 that follows from a text.
fn share(seed: &str) -> f64 {
    let digest = Sha256::digest(seed);
    let number = digest.iter().take(4).fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
    f64::from(number) / f64::from(u32::MAX)
}

/// Whether `text` is what `glob` says, each `*` standing for any text. In time that the product
/// of their lengths bounds.
fn matches(glob: &str, text: &str) -> bool {
    let mut parts = glob.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry() -> Retry {
        Retry {
            max_attempts: 5,
            backoff: Duration::from_secs(2),
            factor: 2.0,
            max_backoff: Duration::from_secs(10),
            jitter: 0.0,
            on: vec![
                ReasonPattern::Ending(Ending::TimedOut),
                ReasonPattern::Ending(Ending::Failed),
            ],
            not_on: Vec::new(),
        }
    }

    #[test]
    fn globs_match_whole_reasons() {
        for (glob, text) in
            [("a.b", "a.b"), ("a.*", "a."), ("*", ""), ("*.c", "a.b.c"), ("a*c*e", "abcde")]
        {
            assert!(matches(glob, text), "{glob} {text}");
        }
        for (glob, text) in
            [("a.b", "a.bc"), ("a.*", "b.a."), ("a*a", "a"), ("a*c*e", "ace."), ("", "a")]
        {
            assert!(!matches(glob, text), "{glob} {text}");
        }
    }

    #[test]
    fn waits_grow_to_their_limit() {
        let waits: Vec<_> = (1..=5).map(|attempt| retry().seconds(attempt, "s")).collect();
        assert_eq!(waits, [2, 4, 8, 10, 10]);
        assert_eq!(Retry { factor: 1e300, ..retry() }.seconds(u32::MAX, ""), 10);
    }

    #[test]
    fn jitter_is_always_the_same_and_within_its_share() {
        let retry = Retry { jitter: 0.5, backoff: Duration::from_secs(10), ..retry() };
        let waits: Vec<_> = (0..100).map(|n| retry.seconds(1, &format!("run {n}"))).collect();
        assert!(waits.iter().all(|wait| (5..=15).contains(wait)), "{waits:?}");
        assert!(waits.iter().any(|wait| *wait < 8) && waits.iter().any(|wait| *wait > 12));
        assert_eq!(retry.seconds(1, "run 7"), waits[7]);
    }

    #[test]
    fn what_is_tried_again() {
        let any = retry();
        assert!(any.applies(Ending::Failed, "x.y", true));
        assert!(any.applies(Ending::TimedOut, "cpe.timeout.heartbeat", true));
        assert!(!any.applies(Ending::Canceled, "cpe.canceled", true));
        assert!(!any.applies(Ending::Failed, "x.y", false));
        let glob = Retry { on: vec![ReasonPattern::Glob("x.*".to_owned())], ..retry() };
        assert!(glob.applies(Ending::Failed, "x.y", false));
        assert!(!glob.applies(Ending::Failed, "z", true));
        let not = Retry { not_on: vec![ReasonPattern::Glob("x.*".to_owned())], ..retry() };
        assert!(
            !not.applies(Ending::Failed, "x.y", true) && not.applies(Ending::Failed, "z", true)
        );
    }
}
