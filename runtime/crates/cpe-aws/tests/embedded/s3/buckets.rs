//! Buckets: made, looked at, listed, deleted.

use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};

use super::{BUCKET, put, with_bucket};
use crate::world::{START, World};

#[tokio::test]
pub(crate) async fn are_made_and_deleted() {
    let World { s3, .. } = World::start().await;
    let made = s3.create_bucket().bucket("films").send().await.unwrap();
    assert_eq!(made.location(), Some("/films"));
    // In its first region S3 lets the owner make it again.
    s3.create_bucket().bucket("films").send().await.unwrap();
    let head = s3.head_bucket().bucket("films").send().await.unwrap();
    assert_eq!(head.bucket_region(), Some("us-east-1"));
    s3.delete_bucket().bucket("films").send().await.unwrap();
    assert!(s3.head_bucket().bucket("films").send().await.is_err());
}

#[tokio::test]
pub(crate) async fn are_in_regions() {
    let World { s3, .. } = World::start().await;
    s3.create_bucket().bucket("here").send().await.unwrap();
    let there = BucketLocationConstraint::EuWest1;
    let place = CreateBucketConfiguration::builder().location_constraint(there.clone()).build();
    let make = s3.create_bucket().bucket("there").create_bucket_configuration(place);
    make.send().await.unwrap();
    let place = s3.get_bucket_location().bucket("here").send().await.unwrap();
    assert!(place.location_constraint.is_none_or(|place| place.as_str().is_empty()));
    let place = s3.get_bucket_location().bucket("there").send().await.unwrap();
    assert_eq!(place.location_constraint, Some(there));
}

#[tokio::test]
pub(crate) async fn are_listed() {
    let World { s3, .. } = World::start().await;
    for bucket in ["bbb", "aaa", "abc"] {
        s3.create_bucket().bucket(bucket).send().await.unwrap();
    }
    let all = s3.list_buckets().send().await.unwrap();
    let names: Vec<_> = all.buckets().iter().map(|bucket| bucket.name().unwrap()).collect();
    assert_eq!(names, ["aaa", "abc", "bbb"]);
    assert_eq!(all.buckets()[0].creation_date().unwrap().secs(), START);
    assert!(all.owner().unwrap().id().is_some());
    let first = s3.list_buckets().prefix("a").max_buckets(1).send().await.unwrap();
    assert_eq!(first.buckets()[0].name(), Some("aaa"));
    let token = first.continuation_token().unwrap();
    let rest = s3.list_buckets().prefix("a").continuation_token(token).send().await.unwrap();
    assert_eq!(rest.buckets()[0].name(), Some("abc"));
    assert_eq!(rest.continuation_token(), None);
}

#[tokio::test]
pub(crate) async fn have_no_versions() {
    let World { s3, .. } = with_bucket().await;
    let state = s3.get_bucket_versioning().bucket(BUCKET).send().await.unwrap();
    assert_eq!((state.status, state.mfa_delete), (None, None));
    use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
    let wanted = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled);
    let set = s3.put_bucket_versioning().bucket(BUCKET).versioning_configuration(wanted.build());
    assert_eq!(code_of!(set), "NotImplemented");
    put(&s3, "a", "1").await;
    put(&s3, "b", "2").await;
    let listed = s3.list_object_versions().bucket(BUCKET).send().await.unwrap();
    let versions = listed.versions().iter();
    let versions: Vec<_> =
        versions.map(|v| (v.key().unwrap(), v.version_id().unwrap(), v.is_latest())).collect();
    assert_eq!(versions, [("a", "null", Some(true)), ("b", "null", Some(true))]);
}
