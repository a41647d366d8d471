//! Components into the registry: each once, large ones in parts.

use bytes::Bytes;
use cpe_ports::{ErrorKind, PutCondition, PutOptions};
use cpe_sandbox::Digest;

use super::Registry;
use crate::ModuleError;

/// From this size on a component goes in parts, so that a person sees how far it is. S3 takes no
/// smaller ones than 5 MiB.
const PART: usize = 8 << 20;

impl Registry {
    /// Stores a component, unless it is there: a push that was cut off, and is done again, sends
    /// nothing twice. `progress` hears how many bytes are stored.
    pub async fn upload(
        &self,
        digest: &Digest,
        bytes: Bytes,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(), ModuleError> {
        let size = bytes.len() as u64;
        let stored = self.stored(digest).await?;
        if stored == Some(size) {
            progress(size);
            return Ok(());
        }
        if bytes.len() > 2 * PART {
            return self.upload_parts(digest, bytes, progress).await;
        }
        // Of another size it is damaged, and may be written over.
        let condition = stored.is_none().then_some(PutCondition::Absent);
        let options = PutOptions { condition, ..options() };
        match self.0.blobs.put(&self.blob_address(digest), bytes, options).await {
            // The same name, so the same bytes.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            answer => answer.map(drop).map_err(|error| self.not_written(error))?,
        }
        progress(size);
        Ok(())
    }

    async fn upload_parts(
        &self,
        digest: &Digest,
        bytes: Bytes,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(), ModuleError> {
        let at = self.blob_address(digest);
        let blobs = &self.0.blobs;
        let upload =
            blobs.create_upload(&at, options()).await.map_err(|error| self.not_written(error))?;
        let sending = async {
            let (mut rest, mut parts, mut sent) = (bytes, Vec::new(), 0);
            while !rest.is_empty() {
                let part = rest.split_to(rest.len().min(PART));
                sent += part.len() as u64;
                let number = u32::try_from(parts.len()).unwrap_or(u32::MAX).saturating_add(1);
                parts.push(blobs.upload_part(&at, &upload, number, part).await?);
                progress(sent);
            }
            blobs.complete_upload(&at, &upload, parts).await
        };
        if let Err(error) = sending.await {
            // Best effort: a bucket's lifecycle rules remove what nobody completed.
            let _ = blobs.abort_upload(&at, &upload).await;
            return Err(self.not_written(error));
        }
        Ok(())
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

fn options() -> PutOptions {
    PutOptions { content_type: Some("application/wasm".to_owned()), ..PutOptions::default() }
}
