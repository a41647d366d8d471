//! Between the port's words for objects and the SDK's.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_s3::{
    operation::{
        get_object::GetObjectOutput, head_object::HeadObjectOutput,
        list_objects_v2::ListObjectsV2Output,
    },
    types::{ChecksumType, Object, Part},
};
use aws_smithy_types::DateTime;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use cpe_ports::{
    ByteRange, ByteStream, Checksum, ChecksumAlgorithm, Error, ErrorKind, GetObject, ListPage,
    ObjectAddress, ObjectMeta, StoredPart,
};
use cpe_swf::Timestamp;
use futures::stream;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What S3 does not take as it is in the name of a copy's source.
const COPY_SOURCE: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// As the header `Range` has it.
pub(super) fn range(range: ByteRange) -> String {
    match range {
        ByteRange::From { first, last: Some(last) } => format!("bytes={first}-{last}"),
        ByteRange::From { first, last: None } => format!("bytes={first}-"),
        ByteRange::Suffix(length) => format!("bytes=-{length}"),
    }
}

pub(super) fn copy_source(from: &ObjectAddress) -> String {
    format!("{}/{}", from.bucket, utf8_percent_encode(&from.key, COPY_SOURCE))
}

pub(super) fn number(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// One that lacks what every part has is none.
pub(super) fn part(part: Part) -> Option<StoredPart> {
    let number = part.part_number.and_then(|number| u32::try_from(number).ok())?;
    Some(StoredPart { number, etag: part.e_tag?, size: size(part.size) })
}

pub(super) fn metadata(metadata: BTreeMap<String, String>) -> Option<HashMap<String, String>> {
    (!metadata.is_empty()).then(|| metadata.into_iter().collect())
}

pub(super) fn head_meta(answer: HeadObjectOutput) -> ObjectMeta {
    ObjectMeta {
        size: size(answer.content_length),
        etag: answer.e_tag.unwrap_or_default(),
        content_type: answer.content_type,
        last_modified: timestamp(answer.last_modified),
        metadata: answer.metadata.unwrap_or_default().into_iter().collect(),
    }
}

pub(super) fn object(at: &ObjectAddress, answer: GetObjectOutput) -> GetObject {
    let whole = answer.content_range.as_deref().and_then(whole_size);
    let checksum = answer.content_range.is_none().then(|| checksum(&answer)).flatten();
    let meta = ObjectMeta {
        size: whole.unwrap_or_else(|| size(answer.content_length)),
        etag: answer.e_tag.unwrap_or_default(),
        content_type: answer.content_type,
        last_modified: timestamp(answer.last_modified),
        metadata: answer.metadata.unwrap_or_default().into_iter().collect(),
    };
    GetObject { meta, body: body(at, answer.body), checksum }
}

pub(super) fn page(answer: ListObjectsV2Output) -> ListPage {
    let entry = |object: Object| {
        let meta = ObjectMeta {
            size: size(object.size),
            etag: object.e_tag.unwrap_or_default(),
            last_modified: timestamp(object.last_modified),
            ..ObjectMeta::default()
        };
        Some((object.key?, meta))
    };
    ListPage {
        objects: answer.contents.unwrap_or_default().into_iter().filter_map(entry).collect(),
        truncated: answer.is_truncated.unwrap_or_default(),
    }
}

/// What the store says of the whole object's bytes. One of a multipart upload's parts' checksums
/// says nothing of the bytes themselves.
fn checksum(answer: &GetObjectOutput) -> Option<Checksum> {
    if answer.checksum_type == Some(ChecksumType::Composite) {
        return None;
    }
    let parse = |algorithm, value: &Option<String>| {
        Checksum::from_bytes(algorithm, &BASE64.decode(value.as_deref()?).ok()?)
    };
    parse(ChecksumAlgorithm::Crc64Nvme, &answer.checksum_crc64_nvme)
        .or_else(|| parse(ChecksumAlgorithm::Crc32, &answer.checksum_crc32))
        .or_else(|| parse(ChecksumAlgorithm::Crc32c, &answer.checksum_crc32_c))
}

fn body(at: &ObjectAddress, body: aws_smithy_types::byte_stream::ByteStream) -> ByteStream {
    let at = at.clone();
    Box::pin(stream::try_unfold((body, at), |(mut body, at)| async move {
        match body.try_next().await {
            Ok(piece) => Ok(piece.map(|piece| (piece, (body, at)))),
            // The SDK says so after the last byte, and asking for the rest would hide it.
            Err(error) if error_text(&error).contains("checksum mismatch") => Err(Error::new(
                ErrorKind::Broken,
                format!("the body of {at} is not what its checksum was made of"),
            )
            .with_code("ChecksumMismatch")
            .with_source(error)),
            Err(error) => Err(Error::new(
                ErrorKind::Unavailable,
                format!("the body of {at} ended before its end"),
            )
            .with_source(error)),
        }
    }))
}

/// An error and its causes.
fn error_text(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}")).to_lowercase()
}

/// The size of the whole object, out of `bytes 0-9/1234`.
fn whole_size(content_range: &str) -> Option<u64> {
    content_range.rsplit_once('/')?.1.parse().ok()
}

fn size(length: Option<i64>) -> u64 {
    length.and_then(|length| u64::try_from(length).ok()).unwrap_or_default()
}

fn timestamp(time: Option<DateTime>) -> Timestamp {
    Timestamp::from_millis(time.and_then(|time| time.to_millis().ok()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_as_http_writes_them() {
        let from = |first, last| range(ByteRange::From { first, last });
        assert_eq!(from(0, Some(0)), "bytes=0-0");
        assert_eq!(from(5, None), "bytes=5-");
        assert_eq!(range(ByteRange::Suffix(3)), "bytes=-3");
        assert_eq!(whole_size("bytes 0-9/1234"), Some(1234));
        assert_eq!(whole_size("bytes 0-9/*"), None);
    }

    #[test]
    fn copy_sources_are_encoded_and_keep_their_slashes() {
        let source = |key| copy_source(&ObjectAddress::new("media", key));
        assert_eq!(source("in/a b+ü?.jpg"), "media/in/a%20b%2B%C3%BC%3F.jpg");
        assert_eq!(source("100%/~x_y-z"), "media/100%25/~x_y-z");
    }
}
