use cpe_ports::{ErrorKind, testing::MemoryBlobs};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::*;

fn at(key: &str) -> ObjectAddress {
    ObjectAddress::new("media", key)
}

fn staging() -> (MemoryBlobs, Staging, TaskTracker) {
    let blobs = MemoryBlobs::with_buckets(["media"]);
    let (staging, aborts) = staging_over(&blobs);
    (blobs, staging, aborts)
}

fn staging_over(blobs: &MemoryBlobs) -> (Staging, TaskTracker) {
    let uploads = Arc::new(Uploads::default());
    let background = uploads.background.clone();
    (Staging::new(Arc::new(blobs.clone()), uploads), background)
}

async fn put(staging: &mut Staging, key: &str, mib: usize) {
    let writer = staging.open(at(key), PutOptions::default()).unwrap();
    let chunk = vec![b'x'; 1 << 20];
    for _ in 0..mib {
        staging.write(writer, &chunk).await.unwrap();
    }
    staging.finish(writer).await.unwrap();
}

#[tokio::test]
async fn nothing_is_visible_before_the_commit() {
    let (blobs, mut staging, _) = staging();
    put(&mut staging, "small", 1).await;
    put(&mut staging, "exact", 8).await;
    put(&mut staging, "large", 17).await;
    staging.copy(at("small"), at("copy")).unwrap();
    staging.delete(at("small")).unwrap();
    assert_eq!((blobs.keys("media").len(), blobs.open_uploads()), (0, 1));
    assert!(staging.will_write(&at("copy")) && !staging.will_write(&at("other")));

    staging.commit().await.unwrap();
    assert_eq!(blobs.keys("media"), ["copy", "exact", "large"]);
    assert_eq!(blobs.body("media", "large").unwrap().len(), 17 << 20);
    assert_eq!(blobs.open_uploads(), 0);
}

#[tokio::test]
async fn an_abort_leaves_nothing() {
    let (blobs, mut staging, _) = staging();
    put(&mut staging, "large", 9).await;
    let unfinished = staging.open(at("unfinished"), PutOptions::default()).unwrap();
    staging.write(unfinished, &vec![0; 9 << 20]).await.unwrap();
    assert_eq!(blobs.open_uploads(), 2);
    staging.abort().await;
    assert_eq!((blobs.keys("media").len(), blobs.open_uploads()), (0, 0));
}

#[tokio::test]
async fn a_drop_aborts_in_the_background() {
    let (blobs, mut staging, aborts) = staging();
    put(&mut staging, "large", 9).await;
    drop(staging);
    aborts.close();
    aborts.wait().await;
    assert_eq!(blobs.open_uploads(), 0);
}

#[tokio::test]
async fn small_objects_do_not_fill_the_hosts_memory() {
    let (blobs, mut staging, _) = staging();
    for n in 0..5 {
        put(&mut staging, &format!("{n}"), 7).await;
    }
    assert_eq!((staging.held >> 20, blobs.open_uploads()), (14, 3));
    staging.commit().await.unwrap();
    assert_eq!(blobs.keys("media").len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_fails_says_where_and_aborts_the_rest() {
    let (blobs, mut staging, aborts) = staging();
    put(&mut staging, "first", 1).await;
    put(&mut staging, "large", 9).await;
    blobs.fail_next(3, ErrorKind::Unavailable);
    let error = staging.commit().await.unwrap_err();
    assert_eq!((error.reason(), error.is_retryable()), ("cpe.commit", true));
    assert!(error.to_string().contains("s3://media/first"), "{error}");
    aborts.close();
    aborts.wait().await;
    assert_eq!((blobs.keys("media").len(), blobs.open_uploads()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn trouble_that_passes_is_not_noticed() {
    let (blobs, mut staging, _) = staging();
    put(&mut staging, "large", 9).await;
    blobs.fail_next(2, ErrorKind::Throttled);
    staging.commit().await.unwrap();
    assert_eq!(blobs.keys("media"), ["large"]);
}

#[tokio::test]
async fn writers_are_limited_and_end_once() {
    let (_, mut staging, _) = staging();
    let writers: Vec<u32> =
        (0..8).map(|_| staging.open(at("k"), PutOptions::default()).unwrap()).collect();
    assert!(staging.open(at("k"), PutOptions::default()).is_err());
    staging.discard(writers[0]);
    staging.open(at("k"), PutOptions::default()).unwrap();
    staging.finish(writers[1]).await.unwrap();
    assert!(staging.finish(writers[1]).await.is_err());
    assert!(staging.write(writers[1], b"x").await.is_err());
}

#[tokio::test]
async fn parts_go_side_by_side_and_hold_the_guest_back() {
    let gate = Arc::new(Semaphore::new(0));
    let blobs = MemoryBlobs::with_buckets(["media"]).with_gate(Arc::clone(&gate));
    let (mut staging, _) = staging_over(&blobs);
    let writer = staging.open(at("large"), PutOptions::default()).unwrap();
    let body: Vec<u8> = (0..50 << 20).map(|n: u32| (n >> 16) as u8).collect();
    let mut pieces = body.chunks(1 << 20);
    // Four parts of 8 MiB are on their way and a fifth is full: the next byte has to wait.
    for piece in pieces.by_ref().take(40) {
        staging.write(writer, piece).await.unwrap();
    }
    tokio::task::yield_now().await;
    assert_eq!(blobs.parts_in_flight(), (4, 4));
    let next = pieces.next().unwrap();
    {
        let mut waiting = std::pin::pin!(staging.write(writer, next));
        assert!(futures::poll!(&mut waiting).is_pending());
        assert!(futures::poll!(&mut waiting).is_pending());
        gate.add_permits(1);
        waiting.await.unwrap();
    }
    gate.add_permits(100);
    for piece in pieces {
        staging.write(writer, piece).await.unwrap();
    }
    staging.finish(writer).await.unwrap();
    staging.commit().await.unwrap();
    assert_eq!(blobs.parts_in_flight().1, 4);
    assert!(blobs.body("media", "large").unwrap() == body, "in their order");
}

#[tokio::test(start_paused = true)]
async fn a_part_that_fails_for_good_is_told_to_the_guest() {
    let (blobs, mut staging, aborts) = staging();
    let writer = staging.open(at("large"), PutOptions::default()).unwrap();
    staging.write(writer, &vec![0; 8 << 20]).await.unwrap();
    blobs.fail_next(2, ErrorKind::Unavailable);
    staging.write(writer, &[1]).await.expect("tried again");
    blobs.fail_next(1, ErrorKind::Refused);
    let failed = async {
        staging.write(writer, &vec![0; 16 << 20]).await?;
        staging.finish(writer).await
    };
    assert!(matches!(failed.await, Err(StagingError::Store(_))));
    drop(staging);
    aborts.close();
    aborts.wait().await;
    assert_eq!((blobs.keys("media").len(), blobs.open_uploads()), (0, 0));
}
