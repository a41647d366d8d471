//! Modules from where their references say, in the sandbox; and what is counted of those on trial.

use std::sync::Arc;

use async_trait::async_trait;
use cpe_modules::{Chosen, Ended, Modules, Trial, Wanted};
use cpe_sandbox::Sandbox;

use super::{
    run::{Guests, NewInvocation, Ran},
    shadow::Shadows,
    version::Choice,
};
use crate::Binding;

#[derive(Debug)]
pub struct SandboxGuests {
    modules: Modules,
    sandbox: Sandbox,
    shadows: Shadows,
}

impl SandboxGuests {
    pub fn new(modules: Modules, sandbox: Sandbox) -> Self {
        let shadows = Shadows::new(modules.clone(), &sandbox);
        Self { modules, sandbox, shadows }
    }

    fn count(&self, trial: &Trial, ran: &Ran) {
        let ended = match &ran.outcome {
            Ok(Ok(_)) => Ended::Well(ran.metering.instantiate + ran.metering.run),
            Ok(Err(failure)) => Ended::Failed(&failure.reason),
            Err(error) => Ended::Failed(error.reason()),
        };
        if let Some(version) = &ran.module
            && !matches!(ended, Ended::Failed(reason) if !is_own(reason))
        {
            self.modules.ended(trial, version, ended);
        }
    }
}

/// Whether a failure is the module's own: what it says itself, a trap, a limit that it ran into.
/// Not what an operator denies it, a cancel, or what became of the store or the host. Of a worker
/// that is lost, nobody counts anything.
fn is_own(reason: &str) -> bool {
    let others = ["cpe.canceled", "cpe.commit", "cpe.internal"];
    !reason.starts_with("cpe.denied") && !others.contains(&reason)
}

#[async_trait]
impl Guests for SandboxGuests {
    async fn run(
        &self,
        binding: Arc<Binding>,
        choice: Choice,
        invocation: NewInvocation,
        input: String,
    ) -> Ran {
        let wanted = Wanted {
            reference: &binding.module,
            pin: binding.activity.digest.as_deref(),
            began_with: choice.began_with.as_ref(),
            signers: choice.signers.as_deref(),
            execution: choice.job.as_deref(),
        };
        let Chosen { module, trial } = match self.modules.choose(wanted).await {
            Ok(chosen) => chosen,
            Err(error) => return error.into(),
        };
        let Some(trial) = trial else {
            return Ran::of(&module, self.sandbox.run(&module, invocation(), input).await);
        };
        let is_shadowed = *module.digest() == trial.stable
            && choice.job.as_deref().is_some_and(|job| trial.candidate.shadows(job));
        let shadow = match is_shadowed {
            true => self.shadows.begin(&self.sandbox, &trial, &invocation, &input),
            false => None,
        };
        let given = match &shadow {
            Some(shadow) => shadow.note(invocation()),
            None => invocation(),
        };
        let ran = Ran::of(&module, self.sandbox.run(&module, given, input).await);
        self.count(&trial, &ran);
        if let Some(shadow) = shadow {
            shadow.compare(&self.modules, &ran);
        }
        ran
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_module_did_is_its_fault() {
        let own = ["activity.failed", "words.none", "cpe.trap", "cpe.limit.wall", "cpe.bad-output"];
        assert!(own.iter().all(|reason| is_own(reason)));
        let others =
            ["cpe.denied.s3", "cpe.denied.http", "cpe.canceled", "cpe.commit", "cpe.internal"];
        assert!(others.iter().all(|reason| !is_own(reason)));
    }
}
