use bytes::Bytes;
use futures::FutureExt;

use super::*;
use crate::{ObjectAddress, PutOptions, testing::MemoryBlobs};

fn at(key: &str) -> ObjectAddress {
    ObjectAddress::new("b", key)
}

async fn put(blobs: &Arc<dyn BlobStore>, key: &str) -> String {
    match blobs.put(&at(key), Bytes::from_static(b"x"), PutOptions::default()).await {
        Ok(_) => "ok".to_owned(),
        Err(error) => format!("{:?}", error.kind()),
    }
}

/// What each of so many puts met, and whether the object is there.
async fn puts(seed: u64, rates: FaultRates) -> Vec<(String, bool)> {
    let memory = MemoryBlobs::with_buckets(["b"]);
    let blobs = Faults::new(seed, rates).blobs(Arc::new(memory.clone()));
    let mut met = Vec::new();
    for number in 0..200 {
        let key = number.to_string();
        let answer = put(&blobs, &key).await;
        met.push((answer, memory.body("b", &key).is_some()));
    }
    met
}

#[tokio::test(start_paused = true)]
async fn a_seed_gives_the_same_faults_and_another_others() {
    let rates = FaultRates::each(50);
    assert_eq!(puts(1, rates).await, puts(1, rates).await);
    assert_ne!(puts(1, rates).await, puts(2, rates).await);
    let faulty = puts(1, rates).await.iter().filter(|(answer, _)| answer != "ok").count();
    assert!((20..80).contains(&faulty), "{faulty} of 200");
    assert!(puts(1, FaultRates::default()).await.iter().all(|(answer, _)| answer == "ok"));
}

#[tokio::test(start_paused = true)]
async fn before_and_after_the_effect() {
    for (rates, answer, effect) in [
        (FaultRates { lost: 1_000, ..FaultRates::default() }, "Unavailable", false),
        (FaultRates { unanswered: 1_000, ..FaultRates::default() }, "Unavailable", true),
        (FaultRates { throttled: 1_000, ..FaultRates::default() }, "Throttled", false),
        (FaultRates { garbled: 1_000, ..FaultRates::default() }, "Broken", true),
        (FaultRates { late: 1_000, ..FaultRates::default() }, "ok", true),
    ] {
        assert!(puts(3, rates).await.iter().all(|met| *met == (answer.to_owned(), effect)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_dies_at_the_call_that_is_named() {
    for (moment, done) in [(Moment::Before, false), (Moment::After, true)] {
        let memory = MemoryBlobs::with_buckets(["b"]);
        let faults = Faults::new(0, FaultRates::default()).dying_at(2, moment);
        let blobs = faults.blobs(Arc::new(memory.clone()));
        assert_eq!(put(&blobs, "1").await, "ok");
        assert!(faults.died().now_or_never().is_none());
        assert!(put(&blobs, "2").now_or_never().is_none());
        faults.died().await;
        assert!(put(&blobs, "3").now_or_never().is_none());
        assert_eq!(memory.body("b", "2").is_some(), done);
        // The third did not even begin, or is not heard of.
        assert_eq!(faults.path().first(), Some(&"PutObject"));
    }
}

#[tokio::test(start_paused = true)]
async fn faults_cease() {
    let faults = Faults::new(0, FaultRates { lost: 1_000, ..FaultRates::default() });
    let blobs = faults.blobs(Arc::new(MemoryBlobs::with_buckets(["b"])));
    assert_eq!(put(&blobs, "1").await, "Unavailable");
    faults.cease();
    assert_eq!(put(&blobs, "1").await, "ok");
    assert_eq!(faults.injected(), [(("PutObject", "lost"), 1)].into());
}
