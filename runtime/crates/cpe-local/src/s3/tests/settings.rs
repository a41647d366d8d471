//! What there is besides bodies: parts, attributes, tags, documents of buckets, versions.

use expect_test::expect;

use super::{
    over_http::{Http, begin, field, put_part},
    *,
};

/// An object of two parts, 5 MiB and 7 bytes.
async fn upload(http: &Http) -> Vec<u8> {
    let id = begin(http).await;
    let part = bytes(5 << 20);
    let (one, _) = put_part(http, &id, 1, &part).await;
    let (two, _) = put_part(http, &id, 3, b"the end").await;
    let complete = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{one}</ETag></Part>\
         <Part><PartNumber>3</PartNumber><ETag>{two}</ETag></Part></CompleteMultipartUpload>"
    );
    assert_eq!(http.status(&format!("POST /media/big?uploadId={id}"), complete).await, 200);
    [part.as_slice(), b"the end"].concat()
}

#[tokio::test]
async fn parts_are_read_by_their_numbers() {
    let http = Http::new().await;
    let body = upload(&http).await;
    let first = http.send("GET /media/big?partNumber=1", "").await;
    assert!(first.body()[..] == body[..5 << 20]);
    assert_eq!(first.headers()["x-amz-mp-parts-count"], "2");
    http.check(
        "GET /media/big?partNumber=3",
        "",
        expect![[r#"
        206
        accept-ranges: bytes
        content-length: 7
        content-range: bytes 5242880-5242886/5242887
        content-type: video/mp4
        etag: "876ac93e062e617542af5effc89220c5-2"
        last-modified: Fri, 02 Jan 2026 03:04:05 GMT
        x-amz-mp-parts-count: 2

        the end
    "#]],
    )
    .await;
    http.check(
        "HEAD /media/big?partNumber=3",
        "",
        expect![[r#"
            206
            accept-ranges: bytes
            content-length: 7
            content-range: bytes 5242880-5242886/5242887
            content-type: video/mp4
            etag: "876ac93e062e617542af5effc89220c5-2"
            last-modified: Fri, 02 Jan 2026 03:04:05 GMT
            x-amz-mp-parts-count: 2


        "#]],
    )
    .await;
    http.check(
        "GET /media/big?partNumber=2",
        "",
        expect![[r#"
            416
            content-type: application/xml

            <?xml version="1.0" encoding="UTF-8"?>
            <Error>
            <Code>InvalidPartNumber</Code>
            <Message>The requested partnumber is not satisfiable</Message>
            </Error>
        "#]],
    )
    .await;
}

#[tokio::test]
async fn an_object_that_was_put_at_once_is_its_only_part() {
    let http = Http::new().await;
    http.store.put("small", b"hello").await;
    http.check(
        "HEAD /media/small?partNumber=1",
        "",
        expect![[r#"
            206
            accept-ranges: bytes
            content-length: 5
            content-range: bytes 0-4/5
            content-type: binary/octet-stream
            etag: "5d41402abc4b2a76b9719d911017c592"
            last-modified: Fri, 02 Jan 2026 03:04:05 GMT


        "#]],
    )
    .await;
    http.store.put("empty", b"").await;
    let statuses = [
        http.status("GET /media/empty?partNumber=1", "").await,
        http.status("GET /media/small?partNumber=2", "").await,
        http.status("GET /media/small?partNumber=0", "").await,
        http.status("GET /media/small?partNumber=10001", "").await,
        http.status("GET /media/small?partNumber=1\nrange: bytes=0-1", "").await,
        http.status("HEAD /media/small\nrange: bytes=1-2", "").await,
        http.status("HEAD /media/small\nrange: bytes=9-", "").await,
    ];
    assert_eq!(statuses, [200, 416, 400, 400, 400, 206, 416]);
}

#[tokio::test]
async fn attributes_of_an_object() {
    let http = Http::new().await;
    upload(&http).await;
    let all = "ETag,Checksum,ObjectParts,StorageClass,ObjectSize";
    let head = format!("GET /media/big?attributes\nx-amz-object-attributes: {all}");
    http.check(
        &head,
        "",
        expect![[r#"
            200
            content-type: application/xml
            last-modified: Fri, 02 Jan 2026 03:04:05 GMT

            <?xml version="1.0" encoding="UTF-8"?>
            <GetObjectAttributesResponse xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
            <Checksum>
            <ChecksumCRC32>m862eQ==</ChecksumCRC32>
            <ChecksumType>COMPOSITE</ChecksumType>
            </Checksum>
            <ETag>876ac93e062e617542af5effc89220c5-2</ETag>
            <ObjectParts>
            <IsTruncated>false</IsTruncated>
            <MaxParts>1000</MaxParts>
            <NextPartNumberMarker>3</NextPartNumberMarker>
            <PartNumberMarker>0</PartNumberMarker>
            <Part>
            <ChecksumCRC32>buR92Q==</ChecksumCRC32>
            <PartNumber>1</PartNumber>
            <Size>5242880</Size>
            </Part>
            <Part>
            <ChecksumCRC32>b7Eb0Q==</ChecksumCRC32>
            <PartNumber>3</PartNumber>
            <Size>7</Size>
            </Part>
            <PartsCount>2</PartsCount>
            </ObjectParts>
            <ObjectSize>5242887</ObjectSize>
            <StorageClass>STANDARD</StorageClass>
            </GetObjectAttributesResponse>
        "#]],
    )
    .await;
    http.store.put("small", b"hello").await;
    let head = "GET /media/small?attributes\nx-amz-object-attributes: ObjectSize,ObjectParts";
    http.check(
        head,
        "",
        expect![[r#"
            200
            content-type: application/xml
            last-modified: Fri, 02 Jan 2026 03:04:05 GMT

            <?xml version="1.0" encoding="UTF-8"?>
            <GetObjectAttributesResponse xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
            <ObjectSize>5</ObjectSize>
            </GetObjectAttributesResponse>
        "#]],
    )
    .await;
    let page = format!("{head}\nx-amz-max-parts: 1").replace("small", "big");
    let page = http.send(&page, "").await;
    let page = String::from_utf8_lossy(page.body()).into_owned();
    let fields = ["PartsCount", "IsTruncated", "NextPartNumberMarker", "ObjectSize"];
    assert_eq!(fields.map(|name| field(&page, name)), ["2", "true", "1", "5242887"]);
    let none = "GET /media/small?attributes\nx-amz-object-attributes: Colour";
    assert_eq!(http.status(none, "").await, 400);
    let missing = "GET /media/none?attributes\nx-amz-object-attributes: ETag";
    assert_eq!(http.status(missing, "").await, 404);
}

fn tagging(tags: &[(&str, &str)]) -> String {
    let tags: String = tags
        .iter()
        .map(|(name, value)| format!("<Tag><Key>{name}</Key><Value>{value}</Value></Tag>"))
        .collect();
    format!("<Tagging><TagSet>{tags}</TagSet></Tagging>")
}

/// The tags of an object, or the code of the error.
async fn tags(http: &Http, path: &str) -> String {
    let response = http.send(&format!("GET {path}?tagging"), "").await;
    let body = String::from_utf8_lossy(response.body()).into_owned();
    if response.status() != 200 {
        return field(&body, "Code").to_owned();
    }
    let tags = body.split("<Tag>").skip(1);
    let tags: Vec<_> =
        tags.map(|tag| format!("{}={}", field(tag, "Key"), field(tag, "Value"))).collect();
    tags.join(" ")
}

#[tokio::test]
async fn objects_have_tags() {
    let http = Http::new().await;
    assert_eq!(http.status("PUT /media/k\nx-amz-tagging: b=2&a=x%20y", "hello").await, 200);
    assert_eq!(tags(&http, "/media/k").await, "a=x y b=2");
    let got = http.send("GET /media/k", "").await;
    assert_eq!(got.headers()["x-amz-tagging-count"], "2");
    assert_eq!(http.send("HEAD /media/k", "").await.headers()["x-amz-tagging-count"], "2");
    // A copy has them too, unless it is told others.
    assert_eq!(http.status("PUT /media/copy\nx-amz-copy-source: media/k", "").await, 200);
    assert_eq!(tags(&http, "/media/copy").await, "a=x y b=2");
    let replacing = "PUT /media/other\nx-amz-copy-source: media/k\nx-amz-tagging: c=3\n\
                     x-amz-tagging-directive: REPLACE";
    assert_eq!(http.status(replacing, "").await, 200);
    assert_eq!(tags(&http, "/media/other").await, "c=3");
    let unclear = "PUT /media/x\nx-amz-copy-source: media/k\nx-amz-tagging: c=3";
    assert_eq!(http.status(unclear, "").await, 400);

    assert_eq!(http.status("PUT /media/k?tagging", tagging(&[("new", "")])).await, 200);
    assert_eq!(tags(&http, "/media/k").await, "new=");
    assert_eq!(http.status("DELETE /media/k?tagging", "").await, 204);
    assert_eq!(tags(&http, "/media/k").await, "");
    let got = http.send("GET /media/k", "").await;
    assert_eq!(got.headers().get("x-amz-tagging-count"), None);
    assert_eq!(got.body(), "hello");
    assert_eq!(tags(&http, "/media/none").await, "NoSuchKey");
    let created = http.send("POST /media/up?uploads\nx-amz-tagging: u=1", "").await;
    let id = field(&String::from_utf8_lossy(created.body()), "UploadId").to_owned();
    let part = http.send(&format!("PUT /media/up?partNumber=1&uploadId={id}"), "x").await;
    let complete = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part>\
         </CompleteMultipartUpload>",
        part.headers()["etag"].to_str().unwrap()
    );
    assert_eq!(http.status(&format!("POST /media/up?uploadId={id}"), complete).await, 200);
    assert_eq!(tags(&http, "/media/up").await, "u=1");
}

#[tokio::test]
async fn tags_have_limits() {
    let http = Http::new().await;
    http.store.put("k", b"x").await;
    let put = async |path: &str, tags: &[(&str, &str)]| {
        let response = http.send(&format!("PUT {path}?tagging"), tagging(tags)).await;
        match response.status().as_u16() {
            200 | 204 => "done".to_owned(),
            _ => field(&String::from_utf8_lossy(response.body()), "Code").to_owned(),
        }
    };
    let names: Vec<String> = (0..51).map(|n| format!("t{n}")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), "v")).collect();
    assert_eq!(put("/media/k", &many[..10]).await, "done");
    assert_eq!(put("/media/k", &many[..11]).await, "BadRequest");
    assert_eq!(put("/media/k", &[("a", "1"), ("a", "2")]).await, "InvalidTag");
    assert_eq!(put("/media/k", &[("aws:a", "1")]).await, "InvalidTag");
    assert_eq!(put("/media", &many[..50]).await, "done");
    assert_eq!(put("/media", &many).await, "BadRequest");
    assert_eq!(put("/media/none", &[]).await, "NoSuchKey");
    assert_eq!(tags(&http, "/media").await.split(' ').count(), 50);
    assert_eq!(http.status("DELETE /media?tagging", "").await, 204);
    assert_eq!(tags(&http, "/media").await, "NoSuchTagSet");
    assert_eq!(http.status("PUT /media/k\nx-amz-tagging: aws:a=1", "x").await, 400);
}

/// Documents of a bucket by their names in a query.
const DOCUMENTS: [(&str, &str); 5] = [
    ("policy", r#"{"Version": "2012-10-17",  "Statement": []}"#),
    (
        "cors",
        "<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod>\
         <AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>",
    ),
    (
        "lifecycle",
        "<LifecycleConfiguration><Rule><ID>old</ID><Filter><Prefix>tmp/</Prefix></Filter>\
         <Status>Enabled</Status><Expiration><Days>3</Days></Expiration></Rule>\
         </LifecycleConfiguration>",
    ),
    (
        "publicAccessBlock",
        "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls>\
         </PublicAccessBlockConfiguration>",
    ),
    (
        "ownershipControls",
        "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>\
         </OwnershipControls>",
    ),
];

#[tokio::test]
async fn documents_of_buckets_are_kept_as_given() {
    let http = Http::new().await;
    let mut shown = Vec::new();
    for (name, document) in DOCUMENTS {
        let path = format!("/media?{name}");
        let missing = http.send(&format!("GET {path}"), "").await;
        assert_eq!(missing.status(), 404, "{name}");
        let missing = String::from_utf8_lossy(missing.body()).into_owned();
        let put = http.status(&format!("PUT {path}"), document.to_owned()).await;
        let got = http.send(&format!("GET {path}"), "").await;
        let got = String::from_utf8_lossy(got.body()).replace("><", ">\n<");
        let deleted = http.status(&format!("DELETE {path}"), "").await;
        shown.push(format!("{} {put} {deleted}\n{got}", field(&missing, "Code")));
        assert_eq!(http.status(&format!("GET {path}"), "").await, 404, "{name}");
        assert_eq!(http.status(&format!("GET /nowhere?{name}"), "").await, 404, "{name}");
    }
    expect![[r#"
        NoSuchBucketPolicy 204 204
        {"Version": "2012-10-17",  "Statement": []}

        NoSuchCORSConfiguration 200 204
        <?xml version="1.0" encoding="UTF-8"?>
        <CORSConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
        <CORSRule>
        <AllowedMethod>GET</AllowedMethod>
        <AllowedOrigin>*</AllowedOrigin>
        </CORSRule>
        </CORSConfiguration>

        NoSuchLifecycleConfiguration 200 204
        <?xml version="1.0" encoding="UTF-8"?>
        <LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
        <Rule>
        <Expiration>
        <Days>3</Days>
        </Expiration>
        <Filter>
        <Prefix>tmp/</Prefix>
        </Filter>
        <ID>old</ID>
        <Status>Enabled</Status>
        </Rule>
        </LifecycleConfiguration>

        NoSuchPublicAccessBlockConfiguration 200 204
        <?xml version="1.0" encoding="UTF-8"?>
        <PublicAccessBlockConfiguration>
        <BlockPublicAcls>true</BlockPublicAcls>
        <BlockPublicPolicy>false</BlockPublicPolicy>
        <IgnorePublicAcls>false</IgnorePublicAcls>
        <RestrictPublicBuckets>false</RestrictPublicBuckets>
        </PublicAccessBlockConfiguration>

        OwnershipControlsNotFoundError 200 204
        <?xml version="1.0" encoding="UTF-8"?>
        <OwnershipControls>
        <Rule>
        <ObjectOwnership>BucketOwnerEnforced</ObjectOwnership>
        </Rule>
        </OwnershipControls>"#]]
    .assert_eq(&shown.join("\n\n"));
    assert_eq!(http.status("PUT /media?policy", "no policy").await, 400);
    assert_eq!(http.status("PUT /media?policy", "{}").await, 400);
    let unknown = "<OwnershipControls><Rule><ObjectOwnership>Nobody</ObjectOwnership></Rule>\
                   </OwnershipControls>";
    assert_eq!(http.status("PUT /media?ownershipControls", unknown).await, 400);
}

#[tokio::test]
async fn access_control_lists_are_kept_and_told() {
    let http = Http::new().await;
    assert_eq!(http.status("PUT /media/k\nx-amz-acl: public-read", "x").await, 200);
    http.check(
        "GET /media/k?acl",
        "",
        expect![[r#"
            200
            content-type: application/xml

            <?xml version="1.0" encoding="UTF-8"?>
            <AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
            <AccessControlList>
            <Grant>
            <Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">
            <ID>0000000000000000000000000000000000000000000000000000123456789012</ID>
            </Grantee>
            <Permission>FULL_CONTROL</Permission>
            </Grant>
            <Grant>
            <Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group">
            <URI>http://acs.amazonaws.com/groups/global/AllUsers</URI>
            </Grantee>
            <Permission>READ</Permission>
            </Grant>
            </AccessControlList>
            <Owner>
            <ID>0000000000000000000000000000000000000000000000000000123456789012</ID>
            </Owner>
            </AccessControlPolicy>
        "#]],
    )
    .await;
    let statuses = [
        http.status("GET /media?acl", "").await,
        http.status("PUT /media?acl\nx-amz-acl: private", "").await,
        http.status("PUT /media/k?acl\nx-amz-acl: public-read-write", "").await,
        http.status("PUT /media/k?acl\nx-amz-grant-read: uri=\"http://all\"", "").await,
        http.status("PUT /media/k?acl\nx-amz-grant-read: http://all", "").await,
        http.status("PUT /media/k?acl\nx-amz-acl: private\nx-amz-grant-read: id=a", "").await,
        http.status("PUT /made\nx-amz-acl: public-read", "").await,
        http.status("GET /media/none?acl", "").await,
    ];
    assert_eq!(statuses, [200, 200, 200, 200, 400, 400, 200, 404]);
    let told = async |path: &str| {
        let list = http.send(&format!("GET {path}?acl"), "").await;
        let list = String::from_utf8_lossy(list.body()).into_owned();
        let told = list.split("<Grant>").skip(1).map(|grant| field(grant, "Permission").to_owned());
        told.collect::<Vec<_>>()
    };
    assert_eq!(told("/media/k").await, ["READ"]);
    assert_eq!(told("/made").await, ["FULL_CONTROL", "READ"]);
    let copy = "PUT /media/copy\nx-amz-copy-source: media/k";
    assert_eq!(http.status(copy, "").await, 200);
    assert_eq!(told("/media/copy").await, ["FULL_CONTROL"]);
    let list = |permission: &str| {
        format!(
            "<AccessControlPolicy><Owner><ID>o</ID></Owner><AccessControlList><Grant>\
             <Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
             xsi:type=\"CanonicalUser\"><ID>abc</ID></Grantee>\
             <Permission>{permission}</Permission></Grant></AccessControlList>\
             </AccessControlPolicy>"
        )
    };
    assert_eq!(http.status("PUT /media?acl", list("WRITE")).await, 200);
    assert_eq!(told("/media").await, ["WRITE"]);
    assert_eq!(http.status("PUT /media?acl", list("LOOK")).await, 400);
}

#[tokio::test]
async fn versions_were_never_enabled() {
    let http = Http::new().await;
    http.check(
        "GET /media?versioning",
        "",
        expect![[r#"
        200
        content-type: application/xml

        <?xml version="1.0" encoding="UTF-8"?>
        <VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
        </VersioningConfiguration>
    "#]],
    )
    .await;
    let enable = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    http.check("PUT /media?versioning", enable, expect![[r#"
        501
        content-type: application/xml

        <?xml version="1.0" encoding="UTF-8"?>
        <Error>
        <Code>NotImplemented</Code>
        <Message>Versioning of buckets is not implemented: a bucket keeps one version of each object</Message>
        </Error>
    "#]]).await;
    http.store.put("a/1", b"x").await;
    http.store.put("b", b"x").await;
    http.check(
        "GET /media?versions&max-keys=1",
        "",
        expect![[r#"
        200
        content-type: application/xml

        <?xml version="1.0" encoding="UTF-8"?>
        <ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
        <IsTruncated>true</IsTruncated>
        <KeyMarker>
        </KeyMarker>
        <MaxKeys>1</MaxKeys>
        <Name>media</Name>
        <NextKeyMarker>a/1</NextKeyMarker>
        <NextVersionIdMarker>null</NextVersionIdMarker>
        <Prefix>
        </Prefix>
        <VersionIdMarker>
        </VersionIdMarker>
        <Version>
        <ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm>
        <ChecksumType>FULL_OBJECT</ChecksumType>
        <ETag>"9dd4e461268c8034f5c8564e155c67a6"</ETag>
        <IsLatest>true</IsLatest>
        <Key>a/1</Key>
        <LastModified>2026-01-02T03:04:05.000Z</LastModified>
        <Owner>
        <ID>0000000000000000000000000000000000000000000000000000123456789012</ID>
        </Owner>
        <Size>1</Size>
        <StorageClass>STANDARD</StorageClass>
        <VersionId>null</VersionId>
        </Version>
        </ListVersionsResult>
    "#]],
    )
    .await;
    let rest = http.send("GET /media?versions&key-marker=a%2F1&version-id-marker=null", "").await;
    assert_eq!(field(&String::from_utf8_lossy(rest.body()), "Key"), "b");
    assert_eq!(http.status("DELETE /media/b?versionId=null", "").await, 204);
    assert_eq!(http.status("GET /media/b", "").await, 404);
}

#[tokio::test]
async fn names_and_places_of_buckets_are_s3s() {
    let http = Http::new().await;
    let long = "b".repeat(64);
    for name in [
        "ab",
        &long,
        "-ab",
        "ab-",
        "a..b",
        "10.0.0.1",
        "xn--a",
        "sthree-a",
        "a-s3alias",
        "a--ol-s3",
        "Upper",
        "under_score",
    ] {
        assert_eq!(http.status(&format!("PUT /{name}"), "").await, 400, "{name}");
    }
    for name in ["abc", "a.b-c.1", &long[1..]] {
        assert_eq!(http.status(&format!("PUT /{name}"), "").await, 200, "{name}");
    }
    let made = async |bucket: &str, place: &str| {
        let document = format!(
            "<CreateBucketConfiguration><LocationConstraint>{place}</LocationConstraint>\
             </CreateBucketConfiguration>"
        );
        let response = http.send(&format!("PUT /{bucket}"), document).await;
        match response.status().as_u16() {
            200 => "made".to_owned(),
            _ => field(&String::from_utf8_lossy(response.body()), "Code").to_owned(),
        }
    };
    assert_eq!(made("in-eu", "EU").await, "made");
    assert_eq!(made("in-gov", "us-gov-west-1").await, "made");
    assert_eq!(made("nowhere", "us-east-1").await, "InvalidLocationConstraint");
    assert_eq!(made("nowhere", "the-moon").await, "InvalidLocationConstraint");
    let region = http.send("HEAD /in-eu", "").await;
    assert_eq!(region.headers()["x-amz-bucket-region"], "eu-west-1");
}

#[tokio::test]
async fn copies_and_deletes_under_conditions() {
    let http = Http::new().await;
    let tag = "\"5d41402abc4b2a76b9719d911017c592\"";
    http.store.put("k", b"hello").await;
    http.store.put("other", b"other").await;
    let copy = async |headers: &str| {
        http.status(&format!("PUT /media/copy\nx-amz-copy-source: media/k\n{headers}"), "").await
    };
    assert_eq!(copy(&format!("if-match: {tag}")).await, 404);
    assert_eq!(copy("if-none-match: *").await, 200);
    assert_eq!(copy("if-none-match: *").await, 412);
    assert_eq!(copy(&format!("if-match: {tag}")).await, 200);
    assert_eq!(copy("if-match: \"beef\"").await, 412);
    assert_eq!(copy(&format!("x-amz-copy-source-if-none-match: {tag}")).await, 412);
    assert_eq!(
        copy("x-amz-copy-source-if-unmodified-since: Fri, 02 Jan 2026 03:04:04 GMT").await,
        412
    );
    assert_eq!(copy("x-amz-metadata-directive: CHANGE").await, 400);
    // To itself only with a change.
    let same = "PUT /media/k\nx-amz-copy-source: media/k";
    assert_eq!(http.status(same, "").await, 400);
    assert_eq!(
        http.status(&format!("{same}\nx-amz-server-side-encryption: AES256"), "").await,
        200
    );
    let head = http.send("HEAD /media/k", "").await;
    assert_eq!(head.headers()["x-amz-server-side-encryption"], "AES256");

    let delete = async |key: &str, tag: &str| {
        http.status(&format!("DELETE /media/{key}\nif-match: {tag}"), "").await
    };
    assert_eq!(delete("k", "\"beef\"").await, 412);
    assert_eq!(delete("k", tag).await, 204);
    assert_eq!(delete("other", "*").await, 204);
    assert_eq!(delete("other", "*").await, 404);
}

#[tokio::test]
async fn errors_tell_what_they_are_about() {
    let http = Http::new().await;
    http.store.put("k", b"hello").await;
    let told = async |head: &str, element: &str| {
        let response = http.send(head, "").await;
        let body = String::from_utf8_lossy(response.body()).into_owned();
        assert_eq!(response.headers()["content-type"], "application/xml");
        assert!(response.headers().keys().all(|name| !name.as_str().starts_with("x-cpe")));
        format!("{} {}", field(&body, "Code"), field(&body, element))
    };
    assert_eq!(told("GET /media/a%26%3Cb%01", "Key").await, "NoSuchKey a&amp;&lt;b\u{fffd}");
    assert_eq!(told("GET /nowhere/k", "BucketName").await, "NoSuchBucket nowhere");
    let source = "PUT /media/x\nx-amz-copy-source: media/none";
    assert_eq!(told(source, "Key").await, "NoSuchKey none");
    let condition = async |headers: &str| told(headers, "Condition").await;
    let failed = |name: &str| format!("PreconditionFailed {name}");
    assert_eq!(condition("GET /media/k\nif-match: \"x\"").await, failed("If-Match"));
    let since = "if-unmodified-since: Fri, 02 Jan 2015 03:04:04 GMT";
    let unmodified = condition(&format!("GET /media/k\n{since}")).await;
    assert_eq!(unmodified, failed("If-Unmodified-Since"));
    assert_eq!(condition("PUT /media/k\nif-none-match: *").await, failed("If-None-Match"));
    let copy = "PUT /media/x\nx-amz-copy-source: media/k\nx-amz-copy-source-if-match: \"x\"";
    assert_eq!(condition(copy).await, failed("x-amz-copy-source-If-Match"));
    let range = "GET /media/k\nrange: bytes=9-";
    assert_eq!(told(range, "ActualObjectSize").await, "InvalidRange 5");
    let head = http.send("HEAD /media/none", "").await;
    assert_eq!(head.status(), 404);
    assert!(head.headers().keys().all(|name| !name.as_str().starts_with("x-cpe")));
}

#[tokio::test]
async fn what_stands_in_a_presigned_address_counts_as_a_header() {
    let http = Http::new().await;
    let signed = "AWSAccessKeyId=a&Signature=b&Expires=4102444800";
    let put = format!("PUT /media/k?{signed}&x-amz-meta-venue=12%203&x-amz-acl=public-read");
    assert_eq!(http.status(&put, "x").await, 200);
    let head = http.send("HEAD /media/k", "").await;
    assert_eq!(head.headers()["x-amz-meta-venue"], "12 3");
    let put = format!("PUT /media/k?{signed}&x-amz-meta-venue=%0A");
    assert_eq!(http.status(&put, "x").await, 400);
}

#[tokio::test]
async fn a_signed_form_is_taken_and_its_policy_kept_to() {
    let http = Http::new().await;
    let policy = r#"{"expiration": "2100-01-01T00:00:00Z", "conditions": [
        {"bucket": "media"}, ["starts-with", "$key", "in/"], {"acl": "public-read"}]}"#;
    let policy = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, policy);
    let post = async |key: &str| {
        let fields = [
            ("key", key),
            ("acl", "public-read"),
            ("policy", &policy),
            ("AWSAccessKeyId", "a"),
            ("signature", "b"),
        ];
        let mut form = String::new();
        for (name, value) in fields {
            form += &format!(
                "--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            );
        }
        form += "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n\
                 the file\r\n--b--\r\n";
        http.status("POST /media\ncontent-type: multipart/form-data; boundary=b", form).await
    };
    assert_eq!(post("in/k").await, 204);
    assert_eq!(http.store.read("in/k").await.unwrap(), b"the file");
    assert_eq!(post("out/k").await, 400);
}

#[tokio::test]
async fn buckets_are_made_where_the_request_was_signed_for() {
    let http = Http::new().await;
    let made = async |region: &str, place: &str| {
        let document = format!(
            "<CreateBucketConfiguration><LocationConstraint>{place}</LocationConstraint>\
             </CreateBucketConfiguration>"
        );
        let signed = format!(
            "PUT /made\nauthorization: AWS4-HMAC-SHA256 \
             Credential=a/20260102/{region}/s3/aws4_request, SignedHeaders=host, Signature=b"
        );
        let response = http.send(&signed, document).await;
        match response.status().as_u16() {
            200 => "made".to_owned(),
            _ => field(&String::from_utf8_lossy(response.body()), "Code").to_owned(),
        }
    };
    assert_eq!(made("us-west-2", "").await, "IllegalLocationConstraintException");
    assert_eq!(made("us-west-2", "eu-west-1").await, "IllegalLocationConstraintException");
    assert_eq!(made("us-west-2", "us-west-2").await, "made");
    assert_eq!(made("us-east-1", "").await, "BucketAlreadyOwnedByYou");
}

#[tokio::test]
async fn a_copy_has_the_checksum_that_was_asked_for() {
    let http = Http::new().await;
    http.store.put("k", b"test-checksum").await;
    let copy = "PUT /media/copy\nx-amz-copy-source: media/k\nx-amz-checksum-algorithm: SHA1";
    let copied = http.send(copy, "").await;
    let copied = String::from_utf8_lossy(copied.body()).into_owned();
    assert_eq!(field(&copied, "ChecksumSHA1"), "jbXkHAsXUrubtL3dqDQ4w+7WXc0=");
    let copy = "PUT /media/copy\nx-amz-copy-source: media/none\nx-amz-checksum-algorithm: SHA1";
    assert_eq!(http.status(copy, "").await, 404);
}
