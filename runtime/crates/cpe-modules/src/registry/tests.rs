use std::{collections::BTreeSet, time::Duration};

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
        let push = Push { name: "count", channel, bytes, author: Author::new("me", None) };
        self.registry.push(&self.sandbox, push).await
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
    let error = {
        let push = Push { name: "a", channel: "1", bytes: activity(1), author: Author::default() };
        nowhere.push(&scene.sandbox, push).await
    }
    .unwrap_err();
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

#[tokio::test]
async fn of_two_pushers_one_wins_and_the_other_is_told() {
    let scene = Scene::new();
    scene.push("1", activity(1)).await.unwrap();
    let seen = scene.registry.see("count", "1").await.unwrap();
    let author = |by: &str| Author::new(by, None);
    for (version, by) in [(2, "ann"), (3, "bob")] {
        let (bytes, author) = (activity(version), author(by));
        let digest = Digest::of(&bytes);
        scene.registry.upload(&digest, bytes.clone(), &|_| ()).await.unwrap();
        let version = scene.registry.version(digest.clone(), &bytes, &author).unwrap();
        let moved = scene.registry.advance(&seen, version, &author).await;
        match by {
            "ann" => assert_eq!(moved.unwrap(), Pushed { digest, changed: true }),
            _ => {
                let error = moved.unwrap_err();
                assert_eq!(error.reason(), "cpe.module.moved");
                assert!(error.to_string().contains("ann has moved it to sha256:"), "{error}");
            }
        }
    }
    let channel = scene.registry.channel("count", "1").await.unwrap();
    assert_eq!(channel.current.digest, Digest::of(&activity(2)));
}

#[tokio::test]
async fn a_lost_answer_is_no_failure() {
    let scene = Scene::new();
    let bytes = activity(1);
    let (digest, author) = (Digest::of(&bytes), Author::default());
    scene.registry.upload(&digest, bytes.clone(), &|_| ()).await.unwrap();
    let seen = scene.registry.see("count", "1").await.unwrap();
    let version = scene.registry.version(digest, &bytes, &author).unwrap();
    scene.registry.advance(&seen, version.clone(), &author).await.unwrap();
    // The same once more from what was seen before: as if the first answer had not come.
    scene.registry.advance(&seen, version.clone(), &author).await.unwrap();
    scene.blobs.fail_next(2, ErrorKind::Unavailable);
    scene.registry.advance(&seen, version, &author).await.unwrap();
}

#[tokio::test]
async fn rollback_leads_to_what_is_there() {
    let scene = Scene::new();
    let digest = |version| Digest::of(&activity(version));
    for version in 1..=3 {
        scene.push("1", activity(version)).await.unwrap();
        scene.clock.advance(Duration::from_secs(1));
    }
    let back = async |to: Option<Digest>| {
        let seen = scene.registry.see("count", "1").await.unwrap();
        let author = Author::new("me", Some("it fails"));
        scene.registry.rollback(&seen, to.as_ref(), &author).await
    };
    assert_eq!(back(None).await.unwrap().digest, digest(2));
    assert_eq!(back(None).await.unwrap().digest, digest(1));
    assert_eq!(back(None).await.unwrap_err().reason(), "cpe.module.not-found");
    assert_eq!(back(Some(digest(1))).await.unwrap(), Pushed { digest: digest(1), changed: false });
    assert_eq!(back(Some(digest(9))).await.unwrap_err().reason(), "cpe.module.not-found");
    scene.blobs.insert("mods", &format!("reg/blobs/sha256/{}", digest(3).hex()), "rotten");
    assert_eq!(back(Some(digest(3))).await.unwrap_err().reason(), "cpe.module.digest-mismatch");
    let channel = scene.registry.channel("count", "1").await.unwrap();
    assert_eq!(channel.current.digest, digest(1));
    let last = channel.last_move().unwrap();
    assert_eq!((last.action, last.message.as_deref()), (Action::Rollback, Some("it fails")));
    let nowhere = scene.registry.see("other", "1").await.unwrap();
    let error = scene.registry.rollback(&nowhere, None, &Author::default()).await.unwrap_err();
    assert_eq!(error.reason(), "cpe.module.not-found");
}

#[tokio::test]
async fn pruning_keeps_whatever_is_named() {
    let scene = Scene::new();
    let blobs = scene.blobs.clone().with_clock(scene.clock.clone());
    let (bucket, prefix) = ("mods".to_owned(), "reg/".to_owned());
    let registry = Registry::new(Arc::new(blobs.clone()), scene.clock.clone(), bucket, prefix);
    let digest = |version| Digest::of(&activity(version));
    for version in 1..=6 {
        let author = Author::default();
        let push = Push { name: "count", channel: "1", bytes: activity(version), author };
        registry.push(&scene.sandbox, push).await.unwrap();
        scene.clock.advance(Duration::from_secs(3600));
    }
    assert_eq!(registry.channels().await.unwrap(), [("count".to_owned(), "1".to_owned())]);
    let retention = Retention {
        keep: 2,
        keep_for: Duration::ZERO,
        pins: BTreeSet::from([digest(1)]),
        dry_run: true,
        ..Retention::default()
    };
    assert_eq!(registry.prune(&Retention::default()).await.unwrap().removed, []);
    let keys = blobs.keys("mods");
    scene.clock.advance(Duration::from_secs(24 * 3600));
    // Uploaded a moment ago, and no channel points at it yet.
    registry.upload(&digest(7), activity(7), &|_| ()).await.unwrap();
    let dry = registry.prune(&retention).await.unwrap();
    assert_eq!(blobs.keys("mods").len(), keys.len() + 1);
    let pruned = registry.prune(&Retention { dry_run: false, ..retention.clone() }).await.unwrap();
    assert_eq!(pruned, dry);
    let removed: BTreeSet<_> = pruned.removed.iter().cloned().collect();
    assert_eq!(removed, BTreeSet::from([digest(2), digest(3)]));
    assert_eq!((pruned.forgotten.len(), pruned.kept), (2, 5));
    let channel = registry.channel("count", "1").await.unwrap();
    for version in channel.versions() {
        registry.fetch(&version.digest).await.unwrap();
    }
    assert_eq!(channel.previous.len(), 3, "two, and the pinned one");
    assert_eq!(registry.prune(&retention).await.unwrap().removed, []);
}

#[tokio::test]
async fn large_components_go_in_parts_and_only_once() {
    let scene = Scene::new();
    let bytes = Bytes::from(vec![7; 20 << 20]);
    let digest = Digest::of(&bytes);
    let told = std::sync::Mutex::new(Vec::new());
    let progress = |sent: Sent| told.lock().unwrap().push(sent.stored >> 20);
    scene.registry.upload(&digest, bytes.clone(), &progress).await.unwrap();
    scene.registry.upload(&digest, bytes.clone(), &progress).await.unwrap();
    assert_eq!(*told.lock().unwrap(), [0, 8, 16, 20, 20, 20]);
    assert_eq!(scene.registry.fetch(&digest).await.unwrap(), bytes);
    assert_eq!(scene.blobs.open_uploads(), 0);
}

#[tokio::test]
async fn a_push_that_was_cut_off_goes_on_where_it_was() {
    let scene = Scene::new();
    let bytes: Bytes = (0..20u32 << 18).flat_map(u32::to_le_bytes).collect();
    let digest = Digest::of(&bytes);
    let upload = async || scene.registry.upload(&digest, bytes.clone(), &|_| ()).await;
    // Whether it is there, the unfinished uploads, a new one, and two parts of three.
    scene.blobs.fail_after(5, ErrorKind::Unavailable);
    let error = upload().await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    scene.blobs.take_calls();
    let sent = upload().await.unwrap();
    assert_eq!(sent, Sent { stored: 20 << 20, before: 16 << 20 });
    let verbs = |calls: Vec<String>| {
        let verb = |call: &String| call.split(' ').next().unwrap().to_owned();
        calls.iter().map(verb).collect::<Vec<_>>()
    };
    assert_eq!(
        verbs(scene.blobs.take_calls()),
        ["head", "list-uploads", "list-parts", "upload-part", "complete-upload"]
    );
    assert_eq!(scene.registry.fetch(&digest).await.unwrap(), bytes);
    assert_eq!(scene.blobs.open_uploads(), 0);
}

#[tokio::test]
async fn parts_of_other_bytes_are_sent_again() {
    let scene = Scene::new();
    let bytes = Bytes::from(vec![7; 20 << 20]);
    let digest = Digest::of(&bytes);
    let at = ObjectAddress::new("mods", format!("reg/blobs/sha256/{}", digest.hex()));
    let begun = scene.blobs.create_upload(&at, PutOptions::default()).await.unwrap();
    for (number, byte) in [(1, 7), (2, 6)] {
        let part = Bytes::from(vec![byte; 8 << 20]);
        scene.blobs.upload_part(&at, &begun, number, part).await.unwrap();
    }
    // Another of the same key, with less, or which cannot be listed: either is no trouble.
    scene.blobs.create_upload(&at, PutOptions::default()).await.unwrap();
    let sent = scene.registry.upload(&digest, bytes.clone(), &|_| ()).await.unwrap();
    assert_eq!(sent.before, 8 << 20);
    assert_eq!(scene.registry.fetch(&digest).await.unwrap(), bytes);

    let bytes = Bytes::from(vec![8; 20 << 20]);
    scene.blobs.fail_after(1, ErrorKind::Refused);
    let sent = scene.registry.upload(&Digest::of(&bytes), bytes, &|_| ()).await.unwrap();
    assert_eq!(sent.before, 0);
}
