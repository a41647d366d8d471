//! `reader`: an object's body, in pieces that the guest asks for.

use wasmtime::component::Resource;

use super::{CallError, ObjectStoreView, Objects, OpenBody, wit};

#[expect(unreachable_pub, reason = "the bindings re-export it")]
pub enum Reader {
    Own(Box<OpenBody>),
    /// What the parent of a jailed process knows it by.
    Asked {
        reader: u32,
        info: wit::ObjectInfo,
    },
}

impl wit::HostReader for ObjectStoreView<'_> {
    async fn info(&mut self, this: Resource<Reader>) -> wasmtime::Result<wit::ObjectInfo> {
        Ok(match self.table.get(&this)? {
            Reader::Own(body) => body.info.clone(),
            Reader::Asked { info, .. } => info.clone(),
        })
    }

    async fn read(&mut self, this: Resource<Reader>, max: u32) -> Result<Vec<u8>, CallError> {
        Ok(match (self.table.get_mut(&this)?, &mut *self.objects) {
            (Reader::Own(body), Objects::Own(own)) => own.read(body, max).await?,
            (Reader::Asked { reader, .. }, Objects::Asked(parent)) => {
                parent.read(*reader, max).await?
            }
            (Reader::Own(_), Objects::Asked(_)) | (Reader::Asked { .. }, Objects::Own(_)) => {
                return Err(CallError::Trap(wasmtime::format_err!("a reader of nobody")));
            }
        })
    }

    async fn drop(&mut self, this: Resource<Reader>) -> wasmtime::Result<()> {
        if let (Reader::Asked { reader, .. }, Objects::Asked(parent)) =
            (self.table.delete(this)?, &mut *self.objects)
        {
            parent.close_reader(reader).await;
        }
        Ok(())
    }
}
