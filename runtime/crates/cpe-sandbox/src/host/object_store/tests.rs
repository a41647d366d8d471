use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use cpe_ports::{GetObject, testing::MemoryBlobs};
use futures::{StreamExt, TryStreamExt, stream};
use tokio_util::task::TaskTracker;

use super::{wit::HostBucket as _, wit::HostReader as _, wit::HostWriter as _, *};
use crate::{Access, BucketGrant};

struct Scene {
    blobs: Arc<dyn BlobStore>,
    grants: Grants,
    table: ResourceTable,
    staging: Staging,
}

impl Scene {
    fn new(blobs: Arc<dyn BlobStore>) -> Self {
        let all = BucketGrant {
            bucket: "media".to_owned(),
            prefix: String::new(),
            access: Access::ReadWrite,
        };
        Self {
            staging: Staging::new(Arc::clone(&blobs), TaskTracker::new()),
            grants: Grants { s3: vec![all] },
            table: ResourceTable::new(),
            blobs,
        }
    }

    fn view(&mut self) -> ObjectStoreView<'_> {
        ObjectStoreView {
            grants: &self.grants,
            blobs: &self.blobs,
            table: &mut self.table,
            staging: &mut self.staging,
        }
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
    scene.staging.commit().await.unwrap();
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
async fn too_many_handles_are_refused_and_not_a_trap() {
    let mut scene = Scene::new(memory(&[]));
    scene.table.set_max_capacity(2);
    let _held = (scene.bucket().await, scene.bucket().await);
    let error = scene.view().open("media".to_owned()).await.map_err(shown).unwrap_err();
    assert!(error.contains("too many handles"), "{error}");
}

/// Breaks off every body after three bytes.
#[derive(Debug)]
struct Breaking {
    blobs: MemoryBlobs,
    gets: AtomicUsize,
}

#[async_trait::async_trait]
impl BlobStore for Breaking {
    async fn get(&self, at: &ObjectAddress, range: Option<ByteRange>) -> Result<GetObject, Error> {
        self.gets.fetch_add(1, Ordering::Relaxed);
        let object = self.blobs.get(at, range).await?;
        let body: Vec<Bytes> = object.body.try_collect().await?;
        let body = Bytes::from(body.concat());
        let broken = Error::new(ErrorKind::Unavailable, "connection reset");
        let mut items = vec![Ok(body.slice(..body.len().min(3)))];
        if body.len() > 3 {
            items.push(Err(broken));
        }
        Ok(GetObject { meta: object.meta, body: stream::iter(items).boxed() })
    }

    async fn head(&self, at: &ObjectAddress) -> Result<ObjectMeta, Error> {
        self.blobs.head(at).await
    }

    async fn create_bucket(&self, _: &str) -> Result<(), Error> {
        unreachable!("these tests do not go so far")
    }

    async fn put(&self, _: &ObjectAddress, _: Bytes, _: PutOptions) -> Result<String, Error> {
        unreachable!("these tests do not go so far")
    }

    async fn create_upload(
        &self,
        _: &ObjectAddress,
        _: PutOptions,
    ) -> Result<cpe_ports::UploadId, Error> {
        unreachable!("these tests do not go so far")
    }

    async fn upload_part(
        &self,
        _: &ObjectAddress,
        _: &cpe_ports::UploadId,
        _: u32,
        _: Bytes,
    ) -> Result<cpe_ports::CompletedPart, Error> {
        unreachable!("these tests do not go so far")
    }

    async fn complete_upload(
        &self,
        _: &ObjectAddress,
        _: &cpe_ports::UploadId,
        _: Vec<cpe_ports::CompletedPart>,
    ) -> Result<String, Error> {
        unreachable!("these tests do not go so far")
    }

    async fn abort_upload(&self, _: &ObjectAddress, _: &cpe_ports::UploadId) -> Result<(), Error> {
        unreachable!("these tests do not go so far")
    }

    async fn copy(&self, _: &ObjectAddress, _: &ObjectAddress) -> Result<String, Error> {
        unreachable!("these tests do not go so far")
    }

    async fn delete(&self, _: &ObjectAddress) -> Result<(), Error> {
        unreachable!("these tests do not go so far")
    }

    async fn list(&self, _: ListObjects) -> Result<cpe_ports::ListPage, Error> {
        unreachable!("these tests do not go so far")
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_is_made_again_where_it_broke() {
    let blobs = MemoryBlobs::default();
    blobs.insert("media", "a", "0123456789");
    let breaking = Arc::new(Breaking { blobs, gets: AtomicUsize::new(0) });
    let mut scene = Scene::new(Arc::clone(&breaking) as Arc<dyn BlobStore>);
    assert_eq!(scene.read("a", None).await.unwrap(), "0123456789");
    assert_eq!(breaking.gets.load(Ordering::Relaxed), 4);
    let part = wit::ByteRange::Inclusive((2, 6));
    assert_eq!(scene.read("a", Some(part)).await.unwrap(), "23456");
}
