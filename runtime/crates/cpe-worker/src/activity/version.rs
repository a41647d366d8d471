//! Which version of its module an activity task runs.

use std::{collections::BTreeSet, sync::Arc};

use cpe_modules::{ModuleError, SignerKey};
use cpe_plan::{ModuleRef, Upgrade};
use cpe_sandbox::Digest;
use cpe_swf::WorkflowExecution;
use tracing::warn;

use super::{answer::Answer, progress::About};
use crate::{Binding, Worker, starts::start_of};

/// What decides about the version, beside the plan.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// What the execution began with, where that counts.
    pub began_with: Option<Digest>,
    /// Whose signature the module must have; `None` asks for none.
    pub signers: Option<Arc<BTreeSet<SignerKey>>>,
    /// The job's workflow id, by which a candidate takes its share. A job and its children are
    /// one execution in that.
    pub job: Option<String>,
}

pub(super) async fn choose(
    worker: &Worker,
    binding: &Binding,
    about: &About,
) -> Result<Choice, Answer> {
    let began_with = began_with(worker, binding, &about.execution).await?;
    let job = Some(about.job.workflow_id().to_string());
    Ok(Choice { began_with, signers: about.client.signers.clone(), job })
}

async fn began_with(
    worker: &Worker,
    binding: &Binding,
    execution: &WorkflowExecution,
) -> Result<Option<Digest>, Answer> {
    let (reference, activity) = (&binding.module, &binding.activity);
    let is_channel = matches!(reference, ModuleRef::Registry { .. });
    if !is_channel || activity.digest.is_some() || activity.upgrade == Upgrade::Latest {
        return Ok(None);
    }
    // The history is asked for only where there is something to choose.
    match worker.locks.only_version(reference).await {
        Ok(Some(only)) => return Ok(Some(only)),
        Ok(None) => {}
        // Whoever loads the module says what is wrong with it.
        Err(_) => return Ok(None),
    }
    let start = start_of(worker, execution).await.map_err(|error| {
        let message = format!("which versions the execution began with cannot be read: {error}");
        Answer::failed("cpe.module.unavailable", &message, true)
    })?;
    let found = worker.locks.version(reference, start.lock.as_ref(), start.at).await;
    let found = match found {
        Err(error @ (ModuleError::NotFound { .. } | ModuleError::DigestMismatch { .. })) => {
            warn!(
                execution = %execution.workflow_id,
                error = error.details(),
                "What an execution began with is lost: it goes on with what was current then"
            );
            worker.locks.version(reference, None, start.at).await
        }
        found => found,
    };
    found.map_err(|error| Answer::failed(error.reason(), &error.details(), error.is_retryable()))
}
