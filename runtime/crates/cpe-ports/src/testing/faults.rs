//! Ports that fail as networks, services and processes do: by a seed, so that what was found once
//! can be played again, or at one call that a test names.
//!
//! Which fault a call meets depends on the seed, the operation and how often that was called
//! before, and on nothing else.

mod blobs;
mod queues;
mod workflows;

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

use crate::{BlobStore, Error, ErrorKind, MessageQueue, WorkflowService};

/// How often something goes wrong, in thousandths of all calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FaultRates {
    /// The request does not arrive.
    pub lost: u64,
    /// The answer does not arrive: what was asked for is done.
    pub unanswered: u64,
    /// The service fails on its side, and does nothing.
    pub failed: u64,
    /// The service has too much to do, and does nothing.
    pub throttled: u64,
    /// What was asked for is done, and the answer makes no sense.
    pub garbled: u64,
    /// It takes up to three seconds.
    pub late: u64,
    /// Of messages: sent twice, or delivered again.
    pub repeated: u64,
    /// Of messages: kept back until a later receive.
    pub overtaken: u64,
}

impl FaultRates {
    /// Each of them so often.
    pub fn each(rate: u64) -> Self {
        Self {
            lost: rate,
            unanswered: rate,
            failed: rate,
            throttled: rate,
            garbled: rate,
            late: rate,
            repeated: rate,
            overtaken: rate,
        }
    }
}

/// When a process dies, seen from a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The call is not made.
    Before,
    /// It is made, and the process does not hear the answer.
    After,
}

/// Called before every call that reaches the service.
type Hook = Arc<dyn Fn() + Send + Sync>;

/// What happens to the calls of one process. Clones share it.
#[derive(Debug, Clone)]
pub struct Faults(Arc<Shared>);

struct Shared {
    seed: u64,
    rates: FaultRates,
    ceased: AtomicBool,
    dead: watch::Sender<bool>,
    /// If given, calls are answered at once, and polls that find nothing take a second.
    at_once: Option<Hook>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How often each operation was called.
    calls: HashMap<&'static str, u64>,
    /// Calls with an effect or an answer, polls that found nothing left out.
    number: u64,
    dies: Option<(u64, Moment)>,
    /// Each call that counts, in order.
    path: Vec<&'static str>,
    injected: BTreeMap<(&'static str, &'static str), u64>,
}

/// What a call meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Good,
    Lost,
    Unanswered,
    Failed,
    Throttled,
    Garbled,
    Late(Duration),
}

const POLL: Duration = Duration::from_secs(1);
const LATEST: u64 = 3_000;

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").field("seed", &self.seed).finish_non_exhaustive()
    }
}

impl Faults {
    pub fn new(seed: u64, rates: FaultRates) -> Self {
        Self::with(seed, rates, None)
    }

    /// With services that live in this process: each call is answered before any time passes, so
    /// that what happens is the same each time, and paused time is not moved while a service on
    /// another thread works. `before` is called before each.
    pub fn at_once(
        seed: u64,
        rates: FaultRates,
        before: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self::with(seed, rates, Some(Arc::new(before)))
    }

    fn with(seed: u64, rates: FaultRates, at_once: Option<Hook>) -> Self {
        Self(Arc::new(Shared {
            seed,
            rates,
            ceased: AtomicBool::new(false),
            dead: watch::Sender::new(false),
            at_once,
            state: Mutex::default(),
        }))
    }

    /// The process dies at this call, counted from 1: none of its calls comes back from then on.
    #[must_use]
    pub fn dying_at(self, call: u64, moment: Moment) -> Self {
        self.state().dies = Some((call, moment));
        self
    }

    pub fn workflows(&self, inner: Arc<dyn WorkflowService>) -> Arc<dyn WorkflowService> {
        Arc::new(workflows::Faulty { inner, faults: self.clone() })
    }

    pub fn queues(&self, inner: Arc<dyn MessageQueue>) -> Arc<dyn MessageQueue> {
        Arc::new(queues::Faulty::new(inner, self.clone()))
    }

    pub fn blobs(&self, inner: Arc<dyn BlobStore>) -> Arc<dyn BlobStore> {
        Arc::new(blobs::Faulty { inner, faults: self.clone() })
    }

    /// From now on nothing goes wrong any more.
    pub fn cease(&self) {
        self.0.ceased.store(true, Ordering::SeqCst);
    }

    /// The process dies now.
    pub fn die(&self) {
        self.0.dead.send_replace(true);
    }

    /// Waits until the process is dead.
    pub async fn died(&self) {
        let mut dead = self.0.dead.subscribe();
        let _ = dead.wait_for(|dead| *dead).await;
    }

    /// The operations that were called, in order: the points at which the process may die.
    pub fn path(&self) -> Vec<&'static str> {
        self.state().path.clone()
    }

    /// What went wrong so far: how often which fault met which operation.
    pub fn injected(&self) -> BTreeMap<(&'static str, &'static str), u64> {
        self.state().injected.clone()
    }

    async fn call<T>(
        &self,
        operation: &'static str,
        effect: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        let number = self.count(operation);
        self.dies(number, Moment::Before).await;
        let answer = self.meet(operation, effect).await;
        self.dies(number, Moment::After).await;
        answer
    }

    /// A call that waits for something, and counts only if something came.
    async fn poll<T>(
        &self,
        operation: &'static str,
        effect: impl Future<Output = Result<T, Error>> + Send,
        nothing: impl Fn(&T) -> bool,
    ) -> Result<T, Error> {
        self.dies(0, Moment::Before).await;
        let answer = self.meet(operation, effect).await;
        if !answer.as_ref().is_ok_and(&nothing) {
            let number = self.count(operation);
            self.dies(number, Moment::After).await;
        } else if self.0.at_once.is_some() {
            tokio::time::sleep(POLL).await;
        }
        answer
    }

    async fn meet<T>(
        &self,
        operation: &'static str,
        effect: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        let unavailable = |message: &str| Err(Error::new(ErrorKind::Unavailable, message));
        match self.fate(operation) {
            Fate::Good => self.reach(effect).await,
            Fate::Lost => unavailable("the request was lost"),
            Fate::Unanswered => {
                let _ = self.reach(effect).await;
                unavailable("the answer was lost")
            }
            Fate::Failed => Err(Error::new(ErrorKind::Unavailable, "the service failed")
                .with_code("InternalFailure")),
            Fate::Throttled => {
                Err(Error::new(ErrorKind::Throttled, "rate exceeded").with_code("Throttling"))
            }
            Fate::Garbled => {
                let _ = self.reach(effect).await;
                Err(Error::new(ErrorKind::Broken, "the answer makes no sense"))
            }
            Fate::Late(delay) => {
                tokio::time::sleep(delay).await;
                self.reach(effect).await
            }
        }
    }

    async fn reach<T>(&self, effect: impl Future<Output = T> + Send) -> T {
        match &self.0.at_once {
            Some(before) => {
                before();
                // Nobody gives this thread back to the runtime meanwhile, which would be waited
                // for by whoever has used up his turn.
                futures::executor::block_on(tokio::task::unconstrained(effect))
            }
            None => effect.await,
        }
    }

    fn is_at_once(&self) -> bool {
        self.0.at_once.is_some()
    }

    fn count(&self, operation: &'static str) -> u64 {
        let mut state = self.state();
        state.number += 1;
        state.path.push(operation);
        state.number
    }

    /// Never comes back if the process is dead, or dies here.
    async fn dies(&self, number: u64, moment: Moment) {
        if self.state().dies == Some((number, moment)) {
            self.die();
        }
        if *self.0.dead.borrow() {
            std::future::pending::<()>().await;
        }
    }

    fn fate(&self, operation: &'static str) -> Fate {
        let dice = self.dice(operation);
        let rates = &self.0.rates;
        let late = Fate::Late(Duration::from_millis(scramble(dice) % LATEST));
        let fates = [
            (rates.lost, Fate::Lost, "lost"),
            (rates.unanswered, Fate::Unanswered, "unanswered"),
            (rates.failed, Fate::Failed, "failed"),
            (rates.throttled, Fate::Throttled, "throttled"),
            (rates.garbled, Fate::Garbled, "garbled"),
            (rates.late, late, "late"),
        ];
        let mut left = dice % 1_000;
        for (rate, fate, name) in fates {
            if left < rate && !self.is_over() {
                self.note(operation, name);
                return fate;
            }
            left = left.saturating_sub(rate);
        }
        Fate::Good
    }

    /// Whether a thing happens that happens so often.
    fn happens(&self, operation: &'static str, name: &'static str, rate: u64) -> bool {
        let happens = self.dice(name) % 1_000 < rate && !self.is_over();
        if happens {
            self.note(operation, name);
        }
        happens
    }

    fn dice(&self, of: &'static str) -> u64 {
        let mut state = self.state();
        let count = state.calls.entry(of).or_default();
        *count += 1;
        let name = of.bytes().fold(0, |sum: u64, byte| scramble(sum ^ u64::from(byte)));
        scramble(self.0.seed ^ name ^ count.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn note(&self, operation: &'static str, name: &'static str) {
        *self.state().injected.entry((operation, name)).or_default() += 1;
    }

    fn is_over(&self) -> bool {
        self.0.ceased.load(Ordering::SeqCst)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One step of splitmix64.
fn scramble(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests;
