//! Versions: there are none, and this says so as S3 does of a bucket that never had any.

use s3s::{
    S3Result,
    dto::{
        CommonPrefix, ListObjectVersionsInput, ListObjectVersionsOutput, Object, ObjectVersion,
        ObjectVersionStorageClass, PutBucketVersioningInput, PutBucketVersioningOutput,
    },
    s3_error,
};

use super::{
    Service,
    buckets::{entries, entries_told},
    convert::{Names, page_size},
};
use crate::s3::model::{ListQuery, MAX_LIST};

/// What S3 calls the version of an object that has none.
const NULL: &str = "null";

impl Service {
    pub(super) async fn set_versioning(
        &self,
        input: PutBucketVersioningInput,
    ) -> S3Result<PutBucketVersioningOutput> {
        self.objects.bucket(&input.bucket).await?;
        Err(s3_error!(
            NotImplemented,
            "Versioning of buckets is not implemented: a bucket keeps one version of each object"
        ))
    }

    /// Each object as its own and only version, since clients empty a bucket by its versions.
    pub(super) async fn versions(
        &self,
        input: ListObjectVersionsInput,
    ) -> S3Result<ListObjectVersionsOutput> {
        let names = Names::new(input.encoding_type.as_ref())?;
        let max = page_size("max-keys", input.max_keys, MAX_LIST)?;
        let query = ListQuery {
            bucket: input.bucket.clone(),
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone(),
            after: input.key_marker.clone().filter(|marker| !marker.is_empty()),
            max,
        };
        let page = self.objects.list(query).await?;
        let is_truncated = page.truncated;
        let last = page.entries.last().filter(|_| is_truncated);
        let next_key_marker = last.map(|entry| names.write(entry.name()));
        let (objects, common_prefixes): (_, Vec<CommonPrefix>) = entries(page, &names, true);
        Ok(ListObjectVersionsOutput {
            name: Some(input.bucket),
            prefix: Some(names.write(&input.prefix.unwrap_or_default())),
            key_marker: Some(names.write(&input.key_marker.unwrap_or_default())),
            version_id_marker: Some(input.version_id_marker.unwrap_or_default()),
            max_keys: Some(entries_told(max)),
            is_truncated: Some(is_truncated),
            next_version_id_marker: next_key_marker.as_ref().map(|_| NULL.to_owned()),
            next_key_marker,
            versions: Some(objects.into_iter().map(version_of).collect()),
            common_prefixes: Some(common_prefixes),
            delimiter: input.delimiter.map(|delimiter| names.write(&delimiter)),
            encoding_type: input.encoding_type,
            ..ListObjectVersionsOutput::default()
        })
    }
}

fn version_of(object: Object) -> ObjectVersion {
    ObjectVersion {
        checksum_algorithm: object.checksum_algorithm,
        checksum_type: object.checksum_type,
        e_tag: object.e_tag,
        is_latest: Some(true),
        key: object.key,
        last_modified: object.last_modified,
        owner: object.owner,
        restore_status: None,
        size: object.size,
        storage_class: Some(ObjectVersionStorageClass::from_static(
            ObjectVersionStorageClass::STANDARD,
        )),
        version_id: Some(NULL.to_owned()),
    }
}
