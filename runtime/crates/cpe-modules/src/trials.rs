//! Candidates on trial, as a worker has them: what it saw of them is counted and told, and
//! whichever worker looks at the sums of all gives up a canary that does worse.
//!
//! Workers do not speak with each other. Each writes what it counted beside the registry while
//! there is news, then reads what all have written; the more of them there are, the more seldom
//! each reads, so that altogether it stays about one document a second for each worker.

use std::{
    collections::BTreeMap,
    fmt,
    hash::{BuildHasher, Hasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cpe_sandbox::Digest;
use cpe_swf::Timestamp;
use tracing::{debug, info, warn};

use crate::{
    Author, Candidate, Figures, Margins, ModuleError, Registry,
    candidate::{Mode, Verdict},
    registry::trials::TrialId,
};

/// So often it is looked whether a trial of which there is no news is over.
const QUIET: Duration = Duration::from_secs(60);
/// Differences of shadows that one worker logs of one trial.
const LOGGED: u64 = 20;

/// A candidate and the version that it is tried beside, as a worker saw them last.
#[derive(Debug, Clone)]
pub struct Trial {
    pub(crate) id: TrialId,
    pub candidate: Arc<Candidate>,
    pub stable: Digest,
}

impl Trial {
    pub(crate) fn new(
        (name, channel): (&str, &str),
        candidate: Arc<Candidate>,
        stable: Digest,
    ) -> Self {
        Self { id: TrialId::new(name, channel, &candidate), candidate, stable }
    }

    /// Which of both a version is, if it is one of them.
    fn side(&self, digest: &Digest) -> Option<Side> {
        if *digest == self.candidate.version.digest {
            Some(Side::Candidate)
        } else if *digest == self.stable {
            Some(Side::Stable)
        } else {
            None
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Candidate,
    Stable,
}

/// How a version ended a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended<'a> {
    Well(Duration),
    /// By its own fault, for that reason.
    Failed(&'a str),
}

/// How a shadow's run compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compared {
    Same,
    /// What is different: nothing of what a client sent or got.
    Different(String),
    Skipped,
}

/// What happened since the process began, for metrics. Every word is of the program's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModuleCounts {
    /// Versions that did not become current here, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Runs of versions on trial: `candidate` or `stable`, and `ok` or `failed`.
    pub runs: BTreeMap<(&'static str, &'static str), u64>,
    /// Runs of shadows: `same`, `different` or `skipped`.
    pub shadows: BTreeMap<&'static str, u64>,
    /// What was decided here of canaries: `go-on` or `abort`.
    pub decisions: BTreeMap<&'static str, u64>,
}

/// The trials of a process. Clones share everything.
#[derive(Clone)]
pub(crate) struct Trials(Arc<Inner>);

struct Inner {
    registry: Registry,
    margins: Margins,
    /// Of this process alone, so that no two write the same document.
    key: String,
    counting: Mutex<BTreeMap<(String, String), Counting>>,
    counts: Mutex<ModuleCounts>,
}

/// What is counted of the present trial of one channel.
struct Counting {
    trial: Trial,
    figures: Figures,
    /// Changes of the figures, and how many of them are told, and were looked at.
    changes: u64,
    told: u64,
    judged: u64,
    next_look: Timestamp,
}

impl fmt::Debug for Trials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trials").field("key", &self.0.key).finish_non_exhaustive()
    }
}

impl Trials {
    pub(crate) fn new(registry: Registry, margins: Margins) -> Self {
        let dice = || RandomState::new().build_hasher().finish();
        let key = format!("{:016x}{:016x}", dice(), dice());
        let (counting, counts) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { registry, margins, key, counting, counts }))
    }

    /// Counts a run of that version.
    pub(crate) fn count(&self, trial: &Trial, version: &Digest, ended: Ended<'_>) {
        let Some(side) = trial.side(version) else { return };
        self.change(trial, |figures| {
            let tally = match side {
                Side::Candidate => &mut figures.candidate,
                Side::Stable => &mut figures.stable,
            };
            match ended {
                Ended::Well(took) => tally.well(took),
                Ended::Failed(reason) => tally.failed(reason),
            }
        });
        let side = if side == Side::Candidate { "candidate" } else { "stable" };
        let outcome = if matches!(ended, Ended::Well(_)) { "ok" } else { "failed" };
        *self.counts_mut().runs.entry((side, outcome)).or_default() += 1;
    }

    /// Counts a shadow. The first differences are logged, too.
    pub(crate) fn compared(&self, trial: &Trial, compared: &Compared) {
        let different = self.change(trial, |figures| {
            match compared {
                Compared::Same => figures.shadow.compared(None),
                Compared::Different(what) => figures.shadow.compared(Some(what)),
                Compared::Skipped => figures.shadow.skipped(),
            }
            figures.shadow.different
        });
        let outcome = match compared {
            Compared::Same => "same",
            Compared::Different(_) => "different",
            Compared::Skipped => "skipped",
        };
        *self.counts_mut().shadows.entry(outcome).or_default() += 1;
        if let Compared::Different(what) = compared
            && different <= LOGGED
        {
            let TrialId { name, channel, .. } = &trial.id;
            let digest = &trial.candidate.version.digest;
            info!(module = %format_args!("{name}@{channel}"), %digest, what, "A shadow differs");
        }
    }

    pub(crate) fn refused(&self, reason: &'static str) {
        *self.counts_mut().refused.entry(reason).or_default() += 1;
    }

    pub(crate) fn counts(&self) -> ModuleCounts {
        self.counts_mut().clone()
    }

    fn change<T>(&self, trial: &Trial, change: impl FnOnce(&mut Figures) -> T) -> T {
        let mut all = self.counting();
        let of = (trial.id.name.clone(), trial.id.channel.clone());
        let counting = all.entry(of).or_insert_with(|| Counting::new(trial, self.0.registry.now()));
        if counting.trial.id != trial.id {
            *counting = Counting::new(trial, self.0.registry.now());
        }
        // Of the same trial, the share may have changed meanwhile.
        counting.trial = trial.clone();
        counting.changes += 1;
        change(&mut counting.figures)
    }

    /// Tells what is new, and looks where it is time to. Answers whether a channel was changed.
    pub(crate) async fn tend(&self, worker: &str) -> bool {
        self.tell().await;
        let now = self.0.registry.now();
        let due: Vec<_> = {
            let all = self.counting();
            let due = all.values().filter(|counting| counting.is_due(now));
            due.map(|counting| (counting.trial.clone(), counting.told)).collect()
        };
        let mut changed = false;
        for (trial, told) in due {
            match self.look(&trial, worker).await {
                Ok(Looked::Over) => {
                    self.counting().retain(|_, counting| counting.trial.id != trial.id);
                    self.0.registry.withdraw_figures(&trial.id, &self.0.key).await;
                }
                Ok(Looked::Aborted) => changed = true,
                Ok(Looked::GoesOn { workers }) => self.looked(&trial, told, workers),
                Err(error) => {
                    let TrialId { name, channel, .. } = &trial.id;
                    let module = format!("{name}@{channel}");
                    warn!(module, error = error.details(), "A candidate cannot be judged");
                    self.looked(&trial, told, 1);
                }
            }
        }
        changed
    }

    /// Tells what is new, and no more than that: before the process ends.
    pub(crate) async fn tell(&self) {
        let news: Vec<_> = {
            let all = self.counting();
            let news = all.values().filter(|counting| counting.changes > counting.told);
            news.map(|counting| {
                (counting.trial.id.clone(), counting.figures.clone(), counting.changes)
            })
            .collect()
        };
        for (id, figures, changes) in news {
            match self.0.registry.tell_figures(&id, &self.0.key, figures).await {
                Ok(()) => {
                    let mut all = self.counting();
                    if let Some(counting) = all.values_mut().find(|one| one.trial.id == id) {
                        counting.told = counting.told.max(changes);
                    }
                }
                Err(error) => {
                    debug!(error = error.details(), "What was counted of a candidate is not told");
                }
            }
        }
    }

    fn looked(&self, trial: &Trial, told: u64, workers: usize) {
        let now = self.0.registry.now();
        let wait = Duration::from_secs(u64::try_from(workers).unwrap_or(1).max(1));
        let mut all = self.counting();
        if let Some(counting) = all.values_mut().find(|one| one.trial.id == trial.id) {
            counting.judged = told;
            counting.next_look = now + wait;
        }
    }

    async fn look(&self, trial: &Trial, worker: &str) -> Result<Looked, ModuleError> {
        let TrialId { name, channel, .. } = &trial.id;
        let registry = &self.0.registry;
        let seen = registry.see(name, channel).await?;
        let document = seen.document.as_ref().filter(|document| trial.id.is_of(document));
        let Some(candidate) = document.and_then(|document| document.candidate.as_ref()) else {
            return Ok(Looked::Over);
        };
        if candidate.mode == Mode::Shadow {
            return Ok(Looked::GoesOn { workers: 1 });
        }
        let (figures, workers) = registry.sum_figures(&trial.id).await?;
        let margins = candidate.margins.over(self.0.margins);
        let module = format!("{name}@{channel}");
        let digest = &candidate.version.digest;
        let Some(objection) = figures.objection(&margins) else {
            if figures.candidate.ran >= margins.min_count {
                debug!(module, %digest, %figures, "A canary goes on");
                self.decided("go-on");
            }
            return Ok(Looked::GoesOn { workers });
        };
        let author = Author::new(worker, Some(&format!("aborted by its figures: {objection}")));
        let figures = figures.to_string();
        match registry.decide(&seen, Verdict::Abort, &author, Some(&figures)).await {
            Ok(_) => {
                warn!(module, %digest, figures, "A canary is aborted: {objection}");
                self.decided("abort");
                Ok(Looked::Aborted)
            }
            // The next look sees what by.
            Err(ModuleError::Moved { problem, .. }) => {
                info!(module, %digest, problem, "A canary was decided by somebody else meanwhile");
                Ok(Looked::Aborted)
            }
            Err(error) => Err(error),
        }
    }

    fn decided(&self, decision: &'static str) {
        *self.counts_mut().decisions.entry(decision).or_default() += 1;
    }

    fn counting(&self) -> MutexGuard<'_, BTreeMap<(String, String), Counting>> {
        self.0.counting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counts_mut(&self) -> MutexGuard<'_, ModuleCounts> {
        self.0.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Looked {
    /// The channel has no such candidate any more.
    Over,
    /// It has changed just now; the next look finds it over.
    Aborted,
    GoesOn {
        workers: usize,
    },
}

impl Counting {
    fn new(trial: &Trial, now: Timestamp) -> Self {
        let figures = Figures::default();
        Self { trial: trial.clone(), figures, changes: 0, told: 0, judged: 0, next_look: now }
    }

    fn is_due(&self, now: Timestamp) -> bool {
        let news = self.told > self.judged;
        // A clock that was set back must not keep anything for long.
        let early = now < self.next_look && self.next_look.since(now) < QUIET * 20;
        let quiet = now >= self.next_look && now.since(self.next_look) >= QUIET;
        (news && !early) || quiet
    }
}

#[cfg(test)]
mod tests;
