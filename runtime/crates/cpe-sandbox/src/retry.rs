//! A second and a third try for calls to the object store, so that a guest hears of trouble only
//! when there is some.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::Duration,
};

use cpe_ports::Error;

const ATTEMPTS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Calls `operation` until it succeeds, fails for good, or has failed three times.
pub(crate) async fn retrying<T, F>(mut operation: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut attempt = 1;
    loop {
        match operation().await {
            Err(error) if error.kind().is_transient() && attempt < ATTEMPTS => {
                tokio::time::sleep(pause(attempt)).await;
                attempt += 1;
            }
            answer => return answer,
        }
    }
}

/// Doubles from try to try; between a half and the whole of that, so that many that failed
/// together do not come back together.
pub(crate) fn pause(attempt: u32) -> Duration {
    let whole = FIRST_PAUSE * 2_u32.saturating_pow(attempt.saturating_sub(1));
    let dice = RandomState::new().build_hasher().finish() % 512;
    let share = 512 + u32::try_from(dice).unwrap_or_default();
    whole * share / 1024
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use cpe_ports::ErrorKind;

    use super::*;

    async fn attempts(kind: ErrorKind, failures: u32) -> (bool, u32) {
        let calls = Cell::new(0);
        let answer = retrying(async || {
            calls.set(calls.get() + 1);
            if calls.get() <= failures { Err(Error::new(kind, "")) } else { Ok(()) }
        })
        .await;
        (answer.is_ok(), calls.get())
    }

    #[tokio::test(start_paused = true)]
    async fn only_transient_trouble_is_tried_again() {
        assert_eq!(attempts(ErrorKind::Unavailable, 2).await, (true, 3));
        assert_eq!(attempts(ErrorKind::Throttled, 3).await, (false, 3));
        assert_eq!(attempts(ErrorKind::Refused, 1).await, (false, 1));
        assert_eq!(attempts(ErrorKind::NotFound, 1).await, (false, 1));
    }
}
