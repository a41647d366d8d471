//! The object store as the port of the core: no HTTP, the same answers.

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use cpe_ports::{
    BlobStore, ByteRange, ChecksumAlgorithm, CompletedPart, Error, ErrorKind, GetObject,
    ListObjects, ListPage, ObjectAddress, ObjectMeta, PutCondition, PutOptions, StoredPart,
    UploadId,
};
use cpe_swf::Timestamp;
use futures::{StreamExt, stream};

use super::{
    checksums::{Algorithm, Checksum, ChecksumKind, ChecksumPlan},
    error::StoreError,
    index::{Complete, ListedPart, UploadsQuery},
    model::{
        Encryption, EntityTag, EntityTags, Entry, Headers, ListQuery, Object, ReadConditions,
        WriteCondition,
    },
    objects::{Copy, DEFAULT_REGION, Objects, Put},
    receive::{Announced, BodyStream, Incoming},
};

/// Unfinished uploads to one key that are told.
const MAX_UPLOADS: usize = 1000;

#[async_trait]
impl BlobStore for Objects {
    async fn create_bucket(&self, bucket: &str) -> Result<(), Error> {
        Objects::create_bucket(self, bucket, DEFAULT_REGION).await?;
        Ok(())
    }

    async fn head(&self, at: &ObjectAddress) -> Result<ObjectMeta, Error> {
        let object = Objects::head(self, at, &ReadConditions::default()).await?;
        Ok(meta_of(object))
    }

    async fn get(&self, at: &ObjectAddress, range: Option<ByteRange>) -> Result<GetObject, Error> {
        read(self, at, range, ReadConditions::default()).await
    }

    async fn get_matching(
        &self,
        at: &ObjectAddress,
        range: Option<ByteRange>,
        etag: &str,
    ) -> Result<GetObject, Error> {
        let matches = Some(EntityTags::One(EntityTag::parse(etag)));
        read(self, at, range, ReadConditions { matches, ..ReadConditions::default() }).await
    }

    async fn put(
        &self,
        at: &ObjectAddress,
        body: Bytes,
        mut options: PutOptions,
    ) -> Result<String, Error> {
        let condition = match options.condition.take() {
            None => WriteCondition::Always,
            Some(PutCondition::Absent) => WriteCondition::Absent,
            Some(PutCondition::Matches(etag)) => WriteCondition::Matches(EntityTag::parse(&etag)),
        };
        let (headers, storage_class) = headers_of(options);
        let announced = announced(&body);
        let put = Put { headers, storage_class, condition, announced };
        match Objects::put(self, at, whole(body), put).await {
            Ok(stored) => Ok(stored.etag.quoted()),
            // S3's answer to `If-Match` for a key that nothing has. For the port it is one more
            // condition that does not hold.
            Err(error @ StoreError::NoSuchKey { .. }) => {
                Err(Error::new(ErrorKind::AlreadyExists, error.to_string()).with_code(error.code()))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn create_upload(
        &self,
        at: &ObjectAddress,
        options: PutOptions,
    ) -> Result<UploadId, Error> {
        let (headers, storage_class) = headers_of(options);
        let plan = ChecksumPlan {
            algorithm: Algorithm::DEFAULT,
            kind: ChecksumKind::FullObject,
            asked: false,
        };
        Ok(Objects::create_upload(self, at, headers, storage_class, plan).await?)
    }

    async fn upload_part(
        &self,
        at: &ObjectAddress,
        upload: &UploadId,
        number: u32,
        body: Bytes,
    ) -> Result<CompletedPart, Error> {
        let part = Incoming { announced: announced(&body), body: whole(body) };
        let part = Objects::upload_part(self, at, upload, number, part).await?;
        Ok(CompletedPart { number, etag: part.etag.quoted() })
    }

    async fn complete_upload(
        &self,
        at: &ObjectAddress,
        upload: &UploadId,
        parts: Vec<CompletedPart>,
    ) -> Result<String, Error> {
        let parts = parts
            .into_iter()
            .map(|part| ListedPart {
                number: part.number,
                etag: EntityTag::parse(&part.etag),
                checksum: None,
            })
            .collect();
        let complete = Complete {
            parts,
            condition: WriteCondition::Always,
            size: None,
            checksum: None,
            now: Timestamp::default(),
        };
        let stored = Objects::complete_upload(self, at, upload, complete).await?;
        Ok(stored.etag.quoted())
    }

    async fn abort_upload(&self, at: &ObjectAddress, upload: &UploadId) -> Result<(), Error> {
        Ok(Objects::abort_upload(self, at, upload).await?)
    }

    async fn list_uploads(&self, at: &ObjectAddress) -> Result<Vec<UploadId>, Error> {
        let keys = ListQuery {
            bucket: at.bucket.clone(),
            prefix: at.key.clone(),
            delimiter: None,
            after: None,
            max: MAX_UPLOADS,
        };
        let page = Objects::list_uploads(self, UploadsQuery { keys, after_upload: None }).await?;
        let of_key = page.entries.into_iter().filter_map(|entry| match entry {
            Entry::One(key, upload) if key == at.key => Some(UploadId(upload.id)),
            _ => None,
        });
        Ok(of_key.collect())
    }

    async fn list_parts(
        &self,
        at: &ObjectAddress,
        upload: &UploadId,
    ) -> Result<Vec<StoredPart>, Error> {
        let mut all: Vec<StoredPart> = Vec::new();
        loop {
            let after = all.last().map_or(0, |part| part.number);
            let (_, parts, more) = Objects::list_parts(self, at, upload, after, usize::MAX).await?;
            all.extend(parts.into_iter().map(|part| StoredPart {
                number: part.number,
                etag: part.etag.quoted(),
                size: part.size,
            }));
            if !more {
                return Ok(all);
            }
        }
    }

    async fn copy(&self, from: &ObjectAddress, to: &ObjectAddress) -> Result<String, Error> {
        let stored = Objects::copy(self, from, to, Copy::default()).await?;
        Ok(stored.etag.quoted())
    }

    async fn delete(&self, at: &ObjectAddress) -> Result<(), Error> {
        Ok(Objects::delete(self, at, WriteCondition::Always).await?)
    }

    async fn list(&self, list: ListObjects) -> Result<ListPage, Error> {
        let query = ListQuery {
            bucket: list.bucket,
            prefix: list.prefix,
            delimiter: None,
            after: list.start_after,
            max: usize::try_from(list.max_keys).unwrap_or(usize::MAX),
        };
        let page = Objects::list(self, query).await?;
        let objects = page
            .entries
            .into_iter()
            .filter_map(|entry| match entry {
                Entry::One(key, listed) => Some((
                    key,
                    ObjectMeta {
                        size: listed.size,
                        etag: listed.etag.quoted(),
                        last_modified: listed.modified,
                        ..ObjectMeta::default()
                    },
                )),
                // There are none without a delimiter.
                Entry::CommonPrefix(_) => None,
            })
            .collect();
        Ok(ListPage { objects, truncated: page.truncated })
    }
}

async fn read(
    objects: &Objects,
    at: &ObjectAddress,
    range: Option<ByteRange>,
    conditions: ReadConditions,
) -> Result<GetObject, Error> {
    let got = Objects::get(objects, at, range.into(), conditions).await?;
    let object = got.found.object;
    let checksum = object.checksum.as_ref().filter(|_| range.is_none()).and_then(port_checksum);
    let body = got.body.map(|piece| piece.map_err(|error| StoreError::Disk(error).into()));
    Ok(GetObject { meta: meta_of(object), body: body.boxed(), checksum })
}

/// As the port has it, if it is of the whole object and of a kind that the port knows.
fn port_checksum(checksum: &Checksum) -> Option<cpe_ports::Checksum> {
    let algorithm = match (checksum.kind, checksum.algorithm) {
        (ChecksumKind::Composite, _) | (_, Algorithm::Sha1 | Algorithm::Sha256) => return None,
        (ChecksumKind::FullObject, Algorithm::Crc32) => ChecksumAlgorithm::Crc32,
        (ChecksumKind::FullObject, Algorithm::Crc32c) => ChecksumAlgorithm::Crc32c,
        (ChecksumKind::FullObject, Algorithm::Crc64nvme) => ChecksumAlgorithm::Crc64Nvme,
    };
    cpe_ports::Checksum::from_bytes(algorithm, &BASE64.decode(&checksum.value).ok()?)
}

fn meta_of(object: Object) -> ObjectMeta {
    ObjectMeta {
        size: object.size,
        etag: object.etag.quoted(),
        content_type: object.headers.content_type,
        last_modified: object.modified,
        metadata: object.headers.metadata,
    }
}

fn headers_of(options: PutOptions) -> (Headers, Option<String>) {
    let headers = Headers {
        content_type: options.content_type,
        metadata: options.metadata,
        encryption: options.encrypt.then(|| Encryption {
            algorithm: "AES256".to_owned(),
            kms_key: None,
            bucket_key: None,
        }),
        ..Headers::default()
    };
    (headers, options.storage_class)
}

fn announced(body: &Bytes) -> Announced {
    Announced { length: Some(body.len() as u64), ..Announced::default() }
}

fn whole(body: Bytes) -> BodyStream {
    stream::iter([Ok(body)]).boxed()
}
