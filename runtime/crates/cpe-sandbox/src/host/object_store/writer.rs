//! `writer`: the body of a new object, on its way into the staging.

use wasmtime::component::Resource;

use super::{CallError, ObjectStoreView, Objects, wit};

/// Names a writer of the staging, which outlives the guest and so can undo what it holds.
#[expect(unreachable_pub, reason = "the bindings re-export it")]
pub struct Writer(pub(crate) u32);

impl wit::HostWriter for ObjectStoreView<'_> {
    async fn write(&mut self, this: Resource<Writer>, bytes: Vec<u8>) -> Result<(), CallError> {
        let Writer(writer) = *self.table.get(&this)?;
        match self.objects {
            Objects::Own(own) => own.write(writer, &bytes).await?,
            Objects::Asked(parent) => parent.write(writer, bytes).await?,
        }
        Ok(())
    }

    async fn finish(&mut self, this: Resource<Writer>) -> Result<(), CallError> {
        let Writer(writer) = *self.table.get(&this)?;
        match self.objects {
            Objects::Own(own) => own.finish(writer).await?,
            Objects::Asked(parent) => parent.finish(writer).await?,
        }
        Ok(())
    }

    async fn drop(&mut self, this: Resource<Writer>) -> wasmtime::Result<()> {
        let Writer(writer) = self.table.delete(this)?;
        match self.objects {
            Objects::Own(own) => own.staging.discard(writer),
            Objects::Asked(parent) => parent.discard(writer).await,
        }
        Ok(())
    }
}
