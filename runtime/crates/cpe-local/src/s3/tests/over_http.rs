//! S3 over HTTP, called in process as a server would.

use std::time::Duration;

use expect_test::{Expect, expect};
use http::{Method, Request, Response, Uri};
use http_body_util::BodyExt;
use s3s::Body;

use super::*;
use crate::s3::{Front, service};

pub(super) struct Http {
    pub(super) store: Fixture,
    front: Front,
}

impl Http {
    pub(super) async fn new() -> Self {
        let store = Fixture::new().await;
        let front = service(store.objects.clone());
        Self { store, front }
    }

    pub(super) async fn on_disk(folder: &Path) -> Self {
        let store = Fixture::on_disk(folder).await;
        store.objects.create_bucket("media", "us-east-1").await.unwrap();
        let front = service(store.objects.clone());
        Self { store, front }
    }

    /// Sends `METHOD path`, then a header a line, with this body.
    pub(super) async fn send(&self, head: &str, body: impl Into<Bytes>) -> Response<Bytes> {
        let mut lines = head.lines().map(str::trim).filter(|line| !line.is_empty());
        let (method, path) = lines.next().unwrap().split_once(' ').unwrap();
        let body: Bytes = body.into();
        let mut request = Request::builder()
            .method(method.parse::<Method>().unwrap())
            .uri(path.parse::<Uri>().unwrap());
        let mut has_host = false;
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            has_host |= name.eq_ignore_ascii_case("host");
            request = request.header(name, value);
        }
        if !has_host {
            request = request.header("host", "127.0.0.1:4600");
        }
        if matches!(method, "PUT" | "POST") {
            request = request.header("content-length", body.len());
        }
        let response = self.front.call(request.body(Body::from(body)).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = BodyExt::collect(body).await.unwrap().to_bytes();
        Response::from_parts(parts, body)
    }

    /// The status, the headers that matter, and the body.
    pub(super) async fn show(&self, head: &str, body: impl Into<Bytes>) -> String {
        let response = self.send(head, body).await;
        let mut shown = response.status().as_str().to_owned();
        let mut headers: Vec<_> = response
            .headers()
            .iter()
            .map(|(name, value)| format!("\n{name}: {}", value.to_str().unwrap()))
            .collect();
        headers.sort();
        shown.extend(headers);
        let body = String::from_utf8_lossy(response.body());
        let body = body.replace("><", ">\n<");
        format!("{shown}\n\n{}\n", body.trim_end())
    }

    pub(super) async fn check(&self, head: &str, body: impl Into<Bytes>, expect: Expect) {
        expect.assert_eq(&self.show(head, body).await);
    }

    pub(super) async fn status(&self, head: &str, body: impl Into<Bytes>) -> u16 {
        self.send(head, body).await.status().as_u16()
    }
}

pub(super) fn field<'a>(xml: &'a str, name: &str) -> &'a str {
    let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap();
    rest.split_once('<').unwrap().0
}

#[tokio::test]
async fn put_and_get() {
    let http = Http::new().await;
    http.check(
        "PUT /media/in/photo.txt
         content-type: text/plain
         cache-control: no-cache
         x-amz-meta-author: J\u{fc}rgen
         x-amz-storage-class: REDUCED_REDUNDANCY",
        "hello",
        expect![[r#"
            200
            etag: "5d41402abc4b2a76b9719d911017c592"
            x-amz-checksum-crc64nvme: M3eFcAZSQlc=
            x-amz-checksum-type: FULL_OBJECT


        "#]],
    )
    .await;
    http.check(
        "GET /media/in/photo.txt",
        "",
        expect![[r#"
        200
        accept-ranges: bytes
        cache-control: no-cache
        content-length: 5
        content-type: text/plain
        etag: "5d41402abc4b2a76b9719d911017c592"
        last-modified: Fri, 02 Jan 2026 03:04:05 GMT
        x-amz-meta-author: =?UTF-8?B?SsO8cmdlbg==?=
        x-amz-storage-class: REDUCED_REDUNDANCY

        hello
    "#]],
    )
    .await;
    assert_eq!(http.status("DELETE /media/in/photo.txt", "").await, 204);
    assert_eq!(http.status("DELETE /media/in/photo.txt", "").await, 204);
    assert_eq!(http.status("GET /media/in/photo.txt", "").await, 404);
}

#[tokio::test]
async fn heads_and_what_is_missing() {
    let http = Http::new().await;
    let put = "PUT /media/in/photo.txt\nexpires: Fri, 01 Jan 2027 00:00:00 GMT";
    assert_eq!(http.status(put, "hello").await, 200);
    http.check(
        "HEAD /media/in/photo.txt
         x-amz-checksum-mode: ENABLED",
        "",
        expect![[r#"
            200
            accept-ranges: bytes
            content-length: 5
            content-type: binary/octet-stream
            etag: "5d41402abc4b2a76b9719d911017c592"
            expires: Fri, 01 Jan 2027 00:00:00 GMT
            last-modified: Fri, 02 Jan 2026 03:04:05 GMT
            x-amz-checksum-crc64nvme: M3eFcAZSQlc=
            x-amz-checksum-type: FULL_OBJECT


        "#]],
    )
    .await;
    http.check(
        "GET /media/in/none.txt",
        "",
        expect![[r#"
            404
            content-type: application/xml

            <?xml version="1.0" encoding="UTF-8"?>
            <Error>
            <Code>NoSuchKey</Code>
            <Message>The specified key does not exist.</Message>
            <Key>in/none.txt</Key>
            </Error>
        "#]],
    )
    .await;
    http.check(
        "GET /nowhere/in/none.txt",
        "",
        expect![[r#"
            404
            content-type: application/xml

            <?xml version="1.0" encoding="UTF-8"?>
            <Error>
            <Code>NoSuchBucket</Code>
            <Message>The specified bucket does not exist</Message>
            <BucketName>nowhere</BucketName>
            </Error>
        "#]],
    )
    .await;
}

#[tokio::test]
async fn ranges() {
    let http = Http::new().await;
    http.store.put("k", b"0123456789").await;
    let get = async |range: &str| {
        let response = http
            .send(&format!("GET /media/k\nrange: {range}\nx-amz-checksum-mode: ENABLED"), "")
            .await;
        let header = |name| response.headers().get(name).map(|v| v.to_str().unwrap().to_owned());
        let sum = header("x-amz-checksum-crc64nvme").map_or("", |_| " with a checksum");
        format!(
            "{range}: {} {} {}{sum}",
            response.status().as_u16(),
            header("content-range").unwrap_or_default(),
            String::from_utf8_lossy(response.body()).chars().take(11).collect::<String>(),
        )
    };
    let mut shown = Vec::new();
    for range in ["bytes=0-3", "bytes=7-", "bytes=-2", "bytes=5-500", "bytes=10-", "bytes=-0"] {
        shown.push(get(range).await);
    }
    // HTTP has it that a range which makes no sense is as none.
    for range in ["bytes=5-2", "bytes=0-1,3-4", "lines=1-2", "bytes=x"] {
        shown.push(get(range).await);
    }
    expect![[r#"
        bytes=0-3: 206 bytes 0-3/10 0123
        bytes=7-: 206 bytes 7-9/10 789
        bytes=-2: 206 bytes 8-9/10 89
        bytes=5-500: 206 bytes 5-9/10 56789
        bytes=10-: 416  <?xml versi
        bytes=-0: 416  <?xml versi
        bytes=5-2: 200  0123456789 with a checksum
        bytes=0-1,3-4: 200  0123456789 with a checksum
        lines=1-2: 200  0123456789 with a checksum
        bytes=x: 200  0123456789 with a checksum"#]]
    .assert_eq(&shown.join("\n"));
}

#[tokio::test]
async fn conditions() {
    let http = Http::new().await;
    let tag = "\"5d41402abc4b2a76b9719d911017c592\"";
    assert_eq!(http.status("PUT /media/k\nif-none-match: *", "hello").await, 200);
    assert_eq!(http.status("PUT /media/k\nif-none-match: *", "hello").await, 412);
    assert_eq!(http.status("PUT /media/k\nif-match: \"beef\"", "hello").await, 412);
    assert_eq!(http.status(&format!("PUT /media/k\nif-match: {tag}"), "hello").await, 200);
    assert_eq!(http.status(&format!("PUT /media/l\nif-match: {tag}"), "hello").await, 404);
    let get = async |condition: &str| http.status(&format!("GET /media/k\n{condition}"), "").await;
    assert_eq!(get(&format!("if-match: {tag}")).await, 200);
    assert_eq!(get("if-match: \"beef\"").await, 412);
    assert_eq!(get(&format!("if-none-match: {tag}")).await, 304);
    assert_eq!(get("if-none-match: \"beef\"").await, 200);
    assert_eq!(get("if-none-match: *").await, 304);
    // It was written at 03:04:05.678, which is told as 03:04:05.
    assert_eq!(get("if-modified-since: Fri, 02 Jan 2026 03:04:05 GMT").await, 304);
    assert_eq!(get("if-modified-since: Fri, 02 Jan 2026 03:04:04 GMT").await, 200);
    assert_eq!(get("if-unmodified-since: Fri, 02 Jan 2026 03:04:05 GMT").await, 200);
    assert_eq!(get("if-unmodified-since: Fri, 02 Jan 2026 03:04:04 GMT").await, 412);
    let both = "if-unmodified-since: Fri, 02 Jan 2026 03:04:04 GMT";
    assert_eq!(get(&format!("if-match: {tag}\n{both}")).await, 200);
    http.check(
        &format!("GET /media/k\nif-none-match: {tag}"),
        "",
        expect![[r#"
        304
        etag: "5d41402abc4b2a76b9719d911017c592"


    "#]],
    )
    .await;
}

#[tokio::test]
async fn signed_requests_are_taken_without_a_look_at_the_signature() {
    let http = Http::new().await;
    let signed = "authorization: AWS4-HMAC-SHA256 Credential=local/20260102/us-east-1/s3/\
                  aws4_request, SignedHeaders=host, Signature=00ff\n\
                  x-amz-date: 20260102T030405Z\n\
                  x-amz-content-sha256: UNSIGNED-PAYLOAD";
    assert_eq!(http.status(&format!("PUT /media/k\n{signed}"), "hello").await, 200);
    assert_eq!(http.store.read("k").await.unwrap(), b"hello");
    let v2 = "authorization: AWS AKIA:abc=\ndate: Fri, 02 Jan 2026 03:04:05 GMT";
    assert_eq!(http.status(&format!("GET /media/k\n{v2}"), "").await, 200);
}

#[tokio::test]
async fn presigned_addresses_are_good_until_they_expire() {
    let http = Http::new().await;
    http.store.put("k", b"hello").await;
    let v4 = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=local%2F20260102%2Fus-east-1%2F\
              s3%2Faws4_request&X-Amz-Date=20260102T030400Z&X-Amz-Expires=60&\
              X-Amz-SignedHeaders=host&X-Amz-Signature=00ff";
    let v2 = "AWSAccessKeyId=local&Signature=abc%3D&Expires=1767323060";
    let head = |query: &str| format!("GET /media/k?response-content-type=text%2Fcss&{query}");
    for query in [v4, v2] {
        let response = http.send(&head(query), "").await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/css");
    }
    assert_eq!(http.status(&format!("PUT /media/put?{v4}"), "by address").await, 200);
    assert_eq!(http.store.read("put").await.unwrap(), b"by address");
    http.store.clock.advance(Duration::from_secs(60));
    for query in [v4, v2] {
        let response = http.send(&head(query), "").await;
        let body = String::from_utf8_lossy(response.body()).into_owned();
        assert_eq!((response.status().as_u16(), field(&body, "Code")), (403, "AccessDenied"));
    }
    let too_long = v4.replace("X-Amz-Expires=60", "X-Amz-Expires=604801");
    assert_eq!(http.status(&head(&too_long), "").await, 400);
    let broken = v4.replace("20260102T030400Z", "yesterday");
    assert_eq!(http.status(&head(&broken), "").await, 400);
}

#[tokio::test]
async fn framed_bodies_with_trailers() {
    let http = Http::new().await;
    let head = |sha256: &str, length: usize| {
        format!(
            "PUT /media/k
             x-amz-content-sha256: {sha256}
             x-amz-decoded-content-length: {length}
             x-amz-trailer: x-amz-checksum-crc32
             content-encoding: aws-chunked,gzip"
        )
    };
    let unsigned = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
    let framed = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n";
    let stored = http.send(&head(unsigned, 5), framed).await;
    assert_eq!(stored.status(), 200);
    assert_eq!(stored.headers()["x-amz-checksum-crc32"], "NhCmhg==");
    http.check(
        "GET /media/k\nx-amz-checksum-mode: ENABLED",
        "",
        expect![[r#"
        200
        accept-ranges: bytes
        content-encoding: gzip
        content-length: 5
        content-type: binary/octet-stream
        etag: "5d41402abc4b2a76b9719d911017c592"
        last-modified: Fri, 02 Jan 2026 03:04:05 GMT
        x-amz-checksum-crc32: NhCmhg==
        x-amz-checksum-type: FULL_OBJECT

        hello
    "#]],
    )
    .await;
    let signed = "5;chunk-signature=00\r\nhello\r\n0;chunk-signature=11\r\n\
                  x-amz-checksum-crc32:NhCmhg==\r\nx-amz-trailer-signature:22\r\n\r\n";
    let sha256 = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
    assert_eq!(http.status(&head(sha256, 5), signed).await, 200);

    let refused = async |length: usize, framed: &'static str| {
        let response = http.send(&head(unsigned, length), framed).await;
        let body = String::from_utf8_lossy(response.body()).into_owned();
        field(&body, "Code").to_owned()
    };
    let other = "5\r\nhallo\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n";
    assert_eq!(refused(5, other).await, "BadDigest");
    assert_eq!(refused(6, framed).await, "IncompleteBody");
    assert_eq!(refused(4, framed).await, "IncompleteBody");
    assert_eq!(refused(5, "5\r\nhello\r\n0\r\n\r\n").await, "InvalidRequest");
    assert_eq!(refused(5, "5\r\nhel").await, "IncompleteBody");
    assert_eq!(refused(5, "hello").await, "IncompleteBody");
    assert_eq!(http.store.read("k").await.unwrap(), b"hello");
}

#[tokio::test]
async fn checksums_in_headers() {
    let http = Http::new().await;
    let put = async |header: &str| {
        let response = http.send(&format!("PUT /media/k\n{header}"), "hello").await;
        match response.status().as_u16() {
            200 => "stored".to_owned(),
            _ => field(&String::from_utf8_lossy(response.body()), "Code").to_owned(),
        }
    };
    assert_eq!(put("content-md5: XUFAKrxLKna5cZ2REBfFkg==").await, "stored");
    assert_eq!(put("content-md5: XUFAKrxLKna5cZ2REBfFkw==").await, "BadDigest");
    assert_eq!(put("content-md5: nonsense").await, "InvalidDigest");
    assert_eq!(put("x-amz-checksum-crc32: NhCmhg==").await, "stored");
    assert_eq!(put("x-amz-checksum-crc32: AAAAAA==").await, "BadDigest");
    let two = "x-amz-checksum-crc32: NhCmhg==\nx-amz-checksum-sha1: qvTGHdzF6KLavt4PO0gs2a6pQ00=";
    assert_eq!(put(two).await, "InvalidRequest");
    assert_eq!(put("x-amz-checksum-sha1: qvTGHdzF6KLavt4PO0gs2a6pQ00=").await, "stored");
    assert_eq!(put("x-amz-sdk-checksum-algorithm: CRC9").await, "InvalidRequest");
}

const IN_EUROPE: &str = "<CreateBucketConfiguration><LocationConstraint>eu-west-1\
                         </LocationConstraint></CreateBucketConfiguration>";

#[tokio::test]
async fn buckets() {
    let http = Http::new().await;
    assert_eq!(http.status("PUT /other", "").await, 200);
    assert_eq!(http.status("PUT /other", "").await, 200);
    assert_eq!(http.status("PUT /in-europe", IN_EUROPE).await, 200);
    http.check(
        "PUT /in-europe",
        IN_EUROPE,
        expect![[r#"
            409
            content-type: application/xml

            <?xml version="1.0" encoding="UTF-8"?>
            <Error>
            <Code>BucketAlreadyOwnedByYou</Code>
            <Message>Your previous request to create the named bucket succeeded and you already own it.</Message>
            <BucketName>in-europe</BucketName>
            </Error>
        "#]],
    )
    .await;
    assert_eq!(http.status("HEAD /nowhere", "").await, 404);
    http.store.put("k", b"x").await;
    assert_eq!(http.status("DELETE /media", "").await, 409);
    assert_eq!(http.status("DELETE /media/k", "").await, 204);
    assert_eq!(http.status("DELETE /media", "").await, 204);
    assert_eq!(http.status("GET /media/k", "").await, 404);
    assert_eq!(http.status("PUT /No_Bucket", "").await, 400);
}

#[tokio::test]
async fn buckets_are_listed_and_located() {
    let http = Http::new().await;
    assert_eq!(http.status("PUT /in-europe", IN_EUROPE).await, 200);
    http.check(
        "GET /",
        "",
        expect![[r#"
            200
            content-type: application/xml

            <?xml version="1.0" encoding="UTF-8"?>
            <ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
            <Buckets>
            <Bucket>
            <BucketRegion>eu-west-1</BucketRegion>
            <CreationDate>2026-01-02T03:04:05.000Z</CreationDate>
            <Name>in-europe</Name>
            </Bucket>
            <Bucket>
            <BucketRegion>us-east-1</BucketRegion>
            <CreationDate>2026-01-02T03:04:05.000Z</CreationDate>
            <Name>media</Name>
            </Bucket>
            </Buckets>
            <Owner>
            <ID>0000000000000000000000000000000000000000000000000000123456789012</ID>
            </Owner>
            </ListAllMyBucketsResult>
        "#]],
    )
    .await;
    http.check("GET /in-europe?location", "", expect![[r#"
        200
        content-type: application/xml

        <?xml version="1.0" encoding="UTF-8"?>
        <LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">eu-west-1</LocationConstraint>
    "#]]).await;
    http.check(
        "GET /media?location",
        "",
        expect![[r#"
        200
        content-type: application/xml

        <?xml version="1.0" encoding="UTF-8"?>
        <LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
        </LocationConstraint>
    "#]],
    )
    .await;
    http.check(
        "HEAD /in-europe",
        "",
        expect![[r#"
            200
            content-type: application/xml
            x-amz-bucket-region: eu-west-1


        "#]],
    )
    .await;
}

#[tokio::test]
async fn lists_in_the_second_version() {
    let http = Http::new().await;
    for key in ["a b&<c>", "docs/1", "docs/2", "z"] {
        http.store.put(key, b"x").await;
    }
    let first = "GET /media?list-type=2&delimiter=%2F&max-keys=2&encoding-type=url";
    http.check(
        first,
        "",
        expect![[r#"
        200
        content-type: application/xml

        <?xml version="1.0" encoding="UTF-8"?>
        <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
        <Name>media</Name>
        <Prefix>
        </Prefix>
        <MaxKeys>2</MaxKeys>
        <KeyCount>2</KeyCount>
        <IsTruncated>true</IsTruncated>
        <NextContinuationToken>ZG9jcy8</NextContinuationToken>
        <Contents>
        <ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm>
        <ChecksumType>FULL_OBJECT</ChecksumType>
        <ETag>"9dd4e461268c8034f5c8564e155c67a6"</ETag>
        <Key>a+b%26%3Cc%3E</Key>
        <LastModified>2026-01-02T03:04:05.000Z</LastModified>
        <Size>1</Size>
        <StorageClass>STANDARD</StorageClass>
        </Contents>
        <CommonPrefixes>
        <Prefix>docs/</Prefix>
        </CommonPrefixes>
        <Delimiter>/</Delimiter>
        <EncodingType>url</EncodingType>
        </ListBucketResult>
    "#]],
    )
    .await;
    let page = http.send(first, "").await;
    let body = String::from_utf8_lossy(page.body()).into_owned();
    let token = field(&body, "NextContinuationToken");
    let second = http.send(&format!("{first}&continuation-token={token}"), "").await;
    let body = String::from_utf8_lossy(second.body()).into_owned();
    assert_eq!(
        ["Key", "KeyCount", "IsTruncated"].map(|name| field(&body, name)),
        ["z", "1", "false"]
    );
    assert_eq!(field(&body, "ContinuationToken"), token);
    assert_eq!(http.status("GET /media?list-type=2&continuation-token=%21", "").await, 400);
    assert_eq!(http.status("GET /media?list-type=2&max-keys=-1", "").await, 400);
    assert_eq!(http.status("GET /media?list-type=2&max-keys=5000", "").await, 200);
}

#[tokio::test]
async fn lists_in_the_first_version() {
    let http = Http::new().await;
    for key in ["a b&<c>", "docs/1", "z"] {
        http.store.put(key, b"x").await;
    }
    http.check(
        "GET /media?max-keys=1&marker=a",
        "",
        expect![[r#"
        200
        content-type: application/xml

        <?xml version="1.0" encoding="UTF-8"?>
        <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
        <Name>media</Name>
        <Prefix>
        </Prefix>
        <Marker>a</Marker>
        <MaxKeys>1</MaxKeys>
        <IsTruncated>true</IsTruncated>
        <Contents>
        <ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm>
        <ChecksumType>FULL_OBJECT</ChecksumType>
        <ETag>"9dd4e461268c8034f5c8564e155c67a6"</ETag>
        <Key>a b&amp;&lt;c&gt;</Key>
        <LastModified>2026-01-02T03:04:05.000Z</LastModified>
        <Owner>
        <ID>0000000000000000000000000000000000000000000000000000123456789012</ID>
        </Owner>
        <Size>1</Size>
        <StorageClass>STANDARD</StorageClass>
        </Contents>
        </ListBucketResult>
    "#]],
    )
    .await;
    let page = http.send("GET /media?max-keys=2&delimiter=%2F", "").await;
    let page = String::from_utf8_lossy(page.body()).into_owned();
    assert_eq!(field(&page, "NextMarker"), "docs/");
}

#[tokio::test]
async fn several_are_deleted_at_once() {
    let http = Http::new().await;
    http.store.put("a", b"x").await;
    http.store.put("../b", &bytes(40_000)).await;
    let long = "k".repeat(1025);
    let delete = format!(
        "<Delete><Object><Key>a</Key></Object><Object><Key>../b</Key></Object>\
         <Object><Key>not there</Key></Object><Object><Key>{long}</Key></Object></Delete>"
    );
    let shown = http.show("POST /media?delete", delete).await;
    expect![[r#"
        200
        content-type: application/xml

        <?xml version="1.0" encoding="UTF-8"?>
        <DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
        <Deleted>
        <Key>a</Key>
        </Deleted>
        <Deleted>
        <Key>../b</Key>
        </Deleted>
        <Deleted>
        <Key>not there</Key>
        </Deleted>
        <Error>
        <Code>KeyTooLongError</Code>
        <Key>kkk...</Key>
        <Message>Your key is too long</Message>
        </Error>
        </DeleteResult>
    "#]]
    .assert_eq(&shown.replace(&long, "kkk..."));
    assert_eq!(http.store.files(0).await, []);
    let none = "<Delete><Quiet>true</Quiet></Delete>";
    assert_eq!(http.status("POST /media?delete", none).await, 400);
}

#[tokio::test]
async fn copies() {
    let http = Http::new().await;
    let put = "PUT /media/a%2520b\nx-amz-meta-n: v\ncontent-type: text/plain";
    assert_eq!(http.status(put, "hello").await, 200);
    http.check(
        "PUT /media/copy\nx-amz-copy-source: /media/a%2520b",
        "",
        expect![[r#"
        200
        content-type: application/xml

        <?xml version="1.0" encoding="UTF-8"?>
        <CopyObjectResult>
        <ChecksumCRC64NVME>M3eFcAZSQlc=</ChecksumCRC64NVME>
        <ChecksumType>FULL_OBJECT</ChecksumType>
        <ETag>"5d41402abc4b2a76b9719d911017c592"</ETag>
        <LastModified>2026-01-02T03:04:05.000Z</LastModified>
        </CopyObjectResult>
    "#]],
    )
    .await;
    let other = "PUT /media/other
                 x-amz-copy-source: media/a%2520b
                 x-amz-metadata-directive: REPLACE
                 x-amz-meta-other: w";
    assert_eq!(http.status(other, "").await, 200);
    let headers = async |key: &str| {
        let response = http.send(&format!("HEAD /media/{key}"), "").await;
        let headers = response.headers();
        let value = |name| headers.get(name).map_or("-", |value| value.to_str().unwrap());
        [value("content-type"), value("x-amz-meta-n"), value("x-amz-meta-other")].join(" ")
    };
    assert_eq!(headers("copy").await, "text/plain v -");
    assert_eq!(headers("other").await, "binary/octet-stream - w");
    let failing = "PUT /media/c\nx-amz-copy-source: media/copy\nx-amz-copy-source-if-match: \"x\"";
    assert_eq!(http.status(failing, "").await, 412);
    assert_eq!(http.status("PUT /media/c\nx-amz-copy-source: media/none", "").await, 404);
    assert_eq!(http.status("PUT /media/copy\nx-amz-copy-source: media/copy", "").await, 400);
}

/// Begins an upload to `big`; answers with its id.
pub(super) async fn begin(http: &Http) -> String {
    let head = "POST /media/big?uploads\ncontent-type: video/mp4\nx-amz-checksum-algorithm: CRC32";
    let created = http.send(head, "").await;
    field(&String::from_utf8_lossy(created.body()), "UploadId").to_owned()
}

/// Uploads a part; answers with its entity tag and checksum.
pub(super) async fn put_part(http: &Http, id: &str, number: u32, body: &[u8]) -> (String, String) {
    let head = format!("PUT /media/big?partNumber={number}&uploadId={id}");
    let response = http.send(&head, body.to_vec()).await;
    assert_eq!(response.status(), 200);
    let header = |name| response.headers()[name].to_str().unwrap().to_owned();
    (header("etag"), header("x-amz-checksum-crc32"))
}

#[tokio::test]
async fn uploads_and_parts_are_listed() {
    let http = Http::new().await;
    let id = begin(&http).await;
    for number in [1, 2] {
        put_part(&http, &id, number, b"part").await;
    }
    let replace = |shown: String| shown.replace(&id, "ID");
    let shown = http.show(&format!("GET /media/big?uploadId={id}&max-parts=1"), "").await;
    expect![[r#"
        200
        content-type: application/xml

        <?xml version="1.0" encoding="UTF-8"?>
        <ListPartsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
        <Bucket>media</Bucket>
        <ChecksumAlgorithm>CRC32</ChecksumAlgorithm>
        <ChecksumType>COMPOSITE</ChecksumType>
        <Initiator>
        <ID>0000000000000000000000000000000000000000000000000000123456789012</ID>
        </Initiator>
        <IsTruncated>true</IsTruncated>
        <Key>big</Key>
        <MaxParts>1</MaxParts>
        <NextPartNumberMarker>1</NextPartNumberMarker>
        <Owner>
        <ID>0000000000000000000000000000000000000000000000000000123456789012</ID>
        </Owner>
        <PartNumberMarker>0</PartNumberMarker>
        <Part>
        <ChecksumCRC32>SQ9wxg==</ChecksumCRC32>
        <ETag>"f4c9385f1902f7334b00b9b4ecd164de"</ETag>
        <LastModified>2026-01-02T03:04:05.000Z</LastModified>
        <PartNumber>1</PartNumber>
        <Size>4</Size>
        </Part>
        <StorageClass>STANDARD</StorageClass>
        <UploadId>ID</UploadId>
        </ListPartsResult>
    "#]]
    .assert_eq(&replace(shown));
    let shown = http.show("GET /media?uploads", "").await;
    expect![[r#"
        200
        content-type: application/xml

        <?xml version="1.0" encoding="UTF-8"?>
        <ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
        <Bucket>media</Bucket>
        <IsTruncated>false</IsTruncated>
        <KeyMarker>
        </KeyMarker>
        <MaxUploads>1000</MaxUploads>
        <Prefix>
        </Prefix>
        <UploadIdMarker>
        </UploadIdMarker>
        <Upload>
        <ChecksumAlgorithm>CRC32</ChecksumAlgorithm>
        <ChecksumType>COMPOSITE</ChecksumType>
        <Initiated>2026-01-02T03:04:05.000Z</Initiated>
        <Initiator>
        <ID>0000000000000000000000000000000000000000000000000000123456789012</ID>
        </Initiator>
        <Key>big</Key>
        <Owner>
        <ID>0000000000000000000000000000000000000000000000000000123456789012</ID>
        </Owner>
        <StorageClass>STANDARD</StorageClass>
        <UploadId>ID</UploadId>
        </Upload>
        </ListMultipartUploadsResult>
    "#]]
    .assert_eq(&replace(shown));
}

#[tokio::test]
async fn an_upload_is_completed() {
    let http = Http::new().await;
    let id = begin(&http).await;
    let part = bytes(5 << 20);
    let (one, sum_one) = put_part(&http, &id, 1, &part).await;
    let (two, sum_two) = put_part(&http, &id, 2, b"the end").await;
    let complete = |parts: [(&str, &str, u32); 2]| {
        let part = |(etag, sum, number): (&str, &str, u32)| {
            format!(
                "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag>\
                 <ChecksumCRC32>{sum}</ChecksumCRC32></Part>"
            )
        };
        format!("<CompleteMultipartUpload>{}</CompleteMultipartUpload>", parts.map(part).concat())
    };
    let finish = format!("POST /media/big?uploadId={id}");
    let wrong = complete([(&one, &sum_two, 1), (&two, &sum_two, 2)]);
    assert_eq!(http.status(&finish, wrong).await, 400);
    let shown = http.show(&finish, complete([(&one, &sum_one, 1), (&two, &sum_two, 2)])).await;
    expect![[r#"
        200
        content-type: application/xml

        <?xml version="1.0" encoding="UTF-8"?>
        <CompleteMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
        <Bucket>media</Bucket>
        <ChecksumCRC32>m862eQ==-2</ChecksumCRC32>
        <ChecksumType>COMPOSITE</ChecksumType>
        <ETag>"876ac93e062e617542af5effc89220c5-2"</ETag>
        <Key>big</Key>
        <Location>http://127.0.0.1:4600/media/big</Location>
        </CompleteMultipartUploadResult>
    "#]]
    .assert_eq(&shown);
    let got = http.send("GET /media/big\nx-amz-checksum-mode: ENABLED", "").await;
    assert!(got.body()[..] == [part.as_slice(), b"the end"].concat());
    assert_eq!(got.headers()["content-type"], "video/mp4");
    assert_eq!(got.headers()["x-amz-checksum-type"], "COMPOSITE");
    assert_eq!(http.status(&format!("DELETE /media/big?uploadId={id}"), "").await, 404);
    // Whoever did not hear the answer asks again, and hears it, until something else is there.
    let again = format!("{finish}\nif-none-match: *");
    let parts = complete([(&one, &sum_one, 1), (&two, &sum_two, 2)]);
    assert_eq!(http.show(&again, parts.clone()).await, shown);
    http.store.put("big", b"other").await;
    assert_eq!(http.status(&finish, parts).await, 404);
}

#[tokio::test]
async fn parts_that_are_copied() {
    let http = Http::new().await;
    http.store.put("source", &bytes(100)).await;
    let created = http.send("POST /media/big?uploads", "").await;
    let id = field(&String::from_utf8_lossy(created.body()), "UploadId").to_owned();
    let copy = format!(
        "PUT /media/big?partNumber=1&uploadId={id}
         x-amz-copy-source: media/source
         x-amz-copy-source-range: bytes=10-19"
    );
    let copied = http.send(&copy, "").await;
    let body = String::from_utf8_lossy(copied.body()).into_owned();
    let etag = field(&body, "ETag");
    let complete = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>\
         </CompleteMultipartUpload>"
    );
    assert_eq!(http.status(&format!("POST /media/big?uploadId={id}"), complete).await, 200);
    assert_eq!(http.store.read("big").await.unwrap(), bytes(100)[10..20]);
}

#[tokio::test]
async fn buckets_are_called_by_path_and_by_host() {
    let http = Http::new().await;
    http.store.put("a/b", b"hello").await;
    for head in [
        "GET /media/a/b",
        "GET /media/a/b\nhost: localhost:4600",
        "GET /media/a/b\nhost: [::1]:4600",
        "GET /media/a/b\nhost: s3.localhost:4600",
        "GET /a/b\nhost: media.localhost:4600",
        "GET /a/b\nhost: media.s3.localhost",
        "GET /media/a/b\nhost: cpe.example.com",
    ] {
        let response = http.send(head, "").await;
        assert_eq!(response.body(), "hello", "{head}");
    }
    assert_eq!(http.status("GET /a/b\nhost: other.localhost:4600", "").await, 404);
    assert_eq!(http.status("GET /a/b\nhost: Not_A_Bucket.localhost:4600", "").await, 400);
}

#[tokio::test]
async fn hostile_paths_are_keys_or_refused() {
    let http = Http::new().await;
    for (path, key) in [
        ("/media/../x", "../x"),
        ("/media/%2e%2e/x", "../x"),
        ("/media/%252e%252e", "%2e%2e"),
        ("/media/a//b", "a//b"),
        ("/media//", "/"),
        ("/media/%C3%A9", "é"),
    ] {
        assert_eq!(http.status(&format!("PUT {path}"), path).await, 200, "{path}");
        assert_eq!(http.store.read(key).await.unwrap(), path.as_bytes(), "{path}");
        assert_eq!(http.send(&format!("GET {path}"), "").await.body(), path, "{path}");
    }
    let long = "%C3%A9".repeat(512);
    assert_eq!(http.status(&format!("PUT /media/{long}"), "x").await, 200);
    assert_eq!(http.status(&format!("PUT /media/{long}x"), "x").await, 400);
    assert_eq!(http.status("PUT /media/%ff", "x").await, 400);
    assert_eq!(http.status("PUT /media/a%00b", "x").await, 400);
    assert_eq!(http.status("PUT /../x", "x").await, 400);
}

#[tokio::test]
async fn what_is_not_there_is_refused() {
    let http = Http::new().await;
    http.store.put("k", b"x").await;
    for head in [
        "PUT /media/k\nx-amz-object-lock-mode: GOVERNANCE",
        "PUT /media/k\nif-none-match: \"beef\"",
        "GET /media?website",
        "GET /media/k?retention",
    ] {
        assert_eq!(http.status(head, "").await, 501, "{head}");
    }
    let version = "3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY";
    assert_eq!(http.status(&format!("GET /media/k?versionId={version}x"), "").await, 400);
    let version = version.get(..32).unwrap();
    assert_eq!(http.status(&format!("GET /media/k?versionId={version}"), "").await, 404);
    assert_eq!(http.status("GET /media/k?versionId=null", "").await, 200);
    assert_eq!(http.store.read("k").await.unwrap(), b"x");
}
