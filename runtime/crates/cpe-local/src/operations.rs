//! Which operations the endpoint serves, by their names in the service models.
//!
//! For whoever must know what is there without asking: suites that claim to test all of it.

use crate::{sqs, swf};

/// Of SWF, in no particular order.
pub const SWF: &[&str] = swf::wire::OPERATIONS;

/// Of SQS.
pub const SQS: &[&str] = sqs::wire::OPERATIONS;

/// Of S3: what `s3::service` implements of the trait; everything else answers `NotImplemented`.
pub const S3: &[&str] = &[
    "CreateBucket",
    "HeadBucket",
    "DeleteBucket",
    "ListBuckets",
    "GetBucketLocation",
    "GetBucketVersioning",
    "ListObjects",
    "ListObjectsV2",
    "PutObject",
    "GetObject",
    "HeadObject",
    "CopyObject",
    "DeleteObject",
    "DeleteObjects",
    "CreateMultipartUpload",
    "UploadPart",
    "UploadPartCopy",
    "CompleteMultipartUpload",
    "AbortMultipartUpload",
    "ListParts",
    "ListMultipartUploads",
    "PutBucketVersioning",
    "ListObjectVersions",
    "GetObjectAttributes",
    "PutObjectTagging",
    "GetObjectTagging",
    "DeleteObjectTagging",
    "GetObjectAcl",
    "PutObjectAcl",
    "GetBucketAcl",
    "PutBucketAcl",
    "PutBucketNotificationConfiguration",
    "GetBucketNotificationConfiguration",
    "PutBucketTagging",
    "GetBucketTagging",
    "DeleteBucketTagging",
    "PutBucketPolicy",
    "GetBucketPolicy",
    "DeleteBucketPolicy",
    "PutBucketCors",
    "GetBucketCors",
    "DeleteBucketCors",
    "PutBucketLifecycleConfiguration",
    "GetBucketLifecycleConfiguration",
    "DeleteBucketLifecycle",
    "PutPublicAccessBlock",
    "GetPublicAccessBlock",
    "DeletePublicAccessBlock",
    "PutBucketOwnershipControls",
    "GetBucketOwnershipControls",
    "DeleteBucketOwnershipControls",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// A trait's methods cannot be listed, so the list is compared with the text.
    #[test]
    fn the_list_of_s3_is_what_is_implemented() {
        let text = include_str!("s3/service.rs");
        let methods = text.lines().filter_map(|line| line.strip_prefix("    async fn "));
        let implemented: Vec<String> = methods
            .map(|rest| rest.chars().take_while(|c| *c != '(').collect::<String>())
            .map(|name| name.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect())
            .collect();
        assert_eq!(S3, implemented);
    }

    #[test]
    fn all_of_swf_is_served() {
        assert_eq!(SWF.len(), 39);
    }
}
