//! Between the words of `s3s` and our own.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use cpe_ports::{ByteRange, ObjectAddress};
use cpe_swf::Timestamp;
use futures::StreamExt;
use http::{Extensions, HeaderMap};
use s3s::{
    S3Result,
    dto::{self, CopySource, ETag, ETagCondition, EncodingType, StreamingBlob},
    s3_error,
};
use time::OffsetDateTime;

use crate::s3::{
    aws_chunked::Trailers,
    checksums::{Algorithm, Checksum, ChecksumKind},
    error::StoreError,
    model::{Encryption, EntityTag, EntityTags, ReadConditions, WriteCondition, url_encoded},
    receive::{Announced, AnnouncedChecksum, ChecksumValue, Incoming},
    tags::{self, Tags},
};

pub(super) fn timestamp(time: Timestamp) -> dto::Timestamp {
    let nanos = i128::from(time.as_millis()) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH).into()
}

pub(super) fn instant(time: dto::Timestamp) -> Timestamp {
    let millis = OffsetDateTime::from(time).unix_timestamp_nanos() / 1_000_000;
    Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

pub(super) fn etag(tag: &EntityTag) -> ETag {
    ETag::Strong(tag.0.clone())
}

fn entity_tags(condition: ETagCondition) -> EntityTags {
    match condition {
        ETagCondition::Any => EntityTags::Any,
        ETagCondition::ETag(tag) => EntityTags::One(EntityTag(tag.into_value())),
    }
}

/// `If-Match` and `If-None-Match` of a write.
pub(super) fn write_condition(
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
) -> Result<WriteCondition, StoreError> {
    match (if_match.map(entity_tags), if_none_match.map(entity_tags)) {
        (None, None) => Ok(WriteCondition::Always),
        (None, Some(EntityTags::Any)) => Ok(WriteCondition::Absent),
        (Some(EntityTags::Any), None) => Ok(WriteCondition::Present),
        (Some(EntityTags::One(etag)), None) => Ok(WriteCondition::Matches(etag)),
        (None, Some(EntityTags::One(_))) => {
            Err(StoreError::NotImplemented("If-None-Match with an entity tag, on a write"))
        }
        (Some(_), Some(_)) => {
            Err(StoreError::NotImplemented("If-Match together with If-None-Match, on a write"))
        }
    }
}

pub(super) fn read_conditions(
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
    modified_since: Option<dto::Timestamp>,
    unmodified_since: Option<dto::Timestamp>,
) -> ReadConditions {
    ReadConditions {
        matches: if_match.map(entity_tags),
        none_match: if_none_match.map(entity_tags),
        modified_since: modified_since.map(instant),
        unmodified_since: unmodified_since.map(instant),
    }
}

/// How an object is to be encrypted.
pub(super) fn encryption(
    algorithm: Option<dto::ServerSideEncryption>,
    kms_key: Option<String>,
    bucket_key: Option<bool>,
) -> Option<Encryption> {
    let algorithm = algorithm?.as_str().to_owned();
    Some(Encryption { algorithm, kms_key, bucket_key })
}

/// The fields of an answer that tell it.
pub(super) fn told(
    encryption: Option<Encryption>,
) -> (Option<dto::ServerSideEncryption>, Option<String>, Option<bool>) {
    let Some(Encryption { algorithm, kms_key, bucket_key }) = encryption else {
        return (None, None, None);
    };
    (Some(algorithm.into()), kms_key, bucket_key)
}

pub(super) fn range(range: dto::Range) -> ByteRange {
    match range {
        dto::Range::Int { first, last } => ByteRange::From { first, last },
        dto::Range::Suffix { length } => ByteRange::Suffix(length),
    }
}

/// The tags of the header `x-amz-tagging`.
pub(super) fn tags_of(header: Option<&str>) -> Result<Tags, StoreError> {
    header.map_or(Ok(Tags::new()), tags::of_header)
}

/// The object that `x-amz-copy-source` names.
pub(super) fn source(source: CopySource) -> S3Result<ObjectAddress> {
    match source {
        CopySource::Bucket { bucket, key, version_id } => {
            no_version(version_id.as_deref())?;
            Ok(ObjectAddress::new(bucket, key))
        }
        CopySource::AccessPoint { .. } | CopySource::Outpost { .. } => {
            Err(s3_error!(NotImplemented, "access points are not implemented"))
        }
    }
}

/// Bytes of every version's id; what is longer or shorter can be none.
const VERSION_ID: usize = 32;

/// Without versioning there is one version of each object, and S3 calls it `null`.
pub(super) fn no_version(version: Option<&str>) -> S3Result<()> {
    match version {
        None | Some("" | "null") => Ok(()),
        Some(version) if version.len() == VERSION_ID => {
            Err(StoreError::NoSuchVersion(version.to_owned()).into())
        }
        Some(version) => Err(StoreError::BadArgument {
            name: "versionId",
            value: version.chars().take(100).collect(),
            why: "Invalid version id specified",
        }
        .into()),
    }
}

/// What a request has that we would have to do, and do not.
pub(super) fn refuse<const N: usize>(asked: [(bool, &'static str); N]) -> S3Result<()> {
    match asked.into_iter().find(|(asked, _)| *asked) {
        Some((_, what)) => Err(s3_error!(NotImplemented, "{what} is not implemented")),
        None => Ok(()),
    }
}

/// A request's body with all that was said about it.
pub(super) struct Upload<'a> {
    pub(super) body: Option<StreamingBlob>,
    pub(super) length: Option<i64>,
    pub(super) md5: Option<String>,
    pub(super) algorithm: Option<dto::ChecksumAlgorithm>,
    pub(super) sums: dto::Checksum,
    pub(super) headers: &'a HeaderMap,
    pub(super) extensions: &'a Extensions,
}

impl Upload<'_> {
    pub(super) fn take(self) -> Result<Incoming, StoreError> {
        let body = self.body.unwrap_or_else(|| StreamingBlob::from(s3s::Body::empty()));
        let exact = s3s::stream::ByteStream::remaining_length(&body).exact();
        let length = self
            .length
            .and_then(|length| u64::try_from(length).ok())
            .or_else(|| exact.map(|length| length as u64))
            .ok_or(StoreError::MissingContentLength)?;
        let md5 = self.md5.map(|md5| {
            let md5 = BASE64.decode(md5).ok().and_then(|md5| md5.try_into().ok());
            md5.ok_or(StoreError::InvalidDigest("Content-MD5"))
        });
        let announced = Announced {
            length: Some(length),
            md5: md5.transpose()?,
            checksum: announced(self.sums, self.algorithm, self.headers, self.extensions)?,
        };
        Ok(Incoming { body: body.boxed(), announced })
    }
}

fn announced(
    sums: dto::Checksum,
    algorithm: Option<dto::ChecksumAlgorithm>,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Result<Option<AnnouncedChecksum>, StoreError> {
    if let Some(Checksum { algorithm, value, .. }) = checksum(sums)? {
        let value = ChecksumValue::Known(value);
        return Ok(Some(AnnouncedChecksum { algorithm, value }));
    }
    let trailing = headers
        .get_all("x-amz-trailer")
        .iter()
        .filter_map(|names| names.to_str().ok())
        .flat_map(|names| names.split(','))
        .find_map(|name| {
            let name = name.trim();
            Algorithm::ALL.into_iter().find(|a| a.header().eq_ignore_ascii_case(name))
        });
    if let (Some(algorithm), Some(trailers)) = (trailing, extensions.get::<Trailers>()) {
        let trailers = trailers.clone();
        let look = move |algorithm: Algorithm| trailers.get(algorithm.header());
        let value = ChecksumValue::Trailing(Box::new(look));
        return Ok(Some(AnnouncedChecksum { algorithm, value }));
    }
    // The SDKs' name for the header; `s3s` knows another one.
    let named = headers.get("x-amz-sdk-checksum-algorithm").and_then(|name| name.to_str().ok());
    let named = named.map(|name| dto::ChecksumAlgorithm::from(name.to_owned()));
    let Some(algorithm) = algorithm.or(named) else { return Ok(None) };
    let algorithm = self::algorithm(&algorithm)?;
    Ok(Some(AnnouncedChecksum { algorithm, value: ChecksumValue::Unknown }))
}

pub(super) fn algorithm(name: &dto::ChecksumAlgorithm) -> Result<Algorithm, StoreError> {
    Algorithm::parse(name.as_str()).ok_or(StoreError::InvalidRequest(
        "the checksum algorithm must be CRC32, CRC32C, CRC64NVME, SHA1 or SHA256",
    ))
}

pub(super) fn kind(kind: &dto::ChecksumType) -> Result<ChecksumKind, StoreError> {
    [ChecksumKind::FullObject, ChecksumKind::Composite]
        .into_iter()
        .find(|known| known.name() == kind.as_str())
        .ok_or(StoreError::InvalidRequest("the checksum type must be FULL_OBJECT or COMPOSITE"))
}

/// The one checksum that a client names, if any.
pub(super) fn checksum(sums: dto::Checksum) -> Result<Option<Checksum>, StoreError> {
    let values = [
        (Algorithm::Crc32, sums.checksum_crc32),
        (Algorithm::Crc32c, sums.checksum_crc32c),
        (Algorithm::Crc64nvme, sums.checksum_crc64nvme),
        (Algorithm::Sha1, sums.checksum_sha1),
        (Algorithm::Sha256, sums.checksum_sha256),
    ];
    let mut named = values.into_iter().filter_map(|(algorithm, value)| {
        Some(Checksum { algorithm, kind: ChecksumKind::FullObject, value: value? })
    });
    let first = named.next();
    if named.next().is_some() {
        return Err(StoreError::InvalidRequest("expecting a single x-amz-checksum- header"));
    }
    Ok(first)
}

/// A checksum in the fields where answers have it.
pub(super) fn sums(checksum: Option<Checksum>) -> dto::Checksum {
    let mut sums = dto::Checksum::default();
    let Some(Checksum { algorithm, kind, value }) = checksum else { return sums };
    sums.checksum_type = Some(dto::ChecksumType::from_static(kind.name()));
    let field = match algorithm {
        Algorithm::Crc32 => &mut sums.checksum_crc32,
        Algorithm::Crc32c => &mut sums.checksum_crc32c,
        Algorithm::Crc64nvme => &mut sums.checksum_crc64nvme,
        Algorithm::Sha1 => &mut sums.checksum_sha1,
        Algorithm::Sha256 => &mut sums.checksum_sha256,
    };
    *field = Some(value);
    sums
}

/// Numbers of S3's answers are signed.
pub(super) fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// How many entries a list may have: what was asked for by this name, up to `most`.
pub(super) fn page_size(name: &str, asked: Option<i32>, most: usize) -> Result<usize, StoreError> {
    let Some(asked) = asked else { return Ok(most) };
    let asked = usize::try_from(asked).map_err(|_| {
        StoreError::Invalid(format!("Argument {name} must be an integer between 0 and 2147483647"))
    })?;
    Ok(asked.min(most))
}

/// How names are written in lists: as they are, or encoded, since XML cannot hold every character.
pub(super) struct Names {
    encoded: bool,
}

impl Names {
    pub(super) fn new(encoding: Option<&EncodingType>) -> S3Result<Self> {
        match encoding.map(EncodingType::as_str) {
            None => Ok(Self { encoded: false }),
            Some(EncodingType::URL) => Ok(Self { encoded: true }),
            Some(_) => Err(s3_error!(InvalidArgument, "the encoding type must be url")),
        }
    }

    pub(super) fn for_urls() -> Self {
        Self { encoded: true }
    }

    pub(super) fn write(&self, name: &str) -> String {
        if !self.encoded {
            return name.to_owned();
        }
        url_encoded(name)
    }
}
