//! What is left of a write that was cut off between its file and its row, whichever came first.

use std::path::PathBuf;

use cpe_ports::UploadId;
use tempfile::TempDir;

use super::{
    objects::{complete, incoming},
    *,
};
use crate::s3::{checksums::ChecksumPlan, index::ListedPart, model::WriteCondition};

/// A body larger than what is kept in the row.
const LARGE: usize = 100_000;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// Starts on what the one before left, and waits until nothing is swept any more.
    async fn start(&self) -> Fixture {
        let store = Fixture::on_disk(self.0.path()).await;
        store.objects.sweep().await.unwrap();
        store
    }

    fn files(&self) -> Vec<PathBuf> {
        let list = |folder: PathBuf| {
            folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
        };
        list(self.0.path().join("objects")).into_iter().flat_map(list).collect()
    }

    /// The files that rows name.
    async fn named(&self, store: &Fixture) -> Vec<PathBuf> {
        let ids = store
            .objects
            .read(|db| {
                let mut select =
                    db.prepare("SELECT file FROM s3_segment UNION SELECT file FROM s3_part")?;
                let ids = select.query_map([], |row| row.get(0).map(FileId))?;
                Ok(ids.collect::<rusqlite::Result<Vec<_>>>()?)
            })
            .await
            .unwrap();
        ids.into_iter().map(|id| store.objects.files.path(id)).collect()
    }

    /// Files and rows belong together: none is without the other.
    async fn check(&self, store: &Fixture, expected: usize) {
        let (mut there, mut named) = (self.files(), self.named(store).await);
        while there.len() > expected {
            // Files go in the background. If they do not, the test's time limit ends this.
            tokio::task::yield_now().await;
            there = self.files();
        }
        there.sort();
        named.sort();
        assert_eq!(there, named);
        assert_eq!(there.len(), expected);
    }
}

/// Ends the process's part in it without a word to what is under way.
async fn cut_off(store: Fixture) {
    store.engine.close().await;
}

#[tokio::test]
async fn a_put_whose_row_was_never_written() {
    let folder = Folder::new();
    let store = folder.start().await;
    store.objects.create_bucket("media", "us-east-1").await.unwrap();
    store.put("k", &bytes(LARGE)).await;
    let (send, receive) = tokio::sync::mpsc::channel::<Result<Bytes, s3s::StdError>>(1);
    let body = stream::unfold(receive, async |mut receive| Some((receive.recv().await?, receive)));
    let objects = store.objects.clone();
    let put = tokio::spawn(async move {
        objects.put(&at("k"), body.boxed(), Put::default()).await.map(|stored| stored.size)
    });
    send.send(Ok(Bytes::from(bytes(LARGE * 2)))).await.unwrap();
    send.reserve().await.unwrap();
    // Its file is being written; there will be nobody to write its row.
    cut_off(store).await;
    drop(send);
    assert_eq!(code(put.await.unwrap()), "ServiceUnavailable");
    assert_eq!(folder.files().len(), 2, "the file is whole, and has no row");
    let store = folder.start().await;
    folder.check(&store, 1).await;
    assert!(store.read("k").await.unwrap() == bytes(LARGE), "what was there before is there");
}

#[tokio::test]
async fn a_part_whose_row_was_never_written() {
    let folder = Folder::new();
    let store = folder.start().await;
    store.objects.create_bucket("media", "us-east-1").await.unwrap();
    let plan = ChecksumPlan::new(None, None).unwrap();
    let id = store.objects.create_upload(&at("k"), Headers::default(), None, plan).await.unwrap();
    let one = store.objects.upload_part(&at("k"), &id, 1, incoming(b"one")).await.unwrap();
    let (send, receive) = tokio::sync::oneshot::channel::<()>();
    let body = stream::once(async move {
        let _ = receive.await;
        Ok(Bytes::from_static(b"other"))
    });
    let objects = store.objects.clone();
    let (upload, mut part) = (UploadId(id.0.clone()), incoming(b""));
    part.body = body.boxed();
    let put =
        tokio::spawn(
            async move { objects.upload_part(&at("k"), &upload, 1, part).await.map(drop) },
        );
    // Not before the part's file is there.
    while folder.files().len() < 2 {
        tokio::task::yield_now().await;
    }
    cut_off(store).await;
    drop(send);
    assert_eq!(code(put.await.unwrap()), "ServiceUnavailable");
    let store = folder.start().await;
    folder.check(&store, 1).await;
    let parts = vec![ListedPart { number: 1, etag: one.etag, checksum: None }];
    store.objects.complete_upload(&at("k"), &id, complete(parts)).await.unwrap();
    assert_eq!(store.read("k").await.unwrap(), b"one");
}

#[tokio::test]
async fn files_that_were_to_be_removed_after_the_commit() {
    let folder = Folder::new();
    let store = folder.start().await;
    store.objects.create_bucket("media", "us-east-1").await.unwrap();
    for key in ["replaced", "deleted", "kept"] {
        store.put(key, &bytes(LARGE)).await;
    }
    let before = folder.files();
    // A crash between the commit and the removal: the rows are changed, the files are as before.
    let saved: Vec<_> =
        before.iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
    store.put("replaced", &bytes(LARGE * 2)).await;
    store.objects.delete(&at("deleted"), WriteCondition::Always).await.unwrap();
    folder.check(&store, 2).await;
    cut_off(store).await;
    for (path, content) in saved {
        std::fs::write(path, content).unwrap();
    }
    assert_eq!(folder.files().len(), 4);
    let store = folder.start().await;
    folder.check(&store, 2).await;
    assert!(store.read("replaced").await.unwrap() == bytes(LARGE * 2));
    assert!(store.read("kept").await.unwrap() == bytes(LARGE));
    assert_eq!(code(store.read("deleted").await), "NoSuchKey");
}
