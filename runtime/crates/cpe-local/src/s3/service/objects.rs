//! Operations on single objects.

use cpe_ports::ObjectAddress;
use futures::TryStreamExt;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{IF_MATCH, IF_NONE_MATCH},
};
use http_body_util::StreamBody;
use hyper::body::Frame;
use s3s::{
    Body, S3Error, S3Request, S3Response, S3Result,
    dto::{
        self, ChecksumMode, CopyObjectInput, CopyObjectOutput, CopyObjectResult, DeleteObjectInput,
        DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ETagCondition,
        GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, MetadataDirective,
        PutObjectInput, PutObjectOutput, StorageClass, StreamingBlob, TaggingDirective,
    },
};

use super::{
    Service,
    acl::Asked,
    convert::{
        Upload, algorithm, encryption, etag, instant, no_version, range, read_conditions, refuse,
        signed, source, sums, tags_of, timestamp, told, write_condition,
    },
};
use crate::s3::{
    error::StoreError,
    model::{EntityTag, Headers, MAX_LIST, MAX_PARTS, Object, STANDARD, Wanted, WriteCondition},
    objects::{Copy, Found, Put},
    receive::Incoming,
};

const SSE_C: &str = "encryption with the client's own keys";
const LOCK: &str = "object lock";

impl Service {
    pub(super) async fn put(&self, req: S3Request<PutObjectInput>) -> S3Result<PutObjectOutput> {
        let S3Request { mut input, headers, extensions, .. } = req;
        refuse([
            (input.sse_customer_key.is_some(), SSE_C),
            (input.object_lock_mode.is_some(), LOCK),
            (input.object_lock_legal_hold_status.is_some(), LOCK),
            (input.write_offset_bytes.is_some(), "appending to objects"),
        ])?;
        let acl = granted(&mut input).take()?;
        let encryption =
            encryption(input.server_side_encryption, input.ssekms_key_id, input.bucket_key_enabled);
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
                encryption,
                acl,
                metadata: input.metadata.into_iter().flatten().collect(),
                tags: tags_of(input.tagging.as_deref())?,
            },
            storage_class: input.storage_class.map(|class| class.as_str().to_owned()),
            condition: write_condition(input.if_match, input.if_none_match)?,
            announced,
        };
        let at = ObjectAddress::new(input.bucket, input.key);
        let stored = self.objects.put(&at, body, put).await?;
        let sums = sums(stored.checksum);
        let (server_side_encryption, ssekms_key_id, bucket_key_enabled) = told(stored.encryption);
        Ok(PutObjectOutput {
            checksum_crc32: sums.checksum_crc32,
            checksum_crc32c: sums.checksum_crc32c,
            checksum_crc64nvme: sums.checksum_crc64nvme,
            checksum_sha1: sums.checksum_sha1,
            checksum_sha256: sums.checksum_sha256,
            checksum_type: sums.checksum_type,
            e_tag: Some(etag(&stored.etag)),
            server_side_encryption,
            ssekms_key_id,
            bucket_key_enabled,
            ..PutObjectOutput::default()
        })
    }

    pub(super) async fn get(&self, input: GetObjectInput) -> S3Result<GetObjectOutput> {
        no_version(input.version_id.as_deref())?;
        refuse([(input.sse_customer_key.is_some(), SSE_C)])?;
        let wanted = wanted(input.range, input.part_number)?;
        let conditions = read_conditions(
            input.if_match,
            input.if_none_match,
            input.if_modified_since,
            input.if_unmodified_since,
        );
        let at = ObjectAddress::new(input.bucket, input.key);
        let got = self.objects.get(&at, wanted, conditions).await?;
        let body = StreamBody::new(got.body.map_ok(Frame::data));
        let tag_count = tag_count(&got.found.object);
        let head = head_of(got.found, wanted, is_checked(input.checksum_mode.as_ref()));
        Ok(GetObjectOutput {
            accept_ranges: head.accept_ranges,
            bucket_key_enabled: head.bucket_key_enabled,
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
            content_length: head.content_length,
            content_range: head.content_range,
            content_type: head.content_type,
            e_tag: head.e_tag,
            expires: head.expires,
            last_modified: head.last_modified,
            metadata: head.metadata,
            parts_count: head.parts_count,
            server_side_encryption: head.server_side_encryption,
            ssekms_key_id: head.ssekms_key_id,
            storage_class: head.storage_class,
            tag_count,
            website_redirect_location: head.website_redirect_location,
            ..GetObjectOutput::default()
        })
    }

    pub(super) async fn head(
        &self,
        input: HeadObjectInput,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        no_version(input.version_id.as_deref())?;
        refuse([(input.sse_customer_key.is_some(), SSE_C)])?;
        let wanted = wanted(input.range, input.part_number)?;
        let conditions = read_conditions(
            input.if_match,
            input.if_none_match,
            input.if_modified_since,
            input.if_unmodified_since,
        );
        let at = ObjectAddress::new(input.bucket, input.key);
        let found = self.objects.look(&at, wanted, conditions).await?;
        let tag_count = tag_count(&found.object);
        let head = head_of(found, wanted, is_checked(input.checksum_mode.as_ref()));
        let mut response = S3Response::new(head);
        // `s3s` has no field for it.
        if let Some(count) = tag_count {
            response.headers.insert("x-amz-tagging-count", count.into());
        }
        Ok(response)
    }

    pub(super) async fn copy(&self, req: S3Request<CopyObjectInput>) -> S3Result<CopyObjectOutput> {
        let S3Request { input, headers: sent, .. } = req;
        refuse([
            (input.sse_customer_key.is_some(), SSE_C),
            (input.copy_source_sse_customer_key.is_some(), SSE_C),
            (input.object_lock_mode.is_some(), LOCK),
            (input.object_lock_legal_hold_status.is_some(), LOCK),
        ])?;
        let from = source(input.copy_source.clone())?;
        let to = ObjectAddress::new(input.bucket.clone(), input.key.clone());
        let stored = self.objects.copy(&from, &to, copy_of(input, &sent)?).await?;
        let sums = sums(stored.checksum);
        let (server_side_encryption, ssekms_key_id, bucket_key_enabled) = told(stored.encryption);
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
            server_side_encryption,
            ssekms_key_id,
            bucket_key_enabled,
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

/// What a put grants, taken out of it.
fn granted(input: &mut PutObjectInput) -> Asked {
    Asked {
        canned: input.acl.take().map(|acl| acl.as_str().to_owned()),
        full_control: input.grant_full_control.take(),
        read: input.grant_read.take(),
        read_acp: input.grant_read_acp.take(),
        write_acp: input.grant_write_acp.take(),
        ..Asked::default()
    }
}

/// How a copy is to be made.
fn copy_of(input: CopyObjectInput, sent: &HeaderMap) -> Result<Copy, StoreError> {
    let directive = input.metadata_directive.as_ref().map(MetadataDirective::as_str);
    let replaces = is_replaced(directive, "Unknown metadata directive.")?;
    let directive = input.tagging_directive.as_ref().map(TaggingDirective::as_str);
    let replaces_tags = is_replaced(directive, "Unknown tagging directive.")?;
    let tags = tags_of(input.tagging.as_deref())?;
    if !replaces_tags && !tags.is_empty() {
        let why = "x-amz-tagging is taken with x-amz-tagging-directive: REPLACE only";
        return Err(StoreError::InvalidArgument(why));
    }
    let encryption =
        encryption(input.server_side_encryption, input.ssekms_key_id, input.bucket_key_enabled);
    let asked = Asked {
        canned: input.acl.map(|acl| acl.as_str().to_owned()),
        full_control: input.grant_full_control,
        read: input.grant_read,
        read_acp: input.grant_read_acp,
        write_acp: input.grant_write_acp,
        ..Asked::default()
    };
    let headers = Headers {
        content_type: input.content_type,
        cache_control: input.cache_control,
        content_disposition: input.content_disposition,
        content_encoding: input.content_encoding,
        content_language: input.content_language,
        expires: input.expires.map(|time| instant(time).as_millis()),
        metadata: input.metadata.into_iter().flatten().collect(),
        ..Headers::default()
    };
    Ok(Copy {
        from_conditions: read_conditions(
            input.copy_source_if_match,
            input.copy_source_if_none_match,
            input.copy_source_if_modified_since,
            input.copy_source_if_unmodified_since,
        ),
        // `s3s` does not know the conditions that a copy sets to what is there.
        condition: write_condition(
            sent_condition(sent, &IF_MATCH)?,
            sent_condition(sent, &IF_NONE_MATCH)?,
        )?,
        headers: replaces.then_some(headers),
        tags: replaces_tags.then_some(tags),
        website_redirect: input.website_redirect_location,
        encryption,
        acl: asked.take()?,
        checksum: input.checksum_algorithm.as_ref().map(algorithm).transpose()?,
        storage_class: input.storage_class.map(|class| class.as_str().to_owned()),
    })
}

fn is_checked(mode: Option<&ChecksumMode>) -> bool {
    mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED)
}

fn head_of(found: Found, wanted: Wanted, with_checksum: bool) -> HeadObjectOutput {
    let Found { object, bytes, parts } = found;
    let Object { size, etag: tag, modified, storage_class, checksum, headers, .. } = object;
    // Of no bytes there is no range.
    let is_part = wanted != Wanted::All && !bytes.is_empty();
    let (first, end) = (bytes.start, bytes.end);
    // Of a part of an object there is no checksum; a client would compare and fail.
    let sums = sums(checksum.filter(|_| with_checksum && end - first == size));
    let expires = headers.expires.map(cpe_swf::Timestamp::from_millis).map(timestamp);
    let (server_side_encryption, ssekms_key_id, bucket_key_enabled) = told(headers.encryption);
    HeadObjectOutput {
        bucket_key_enabled,
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
        content_length: Some(signed(end - first)),
        content_range: is_part.then(|| format!("bytes {first}-{}/{size}", end.saturating_sub(1))),
        content_type: headers.content_type,
        e_tag: Some(etag(&tag)),
        expires,
        last_modified: Some(timestamp(modified)),
        metadata: Some(headers.metadata.into_iter().collect()),
        parts_count: parts.and_then(|parts| parts.try_into().ok()),
        server_side_encryption,
        ssekms_key_id,
        // Of the ordinary one S3 says nothing.
        storage_class: (storage_class != STANDARD).then(|| StorageClass::from(storage_class)),
        website_redirect_location: headers.website_redirect,
        ..HeadObjectOutput::default()
    }
}

fn tag_count(object: &Object) -> Option<i32> {
    i32::try_from(object.headers.tags.len()).ok().filter(|count| *count > 0)
}

fn wanted(range: Option<dto::Range>, part: Option<i32>) -> Result<Wanted, StoreError> {
    match (range, part) {
        (range, None) => Ok(range.map(self::range).into()),
        (None, Some(number)) => match u32::try_from(number) {
            Ok(number) if (1..=MAX_PARTS).contains(&number) => Ok(Wanted::Part(number)),
            _ => Err(StoreError::part_number(number)),
        },
        (Some(_), Some(_)) => Err(StoreError::InvalidRequest(
            "Cannot specify both Range header and partNumber query parameter",
        )),
    }
}

/// Whether a copy takes something from the request, not from its source.
fn is_replaced(directive: Option<&str>, unknown: &'static str) -> Result<bool, StoreError> {
    match directive {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(_) => Err(StoreError::InvalidArgument(unknown)),
    }
}

fn sent_condition(
    headers: &HeaderMap,
    name: &HeaderName,
) -> Result<Option<ETagCondition>, StoreError> {
    let parse = |value: &HeaderValue| {
        ETagCondition::parse_http_header(value.as_bytes())
            .map_err(|_| StoreError::InvalidArgument("a condition is an entity tag or *"))
    };
    headers.get(name).map(parse).transpose()
}
