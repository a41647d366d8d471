//! `reader`: an object's body, in pieces that the guest asks for. A connection that breaks is
//! made again, from where it broke, as long as the object has not changed.

use std::sync::Arc;

use bytes::Bytes;
use cpe_ports::{
    BlobStore, ByteRange, ByteStream, Error, ErrorKind, GetObject, ObjectAddress, ObjectMeta,
};
use futures::{FutureExt, StreamExt, stream, stream::Fuse};
use wasmtime::component::Resource;

use super::{CallError, ObjectStoreView, object_info, wit};
use crate::retry::retrying;

/// The most that one `read` gives.
const MAX_READ: usize = 1 << 20;
/// How often one body may be resumed.
const MAX_RESUMES: u32 = 5;

#[expect(unreachable_pub, reason = "the bindings re-export it")]
pub struct Reader {
    at: ObjectAddress,
    meta: ObjectMeta,
    /// Fused, since it may be asked again after its end.
    body: Fuse<ByteStream>,
    /// Came from the stream, but the guest has not asked for it yet.
    rest: Bytes,
    /// Of the next byte that the stream gives, within the object.
    position: u64,
    end: u64,
    resumes: u32,
}

impl Reader {
    pub(crate) fn new(at: ObjectAddress, range: Option<ByteRange>, object: GetObject) -> Self {
        let size = object.meta.size;
        let (position, end) = match range {
            None => (0, size),
            Some(ByteRange::From { first, last }) => {
                (first, last.map_or(size, |last| last.saturating_add(1).min(size)))
            }
            Some(ByteRange::Suffix(length)) => (size.saturating_sub(length), size),
        };
        let (meta, body) = (object.meta, object.body.fuse());
        Self { at, meta, body, rest: Bytes::new(), position, end, resumes: 0 }
    }

    async fn read(&mut self, max: usize, blobs: &Arc<dyn BlobStore>) -> Result<Vec<u8>, Error> {
        let max = max.min(MAX_READ);
        if max == 0 {
            return Ok(Vec::new());
        }
        while self.rest.is_empty() {
            match self.body.next().await {
                Some(Ok(bytes)) => self.take(bytes),
                Some(Err(error)) => self.resume(error, blobs).await?,
                None if self.position < self.end => {
                    let short = Error::new(ErrorKind::Unavailable, "the body ended too early");
                    self.resume(short, blobs).await?;
                }
                None => return Ok(Vec::new()),
            }
        }
        let mut bytes = self.rest.split_to(self.rest.len().min(max)).to_vec();
        // What has arrived besides saves the guest a call; what has not is not waited for.
        while bytes.len() < max && self.rest.is_empty() {
            match self.body.next().now_or_never() {
                Some(Some(Ok(more))) => self.take(more),
                // Left for the next read, which knows what to do about it.
                Some(Some(Err(error))) => {
                    self.body = stream::iter([Err(error)]).boxed().fuse();
                    break;
                }
                Some(None) | None => break,
            }
            let room = max - bytes.len();
            bytes.extend_from_slice(&self.rest.split_to(self.rest.len().min(room)));
        }
        Ok(bytes)
    }

    fn take(&mut self, bytes: Bytes) {
        self.position = self.position.saturating_add(bytes.len() as u64);
        self.rest = bytes;
    }

    async fn resume(&mut self, error: Error, blobs: &Arc<dyn BlobStore>) -> Result<(), Error> {
        // An error ends a stream, and what has ended is not asked again.
        self.body = stream::empty().boxed().fuse();
        if !error.kind().is_transient() || self.resumes >= MAX_RESUMES {
            return Err(error);
        }
        self.resumes += 1;
        if self.position >= self.end {
            return Ok(());
        }
        let range = ByteRange::From { first: self.position, last: Some(self.end - 1) };
        let object = retrying(|| blobs.get(&self.at, Some(range))).await?;
        if object.meta.etag != self.meta.etag {
            let message = "the object was changed while it was read";
            return Err(Error::new(ErrorKind::Unavailable, message).with_code("Changed"));
        }
        self.body = object.body.fuse();
        Ok(())
    }
}

impl wit::HostReader for ObjectStoreView<'_> {
    async fn info(&mut self, this: Resource<Reader>) -> wasmtime::Result<wit::ObjectInfo> {
        let reader = self.table.get(&this)?;
        Ok(object_info(reader.at.key.clone(), reader.meta.clone()))
    }

    async fn read(&mut self, this: Resource<Reader>, max: u32) -> Result<Vec<u8>, CallError> {
        let reader = self.table.get_mut(&this)?;
        let bytes = reader.read(max as usize, self.blobs).await?;
        let total = &mut self.staging.bytes_read;
        *total = total.saturating_add(bytes.len() as u64);
        Ok(bytes)
    }

    async fn drop(&mut self, this: Resource<Reader>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
