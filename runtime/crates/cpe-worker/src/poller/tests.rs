use std::{collections::VecDeque, sync::Mutex};

use super::*;
use crate::Jitter;

type Answer = Result<Option<u64>, ErrorKind>;

/// Answers as scripted, at once, and stops the poller when the script is at its end.
struct Script {
    answers: Mutex<VecDeque<Answer>>,
    stop: CancellationToken,
    polls: Mutex<Vec<u64>>,
    start: Instant,
}

impl Source for Arc<Script> {
    type Work = u64;

    async fn poll(&self) -> Result<Option<u64>, Error> {
        self.polls.lock().unwrap().push(self.start.elapsed().as_secs());
        let mut answers = self.answers.lock().unwrap();
        let answer = answers.pop_front().unwrap_or(Ok(None));
        if answers.is_empty() {
            self.stop.cancel();
        }
        answer.map_err(|kind| Error::new(kind, "scripted"))
    }
}

/// Takes as many seconds as the work says.
#[derive(Default)]
struct Worked(Mutex<Vec<u64>>);

impl Handler<u64> for Worked {
    async fn handle(&self, seconds: u64) {
        assert_ne!(seconds, 99, "work that makes its handler panic");
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        self.0.lock().unwrap().push(seconds);
    }
}

struct Ran {
    worked: Vec<u64>,
    /// When each poll began, in seconds.
    polls: Vec<u64>,
    took: Duration,
}

/// The one place that knows the API.
async fn run<const N: usize>(slots: usize, answers: [Answer; N]) -> Ran {
    let stop = CancellationToken::new();
    let start = Instant::now();
    let script = Arc::new(Script {
        answers: Mutex::new(answers.into()),
        stop: stop.clone(),
        polls: Mutex::default(),
        start,
    });
    let poller = Poller {
        name: "test".into(),
        polls: 1,
        backoff: Backoff {
            min: Duration::from_secs(1),
            max: Duration::from_secs(4),
            jitter: Jitter::None,
        },
        slots: Arc::new(Semaphore::new(slots)),
    };
    let worked = Arc::new(Worked::default());
    poller.run(Arc::clone(&script), Arc::clone(&worked), stop).await;
    let polls = script.polls.lock().unwrap().clone();
    let worked = worked.0.lock().unwrap().clone();
    Ran { worked, polls, took: start.elapsed() }
}

fn refused() -> Answer {
    Err(ErrorKind::Throttled)
}

#[tokio::test(start_paused = true)]
async fn backs_off_to_a_limit_and_starts_over_after_success() {
    let ran = run(1, [refused(), refused(), refused(), refused(), Ok(Some(0)), refused()]).await;
    // The last failure is met by the end of the script: no wait follows it.
    assert_eq!(ran.took, Duration::from_secs(1 + 2 + 4 + 4));
    assert_eq!(ran.polls, [0, 1, 3, 7, 11, 11]);
}

#[tokio::test(start_paused = true)]
async fn polls_only_with_a_free_slot() {
    let ran = run(2, [Ok(Some(10)), Ok(Some(3)), Ok(Some(1))]).await;
    // Two slots are taken at once; the third poll waits for the shorter work to end.
    assert_eq!(ran.polls, [0, 0, 3]);
    assert_eq!(ran.worked, [3, 1, 10]);
}

#[tokio::test(start_paused = true)]
async fn draining_lets_all_work_end() {
    let ran = run(4, [Ok(Some(5)), Ok(Some(20))]).await;
    assert_eq!(ran.worked, [5, 20]);
    assert_eq!(ran.took, Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_does_not_hold_polls_is_not_asked_in_a_tight_loop() {
    let ran = run(1, [Ok(None), Ok(None), Ok(None), Ok(None), Ok(None)]).await;
    assert_eq!(ran.polls, [0, 0, 1, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_gives_its_slot_back() {
    let ran = run(1, [Ok(Some(99)), Ok(Some(1))]).await;
    assert_eq!(ran.worked, [1]);
}

/// A source whose poll takes ten seconds and then has work.
struct Slow(CancellationToken);

impl Source for Slow {
    type Work = u64;

    async fn poll(&self) -> Result<Option<u64>, Error> {
        self.0.cancel();
        tokio::time::sleep(Duration::from_secs(10)).await;
        Ok(Some(1))
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_poll_is_let_end_and_its_work_is_done() {
    let stop = CancellationToken::new();
    let start = Instant::now();
    let poller = Poller {
        name: "test".into(),
        polls: 1,
        backoff: Backoff::default(),
        slots: Arc::new(Semaphore::new(1)),
    };
    let worked = Arc::new(Worked::default());
    poller.run(Slow(stop.clone()), Arc::clone(&worked), stop).await;
    assert_eq!(start.elapsed(), Duration::from_secs(11));
    assert_eq!(*worked.0.lock().unwrap(), [1]);
}
