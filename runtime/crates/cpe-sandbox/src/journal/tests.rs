use cpe_ports::{
    Clock, SystemClock,
    testing::{ManualClock, MemoryBlobs},
};

use super::*;
use crate::staging::{Staging, Uploads};

struct Scene {
    blobs: MemoryBlobs,
    clock: Arc<ManualClock>,
}

impl Scene {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        let blobs = MemoryBlobs::with_buckets(["modules", "media"]);
        Self { blobs: blobs.with_clock(Arc::clone(&clock) as _), clock }
    }

    /// A worker's journal, and a run of it that has begun an upload.
    async fn worker(&self) -> (Arc<UploadJournal>, Arc<Uploads>, Staging, u32) {
        let blobs: Arc<dyn BlobStore> = Arc::new(self.blobs.clone());
        let journal = UploadJournal::new(Arc::clone(&blobs), "modules".to_owned(), "cpe/");
        let (journal, uploads) = (Arc::new(journal), Arc::new(Uploads::default()));
        let _ = uploads.journal.set(Arc::clone(&journal));
        let mut staging = Staging::new(blobs, Arc::clone(&uploads));
        let at = ObjectAddress::new("media", "large");
        let writer = staging.open(at, PutOptions::default()).unwrap();
        staging.write(writer, &vec![0; 9 << 20]).await.unwrap();
        (journal, uploads, staging, writer)
    }

    async fn crash(&self) {
        let (_, _, staging, _) = self.worker().await;
        // Nothing of it gets to do anything any more.
        std::mem::forget(staging);
    }

    fn notes(&self) -> usize {
        self.blobs.keys("modules").len()
    }
}

#[tokio::test]
async fn what_a_crashed_worker_left_is_aborted_once_its_lease_is_over() {
    let scene = Scene::new();
    scene.crash().await;
    let (journal, _, mut living, writer) = scene.worker().await;
    // Of somebody who knows nothing of journals.
    let (blobs, at) = (&scene.blobs, ObjectAddress::new("media", "foreign"));
    blobs.create_upload(&at, PutOptions::default()).await.unwrap();
    assert_eq!(scene.blobs.open_uploads(), 3);

    assert_eq!(journal.sweep().await.unwrap(), 0, "it may be alive");
    scene.clock.advance(EXPIRY - Duration::from_secs(1));
    assert_eq!(journal.sweep().await.unwrap(), 0, "it may still be");
    scene.clock.advance(Duration::from_secs(1));
    assert_eq!(journal.sweep().await.unwrap(), 1);
    assert_eq!(scene.blobs.open_uploads(), 2, "the living one's and the foreign one");

    living.finish(writer).await.unwrap();
    living.commit().await.unwrap();
    assert_eq!(scene.blobs.keys("media"), ["large"]);
}

#[tokio::test]
async fn a_worker_that_renews_its_lease_is_alive() {
    let scene = Scene::new();
    let (busy, _, _staging, _) = scene.worker().await;
    let (other, ..) = scene.worker().await;
    for _ in 0..10 {
        scene.clock.advance(EXPIRY / 2);
        busy.renew().await.unwrap();
        assert_eq!(other.sweep().await.unwrap(), 0);
    }
}

#[tokio::test]
async fn what_ends_is_forgotten() {
    let scene = Scene::new();
    let (journal, uploads, mut staging, writer) = scene.worker().await;
    assert_eq!(scene.notes(), 1);
    staging.finish(writer).await.unwrap();
    staging.commit().await.unwrap();
    let (aborting, aborted_uploads, aborted, _) = scene.worker().await;
    drop(aborted);
    for uploads in [uploads, aborted_uploads] {
        uploads.background.close();
        uploads.background.wait().await;
    }
    journal.sweep().await.unwrap();
    journal.end().await;
    aborting.end().await;
    assert_eq!((scene.notes(), scene.blobs.open_uploads()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn trouble_with_notes_stops_nothing() {
    let scene = Scene::new();
    scene.crash().await;
    scene.blobs.insert("modules", "cpe/uploads/somebody/upload-1", "{");
    scene.blobs.insert("modules", "cpe/uploads/stray", "");
    scene.clock.advance(EXPIRY);
    let journal = UploadJournal::new(Arc::new(scene.blobs.clone()), "modules".to_owned(), "cpe/");
    assert_eq!(journal.sweep().await.unwrap(), 1);
    let nowhere = UploadJournal::new(Arc::new(scene.blobs.clone()), "none".to_owned(), "");
    assert!(nowhere.sweep().await.is_err());
    let at = ObjectAddress::new("media", "k");
    assert!(nowhere.opened(&at, &UploadId("1".to_owned())).await.is_none());
}
