//! S3, with faults.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::Faults;
use crate::{
    BlobStore, ByteRange, CompletedPart, Error, GetObject, ListObjects, ListPage, ObjectAddress,
    ObjectMeta, PutOptions, StoredPart, UploadId,
};

#[derive(Debug)]
pub(super) struct Faulty {
    pub(super) inner: Arc<dyn BlobStore>,
    pub(super) faults: Faults,
}

#[async_trait]
impl BlobStore for Faulty {
    async fn create_bucket(&self, bucket: &str) -> Result<(), Error> {
        self.faults.call("CreateBucket", self.inner.create_bucket(bucket)).await
    }

    async fn head(&self, at: &ObjectAddress) -> Result<ObjectMeta, Error> {
        self.faults.call("HeadObject", self.inner.head(at)).await
    }

    async fn get(&self, at: &ObjectAddress, range: Option<ByteRange>) -> Result<GetObject, Error> {
        self.faults.call("GetObject", self.inner.get(at, range)).await
    }

    async fn get_matching(
        &self,
        at: &ObjectAddress,
        range: Option<ByteRange>,
        etag: &str,
    ) -> Result<GetObject, Error> {
        self.faults.call("GetObject", self.inner.get_matching(at, range, etag)).await
    }

    async fn get_unless(&self, at: &ObjectAddress, tag: &str) -> Result<Option<GetObject>, Error> {
        self.faults.call("GetObject", self.inner.get_unless(at, tag)).await
    }

    async fn put(
        &self,
        at: &ObjectAddress,
        body: Bytes,
        options: PutOptions,
    ) -> Result<String, Error> {
        self.faults.call("PutObject", self.inner.put(at, body, options)).await
    }

    async fn create_upload(
        &self,
        at: &ObjectAddress,
        options: PutOptions,
    ) -> Result<UploadId, Error> {
        self.faults.call("CreateMultipartUpload", self.inner.create_upload(at, options)).await
    }

    async fn upload_part(
        &self,
        at: &ObjectAddress,
        upload: &UploadId,
        number: u32,
        body: Bytes,
    ) -> Result<CompletedPart, Error> {
        self.faults.call("UploadPart", self.inner.upload_part(at, upload, number, body)).await
    }

    async fn complete_upload(
        &self,
        at: &ObjectAddress,
        upload: &UploadId,
        parts: Vec<CompletedPart>,
    ) -> Result<String, Error> {
        let completing = self.inner.complete_upload(at, upload, parts);
        self.faults.call("CompleteMultipartUpload", completing).await
    }

    async fn abort_upload(&self, at: &ObjectAddress, upload: &UploadId) -> Result<(), Error> {
        self.faults.call("AbortMultipartUpload", self.inner.abort_upload(at, upload)).await
    }

    async fn list_uploads(&self, at: &ObjectAddress) -> Result<Vec<UploadId>, Error> {
        self.faults.call("ListMultipartUploads", self.inner.list_uploads(at)).await
    }

    async fn list_parts(
        &self,
        at: &ObjectAddress,
        upload: &UploadId,
    ) -> Result<Vec<StoredPart>, Error> {
        self.faults.call("ListParts", self.inner.list_parts(at, upload)).await
    }

    async fn copy(&self, from: &ObjectAddress, to: &ObjectAddress) -> Result<String, Error> {
        self.faults.call("CopyObject", self.inner.copy(from, to)).await
    }

    async fn delete(&self, at: &ObjectAddress) -> Result<(), Error> {
        self.faults.call("DeleteObject", self.inner.delete(at)).await
    }

    async fn list(&self, list: ListObjects) -> Result<ListPage, Error> {
        self.faults.call("ListObjects", self.inner.list(list)).await
    }
}
