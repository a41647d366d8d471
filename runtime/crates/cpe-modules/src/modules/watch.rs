//! News of modules, before anybody asks: each reference is looked at every few seconds, what is
//! new is compiled off the path, and becomes what runs once it does.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use cpe_plan::ModuleRef;
use cpe_sandbox::Digest;
use futures::future::{self, join_all};
use tracing::{debug, warn};

use super::{Inner, Modules};
use crate::status::{Refused, WorkerStatus};

/// A worker's word is renewed so often, where nothing changes.
const RENEW: Duration = Duration::from_secs(10 * 60);

/// What was counted of candidates is told so often at the least, while there is news.
const NEWS: Duration = Duration::from_secs(5);
/// So long a process that ends may take to tell the rest of it.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What is known of a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleState {
    pub reference: ModuleRef,
    /// The version that is given out.
    pub running: Option<Digest>,
    /// What the reference points at, if that does not run.
    pub refused: Option<Refused>,
}

impl Modules {
    /// Watches these references until `stop`, and tells the registry, under the name `worker`,
    /// what runs.
    pub async fn watch(
        &self,
        references: Vec<ModuleRef>,
        worker: String,
        stop: impl Future<Output = ()>,
    ) {
        let looking = join_all(references.iter().map(|reference| self.follow(reference)));
        let telling = self.tell(&references, &worker);
        let working = future::join3(looking, telling, self.tend_trials(&worker));
        tokio::select! {
            () = stop => {}
            _ = working => {}
        }
        let _ = tokio::time::timeout(LAST_WORDS, self.0.trials.tell()).await;
        for (name, channel) in references.iter().filter_map(names) {
            self.0.sources.registry.withdraw_status((name, channel), &worker).await;
        }
    }

    /// Looks at a reference now, and waits until what it points at is compiled, or turned out to
    /// be no good.
    pub async fn refresh(&self, reference: &ModuleRef) -> ModuleState {
        let inner = &self.0;
        let known = inner.reference(reference);
        let looking = inner.looking(reference, &known);
        match looking.await {
            Ok(found) => {
                match inner.load(reference, &found.digest, None).await {
                    Ok(_) => inner.runs(reference, &known, &found.digest),
                    Err(error) => {
                        inner.refuses(&known, &found.digest, &error);
                    }
                }
                if let Some(candidate) = &found.candidate {
                    let digest = &candidate.version.digest;
                    if let Err(error) = inner.load(reference, digest, None).await {
                        inner.is_unfit(&known, digest, error.reason());
                    }
                }
            }
            Err(error) => {
                debug!(module = %reference, error = error.details(), "A module is not there");
            }
        }
        self.state(reference)
    }

    /// What is known of a reference.
    pub fn state(&self, reference: &ModuleRef) -> ModuleState {
        let known = self.0.reference(reference);
        let known = known.lock();
        let running = known.running.clone();
        let newest = known.found.as_ref().map(|(found, _)| &found.digest);
        let refused = known.refused.iter().chain(&known.distrusted);
        let refused = refused.clone().find(|refused| Some(&refused.digest) == newest).cloned();
        ModuleState { reference: reference.clone(), running, refused }
    }

    /// Compiled modules in memory.
    pub fn held(&self) -> usize {
        self.0.compiled.held()
    }

    /// Lets go of the modules that nobody uses.
    pub fn let_go(&self) {
        let inner = &self.0;
        let references = inner.references.lock();
        let references = references.unwrap_or_else(std::sync::PoisonError::into_inner);
        let running = |(_, known): (_, &Arc<super::Reference>)| known.lock().running.clone();
        let mut keep: BTreeSet<_> = references.iter().filter_map(running).collect();
        keep.extend(references.iter().filter_map(|(_, known)| known.lock().candidate()));
        drop(references);
        inner.compiled.let_go(inner.clock.now(), inner.config.idle_after, &keep);
    }

    async fn follow(&self, reference: &ModuleRef) {
        let mut hints = self.0.hints.subscribe();
        loop {
            self.refresh(reference).await;
            // A hint that came meanwhile counts: the look may have been too early.
            let _ = tokio::time::timeout(self.0.revalidate_after(reference), hints.changed()).await;
        }
    }

    /// Tells what was counted of candidates, and looks whether one of them does too badly.
    async fn tend_trials(&self, worker: &str) {
        let every = self.0.config.revalidate_after.clamp(Duration::from_secs(1), NEWS);
        loop {
            tokio::time::sleep(every).await;
            if self.0.trials.tend(worker).await {
                self.hint();
            }
        }
    }

    async fn tell(&self, references: &[ModuleRef], worker: &str) {
        let mut told: Vec<Option<(ModuleState, cpe_swf::Timestamp)>> = vec![None; references.len()];
        loop {
            self.let_go();
            for (reference, told) in references.iter().zip(&mut told) {
                self.tell_one(reference, worker, told).await;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Tells what has changed, and what was told long ago.
    async fn tell_one(
        &self,
        reference: &ModuleRef,
        worker: &str,
        told: &mut Option<(ModuleState, cpe_swf::Timestamp)>,
    ) {
        let Some((name, channel)) = names(reference) else { return };
        let (state, now) = (self.state(reference), self.0.clock.now());
        let nothing = state.running.is_none() && state.refused.is_none();
        let is_told = told
            .as_ref()
            .is_some_and(|(before, at)| *before == state && (now <= *at || now.since(*at) < RENEW));
        if nothing || is_told {
            return;
        }
        let status = WorkerStatus {
            worker: worker.to_owned(),
            running: state.running.clone(),
            refused: state.refused.clone(),
            at: now,
        };
        match self.0.sources.registry.tell_status((name, channel), &status).await {
            Ok(()) => {}
            // It is for people, and is told again in a while.
            Err(error) => debug!(error = error.details(), "What runs here cannot be told"),
        }
        if let Some(refused) = &state.refused
            && told.as_ref().is_none_or(|(before, _)| before.refused != state.refused)
        {
            warn!(
                module = %reference,
                digest = %refused.digest,
                reason = refused.reason,
                "The newest version does not run here; {}",
                match &state.running {
                    Some(running) => format!("{running} goes on"),
                    None => "there is none before it".to_owned(),
                }
            );
        }
        *told = Some((state, now));
    }
}

impl Inner {
    /// A look that begins now, or one that is under way.
    pub(super) fn looking(
        self: &Arc<Self>,
        reference: &ModuleRef,
        known: &Arc<super::Reference>,
    ) -> super::Look {
        let mut state = known.lock();
        match &state.looking {
            Some(looking) => looking.clone(),
            None => {
                let looking = self.start_look(reference, known);
                state.looking.insert(looking).clone()
            }
        }
    }
}

fn names(reference: &ModuleRef) -> Option<(&str, &str)> {
    match reference {
        ModuleRef::Registry { name, channel } => Some((name, channel)),
        _ => None,
    }
}
