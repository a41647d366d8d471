//! Which of the versions of a reference a run gets, and what is counted of those on trial.

use std::sync::Arc;

use cpe_plan::ModuleRef;
use cpe_sandbox::{Digest, Module};
use tracing::warn;

use super::{Inner, Known, Modules, Reference, Wanted};
use crate::{Compared, Ended, ModuleCounts, ModuleError, Trial, look::Found};

/// A module that is to run.
#[derive(Debug)]
pub struct Chosen {
    pub module: Module,
    /// What is on trial there, if this run counts for it.
    pub trial: Option<Trial>,
}

impl Modules {
    /// The module to run, as of [`Modules::get`], and what is on trial there. A candidate that does
    /// not run here gives way to what its channel points at, which counts as its failure.
    ///
    /// # Errors
    ///
    /// As of [`Modules::get`].
    pub async fn choose(&self, wanted: Wanted<'_>) -> Result<Chosen, ModuleError> {
        let (inner, reference) = (&self.0, wanted.reference);
        let known = inner.reference(reference);
        let found = inner.look(reference, &known).await?;
        if let Some(pin) = wanted.pin {
            let pinned = found.pinned(reference, pin)?;
            let loaded = inner.load(reference, &pinned, None).await?;
            inner.trusts(&wanted, &loaded).await?;
            return Ok(Chosen { module: loaded.module, trial: None });
        }
        let canary = wanted.execution.and_then(|execution| found.canary_for(execution)).cloned();
        let began_with = wanted.began_with.or(canary.as_ref());
        let wanted = Wanted { began_with, ..wanted };
        if let Some(digest) = began_with.filter(|digest| **digest != found.digest) {
            // Who started the execution may have seen more than was seen here.
            let found = match found.has(digest) {
                true => found,
                false => inner.looking(reference, &known).await.unwrap_or(found),
            };
            let trial = found.trial(reference);
            let (module, gave_way) = inner.first_good(&wanted, &known, found.from(digest)).await?;
            if let (Some(trial), Some(error)) = (&trial, gave_way)
                && found.is_tried(digest)
            {
                inner.is_unfit(&known, digest, error.reason());
                inner.trials.count(trial, digest, Ended::Failed(error.reason()));
            }
            return Ok(Chosen { module, trial });
        }
        let module = self.current(&wanted, &known, &found).await?;
        Ok(Chosen { module, trial: found.trial(reference) })
    }

    async fn current(
        &self,
        wanted: &Wanted<'_>,
        known: &Arc<Reference>,
        found: &Found,
    ) -> Result<Module, ModuleError> {
        let (inner, reference) = (&self.0, wanted.reference);
        let load = inner.load(reference, &found.digest, None);
        if let Some(Ok(loaded)) = load.peek()
            && inner.trusts(wanted, loaded).await.is_ok()
        {
            inner.runs(reference, known, &found.digest);
            return Ok(loaded.module.clone());
        }
        let older = match (reference, wanted.began_with) {
            (ModuleRef::File(_), _) | (_, Some(_)) => None,
            _ => known.lock().running.clone().filter(|running| *running != found.digest),
        };
        if let Some(loaded) = older.and_then(|older| inner.compiled.ready(&older))
            && inner.trusts(wanted, &loaded).await.is_ok()
        {
            return Ok(loaded.module);
        }
        Ok(inner.first_good(wanted, known, found.from(&found.digest)).await?.0)
    }

    /// Counts how a version ended a run, for what is on trial.
    pub fn ended(&self, trial: &Trial, version: &Digest, ended: Ended<'_>) {
        self.0.trials.count(trial, version, ended);
    }

    /// The candidate, if it is compiled already: nobody waits for a shadow.
    pub fn shadow(&self, trial: &Trial) -> Option<Module> {
        let loaded = self.0.compiled.ready(&trial.candidate.version.digest)?;
        Some(loaded.module)
    }

    /// Counts how a shadow's run compares.
    pub fn compared(&self, trial: &Trial, compared: &Compared) {
        self.0.trials.compared(trial, compared);
    }

    /// What happened since the process began.
    pub fn counts(&self) -> ModuleCounts {
        self.0.trials.counts()
    }
}

impl Inner {
    /// Remembers that a candidate does not run here.
    pub(super) fn is_unfit(&self, known: &Reference, digest: &Digest, reason: &'static str) {
        let before = known.lock().unfit.replace(digest.clone());
        if before.as_ref() != Some(digest) {
            self.trials.refused(reason);
            warn!(%digest, reason, "A candidate does not run here: what it is tried beside goes on");
        }
    }
}

impl Known {
    /// The version that is tried, as of the last look.
    pub(super) fn candidate(&self) -> Option<Digest> {
        let (found, _) = self.found.as_ref()?;
        found.candidate.as_ref().map(|candidate| candidate.version.digest.clone())
    }
}
