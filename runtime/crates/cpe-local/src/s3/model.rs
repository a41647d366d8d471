//! The words of the object store: entity tags, headers, conditions, listings.
//!
//! Plain values with their limits; knows no database, file or wire format.

use std::{collections::BTreeMap, ops::Range};

use cpe_ports::{ByteRange, ObjectAddress};
use cpe_swf::Timestamp;
use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use super::{acl::Grants, checksums::Checksum, error::StoreError, tags::Tags};

pub(crate) const MAX_KEY: usize = 1024;
pub(crate) const MAX_METADATA: usize = 2048;
/// Other headers together; S3 limits a request's headers to 8 KB.
const MAX_HEADERS: usize = 8192;
pub(crate) const MAX_LIST: usize = 1000;
pub(crate) const MAX_PARTS: u32 = 10_000;
pub(crate) const MIN_PART: u64 = 5 << 20;
/// Of one put, one part and one copy.
pub(crate) const MAX_PUT: u64 = 5 << 30;
pub(crate) const MAX_OBJECT: u64 = 5 << 40;

const DEFAULT_CONTENT_TYPE: &str = "binary/octet-stream";
pub(crate) const STANDARD: &str = "STANDARD";
/// Kept and told, and of no effect here.
const STORAGE_CLASSES: [&str; 8] = [
    STANDARD,
    "DEEP_ARCHIVE",
    "GLACIER",
    "GLACIER_IR",
    "INTELLIGENT_TIERING",
    "ONEZONE_IA",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
];

/// An entity tag without its quotes: an MD5, or that of a multipart upload with `-N`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EntityTag(pub(crate) String);

impl EntityTag {
    pub(crate) fn of_md5(md5: [u8; 16]) -> Self {
        Self(hex::encode(md5))
    }

    /// From what a client wrote, with quotes or without.
    pub(crate) fn parse(text: &str) -> Self {
        let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        Self(inner.unwrap_or(text).to_owned())
    }

    pub(crate) fn quoted(&self) -> String {
        format!("\"{}\"", self.0)
    }
}

/// How a client wants an object to be encrypted: told again, and not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Encryption {
    pub(crate) algorithm: String,
    pub(crate) kms_key: Option<String>,
    pub(crate) bucket_key: Option<bool>,
}

/// What a client says about an object, kept and given back as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Headers {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cache_control: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_disposition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_encoding: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_language: Option<String>,
    /// Milliseconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) website_redirect: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) encryption: Option<Encryption>,
    /// Who was granted what. None: the owner everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) acl: Option<Grants>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) metadata: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Tags::is_empty")]
    pub(crate) tags: Tags,
}

impl Headers {
    /// Fills in what S3 fills in, and checks sizes and characters: it must all fit into the
    /// headers of an answer.
    pub(crate) fn checked(mut self) -> Result<Self, StoreError> {
        let metadata = self.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        if metadata > MAX_METADATA {
            return Err(StoreError::MetadataTooLarge(metadata));
        }
        let fits = |(name, value): (&String, &String)| {
            HeaderName::from_bytes(name.as_bytes()).is_ok() && !value.chars().any(char::is_control)
        };
        if !self.metadata.iter().all(fits) {
            return Err(StoreError::InvalidArgument("metadata must be fit for HTTP headers"));
        }
        self.metadata = std::mem::take(&mut self.metadata)
            .into_iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .collect();
        let texts = [
            &self.content_type,
            &self.cache_control,
            &self.content_disposition,
            &self.content_encoding,
            &self.content_language,
            &self.website_redirect,
        ];
        let encryption = self.encryption.as_ref();
        let encryption = encryption.map(|it| [Some(&it.algorithm), it.kms_key.as_ref()]);
        let encryption = encryption.into_iter().flatten().flatten();
        let texts: Vec<_> = texts.into_iter().flatten().chain(encryption).collect();
        if texts.iter().map(|text| text.len()).sum::<usize>() > MAX_HEADERS {
            return Err(StoreError::InvalidRequest("the headers exceed 8 KB"));
        }
        if texts.into_iter().any(|text| HeaderValue::from_str(text).is_err()) {
            return Err(StoreError::InvalidArgument("a header has characters that HTTP forbids"));
        }
        self.content_type.get_or_insert_with(|| DEFAULT_CONTENT_TYPE.to_owned());
        Ok(self)
    }
}

/// An object as the index knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) id: i64,
    pub(crate) size: u64,
    pub(crate) etag: EntityTag,
    pub(crate) modified: Timestamp,
    pub(crate) storage_class: String,
    pub(crate) checksum: Option<Checksum>,
    pub(crate) headers: Headers,
}

/// When a write may happen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum WriteCondition {
    #[default]
    Always,
    /// No object has the key.
    Absent,
    /// Some object has it.
    Present,
    /// The object there has this tag.
    Matches(EntityTag),
}

/// Which tags a condition of a read names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EntityTags {
    Any,
    One(EntityTag),
}

impl EntityTags {
    fn contain(&self, etag: &EntityTag) -> bool {
        match self {
            Self::Any => true,
            Self::One(one) => one == etag,
        }
    }
}

/// When a read answers with the object. The times are compared by the second.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ReadConditions {
    pub(crate) matches: Option<EntityTags>,
    pub(crate) none_match: Option<EntityTags>,
    pub(crate) modified_since: Option<Timestamp>,
    pub(crate) unmodified_since: Option<Timestamp>,
}

impl ReadConditions {
    /// As RFC 9110 orders them: a tag's word counts more than a time's.
    pub(crate) fn check(&self, object: &Object) -> Result<(), StoreError> {
        let seconds = |time: Timestamp| time.as_millis().div_euclid(1000);
        let modified_after = |time| seconds(object.modified) > seconds(time);
        let (condition, holds) = match &self.matches {
            Some(tags) => ("If-Match", tags.contain(&object.etag)),
            None => ("If-Unmodified-Since", !self.unmodified_since.is_some_and(modified_after)),
        };
        if !holds {
            return Err(StoreError::PreconditionFailed(condition));
        }
        let is_news = match &self.none_match {
            Some(tags) => !tags.contain(&object.etag),
            None => self.modified_since.is_none_or(modified_after),
        };
        if is_news { Ok(()) } else { Err(StoreError::NotModified(object.etag.clone())) }
    }
}

/// One page of keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ListQuery {
    pub(crate) bucket: String,
    pub(crate) prefix: String,
    pub(crate) delimiter: Option<String>,
    /// Entries after this one only.
    pub(crate) after: Option<String>,
    pub(crate) max: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry<T> {
    One(String, T),
    /// All keys that begin with this, rolled up.
    CommonPrefix(String),
}

impl<T> Entry<T> {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::One(name, _) | Self::CommonPrefix(name) => name,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page<T> {
    pub(crate) entries: Vec<Entry<T>>,
    /// Whether more entries follow the last one.
    pub(crate) truncated: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bucket {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) created: Timestamp,
    pub(crate) region: String,
}

/// The storage class that a client asks for.
pub(crate) fn storage_class(asked: Option<String>) -> Result<String, StoreError> {
    let class = asked.unwrap_or_else(|| STANDARD.to_owned());
    if STORAGE_CLASSES.contains(&class.as_str()) {
        Ok(class)
    } else {
        Err(StoreError::InvalidStorageClass(class))
    }
}

/// Checks what a client calls a bucket. Names with these endings and beginnings are S3's own.
pub(crate) fn check_bucket_name(name: &str) -> Result<(), StoreError> {
    const BEGINNINGS: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
    const ENDINGS: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];
    let is_reserved = BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
        || ENDINGS.iter().any(|ending| name.ends_with(ending));
    if s3s::path::check_bucket_name(name) && !is_reserved {
        Ok(())
    } else {
        Err(StoreError::InvalidBucketName(name.to_owned()))
    }
}

/// The region that a client names when it makes a bucket. Any that has the form of one will do.
pub(crate) fn region(constraint: &str) -> Result<&str, StoreError> {
    // What the constraint was called when there was one region in Europe.
    if constraint == "EU" {
        return Ok("eu-west-1");
    }
    let parts: Vec<_> = constraint.split('-').collect();
    let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    let has_form = match parts.as_slice() {
        [words @ .., number] if (2..=4).contains(&words.len()) => {
            words.iter().all(is_word) && number.len() == 1 && number.parse::<u8>().is_ok()
        }
        _ => false,
    };
    // Of its first region S3 wants nothing to be said.
    if has_form && constraint.len() <= 32 && constraint != "us-east-1" {
        Ok(constraint)
    } else {
        Err(StoreError::InvalidLocationConstraint(constraint.chars().take(64).collect()))
    }
}

/// Which bytes of an object are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    All,
    Range(ByteRange),
    /// Of an object that was uploaded in parts, the one with this number.
    Part(u32),
}

impl From<Option<ByteRange>> for Wanted {
    fn from(range: Option<ByteRange>) -> Self {
        range.map_or(Self::All, Self::Range)
    }
}

/// A name as S3 writes it where not every character may be: in lists on demand, in events always.
pub(crate) fn url_encoded(name: &str) -> String {
    let mut written = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/' => {
                written.push(char::from(byte));
            }
            b' ' => written.push('+'),
            _ => written.push_str(&format!("%{byte:02X}")),
        }
    }
    written
}

/// Checks what a client calls an object. None of it reaches the file system. A zero byte is
/// refused although it would do no harm here: XML cannot hold it, and no client expects it.
pub(crate) fn check_key(at: &ObjectAddress) -> Result<(), StoreError> {
    match at.key.len() {
        0 => Err(StoreError::InvalidArgument("the key is empty")),
        _ if at.key.contains('\0') => {
            Err(StoreError::InvalidArgument("the key has a zero byte, which no key may have"))
        }
        1..=MAX_KEY => Ok(()),
        length => Err(StoreError::KeyTooLong(length)),
    }
}

/// Which bytes of an object with `size` bytes a client asks for.
pub(crate) fn bytes_of(range: ByteRange, size: u64) -> Result<Range<u64>, StoreError> {
    let bytes = match range {
        ByteRange::From { first, last } => {
            first..last.map_or(size, |last| last.saturating_add(1).min(size))
        }
        ByteRange::Suffix(length) => size.saturating_sub(length)..size,
    };
    if bytes.is_empty() { Err(StoreError::InvalidRange { range, size }) } else { Ok(bytes) }
}
