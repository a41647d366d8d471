use std::{collections::BTreeMap, error::Error as _};

use expect_test::expect;
use futures::TryStreamExt;

use super::*;
use crate::fake::{self, Answer, Fake};

fn at(key: &str) -> ObjectAddress {
    ObjectAddress::new("media", key)
}

fn fault(status: u16, code: &str) -> Answer {
    fake::status(status, format!("<Error><Code>{code}</Code><Message>it says</Message></Error>"))
}

fn tagged() -> Answer {
    Answer(200, vec![("etag", "\"e\"".to_owned())], String::new())
}

#[tokio::test]
async fn a_range_comes_with_the_whole_objects_size() {
    let headers = vec![
        ("etag", "\"e\"".to_owned()),
        ("content-range", "bytes 2-5/1234".to_owned()),
        ("content-type", "image/jpeg".to_owned()),
        ("last-modified", "Wed, 21 Oct 2015 07:28:00 GMT".to_owned()),
        ("x-amz-meta-owner", "me".to_owned()),
    ];
    let fake = Fake::start([Answer(206, headers, "abcd".to_owned())]).await;
    let range = ByteRange::From { first: 2, last: Some(5) };
    let object = fake.s3().get(&at("in/a b.jpg"), Some(range)).await.unwrap();
    let meta = ObjectMeta {
        size: 1234,
        etag: "\"e\"".to_owned(),
        content_type: Some("image/jpeg".to_owned()),
        last_modified: cpe_swf::Timestamp::from_millis(1_445_412_480_000),
        metadata: BTreeMap::from([("owner".to_owned(), "me".to_owned())]),
    };
    assert_eq!(object.meta, meta);
    let body: Vec<Bytes> = object.body.try_collect().await.unwrap();
    assert_eq!(body.concat(), b"abcd");
    let asked = fake.asked_once();
    assert_eq!(asked.header("range"), "bytes=2-5");
    assert_eq!(asked.line(), "GET /media/in/a%20b.jpg");
}

#[tokio::test]
async fn a_body_that_breaks_off_says_so() {
    let fake = Fake::start([fake::cut("ab")]).await;
    let mut body = fake.s3().get(&at("a"), None).await.unwrap().body;
    assert_eq!(body.try_next().await.unwrap().unwrap(), "ab");
    let error = body.try_next().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[tokio::test]
async fn the_rest_of_a_body_is_asked_for_if_the_object_is_the_same() {
    let answer = Answer(206, vec![("etag", "\"e\"".to_owned())], "cd".to_owned());
    let fake = Fake::start([answer, fault(412, "PreconditionFailed")]).await;
    let range = Some(ByteRange::From { first: 2, last: None });
    fake.s3().get_matching(&at("a"), range, "\"e\"").await.unwrap();
    let error = fake.s3().get_matching(&at("a"), range, "\"e\"").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    for asked in fake.asked() {
        assert_eq!((asked.header("if-match"), asked.header("range")), ("\"e\"", "bytes=2-"));
    }
}

#[tokio::test]
async fn what_the_store_says_of_all_bytes_is_passed_on() {
    let sums = |value: &str, kind: &str| {
        let headers = vec![
            ("etag", "\"e\"".to_owned()),
            ("x-amz-checksum-crc32", value.to_owned()),
            ("x-amz-checksum-type", kind.to_owned()),
        ];
        Answer(200, headers, "hello".to_owned())
    };
    let answers = [
        sums("NhCmhg==", "FULL_OBJECT"),
        sums("AAAAAA==", "FULL_OBJECT"),
        sums("AAAAAA==-2", "COMPOSITE"),
    ];
    let fake = Fake::start(answers).await;
    let object = fake.s3().get(&at("a"), None).await.unwrap();
    let crc = cpe_ports::Checksum::of(cpe_ports::ChecksumAlgorithm::Crc32, b"hello");
    assert_eq!(object.checksum, Some(crc));
    object.body.try_collect::<Vec<_>>().await.unwrap();

    // Of other bytes: who reads the body finds that out.
    let wrong = fake.s3().get(&at("a"), None).await.unwrap().checksum.unwrap();
    assert_eq!(wrong.value, 0);

    let parts = fake.s3().get(&at("a"), None).await.unwrap();
    assert_eq!(parts.checksum, None);
    parts.body.try_collect::<Vec<_>>().await.unwrap();
}

#[tokio::test]
async fn puts_with_all_options() {
    let fake = Fake::start([tagged(), tagged()]).await;
    let options = PutOptions {
        content_type: Some("image/png".to_owned()),
        metadata: BTreeMap::from([("owner".to_owned(), "me".to_owned())]),
        storage_class: Some("REDUCED_REDUNDANCY".to_owned()),
        encrypt: true,
        condition: Some(PutCondition::Absent),
    };
    let tag = fake.s3().put(&at("a"), Bytes::from_static(b"body"), options).await.unwrap();
    assert_eq!(tag, "\"e\"");
    let matching =
        PutOptions { condition: Some(PutCondition::Matches(tag)), ..PutOptions::default() };
    fake.s3().put(&at("a"), Bytes::new(), matching).await.unwrap();
    let asked = fake.asked();
    let names = [
        "content-type",
        "x-amz-meta-owner",
        "x-amz-storage-class",
        "x-amz-server-side-encryption",
        "if-none-match",
        "x-amz-checksum-crc32",
    ];
    expect![[r#"["image/png", "me", "REDUCED_REDUNDANCY", "AES256", "*", ""]"#]]
        .assert_eq(&format!("{:?}", names.map(|name| asked[0].header(name))));
    assert_eq!((asked[0].line().as_str(), asked[0].text()), ("PUT /media/a", "body"));
    assert_eq!(asked[1].header("if-match"), "\"e\"");
}

#[tokio::test]
async fn a_condition_that_does_not_hold_is_told_from_other_trouble() {
    for (answer, condition, kind) in [
        (fault(412, "PreconditionFailed"), PutCondition::Absent, ErrorKind::AlreadyExists),
        (fault(409, "ConditionalRequestConflict"), PutCondition::Absent, ErrorKind::AlreadyExists),
        (
            fault(404, "NoSuchKey"),
            PutCondition::Matches("\"e\"".to_owned()),
            ErrorKind::AlreadyExists,
        ),
        (fault(404, "NoSuchBucket"), PutCondition::Absent, ErrorKind::NotFound),
        (fault(403, "AccessDenied"), PutCondition::Absent, ErrorKind::Refused),
    ] {
        let fake = Fake::start([answer]).await;
        let options = PutOptions { condition: Some(condition), ..PutOptions::default() };
        let error = fake.s3().put(&at("a"), Bytes::new(), options).await.unwrap_err();
        assert_eq!((error.kind(), error.message()), (kind, "it says"), "{error}");
        fake.asked_once();
    }
}

#[tokio::test]
async fn what_is_missing_and_what_is_busy() {
    let fake = Fake::start([
        fault(404, "NoSuchKey"),
        fake::status(404, ""),
        fault(503, "SlowDown"),
        fault(503, "SlowDown"),
        fault(503, "SlowDown"),
    ])
    .await;
    let s3 = fake.s3();
    let error = s3.get(&at("a"), None).await.unwrap_err();
    assert_eq!(error.to_string(), "NoSuchKey: it says");
    assert!(error.source().is_none());
    let error = s3.head(&at("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().starts_with("s3://media/a: not found"), "{error}");
    assert_eq!(s3.delete(&at("a")).await.unwrap_err().kind(), ErrorKind::Throttled);
    assert_eq!(fake.asked().len(), 5);
}

#[tokio::test]
async fn an_upload_in_parts() {
    let begun =
        "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
    let done = "<CompleteMultipartUploadResult><ETag>&quot;w-2&quot;</ETag></CompleteMultipartUploadResult>";
    let fake =
        Fake::start([fake::ok(begun), tagged(), fake::ok(done), fake::status(204, "")]).await;
    let s3 = fake.s3();
    let upload = s3.create_upload(&at("a"), PutOptions::default()).await.unwrap();
    let part = s3.upload_part(&at("a"), &upload, 1, Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(part, CompletedPart { number: 1, etag: "\"e\"".to_owned() });
    assert_eq!(s3.complete_upload(&at("a"), &upload, vec![part]).await.unwrap(), "\"w-2\"");
    s3.abort_upload(&at("a"), &upload).await.unwrap();
    let lines: Vec<_> = fake.asked().iter().map(fake::Asked::line).collect();
    expect![[r#"
        [
            "POST /media/a?uploads",
            "PUT /media/a?partNumber=1&uploadId=u",
            "POST /media/a?uploadId=u",
            "DELETE /media/a?uploadId=u",
        ]
    "#]]
    .assert_debug_eq(&lines);
    expect![[r#"<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Part><ETag>&quot;e&quot;</ETag><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>"#]]
        .assert_eq(fake.asked()[2].text());
}

#[tokio::test]
async fn what_is_there_of_an_upload() {
    let uploads = "<ListMultipartUploadsResult>\
        <Upload><Key>a</Key><UploadId>u</UploadId></Upload>\
        <Upload><Key>ab</Key><UploadId>v</UploadId></Upload></ListMultipartUploadsResult>";
    let part = |number: u32, size: u32, more: &str| {
        format!(
            "<ListPartsResult>{more}<Part><PartNumber>{number}</PartNumber>\
             <ETag>&quot;e{number}&quot;</ETag><Size>{size}</Size></Part></ListPartsResult>"
        )
    };
    let more = "<IsTruncated>true</IsTruncated><NextPartNumberMarker>1</NextPartNumberMarker>";
    let pages = [fake::ok(uploads), fake::ok(part(1, 9, more)), fake::ok(part(3, 7, ""))];
    let fake = Fake::start(pages).await;
    let s3 = fake.s3();
    let found = s3.list_uploads(&at("a")).await.unwrap();
    assert_eq!(found, [UploadId("u".to_owned())]);
    let parts = s3.list_parts(&at("a"), &found[0]).await.unwrap();
    let told: Vec<_> = parts.iter().map(|p| (p.number, p.size, p.etag.as_str())).collect();
    assert_eq!(told, [(1, 9, "\"e1\""), (3, 7, "\"e3\"")]);
    let lines: Vec<_> = fake.asked().iter().map(fake::Asked::line).collect();
    expect![[r#"
        [
            "GET /media/?uploads&prefix=a",
            "GET /media/a?uploadId=u",
            "GET /media/a?part-number-marker=1&uploadId=u",
        ]
    "#]]
    .assert_debug_eq(&lines);
}

#[tokio::test]
async fn a_copy_names_its_source_encoded() {
    let done = "<CopyObjectResult><ETag>&quot;c&quot;</ETag></CopyObjectResult>";
    // An error may come with the status of a success.
    let failed = "<Error><Code>AccessDenied</Code><Message>it says</Message></Error>";
    let fake = Fake::start([fake::ok(done), fake::ok(failed)]).await;
    let s3 = fake.s3();
    assert_eq!(s3.copy(&at("a b+c"), &at("d")).await.unwrap(), "\"c\"");
    assert_eq!(fake.asked_once().header("x-amz-copy-source"), "media/a%20b%2Bc");
    assert_eq!(s3.copy(&at("a"), &at("d")).await.unwrap_err().kind(), ErrorKind::Refused);
}

#[tokio::test]
async fn lists_pages() {
    let page = r#"<ListBucketResult><IsTruncated>true</IsTruncated>
        <Contents><Key>in/a</Key><LastModified>2015-10-21T07:28:00.000Z</LastModified><ETag>"e"</ETag><Size>7</Size></Contents>
        <Contents><Key>in/b</Key><Size>0</Size></Contents></ListBucketResult>"#;
    let fake = Fake::start([fake::ok(page)]).await;
    let list = ListObjects {
        bucket: "media".to_owned(),
        prefix: "in/".to_owned(),
        start_after: Some("in/0".to_owned()),
        max_keys: 5000,
    };
    let page = fake.s3().list(list).await.unwrap();
    assert!(page.truncated);
    let keys: Vec<_> = page.objects.iter().map(|(key, meta)| (&**key, meta.size)).collect();
    assert_eq!(keys, [("in/a", 7), ("in/b", 0)]);
    assert_eq!(
        fake.asked_once().line(),
        "GET /media/?list-type=2&max-keys=1000&prefix=in%2F&start-after=in%2F0"
    );
}

#[tokio::test]
async fn a_bucket_is_made_unless_it_is_there() {
    let fake = Fake::start([fake::ok("")]).await;
    fake.s3().create_bucket("media").await.unwrap();
    assert_eq!(fake.asked_once().line(), "HEAD /media/");

    let fake = Fake::start([fake::status(404, ""), fake::ok("")]).await.in_region("eu-west-1");
    fake.s3().create_bucket("media").await.unwrap();
    let asked = fake.asked();
    assert_eq!(asked[1].line(), "PUT /media/");
    expect![[r#"<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>"#]]
        .assert_eq(asked[1].text());

    let fake = Fake::start([fake::status(404, ""), fault(409, "BucketAlreadyOwnedByYou")]).await;
    fake.s3().create_bucket("media").await.unwrap();
    assert_eq!(fake.asked()[1].text(), "");

    let fake = Fake::start([fake::status(403, ""), fault(409, "BucketAlreadyExists")]).await;
    let error = fake.s3().create_bucket("media").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
}
