//! What a reference points at right now.

use std::{path::Path, sync::Arc, time::UNIX_EPOCH};

use bytes::Bytes;
use cpe_plan::ModuleRef;
use cpe_ports::{BlobStore, ObjectAddress};
use cpe_sandbox::Digest;
use tokio::io::AsyncReadExt as _;

use crate::{
    Candidate, ModuleError, Registry, Trial,
    oci::Oci,
    reading::{self, MAX_MODULE},
};

/// What a reference pointed at when it was looked at.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    pub(crate) digest: Digest,
    /// What its channel pointed at before. A pin may name one of these.
    pub(crate) previous: Vec<Digest>,
    /// What is tried on its channel.
    pub(crate) candidate: Option<Arc<Candidate>>,
    /// Of a channel's document, an object or a file: stays the same as long as it does.
    stamp: String,
}

impl Found {
    pub(crate) fn has(&self, digest: &Digest) -> bool {
        self.digest == *digest || self.previous.contains(digest) || self.is_tried(digest)
    }

    pub(crate) fn is_tried(&self, digest: &Digest) -> bool {
        self.candidate.as_ref().is_some_and(|candidate| candidate.version.digest == *digest)
    }

    /// The candidate's digest, if it is the one that this execution runs.
    pub(crate) fn canary_for(&self, execution: &str) -> Option<&Digest> {
        let candidate = self.candidate.as_ref().filter(|candidate| candidate.takes(execution))?;
        Some(&candidate.version.digest)
    }

    /// What is tried, if anything is.
    pub(crate) fn trial(&self, reference: &ModuleRef) -> Option<Trial> {
        let ModuleRef::Registry { name, channel } = reference else { return None };
        let candidate = Arc::clone(self.candidate.as_ref()?);
        Some(Trial::new((name, channel), candidate, self.digest.clone()))
    }

    /// That version, and those that the channel had before it, newest first; before a candidate,
    /// what the channel points at.
    pub(crate) fn from(&self, digest: &Digest) -> Vec<Digest> {
        let tried = self.candidate.iter().map(|candidate| &candidate.version.digest);
        let all = tried.chain(std::iter::once(&self.digest)).chain(&self.previous);
        let known: Vec<_> = all.skip_while(|version| *version != digest).cloned().collect();
        if known.is_empty() { vec![digest.clone()] } else { known }
    }

    /// The version that a pin asks for, if the reference has or had it.
    pub(crate) fn pinned(&self, reference: &ModuleRef, pin: &str) -> Result<Digest, ModuleError> {
        pin.parse().ok().filter(|pin| self.has(pin)).ok_or_else(|| ModuleError::DigestMismatch {
            module: reference.to_string(),
            expected: pin.chars().take(100).collect(),
            found: self.digest.to_string(),
        })
    }
}

/// Where modules come from.
#[derive(Debug)]
pub(crate) struct Sources {
    pub(crate) registry: Registry,
    pub(crate) blobs: Arc<dyn BlobStore>,
    pub(crate) oci: Oci,
}

impl Sources {
    /// Looks at what `reference` points at. The bytes come along where they had to be read for
    /// that; not if `known` still holds.
    pub(crate) async fn look(
        &self,
        reference: &ModuleRef,
        known: Option<&Found>,
    ) -> Result<(Found, Option<Bytes>), ModuleError> {
        match reference {
            ModuleRef::Registry { name, channel } => {
                let stamp = known.map(|known| known.stamp.as_str());
                let read = self.registry.channel_unless(name, channel, stamp).await?;
                let found = match (read, known) {
                    (Some((stamp, document)), _) => {
                        let previous = document.previous.into_iter().map(|old| old.digest);
                        let previous = previous.collect();
                        let candidate = document.candidate.map(Arc::new);
                        Found { digest: document.current.digest, previous, candidate, stamp }
                    }
                    (None, Some(known)) => known.clone(),
                    (None, None) => {
                        let what = format!("module {reference}");
                        return Err(ModuleError::Changed { what });
                    }
                };
                Ok((found, None))
            }
            ModuleRef::S3 { bucket, key } => {
                let at = ObjectAddress::new(bucket, key);
                let what = format!("module {reference}");
                let meta = self.blobs.head(&at).await.map_err(|e| ModuleError::port(&what, e))?;
                if let Some(known) = known.filter(|known| known.stamp == meta.etag) {
                    return Ok((known.clone(), None));
                }
                let (meta, bytes) = reading::object(&*self.blobs, &at, &what, MAX_MODULE).await?;
                Ok(read_afresh(bytes, meta.etag))
            }
            ModuleRef::File(path) => {
                let stamp = file_stamp(path).await?;
                if let Some(known) = known.filter(|known| known.stamp == stamp) {
                    return Ok((known.clone(), None));
                }
                Ok(read_afresh(file(path).await?, stamp))
            }
            ModuleRef::Oci(text) => {
                if let Some(known) = known.filter(|_| Oci::is_fixed(text)) {
                    return Ok((known.clone(), None));
                }
                let (digest, stamp) = self.oci.look(text).await?;
                Ok((Found { digest, previous: Vec::new(), candidate: None, stamp }, None))
            }
        }
    }

    /// The bytes of a version that `reference` points at, or did.
    pub(crate) async fn fetch(
        &self,
        reference: &ModuleRef,
        digest: &Digest,
    ) -> Result<Bytes, ModuleError> {
        let what = || format!("module {reference}");
        let bytes = match reference {
            ModuleRef::Registry { .. } => return self.registry.fetch(digest).await,
            ModuleRef::S3 { bucket, key } => {
                let at = ObjectAddress::new(bucket, key);
                reading::object(&*self.blobs, &at, &what(), MAX_MODULE).await?.1
            }
            ModuleRef::File(path) => file(path).await?,
            ModuleRef::Oci(text) => return self.oci.fetch(text, digest).await,
        };
        if Digest::of(&bytes) == *digest {
            Ok(bytes)
        } else {
            Err(ModuleError::Changed { what: what() })
        }
    }
}

/// What is in a file.
pub(crate) async fn look_at_file(path: &Path) -> Result<(Found, Bytes), ModuleError> {
    let stamp = file_stamp(path).await?;
    let bytes = file(path).await?;
    Ok((Found { digest: Digest::of(&bytes), previous: Vec::new(), candidate: None, stamp }, bytes))
}

fn read_afresh(bytes: Bytes, stamp: String) -> (Found, Option<Bytes>) {
    let (digest, previous) = (Digest::of(&bytes), Vec::new());
    (Found { digest, previous, candidate: None, stamp }, Some(bytes))
}

async fn file_stamp(path: &Path) -> Result<String, ModuleError> {
    let meta = tokio::fs::metadata(path).await.map_err(|error| file_error(path, error))?;
    let modified = meta.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Ok(format!("{} {modified:?}", meta.len()))
}

async fn file(path: &Path) -> Result<Bytes, ModuleError> {
    let failed = |error| file_error(path, error);
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MAX_MODULE as u64 + 1).read_to_end(&mut bytes).await.map_err(failed)?;
    if bytes.len() > MAX_MODULE {
        let what = format!("module {}", path.display());
        return Err(ModuleError::TooLarge { what, limit: MAX_MODULE });
    }
    Ok(bytes.into())
}

fn file_error(path: &Path, error: std::io::Error) -> ModuleError {
    match error.kind() {
        std::io::ErrorKind::NotFound => {
            ModuleError::NotFound { what: format!("file {}", path.display()) }
        }
        _ => ModuleError::File { path: path.to_owned(), source: Arc::new(error) },
    }
}
