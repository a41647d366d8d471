//! Operations on single objects.

use cpe_ports::ObjectAddress;
use futures::TryStreamExt;
use http_body_util::StreamBody;
use hyper::body::Frame;
use s3s::{
    Body, S3Error, S3Request, S3Result,
    dto::{
        self, ChecksumMode, CopyObjectInput, CopyObjectOutput, CopyObjectResult, DeleteObjectInput,
        DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, GetObjectInput,
        GetObjectOutput, HeadObjectInput, HeadObjectOutput, MetadataDirective, PutObjectInput,
        PutObjectOutput, StorageClass, StreamingBlob,
    },
    s3_error,
};

use super::{
    Service,
    convert::{
        Upload, etag, instant, no_version, range, read_conditions, refuse, signed, source, sums,
        timestamp, write_condition,
    },
};
use crate::s3::{
    error::StoreError,
    model::{EntityTag, Headers, MAX_LIST, Object, STANDARD, WriteCondition},
    objects::{Copy, Put},
    receive::Incoming,
};

const SSE_C: &str = "encryption with the client's own keys";
const TAGS: &str = "tagging of objects";
const LOCK: &str = "object lock";

impl Service {
    pub(super) async fn put(&self, req: S3Request<PutObjectInput>) -> S3Result<PutObjectOutput> {
        let S3Request { input, headers, extensions, .. } = req;
        refuse([
            (input.sse_customer_key.is_some(), SSE_C),
            (input.tagging.as_ref().is_some_and(|tags| !tags.is_empty()), TAGS),
            (input.object_lock_mode.is_some(), LOCK),
            (input.object_lock_legal_hold_status.is_some(), LOCK),
            (input.write_offset_bytes.is_some(), "appending to objects"),
        ])?;
        let encryption = input.server_side_encryption.clone();
        let Incoming { body, announced } = Upload {
            body: input.body,
            length: input.content_length,
            md5: input.content_md5,
            algorithm: input.checksum_algorithm,
            sums: dto::Checksum {
                checksum_crc32: input.checksum_crc32,
                checksum_crc32c: input.checksum_crc32c,
                checksum_crc64nvme: input.checksum_crc64nvme,
                checksum_sha1: input.checksum_sha1,
                checksum_sha256: input.checksum_sha256,
                checksum_type: None,
            },
            headers: &headers,
            extensions: &extensions,
        }
        .take()?;
        let put = Put {
            headers: Headers {
                content_type: input.content_type,
                cache_control: input.cache_control,
                content_disposition: input.content_disposition,
                content_encoding: input.content_encoding,
                content_language: input.content_language,
                expires: input.expires.map(|time| instant(time).as_millis()),
                website_redirect: input.website_redirect_location,
                encryption: input.server_side_encryption.map(|sse| sse.as_str().to_owned()),
                metadata: input.metadata.into_iter().flatten().collect(),
            },
            storage_class: input.storage_class.map(|class| class.as_str().to_owned()),
            condition: write_condition(input.if_match, input.if_none_match)?,
            announced,
        };
        let at = ObjectAddress::new(input.bucket, input.key);
        let stored = self.objects.put(&at, body, put).await?;
        let sums = sums(stored.checksum);
        Ok(PutObjectOutput {
            checksum_crc32: sums.checksum_crc32,
            checksum_crc32c: sums.checksum_crc32c,
            checksum_crc64nvme: sums.checksum_crc64nvme,
            checksum_sha1: sums.checksum_sha1,
            checksum_sha256: sums.checksum_sha256,
            checksum_type: sums.checksum_type,
            e_tag: Some(etag(&stored.etag)),
            server_side_encryption: encryption,
            ..PutObjectOutput::default()
        })
    }

    pub(super) async fn get(&self, input: GetObjectInput) -> S3Result<GetObjectOutput> {
        no_version(input.version_id.as_deref())?;
        refuse([
            (input.sse_customer_key.is_some(), SSE_C),
            (input.part_number.is_some(), "reading by part number"),
        ])?;
        let conditions = read_conditions(
            input.if_match,
            input.if_none_match,
            input.if_modified_since,
            input.if_unmodified_since,
        );
        let at = ObjectAddress::new(input.bucket, input.key);
        let got = self.objects.get(&at, input.range.map(range), conditions).await?;
        let (bytes, is_part) = (got.bytes, input.range.is_some());
        let (first, size) = (bytes.start, got.object.size);
        let content_range =
            is_part.then(|| format!("bytes {first}-{}/{size}", bytes.end.saturating_sub(1)));
        let body = StreamBody::new(got.body.map_ok(Frame::data));
        // Of a part of an object there is no checksum; a client would compare and fail.
        let head = head_of(got.object, is_checked(input.checksum_mode.as_ref()) && !is_part);
        Ok(GetObjectOutput {
            accept_ranges: head.accept_ranges,
            body: Some(StreamingBlob::from(Body::http_body_unsync(body))),
            cache_control: head.cache_control,
            checksum_crc32: head.checksum_crc32,
            checksum_crc32c: head.checksum_crc32c,
            checksum_crc64nvme: head.checksum_crc64nvme,
            checksum_sha1: head.checksum_sha1,
            checksum_sha256: head.checksum_sha256,
            checksum_type: head.checksum_type,
            content_disposition: head.content_disposition,
            content_encoding: head.content_encoding,
            content_language: head.content_language,
            content_length: Some(signed(bytes.end - bytes.start)),
            content_range,
            content_type: head.content_type,
            e_tag: head.e_tag,
            expires: head.expires,
            last_modified: head.last_modified,
            metadata: head.metadata,
            server_side_encryption: head.server_side_encryption,
            storage_class: head.storage_class,
            website_redirect_location: head.website_redirect_location,
            ..GetObjectOutput::default()
        })
    }

    pub(super) async fn head(&self, input: HeadObjectInput) -> S3Result<HeadObjectOutput> {
        no_version(input.version_id.as_deref())?;
        refuse([
            (input.sse_customer_key.is_some(), SSE_C),
            (input.part_number.is_some(), "reading by part number"),
        ])?;
        let conditions = read_conditions(
            input.if_match,
            input.if_none_match,
            input.if_modified_since,
            input.if_unmodified_since,
        );
        let at = ObjectAddress::new(input.bucket, input.key);
        let object = self.objects.head(&at, &conditions).await?;
        Ok(head_of(object, is_checked(input.checksum_mode.as_ref())))
    }

    pub(super) async fn copy(&self, input: CopyObjectInput) -> S3Result<CopyObjectOutput> {
        refuse([
            (input.sse_customer_key.is_some(), SSE_C),
            (input.copy_source_sse_customer_key.is_some(), SSE_C),
            (input.tagging.as_ref().is_some_and(|tags| !tags.is_empty()), TAGS),
            (input.object_lock_mode.is_some(), LOCK),
            (input.object_lock_legal_hold_status.is_some(), LOCK),
        ])?;
        let replaces = match input.metadata_directive.as_ref().map(MetadataDirective::as_str) {
            None | Some(MetadataDirective::COPY) => false,
            Some(MetadataDirective::REPLACE) => true,
            Some(_) => return Err(s3_error!(InvalidArgument, "Unknown metadata directive.")),
        };
        let encryption = input.server_side_encryption.clone();
        let headers = Headers {
            content_type: input.content_type,
            cache_control: input.cache_control,
            content_disposition: input.content_disposition,
            content_encoding: input.content_encoding,
            content_language: input.content_language,
            expires: input.expires.map(|time| instant(time).as_millis()),
            website_redirect: input.website_redirect_location,
            encryption: input.server_side_encryption.map(|sse| sse.as_str().to_owned()),
            metadata: input.metadata.into_iter().flatten().collect(),
        };
        let copy = Copy {
            from_conditions: read_conditions(
                input.copy_source_if_match,
                input.copy_source_if_none_match,
                input.copy_source_if_modified_since,
                input.copy_source_if_unmodified_since,
            ),
            condition: WriteCondition::Always,
            headers: replaces.then_some(headers),
            storage_class: input.storage_class.map(|class| class.as_str().to_owned()),
        };
        let from = source(input.copy_source)?;
        let to = ObjectAddress::new(input.bucket, input.key);
        let stored = self.objects.copy(&from, &to, copy).await?;
        let sums = sums(stored.checksum);
        Ok(CopyObjectOutput {
            copy_object_result: Some(CopyObjectResult {
                checksum_crc32: sums.checksum_crc32,
                checksum_crc32c: sums.checksum_crc32c,
                checksum_crc64nvme: sums.checksum_crc64nvme,
                checksum_sha1: sums.checksum_sha1,
                checksum_sha256: sums.checksum_sha256,
                checksum_type: sums.checksum_type,
                e_tag: Some(etag(&stored.etag)),
                last_modified: Some(timestamp(stored.modified)),
            }),
            server_side_encryption: encryption,
            ..CopyObjectOutput::default()
        })
    }

    pub(super) async fn delete(&self, input: DeleteObjectInput) -> S3Result<DeleteObjectOutput> {
        no_version(input.version_id.as_deref())?;
        refuse([
            (input.if_match_size.is_some(), "deleting by size"),
            (input.if_match_last_modified_time.is_some(), "deleting by time"),
        ])?;
        let condition = write_condition(input.if_match, None)?;
        let at = ObjectAddress::new(input.bucket, input.key);
        self.objects.delete(&at, condition).await?;
        Ok(DeleteObjectOutput::default())
    }

    pub(super) async fn delete_many(
        &self,
        input: DeleteObjectsInput,
    ) -> S3Result<DeleteObjectsOutput> {
        if !(1..=MAX_LIST).contains(&input.delete.objects.len()) {
            return Err(StoreError::MalformedXml("1 to 1,000 objects are deleted at once").into());
        }
        let mut keys = Vec::with_capacity(input.delete.objects.len());
        for object in input.delete.objects {
            no_version(object.version_id.as_deref())?;
            let condition = match object.e_tag {
                Some(tag) => WriteCondition::Matches(EntityTag(tag.into_value())),
                None => WriteCondition::Always,
            };
            keys.push((object.key, condition));
        }
        let answers = self.objects.delete_many(&input.bucket, keys).await?;
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for (key, answer) in answers {
            match answer {
                Ok(()) if input.delete.quiet == Some(true) => {}
                Ok(()) => {
                    deleted.push(DeletedObject { key: Some(key), ..DeletedObject::default() });
                }
                Err(error) => errors.push(dto::Error {
                    code: Some(error.code().to_owned()),
                    message: S3Error::from(error).message().map(str::to_owned),
                    key: Some(key),
                    version_id: None,
                }),
            }
        }
        Ok(DeleteObjectsOutput {
            deleted: Some(deleted),
            errors: Some(errors),
            ..DeleteObjectsOutput::default()
        })
    }
}

fn is_checked(mode: Option<&ChecksumMode>) -> bool {
    mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED)
}

fn head_of(object: Object, with_checksum: bool) -> HeadObjectOutput {
    let Object { size, etag: tag, modified, storage_class, checksum, headers, .. } = object;
    let sums = sums(checksum.filter(|_| with_checksum));
    let expires = headers.expires.map(cpe_swf::Timestamp::from_millis).map(timestamp);
    HeadObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        cache_control: headers.cache_control,
        checksum_crc32: sums.checksum_crc32,
        checksum_crc32c: sums.checksum_crc32c,
        checksum_crc64nvme: sums.checksum_crc64nvme,
        checksum_sha1: sums.checksum_sha1,
        checksum_sha256: sums.checksum_sha256,
        checksum_type: sums.checksum_type,
        content_disposition: headers.content_disposition,
        content_encoding: headers.content_encoding,
        content_language: headers.content_language,
        content_length: Some(signed(size)),
        content_type: headers.content_type,
        e_tag: Some(etag(&tag)),
        expires,
        last_modified: Some(timestamp(modified)),
        metadata: Some(headers.metadata.into_iter().collect()),
        server_side_encryption: headers.encryption.map(Into::into),
        // Of the ordinary one S3 says nothing.
        storage_class: (storage_class != STANDARD).then(|| StorageClass::from(storage_class)),
        website_redirect_location: headers.website_redirect,
        ..HeadObjectOutput::default()
    }
}
