//! Checksums: those that the SDK makes by itself, those that are asked for, and wrong ones.

use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, ChecksumType, ObjectAttributes};
use base64::{Engine, engine::general_purpose::STANDARD};
use crc_fast::CrcAlgorithm;
use sha2::{Digest, Sha256};

use super::{BUCKET, with_bucket};
use crate::world::World;

const TEXT: &[u8] = b"0123456789";

fn crc32(bytes: &[u8]) -> String {
    let sum = crc_fast::checksum(CrcAlgorithm::Crc32IsoHdlc, bytes);
    STANDARD.encode(u32::try_from(sum).unwrap().to_be_bytes())
}

fn sha256(bytes: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(bytes))
}

#[tokio::test]
pub(crate) async fn are_those_that_the_sdk_makes() {
    let World { s3, .. } = with_bucket().await;
    let put = s3.put_object().bucket(BUCKET).key("a").body(TEXT.to_vec().into());
    let put = put.send().await.unwrap();
    assert_eq!(put.checksum_crc32(), Some(&*crc32(TEXT)));
    assert_eq!(put.checksum_type(), Some(&ChecksumType::FullObject));
    // The SDK compares it with what it reads.
    let got = s3.get_object().bucket(BUCKET).key("a").send().await.unwrap();
    assert_eq!(got.checksum_crc32(), Some(&*crc32(TEXT)));
    assert_eq!(got.body.collect().await.unwrap().to_vec(), TEXT);
    let head = s3.head_object().bucket(BUCKET).key("a");
    let head = head.checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert_eq!(head.checksum_crc32(), Some(&*crc32(TEXT)));
}

#[tokio::test]
pub(crate) async fn are_those_that_are_asked_for() {
    let World { s3, .. } = with_bucket().await;
    for algorithm in [
        ChecksumAlgorithm::Crc32,
        ChecksumAlgorithm::Crc32C,
        ChecksumAlgorithm::Crc64Nvme,
        ChecksumAlgorithm::Sha1,
        ChecksumAlgorithm::Sha256,
    ] {
        let key = algorithm.as_str();
        let put = s3.put_object().bucket(BUCKET).key(key).body(TEXT.to_vec().into());
        let put = put.checksum_algorithm(algorithm.clone()).send().await.unwrap();
        let got = s3.get_object().bucket(BUCKET).key(key);
        let got = got.checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
        let sums = |crc32: Option<&str>, others: [Option<&str>; 4]| {
            let all = [crc32].into_iter().chain(others);
            all.map(|sum| sum.map(str::to_owned)).collect::<Vec<_>>()
        };
        let told = sums(
            put.checksum_crc32(),
            [
                put.checksum_crc32_c(),
                put.checksum_crc64_nvme(),
                put.checksum_sha1(),
                put.checksum_sha256(),
            ],
        );
        let kept = sums(
            got.checksum_crc32(),
            [
                got.checksum_crc32_c(),
                got.checksum_crc64_nvme(),
                got.checksum_sha1(),
                got.checksum_sha256(),
            ],
        );
        assert_eq!(told.iter().flatten().count(), 1, "{key}");
        assert_eq!(told, kept, "{key}");
        if algorithm == ChecksumAlgorithm::Sha256 {
            assert_eq!(put.checksum_sha256(), Some(&*sha256(TEXT)));
        }
        assert_eq!(got.body.collect().await.unwrap().to_vec(), TEXT);
    }
}

#[tokio::test]
pub(crate) async fn are_refused_if_wrong() {
    let World { s3, .. } = with_bucket().await;
    let put = || s3.put_object().bucket(BUCKET).key("a").body(TEXT.to_vec().into());
    put().checksum_sha256(sha256(TEXT)).send().await.unwrap();
    put().checksum_crc32(crc32(TEXT)).send().await.unwrap();
    assert_eq!(code_of!(put().checksum_sha256(sha256(b"other"))), "BadDigest");
    assert_eq!(code_of!(put().checksum_crc32(crc32(b"other"))), "BadDigest");
    use md5::Md5;
    let md5 = STANDARD.encode(Md5::digest(b"other"));
    assert_eq!(code_of!(put().content_md5(md5)), "BadDigest");
    let got = s3.get_object().bucket(BUCKET).key("a").send().await.unwrap();
    assert_eq!(got.body.collect().await.unwrap().to_vec(), TEXT);
}

#[tokio::test]
pub(crate) async fn of_parts_make_that_of_the_whole() {
    let World { s3, .. } = with_bucket().await;
    let create = s3.create_multipart_upload().bucket(BUCKET).key("film");
    let created = create.checksum_algorithm(ChecksumAlgorithm::Sha256).send().await.unwrap();
    assert_eq!(created.checksum_algorithm(), Some(&ChecksumAlgorithm::Sha256));
    assert_eq!(created.checksum_type(), Some(&ChecksumType::Composite));
    let upload = created.upload_id().unwrap();
    let part = s3.upload_part().bucket(BUCKET).key("film").upload_id(upload).part_number(1);
    let part = part.checksum_algorithm(ChecksumAlgorithm::Sha256).body(TEXT.to_vec().into());
    let part = part.send().await.unwrap();
    assert_eq!(part.checksum_sha256(), Some(&*sha256(TEXT)));
    use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
    let done = CompletedPart::builder().part_number(1).e_tag(part.e_tag().unwrap());
    let done = done.checksum_sha256(part.checksum_sha256().unwrap()).build();
    let complete = s3.complete_multipart_upload().bucket(BUCKET).key("film").upload_id(upload);
    let parts = CompletedMultipartUpload::builder().parts(done).build();
    let done = complete.multipart_upload(parts).send().await.unwrap();
    let whole = sha256(&Sha256::digest(TEXT));
    assert_eq!(done.checksum_sha256(), Some(&*format!("{whole}-1")));
    let attributes = s3.get_object_attributes().bucket(BUCKET).key("film");
    let attributes = attributes.object_attributes(ObjectAttributes::Checksum).send().await.unwrap();
    assert_eq!(attributes.checksum().unwrap().checksum_sha256(), Some(&*whole));
}
