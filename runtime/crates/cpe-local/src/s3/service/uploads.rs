//! Operations of multipart uploads.

use cpe_ports::{ObjectAddress, UploadId};
use cpe_swf::Timestamp;
use s3s::{
    S3Request, S3Result,
    dto::{
        self, AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumAlgorithm,
        ChecksumType, CommonPrefix, CompleteMultipartUploadInput, CompleteMultipartUploadOutput,
        CompletedPart, CopyPartResult, CreateMultipartUploadInput, CreateMultipartUploadOutput,
        Initiator, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListPartsInput,
        ListPartsOutput, MultipartUpload, Part, StorageClass, UploadPartCopyInput,
        UploadPartCopyOutput, UploadPartInput, UploadPartOutput,
    },
};

use super::{
    OWNER, Service,
    acl::Asked,
    buckets::{entries_told, owner},
    convert::{
        Names, Upload, algorithm, checksum, encryption, etag, instant, kind, page_size, range,
        read_conditions, refuse, signed, source, sums, tags_of, timestamp, told, write_condition,
    },
};
use crate::s3::{
    checksums::ChecksumPlan,
    error::StoreError,
    index::{self, Complete, ListedPart, ListedUpload, UploadsQuery},
    model::{EntityTag, Entry, Headers, ListQuery, MAX_LIST},
    multipart::PartSource,
};

const SSE_C: &str = "encryption with the client's own keys";

impl Service {
    pub(super) async fn create_upload(
        &self,
        input: CreateMultipartUploadInput,
    ) -> S3Result<CreateMultipartUploadOutput> {
        refuse([
            (input.sse_customer_key.is_some(), SSE_C),
            (input.object_lock_mode.is_some(), "object lock"),
            (input.object_lock_legal_hold_status.is_some(), "object lock"),
        ])?;
        let plan = ChecksumPlan::new(
            input.checksum_algorithm.as_ref().map(algorithm).transpose()?,
            input.checksum_type.as_ref().map(kind).transpose()?,
        )
        .ok_or(StoreError::InvalidRequest(
            "the checksum type is not possible with the checksum algorithm",
        ))?;
        let encryption =
            encryption(input.server_side_encryption, input.ssekms_key_id, input.bucket_key_enabled);
        let (server_side_encryption, ssekms_key_id, bucket_key_enabled) = told(encryption.clone());
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
            website_redirect: input.website_redirect_location,
            encryption,
            acl: asked.take()?,
            metadata: input.metadata.into_iter().flatten().collect(),
            tags: tags_of(input.tagging.as_deref())?,
        };
        let storage_class = input.storage_class.map(|class| class.as_str().to_owned());
        let at = ObjectAddress::new(input.bucket, input.key);
        let id = self.objects.create_upload(&at, headers, storage_class, plan).await?;
        let (checksum_algorithm, checksum_type) = planned(plan);
        Ok(CreateMultipartUploadOutput {
            bucket: Some(at.bucket),
            key: Some(at.key),
            upload_id: Some(id.0),
            checksum_algorithm,
            checksum_type,
            server_side_encryption,
            ssekms_key_id,
            bucket_key_enabled,
            ..CreateMultipartUploadOutput::default()
        })
    }

    pub(super) async fn put_part(
        &self,
        req: S3Request<UploadPartInput>,
    ) -> S3Result<UploadPartOutput> {
        let S3Request { input, headers, extensions, .. } = req;
        refuse([(input.sse_customer_key.is_some(), SSE_C)])?;
        let incoming = Upload {
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
        let at = ObjectAddress::new(input.bucket, input.key);
        let (id, number) = (UploadId(input.upload_id), number(input.part_number));
        let part = self.objects.upload_part(&at, &id, number, incoming).await?;
        let sums = sums(part.checksum);
        let (server_side_encryption, ssekms_key_id, bucket_key_enabled) = told(part.encryption);
        Ok(UploadPartOutput {
            checksum_crc32: sums.checksum_crc32,
            checksum_crc32c: sums.checksum_crc32c,
            checksum_crc64nvme: sums.checksum_crc64nvme,
            checksum_sha1: sums.checksum_sha1,
            checksum_sha256: sums.checksum_sha256,
            e_tag: Some(etag(&part.etag)),
            server_side_encryption,
            ssekms_key_id,
            bucket_key_enabled,
            ..UploadPartOutput::default()
        })
    }

    pub(super) async fn copy_part(
        &self,
        input: UploadPartCopyInput,
    ) -> S3Result<UploadPartCopyOutput> {
        refuse([
            (input.sse_customer_key.is_some(), SSE_C),
            (input.copy_source_sse_customer_key.is_some(), SSE_C),
        ])?;
        let wanted = input.copy_source_range.as_deref().map(|text| {
            dto::Range::parse(text).map(range).map_err(|_| {
                StoreError::InvalidArgument("x-amz-copy-source-range must be bytes=first-last")
            })
        });
        let part_source = PartSource {
            from: source(input.copy_source)?,
            range: wanted.transpose()?,
            conditions: read_conditions(
                input.copy_source_if_match,
                input.copy_source_if_none_match,
                input.copy_source_if_modified_since,
                input.copy_source_if_unmodified_since,
            ),
        };
        let at = ObjectAddress::new(input.bucket, input.key);
        let (id, number) = (UploadId(input.upload_id), number(input.part_number));
        let part = self.objects.upload_part_copy(&at, &id, number, part_source).await?;
        let sums = sums(part.checksum);
        let (server_side_encryption, ssekms_key_id, bucket_key_enabled) = told(part.encryption);
        Ok(UploadPartCopyOutput {
            copy_part_result: Some(CopyPartResult {
                checksum_crc32: sums.checksum_crc32,
                checksum_crc32c: sums.checksum_crc32c,
                checksum_crc64nvme: sums.checksum_crc64nvme,
                checksum_sha1: sums.checksum_sha1,
                checksum_sha256: sums.checksum_sha256,
                e_tag: Some(etag(&part.etag)),
                last_modified: Some(timestamp(part.modified)),
            }),
            server_side_encryption,
            ssekms_key_id,
            bucket_key_enabled,
            ..UploadPartCopyOutput::default()
        })
    }

    pub(super) async fn complete(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<CompleteMultipartUploadOutput> {
        let S3Request { input, headers, .. } = req;
        let parts = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let complete = Complete {
            parts: parts.into_iter().map(listed).collect::<Result<_, _>>()?,
            condition: write_condition(input.if_match, input.if_none_match)?,
            size: input.mpu_object_size.and_then(|size| u64::try_from(size).ok()),
            checksum: checksum(dto::Checksum {
                checksum_crc32: input.checksum_crc32,
                checksum_crc32c: input.checksum_crc32c,
                checksum_crc64nvme: input.checksum_crc64nvme,
                checksum_sha1: input.checksum_sha1,
                checksum_sha256: input.checksum_sha256,
                checksum_type: None,
            })?,
            now: Timestamp::default(),
        };
        let at = ObjectAddress::new(input.bucket, input.key);
        let id = UploadId(input.upload_id);
        let stored = self.objects.complete_upload(&at, &id, complete).await?;
        let host = headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
        let key = Names::for_urls().write(&at.key);
        let sums = sums(stored.checksum);
        let (server_side_encryption, ssekms_key_id, bucket_key_enabled) = told(stored.encryption);
        Ok(CompleteMultipartUploadOutput {
            location: Some(format!("http://{}/{}/{key}", host.unwrap_or("localhost"), at.bucket)),
            bucket: Some(at.bucket),
            key: Some(at.key),
            e_tag: Some(etag(&stored.etag)),
            checksum_crc32: sums.checksum_crc32,
            checksum_crc32c: sums.checksum_crc32c,
            checksum_crc64nvme: sums.checksum_crc64nvme,
            checksum_sha1: sums.checksum_sha1,
            checksum_sha256: sums.checksum_sha256,
            checksum_type: sums.checksum_type,
            server_side_encryption,
            ssekms_key_id,
            bucket_key_enabled,
            ..CompleteMultipartUploadOutput::default()
        })
    }

    pub(super) async fn abort(
        &self,
        input: AbortMultipartUploadInput,
    ) -> S3Result<AbortMultipartUploadOutput> {
        refuse([(
            input.if_match_initiated_time.is_some(),
            "aborting by the time of the beginning",
        )])?;
        let at = ObjectAddress::new(input.bucket, input.key);
        self.objects.abort_upload(&at, &UploadId(input.upload_id)).await?;
        Ok(AbortMultipartUploadOutput::default())
    }

    pub(super) async fn parts(&self, input: ListPartsInput) -> S3Result<ListPartsOutput> {
        let at = ObjectAddress::new(input.bucket, input.key);
        let id = UploadId(input.upload_id);
        let after = input.part_number_marker.unwrap_or_default();
        let after = u32::try_from(after).map_err(|_| {
            StoreError::InvalidArgument(
                "Argument part-number-marker must be an integer between 0 and 2147483647",
            )
        })?;
        let max = page_size("max-parts", input.max_parts, MAX_LIST)?;
        let (upload, parts, more) = self.objects.list_parts(&at, &id, after, max).await?;
        let last = parts.last().map_or(0, |part| part.number);
        let (checksum_algorithm, checksum_type) = planned(upload.plan);
        Ok(ListPartsOutput {
            bucket: Some(at.bucket),
            key: Some(at.key),
            upload_id: Some(id.0),
            max_parts: Some(entries_told(max)),
            is_truncated: Some(more),
            part_number_marker: Some(input.part_number_marker.unwrap_or_default()),
            next_part_number_marker: last.try_into().ok(),
            parts: Some(parts.into_iter().map(part_of).collect()),
            storage_class: Some(StorageClass::from(upload.storage_class)),
            owner: Some(owner()),
            initiator: Some(initiator()),
            checksum_algorithm,
            checksum_type,
            ..ListPartsOutput::default()
        })
    }

    pub(super) async fn uploads(
        &self,
        input: ListMultipartUploadsInput,
    ) -> S3Result<ListMultipartUploadsOutput> {
        let names = Names::new(input.encoding_type.as_ref())?;
        let max = page_size("max-uploads", input.max_uploads, MAX_LIST)?;
        let query = UploadsQuery {
            keys: ListQuery {
                bucket: input.bucket.clone(),
                prefix: input.prefix.clone().unwrap_or_default(),
                delimiter: input.delimiter.clone(),
                after: input.key_marker.clone().filter(|marker| !marker.is_empty()),
                max,
            },
            after_upload: input.upload_id_marker.clone().filter(|marker| !marker.is_empty()),
        };
        let page = self.objects.list_uploads(query).await?;
        let last = page.entries.last().filter(|_| page.truncated);
        let next_key_marker = last.map(|entry| names.write(entry.name()));
        let next_upload_id_marker = last.and_then(|entry| match entry {
            Entry::One(_, upload) => Some(upload.id.clone()),
            Entry::CommonPrefix(_) => None,
        });
        let (mut uploads, mut common_prefixes) = (Vec::new(), Vec::new());
        for entry in page.entries {
            match entry {
                Entry::One(key, upload) => uploads.push(upload_of(names.write(&key), upload)),
                Entry::CommonPrefix(prefix) => {
                    common_prefixes.push(CommonPrefix { prefix: Some(names.write(&prefix)) });
                }
            }
        }
        Ok(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            prefix: Some(names.write(&input.prefix.unwrap_or_default())),
            delimiter: input.delimiter.map(|delimiter| names.write(&delimiter)),
            key_marker: Some(names.write(&input.key_marker.unwrap_or_default())),
            upload_id_marker: Some(input.upload_id_marker.unwrap_or_default()),
            max_uploads: Some(entries_told(max)),
            is_truncated: Some(page.truncated),
            next_key_marker,
            next_upload_id_marker,
            uploads: Some(uploads),
            common_prefixes: Some(common_prefixes),
            encoding_type: input.encoding_type,
            request_charged: None,
        })
    }
}

/// A part's number. None is 0, so what is no number becomes that.
fn number(number: i32) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

fn listed(part: CompletedPart) -> Result<ListedPart, StoreError> {
    let (Some(number), Some(tag)) = (part.part_number, part.e_tag) else {
        return Err(StoreError::MalformedXml("each part has a PartNumber and an ETag"));
    };
    let checksum = checksum(dto::Checksum {
        checksum_crc32: part.checksum_crc32,
        checksum_crc32c: part.checksum_crc32c,
        checksum_crc64nvme: part.checksum_crc64nvme,
        checksum_sha1: part.checksum_sha1,
        checksum_sha256: part.checksum_sha256,
        checksum_type: None,
    })?;
    Ok(ListedPart { number: self::number(number), etag: EntityTag(tag.into_value()), checksum })
}

fn part_of(part: index::Part) -> Part {
    let sums = sums(part.checksum);
    Part {
        checksum_crc32: sums.checksum_crc32,
        checksum_crc32c: sums.checksum_crc32c,
        checksum_crc64nvme: sums.checksum_crc64nvme,
        checksum_sha1: sums.checksum_sha1,
        checksum_sha256: sums.checksum_sha256,
        e_tag: Some(etag(&part.etag)),
        last_modified: Some(timestamp(part.modified)),
        part_number: part.number.try_into().ok(),
        size: Some(signed(part.size)),
    }
}

fn upload_of(key: String, upload: ListedUpload) -> MultipartUpload {
    let (checksum_algorithm, checksum_type) = planned(upload.plan);
    MultipartUpload {
        checksum_algorithm,
        checksum_type,
        initiated: Some(timestamp(upload.started)),
        initiator: Some(initiator()),
        key: Some(key),
        owner: Some(owner()),
        storage_class: Some(StorageClass::from(upload.storage_class)),
        upload_id: Some(upload.id),
    }
}

/// What is told of an upload's checksum: nothing, if the client did not ask for one.
fn planned(plan: ChecksumPlan) -> (Option<ChecksumAlgorithm>, Option<ChecksumType>) {
    if !plan.asked {
        return (None, None);
    }
    let algorithm = ChecksumAlgorithm::from_static(plan.algorithm.name());
    (Some(algorithm), Some(ChecksumType::from_static(plan.kind.name())))
}

fn initiator() -> Initiator {
    Initiator { display_name: None, id: Some(OWNER.to_owned()) }
}
