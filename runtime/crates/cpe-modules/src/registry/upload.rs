//! Components into the registry: each once, large ones in parts.

use std::collections::BTreeMap;

use bytes::Bytes;
use cpe_ports::{
    CompletedPart, ErrorKind, ObjectAddress, PutCondition, PutOptions, StoredPart, UploadId,
};
use cpe_sandbox::Digest;
use md5::{Digest as _, Md5};
use tracing::debug;

use super::Registry;
use crate::ModuleError;

/// From this size on a component goes in parts, so that a person sees how far it is. S3 takes no
/// smaller ones than 5 MiB.
const PART: usize = 8 << 20;
/// Uploads to one key that are looked at for what they have.
const MAX_UNFINISHED: usize = 20;

/// How far an upload is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    /// Bytes that are stored by now.
    pub stored: u64,
    /// Those of them that were stored before.
    pub before: u64,
}

/// An upload that somebody began.
struct Unfinished {
    id: UploadId,
    /// Parts that are of this component, by number.
    parts: BTreeMap<u32, CompletedPart>,
}

impl Registry {
    /// Stores a component, unless it is there: a push that was cut off, and is done again, sends
    /// nothing twice. `progress` hears how much is stored; answers what it ends with.
    pub async fn upload(
        &self,
        digest: &Digest,
        bytes: Bytes,
        progress: &(dyn Fn(Sent) + Send + Sync),
    ) -> Result<Sent, ModuleError> {
        let size = bytes.len() as u64;
        let stored = self.stored(digest).await?;
        let mut sent = Sent { stored: size, before: 0 };
        if stored == Some(size) {
            sent.before = size;
        } else if bytes.len() > 2 * PART {
            sent = self.upload_parts(digest, bytes, progress).await?;
        } else {
            // Of another size it is damaged, and may be written over.
            let condition = stored.is_none().then_some(PutCondition::Absent);
            let options = PutOptions { condition, ..options() };
            match self.0.blobs.put(&self.blob_address(digest), bytes, options).await {
                // The same name, so the same bytes.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                answer => answer.map(drop).map_err(|error| self.not_written(error))?,
            }
        }
        progress(sent);
        Ok(sent)
    }

    async fn upload_parts(
        &self,
        digest: &Digest,
        bytes: Bytes,
        progress: &(dyn Fn(Sent) + Send + Sync),
    ) -> Result<Sent, ModuleError> {
        let at = self.blob_address(digest);
        let blobs = &self.0.blobs;
        let Unfinished { id, mut parts } = match self.unfinished(&at, &bytes).await {
            Some(unfinished) => unfinished,
            None => {
                let begun = blobs.create_upload(&at, options()).await;
                let id = begun.map_err(|error| self.not_written(error))?;
                Unfinished { id, parts: BTreeMap::new() }
            }
        };
        let mut sent = Sent::default();
        for (number, part) in numbered(&bytes) {
            sent.before += if parts.contains_key(&number) { part.len() as u64 } else { 0 };
        }
        sent.stored = sent.before;
        progress(sent);
        let sending = async {
            for (number, part) in numbered(&bytes) {
                if parts.contains_key(&number) {
                    continue;
                }
                sent.stored += part.len() as u64;
                parts.insert(number, blobs.upload_part(&at, &id, number, part).await?);
                progress(sent);
            }
            blobs.complete_upload(&at, &id, parts.into_values().collect()).await
        };
        match sending.await {
            Ok(_) => {}
            // Whoever pushed the same at the same time has completed it.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                if self.stored(digest).await? != Some(bytes.len() as u64) {
                    return Err(match error.code() {
                        Some("NoSuchUpload") => ModuleError::Changed { what: at.to_string() },
                        _ => self.not_written(error),
                    });
                }
            }
            // What is stored stays, for the push that goes on from here. What nobody goes on with
            // is removed by the bucket's lifecycle rules.
            Err(error) => return Err(self.not_written(error)),
        }
        Ok(sent)
    }

    /// Of the uploads to `at` that somebody began, the one that is furthest. None where they
    /// cannot be listed: going on is a convenience.
    async fn unfinished(&self, at: &ObjectAddress, bytes: &Bytes) -> Option<Unfinished> {
        let blobs = &self.0.blobs;
        let uploads = match blobs.list_uploads(at).await {
            Ok(uploads) => uploads,
            Err(error) => {
                debug!(%at, %error, "Unfinished uploads cannot be listed");
                return None;
            }
        };
        let mut furthest: Option<Unfinished> = None;
        for id in uploads.into_iter().take(MAX_UNFINISHED) {
            // One may be completed or aborted meanwhile.
            let Ok(stored) = blobs.list_parts(at, &id).await else { continue };
            let parts = matching(stored, bytes);
            if furthest.as_ref().is_none_or(|before| before.parts.len() < parts.len()) {
                furthest = Some(Unfinished { id, parts });
            }
        }
        furthest
    }

    /// How large the blob with that digest is, if it is there.
    async fn stored(&self, digest: &Digest) -> Result<Option<u64>, ModuleError> {
        match self.0.blobs.head(&self.blob_address(digest)).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ModuleError::port(self.describe(digest.as_str()), error)),
        }
    }

    /// After a channel was moved: what it points at was not pruned at the last moment.
    pub(super) async fn expect_blob(&self, digest: &Digest) -> Result<(), ModuleError> {
        match self.stored(digest).await {
            Ok(None) => Err(ModuleError::NotFound {
                what: format!(
                    "{} any more: it was pruned while the channel was moved; push again",
                    self.describe(digest.as_str())
                ),
            }),
            // The channel is moved; whether the blob is there is seen by whoever reads it.
            _ => Ok(()),
        }
    }
}

/// The parts in which a component is sent.
fn numbered(bytes: &Bytes) -> impl Iterator<Item = (u32, Bytes)> {
    let mut rest = bytes.clone();
    (1..).map_while(move |number| {
        let part = rest.split_to(rest.len().min(PART));
        (!part.is_empty()).then_some((number, part))
    })
}

/// Those of the stored parts that are of these bytes. Where the store tells no digest of them,
/// none is: it is sent again.
fn matching(stored: Vec<StoredPart>, bytes: &Bytes) -> BTreeMap<u32, CompletedPart> {
    let stored: BTreeMap<u32, StoredPart> =
        stored.into_iter().map(|part| (part.number, part)).collect();
    let mut found = BTreeMap::new();
    for (number, part) in numbered(bytes) {
        let Some(StoredPart { etag, size, .. }) = stored.get(&number) else { continue };
        let is_same = *size == part.len() as u64 && {
            let digest = Md5::digest(&part).iter().map(|b| format!("{b:02x}")).collect::<String>();
            etag.trim_matches('"') == digest
        };
        if is_same {
            found.insert(number, CompletedPart { number, etag: etag.clone() });
        }
    }
    found
}

fn options() -> PutOptions {
    PutOptions { content_type: Some("application/wasm".to_owned()), ..PutOptions::default() }
}
