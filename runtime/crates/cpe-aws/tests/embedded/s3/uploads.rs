//! Uploads in parts.

use aws_sdk_s3::{
    Client,
    operation::{
        complete_multipart_upload::builders::CompleteMultipartUploadFluentBuilder as Complete,
        upload_part::builders::UploadPartFluentBuilder as Part,
    },
    types::{CompletedMultipartUpload, CompletedPart, ObjectAttributes},
};

use super::{BUCKET, put, with_bucket};
use crate::world::World;

const LEAST: usize = 5 << 20;

async fn begin(s3: &Client, key: &str) -> String {
    let upload = s3.create_multipart_upload().bucket(BUCKET).key(key);
    upload.send().await.unwrap().upload_id.unwrap()
}

fn part(s3: &Client, upload: &str, number: i32, bytes: Vec<u8>) -> Part {
    let part = s3.upload_part().bucket(BUCKET).key("film").upload_id(upload).part_number(number);
    part.body(bytes.into())
}

fn complete(s3: &Client, upload: &str, parts: &[(i32, &str)]) -> Complete {
    let part = |(number, tag): &(i32, &str)| {
        CompletedPart::builder().part_number(*number).e_tag(*tag).build()
    };
    let parts = CompletedMultipartUpload::builder()
        .set_parts(Some(parts.iter().map(part).collect()))
        .build();
    let complete = s3.complete_multipart_upload().bucket(BUCKET).key("film");
    complete.upload_id(upload).multipart_upload(parts)
}

#[tokio::test]
pub(crate) async fn become_one_object() {
    let World { s3, .. } = with_bucket().await;
    let create = s3.create_multipart_upload().bucket(BUCKET).key("film");
    let create = create.content_type("video/mp4").metadata("owner", "me");
    let upload = create.send().await.unwrap().upload_id.unwrap();
    put(&s3, "source", "0123456789").await;
    let first = part(&s3, &upload, 1, vec![b'x'; LEAST]).send().await.unwrap().e_tag.unwrap();
    let copy = s3.upload_part_copy().bucket(BUCKET).key("film").upload_id(&upload);
    let copy = copy.part_number(2).copy_source("media/source").copy_source_range("bytes=2-4");
    let copied = copy.send().await.unwrap().copy_part_result.unwrap().e_tag.unwrap();

    let list = || s3.list_parts().bucket(BUCKET).key("film").upload_id(&upload);
    let listed = list().send().await.unwrap();
    let parts = listed.parts().iter().map(|part| (part.part_number(), part.size(), part.e_tag()));
    let expected =
        [(Some(1), Some(LEAST as i64), Some(&*first)), (Some(2), Some(3), Some(&*copied))];
    assert_eq!(parts.collect::<Vec<_>>(), expected);
    let page = list().max_parts(1).send().await.unwrap();
    assert_eq!((page.is_truncated(), page.next_part_number_marker()), (Some(true), Some("1")));
    let rest = list().part_number_marker("1").send().await.unwrap();
    assert_eq!(rest.parts()[0].part_number(), Some(2));

    let done = complete(&s3, &upload, &[(1, &first), (2, &copied)]).send().await.unwrap();
    assert!(done.e_tag().unwrap().ends_with("-2\""), "{done:?}");
    let head = s3.head_object().bucket(BUCKET).key("film").part_number(2).send().await.unwrap();
    assert_eq!((head.content_length(), head.parts_count()), (Some(3), Some(2)));
    let tail = s3.get_object().bucket(BUCKET).key("film").range("bytes=-4").send().await.unwrap();
    assert_eq!(tail.content_type(), Some("video/mp4"));
    assert_eq!(super::body_of(tail).await, "x234");
    let attributes = s3.get_object_attributes().bucket(BUCKET).key("film");
    let attributes = attributes.object_attributes(ObjectAttributes::ObjectParts);
    let parts = attributes.send().await.unwrap().object_parts.unwrap();
    assert_eq!(parts.total_parts_count(), Some(2));
}

#[tokio::test]
pub(crate) async fn are_listed_and_aborted() {
    let World { s3, .. } = with_bucket().await;
    let film = begin(&s3, "film").await;
    let other = begin(&s3, "other").await;
    let list = || s3.list_multipart_uploads().bucket(BUCKET);
    let listed = list().send().await.unwrap();
    let uploads: Vec<_> =
        listed.uploads().iter().map(|u| (u.key().unwrap(), u.upload_id().unwrap())).collect();
    assert_eq!(uploads, [("film", &*film), ("other", &*other)]);
    let page = list().max_uploads(1).send().await.unwrap();
    assert_eq!((page.is_truncated(), page.next_key_marker()), (Some(true), Some("film")));
    let rest = list().key_marker("film").upload_id_marker(&film).send().await.unwrap();
    assert_eq!(rest.uploads()[0].key(), Some("other"));
    let some = list().prefix("o").send().await.unwrap();
    assert_eq!(some.uploads().len(), 1);
    let abort = s3.abort_multipart_upload().bucket(BUCKET).key("film").upload_id(&film);
    abort.send().await.unwrap();
    assert_eq!(list().send().await.unwrap().uploads().len(), 1);
    assert_eq!(code_of!(part(&s3, &film, 1, vec![0])), "NoSuchUpload");
}

#[tokio::test]
pub(crate) async fn fail_as_a_whole() {
    let World { s3, .. } = with_bucket().await;
    let upload = begin(&s3, "film").await;
    let small = part(&s3, &upload, 1, vec![b'x'; 9]).send().await.unwrap().e_tag.unwrap();
    let last = part(&s3, &upload, 2, vec![b'y'; 9]).send().await.unwrap().e_tag.unwrap();
    let too_small = complete(&s3, &upload, &[(1, &small), (2, &last)]);
    assert_eq!(code_of!(too_small), "EntityTooSmall");
    let order = complete(&s3, &upload, &[(2, &last), (1, &small)]);
    assert_eq!(code_of!(order), "InvalidPartOrder");
    assert_eq!(code_of!(complete(&s3, &upload, &[(7, &small)])), "InvalidPart");
    assert_eq!(code_of!(part(&s3, &upload, 10_001, vec![0])), "InvalidArgument");
    put(&s3, "film", "is there").await;
    let absent = complete(&s3, &upload, &[(1, &small)]).if_none_match("*");
    assert_eq!(code_of!(absent), "PreconditionFailed");
    // All of that left the upload as it was: its only part may be small.
    complete(&s3, &upload, &[(1, &small)]).send().await.unwrap();
}
