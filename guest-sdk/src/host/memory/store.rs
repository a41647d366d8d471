//! Buckets in memory, and the handles that an activity holds on them.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    mem,
    ops::Bound,
    sync::Arc,
};

use super::{State, with};
use crate::{
    host::Page,
    object_store::{ByteRange, ErrorKind, ObjectInfo, PutOptions},
    testing::Object,
};

/// All objects, by bucket and key.
pub(crate) type Buckets = BTreeMap<String, BTreeMap<String, Object>>;

/// As many as the contract allows a page to have.
const MAX_LISTED: usize = 1000;
/// When everything was stored: 14 November 2023, so that nothing depends on the clock.
const LAST_MODIFIED: u64 = 1_700_000_000_000;

/// A change that waits for the activity's success.
#[derive(Debug)]
pub(crate) enum Effect {
    Put { bucket: String, key: String, object: Object },
    Copy { from: (String, String), to: (String, String) },
    Delete { bucket: String, key: String },
}

impl Effect {
    pub(crate) fn apply(self, buckets: &mut Buckets) {
        match self {
            Self::Put { bucket, key, object } => {
                buckets.entry(bucket).or_default().insert(key, object);
            }
            Self::Copy { from, to } => {
                let copied = buckets.get(&from.0).and_then(|objects| objects.get(&from.1)).cloned();
                if let Some(object) = copied {
                    buckets.entry(to.0).or_default().insert(to.1, object);
                }
            }
            Self::Delete { bucket, key } => {
                buckets.entry(bucket).or_default().remove(&key);
            }
        }
    }

    fn writes(&self, bucket: &str, key: &str) -> bool {
        match self {
            Self::Put { bucket: b, key: k, .. } | Self::Copy { to: (b, k), .. } => {
                b == bucket && k == key
            }
            Self::Delete { .. } => false,
        }
    }
}

impl State {
    /// What the real host checks before it asks the store, and the fault that a test ordered.
    fn check(&self, bucket: &str, key: &str) -> Result<(), ErrorKind> {
        let hidden = key.split('/').any(|segment| matches!(segment, "." | ".."));
        if key.is_empty() || key.starts_with('/') || hidden {
            let why = "a key is not empty, not absolute, and has no `.` or `..` as a segment";
            return Err(ErrorKind::InvalidArgument(why.to_owned()));
        }
        match self.faults.iter().find(|(b, k, _)| b == bucket && k == key) {
            Some((_, _, kind)) => Err(kind.clone()),
            None => Ok(()),
        }
    }

    fn object(&self, bucket: &str, key: &str) -> Result<&Object, ErrorKind> {
        self.check(bucket, key)?;
        let objects = self.buckets.get(bucket).ok_or(ErrorKind::NoSuchBucket)?;
        objects.get(key).ok_or(ErrorKind::NoSuchKey)
    }
}

#[derive(Debug)]
pub(crate) struct Bucket(String);

impl Bucket {
    pub(crate) fn open(name: &str) -> Result<Self, ErrorKind> {
        with("Bucket::open", |state| {
            if state.buckets.contains_key(name) {
                return Ok(Self(name.to_owned()));
            }
            let why = format!("nothing in bucket `{name}` was granted (see testing::Host::bucket)");
            Err(ErrorKind::AccessDenied(why))
        })
    }

    pub(crate) fn head(&self, key: &str) -> Result<ObjectInfo, ErrorKind> {
        with("Bucket::head", |state| Ok(info(key, state.object(&self.0, key)?)))
    }

    pub(crate) fn get(&self, key: &str, range: Option<ByteRange>) -> Result<Reader, ErrorKind> {
        with("Bucket::get", |state| {
            let object = state.object(&self.0, key)?;
            let (first, end) = bounds(object.bytes.len(), range)?;
            let bytes = object.bytes.get(first..end).unwrap_or_default().into();
            Ok(Reader {
                info: info(key, object),
                most: state.most_bytes_read,
                left: RefCell::new((bytes, 0)),
            })
        })
    }

    pub(crate) fn put(&self, key: &str, options: PutOptions) -> Result<Writer, ErrorKind> {
        with("Bucket::put", |state| {
            state.check(&self.0, key)?;
            let object = Object {
                bytes: Vec::new(),
                content_type: options.content_type,
                storage_class: options.storage_class,
                encrypt: options.encrypt,
            };
            let (bucket, key) = (self.0.clone(), key.to_owned());
            Ok(Writer { bucket, key, object: RefCell::new(Some(object)) })
        })
    }

    pub(crate) fn list(&self, prefix: &str, after: Option<&str>) -> Result<Page, ErrorKind> {
        with("Bucket::list", |state| {
            let objects = state.buckets.get(&self.0).ok_or(ErrorKind::NoSuchBucket)?;
            let from = after.map_or(Bound::Unbounded, Bound::Excluded);
            let mut found = objects
                .range::<str, _>((from, Bound::Unbounded))
                .filter(|(key, _)| key.starts_with(prefix))
                .map(|(key, object)| info(key, object));
            let objects: Vec<ObjectInfo> = found.by_ref().take(MAX_LISTED).collect();
            let more = found.next().is_some();
            let next = objects.last().map(|last| last.key.clone()).filter(|_| more);
            Ok(Page { objects, next })
        })
    }

    pub(crate) fn copy(&self, key: &str, to: &Self, to_key: &str) -> Result<(), ErrorKind> {
        with("Bucket::copy", |state| {
            state.check(&to.0, to_key)?;
            if !state.effects.iter().any(|effect| effect.writes(&self.0, key)) {
                state.object(&self.0, key)?;
            }
            let from = (self.0.clone(), key.to_owned());
            state.effects.push(Effect::Copy { from, to: (to.0.clone(), to_key.to_owned()) });
            Ok(())
        })
    }

    pub(crate) fn delete(&self, key: &str) -> Result<(), ErrorKind> {
        with("Bucket::delete", |state| {
            state.check(&self.0, key)?;
            state.effects.push(Effect::Delete { bucket: self.0.clone(), key: key.to_owned() });
            Ok(())
        })
    }
}

#[derive(Debug)]
pub(crate) struct Reader {
    info: ObjectInfo,
    most: usize,
    /// The bytes, and how many of them were read.
    left: RefCell<(Arc<[u8]>, usize)>,
}

impl Reader {
    pub(crate) fn info(&self) -> ObjectInfo {
        self.info.clone()
    }

    pub(crate) fn read(&self, max: u32) -> Result<Vec<u8>, ErrorKind> {
        let (bytes, read) = &mut *self.left.borrow_mut();
        let left = bytes.get(*read..).unwrap_or_default();
        let most = self.most.min(usize::try_from(max).unwrap_or(usize::MAX));
        let chunk = left.get(..most).unwrap_or(left).to_vec();
        *read += chunk.len();
        Ok(chunk)
    }
}

#[derive(Debug)]
pub(crate) struct Writer {
    bucket: String,
    key: String,
    /// Gone once the body is finished.
    object: RefCell<Option<Object>>,
}

impl Writer {
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), ErrorKind> {
        match &mut *self.object.borrow_mut() {
            Some(object) => object.bytes.extend_from_slice(bytes),
            None => return Err(ErrorKind::InvalidArgument("the writer is finished".to_owned())),
        }
        Ok(())
    }

    pub(crate) fn finish(&self) -> Result<(), ErrorKind> {
        let Some(object) = mem::take(&mut *self.object.borrow_mut()) else {
            return Err(ErrorKind::InvalidArgument("the writer is finished".to_owned()));
        };
        let (bucket, key) = (self.bucket.clone(), self.key.clone());
        with("Writer::finish", |state| state.effects.push(Effect::Put { bucket, key, object }));
        Ok(())
    }
}

/// The first position of a range and the one after its last, as S3 reads them.
fn bounds(size: usize, range: Option<ByteRange>) -> Result<(usize, usize), ErrorKind> {
    let position = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
    let (first, end) = match range {
        None => return Ok((0, size)),
        Some(ByteRange::Start(first)) => (position(first), size),
        Some(ByteRange::Inclusive(first, last)) if first > last => {
            let why = "the range ends before it begins";
            return Err(ErrorKind::InvalidArgument(why.to_owned()));
        }
        Some(ByteRange::Inclusive(first, last)) => {
            (position(first), position(last).saturating_add(1).min(size))
        }
        Some(ByteRange::Suffix(0)) => {
            return Err(ErrorKind::InvalidArgument("the range is empty".to_owned()));
        }
        Some(ByteRange::Suffix(length)) => (size.saturating_sub(position(length)), size),
    };
    if first >= end {
        return Err(ErrorKind::InvalidArgument("the object has no such bytes".to_owned()));
    }
    Ok((first, end))
}

fn info(key: &str, object: &Object) -> ObjectInfo {
    let mut hasher = DefaultHasher::new();
    object.bytes.hash(&mut hasher);
    ObjectInfo {
        key: key.to_owned(),
        size: object.bytes.len() as u64,
        etag: format!("\"{:016x}\"", hasher.finish()),
        content_type: object.content_type.clone(),
        last_modified: LAST_MODIFIED,
    }
}
