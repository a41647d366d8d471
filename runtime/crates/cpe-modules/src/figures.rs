//! How a candidate and the stable version do, counted; and what follows from that. Everything here
//! is of bounded size, whatever is counted, and sums of it are too.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::Margins;

/// Reasons that are told apart.
const MAX_REASONS: usize = 16;
const MAX_REASON: usize = 64;
const OTHER: &str = "other";
/// Differences that are told, and not only counted.
const MAX_EXAMPLES: usize = 5;
const MAX_EXAMPLE: usize = 300;

/// What one worker, or all of them together, counted of one trial.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Figures {
    pub candidate: Tally,
    pub stable: Tally,
    pub shadow: Shadowed,
}

/// The runs of one version that came to an end of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    pub ran: u64,
    pub failed: u64,
    /// Failures by reason.
    pub reasons: BTreeMap<String, u64>,
    durations: Durations,
}

/// How the runs of a shadow came out beside the stable version's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Shadowed {
    pub same: u64,
    pub different: u64,
    /// Not run for want of room, or not to be compared.
    pub skipped: u64,
    /// Where they differ: job, activity and place, but nothing of what a client sent or got.
    pub examples: Vec<String>,
}

/// Durations of runs that went well, in classes of which each reaches 19% further than the one
/// before it, the first up to 10 ms: below that, machines differ more than versions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Durations(BTreeMap<u8, u64>);

const SHORTEST: Duration = Duration::from_millis(10);
/// Of a factor of two, so many classes.
const STEPS: f64 = 4.0;
/// About 15 hours.
const LAST_CLASS: u8 = 90;

impl Durations {
    fn add(&mut self, duration: Duration) {
        let times = duration.as_secs_f64() / SHORTEST.as_secs_f64();
        let class = (1..LAST_CLASS).find(|class| times <= bound(*class - 1));
        let class = class.map_or(LAST_CLASS, |class| class - 1);
        add(self.0.entry(class).or_default(), 1);
    }

    fn merge(&mut self, other: &Self) {
        for (class, count) in &other.0 {
            add(self.0.entry((*class).min(LAST_CLASS)).or_default(), *count);
        }
    }

    fn count(&self) -> u64 {
        self.0.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The upper end of the class in which the p95 is.
    fn p95(&self) -> Option<Duration> {
        let rank = u128::from(self.count()) * 95;
        let mut below = 0;
        let class = self.0.iter().find(|(_, count)| {
            below += u128::from(**count) * 100;
            below >= rank
        });
        class.map(|(class, _)| SHORTEST.mul_f64(bound((*class).min(LAST_CLASS))))
    }
}

/// The upper end of a class, in multiples of the shortest.
fn bound(class: u8) -> f64 {
    (f64::from(class) / STEPS).exp2()
}

fn add(sum: &mut u64, more: u64) {
    *sum = sum.saturating_add(more);
}

impl Tally {
    pub(crate) fn well(&mut self, took: Duration) {
        add(&mut self.ran, 1);
        self.durations.add(took);
    }

    pub(crate) fn failed(&mut self, reason: &str) {
        add(&mut self.ran, 1);
        add(&mut self.failed, 1);
        self.reason(reason, 1);
    }

    fn reason(&mut self, reason: &str, count: u64) {
        let reason: String = reason.chars().take(MAX_REASON).collect();
        let known = self.reasons.contains_key(&reason) || self.reasons.len() < MAX_REASONS;
        let reason = if known { reason } else { OTHER.to_owned() };
        add(self.reasons.entry(reason).or_default(), count);
    }

    fn merge(&mut self, other: &Self) {
        add(&mut self.ran, other.ran);
        add(&mut self.failed, other.failed.min(other.ran));
        other.reasons.iter().for_each(|(reason, count)| self.reason(reason, *count));
        self.durations.merge(&other.durations);
    }

    /// Of the runs that went well, to within 19%; `None` if there are none.
    pub fn p95(&self) -> Option<Duration> {
        self.durations.p95()
    }

    fn failure_rate(&self) -> f64 {
        if self.ran == 0 { 0.0 } else { self.failed as f64 / self.ran as f64 }
    }
}

impl Shadowed {
    /// `None` if both came to the same.
    pub(crate) fn compared(&mut self, difference: Option<&str>) {
        match difference {
            None => add(&mut self.same, 1),
            Some(difference) => {
                add(&mut self.different, 1);
                self.example(difference);
            }
        }
    }

    pub(crate) fn skipped(&mut self) {
        add(&mut self.skipped, 1);
    }

    fn example(&mut self, text: &str) {
        if self.examples.len() < MAX_EXAMPLES {
            self.examples.push(text.chars().take(MAX_EXAMPLE).collect());
        }
    }

    fn merge(&mut self, other: &Self) {
        add(&mut self.same, other.same);
        add(&mut self.different, other.different);
        add(&mut self.skipped, other.skipped);
        other.examples.iter().for_each(|example| self.example(example));
    }
}

impl Figures {
    pub(crate) fn merge(&mut self, other: &Self) {
        self.candidate.merge(&other.candidate);
        self.stable.merge(&other.stable);
        self.shadow.merge(&other.shadow);
    }

    /// Why a canary is to be given up, if it is: the figures that say so.
    ///
    /// Durations are compared where both versions have enough of them. The stable version's
    /// failure rate counts as it is: where it did not run it has none.
    pub fn objection(&self, margins: &Margins) -> Option<String> {
        let (candidate, stable) = (&self.candidate, &self.stable);
        if candidate.ran < margins.min_count {
            return None;
        }
        let increase = candidate.failure_rate() - stable.failure_rate();
        if increase > margins.max_failure_rate_increase.fraction() {
            let most = margins.max_failure_rate_increase;
            return Some(format!("{}, which is more than {most} worse", self.failures()));
        }
        let enough = |tally: &Tally| tally.durations.count() >= margins.min_count;
        let (Some(slow), Some(usual)) = (candidate.p95(), stable.p95()) else { return None };
        let ratio = slow.as_secs_f64() / usual.as_secs_f64();
        if enough(candidate) && enough(stable) && ratio > margins.max_p95_ratio {
            let most = margins.max_p95_ratio;
            return Some(format!(
                "{}, which is more than {most} times as long; {}",
                p95s(slow, usual),
                self.failures()
            ));
        }
        None
    }

    fn failures(&self) -> String {
        let (candidate, stable) = (&self.candidate, &self.stable);
        let mut text = format!(
            "{} of {} failed against {} of {}",
            candidate.failed, candidate.ran, stable.failed, stable.ran
        );
        if let Some((reason, count)) = candidate.reasons.iter().max_by_key(|(_, count)| **count) {
            text += &format!(" ({reason}: {count})");
        }
        text
    }
}

fn p95s(candidate: Duration, stable: Duration) -> String {
    format!("p95 {} ms against {} ms", candidate.as_millis(), stable.as_millis())
}

/// In a line, the candidate first. Of a shadow only how it compares.
impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shadowed { same, different, skipped, .. } = &self.shadow;
        if same.saturating_add(*different).saturating_add(*skipped) > 0 {
            let all = same.saturating_add(*different);
            return write!(f, "{different} of {all} differ, {skipped} were not compared");
        }
        f.write_str(&self.failures())?;
        match (self.candidate.p95(), self.stable.p95()) {
            (Some(candidate), Some(stable)) => write!(f, ", {}", p95s(candidate, stable)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// So many runs of which so many failed, the others in so many milliseconds.
    fn tally((ran, failed, millis): (u64, u64, u64)) -> Tally {
        let mut tally = Tally::default();
        (0..ran - failed).for_each(|_| tally.well(Duration::from_millis(millis)));
        (0..failed).for_each(|_| tally.failed("activity.failed"));
        tally
    }

    #[track_caller]
    fn check(candidate: (u64, u64, u64), stable: (u64, u64, u64), expect: Expect) {
        let figures = Figures {
            candidate: tally(candidate),
            stable: tally(stable),
            shadow: Shadowed::default(),
        };
        let objection = figures.objection(&Margins::default());
        expect.assert_eq(&format!("{figures}: {}", objection.as_deref().unwrap_or("goes on")));
    }

    #[test]
    fn decides_by_failures_over_a_minimum() {
        check(
            (30, 12, 20),
            (270, 0, 20),
            expect![
                "12 of 30 failed against 0 of 270 (activity.failed: 12), p95 20 ms against 20 ms: 12 of 30 failed against 0 of 270 (activity.failed: 12), which is more than 5% worse"
            ],
        );
        check(
            (29, 29, 20),
            (270, 0, 20),
            expect!["29 of 29 failed against 0 of 270 (activity.failed: 29): goes on"],
        );
        check(
            (30, 1, 20),
            (270, 0, 20),
            expect![
                "1 of 30 failed against 0 of 270 (activity.failed: 1), p95 20 ms against 20 ms: goes on"
            ],
        );
        check(
            (40, 2, 20),
            (270, 0, 20),
            expect![
                "2 of 40 failed against 0 of 270 (activity.failed: 2), p95 20 ms against 20 ms: goes on"
            ],
        );
        check(
            (40, 3, 20),
            (270, 0, 20),
            expect![
                "3 of 40 failed against 0 of 270 (activity.failed: 3), p95 20 ms against 20 ms: 3 of 40 failed against 0 of 270 (activity.failed: 3), which is more than 5% worse"
            ],
        );
        // The stable one fails as often.
        check(
            (30, 12, 20),
            (100, 38, 20),
            expect![
                "12 of 30 failed against 38 of 100 (activity.failed: 12), p95 20 ms against 20 ms: goes on"
            ],
        );
        check(
            (30, 12, 20),
            (100, 30, 20),
            expect![
                "12 of 30 failed against 30 of 100 (activity.failed: 12), p95 20 ms against 20 ms: 12 of 30 failed against 30 of 100 (activity.failed: 12), which is more than 5% worse"
            ],
        );
    }

    #[test]
    fn decides_by_durations_of_which_there_are_enough() {
        // Alone, there is nothing to compare durations with.
        check(
            (30, 2, 9_000),
            (0, 0, 0),
            expect![
                "2 of 30 failed against 0 of 0 (activity.failed: 2): 2 of 30 failed against 0 of 0 (activity.failed: 2), which is more than 5% worse"
            ],
        );
        check(
            (30, 1, 9_000),
            (29, 0, 20),
            expect![
                "1 of 30 failed against 0 of 29 (activity.failed: 1), p95 10240 ms against 20 ms: goes on"
            ],
        );
        check(
            (30, 0, 900),
            (30, 0, 500),
            expect![
                "0 of 30 failed against 0 of 30, p95 905 ms against 538 ms: p95 905 ms against 538 ms, which is more than 1.5 times as long; 0 of 30 failed against 0 of 30"
            ],
        );
        check(
            (30, 0, 600),
            (30, 0, 500),
            expect!["0 of 30 failed against 0 of 30, p95 640 ms against 538 ms: goes on"],
        );
        // What takes no time takes twice of it easily.
        check(
            (30, 0, 9),
            (30, 0, 1),
            expect!["0 of 30 failed against 0 of 30, p95 10 ms against 10 ms: goes on"],
        );
    }

    #[test]
    fn p95_is_known_to_within_a_fifth() {
        for millis in [10, 15, 100, 1_234, 59_000, 3_600_000] {
            let p95 = tally((100, 0, millis)).p95().unwrap().as_secs_f64() * 1000.0;
            let ratio = p95 / f64::from(u32::try_from(millis).unwrap());
            assert!((0.999..1.19).contains(&ratio), "{millis} {p95}");
        }
        let mut mixed = tally((95, 0, 20));
        (0..5).for_each(|_| mixed.well(Duration::from_secs(10)));
        assert!(mixed.p95().unwrap() < Duration::from_millis(25));
        mixed.well(Duration::from_secs(1_000_000));
        assert!(mixed.p95().unwrap() > Duration::from_secs(9));
        assert_eq!(tally((1, 1, 0)).p95(), None);
    }

    #[test]
    fn sums_are_bounded_and_read_as_they_are_written() {
        let mut sum = Figures::default();
        for worker in 0..100 {
            let mut one = Figures::default();
            (0..100).for_each(|n| one.candidate.failed(&format!("{}{worker}.{n}", "x".repeat(60))));
            one.candidate.well(Duration::from_millis(worker * 50));
            (0..100).for_each(|n| one.shadow.compared(Some(&"é".repeat(n * 100))));
            one.shadow.compared(None);
            one.shadow.skipped();
            sum.merge(&one);
        }
        let json = serde_json::to_string(&sum).unwrap();
        assert!(json.len() < 8 << 10, "{}", json.len());
        assert_eq!(serde_json::from_str::<Figures>(&json).unwrap(), sum);
        assert_eq!((sum.candidate.ran, sum.candidate.failed), (10_100, 10_000));
        assert_eq!(sum.candidate.reasons.values().sum::<u64>(), 10_000);
        assert_eq!(sum.candidate.durations.count(), 100);
        assert_eq!(sum.to_string(), "10000 of 10100 differ, 100 were not compared");
        // Whatever stands in a document.
        let forged = r#"{"candidate": {"ran": 18446744073709551615, "durations": {"255": 9}}}"#;
        let forged: Figures = serde_json::from_str(forged).unwrap();
        sum.merge(&forged);
        assert_eq!(sum.candidate.ran, u64::MAX);
        assert!(sum.candidate.p95().is_some());
    }
}
