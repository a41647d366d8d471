//! An object store that can be out of reach for those who are given it.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use cpe_ports::{
    BlobStore, ByteRange, CompletedPart, Error, ErrorKind, GetObject, ListObjects, ListPage,
    ObjectAddress, ObjectMeta, PutOptions, StoredPart, UploadId,
};
use tokio::sync::Notify;

/// Turns a store off and on again. Clones share the switch.
#[derive(Debug, Clone, Default)]
pub struct Outage(Arc<Switch>);

#[derive(Debug, Default)]
struct Switch {
    /// The end of the keys that are out of reach.
    down: Mutex<Option<String>>,
    /// Keys that were asked for in vain.
    refused: Mutex<Vec<String>>,
    news: Notify,
}

impl Outage {
    /// The store behind the switch.
    pub fn of(&self, inner: Arc<dyn BlobStore>) -> Arc<dyn BlobStore> {
        Arc::new(Interrupted { inner, outage: self.clone() })
    }

    /// Nothing is within reach from now on.
    pub fn begin(&self) {
        self.begin_for("");
    }

    /// No key that ends so is.
    pub fn begin_for(&self, end: &str) {
        *self.0.down.lock().unwrap() = Some(end.to_owned());
    }

    pub fn end(&self) {
        *self.0.down.lock().unwrap() = None;
    }

    /// Waits until a key that ends so was asked for in vain.
    pub async fn refused(&self, key: &str) {
        loop {
            let news = self.0.news.notified();
            if self.keys().iter().any(|refused| refused.ends_with(key)) {
                return;
            }
            news.await;
        }
    }

    fn keys(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.0.refused.lock().unwrap()
    }

    fn check(&self, key: &str) -> Result<(), Error> {
        let is_down = self.0.down.lock().unwrap().as_ref().is_some_and(|end| key.ends_with(end));
        if !is_down {
            return Ok(());
        }
        self.keys().push(key.to_owned());
        self.0.news.notify_waiters();
        Err(Error::new(ErrorKind::Unavailable, "the store is out of reach"))
    }
}

#[derive(Debug)]
struct Interrupted {
    inner: Arc<dyn BlobStore>,
    outage: Outage,
}

#[async_trait]
impl BlobStore for Interrupted {
    async fn create_bucket(&self, bucket: &str) -> Result<(), Error> {
        self.outage.check(bucket)?;
        self.inner.create_bucket(bucket).await
    }

    async fn head(&self, at: &ObjectAddress) -> Result<ObjectMeta, Error> {
        self.outage.check(&at.key)?;
        self.inner.head(at).await
    }

    async fn get(&self, at: &ObjectAddress, range: Option<ByteRange>) -> Result<GetObject, Error> {
        self.outage.check(&at.key)?;
        self.inner.get(at, range).await
    }

    async fn get_matching(
        &self,
        at: &ObjectAddress,
        range: Option<ByteRange>,
        etag: &str,
    ) -> Result<GetObject, Error> {
        self.outage.check(&at.key)?;
        self.inner.get_matching(at, range, etag).await
    }

    async fn get_unless(&self, at: &ObjectAddress, tag: &str) -> Result<Option<GetObject>, Error> {
        self.outage.check(&at.key)?;
        self.inner.get_unless(at, tag).await
    }

    async fn put(
        &self,
        at: &ObjectAddress,
        body: Bytes,
        options: PutOptions,
    ) -> Result<String, Error> {
        self.outage.check(&at.key)?;
        self.inner.put(at, body, options).await
    }

    async fn create_upload(
        &self,
        at: &ObjectAddress,
        options: PutOptions,
    ) -> Result<UploadId, Error> {
        self.outage.check(&at.key)?;
        self.inner.create_upload(at, options).await
    }

    async fn upload_part(
        &self,
        at: &ObjectAddress,
        upload: &UploadId,
        number: u32,
        body: Bytes,
    ) -> Result<CompletedPart, Error> {
        self.outage.check(&at.key)?;
        self.inner.upload_part(at, upload, number, body).await
    }

    async fn complete_upload(
        &self,
        at: &ObjectAddress,
        upload: &UploadId,
        parts: Vec<CompletedPart>,
    ) -> Result<String, Error> {
        self.outage.check(&at.key)?;
        self.inner.complete_upload(at, upload, parts).await
    }

    async fn abort_upload(&self, at: &ObjectAddress, upload: &UploadId) -> Result<(), Error> {
        self.outage.check(&at.key)?;
        self.inner.abort_upload(at, upload).await
    }

    async fn list_uploads(&self, at: &ObjectAddress) -> Result<Vec<UploadId>, Error> {
        self.outage.check(&at.key)?;
        self.inner.list_uploads(at).await
    }

    async fn list_parts(
        &self,
        at: &ObjectAddress,
        upload: &UploadId,
    ) -> Result<Vec<StoredPart>, Error> {
        self.outage.check(&at.key)?;
        self.inner.list_parts(at, upload).await
    }

    async fn copy(&self, from: &ObjectAddress, to: &ObjectAddress) -> Result<String, Error> {
        self.outage.check(&from.key)?;
        self.inner.copy(from, to).await
    }

    async fn delete(&self, at: &ObjectAddress) -> Result<(), Error> {
        self.outage.check(&at.key)?;
        self.inner.delete(at).await
    }

    async fn list(&self, list: ListObjects) -> Result<ListPage, Error> {
        self.outage.check(&list.prefix)?;
        self.inner.list(list).await
    }
}
