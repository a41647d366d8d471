//! `reader`: an object's body, in pieces that the guest asks for.

use std::sync::Arc;

use cpe_ports::{BlobStore, ByteRange, Error, GetObject, ObjectAddress, ObjectMeta};
use wasmtime::component::Resource;

use super::{
    CallError, ObjectStoreView,
    body::{Body, Share, Source},
    object_info, wit,
};

/// The most that one `read` gives.
const MAX_READ: usize = 1 << 20;

#[expect(unreachable_pub, reason = "the bindings re-export it")]
pub struct Reader {
    key: String,
    meta: ObjectMeta,
    body: Body,
}

impl Reader {
    pub(crate) fn new(
        blobs: &Arc<dyn BlobStore>,
        at: ObjectAddress,
        range: Option<ByteRange>,
        object: GetObject,
        share: Share,
    ) -> Self {
        let (key, meta) = (at.key.clone(), object.meta.clone());
        let source = Source::new(Arc::clone(blobs), at, range, object);
        Self { key, meta, body: Body::start(source, share) }
    }

    async fn read(&mut self, max: usize) -> Result<Vec<u8>, Error> {
        match max.min(MAX_READ) {
            0 => Ok(Vec::new()),
            max => self.body.read(max).await,
        }
    }
}

impl wit::HostReader for ObjectStoreView<'_> {
    async fn info(&mut self, this: Resource<Reader>) -> wasmtime::Result<wit::ObjectInfo> {
        let reader = self.table.get(&this)?;
        Ok(object_info(reader.key.clone(), reader.meta.clone()))
    }

    async fn read(&mut self, this: Resource<Reader>, max: u32) -> Result<Vec<u8>, CallError> {
        let reader = self.table.get_mut(&this)?;
        let bytes = reader.read(max as usize).await?;
        let total = &mut self.staging.bytes_read;
        *total = total.saturating_add(bytes.len() as u64);
        Ok(bytes)
    }

    async fn drop(&mut self, this: Resource<Reader>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
