//! `writer`: the body of a new object, on its way into the staging.

use wasmtime::component::Resource;

use super::{CallError, ObjectStoreView, wit};

/// The most that one `write` takes.
const MAX_WRITE: usize = 1 << 20;

/// Names a writer of the staging, which outlives the guest and so can undo what it holds.
#[expect(unreachable_pub, reason = "the bindings re-export it")]
pub struct Writer(pub(crate) u32);

impl wit::HostWriter for ObjectStoreView<'_> {
    async fn write(&mut self, this: Resource<Writer>, bytes: Vec<u8>) -> Result<(), CallError> {
        if bytes.len() > MAX_WRITE {
            let why = "at most 1 MiB may be written at a time";
            return Err(wit::Error::InvalidArgument(why.to_owned()).into());
        }
        let Writer(writer) = *self.table.get(&this)?;
        Ok(self.staging.write(writer, &bytes).await?)
    }

    async fn finish(&mut self, this: Resource<Writer>) -> Result<(), CallError> {
        let Writer(writer) = *self.table.get(&this)?;
        Ok(self.staging.finish(writer).await?)
    }

    async fn drop(&mut self, this: Resource<Writer>) -> wasmtime::Result<()> {
        let Writer(writer) = self.table.delete(this)?;
        self.staging.discard(writer);
        Ok(())
    }
}
