//! What S3 refuses: as the SDK's own types where its model has them, else by their codes.

use aws_sdk_s3::{
    operation::*,
    types::{BucketLocationConstraint, CreateBucketConfiguration, ObjectAttributes},
};

use super::{BUCKET, put, with_bucket};
use crate::world::World;

#[tokio::test]
pub(crate) async fn of_objects_that_are_not_there() {
    use get_object::GetObjectError as Get;
    use get_object_acl::GetObjectAclError as Acl;
    use get_object_attributes::GetObjectAttributesError as Attributes;
    use head_object::HeadObjectError as Head;
    use put_object_acl::PutObjectAclError as PutAcl;

    let World { s3, .. } = with_bucket().await;
    let fault = refused!(s3.get_object().bucket(BUCKET).key("none"), Get::NoSuchKey);
    assert_eq!(fault.message.as_deref(), Some("The specified key does not exist."));
    refused!(s3.head_object().bucket(BUCKET).key("none"), Head::NotFound);
    refused!(s3.get_object_acl().bucket(BUCKET).key("none"), Acl::NoSuchKey);
    let acl = aws_sdk_s3::types::ObjectCannedAcl::Private;
    refused!(s3.put_object_acl().bucket(BUCKET).key("none").acl(acl), PutAcl::NoSuchKey);
    let attributes = s3.get_object_attributes().bucket(BUCKET).key("none");
    refused!(attributes.object_attributes(ObjectAttributes::Etag), Attributes::NoSuchKey);
    assert_eq!(code_of!(s3.get_object_tagging().bucket(BUCKET).key("none")), "NoSuchKey");
}

#[tokio::test]
pub(crate) async fn of_buckets_that_are_not_there() {
    use head_bucket::HeadBucketError as Head;
    use list_objects::ListObjectsError as List;
    use list_objects_v2::ListObjectsV2Error as ListV2;

    let World { s3, .. } = World::start().await;
    refused!(s3.head_bucket().bucket(BUCKET), Head::NotFound);
    refused!(s3.list_objects().bucket(BUCKET), List::NoSuchBucket);
    refused!(s3.list_objects_v2().bucket(BUCKET), ListV2::NoSuchBucket);
    assert_eq!(code_of!(s3.delete_bucket().bucket(BUCKET)), "NoSuchBucket");
    assert_eq!(code_of!(s3.get_object().bucket(BUCKET).key("a")), "NoSuchBucket");
    let put = s3.put_object().bucket(BUCKET).key("a").body(b"x".to_vec().into());
    assert_eq!(code_of!(put), "NoSuchBucket");
    assert_eq!(code_of!(s3.create_multipart_upload().bucket(BUCKET).key("a")), "NoSuchBucket");
}

#[tokio::test]
pub(crate) async fn of_buckets_that_are_there() {
    use create_bucket::CreateBucketError as Create;

    let World { s3, .. } = with_bucket().await;
    let place = CreateBucketConfiguration::builder();
    let place = place.location_constraint(BucketLocationConstraint::EuWest1).build();
    let elsewhere = || s3.create_bucket().create_bucket_configuration(place.clone());
    elsewhere().bucket("there").send().await.unwrap();
    refused!(elsewhere().bucket("there"), Create::BucketAlreadyOwnedByYou);
    refused!(elsewhere().bucket(BUCKET), Create::BucketAlreadyOwnedByYou);
    assert_eq!(code_of!(s3.create_bucket().bucket("No")), "InvalidBucketName");
    put(&s3, "a", "x").await;
    assert_eq!(code_of!(s3.delete_bucket().bucket(BUCKET)), "BucketNotEmpty");
}

#[tokio::test]
pub(crate) async fn of_uploads_that_are_not_there() {
    use abort_multipart_upload::AbortMultipartUploadError as Abort;

    let World { s3, .. } = with_bucket().await;
    let abort = s3.abort_multipart_upload().bucket(BUCKET).key("a").upload_id("none");
    refused!(abort, Abort::NoSuchUpload);
    let list = s3.list_parts().bucket(BUCKET).key("a").upload_id("none");
    assert_eq!(code_of!(list), "NoSuchUpload");
    let complete = s3.complete_multipart_upload().bucket(BUCKET).key("a").upload_id("none");
    use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
    let part = CompletedPart::builder().part_number(1).e_tag("\"x\"").build();
    let complete =
        complete.multipart_upload(CompletedMultipartUpload::builder().parts(part).build());
    assert_eq!(code_of!(complete), "NoSuchUpload");
}

#[tokio::test]
pub(crate) async fn of_keys_that_cannot_be() {
    let World { s3, .. } = with_bucket().await;
    put(&s3, &"k".repeat(1_024), "x").await;
    let put = s3.put_object().bucket(BUCKET).key("k".repeat(1_025)).body(b"x".to_vec().into());
    assert_eq!(code_of!(put), "KeyTooLongError");
    // Names of files are of no account here.
    for key in ["../../etc/passwd", "a/./b", "//", "a\\b", "CON"] {
        super::put(&s3, key, key).await;
        assert_eq!(super::text(&s3, key).await, key);
    }
}

#[tokio::test]
pub(crate) async fn of_what_is_too_much() {
    use aws_sdk_s3::types::{Delete, ObjectIdentifier, Tag, Tagging};

    let World { s3, .. } = with_bucket().await;
    put(&s3, "a", "x").await;
    let object = |key: i32| ObjectIdentifier::builder().key(key.to_string()).build().unwrap();
    let many = Delete::builder().set_objects(Some((0..1_001).map(object).collect()));
    let delete = s3.delete_objects().bucket(BUCKET).delete(many.build().unwrap());
    assert_eq!(code_of!(delete), "MalformedXML");
    let tag = |key: i32| Tag::builder().key(key.to_string()).value("v").build().unwrap();
    let many = Tagging::builder().set_tag_set(Some((0..11).map(tag).collect())).build().unwrap();
    let set = s3.put_object_tagging().bucket(BUCKET).key("a").tagging(many);
    assert_eq!(code_of!(set), "BadRequest");
    let metadata = s3.put_object().bucket(BUCKET).key("a").metadata("k", "v".repeat(2_048));
    assert_eq!(code_of!(metadata), "MetadataTooLarge");
    let both = s3.get_object().bucket(BUCKET).key("a").range("bytes=0-0").part_number(1);
    assert_eq!(code_of!(both), "InvalidRequest");
    let version = s3.get_object().bucket(BUCKET).key("a").version_id("v1");
    assert_eq!(code_of!(version), "InvalidArgument");
    // None at all may be asked for, and then no more is said to come.
    let none = s3.list_objects_v2().bucket(BUCKET).max_keys(0).send().await.unwrap();
    assert_eq!((none.key_count(), none.is_truncated()), (Some(0), Some(false)));
    let empty = s3.put_object().bucket(BUCKET).key("empty").send().await.unwrap();
    assert_eq!(empty.e_tag(), Some("\"d41d8cd98f00b204e9800998ecf8427e\""));
    // What the SDK says where nobody says what it is.
    let got = s3.get_object().bucket(BUCKET).key("empty").send().await.unwrap();
    assert_eq!(
        (got.content_length(), got.content_type()),
        (Some(0), Some("application/octet-stream"))
    );
}
