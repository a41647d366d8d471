//! The object store, metered: throttles, and events that are parked there.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use cpe_ports::{
    BlobStore, ByteRange, CompletedPart, Error, GetObject, ListObjects, ListPage, ObjectAddress,
    ObjectMeta, PutOptions, StoredPart, UploadId,
};

use super::Metrics;

#[derive(Debug)]
pub(super) struct Metered {
    inner: Arc<dyn BlobStore>,
    metrics: Metrics,
}

impl Metered {
    pub(super) fn new(inner: Arc<dyn BlobStore>, metrics: Metrics) -> Self {
        Self { inner, metrics }
    }

    fn look<T>(&self, answer: Result<T, Error>) -> Result<T, Error> {
        self.metrics.look("s3", answer)
    }

    /// The client whose event stands under a key, as the outbox makes them.
    fn parked_for(&self, key: &str) -> Option<String> {
        let (_, rest) = key.rsplit_once("parked/")?;
        let (client, _) = rest.split_once('/')?;
        self.metrics.is_client(client).then(|| client.to_owned())
    }
}

#[async_trait]
impl BlobStore for Metered {
    async fn create_bucket(&self, bucket: &str) -> Result<(), Error> {
        self.look(self.inner.create_bucket(bucket).await)
    }

    async fn head(&self, at: &ObjectAddress) -> Result<ObjectMeta, Error> {
        self.look(self.inner.head(at).await)
    }

    async fn get(&self, at: &ObjectAddress, range: Option<ByteRange>) -> Result<GetObject, Error> {
        self.look(self.inner.get(at, range).await)
    }

    async fn get_unless(&self, at: &ObjectAddress, tag: &str) -> Result<Option<GetObject>, Error> {
        self.look(self.inner.get_unless(at, tag).await)
    }

    async fn get_matching(
        &self,
        at: &ObjectAddress,
        range: Option<ByteRange>,
        etag: &str,
    ) -> Result<GetObject, Error> {
        self.look(self.inner.get_matching(at, range, etag).await)
    }

    async fn put(
        &self,
        at: &ObjectAddress,
        body: Bytes,
        options: PutOptions,
    ) -> Result<String, Error> {
        let written = self.look(self.inner.put(at, body, options).await);
        if written.is_ok()
            && let Some(client) = self.parked_for(&at.key)
        {
            self.metrics.tables().events_parked.get_or_create(&[("client", client)]).inc();
        }
        written
    }

    async fn create_upload(
        &self,
        at: &ObjectAddress,
        options: PutOptions,
    ) -> Result<UploadId, Error> {
        self.look(self.inner.create_upload(at, options).await)
    }

    async fn upload_part(
        &self,
        at: &ObjectAddress,
        upload: &UploadId,
        number: u32,
        body: Bytes,
    ) -> Result<CompletedPart, Error> {
        self.look(self.inner.upload_part(at, upload, number, body).await)
    }

    async fn complete_upload(
        &self,
        at: &ObjectAddress,
        upload: &UploadId,
        parts: Vec<CompletedPart>,
    ) -> Result<String, Error> {
        self.look(self.inner.complete_upload(at, upload, parts).await)
    }

    async fn abort_upload(&self, at: &ObjectAddress, upload: &UploadId) -> Result<(), Error> {
        self.look(self.inner.abort_upload(at, upload).await)
    }

    async fn list_uploads(&self, at: &ObjectAddress) -> Result<Vec<UploadId>, Error> {
        self.look(self.inner.list_uploads(at).await)
    }

    async fn list_parts(
        &self,
        at: &ObjectAddress,
        upload: &UploadId,
    ) -> Result<Vec<StoredPart>, Error> {
        self.look(self.inner.list_parts(at, upload).await)
    }

    async fn copy(&self, from: &ObjectAddress, to: &ObjectAddress) -> Result<String, Error> {
        self.look(self.inner.copy(from, to).await)
    }

    async fn delete(&self, at: &ObjectAddress) -> Result<(), Error> {
        self.look(self.inner.delete(at).await)
    }

    async fn list(&self, list: ListObjects) -> Result<ListPage, Error> {
        self.look(self.inner.list(list).await)
    }
}
