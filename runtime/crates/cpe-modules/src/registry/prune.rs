//! Retention: channels forget what they left long ago, and components that nobody names go.

use std::{collections::BTreeSet, time::Duration};

use cpe_ports::ErrorKind;
use cpe_sandbox::Digest;
use cpe_swf::Timestamp;

use super::{ModuleError, Registry, Seen};
use crate::Channel;

/// What is kept, whatever its age and number would say: what channels point at, what plans pin,
/// and what was uploaded a moment ago, because its channel may be about to be moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// Versions of each channel that are kept beside the current one, newest first.
    pub keep: usize,
    /// And all that a channel has left within this time: executions run for a year at the most.
    pub keep_for: Duration,
    /// Components that were uploaded within this time stay.
    pub grace: Duration,
    /// Digests that something else names, such as a plan.
    pub pins: BTreeSet<Digest>,
    /// Says what would go, and removes nothing.
    pub dry_run: bool,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            keep: 20,
            keep_for: Duration::from_secs(30 * 24 * 3600),
            grace: Duration::from_secs(24 * 3600),
            pins: BTreeSet::new(),
            dry_run: false,
        }
    }
}

/// What went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Versions that channels forgot: `name@channel` and digest.
    pub forgotten: Vec<(String, Digest)>,
    /// Components that were removed.
    pub removed: Vec<Digest>,
    pub kept: usize,
}

impl Registry {
    /// Removes what nothing names any more.
    pub async fn prune(&self, retention: &Retention) -> Result<Pruned, ModuleError> {
        let now = self.0.clock.now();
        let mut pruned = Pruned::default();
        // Components first, channels after them: whatever is moved in between is seen.
        let folder = format!("{}blobs/sha256/", self.0.prefix);
        let blobs = self.list(&folder).await?;
        let mut named = retention.pins.clone();
        for (name, channel) in self.channels().await? {
            let seen = self.see(&name, &channel).await?;
            let kept = self.forget(&seen, retention, now, &mut pruned).await?;
            named.extend(kept.versions().map(|version| version.digest.clone()));
            named.extend(kept.candidate.map(|candidate| candidate.version.digest));
        }
        self.prune_figures(retention.dry_run).await?;
        for (key, written) in blobs {
            let digest = key.strip_prefix(&folder).map(|hex| format!("sha256:{hex}").parse());
            let Some(Ok(digest)) = digest else { continue };
            if named.contains(&digest) || is_within(retention.grace, written, now) {
                pruned.kept += 1;
                continue;
            }
            if !retention.dry_run {
                let at = self.blob_address(&digest);
                match self.0.blobs.delete(&at).await {
                    Err(error) if error.kind() != ErrorKind::NotFound => {
                        return Err(ModuleError::port(at.to_string(), error));
                    }
                    _ => {}
                }
            }
            pruned.removed.push(digest);
        }
        Ok(pruned)
    }

    /// Lets a channel forget what is not to be kept; answers what it remembers. One that somebody
    /// moves meanwhile is left as it is.
    async fn forget(
        &self,
        seen: &Seen,
        retention: &Retention,
        now: Timestamp,
        pruned: &mut Pruned,
    ) -> Result<Channel, ModuleError> {
        let Some(document) = seen.document.clone() else {
            // Gone between the list and the look.
            return self.channel(&seen.name, &seen.channel).await;
        };
        let (kept, left): (Vec<_>, Vec<_>) =
            document.previous.iter().cloned().enumerate().partition(|(index, version)| {
                let recent =
                    version.left_at.is_none_or(|at| is_within(retention.keep_for, at, now));
                *index < retention.keep || recent || retention.pins.contains(&version.digest)
            });
        if left.is_empty() {
            return Ok(document);
        }
        let previous = kept.into_iter().map(|(_, version)| version).collect();
        let shorter = Channel { previous, ..document.clone() };
        if !retention.dry_run {
            let at = self.channel_address(&seen.name, &seen.channel)?;
            if !self.write(&at, &shorter, seen.tag.clone()).await? {
                let there = self.channel(&seen.name, &seen.channel).await?;
                // What either names is kept this time.
                let previous = there.previous.into_iter().chain(document.previous).collect();
                return Ok(Channel { previous, ..there });
            }
        }
        let full_name = seen.full_name();
        pruned
            .forgotten
            .extend(left.into_iter().map(|(_, version)| (full_name.clone(), version.digest)));
        Ok(shorter)
    }
}

/// A clock that was set back counts as within.
fn is_within(span: Duration, time: Timestamp, now: Timestamp) -> bool {
    now <= time || now.since(time) < span
}
