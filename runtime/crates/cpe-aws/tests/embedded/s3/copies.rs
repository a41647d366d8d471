//! Copies, of objects and of parts.

use aws_sdk_s3::types::{MetadataDirective, TaggingDirective};

use super::{BUCKET, put, text, with_bucket};
use crate::world::World;

#[tokio::test]
pub(crate) async fn keep_what_belongs_to_the_source() {
    let World { s3, .. } = with_bucket().await;
    let put = s3.put_object().bucket(BUCKET).key("a b").body(b"text".to_vec().into());
    let put = put.metadata("owner", "me").content_type("text/x").tagging("k=v");
    let tag = put.send().await.unwrap().e_tag.unwrap();
    s3.create_bucket().bucket("other").send().await.unwrap();
    let copy = s3.copy_object().copy_source("media/a%20b").bucket("other").key("copy");
    let copied = copy.send().await.unwrap().copy_object_result.unwrap();
    assert_eq!(copied.e_tag(), Some(&*tag));
    assert!(copied.last_modified().is_some());
    let got = s3.get_object().bucket("other").key("copy").send().await.unwrap();
    assert_eq!((got.content_type(), got.tag_count()), (Some("text/x"), Some(1)));
    assert_eq!(got.metadata().unwrap()["owner"], "me");
    assert_eq!(super::body_of(got).await, "text");
}

#[tokio::test]
pub(crate) async fn may_replace_it() {
    let World { s3, .. } = with_bucket().await;
    let put = s3.put_object().bucket(BUCKET).key("a").body(b"text".to_vec().into());
    put.metadata("owner", "me").tagging("k=v").send().await.unwrap();
    let copy = s3.copy_object().copy_source("media/a").bucket(BUCKET).key("a");
    assert_eq!(code_of!(copy.clone()), "InvalidRequest");
    let copy = copy.metadata_directive(MetadataDirective::Replace).metadata("owner", "you");
    let copy = copy.tagging_directive(TaggingDirective::Replace).tagging("x=y&z=");
    copy.content_type("text/y").send().await.unwrap();
    let got = s3.get_object().bucket(BUCKET).key("a").send().await.unwrap();
    assert_eq!((got.content_type(), got.tag_count()), (Some("text/y"), Some(2)));
    assert_eq!(got.metadata().unwrap()["owner"], "you");
}

#[tokio::test]
pub(crate) async fn are_made_under_conditions() {
    let World { s3, .. } = with_bucket().await;
    let tag = put(&s3, "a", "text").await;
    let copy = || s3.copy_object().copy_source("media/a").bucket(BUCKET).key("b");
    assert_eq!(code_of!(copy().copy_source_if_match("\"other\"")), "PreconditionFailed");
    assert_eq!(code_of!(copy().copy_source_if_none_match(&tag)), "PreconditionFailed");
    copy().copy_source_if_match(&tag).if_none_match("*").send().await.unwrap();
    assert_eq!(code_of!(copy().if_none_match("*")), "PreconditionFailed");
    assert_eq!(text(&s3, "b").await, "text");
    assert_eq!(code_of!(copy().copy_source("media/none")), "NoSuchKey");
    assert_eq!(code_of!(copy().copy_source("nowhere/a")), "NoSuchBucket");
}
