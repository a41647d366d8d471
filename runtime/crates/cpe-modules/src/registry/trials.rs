//! Candidates in a channel's document, and what workers count of them.

use cpe_ports::ObjectAddress;
use cpe_sandbox::Digest;
use futures::{StreamExt, stream};
use serde::{Deserialize, Serialize};

use super::{Pushed, Registry, Seen};
use crate::{
    Author, Candidate, Channel, Figures, ModuleError,
    candidate::Verdict,
    channel::{Action, Move},
    reading,
};

const MAX_FIGURES: usize = 32 << 10;
/// Workers whose figures are summed.
pub(crate) const MAX_WORKERS: usize = 1000;
/// Documents that are read at a time.
const READS: usize = 16;

/// Which trial of which channel: another one, later, has figures of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TrialId {
    pub(crate) name: String,
    pub(crate) channel: String,
    id: String,
}

/// One worker's figures, as they stand in the registry.
#[derive(Debug, Serialize, Deserialize)]
struct Document {
    figures: Figures,
}

impl TrialId {
    pub(crate) fn new(name: &str, channel: &str, candidate: &Candidate) -> Self {
        let hex = candidate.version.digest.hex();
        let id = format!("{}-{}", hex.get(..16).unwrap_or(hex), candidate.since.as_millis());
        Self { name: name.to_owned(), channel: channel.to_owned(), id }
    }

    pub(crate) fn is_of(&self, document: &Channel) -> bool {
        let candidate = document.candidate.as_ref();
        candidate.is_some_and(|candidate| *self == Self::new(&self.name, &self.channel, candidate))
    }

    fn folder(&self) -> String {
        format!("trials/{}/{}/{}/", self.name, self.channel, self.id)
    }
}

impl Registry {
    /// Has a version tried beside the one that the channel points at, unless somebody has moved
    /// the channel since it was seen. It must be uploaded. `changed` is false if it is what the
    /// channel points at, or is tried like that already.
    ///
    /// # Errors
    ///
    /// Among others [`ModuleError::NotFound`] if the channel has no version to compare with, and
    /// [`ModuleError::Moved`].
    pub async fn try_out(
        &self,
        seen: &Seen,
        candidate: Candidate,
        author: &Author,
    ) -> Result<Pushed, ModuleError> {
        let before = seen.expect_version()?;
        let digest = candidate.version.digest.clone();
        let same = Pushed { digest: digest.clone(), changed: false };
        if before.current.digest == digest {
            return Ok(same);
        }
        let Some(after) = before.tried(candidate, author, self.now()) else { return Ok(same) };
        self.replace(seen, after).await?;
        self.expect_blob(&digest).await?;
        Ok(Pushed { digest, changed: true })
    }

    /// Ends the trial on a channel, unless somebody has moved the channel since it was seen.
    /// Ended like that already, nothing changes.
    ///
    /// # Errors
    ///
    /// Among others [`ModuleError::NotFound`] if nothing is on trial there, which says what became
    /// of the last one, and [`ModuleError::Moved`].
    pub async fn decide(
        &self,
        seen: &Seen,
        verdict: Verdict,
        author: &Author,
        figures: Option<&str>,
    ) -> Result<Pushed, ModuleError> {
        let missing = |what: String| ModuleError::NotFound { what };
        let document =
            seen.document.as_ref().ok_or_else(|| missing(self.describe(&seen.full_name())))?;
        let Some(after) = document.decided(verdict, author, figures, self.now()) else {
            let last = document.last_verdict();
            if let Some((step, last)) = last
                && last == verdict
                && (verdict == Verdict::Abort || document.current.digest == step.digest)
            {
                return Ok(Pushed { digest: step.digest.clone(), changed: false });
            }
            let end = last.map_or("none was begun".to_owned(), |(step, _)| ended(step));
            return Err(missing(format!("candidate of {}: {end}", seen.full_name())));
        };
        let candidate = document.candidate.as_ref().map(|candidate| &candidate.version.digest);
        let digest = candidate.unwrap_or(&document.current.digest).clone();
        if verdict == Verdict::Promote {
            // It is looked at before every worker does.
            self.fetch(&digest).await?;
        }
        self.replace(seen, after).await?;
        Ok(Pushed { digest, changed: true })
    }

    /// What all workers together have counted of a channel's candidate; nothing if there is none.
    /// What cannot be read is left out.
    pub async fn figures(
        &self,
        (name, channel): (&str, &str),
        document: &Channel,
    ) -> Result<Figures, ModuleError> {
        match &document.candidate {
            Some(candidate) => {
                Ok(self.sum_figures(&TrialId::new(name, channel, candidate)).await?.0)
            }
            None => Ok(Figures::default()),
        }
    }

    /// And how many workers they are of.
    pub(crate) async fn sum_figures(
        &self,
        trial: &TrialId,
    ) -> Result<(Figures, usize), ModuleError> {
        let bucket = self.address("").bucket;
        let all = self.list(&self.address(trial.folder()).key).await?;
        let mut read = stream::iter(all.into_iter().take(MAX_WORKERS))
            .map(|(key, _)| {
                let at = ObjectAddress::new(&bucket, key);
                async move {
                    let what = "a worker's figures";
                    let read = reading::object(self.blobs(), &at, what, MAX_FIGURES).await;
                    let (_, bytes) = read.ok()?;
                    serde_json::from_slice::<Document>(&bytes).ok()
                }
            })
            .buffered(READS);
        let (mut sum, mut workers) = (Figures::default(), 0);
        while let Some(document) = read.next().await {
            if let Some(document) = document {
                sum.merge(&document.figures);
                workers += 1;
            }
        }
        Ok((sum, workers))
    }

    pub(crate) async fn tell_figures(
        &self,
        trial: &TrialId,
        worker: &str,
        figures: Figures,
    ) -> Result<(), ModuleError> {
        let at = self.address(format_args!("{}{worker}.json", trial.folder()));
        self.put_json(&at, &Document { figures }, None).await.map(drop)
    }

    /// The trial is over.
    pub(crate) async fn withdraw_figures(&self, trial: &TrialId, worker: &str) {
        let at = self.address(format_args!("{}{worker}.json", trial.folder()));
        // What stays is removed by `prune`.
        let _ = self.blobs().delete(&at).await;
    }

    /// Figures of trials that are over.
    pub(super) async fn prune_figures(&self, dry_run: bool) -> Result<(), ModuleError> {
        let folder = self.address("trials/").key;
        let mut open = std::collections::BTreeSet::new();
        for (name, channel) in self.channels().await? {
            let seen = self.see(&name, &channel).await?;
            if let Some(candidate) = seen.document.and_then(|document| document.candidate) {
                open.insert(self.address(TrialId::new(&name, &channel, &candidate).folder()).key);
            }
        }
        for (key, _) in self.list(&folder).await? {
            let of_open =
                key.rsplit_once('/').is_some_and(|(trial, _)| open.contains(&format!("{trial}/")));
            if !of_open && !dry_run {
                let at = ObjectAddress::new(self.address("").bucket, key);
                let removed = self.blobs().delete(&at).await;
                removed.map_err(|error| ModuleError::port(at.to_string(), error))?;
            }
        }
        Ok(())
    }
}

impl Channel {
    /// How the last trial ended, if the last did.
    fn last_verdict(&self) -> Option<(&Move, Verdict)> {
        self.history.iter().find_map(|step| match step.action {
            Action::Promote => Some((step, Verdict::Promote)),
            Action::Abort => Some((step, Verdict::Abort)),
            Action::Push | Action::Rollback | Action::Canary | Action::Shadow => None,
        })
    }
}

/// What became of a candidate, for whoever asks too late.
fn ended(step: &Move) -> String {
    let verb = if step.action == Action::Promote { "promoted" } else { "aborted" };
    let why = step.figures.as_ref().or(step.message.as_ref());
    let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
    format!("{} has {verb} {}{why}", step.by, short(&step.digest))
}

fn short(digest: &Digest) -> &str {
    digest.as_str().get(..19).unwrap_or(digest.as_str())
}

#[cfg(test)]
mod tests;
