//! What else there is to know of an object: attributes, parts, tags.

use cpe_ports::ObjectAddress;
use s3s::{
    S3Response, S3Result,
    dto::{
        DeleteObjectTaggingInput, DeleteObjectTaggingOutput, GetObjectAttributesInput,
        GetObjectAttributesOutput, GetObjectAttributesParts, GetObjectTaggingInput,
        GetObjectTaggingOutput, ObjectAttributes, ObjectPart, PutObjectTaggingInput,
        PutObjectTaggingOutput, StorageClass, Tag, Tagging,
    },
};

use super::{
    Service,
    convert::{etag, no_version, page_size, refuse, signed, sums, timestamp},
};
use crate::s3::{
    error::StoreError,
    index::ObjectParts,
    model::{MAX_LIST, ReadConditions},
    tags::{self, Tags},
};

impl Service {
    pub(super) async fn attributes(
        &self,
        input: GetObjectAttributesInput,
    ) -> S3Result<S3Response<GetObjectAttributesOutput>> {
        no_version(input.version_id.as_deref())?;
        refuse([(input.sse_customer_key.is_some(), "encryption with the client's own keys")])?;
        // Several in one header are one to `s3s`.
        let wanted = input.object_attributes.iter().map(ObjectAttributes::as_str);
        let wanted: Vec<_> = wanted.flat_map(|names| names.split(',')).map(str::trim).collect();
        if wanted.is_empty() || wanted.iter().any(|wanted| !KNOWN.contains(wanted)) {
            return Err(StoreError::InvalidArgument("Invalid attribute name specified.").into());
        }
        let wants = |attribute| wanted.contains(&attribute);
        let at = ObjectAddress::new(input.bucket, input.key);
        let after = u32::try_from(input.part_number_marker.unwrap_or_default()).unwrap_or_default();
        let max = page_size("max-parts", input.max_parts, MAX_LIST)?;
        let (object, parts) = self.objects.parts(&at, after, max).await?;
        let parts = (wants(ObjectAttributes::OBJECT_PARTS) && parts.total > 0)
            .then(|| parts_of(parts, after, max));
        Ok(S3Response::new(GetObjectAttributesOutput {
            checksum: object
                .checksum
                .filter(|_| wants(ObjectAttributes::CHECKSUM))
                .map(|checksum| sums(Some(checksum.without_count()))),
            e_tag: wants(ObjectAttributes::ETAG).then(|| etag(&object.etag)),
            last_modified: Some(timestamp(object.modified)),
            object_parts: parts,
            object_size: wants(ObjectAttributes::OBJECT_SIZE).then(|| signed(object.size)),
            storage_class: wants(ObjectAttributes::STORAGE_CLASS)
                .then(|| StorageClass::from(object.storage_class)),
            ..GetObjectAttributesOutput::default()
        }))
    }

    pub(super) async fn put_tags(
        &self,
        input: PutObjectTaggingInput,
    ) -> S3Result<PutObjectTaggingOutput> {
        no_version(input.version_id.as_deref())?;
        let tags = taken(input.tagging, tags::OF_OBJECT)?;
        self.objects.tag(&ObjectAddress::new(input.bucket, input.key), Some(tags)).await?;
        Ok(PutObjectTaggingOutput::default())
    }

    pub(super) async fn tags(
        &self,
        input: GetObjectTaggingInput,
    ) -> S3Result<GetObjectTaggingOutput> {
        no_version(input.version_id.as_deref())?;
        let at = ObjectAddress::new(input.bucket, input.key);
        let object = self.objects.head(&at, &ReadConditions::default()).await?;
        let tag_set = shown(object.headers.tags);
        Ok(GetObjectTaggingOutput { tag_set, ..GetObjectTaggingOutput::default() })
    }

    pub(super) async fn delete_tags(
        &self,
        input: DeleteObjectTaggingInput,
    ) -> S3Result<DeleteObjectTaggingOutput> {
        no_version(input.version_id.as_deref())?;
        self.objects.tag(&ObjectAddress::new(input.bucket, input.key), None).await?;
        Ok(DeleteObjectTaggingOutput::default())
    }
}

const KNOWN: [&str; 5] = [
    ObjectAttributes::CHECKSUM,
    ObjectAttributes::ETAG,
    ObjectAttributes::OBJECT_PARTS,
    ObjectAttributes::OBJECT_SIZE,
    ObjectAttributes::STORAGE_CLASS,
];

/// Takes the tags of a document.
pub(super) fn taken(tagging: Tagging, most: usize) -> Result<Tags, StoreError> {
    let mut given = Vec::with_capacity(tagging.tag_set.len());
    for tag in tagging.tag_set {
        let (Some(name), Some(value)) = (tag.key, tag.value) else {
            return Err(StoreError::MalformedXml("each Tag has a Key and a Value"));
        };
        given.push((name, value));
    }
    tags::checked(given, most)
}

pub(super) fn shown(tags: Tags) -> Vec<Tag> {
    tags.into_iter().map(|(name, value)| Tag { key: Some(name), value: Some(value) }).collect()
}

fn parts_of(page: ObjectParts, after: u32, max: usize) -> GetObjectAttributesParts {
    let number = |number: u32| i32::try_from(number).ok();
    let last = page.parts.last().map_or(after, |(number, ..)| *number);
    let parts = page.parts.into_iter().map(|(part, size, checksum)| {
        let sums = sums(checksum);
        ObjectPart {
            checksum_crc32: sums.checksum_crc32,
            checksum_crc32c: sums.checksum_crc32c,
            checksum_crc64nvme: sums.checksum_crc64nvme,
            checksum_sha1: sums.checksum_sha1,
            checksum_sha256: sums.checksum_sha256,
            part_number: number(part),
            size: Some(signed(size)),
        }
    });
    GetObjectAttributesParts {
        is_truncated: Some(page.more),
        max_parts: i32::try_from(max).ok(),
        next_part_number_marker: number(last),
        part_number_marker: number(after),
        parts: Some(parts.collect()),
        total_parts_count: number(page.total),
    }
}
