//! S3 over the SDK.

mod convert;

use std::fmt;

use async_trait::async_trait;
use aws_sdk_s3::{
    Client,
    error::SdkError,
    types::{
        BucketLocationConstraint, CompletedMultipartUpload, CompletedPart as SdkPart,
        CreateBucketConfiguration, ServerSideEncryption, StorageClass,
    },
};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use bytes::Bytes;
use cpe_ports::{
    BlobStore, ByteRange, CompletedPart, Error, ErrorKind, GetObject, ListObjects, ListPage,
    ObjectAddress, ObjectMeta, PutCondition, PutOptions, StoredPart, UploadId,
};

use crate::{endpoint::Place, error::port_error};

/// Where buckets are unless another region is named; naming it is refused.
const FIRST_REGION: &str = "us-east-1";
const MAX_KEYS: u32 = 1000;

#[derive(Debug)]
pub(crate) struct S3 {
    pub(crate) calls: Client,
    /// Waits longer for the answer: for requests that carry or move bodies.
    pub(crate) transfers: Client,
    pub(crate) region: String,
    pub(crate) place: Place,
}

impl S3 {
    fn error<E>(&self, what: impl fmt::Display, error: SdkError<E>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        port_error(&self.place, what, error)
    }

    async fn read(
        &self,
        at: &ObjectAddress,
        range: Option<ByteRange>,
        etag: Option<&str>,
    ) -> Result<GetObject, Error> {
        let answer = self
            .calls
            .get_object()
            .bucket(&at.bucket)
            .key(&at.key)
            .set_range(range.map(convert::range))
            .set_if_match(etag.map(str::to_owned))
            .send()
            .await
            .map_err(|e| self.error(at, e))?;
        Ok(convert::object(at, answer))
    }

    fn tag(&self, at: &ObjectAddress, tag: Option<String>) -> Result<String, Error> {
        tag.ok_or_else(|| {
            let message = format!("{} gave no entity tag for {at}", self.place);
            Error::new(ErrorKind::Broken, message)
        })
    }
}

#[async_trait]
impl BlobStore for S3 {
    async fn create_bucket(&self, bucket: &str) -> Result<(), Error> {
        // Asked first: who may use a bucket is not always allowed to make one.
        if self.calls.head_bucket().bucket(bucket).send().await.is_ok() {
            return Ok(());
        }
        let mut request = self.calls.create_bucket().bucket(bucket);
        if self.region != FIRST_REGION {
            let region = BucketLocationConstraint::from(self.region.as_str());
            let there = CreateBucketConfiguration::builder().location_constraint(region);
            request = request.create_bucket_configuration(there.build());
        }
        match request.send().await.map_err(|e| self.error(format!("bucket {bucket}"), e)) {
            Err(error) if error.code() == Some("BucketAlreadyOwnedByYou") => Ok(()),
            answer => answer.map(drop),
        }
    }

    async fn head(&self, at: &ObjectAddress) -> Result<ObjectMeta, Error> {
        let answer = self.calls.head_object().bucket(&at.bucket).key(&at.key).send().await;
        answer.map(convert::head_meta).map_err(|e| self.error(at, e))
    }

    async fn get(&self, at: &ObjectAddress, range: Option<ByteRange>) -> Result<GetObject, Error> {
        self.read(at, range, None).await
    }

    async fn get_matching(
        &self,
        at: &ObjectAddress,
        range: Option<ByteRange>,
        etag: &str,
    ) -> Result<GetObject, Error> {
        self.read(at, range, Some(etag)).await
    }

    async fn get_unless(&self, at: &ObjectAddress, tag: &str) -> Result<Option<GetObject>, Error> {
        let request = self.calls.get_object().bucket(&at.bucket).key(&at.key);
        match request.if_none_match(tag).send().await {
            Ok(answer) => Ok(Some(convert::object(at, answer))),
            // To the SDK, "not modified" is an error like any other.
            Err(error) if error.raw_response().is_some_and(|r| r.status().as_u16() == 304) => {
                Ok(None)
            }
            Err(error) => Err(self.error(at, error)),
        }
    }

    async fn put(
        &self,
        at: &ObjectAddress,
        body: Bytes,
        options: PutOptions,
    ) -> Result<String, Error> {
        let PutOptions { content_type, metadata, storage_class, encrypt, condition } = options;
        let conditional = condition.is_some();
        let mut request = self
            .transfers
            .put_object()
            .bucket(&at.bucket)
            .key(&at.key)
            .set_content_type(content_type)
            .set_metadata(convert::metadata(metadata))
            .set_storage_class(storage_class.as_deref().map(StorageClass::from))
            .set_server_side_encryption(encrypt.then_some(ServerSideEncryption::Aes256))
            .body(body.into());
        request = match condition {
            Some(PutCondition::Absent) => request.if_none_match("*"),
            Some(PutCondition::Matches(tag)) => request.if_match(tag),
            None => request,
        };
        let answer = request.send().await.map_err(|e| {
            let error = self.error(at, e);
            // Nothing is there to match: the condition does not hold.
            if conditional && error.code() == Some("NoSuchKey") {
                let message = error.message().to_owned();
                return Error::new(ErrorKind::AlreadyExists, message).with_code("NoSuchKey");
            }
            error
        })?;
        self.tag(at, answer.e_tag)
    }

    async fn create_upload(
        &self,
        at: &ObjectAddress,
        options: PutOptions,
    ) -> Result<UploadId, Error> {
        let answer = self
            .calls
            .create_multipart_upload()
            .bucket(&at.bucket)
            .key(&at.key)
            .set_content_type(options.content_type)
            .set_metadata(convert::metadata(options.metadata))
            .set_storage_class(options.storage_class.as_deref().map(StorageClass::from))
            .set_server_side_encryption(options.encrypt.then_some(ServerSideEncryption::Aes256))
            .send()
            .await
            .map_err(|e| self.error(at, e))?;
        answer.upload_id.map(UploadId).ok_or_else(|| {
            let message = format!("{} gave no id for an upload to {at}", self.place);
            Error::new(ErrorKind::Broken, message)
        })
    }

    async fn upload_part(
        &self,
        at: &ObjectAddress,
        upload: &UploadId,
        number: u32,
        body: Bytes,
    ) -> Result<CompletedPart, Error> {
        let answer = self
            .transfers
            .upload_part()
            .bucket(&at.bucket)
            .key(&at.key)
            .upload_id(&upload.0)
            .part_number(convert::number(number))
            .body(body.into())
            .send()
            .await
            .map_err(|e| self.error(format!("part {number} of {at}"), e))?;
        Ok(CompletedPart { number, etag: self.tag(at, answer.e_tag)? })
    }

    async fn complete_upload(
        &self,
        at: &ObjectAddress,
        upload: &UploadId,
        parts: Vec<CompletedPart>,
    ) -> Result<String, Error> {
        let parts = parts.into_iter().map(|part| {
            SdkPart::builder().part_number(convert::number(part.number)).e_tag(part.etag).build()
        });
        let whole = CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
        let answer = self
            .transfers
            .complete_multipart_upload()
            .bucket(&at.bucket)
            .key(&at.key)
            .upload_id(&upload.0)
            .multipart_upload(whole)
            .send()
            .await
            .map_err(|e| self.error(at, e))?;
        self.tag(at, answer.e_tag)
    }

    async fn abort_upload(&self, at: &ObjectAddress, upload: &UploadId) -> Result<(), Error> {
        self.calls
            .abort_multipart_upload()
            .bucket(&at.bucket)
            .key(&at.key)
            .upload_id(&upload.0)
            .send()
            .await
            .map(drop)
            .map_err(|e| self.error(at, e))
    }

    async fn list_uploads(&self, at: &ObjectAddress) -> Result<Vec<UploadId>, Error> {
        // Keys come in order, so that those of this very key are the first with it as a prefix.
        let answer = self
            .calls
            .list_multipart_uploads()
            .bucket(&at.bucket)
            .prefix(&at.key)
            .send()
            .await
            .map_err(|e| self.error(format!("uploads to {at}"), e))?;
        let uploads = answer.uploads.unwrap_or_default().into_iter();
        let of_key = uploads.filter(|upload| upload.key.as_deref() == Some(at.key.as_str()));
        Ok(of_key.filter_map(|upload| upload.upload_id.map(UploadId)).collect())
    }

    async fn list_parts(
        &self,
        at: &ObjectAddress,
        upload: &UploadId,
    ) -> Result<Vec<StoredPart>, Error> {
        let mut parts = self
            .calls
            .list_parts()
            .bucket(&at.bucket)
            .key(&at.key)
            .upload_id(&upload.0)
            .into_paginator()
            .items()
            .send();
        let mut all = Vec::new();
        while let Some(part) = parts.next().await {
            let part = part.map_err(|e| self.error(format!("parts of {at}"), e))?;
            all.extend(convert::part(part));
        }
        Ok(all)
    }

    async fn copy(&self, from: &ObjectAddress, to: &ObjectAddress) -> Result<String, Error> {
        let answer = self
            .transfers
            .copy_object()
            .copy_source(convert::copy_source(from))
            .bucket(&to.bucket)
            .key(&to.key)
            .send()
            .await
            .map_err(|e| self.error(format!("copy of {from} to {to}"), e))?;
        self.tag(to, answer.copy_object_result.and_then(|copied| copied.e_tag))
    }

    async fn delete(&self, at: &ObjectAddress) -> Result<(), Error> {
        let answer = self.calls.delete_object().bucket(&at.bucket).key(&at.key).send().await;
        answer.map(drop).map_err(|e| self.error(at, e))
    }

    async fn list(&self, list: ListObjects) -> Result<ListPage, Error> {
        let answer = self
            .calls
            .list_objects_v2()
            .bucket(&list.bucket)
            .prefix(&list.prefix)
            .set_start_after(list.start_after)
            .max_keys(convert::number(list.max_keys.min(MAX_KEYS)))
            .send()
            .await
            .map_err(|e| self.error(format!("list of s3://{}/{}", list.bucket, list.prefix), e))?;
        Ok(convert::page(answer))
    }
}

#[cfg(test)]
mod tests;
