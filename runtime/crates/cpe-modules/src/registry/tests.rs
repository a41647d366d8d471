use std::time::Duration;

use cpe_ports::testing::{ManualClock, MemoryBlobs};
use cpe_swf::Timestamp;
use expect_test::expect;

use super::*;
use crate::test_guests::{activity, sandbox};

struct Scene {
    blobs: MemoryBlobs,
    clock: Arc<ManualClock>,
    registry: Registry,
    sandbox: Sandbox,
}

impl Scene {
    fn new() -> Self {
        let blobs = MemoryBlobs::with_buckets(["mods"]);
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000)));
        let (bucket, prefix) = ("mods".to_owned(), "reg/".to_owned());
        let registry = Registry::new(Arc::new(blobs.clone()), clock.clone(), bucket, prefix);
        Self { blobs, clock, registry, sandbox: sandbox() }
    }

    async fn push(&self, channel: &str, bytes: Bytes) -> Result<Pushed, ModuleError> {
        self.registry.push(&self.sandbox, "count", channel, bytes, "me").await
    }
}

#[tokio::test]
async fn a_push_uploads_once_and_moves_the_channel() {
    let scene = Scene::new();
    let first = Pushed { digest: Digest::of(&activity(1)), changed: true };
    assert_eq!(scene.push("1", activity(1)).await.unwrap(), first);
    let hex = first.digest.hex();
    assert_eq!(
        scene.blobs.keys("mods"),
        [format!("reg/blobs/sha256/{hex}"), "reg/channels/count/1.json".to_owned()]
    );
    let again = scene.push("1", activity(1)).await.unwrap();
    assert_eq!(again, Pushed { changed: false, ..first.clone() });
    assert!(scene.push("stable", activity(1)).await.unwrap().changed, "another channel");

    scene.clock.advance(Duration::from_secs(60));
    let second = scene.push("1", activity(2)).await.unwrap();
    let channel = scene.registry.channel("count", "1").await.unwrap();
    let seen = |version: &Version| (version.digest.clone(), version.pushed_at.as_millis());
    assert_eq!(seen(&channel.current), (second.digest.clone(), 61_000));
    assert_eq!(channel.previous.iter().map(seen).collect::<Vec<_>>(), [(first.digest, 1_000)]);
    assert_eq!(channel.current.size, activity(2).len() as u64);
    assert_eq!(scene.registry.fetch(&second.digest).await.unwrap(), activity(2));
}

#[tokio::test]
async fn what_cannot_run_is_not_pushed() {
    let scene = Scene::new();
    let error = scene.push("1", Bytes::from_static(b"\0asm\x01\0\0\0")).await.unwrap_err();
    assert_eq!(error.reason(), "cpe.module.invalid");
    assert!(error.details().contains("core module"), "{}", error.details());
    for channel in ["", "a/b", "..", "a b", "1@2"] {
        let error = scene.push(channel, activity(1)).await.unwrap_err();
        assert!(matches!(error, ModuleError::Name { .. }), "{channel}: {error}");
    }
    assert_eq!(scene.blobs.take_calls(), [""; 0]);
}

#[tokio::test]
async fn a_channel_that_was_moved_is_not_overwritten() {
    let scene = Scene::new();
    scene.push("1", activity(1)).await.unwrap();
    let at = scene.registry.channel_address("count", "1").unwrap();
    let (tag, seen) = scene.registry.read(&at, "count@1").await.unwrap().unwrap();
    scene.push("1", activity(2)).await.unwrap();
    assert!(!scene.registry.write(&at, &seen, Some(tag)).await.unwrap());
    assert!(!scene.registry.write(&at, &seen, None).await.unwrap());
    let current = scene.registry.channel("count", "1").await.unwrap().current;
    assert_eq!(current.digest, Digest::of(&activity(2)));
}

#[tokio::test]
async fn what_is_missing_or_broken_is_named() {
    let scene = Scene::new();
    let error = scene.registry.channel("count", "1").await.unwrap_err();
    expect!["there is no module count@1 in the registry s3://mods/reg/"]
        .assert_eq(&error.details());
    scene.blobs.insert("mods", "reg/channels/count/1.json", "[]");
    let error = scene.registry.channel("count", "1").await.unwrap_err();
    assert_eq!(error.reason(), "cpe.module.unavailable");
    assert!(error.details().starts_with("s3://mods/reg/channels/count/1.json is not"), "{error}");
    scene.blobs.insert("mods", "reg/channels/count/1.json", vec![b' '; MAX_DOCUMENT + 1]);
    let error = scene.registry.channel("count", "1").await.unwrap_err();
    assert_eq!(error.reason(), "cpe.module.invalid");

    let digest = Digest::of(b"right");
    assert_eq!(scene.registry.fetch(&digest).await.unwrap_err().reason(), "cpe.module.not-found");
    scene.blobs.insert("mods", &format!("reg/blobs/sha256/{}", digest.hex()), "wrong");
    let error = scene.registry.fetch(&digest).await.unwrap_err();
    assert_eq!((error.reason(), error.is_retryable()), ("cpe.module.digest-mismatch", false));

    let (bucket, prefix) = ("none".to_owned(), String::new());
    let nowhere = Registry::new(Arc::new(scene.blobs), scene.clock, bucket, prefix);
    let error = nowhere.push(&scene.sandbox, "a", "1", activity(1), "me").await.unwrap_err();
    assert_eq!(error.details(), "there is no bucket none");
}

#[tokio::test]
async fn a_store_that_fails_is_told() {
    let scene = Scene::new();
    scene.blobs.fail_next(1, ErrorKind::Throttled);
    let error = scene.push("1", activity(1)).await.unwrap_err();
    assert_eq!((error.reason(), error.is_retryable()), ("cpe.module.unavailable", true));
    assert_eq!(scene.blobs.keys("mods"), [""; 0]);
}
