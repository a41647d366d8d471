//! Writes that nobody sees yet: made visible in order once the activity has succeeded, undone
//! otherwise.
//!
//! What grants allow is decided before anything comes here.

mod upload;

use std::{collections::BTreeMap, sync::Arc};

use bytes::{Bytes, BytesMut};
use cpe_ports::{BlobStore, Error, ObjectAddress, PutOptions};
use futures::future::join_all;

use self::upload::{Lanes, Upload};
pub(crate) use self::upload::{Uploads, abort};
use crate::{SandboxError, host::ReadAhead, retry::retrying};

/// The size of a part, and of what is kept in memory until there is one.
const PART: usize = 8 << 20;
/// Bytes of finished small objects that wait in memory. What comes on top waits in the store.
const MAX_HELD: usize = 16 << 20;
const MAX_OPEN_WRITERS: usize = 8;
const MAX_EFFECTS: usize = 10_000;

/// Why a write cannot be staged.
#[derive(Debug)]
pub(crate) enum StagingError {
    /// The guest asks for more than is allowed.
    TooMuch(&'static str),
    Store(Error),
}

impl From<Error> for StagingError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// The writes of one run.
pub(crate) struct Staging {
    blobs: Arc<dyn BlobStore>,
    lanes: Lanes,
    writers: BTreeMap<u32, OpenWriter>,
    last_writer: u32,
    effects: Vec<Effect>,
    held: usize,
    /// Of what is read, the other direction's bound.
    pub(crate) read_ahead: ReadAhead,
    pub(crate) bytes_read: u64,
    pub(crate) bytes_written: u64,
}

enum Effect {
    Put { at: ObjectAddress, body: Bytes, options: PutOptions },
    Complete(Upload),
    Copy { from: ObjectAddress, to: ObjectAddress },
    Delete { at: ObjectAddress },
}

struct OpenWriter {
    at: ObjectAddress,
    options: PutOptions,
    buffer: BytesMut,
    upload: Option<Upload>,
}

impl Staging {
    pub(crate) fn new(blobs: Arc<dyn BlobStore>, uploads: Arc<Uploads>) -> Self {
        Self {
            lanes: Lanes::new(Arc::clone(&blobs), uploads),
            blobs,
            writers: BTreeMap::new(),
            last_writer: 0,
            effects: Vec::new(),
            held: 0,
            read_ahead: ReadAhead::default(),
            bytes_read: 0,
            bytes_written: 0,
        }
    }

    pub(crate) fn open(
        &mut self,
        at: ObjectAddress,
        options: PutOptions,
    ) -> Result<u32, StagingError> {
        if self.writers.len() >= MAX_OPEN_WRITERS {
            return Err(StagingError::TooMuch("at most 8 writers may be open at a time"));
        }
        self.last_writer = self.last_writer.wrapping_add(1);
        let writer = OpenWriter { at, options, buffer: BytesMut::new(), upload: None };
        self.writers.insert(self.last_writer, writer);
        Ok(self.last_writer)
    }

    pub(crate) async fn write(&mut self, writer: u32, bytes: &[u8]) -> Result<(), StagingError> {
        let Some(writer) = self.writers.get_mut(&writer) else {
            return Err(StagingError::TooMuch("the writer is finished"));
        };
        self.bytes_written = self.bytes_written.saturating_add(bytes.len() as u64);
        let mut bytes = bytes;
        while !bytes.is_empty() {
            if writer.buffer.len() >= PART {
                // More follows, so the next part will need its whole room.
                let full = std::mem::replace(&mut writer.buffer, BytesMut::with_capacity(PART));
                writer.upload(full.freeze(), &self.lanes).await?;
            }
            let room = PART.saturating_sub(writer.buffer.len()).min(bytes.len());
            let (now, later) = bytes.split_at(room);
            writer.buffer.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    pub(crate) async fn finish(&mut self, writer: u32) -> Result<(), StagingError> {
        let Some(mut writer) = self.writers.remove(&writer) else {
            return Err(StagingError::TooMuch("the writer is finished"));
        };
        let body = writer.buffer.split().freeze();
        if writer.upload.is_none() && self.held.saturating_add(body.len()) <= MAX_HELD {
            self.held += body.len();
            return self.push(Effect::Put { at: writer.at, body, options: writer.options });
        }
        if !body.is_empty() || writer.upload.is_none() {
            writer.upload(body, &self.lanes).await?;
        }
        match writer.upload.take() {
            Some(mut upload) => {
                // The guest hears of it while it can still do something about it.
                upload.land().await?;
                self.push(Effect::Complete(upload))
            }
            None => Ok(()),
        }
    }

    /// Forgets a writer that was not finished.
    pub(crate) fn discard(&mut self, writer: u32) {
        self.writers.remove(&writer);
    }

    pub(crate) fn copy(
        &mut self,
        from: ObjectAddress,
        to: ObjectAddress,
    ) -> Result<(), StagingError> {
        self.push(Effect::Copy { from, to })
    }

    pub(crate) fn delete(&mut self, at: ObjectAddress) -> Result<(), StagingError> {
        self.push(Effect::Delete { at })
    }

    /// Whether an object will be there by the time a staged copy reads it.
    pub(crate) fn will_write(&self, at: &ObjectAddress) -> bool {
        self.effects.iter().any(|effect| match effect {
            Effect::Put { at: to, .. } | Effect::Copy { to, .. } => to == at,
            Effect::Complete(upload) => upload.at == *at,
            Effect::Delete { .. } => false,
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.effects.is_empty() && self.writers.is_empty()
    }

    /// Makes everything visible, in the order in which the guest did it.
    pub(crate) async fn commit(&mut self) -> Result<(), SandboxError> {
        self.writers.clear();
        for effect in std::mem::take(&mut self.effects) {
            let at = effect.at().clone();
            let done = effect.apply(&*self.blobs).await;
            done.map_err(|source| SandboxError::Commit { at, source })?;
        }
        Ok(())
    }

    /// Undoes everything.
    pub(crate) async fn abort(&mut self) {
        let writers = std::mem::take(&mut self.writers);
        let effects = std::mem::take(&mut self.effects);
        let finished = effects.into_iter().filter_map(|effect| match effect {
            Effect::Complete(upload) => Some(upload),
            Effect::Put { .. } | Effect::Copy { .. } | Effect::Delete { .. } => None,
        });
        let open = writers.into_values().filter_map(|writer| writer.upload);
        join_all(finished.chain(open).map(Upload::abort)).await;
    }

    fn push(&mut self, effect: Effect) -> Result<(), StagingError> {
        if self.effects.len() >= MAX_EFFECTS {
            return Err(StagingError::TooMuch("an activity may make at most 10,000 changes"));
        }
        self.effects.push(effect);
        Ok(())
    }
}

impl OpenWriter {
    async fn upload(&mut self, part: Bytes, lanes: &Lanes) -> Result<(), StagingError> {
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => none.insert(Upload::create(lanes, &self.at, &self.options).await?),
        };
        upload.add(part).await
    }
}

impl Effect {
    fn at(&self) -> &ObjectAddress {
        match self {
            Self::Put { at, .. } | Self::Delete { at } => at,
            Self::Copy { to, .. } => to,
            Self::Complete(upload) => &upload.at,
        }
    }

    async fn apply(self, blobs: &dyn BlobStore) -> Result<(), Error> {
        match self {
            Self::Put { at, body, options } => {
                retrying(|| blobs.put(&at, body.clone(), options.clone())).await.map(drop)
            }
            Self::Complete(upload) => upload.complete().await,
            Self::Copy { from, to } => retrying(|| blobs.copy(&from, &to)).await.map(drop),
            Self::Delete { at } => retrying(|| blobs.delete(&at)).await,
        }
    }
}

#[cfg(test)]
mod tests;
