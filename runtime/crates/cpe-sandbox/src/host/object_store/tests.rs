use std::sync::Arc;

use cpe_ports::{
    BlobStore, ByteRange, Error, ListObjects, ObjectAddress, ObjectMeta, PutOptions,
    testing::{BodyFault, MemoryBlobs},
};
use futures::StreamExt;

use super::{wit::HostBucket as _, wit::HostReader as _, wit::HostWriter as _, *};
use crate::{BucketGrant, Grants, staging::Staging};

struct Scene {
    objects: Objects,
    table: ResourceTable,
}

impl Scene {
    fn new(blobs: Arc<dyn BlobStore>) -> Self {
        let all = BucketGrant {
            bucket: "media".to_owned(),
            prefix: String::new(),
            access: crate::Access::ReadWrite,
        };
        let grants = Arc::new(Grants { s3: vec![all], ..Grants::default() });
        let staging = Staging::new(Arc::clone(&blobs), Arc::default());
        let objects = Objects::Own(Box::new(Access::new(grants, blobs, staging)));
        Self { objects, table: ResourceTable::new() }
    }

    fn view(&mut self) -> ObjectStoreView<'_> {
        ObjectStoreView { objects: &mut self.objects, table: &mut self.table }
    }

    fn staging(&mut self) -> &mut Staging {
        let Objects::Own(own) = &mut self.objects else { panic!("made as its own") };
        &mut own.staging
    }

    async fn bucket(&mut self) -> Resource<Bucket> {
        self.view().open("media".to_owned()).await.unwrap()
    }

    async fn read(&mut self, key: &str, range: Option<wit::ByteRange>) -> Result<String, String> {
        let bucket = self.bucket().await;
        let mut view = self.view();
        let reader = view.get(bucket, key.to_owned(), range).await.map_err(shown)?;
        let mut body = Vec::new();
        loop {
            let reader = Resource::new_borrow(reader.rep());
            let bytes = view.read(reader, u32::MAX).await.map_err(shown)?;
            if bytes.is_empty() {
                return Ok(String::from_utf8(body).unwrap());
            }
            assert!(bytes.len() <= 1 << 20);
            body.extend(bytes);
        }
    }
}

fn shown(error: CallError) -> String {
    match error {
        CallError::Guest(error) => format!("{error:?}"),
        CallError::Trap(trap) => format!("trap: {trap}"),
    }
}

fn memory(objects: &[(&str, &str)]) -> Arc<MemoryBlobs> {
    let blobs = MemoryBlobs::with_buckets(["media"]);
    for (key, body) in objects {
        blobs.insert("media", key, body.to_string());
    }
    Arc::new(blobs)
}

#[tokio::test]
async fn ranges_are_read_exactly() {
    let mut scene = Scene::new(memory(&[("a", "0123456789"), ("empty", "")]));
    let mut read = async |key, range| scene.read(key, range).await;
    assert_eq!(read("a", None).await.unwrap(), "0123456789");
    assert_eq!(read("empty", None).await.unwrap(), "");
    assert_eq!(read("a", Some(wit::ByteRange::Start(7))).await.unwrap(), "789");
    assert_eq!(read("a", Some(wit::ByteRange::Inclusive((2, 4)))).await.unwrap(), "234");
    assert_eq!(read("a", Some(wit::ByteRange::Inclusive((8, u64::MAX)))).await.unwrap(), "89");
    assert_eq!(read("a", Some(wit::ByteRange::Suffix(3))).await.unwrap(), "789");
    for wrong in
        [wit::ByteRange::Start(10), wit::ByteRange::Inclusive((4, 2)), wit::ByteRange::Suffix(0)]
    {
        let error = read("a", Some(wrong)).await.unwrap_err();
        assert!(error.contains("InvalidArgument"), "{error}");
    }
}

#[tokio::test]
async fn listings_come_in_pages() {
    let blobs = MemoryBlobs::with_buckets(["media"]);
    for n in 0..1001 {
        blobs.insert("media", &format!("in/{n:04}"), "x");
    }
    let mut scene = Scene::new(Arc::new(blobs));
    let bucket = scene.bucket().await;
    let again = Resource::new_borrow(bucket.rep());
    let mut view = scene.view();
    let page = view.list(bucket, "in/".to_owned(), None).await.unwrap();
    assert_eq!((page.objects.len(), page.next.as_deref()), (1000, Some("in/0999")));
    let page = view.list(again, "in/".to_owned(), page.next).await.unwrap();
    assert_eq!((page.objects.len(), page.next), (1, None));
}

#[tokio::test]
async fn a_copy_needs_a_source_and_both_grants() {
    let blobs = memory(&[("a", "x")]);
    let mut scene = Scene::new(Arc::clone(&blobs) as Arc<dyn BlobStore>);
    let bucket = scene.bucket().await;
    let mut copy = async |from: &str, to: &str| {
        let this = Resource::new_borrow(bucket.rep());
        let there = Resource::new_borrow(bucket.rep());
        let copied = scene.view().copy(this, from.to_owned(), there, to.to_owned()).await;
        copied.map_err(shown)
    };
    copy("a", "b").await.unwrap();
    copy("b", "c").await.expect("a copy that is not visible yet can be copied");
    assert_eq!(copy("none", "d").await.unwrap_err(), "Error::NoSuchKey");
    scene.staging().commit().await.unwrap();
    assert_eq!(blobs.keys("media"), ["a", "b", "c"]);
}

#[tokio::test]
async fn hostile_arguments_are_answered() {
    let mut scene = Scene::new(memory(&[]));
    let bucket = scene.bucket().await;
    let mut view = scene.view();
    let mut put = async |content_type: &str, class: &str| {
        let options = wit::PutOptions {
            content_type: Some(content_type.to_owned()),
            storage_class: Some(class.to_owned()),
            encrypt: true,
        };
        let this = Resource::new_borrow(bucket.rep());
        view.put(this, "k".to_owned(), options).await.map_err(shown)
    };
    let writer = put("image/png", "STANDARD_IA").await.unwrap();
    for wrong in ["a\r\nx-evil: 1", "é", &"x".repeat(300)] {
        assert!(put(wrong, "").await.unwrap_err().contains("InvalidArgument"));
        assert!(put("", wrong).await.unwrap_err().contains("InvalidArgument"));
    }
    let this = Resource::new_borrow(writer.rep());
    let error = view.write(this, vec![0; (1 << 20) + 1]).await.map_err(shown).unwrap_err();
    assert!(error.contains("1 MiB"), "{error}");
    let wrong: Resource<Bucket> = Resource::new_borrow(writer.rep());
    let error = view.head(wrong, "k".to_owned()).await.map_err(shown).unwrap_err();
    assert!(error.starts_with("trap"), "{error}");
}

#[tokio::test]
async fn too_many_handles_end_the_guest() {
    let mut scene = Scene::new(memory(&[]));
    scene.table.set_max_capacity(2);
    let _held = (scene.bucket().await, scene.bucket().await);
    let error = scene.view().open("media".to_owned()).await.map_err(shown).unwrap_err();
    assert_eq!(error, "trap: resource table has no free keys");
}

fn numbered(blobs: &MemoryBlobs, size: usize) -> String {
    let body: String =
        (0..).flat_map(|n: u32| format!("{n} ").into_bytes()).map(char::from).take(size).collect();
    blobs.insert("media", "a", body.clone());
    body
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_is_made_again_where_it_broke() {
    let blobs = memory(&[]);
    let body = numbered(&blobs, 1_000_000);
    for fault in [BodyFault::Breaks(3), BodyFault::EndsEarly(200_000), BodyFault::Breaks(0)] {
        blobs.take_calls();
        blobs.fault_bodies(4, fault);
        let mut scene = Scene::new(Arc::clone(&blobs) as Arc<dyn BlobStore>);
        assert!(scene.read("a", None).await.unwrap() == body, "{fault:?}");
        assert_eq!(blobs.take_calls().len(), 5);
        blobs.fault_bodies(2, fault);
        let part = wit::ByteRange::Inclusive((200_002, 600_006));
        assert!(scene.read("a", Some(part)).await.unwrap() == body[200_002..600_007], "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_again_and_again_is_given_up_unless_it_gets_further() {
    let blobs = memory(&[]);
    numbered(&blobs, 10 << 20);
    blobs.fault_bodies(6, BodyFault::Breaks(3));
    let mut scene = Scene::new(Arc::clone(&blobs) as Arc<dyn BlobStore>);
    let error = scene.read("a", None).await.unwrap_err();
    assert!(error.contains("Unavailable"), "{error}");
    blobs.fault_bodies(9, BodyFault::Breaks(1 << 20));
    assert_eq!(scene.read("a", None).await.unwrap().len(), 10 << 20);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_changes_while_it_is_read_is_an_error() {
    let blobs = memory(&[]);
    numbered(&blobs, 1_000_000);
    blobs.fault_bodies(1, BodyFault::Breaks(100));
    let mut scene = Scene::new(Arc::clone(&blobs) as Arc<dyn BlobStore>);
    let bucket = scene.bucket().await;
    let reader = scene.view().get(bucket, "a".to_owned(), None).await.map_err(shown).unwrap();
    blobs.insert("media", "a", "something else".repeat(100_000));
    let mut read = async || {
        let this = Resource::new_borrow(reader.rep());
        scene.view().read(this, 1000).await.map_err(shown)
    };
    assert_eq!(read().await.unwrap().len(), 100, "what came before is of the old one");
    assert!(read().await.unwrap_err().contains("Changed"));
}

#[tokio::test(start_paused = true)]
async fn bytes_that_do_not_match_the_checksum_are_no_end() {
    let blobs = memory(&[]);
    numbered(&blobs, 1_000_000);
    let mut scene = Scene::new(Arc::clone(&blobs) as Arc<dyn BlobStore>);
    blobs.fault_bodies(1, BodyFault::Corrupted);
    let error = scene.read("a", None).await.unwrap_err();
    assert!(error.contains("ChecksumMismatch"), "{error}");
    // Checked over the break.
    blobs.fault_bodies(1, BodyFault::Breaks(400_000));
    blobs.fault_bodies(1, BodyFault::Corrupted);
    let error = scene.read("a", None).await.unwrap_err();
    assert!(error.contains("ChecksumMismatch"), "{error}");
}

#[tokio::test]
async fn what_a_guest_does_not_read_is_not_fetched() {
    let blobs = memory(&[]);
    numbered(&blobs, 32 << 20);
    let taken = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counting = Counting { blobs: (*blobs).clone(), taken: Arc::clone(&taken) };
    let mut scene = Scene::new(Arc::new(counting));
    let bucket = scene.bucket().await;
    let reader = scene.view().get(bucket, "a".to_owned(), None).await.map_err(shown).unwrap();
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    let ahead = taken.load(std::sync::atomic::Ordering::Relaxed);
    assert!((1 << 20..5 << 20).contains(&ahead), "{ahead}");
    let this = Resource::new_borrow(reader.rep());
    let bytes = scene.view().read(this, u32::MAX).await.map_err(shown).unwrap();
    assert_eq!(bytes.len(), 1 << 20, "what has come is given at once");
}

#[tokio::test]
async fn readers_are_limited() {
    let mut scene = Scene::new(memory(&[("a", "x")]));
    let mut readers = Vec::new();
    for _ in 0..64 {
        let bucket = scene.bucket().await;
        readers.push(scene.view().get(bucket, "a".to_owned(), None).await.map_err(shown).unwrap());
    }
    let bucket = scene.bucket().await;
    let error = scene.view().get(bucket, "a".to_owned(), None).await.map(drop).map_err(shown);
    assert!(error.unwrap_err().contains("64 readers"));
    wit::HostReader::drop(&mut scene.view(), readers.pop().unwrap()).await.unwrap();
    assert_eq!(scene.read("a", None).await.unwrap(), "x");
}

/// Counts the bytes that are taken from its bodies.
#[derive(Debug)]
struct Counting {
    blobs: MemoryBlobs,
    taken: Arc<std::sync::atomic::AtomicUsize>,
}

#[async_trait::async_trait]
impl BlobStore for Counting {
    async fn get(
        &self,
        at: &ObjectAddress,
        range: Option<ByteRange>,
    ) -> Result<cpe_ports::GetObject, Error> {
        let mut object = self.blobs.get(at, range).await?;
        let taken = Arc::clone(&self.taken);
        let counted = object.body.map(move |piece| {
            let bytes = piece.as_ref().map_or(0, bytes::Bytes::len);
            taken.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
            piece
        });
        object.body = counted.boxed();
        Ok(object)
    }

    async fn head(&self, at: &ObjectAddress) -> Result<ObjectMeta, Error> {
        self.blobs.head(at).await
    }

    async fn create_bucket(&self, _: &str) -> Result<(), Error> {
        unreachable!("these tests only read")
    }

    async fn put(
        &self,
        _: &ObjectAddress,
        _: bytes::Bytes,
        _: PutOptions,
    ) -> Result<String, Error> {
        unreachable!("these tests only read")
    }

    async fn create_upload(
        &self,
        _: &ObjectAddress,
        _: PutOptions,
    ) -> Result<cpe_ports::UploadId, Error> {
        unreachable!("these tests only read")
    }

    async fn upload_part(
        &self,
        _: &ObjectAddress,
        _: &cpe_ports::UploadId,
        _: u32,
        _: bytes::Bytes,
    ) -> Result<cpe_ports::CompletedPart, Error> {
        unreachable!("these tests only read")
    }

    async fn complete_upload(
        &self,
        _: &ObjectAddress,
        _: &cpe_ports::UploadId,
        _: Vec<cpe_ports::CompletedPart>,
    ) -> Result<String, Error> {
        unreachable!("these tests only read")
    }

    async fn abort_upload(&self, _: &ObjectAddress, _: &cpe_ports::UploadId) -> Result<(), Error> {
        unreachable!("these tests only read")
    }

    async fn list_uploads(&self, _: &ObjectAddress) -> Result<Vec<cpe_ports::UploadId>, Error> {
        unreachable!("these tests only read")
    }

    async fn list_parts(
        &self,
        _: &ObjectAddress,
        _: &cpe_ports::UploadId,
    ) -> Result<Vec<cpe_ports::StoredPart>, Error> {
        unreachable!("these tests only read")
    }

    async fn copy(&self, _: &ObjectAddress, _: &ObjectAddress) -> Result<String, Error> {
        unreachable!("these tests only read")
    }

    async fn delete(&self, _: &ObjectAddress) -> Result<(), Error> {
        unreachable!("these tests only read")
    }

    async fn list(&self, _: ListObjects) -> Result<cpe_ports::ListPage, Error> {
        unreachable!("these tests only read")
    }
}
