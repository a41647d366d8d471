//! An object store that notes what is written to it, and passes it on or does not.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use cpe_ports::{
    BlobStore, ByteRange, CompletedPart, Error, GetObject, ListObjects, ListPage, ObjectAddress,
    ObjectMeta, PutOptions, StoredPart, UploadId,
};

/// Objects that are noted of one run; of more, only the number.
const MAX_NOTED: usize = 1000;

/// What became of an object, last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Written {
    /// So many bytes.
    Put(u64),
    Copied(ObjectAddress),
    Deleted,
}

/// What one run wrote. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Writes(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    objects: BTreeMap<ObjectAddress, Written>,
    more: u64,
}

impl Writes {
    pub(super) fn note(&self, at: &ObjectAddress, written: Written) {
        let mut noted = self.lock();
        if noted.objects.len() < MAX_NOTED || noted.objects.contains_key(at) {
            noted.objects.insert(at.clone(), written);
        } else {
            noted.more += 1;
        }
    }

    /// What the run of `would` does otherwise than this one, first.
    pub(super) fn difference(&self, would: &Self) -> Option<String> {
        let (does, would) = (self.lock(), would.lock());
        let missing = does.objects.keys().find(|at| !would.objects.contains_key(*at));
        if let Some(at) = missing {
            return Some(format!("it would not write {at}"));
        }
        for (at, written) in &would.objects {
            match (written, does.objects.get(at)) {
                (written, Some(does)) if written == does => {}
                (Written::Put(size), Some(Written::Put(is))) => {
                    return Some(format!("it would write {size} bytes to {at}, not {is}"));
                }
                (Written::Put(size), _) => {
                    return Some(format!("it would write {size} bytes to {at}"));
                }
                (Written::Copied(from), _) => return Some(format!("it would copy {from} to {at}")),
                (Written::Deleted, _) => return Some(format!("it would delete {at}")),
            }
        }
        (does.more != would.more).then(|| "it would write other objects".to_owned())
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads are the store's own in any case.
#[derive(Debug)]
pub(super) struct NotedStore {
    inner: Arc<dyn BlobStore>,
    writes: Writes,
    /// Nothing is written, whatever is answered.
    without_effect: bool,
    /// Bytes of the uploads that are open.
    uploads: Mutex<BTreeMap<String, u64>>,
    last: AtomicU64,
}

impl NotedStore {
    pub(super) fn new(inner: Arc<dyn BlobStore>, writes: Writes) -> Self {
        let (uploads, last) = (Mutex::default(), AtomicU64::new(0));
        Self { inner, writes, without_effect: false, uploads, last }
    }

    pub(super) fn without_effect(inner: Arc<dyn BlobStore>, writes: Writes) -> Self {
        Self { without_effect: true, ..Self::new(inner, writes) }
    }

    fn uploads(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What no object has.
fn no_tag() -> String {
    "\"none\"".to_owned()
}

#[async_trait]
impl BlobStore for NotedStore {
    async fn create_bucket(&self, bucket: &str) -> Result<(), Error> {
        if self.without_effect { Ok(()) } else { self.inner.create_bucket(bucket).await }
    }

    async fn head(&self, at: &ObjectAddress) -> Result<ObjectMeta, Error> {
        self.inner.head(at).await
    }

    async fn get(&self, at: &ObjectAddress, range: Option<ByteRange>) -> Result<GetObject, Error> {
        self.inner.get(at, range).await
    }

    async fn get_matching(
        &self,
        at: &ObjectAddress,
        range: Option<ByteRange>,
        etag: &str,
    ) -> Result<GetObject, Error> {
        self.inner.get_matching(at, range, etag).await
    }

    async fn get_unless(&self, at: &ObjectAddress, tag: &str) -> Result<Option<GetObject>, Error> {
        self.inner.get_unless(at, tag).await
    }

    async fn put(
        &self,
        at: &ObjectAddress,
        body: Bytes,
        options: PutOptions,
    ) -> Result<String, Error> {
        let size = body.len() as u64;
        let tag = match self.without_effect {
            true => no_tag(),
            false => self.inner.put(at, body, options).await?,
        };
        self.writes.note(at, Written::Put(size));
        Ok(tag)
    }

    async fn create_upload(
        &self,
        at: &ObjectAddress,
        options: PutOptions,
    ) -> Result<UploadId, Error> {
        let id = match self.without_effect {
            true => UploadId(self.last.fetch_add(1, Ordering::Relaxed).to_string()),
            false => self.inner.create_upload(at, options).await?,
        };
        self.uploads().insert(id.0.clone(), 0);
        Ok(id)
    }

    async fn upload_part(
        &self,
        at: &ObjectAddress,
        upload: &UploadId,
        number: u32,
        body: Bytes,
    ) -> Result<CompletedPart, Error> {
        let size = body.len() as u64;
        let part = match self.without_effect {
            true => CompletedPart { number, etag: no_tag() },
            false => self.inner.upload_part(at, upload, number, body).await?,
        };
        if let Some(sum) = self.uploads().get_mut(&upload.0) {
            *sum += size;
        }
        Ok(part)
    }

    async fn complete_upload(
        &self,
        at: &ObjectAddress,
        upload: &UploadId,
        parts: Vec<CompletedPart>,
    ) -> Result<String, Error> {
        let tag = match self.without_effect {
            true => no_tag(),
            false => self.inner.complete_upload(at, upload, parts).await?,
        };
        let size = self.uploads().remove(&upload.0).unwrap_or_default();
        self.writes.note(at, Written::Put(size));
        Ok(tag)
    }

    async fn abort_upload(&self, at: &ObjectAddress, upload: &UploadId) -> Result<(), Error> {
        self.uploads().remove(&upload.0);
        if self.without_effect { Ok(()) } else { self.inner.abort_upload(at, upload).await }
    }

    async fn list_uploads(&self, at: &ObjectAddress) -> Result<Vec<UploadId>, Error> {
        self.inner.list_uploads(at).await
    }

    async fn list_parts(
        &self,
        at: &ObjectAddress,
        upload: &UploadId,
    ) -> Result<Vec<StoredPart>, Error> {
        self.inner.list_parts(at, upload).await
    }

    async fn copy(&self, from: &ObjectAddress, to: &ObjectAddress) -> Result<String, Error> {
        let tag = match self.without_effect {
            true => no_tag(),
            false => self.inner.copy(from, to).await?,
        };
        self.writes.note(to, Written::Copied(from.clone()));
        Ok(tag)
    }

    async fn delete(&self, at: &ObjectAddress) -> Result<(), Error> {
        if !self.without_effect {
            self.inner.delete(at).await?;
        }
        self.writes.note(at, Written::Deleted);
        Ok(())
    }

    async fn list(&self, list: ListObjects) -> Result<ListPage, Error> {
        self.inner.list(list).await
    }
}

#[cfg(test)]
mod tests {
    use cpe_ports::testing::MemoryBlobs;

    use super::*;

    async fn write_everything(store: &NotedStore) {
        let at = |key: &str| ObjectAddress::new("b", key);
        store.put(&at("small"), "12345".into(), PutOptions::default()).await.unwrap();
        let upload = store.create_upload(&at("large"), PutOptions::default()).await.unwrap();
        let part = Bytes::from(vec![0; 5 << 20]);
        let mut parts = Vec::new();
        for number in 1..=2 {
            parts.push(
                store.upload_part(&at("large"), &upload, number, part.clone()).await.unwrap(),
            );
        }
        store.complete_upload(&at("large"), &upload, parts).await.unwrap();
        let upload = store.create_upload(&at("given-up"), PutOptions::default()).await.unwrap();
        store.abort_upload(&at("given-up"), &upload).await.unwrap();
        store.copy(&at("there"), &at("copy")).await.unwrap();
        store.delete(&at("there")).await.unwrap();
    }

    #[tokio::test]
    async fn both_note_the_same_and_only_one_writes() {
        let (does, would) = (Writes::default(), Writes::default());
        let blobs = MemoryBlobs::with_buckets(["b"]);
        blobs.insert("b", "there", "text");
        let shared: Arc<dyn BlobStore> = Arc::new(blobs.clone());
        write_everything(&NotedStore::without_effect(Arc::clone(&shared), would.clone())).await;
        assert_eq!(blobs.keys("b"), ["there"]);
        assert_eq!(blobs.take_calls(), [""; 0]);
        write_everything(&NotedStore::new(shared, does.clone())).await;
        assert_eq!(blobs.keys("b"), ["copy", "large", "small"]);
        assert_eq!(does.difference(&would), None);
        assert_eq!(does.lock().objects.len(), 4);
    }

    #[test]
    fn no_more_is_noted_than_is_sound() {
        let writes = Writes::default();
        for n in 0..2 * MAX_NOTED {
            writes.note(&ObjectAddress::new("b", n.to_string()), Written::Deleted);
        }
        assert_eq!(writes.lock().objects.len(), MAX_NOTED);
        assert!(writes.difference(&Writes::default()).is_some());
    }
}
