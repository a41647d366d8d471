use futures::TryStreamExt;

use super::*;

fn at(key: &str) -> ObjectAddress {
    ObjectAddress::new("media", key)
}

async fn read(blobs: &MemoryBlobs, key: &str, range: Option<ByteRange>) -> Result<Vec<u8>, Error> {
    let object = blobs.get(&at(key), range).await?;
    let pieces: Vec<Bytes> = object.body.try_collect().await?;
    Ok(pieces.concat())
}

fn code<T: fmt::Debug>(result: Result<T, Error>) -> String {
    result.unwrap_err().code().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn ranges_are_those_of_s3() {
    let blobs = MemoryBlobs::default();
    blobs.insert("media", "a", "0123456789");
    let from = |first, last| Some(ByteRange::From { first, last });
    assert_eq!(read(&blobs, "a", from(2, Some(4))).await.unwrap(), b"234");
    assert_eq!(read(&blobs, "a", from(7, Some(u64::MAX))).await.unwrap(), b"789");
    assert_eq!(read(&blobs, "a", Some(ByteRange::Suffix(2))).await.unwrap(), b"89");
    assert_eq!(read(&blobs, "a", Some(ByteRange::Suffix(99))).await.unwrap(), b"0123456789");
    assert_eq!(code(read(&blobs, "a", from(10, None)).await), "InvalidRange");
    assert_eq!(code(read(&blobs, "b", None).await), "NoSuchKey");
}

#[tokio::test]
async fn a_conditional_put_loses_against_a_change() {
    let blobs = MemoryBlobs::with_buckets(["media"]);
    let put = async |body: &'static str, condition| {
        let options = PutOptions { condition: Some(condition), ..PutOptions::default() };
        blobs.put(&at("a"), body.into(), options).await
    };
    let etag = put("one", PutCondition::Absent).await.unwrap();
    assert_eq!(code(put("two", PutCondition::Absent).await), "PreconditionFailed");
    put("two", PutCondition::Matches(etag.clone())).await.unwrap();
    let error = put("three", PutCondition::Matches(etag)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(read(&blobs, "a", None).await.unwrap(), b"two");
}

#[tokio::test]
async fn an_upload_appears_when_it_is_complete() {
    let blobs = MemoryBlobs::with_buckets(["media"]);
    let upload = blobs.create_upload(&at("a"), PutOptions::default()).await.unwrap();
    let first = vec![1; MIN_PART];
    let one = blobs.upload_part(&at("a"), &upload, 1, first.into()).await.unwrap();
    let two = blobs.upload_part(&at("a"), &upload, 2, "end".into()).await.unwrap();
    assert_eq!((blobs.keys("media").len(), blobs.open_uploads()), (0, 1));
    let wrong = vec![two.clone(), one.clone()];
    assert_eq!(code(blobs.complete_upload(&at("a"), &upload, wrong).await), "EntityTooSmall");
    blobs.complete_upload(&at("a"), &upload, vec![one, two]).await.unwrap();
    assert_eq!(read(&blobs, "a", None).await.unwrap().len(), MIN_PART + 3);
    assert_eq!(code(blobs.abort_upload(&at("a"), &upload).await), "NoSuchUpload");
}

#[tokio::test]
async fn lists_page_by_page() {
    let blobs = MemoryBlobs::default();
    for key in ["in/a", "in/b", "in/c", "out/a"] {
        blobs.insert("media", key, "");
    }
    let page = async |start_after: Option<&str>| {
        let list = ListObjects {
            bucket: "media".into(),
            prefix: "in/".into(),
            start_after: start_after.map(str::to_owned),
            max_keys: 2,
        };
        let page = blobs.list(list).await.unwrap();
        (page.objects.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), page.truncated)
    };
    assert_eq!(page(None).await, (vec!["in/a".into(), "in/b".into()], true));
    assert_eq!(page(Some("in/b")).await, (vec!["in/c".into()], false));
}

#[tokio::test]
async fn fails_as_often_as_asked() {
    let blobs = MemoryBlobs::default();
    blobs.insert("media", "a", "x");
    blobs.fail_next(2, ErrorKind::Unavailable);
    assert!(blobs.head(&at("a")).await.is_err());
    assert!(blobs.head(&at("a")).await.is_err());
    assert!(blobs.head(&at("a")).await.is_ok());
    assert_eq!(blobs.take_calls(), ["head media/a"; 3]);
}
