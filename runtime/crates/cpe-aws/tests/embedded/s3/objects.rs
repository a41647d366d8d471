//! Single objects: put, got in part and under conditions, described, deleted.

use std::collections::HashMap;

use aws_sdk_s3::{
    primitives::{ByteStream, DateTime},
    types::{Delete, ObjectAttributes, ObjectIdentifier, StorageClass},
};
use bytes::Bytes;
use http_body::Frame;
use http_body_util::StreamBody;
use md5::{Digest, Md5};

use super::{BUCKET, body_of, put, text, with_bucket};
use crate::world::{START, World};

#[tokio::test]
pub(crate) async fn keep_what_they_are_put_with() {
    let World { s3, .. } = with_bucket().await;
    let expires = DateTime::from_secs(START + 3_600);
    let put = s3.put_object().bucket(BUCKET).key("in/ä b+c.txt").body(b"text".to_vec().into());
    let put = put.content_type("text/plain").cache_control("no-cache").content_encoding("zip");
    let put = put.content_disposition("attachment").content_language("de").expires(expires);
    let put = put.metadata("owner", "me").metadata("take", "2").tagging("scene=1&shot=2");
    let put = put.storage_class(StorageClass::ReducedRedundancy);
    let put = put.website_redirect_location("/elsewhere").send().await.unwrap();
    let tag = format!("\"{}\"", hex::encode(Md5::digest("text")));
    assert_eq!(put.e_tag(), Some(&*tag));

    let head = s3.head_object().bucket(BUCKET).key("in/ä b+c.txt").send().await.unwrap();
    assert_eq!((head.content_length(), head.e_tag()), (Some(4), Some(&*tag)));
    assert_eq!(head.content_type(), Some("text/plain"));
    assert_eq!(head.cache_control(), Some("no-cache"));
    assert_eq!(head.content_encoding(), Some("zip"));
    assert_eq!(head.content_disposition(), Some("attachment"));
    assert_eq!(head.content_language(), Some("de"));
    assert_eq!(head.expires_string(), Some("Sun, 09 Sep 2001 02:46:40 GMT"));
    assert_eq!(head.storage_class(), Some(&StorageClass::ReducedRedundancy));
    assert_eq!(head.website_redirect_location(), Some("/elsewhere"));
    assert_eq!(head.last_modified().unwrap().secs(), START);
    assert_eq!(head.accept_ranges(), Some("bytes"));
    let metadata = [("owner", "me"), ("take", "2")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    assert_eq!(head.metadata(), Some(&HashMap::from(metadata)));
    let got = s3.get_object().bucket(BUCKET).key("in/ä b+c.txt").send().await.unwrap();
    assert_eq!((got.tag_count(), got.content_type()), (Some(2), Some("text/plain")));
    assert_eq!(body_of(got).await, "text");
    s3.delete_object().bucket(BUCKET).key("in/ä b+c.txt").send().await.unwrap();
    // Again is no error.
    s3.delete_object().bucket(BUCKET).key("in/ä b+c.txt").send().await.unwrap();
    assert!(s3.head_object().bucket(BUCKET).key("in/ä b+c.txt").send().await.is_err());
}

#[tokio::test]
pub(crate) async fn are_got_in_ranges() {
    let World { s3, .. } = with_bucket().await;
    put(&s3, "a", "0123456789").await;
    for (range, content, told) in [
        ("bytes=2-5", "2345", "bytes 2-5/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=8-100", "89", "bytes 8-9/10"),
    ] {
        let got = s3.get_object().bucket(BUCKET).key("a").range(range).send().await.unwrap();
        assert_eq!(got.content_range(), Some(told));
        assert_eq!(got.content_length(), Some(content.len() as i64));
        assert_eq!(body_of(got).await, content);
    }
    let beyond = s3.get_object().bucket(BUCKET).key("a").range("bytes=10-");
    assert_eq!(code_of!(beyond), "InvalidRange");
    let head = s3.head_object().bucket(BUCKET).key("a").range("bytes=2-5").send().await.unwrap();
    assert_eq!(head.content_length(), Some(4));
}

/// The status of an answer that has no body.
macro_rules! status_of {
    ($call:expr) => {
        $call.send().await.unwrap_err().raw_response().unwrap().status().as_u16()
    };
}

#[tokio::test]
pub(crate) async fn are_got_under_conditions() {
    let world = with_bucket().await;
    let s3 = &world.s3;
    let tag = put(s3, "a", "x").await;
    world.pass(60).await;
    let get = || s3.get_object().bucket(BUCKET).key("a");
    let (before, after) = (DateTime::from_secs(START - 60), DateTime::from_secs(START + 30));
    get().if_match(&tag).if_none_match("\"other\"").send().await.unwrap();
    get().if_modified_since(before).if_unmodified_since(after).send().await.unwrap();
    assert_eq!(code_of!(get().if_match("\"other\"")), "PreconditionFailed");
    assert_eq!(code_of!(get().if_unmodified_since(before)), "PreconditionFailed");
    assert_eq!(status_of!(get().if_none_match(&tag)), 304);
    assert_eq!(status_of!(get().if_modified_since(after)), 304);
    let head = || s3.head_object().bucket(BUCKET).key("a");
    assert_eq!(status_of!(head().if_match("\"other\"")), 412);
    assert_eq!(status_of!(head().if_none_match(&tag)), 304);
}

#[tokio::test]
pub(crate) async fn are_put_and_deleted_under_conditions() {
    let World { s3, .. } = with_bucket().await;
    let put = || s3.put_object().bucket(BUCKET).key("a").body(b"x".to_vec().into());
    let tag = put().if_none_match("*").send().await.unwrap().e_tag.unwrap();
    assert_eq!(code_of!(put().if_none_match("*")), "PreconditionFailed");
    assert_eq!(code_of!(put().if_match("\"other\"")), "PreconditionFailed");
    assert_eq!(code_of!(put().key("none").if_match(&tag)), "NoSuchKey");
    put().if_match(&tag).send().await.unwrap();
    let delete = || s3.delete_object().bucket(BUCKET).key("a");
    assert_eq!(code_of!(delete().if_match("\"other\"")), "PreconditionFailed");
    delete().if_match(&tag).send().await.unwrap();
}

#[tokio::test]
pub(crate) async fn are_deleted_together() {
    let World { s3, .. } = with_bucket().await;
    for key in ["a", "b", "c"] {
        put(&s3, key, "x").await;
    }
    let delete = |keys: &[&str], quiet: bool| {
        let object = |key: &&str| ObjectIdentifier::builder().key(*key).build().unwrap();
        let delete = Delete::builder().set_objects(Some(keys.iter().map(object).collect()));
        s3.delete_objects().bucket(BUCKET).delete(delete.quiet(quiet).build().unwrap())
    };
    let told = delete(&["a", "none"], false).send().await.unwrap();
    let keys: Vec<_> = told.deleted().iter().map(|deleted| deleted.key().unwrap()).collect();
    assert_eq!(keys, ["a", "none"], "what was not there is gone as well");
    let told = delete(&["b"], true).send().await.unwrap();
    assert!(told.deleted().is_empty() && told.errors().is_empty());
    assert!(s3.head_object().bucket(BUCKET).key("b").send().await.is_err());
    assert_eq!(text(&s3, "c").await, "x");
}

#[tokio::test]
pub(crate) async fn have_attributes() {
    let World { s3, .. } = with_bucket().await;
    let tag = put(&s3, "a", "x").await;
    let get = s3.get_object_attributes().bucket(BUCKET).key("a");
    let get = get.object_attributes(ObjectAttributes::Etag);
    let get = get.object_attributes(ObjectAttributes::ObjectSize);
    let got = get.object_attributes(ObjectAttributes::StorageClass).send().await.unwrap();
    assert_eq!(got.object_size(), Some(1));
    assert_eq!(got.e_tag(), Some(tag.trim_matches('"')));
    assert_eq!(got.storage_class(), Some(&StorageClass::Standard));
    assert!(got.checksum().is_none() && got.object_parts().is_none());
}

/// 64 MiB, made and read a piece at a time.
#[tokio::test]
pub(crate) async fn are_streamed() {
    const PIECE: usize = 64 << 10;
    const PIECES: u32 = 1_024;
    let World { s3, .. } = with_bucket().await;
    let piece = |number: u32| Bytes::from(number.to_be_bytes().repeat(PIECE / 4));
    let pieces = futures::stream::iter(
        (0..PIECES).map(move |number| Ok::<_, std::io::Error>(Frame::data(piece(number)))),
    );
    let body = ByteStream::from_body_1_x(StreamBody::new(pieces));
    let length = i64::from(PIECES) * PIECE as i64;
    let put = s3.put_object().bucket(BUCKET).key("long").body(body).content_length(length);
    put.send().await.unwrap();
    let got = s3.get_object().bucket(BUCKET).key("long").send().await.unwrap();
    assert_eq!(got.content_length(), Some(length));
    let mut body = got.body;
    let mut hash = sha2::Sha256::new();
    let mut count = 0;
    while let Some(bytes) = body.next().await {
        let bytes = bytes.unwrap();
        count += bytes.len();
        hash.update(&bytes);
    }
    let mut whole = sha2::Sha256::new();
    (0..PIECES).for_each(|number| whole.update(piece(number)));
    assert_eq!((count as i64, hash.finalize()), (length, whole.finalize()));
}
