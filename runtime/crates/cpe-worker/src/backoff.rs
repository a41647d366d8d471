//! How long to wait before asking again: doubling, bounded, with jitter.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::Duration,
};

use cpe_ports::{Error, ErrorKind};
use tokio::time::Instant;

/// Waits from `min` on, doubled after each failure up to `max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    pub min: Duration,
    pub max: Duration,
    pub jitter: Jitter,
}

/// What keeps many that failed together from coming back together: each wait is between a half
/// and the whole of what it would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jitter {
    Random,
    /// The same waits every time.
    Seeded(u64),
    /// No jitter: whole waits.
    None,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            min: Duration::from_millis(200),
            max: Duration::from_secs(20),
            jitter: Jitter::Random,
        }
    }
}

impl Backoff {
    pub(crate) fn delays(self) -> Delays {
        let dice = match self.jitter {
            Jitter::Random => Some(RandomState::new().build_hasher().finish()),
            Jitter::Seeded(seed) => Some(seed),
            Jitter::None => None,
        };
        Delays { backoff: self, whole: self.min, dice }
    }

    /// The wait after so many failures, 1 after the first.
    pub(crate) fn after(self, failures: u32) -> Duration {
        let mut delays = self.delays();
        for _ in 1..failures.min(32) {
            delays.double();
        }
        delays.next()
    }
}

/// The waits of one series of failures.
#[derive(Debug)]
pub(crate) struct Delays {
    backoff: Backoff,
    whole: Duration,
    dice: Option<u64>,
}

impl Delays {
    pub(crate) fn next(&mut self) -> Duration {
        let whole = self.whole;
        self.double();
        let Some(dice) = &mut self.dice else { return whole };
        *dice = scramble(*dice);
        let share = 512 + u32::try_from(*dice % 513).unwrap_or_default();
        whole * share / 1024
    }

    pub(crate) fn reset(&mut self) {
        self.whole = self.backoff.min;
    }

    fn double(&mut self) {
        self.whole = (self.whole * 2).min(self.backoff.max);
    }
}

/// One step of splitmix64.
fn scramble(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Whether asking again may help. A broken answer is most often that of something in between,
/// such as a proxy, so it is asked again, too.
pub(crate) fn may_pass(error: &Error) -> bool {
    error.kind().is_transient() || error.kind() == ErrorKind::Broken
}

/// Calls `operation` until it succeeds, fails for good, or `patience` is over.
pub(crate) async fn retrying<T, F>(
    backoff: Backoff,
    patience: Duration,
    mut operation: impl FnMut() -> F,
) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let start = Instant::now();
    let mut delays = backoff.delays();
    loop {
        let error = match operation().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let delay = delays.next();
        if !may_pass(&error) || start.elapsed() + delay > patience {
            return Err(error);
        }
        tokio::time::sleep(delay).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const BACKOFF: Backoff =
        Backoff { min: Duration::from_secs(1), max: Duration::from_secs(4), jitter: Jitter::None };

    #[test]
    fn waits_double_up_to_a_limit() {
        let mut delays = BACKOFF.delays();
        let waits: Vec<_> = (0..5).map(|_| delays.next().as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 4, 4]);
        delays.reset();
        assert_eq!(delays.next().as_secs(), 1);
        assert_eq!(BACKOFF.after(1).as_secs(), 1);
        assert_eq!(BACKOFF.after(3).as_secs(), 4);
        assert_eq!(BACKOFF.after(u32::MAX).as_secs(), 4);
    }

    #[test]
    fn jitter_takes_at_most_a_half_and_is_the_same_for_one_seed() {
        let waits = |seed| {
            let mut delays = Backoff { jitter: Jitter::Seeded(seed), ..BACKOFF }.delays();
            (0..100).map(|_| delays.next()).collect::<Vec<_>>()
        };
        assert_eq!(waits(7), waits(7));
        assert_ne!(waits(7), waits(8));
        for wait in &waits(7)[2..] {
            assert!((2_000..=4_000).contains(&wait.as_millis()), "{wait:?}");
        }
    }

    async fn attempts(kind: ErrorKind, failures: u32) -> (bool, u32, u64) {
        let start = Instant::now();
        let calls = Cell::new(0);
        let answer = retrying(BACKOFF, Duration::from_secs(8), async || {
            calls.set(calls.get() + 1);
            if calls.get() <= failures { Err(Error::new(kind, "")) } else { Ok(()) }
        })
        .await;
        (answer.is_ok(), calls.get(), start.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_may_pass_is_tried_again_and_not_forever() {
        assert_eq!(attempts(ErrorKind::Unavailable, 2).await, (true, 3, 3));
        assert_eq!(attempts(ErrorKind::Broken, 1).await, (true, 2, 1));
        assert_eq!(attempts(ErrorKind::Throttled, 99).await, (false, 4, 7));
        assert_eq!(attempts(ErrorKind::Refused, 1).await, (false, 1, 0));
        assert_eq!(attempts(ErrorKind::NotFound, 1).await, (false, 1, 0));
    }
}
