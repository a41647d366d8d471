//! The inner store and the port.

use std::time::Duration;

use cpe_ports::{
    BlobStore, ByteRange, CompletedPart, ErrorKind, ListObjects, PutCondition, PutOptions, UploadId,
};
use expect_test::{Expect, expect};
use tempfile::TempDir;

use super::*;
use crate::s3::{
    index::{Complete, ListedPart},
    model::{EntityTag, ListQuery, WriteCondition},
    multipart::PartSource,
    objects::Copy,
    receive::{Announced, AnnouncedChecksum, ChecksumValue, INLINE, Incoming},
};

#[tokio::test]
async fn bodies_of_every_size_come_back() {
    let store = Fixture::new().await;
    for size in [0, 1, INLINE - 1, INLINE, INLINE + 1, 300_000, 3 << 20] {
        let stored = store.put("k", &bytes(size)).await;
        assert_eq!(stored.size, size as u64);
        assert!(store.read("k").await.unwrap() == bytes(size), "{size}");
        let expected = usize::from(size > INLINE);
        assert_eq!(store.files(expected).await.len(), expected, "of the last body only: {size}");
    }
}

#[tokio::test]
async fn what_is_known_of_an_object() {
    let store = Fixture::new().await;
    store.clock.advance(Duration::from_secs(5));
    store.put("k", b"hello").await;
    let object = store.objects.head(&at("k"), &ReadConditions::default()).await.unwrap();
    assert_eq!(object.size, 5);
    assert_eq!(object.etag.0, "5d41402abc4b2a76b9719d911017c592");
    assert_eq!(object.modified, Timestamp(1_767_323_050_000), "by the second, as S3 tells it");
    assert_eq!(object.headers.content_type.as_deref(), Some("binary/octet-stream"));
    assert_eq!(object.storage_class, "STANDARD");
}

#[tokio::test]
async fn hostile_keys_are_keys() {
    let store = Fixture::new().await;
    let long = "é".repeat(512);
    let keys = [
        "../x",
        "..",
        ".",
        "/",
        "//",
        "a//b",
        "a/../../b",
        "%2e%2e",
        "%2E%2E/x",
        "C:\\x",
        "con",
        "ключ",
        "\u{202e}txt",
        " ",
        "\n",
        "'; DROP TABLE s3_object; --",
        &long,
    ];
    // One body that has a file, one that has none.
    for key in keys {
        store.put(key, key.as_bytes()).await;
        store.put(&format!("{}!", &key[..key.len().min(1000)]), &bytes(INLINE + 1)).await;
    }
    for key in keys {
        assert_eq!(store.read(key).await.unwrap(), key.as_bytes(), "{key:?}");
    }
    let files = store.files(keys.len()).await;
    assert_eq!(files.len(), keys.len());
    let root = store.engine.objects().canonicalize().unwrap();
    for file in files {
        let path = store.objects.files.path(file).canonicalize().unwrap();
        assert!(path.starts_with(&root), "{}", path.display());
        assert!(path.file_name().unwrap().to_str().unwrap().bytes().all(|b| b.is_ascii_hexdigit()));
    }
    let query = ListQuery { bucket: "media".to_owned(), max: 1000, ..ListQuery::default() };
    let listed = store.objects.list(query).await.unwrap();
    let mut expected: Vec<_> = keys.iter().map(|key| (*key).to_owned()).collect();
    expected.extend(keys.iter().map(|key| format!("{}!", &key[..key.len().min(1000)])));
    expected.sort();
    let listed: Vec<_> = listed.entries.iter().map(|entry| entry.name().to_owned()).collect();
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn limits() {
    let store = Fixture::new().await;
    let put = async |key: &str, put: Put| code(store.try_put(key, b"x", put).await);
    let announcing = |length| Put {
        announced: Announced { length: Some(length), ..Announced::default() },
        ..Put::default()
    };
    assert_eq!(put(&"k".repeat(1024), Put::default()).await, "done");
    assert_eq!(put(&"k".repeat(1025), Put::default()).await, "KeyTooLongError");
    assert_eq!(put("", Put::default()).await, "InvalidArgument");
    let headers = |size| with_metadata("n", &"v".repeat(size));
    assert_eq!(put("k", Put { headers: headers(2047), ..Put::default() }).await, "done");
    assert_eq!(
        put("k", Put { headers: headers(2048), ..Put::default() }).await,
        "MetadataTooLarge"
    );
    assert_eq!(put("k", announcing(2)).await, "IncompleteBody");
    assert_eq!(put("k", announcing(0)).await, "IncompleteBody");
    assert_eq!(put("k", announcing((5 << 30) + 1)).await, "EntityTooLarge");
    let class = Put { storage_class: Some("GOLD".to_owned()), ..Put::default() };
    assert_eq!(put("k", class).await, "InvalidStorageClass");
    for (name, value) in [("a b", "v"), ("a\r\nb", "v"), ("n", "a\r\nb"), ("", "v")] {
        let headers = with_metadata(name, value);
        assert_eq!(put("k", Put { headers, ..Put::default() }).await, "InvalidArgument");
    }
    let elsewhere = ObjectAddress::new("nowhere", "k");
    let put = store.objects.put(&elsewhere, body_of(b"x"), Put::default()).await;
    assert_eq!(code(put), "NoSuchBucket");
    for name in ["ab", "Media", "a_b", "192.168.0.1", "a..b", "../media", ""] {
        let made = store.objects.create_bucket(name, "us-east-1").await;
        assert_eq!(code(made), "InvalidBucketName", "{name:?}");
    }
    // What was refused left nothing behind.
    assert_eq!(store.files(0).await, []);
}

#[tokio::test]
async fn a_body_must_be_what_was_announced() {
    let store = Fixture::new().await;
    let put = async |announced: Announced| {
        code(store.try_put("k", b"hello", Put { announced, ..Put::default() }).await)
    };
    let md5 = |hex: &str| Announced {
        md5: Some(hex::decode(hex).unwrap().try_into().unwrap()),
        ..Announced::default()
    };
    assert_eq!(put(md5("5d41402abc4b2a76b9719d911017c592")).await, "done");
    assert_eq!(put(md5("5d41402abc4b2a76b9719d911017c593")).await, "BadDigest");
    let sum = |value| Announced {
        checksum: Some(AnnouncedChecksum {
            algorithm: crate::s3::checksums::Algorithm::Crc32,
            value,
        }),
        ..Announced::default()
    };
    let known = |value: &str| sum(ChecksumValue::Known(value.to_owned()));
    assert_eq!(put(known("NhCmhg==")).await, "done");
    assert_eq!(put(known("NhCmhw==")).await, "BadDigest");
    assert_eq!(put(known("NhCm")).await, "InvalidDigest");
    assert_eq!(put(known("?")).await, "InvalidDigest");
    assert_eq!(put(sum(ChecksumValue::Unknown)).await, "done");
    let trailing = |value: Option<&'static str>| {
        sum(ChecksumValue::Trailing(Box::new(move |_| value.map(str::to_owned))))
    };
    assert_eq!(put(trailing(Some("NhCmhg=="))).await, "done");
    assert_eq!(put(trailing(Some("NhCmhw=="))).await, "BadDigest");
    assert_eq!(put(trailing(None)).await, "InvalidRequest");
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_nothing() {
    let store = Fixture::new().await;
    store.put("k", b"before").await;
    let broken = body_of(&bytes(200_000))
        .chain(stream::iter([Err(s3s::StdError::from("the client went away"))]))
        .boxed();
    let put = store.objects.put(&at("k"), broken, Put::default()).await;
    assert_eq!(code(put), "IncompleteBody");
    assert_eq!(store.read("k").await.unwrap(), b"before");
    assert_eq!(store.files(0).await, []);
}

#[tokio::test]
async fn ranges() {
    let store = Fixture::new().await;
    store.put("small", b"0123456789").await;
    store.put("empty", b"").await;
    store.put("large", &bytes(100_000)).await;
    let get = async |key: &str, range| {
        let got =
            store.objects.get(&at(key), Wanted::Range(range), ReadConditions::default()).await?;
        let pieces: Vec<Bytes> = got.body.try_collect().await?;
        Ok::<_, StoreError>((got.found.bytes, pieces.concat()))
    };
    let from = |first, last| ByteRange::From { first, last };
    for (range, expected) in [
        (from(0, None), "0123456789"),
        (from(3, Some(5)), "345"),
        (from(8, Some(100)), "89"),
        (from(9, Some(u64::MAX)), "9"),
        (ByteRange::Suffix(3), "789"),
        (ByteRange::Suffix(u64::MAX), "0123456789"),
    ] {
        assert_eq!(get("small", range).await.unwrap().1, expected.as_bytes(), "{range:?}");
    }
    for (key, range) in [
        ("small", from(10, None)),
        ("small", from(u64::MAX, None)),
        ("small", from(5, Some(4))),
        ("small", ByteRange::Suffix(0)),
        ("empty", from(0, None)),
        ("empty", ByteRange::Suffix(1)),
    ] {
        assert_eq!(code(get(key, range).await), "InvalidRange", "{key} {range:?}");
    }
    let (range, part) = get("large", from(70_000, Some(70_999))).await.unwrap();
    assert_eq!((range, part), (70_000..71_000, bytes(100_000)[70_000..71_000].to_vec()));
}

#[tokio::test]
async fn a_reader_reads_on_while_the_object_is_replaced_and_deleted() {
    let store = Fixture::new().await;
    let old = bytes(1 << 20);
    store.put("k", &old).await;
    let mut got =
        store.objects.get(&at("k"), Wanted::All, ReadConditions::default()).await.unwrap();
    let first = got.body.next().await.unwrap().unwrap();
    store.put("k", b"new").await;
    store.objects.delete(&at("k"), WriteCondition::Always).await.unwrap();
    let rest: Vec<Bytes> = got.body.by_ref().try_collect().await.unwrap();
    assert!([first, rest.concat().into()].concat() == old);
    drop(got);
    assert_eq!(store.files(0).await, []);
}

#[tokio::test]
async fn conditional_writes() {
    let store = Fixture::new().await;
    let put = async |condition: WriteCondition, size: usize| {
        code(store.try_put("k", &bytes(size), Put { condition, ..Put::default() }).await)
    };
    for size in [10, INLINE * 2] {
        store.objects.delete(&at("k"), WriteCondition::Always).await.unwrap();
        let old = WriteCondition::Matches(EntityTag("5d41402abc4b2a76b9719d911017c592".to_owned()));
        assert_eq!(put(old.clone(), size).await, "NoSuchKey");
        assert_eq!(put(WriteCondition::Absent, size).await, "done");
        assert_eq!(put(WriteCondition::Absent, size).await, "PreconditionFailed");
        assert_eq!(put(old, size).await, "PreconditionFailed");
        let object = store.objects.head(&at("k"), &ReadConditions::default()).await.unwrap();
        assert_eq!(put(WriteCondition::Matches(object.etag), size).await, "done");
    }
    assert_eq!(store.files(1).await.len(), 1);
}

#[tokio::test]
async fn of_many_who_want_to_be_first_one_is() {
    let store = Fixture::new().await;
    let puts = (0..20).map(|n| {
        let put = Put { condition: WriteCondition::Absent, ..Put::default() };
        let body = bytes(INLINE + 1 + n);
        let store = &store;
        async move { store.try_put("k", &body, put).await }
    });
    let results: Vec<_> = futures::future::join_all(puts).await.into_iter().map(code).collect();
    assert_eq!(results.iter().filter(|code| **code == "done").count(), 1, "{results:?}");
    assert_eq!(store.files(1).await.len(), 1);
}

#[tokio::test]
async fn copies_share_their_bytes() {
    let store = Fixture::new().await;
    let body = bytes(INLINE * 3);
    let headers = with_metadata("from", "a");
    store.try_put("a", &body, Put { headers, ..Put::default() }).await.unwrap();
    let copy = store.objects.copy(&at("a"), &at("b"), Copy::default()).await.unwrap();
    let replacing = Copy { headers: Some(with_metadata("from", "b")), ..Copy::default() };
    store.objects.copy(&at("b"), &at("c"), replacing).await.unwrap();
    assert_eq!(store.files(1).await.len(), 1);
    store.objects.delete(&at("a"), WriteCondition::Always).await.unwrap();
    assert!(store.read("b").await.unwrap() == body);
    let metadata = async |key: &str| {
        let object = store.objects.head(&at(key), &ReadConditions::default()).await.unwrap();
        object.headers.metadata
    };
    assert_eq!(metadata("b").await["from"], "a");
    assert_eq!(metadata("c").await["from"], "b");
    assert_eq!(copy.size, body.len() as u64);
    for key in ["b", "c"] {
        store.objects.delete(&at(key), WriteCondition::Always).await.unwrap();
    }
    assert_eq!(store.files(0).await, []);
    let to_itself = store.objects.copy(&at("a"), &at("a"), Copy::default()).await;
    assert_eq!(code(to_itself), "InvalidRequest");
    let of_nothing = store.objects.copy(&at("a"), &at("b"), Copy::default()).await;
    assert_eq!(code(of_nothing), "NoSuchKey");
}

#[tokio::test]
async fn an_object_may_be_copied_to_itself_with_other_metadata() {
    let store = Fixture::new().await;
    let body = bytes(INLINE * 3);
    store.put("a", &body).await;
    let copy = Copy { headers: Some(with_metadata("new", "yes")), ..Copy::default() };
    store.objects.copy(&at("a"), &at("a"), copy).await.unwrap();
    assert!(store.read("a").await.unwrap() == body);
    assert_eq!(store.files(1).await.len(), 1);
}

const PART: usize = 5 << 20;

pub(super) fn incoming(body: &[u8]) -> Incoming {
    Incoming { body: body_of(body), announced: Announced::default() }
}

pub(super) fn complete(parts: Vec<ListedPart>) -> Complete {
    Complete { parts, condition: WriteCondition::Always, size: None, checksum: None, now: START }
}

#[tokio::test]
async fn an_upload_from_its_beginning_to_its_end() {
    let store = Fixture::new().await;
    let objects = &store.objects;
    let plan = crate::s3::checksums::ChecksumPlan::new(None, None).unwrap();
    let id = objects.create_upload(&at("k"), with_metadata("n", "v"), None, plan).await.unwrap();
    store.put("source", &bytes(PART + 10)).await;
    let body = bytes(PART);
    let one = objects.upload_part(&at("k"), &id, 1, incoming(&body)).await.unwrap();
    let source = PartSource {
        from: at("source"),
        range: Some(ByteRange::From { first: 3, last: Some(PART as u64 + 2) }),
        conditions: ReadConditions::default(),
    };
    let two = objects.upload_part_copy(&at("k"), &id, 2, source).await.unwrap();
    let last = incoming(b"the end");
    let three = objects.upload_part(&at("k"), &id, 9, last).await.unwrap();
    assert_eq!(code(store.read("k").await), "NoSuchKey", "nothing is seen before the end");
    let listed = |number, etag| ListedPart { number, etag, checksum: None };
    let parts = vec![listed(1, one.etag), listed(2, two.etag), listed(9, three.etag)];
    let stored = objects.complete_upload(&at("k"), &id, complete(parts)).await.unwrap();
    let expected = [body.as_slice(), &bytes(PART + 10)[3..PART + 3], b"the end"].concat();
    assert!(store.read("k").await.unwrap() == expected);
    assert!(stored.etag.0.ends_with("-3"), "{}", stored.etag.0);
    // The checksum of the whole is that of the same bytes put at once.
    let at_once = store.put("at-once", &expected).await;
    assert_eq!(stored.checksum, at_once.checksum);
    let got = objects
        .get(&at("k"), Wanted::Range(ByteRange::Suffix(10)), ReadConditions::default())
        .await
        .unwrap();
    let tail: Vec<Bytes> = got.body.try_collect().await.unwrap();
    assert_eq!(tail.concat(), expected[expected.len() - 10..]);
    for key in ["k", "source", "at-once"] {
        objects.delete(&at(key), WriteCondition::Always).await.unwrap();
    }
    assert_eq!(store.files(0).await, []);
}

#[tokio::test]
async fn an_aborted_upload_leaves_nothing() {
    let store = Fixture::new().await;
    let objects = &store.objects;
    let plan = crate::s3::checksums::ChecksumPlan::new(None, None).unwrap();
    let id = objects.create_upload(&at("k"), Headers::default(), None, plan).await.unwrap();
    let part = async |number, id: &UploadId| {
        code(objects.upload_part(&at("k"), id, number, incoming(b"x")).await)
    };
    assert_eq!(part(1, &id).await, "done");
    assert_eq!(part(1, &id).await, "done");
    assert_eq!(part(0, &id).await, "InvalidArgument");
    assert_eq!(part(10_001, &id).await, "InvalidArgument");
    assert_eq!(part(1, &UploadId("../../x".to_owned())).await, "NoSuchUpload");
    assert_eq!(store.files(1).await.len(), 1);
    objects.abort_upload(&at("k"), &id).await.unwrap();
    assert_eq!(part(2, &id).await, "NoSuchUpload");
    assert_eq!(store.files(0).await, []);
}

#[tokio::test]
async fn what_a_crash_left_goes_and_what_was_answered_stays() {
    let folder = TempDir::new().unwrap();
    let store = Fixture::on_disk(folder.path()).await;
    store.objects.create_bucket("media", "us-east-1").await.unwrap();
    store.put("small", b"small").await;
    store.put("large", &bytes(100_000)).await;
    let plan = crate::s3::checksums::ChecksumPlan::new(None, None).unwrap();
    let id = store.objects.create_upload(&at("up"), Headers::default(), None, plan).await.unwrap();
    let part = store.objects.upload_part(&at("up"), &id, 1, incoming(b"part")).await;
    let Fixture { engine, objects, .. } = store;
    engine.close().await;
    drop(objects);

    // A put that was cut off before its row was committed.
    let leftover = folder.path().join("objects/ab").join("ab".repeat(16));
    std::fs::create_dir_all(leftover.parent().unwrap()).unwrap();
    std::fs::write(&leftover, b"half a bo").unwrap();
    let store = Fixture::on_disk(folder.path()).await;
    // Whichever sweep comes first, this one or that of the opening.
    store.objects.sweep().await.unwrap();
    assert_eq!(store.files(2).await.len(), 2);
    assert!(!leftover.exists());
    assert_eq!(store.read("small").await.unwrap(), b"small");
    assert!(store.read("large").await.unwrap() == bytes(100_000));
    let parts = vec![ListedPart { number: 1, etag: part.unwrap().etag, checksum: None }];
    store.objects.complete_upload(&at("up"), &id, complete(parts)).await.unwrap();
    assert_eq!(store.read("up").await.unwrap(), b"part");
}

#[tokio::test]
async fn a_sweep_leaves_alone_what_is_being_written() {
    let store = Fixture::new().await;
    let (send, receive) = tokio::sync::mpsc::channel::<Result<Bytes, s3s::StdError>>(1);
    let body = stream::unfold(receive, async |mut receive| Some((receive.recv().await?, receive)));
    let objects = store.objects.clone();
    let put = tokio::spawn(async move {
        objects.put(&at("k"), body.boxed(), Put::default()).await.map(|stored| stored.size)
    });
    let piece = Bytes::from(bytes(INLINE + 1));
    send.send(Ok(piece.clone())).await.unwrap();
    // Taken once the first was written to a file.
    send.send(Ok(piece.clone())).await.unwrap();
    send.reserve().await.unwrap();
    assert_eq!(store.objects.sweep().await.unwrap(), 0);
    drop(send);
    assert_eq!(put.await.unwrap().unwrap(), 2 * piece.len() as u64);
    assert_eq!(store.read("k").await.unwrap(), [&piece[..], &piece[..]].concat());
}

#[tokio::test]
async fn a_closed_engine_is_told() {
    let store = Fixture::new().await;
    store.engine.close().await;
    assert_eq!(code(store.read("k").await), "ServiceUnavailable");
    let put = store.try_put("k", b"x", Put::default()).await;
    assert_eq!(code(put), "ServiceUnavailable");
}

/// Calls the port as `verb key argument`, one a line, and shows what it answers.
async fn port(calls: &str) -> String {
    let store = Fixture::new().await;
    let blobs: &dyn BlobStore = &store.objects;
    let mut shown = String::new();
    for call in calls.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<_> = call.split_whitespace().collect();
        let place = at(words.get(1).unwrap_or(&""));
        let argument = words.get(2).copied().unwrap_or_default();
        let condition = |condition| PutOptions { condition, ..PutOptions::default() };
        let body = Bytes::copy_from_slice(argument.as_bytes());
        let answer = match words[0] {
            "put" => blobs.put(&place, body, PutOptions::default()).await,
            "put-new" => blobs.put(&place, body, condition(Some(PutCondition::Absent))).await,
            "put-over" => {
                let condition = condition(Some(PutCondition::Matches(words[3].to_owned())));
                blobs.put(&place, body, condition).await
            }
            "head" => blobs.head(&place).await.map(|meta| format!("{meta:?}")),
            "get" => get(blobs, &place, argument).await,
            "copy" => blobs.copy(&place, &at(argument)).await,
            "delete" => blobs.delete(&place).await.map(|()| "deleted".to_owned()),
            "list" => {
                let bucket = words[1].to_owned();
                let list = ListObjects { bucket, max_keys: 2, ..ListObjects::default() };
                blobs.list(list).await.map(|page| {
                    let keys: Vec<_> = page.objects.iter().map(|(key, _)| key.as_str()).collect();
                    format!("{} truncated={}", keys.join(" "), page.truncated)
                })
            }
            "bucket" => blobs.create_bucket(words[1]).await.map(|()| "made".to_owned()),
            other => panic!("no verb {other}"),
        };
        let answer = answer.unwrap_or_else(|error| format!("{:?} {error}", error.kind()));
        shown.push_str(&format!("{call} => {answer}\n"));
    }
    shown
}

async fn get(
    blobs: &dyn BlobStore,
    place: &ObjectAddress,
    range: &str,
) -> Result<String, cpe_ports::Error> {
    let range = range.split_once('-').map(|(first, last)| match first {
        "" => ByteRange::Suffix(last.parse().unwrap()),
        _ => ByteRange::From { first: first.parse().unwrap(), last: last.parse().ok() },
    });
    let got = blobs.get(place, range).await?;
    let pieces: Vec<Bytes> = got.body.try_collect().await?;
    Ok(format!("{:?} of {}", String::from_utf8(pieces.concat()).unwrap(), got.meta.size))
}

async fn check_port(calls: &str, expect: Expect) {
    expect.assert_eq(&port(calls).await);
}

#[tokio::test]
async fn the_port_answers() {
    check_port(
        r#"
        bucket media
        bucket other
        bucket No
        put k hello
        put-new k hello
        put-new l hello
        put-over k world "5d41402abc4b2a76b9719d911017c592"
        put-over k world "5d41402abc4b2a76b9719d911017c592"
        put-over nothing world "5d41402abc4b2a76b9719d911017c592"
        head k
        head nothing
        get k
        get k 1-3
        get k -2
        get k 4-
        get k 5-
        get nothing
        copy k m
        copy nothing m
        list media
        list nowhere
        delete k
        delete k
        get k
        "#,
        expect![[r#"
            bucket media => made
            bucket other => made
            bucket No => Refused InvalidBucketName: "No" is not a name for a bucket: 3 to 63 lower-case letters, digits, dots, hyphens
            put k hello => "5d41402abc4b2a76b9719d911017c592"
            put-new k hello => AlreadyExists PreconditionFailed: The condition If-None-Match did not hold
            put-new l hello => "5d41402abc4b2a76b9719d911017c592"
            put-over k world "5d41402abc4b2a76b9719d911017c592" => "7d793037a0760186574b0282f2f435e7"
            put-over k world "5d41402abc4b2a76b9719d911017c592" => AlreadyExists PreconditionFailed: The condition If-Match did not hold
            put-over nothing world "5d41402abc4b2a76b9719d911017c592" => AlreadyExists NoSuchKey: The bucket "media" has no object with the key "nothing"
            head k => ObjectMeta { size: 5, etag: "\"7d793037a0760186574b0282f2f435e7\"", content_type: Some("binary/octet-stream"), last_modified: Timestamp(1767323045000), metadata: {} }
            head nothing => NotFound NoSuchKey: The bucket "media" has no object with the key "nothing"
            get k => "world" of 5
            get k 1-3 => "orl" of 5
            get k -2 => "ld" of 5
            get k 4- => "d" of 5
            get k 5- => Refused InvalidRange: The range cannot be satisfied: the object has 5 bytes
            get nothing => NotFound NoSuchKey: The bucket "media" has no object with the key "nothing"
            copy k m => "7d793037a0760186574b0282f2f435e7"
            copy nothing m => NotFound NoSuchKey: The bucket "media" has no object with the key "nothing"
            list media => k l truncated=true
            list nowhere => NotFound NoSuchBucket: The bucket "nowhere" does not exist
            delete k => deleted
            delete k => deleted
            get k => NotFound NoSuchKey: The bucket "media" has no object with the key "k"
        "#]],
    )
    .await;
}

#[tokio::test]
async fn the_port_uploads() {
    let store = Fixture::new().await;
    let blobs: &dyn BlobStore = &store.objects;
    let options = PutOptions {
        content_type: Some("image/png".to_owned()),
        metadata: [("Step".to_owned(), "a".to_owned())].into(),
        storage_class: Some("REDUCED_REDUNDANCY".to_owned()),
        encrypt: true,
        condition: None,
    };
    let id = blobs.create_upload(&at("k"), options).await.unwrap();
    let (one, two) = (Bytes::from(bytes(PART)), Bytes::from_static(b"end"));
    let one = blobs.upload_part(&at("k"), &id, 1, one).await.unwrap();
    let two = blobs.upload_part(&at("k"), &id, 2, two).await.unwrap();
    let parts = |parts: [&CompletedPart; 2]| parts.map(Clone::clone).to_vec();
    let wrong = blobs.complete_upload(&at("k"), &id, parts([&two, &one])).await.unwrap_err();
    assert_eq!((wrong.kind(), wrong.code()), (ErrorKind::Refused, Some("InvalidPartOrder")));
    let etag = blobs.complete_upload(&at("k"), &id, parts([&one, &two])).await.unwrap();
    let meta = blobs.head(&at("k")).await.unwrap();
    assert_eq!((meta.etag, meta.size), (etag, PART as u64 + 3));
    assert_eq!(meta.content_type.as_deref(), Some("image/png"));
    assert_eq!(meta.metadata["step"], "a", "names of headers are told in lower case");
    let gone = blobs.abort_upload(&at("k"), &id).await.unwrap_err();
    assert_eq!((gone.kind(), gone.code()), (ErrorKind::NotFound, Some("NoSuchUpload")));
}
