//! `object-store`: what a guest says of buckets, readers and writers, handed to [`Objects`].

mod access;
mod body;
mod reader;
mod writer;

use wasmtime::component::{Resource, ResourceTable, ResourceTableError};

pub(crate) use self::{
    access::{Access, MAX_WRITE, OpenBody},
    body::ReadAhead,
};
#[expect(unreachable_pub, reason = "the bindings re-export them")]
pub use self::{reader::Reader, writer::Writer};
pub(crate) use super::bindings::cpe::activity::object_store as wit;
use crate::jail::AskedObjects;

/// Who does what a guest asks for.
pub(crate) enum Objects {
    /// This process.
    Own(Box<Access>),
    /// The parent of this process, which is jailed.
    Asked(AskedObjects),
}

/// The object store, as one activity task sees it.
pub(crate) struct ObjectStoreView<'a> {
    pub(crate) objects: &'a mut Objects,
    pub(crate) table: &'a mut ResourceTable,
}

/// A bucket in which something was granted.
#[expect(unreachable_pub, reason = "the bindings re-export it")]
pub struct Bucket(String);

/// How a call fails: an answer for the guest, or the guest's end.
#[derive(Debug)]
pub(crate) enum CallError {
    Guest(wit::Error),
    Trap(wasmtime::Error),
}

impl From<wit::Error> for CallError {
    fn from(error: wit::Error) -> Self {
        Self::Guest(error)
    }
}

impl From<ResourceTableError> for CallError {
    fn from(error: ResourceTableError) -> Self {
        // Also a full table: it is told as the limit that it is, and a guest could do nothing.
        Self::Trap(error.into())
    }
}

impl wit::Host for ObjectStoreView<'_> {
    fn convert_error(&mut self, error: CallError) -> wasmtime::Result<wit::Error> {
        match error {
            CallError::Guest(error) => Ok(error),
            CallError::Trap(trap) => Err(trap),
        }
    }
}

impl wit::HostBucket for ObjectStoreView<'_> {
    async fn open(&mut self, name: String) -> Result<Resource<Bucket>, CallError> {
        match self.objects {
            Objects::Own(own) => own.open(&name)?,
            Objects::Asked(parent) => parent.open(name.clone()).await?,
        }
        Ok(self.table.push(Bucket(name))?)
    }

    async fn head(
        &mut self,
        this: Resource<Bucket>,
        key: String,
    ) -> Result<wit::ObjectInfo, CallError> {
        let Bucket(bucket) = self.table.get(&this)?;
        Ok(match self.objects {
            Objects::Own(own) => own.head(bucket, key).await?,
            Objects::Asked(parent) => parent.head(bucket.clone(), key).await?,
        })
    }

    async fn get(
        &mut self,
        this: Resource<Bucket>,
        key: String,
        range: Option<wit::ByteRange>,
    ) -> Result<Resource<Reader>, CallError> {
        let Bucket(bucket) = self.table.get(&this)?;
        let reader = match self.objects {
            Objects::Own(own) => Reader::Own(Box::new(own.get(bucket, key, range).await?)),
            Objects::Asked(parent) => {
                let (reader, info) = parent.get(bucket.clone(), key, range).await?;
                Reader::Asked { reader, info }
            }
        };
        Ok(self.table.push(reader)?)
    }

    async fn put(
        &mut self,
        this: Resource<Bucket>,
        key: String,
        options: wit::PutOptions,
    ) -> Result<Resource<Writer>, CallError> {
        let Bucket(bucket) = self.table.get(&this)?;
        let writer = match self.objects {
            Objects::Own(own) => own.put(bucket, key, options)?,
            Objects::Asked(parent) => parent.put(bucket.clone(), key, options).await?,
        };
        Ok(self.table.push(Writer(writer))?)
    }

    async fn list(
        &mut self,
        this: Resource<Bucket>,
        prefix: String,
        start_after: Option<String>,
    ) -> Result<wit::ListPage, CallError> {
        let Bucket(bucket) = self.table.get(&this)?;
        Ok(match self.objects {
            Objects::Own(own) => own.list(bucket, prefix, start_after).await?,
            Objects::Asked(parent) => parent.list(bucket.clone(), prefix, start_after).await?,
        })
    }

    async fn copy(
        &mut self,
        this: Resource<Bucket>,
        key: String,
        to: Resource<Bucket>,
        to_key: String,
    ) -> Result<(), CallError> {
        let (Bucket(from), Bucket(to)) = (self.table.get(&this)?, self.table.get(&to)?);
        match self.objects {
            Objects::Own(own) => own.copy((from, key), (to, to_key)).await?,
            Objects::Asked(parent) => {
                parent.copy((from.clone(), key), (to.clone(), to_key)).await?;
            }
        }
        Ok(())
    }

    async fn delete(&mut self, this: Resource<Bucket>, key: String) -> Result<(), CallError> {
        let Bucket(bucket) = self.table.get(&this)?;
        match self.objects {
            Objects::Own(own) => own.delete(bucket, key)?,
            Objects::Asked(parent) => parent.delete(bucket.clone(), key).await?,
        }
        Ok(())
    }

    async fn drop(&mut self, this: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
