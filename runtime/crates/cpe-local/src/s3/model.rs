//! The words of the object store: entity tags, headers, conditions, listings.
//!
//! Plain values with their limits; knows no database, file or wire format.

use std::{collections::BTreeMap, ops::Range};

use cpe_ports::{ByteRange, ObjectAddress};
use cpe_swf::Timestamp;
use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use super::{checksums::Checksum, error::StoreError};

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
    pub(crate) encryption: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) metadata: BTreeMap<String, String>,
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
            &self.encryption,
        ];
        if texts.iter().copied().flatten().map(String::len).sum::<usize>() > MAX_HEADERS {
            return Err(StoreError::InvalidRequest("the headers exceed 8 KB"));
        }
        if texts.into_iter().flatten().any(|text| HeaderValue::from_str(text).is_err()) {
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
pub(crate) enum Tags {
    Any,
    One(EntityTag),
}

impl Tags {
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
    pub(crate) matches: Option<Tags>,
    pub(crate) none_match: Option<Tags>,
    pub(crate) modified_since: Option<Timestamp>,
    pub(crate) unmodified_since: Option<Timestamp>,
}

impl ReadConditions {
    /// As RFC 9110 orders them: a tag's word counts more than a time's.
    pub(crate) fn check(&self, object: &Object) -> Result<(), StoreError> {
        let seconds = |time: Timestamp| time.as_millis().div_euclid(1000);
        let modified_after = |time| seconds(object.modified) > seconds(time);
        let holds = match &self.matches {
            Some(tags) => tags.contain(&object.etag),
            None => !self.unmodified_since.is_some_and(modified_after),
        };
        if !holds {
            return Err(StoreError::PreconditionFailed);
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

/// Checks what a client calls an object. Any text is a key; none of it reaches the file system.
pub(crate) fn check_key(at: &ObjectAddress) -> Result<(), StoreError> {
    match at.key.len() {
        0 => Err(StoreError::InvalidArgument("the key is empty")),
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
    if bytes.is_empty() { Err(StoreError::InvalidRange { size }) } else { Ok(bytes) }
}
