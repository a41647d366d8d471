//! An object store in memory, with the answers of S3 to good and bad requests.
//!
//! Knows nothing of HTTP, credentials or disks.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use cpe_swf::Timestamp;
use futures::{StreamExt, stream};
use md5::{Digest, Md5};
use tokio::sync::Semaphore;

use crate::{
    BlobStore, ByteRange, Checksum, ChecksumAlgorithm, Clock, CompletedPart, Error, ErrorKind,
    GetObject, ListObjects, ListPage, ObjectAddress, ObjectMeta, PutCondition, PutOptions,
    StoredPart, UploadId,
};

/// S3's least size of a part that is not the last.
const MIN_PART: usize = 5 << 20;
const MAX_PARTS: u32 = 10_000;
const MAX_KEYS: u32 = 1000;
/// Bodies come in pieces, as they do from a network.
const PIECE: usize = 64 << 10;

/// Objects by bucket and key. Clones share them.
#[derive(Clone, Default)]
pub struct MemoryBlobs {
    state: Arc<Mutex<State>>,
    clock: Option<Arc<dyn Clock>>,
    /// Parts go through one by one, as a test lets them; freely if there is none.
    gate: Option<Arc<Semaphore>>,
}

/// What happens to the next bodies that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFault {
    /// The connection breaks after so many bytes.
    Breaks(usize),
    /// The body ends after so many bytes, as if it were whole.
    EndsEarly(usize),
    /// A bit of the last byte is another one.
    Corrupted,
}

#[derive(Default)]
struct State {
    buckets: BTreeMap<String, BTreeMap<String, Object>>,
    uploads: BTreeMap<u64, Upload>,
    last_upload: u64,
    /// What becomes of the next operations.
    failures: VecDeque<Option<ErrorKind>>,
    faults: VecDeque<BodyFault>,
    calls: Vec<String>,
    stalled: bool,
    parts_now: usize,
    parts_at_most: usize,
}

#[derive(Clone)]
struct Object {
    meta: ObjectMeta,
    options: PutOptions,
    body: Bytes,
}

struct Upload {
    at: ObjectAddress,
    options: PutOptions,
    parts: BTreeMap<u32, (String, Bytes)>,
}

impl fmt::Debug for MemoryBlobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBlobs").finish_non_exhaustive()
    }
}

impl MemoryBlobs {
    /// A store with these buckets. Its objects are dated at the Unix epoch.
    pub fn with_buckets<const N: usize>(buckets: [&str; N]) -> Self {
        let blobs = Self::default();
        blobs.lock().buckets.extend(buckets.map(|bucket| (bucket.to_owned(), BTreeMap::new())));
        blobs
    }

    /// Dates objects by `clock`.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Writes an object, and its bucket where there is none.
    pub fn insert(&self, bucket: &str, key: &str, body: impl Into<Bytes>) {
        let object = Object::new(body.into(), PutOptions::default(), self.now());
        let mut state = self.lock();
        state.buckets.entry(bucket.to_owned()).or_default().insert(key.to_owned(), object);
    }

    /// The body of an object, if there is one.
    pub fn body(&self, bucket: &str, key: &str) -> Option<Bytes> {
        Some(self.lock().buckets.get(bucket)?.get(key)?.body.clone())
    }

    /// With what options an object was put.
    pub fn options(&self, bucket: &str, key: &str) -> Option<PutOptions> {
        Some(self.lock().buckets.get(bucket)?.get(key)?.options.clone())
    }

    /// Every key of a bucket, in order.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        self.lock().buckets.get(bucket).map(|b| b.keys().cloned().collect()).unwrap_or_default()
    }

    /// How many multipart uploads are neither completed nor aborted.
    pub fn open_uploads(&self) -> usize {
        self.lock().uploads.len()
    }

    /// The next `times` operations fail like this.
    pub fn fail_next(&self, times: usize, kind: ErrorKind) {
        self.lock().failures.extend(std::iter::repeat_n(Some(kind), times));
    }

    /// The operation after the next `times` fails like this.
    pub fn fail_after(&self, times: usize, kind: ErrorKind) {
        let mut state = self.lock();
        state.failures.extend(std::iter::repeat_n(None, times));
        state.failures.push_back(Some(kind));
    }

    /// The next `times` bodies that are read come like this.
    pub fn fault_bodies(&self, times: usize, fault: BodyFault) {
        self.lock().faults.extend(std::iter::repeat_n(fault, times));
    }

    /// Holds every part back until the semaphore has a permit for it, which it then keeps.
    #[must_use]
    pub fn with_gate(mut self, gate: Arc<Semaphore>) -> Self {
        self.gate = Some(gate);
        self
    }

    /// How many parts are on their way now, and how many were at most at a time.
    pub fn parts_in_flight(&self) -> (usize, usize) {
        let state = self.lock();
        (state.parts_now, state.parts_at_most)
    }

    /// From now on, the bodies of objects never arrive.
    pub fn stall(&self) {
        self.lock().stalled = true;
    }

    /// The operations so far, each as `verb bucket/key`; forgets them.
    pub fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().calls)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the call, and fails it where a test asked for that.
    fn begin(&self, verb: &str, bucket: &str, key: &str) -> Result<MutexGuard<'_, State>, Error> {
        let mut state = self.lock();
        state.calls.push(format!("{verb} {bucket}/{key}"));
        match state.failures.pop_front().flatten() {
            Some(kind) => Err(Error::new(kind, "a failure that the test asked for")),
            None => Ok(state),
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.as_ref().map_or(Timestamp::from_millis(0), |clock| clock.now())
    }
}

impl BodyFault {
    fn applied(self, body: Bytes) -> (Bytes, Option<Error>) {
        match self {
            Self::EndsEarly(after) => (body.slice(..after.min(body.len())), None),
            Self::Breaks(after) if after >= body.len() => (body, None),
            Self::Breaks(after) => {
                let error = Error::new(ErrorKind::Unavailable, "connection reset");
                (body.slice(..after), Some(error))
            }
            Self::Corrupted => {
                let mut bytes = body.to_vec();
                if let Some(last) = bytes.last_mut() {
                    *last ^= 1;
                }
                (bytes.into(), None)
            }
        }
    }
}

/// Counts a part as long as it is on its way.
struct InFlight<'a>(&'a MemoryBlobs);

impl<'a> InFlight<'a> {
    fn enter(blobs: &'a MemoryBlobs) -> Self {
        let mut state = blobs.lock();
        state.parts_now += 1;
        state.parts_at_most = state.parts_at_most.max(state.parts_now);
        Self(blobs)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.lock().parts_now -= 1;
    }
}

impl Object {
    fn new(body: Bytes, options: PutOptions, now: Timestamp) -> Self {
        let meta = ObjectMeta {
            size: body.len() as u64,
            etag: etag_of(&body),
            content_type: options.content_type.clone(),
            last_modified: now,
            metadata: options.metadata.clone(),
        };
        Self { meta, options: PutOptions { condition: None, ..options }, body }
    }
}

impl State {
    fn bucket(&mut self, bucket: &str) -> Result<&mut BTreeMap<String, Object>, Error> {
        self.buckets.get_mut(bucket).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("no bucket {bucket}")).with_code("NoSuchBucket")
        })
    }

    fn object(&mut self, at: &ObjectAddress) -> Result<&Object, Error> {
        self.bucket(&at.bucket)?.get(&at.key).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("no object {at}")).with_code("NoSuchKey")
        })
    }

    fn upload(&mut self, at: &ObjectAddress, upload: &UploadId) -> Result<&mut Upload, Error> {
        let id: u64 = upload.0.parse().unwrap_or_default();
        self.uploads.get_mut(&id).filter(|found| found.at == *at).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("no upload {}", upload.0))
                .with_code("NoSuchUpload")
        })
    }
}

#[async_trait]
impl BlobStore for MemoryBlobs {
    async fn create_bucket(&self, bucket: &str) -> Result<(), Error> {
        self.begin("create-bucket", bucket, "")?.buckets.entry(bucket.to_owned()).or_default();
        Ok(())
    }

    async fn head(&self, at: &ObjectAddress) -> Result<ObjectMeta, Error> {
        Ok(self.begin("head", &at.bucket, &at.key)?.object(at)?.meta.clone())
    }

    async fn get(&self, at: &ObjectAddress, range: Option<ByteRange>) -> Result<GetObject, Error> {
        let (object, stalled, fault) = {
            let mut state = self.begin("get", &at.bucket, &at.key)?;
            (state.object(at)?.clone(), state.stalled, state.faults.pop_front())
        };
        let checksum =
            (range.is_none()).then(|| Checksum::of(ChecksumAlgorithm::Crc64Nvme, &object.body));
        if stalled {
            let body = stream::pending().boxed();
            return Ok(GetObject { meta: object.meta, body, checksum });
        }
        let body = match range {
            None => object.body,
            Some(range) => slice(&object.body, range)?,
        };
        let (body, error) = match fault {
            None => (body, None),
            Some(fault) => fault.applied(body),
        };
        let pieces = stream::unfold(body, |mut rest| async move {
            let piece = rest.split_to(rest.len().min(PIECE));
            (!piece.is_empty()).then_some((Ok(piece), rest))
        });
        let body = pieces.chain(stream::iter(error.map(Err))).boxed();
        Ok(GetObject { meta: object.meta, body, checksum })
    }

    async fn put(
        &self,
        at: &ObjectAddress,
        body: Bytes,
        options: PutOptions,
    ) -> Result<String, Error> {
        let now = self.now();
        let mut state = self.begin("put", &at.bucket, &at.key)?;
        let bucket = state.bucket(&at.bucket)?;
        let there = bucket.get(&at.key).map(|object| object.meta.etag.as_str());
        let holds = match &options.condition {
            None => true,
            Some(PutCondition::Absent) => there.is_none(),
            Some(PutCondition::Matches(etag)) => there == Some(etag.as_str()),
        };
        if !holds {
            return Err(Error::new(ErrorKind::AlreadyExists, format!("{at} has changed"))
                .with_code("PreconditionFailed"));
        }
        let object = Object::new(body, options, now);
        let etag = object.meta.etag.clone();
        bucket.insert(at.key.clone(), object);
        Ok(etag)
    }

    async fn create_upload(
        &self,
        at: &ObjectAddress,
        options: PutOptions,
    ) -> Result<UploadId, Error> {
        let mut state = self.begin("create-upload", &at.bucket, &at.key)?;
        state.bucket(&at.bucket)?;
        state.last_upload += 1;
        let id = state.last_upload;
        state.uploads.insert(id, Upload { at: at.clone(), options, parts: BTreeMap::new() });
        Ok(UploadId(id.to_string()))
    }

    async fn upload_part(
        &self,
        at: &ObjectAddress,
        upload: &UploadId,
        number: u32,
        body: Bytes,
    ) -> Result<CompletedPart, Error> {
        let _in_flight = InFlight::enter(self);
        if let Some(gate) = &self.gate
            && let Ok(permit) = gate.acquire().await
        {
            permit.forget();
        }
        let mut state = self.begin("upload-part", &at.bucket, &at.key)?;
        if !(1..=MAX_PARTS).contains(&number) {
            return Err(refused("InvalidArgument", "part numbers are 1 to 10,000"));
        }
        let etag = etag_of(&body);
        state.upload(at, upload)?.parts.insert(number, (etag.clone(), body));
        Ok(CompletedPart { number, etag })
    }

    async fn complete_upload(
        &self,
        at: &ObjectAddress,
        upload: &UploadId,
        parts: Vec<CompletedPart>,
    ) -> Result<String, Error> {
        let now = self.now();
        let mut state = self.begin("complete-upload", &at.bucket, &at.key)?;
        let found = state.upload(at, upload)?;
        let body = joined(found, &parts)?;
        let object = Object::new(body, found.options.clone(), now);
        let etag = object.meta.etag.clone();
        state.bucket(&at.bucket)?.insert(at.key.clone(), object);
        state.uploads.retain(|id, _| id.to_string() != upload.0);
        Ok(etag)
    }

    async fn abort_upload(&self, at: &ObjectAddress, upload: &UploadId) -> Result<(), Error> {
        let mut state = self.begin("abort-upload", &at.bucket, &at.key)?;
        state.upload(at, upload)?;
        state.uploads.retain(|id, _| id.to_string() != upload.0);
        Ok(())
    }

    async fn list_uploads(&self, at: &ObjectAddress) -> Result<Vec<UploadId>, Error> {
        let state = self.begin("list-uploads", &at.bucket, &at.key)?;
        let of_key = state.uploads.iter().filter(|(_, upload)| upload.at == *at);
        Ok(of_key.map(|(id, _)| UploadId(id.to_string())).collect())
    }

    async fn list_parts(
        &self,
        at: &ObjectAddress,
        upload: &UploadId,
    ) -> Result<Vec<StoredPart>, Error> {
        let mut state = self.begin("list-parts", &at.bucket, &at.key)?;
        let parts = state.upload(at, upload)?.parts.iter();
        let part = |(number, (etag, body)): (&u32, &(String, Bytes))| StoredPart {
            number: *number,
            etag: etag.clone(),
            size: body.len() as u64,
        };
        Ok(parts.map(part).collect())
    }

    async fn copy(&self, from: &ObjectAddress, to: &ObjectAddress) -> Result<String, Error> {
        let now = self.now();
        let mut state = self.begin("copy", &from.bucket, &from.key)?;
        let mut object = state.object(from)?.clone();
        object.meta.last_modified = now;
        let etag = object.meta.etag.clone();
        state.bucket(&to.bucket)?.insert(to.key.clone(), object);
        Ok(etag)
    }

    async fn delete(&self, at: &ObjectAddress) -> Result<(), Error> {
        self.begin("delete", &at.bucket, &at.key)?.bucket(&at.bucket)?.remove(&at.key);
        Ok(())
    }

    async fn list(&self, list: ListObjects) -> Result<ListPage, Error> {
        let mut state = self.begin("list", &list.bucket, &list.prefix)?;
        let after = list.start_after.unwrap_or_default();
        let wanted = list.max_keys.min(MAX_KEYS) as usize;
        let mut following = state
            .bucket(&list.bucket)?
            .iter()
            .filter(|(key, _)| key.starts_with(&list.prefix) && **key > after);
        let objects = following
            .by_ref()
            .take(wanted)
            .map(|(key, object)| {
                let meta = ObjectMeta {
                    content_type: None,
                    metadata: BTreeMap::new(),
                    ..object.meta.clone()
                };
                (key.clone(), meta)
            })
            .collect();
        Ok(ListPage { objects, truncated: following.next().is_some() })
    }
}

/// A tag by content, as S3 makes it of what is put at once.
fn etag_of(body: &[u8]) -> String {
    let digest: String = Md5::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digest}\"")
}

fn refused(code: &str, message: &str) -> Error {
    Error::new(ErrorKind::Refused, message).with_code(code)
}

fn slice(body: &Bytes, range: ByteRange) -> Result<Bytes, Error> {
    let size = body.len() as u64;
    let (first, end) = match range {
        ByteRange::From { first, last } => {
            (first, last.map_or(size, |last| last.saturating_add(1).min(size)))
        }
        ByteRange::Suffix(length) => (size.saturating_sub(length), size),
    };
    if first >= end {
        return Err(refused("InvalidRange", "the object has no such bytes"));
    }
    let position = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
    Ok(body.slice(position(first)..position(end)))
}

fn joined(upload: &Upload, parts: &[CompletedPart]) -> Result<Bytes, Error> {
    let mut body = Vec::new();
    let mut last = 0;
    for (index, part) in parts.iter().enumerate() {
        let found = upload.parts.get(&part.number).filter(|(etag, _)| *etag == part.etag);
        let Some((_, bytes)) = found else {
            return Err(refused("InvalidPart", "a part is missing or has another entity tag"));
        };
        if part.number <= last {
            return Err(refused("InvalidPartOrder", "parts must be in ascending order"));
        }
        if index + 1 < parts.len() && bytes.len() < MIN_PART {
            return Err(refused("EntityTooSmall", "only the last part may be under 5 MiB"));
        }
        last = part.number;
        body.extend_from_slice(bytes);
    }
    if parts.is_empty() {
        return Err(refused("MalformedXML", "an upload has at least one part"));
    }
    Ok(body.into())
}

#[cfg(test)]
mod tests;
