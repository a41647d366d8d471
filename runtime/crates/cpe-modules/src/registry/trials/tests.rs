use std::{sync::Arc, time::Duration};

use cpe_ports::testing::{ManualClock, MemoryBlobs};
use cpe_swf::Timestamp;

use super::*;
use crate::{Mode, Overrides, Percent, Retention, test_guests::activity};

struct Scene {
    blobs: MemoryBlobs,
    clock: Arc<ManualClock>,
    registry: Registry,
}

impl Scene {
    fn new() -> Self {
        let blobs = MemoryBlobs::with_buckets(["mods"]);
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000)));
        let store = Arc::new(blobs.clone());
        let registry = Registry::new(store, clock.clone(), "mods".to_owned(), String::new());
        Self { blobs, clock, registry }
    }

    async fn seen(&self) -> Seen {
        self.registry.see("count", "1").await.unwrap()
    }

    async fn version(&self, n: u32) -> crate::Version {
        self.clock.advance(Duration::from_secs(1));
        let (bytes, digest) = (activity(n), digest(n));
        self.registry.upload(&digest, bytes.clone(), &|_| ()).await.unwrap();
        self.registry.version(digest, &bytes, &ann()).unwrap()
    }

    async fn push(&self, n: u32) {
        let version = self.version(n).await;
        self.registry.advance(&self.seen().await, version, &ann()).await.unwrap();
    }

    async fn try_out(&self, n: u32, share: &str) -> Result<Pushed, ModuleError> {
        let version = self.version(n).await;
        let (share, since) = (share.parse().unwrap(), version.pushed_at);
        let margins = Overrides::default();
        let candidate = Candidate { version, mode: Mode::Canary, share, since, margins };
        self.registry.try_out(&self.seen().await, candidate, &ann()).await
    }

    async fn decide(&self, verdict: Verdict) -> Result<Pushed, ModuleError> {
        let seen = self.seen().await;
        self.registry.decide(&seen, verdict, &ann(), Some("0 of 9 failed")).await
    }
}

fn ann() -> Author {
    Author::new("ann", None)
}

fn digest(n: u32) -> Digest {
    Digest::of(&activity(n))
}

#[tokio::test]
async fn there_must_be_something_to_try_beside() {
    let scene = Scene::new();
    let error = scene.try_out(1, "10%").await.unwrap_err().to_string();
    assert!(error.contains("push it first"), "{error}");
    for verdict in [Verdict::Promote, Verdict::Abort] {
        let error = scene.decide(verdict).await.unwrap_err();
        assert_eq!(error.reason(), "cpe.module.not-found");
    }
    scene.push(1).await;
    assert!(!scene.try_out(1, "10%").await.unwrap().changed, "it is what runs");
    let error = scene.decide(Verdict::Abort).await.unwrap_err().to_string();
    assert_eq!(error, "there is no candidate of count@1: none was begun");
}

#[tokio::test]
async fn each_step_may_be_taken_twice() {
    let scene = Scene::new();
    scene.push(1).await;
    let changed = |changed| Pushed { digest: digest(2), changed };
    assert_eq!(scene.try_out(2, "10%").await.unwrap(), changed(true));
    assert_eq!(scene.try_out(2, "10%").await.unwrap(), changed(false));
    assert_eq!(scene.try_out(2, "30%").await.unwrap(), changed(true));
    let tried = scene.seen().await.document.unwrap().candidate.unwrap();
    assert_eq!(tried.share, "30%".parse::<Percent>().unwrap());
    for is_first in [true, false] {
        assert_eq!(scene.decide(Verdict::Promote).await.unwrap(), changed(is_first));
    }
    assert_eq!(scene.seen().await.document.unwrap().current.digest, digest(2));
    let error = scene.decide(Verdict::Abort).await.unwrap_err().to_string();
    let short = &digest(2).to_string()[..19];
    assert_eq!(
        error,
        format!("there is no candidate of count@1: ann has promoted {short} (0 of 9 failed)")
    );
    scene.try_out(3, "10%").await.unwrap();
    for is_first in [true, false] {
        let aborted = Pushed { digest: digest(3), changed: is_first };
        assert_eq!(scene.decide(Verdict::Abort).await.unwrap(), aborted);
    }
    let error = scene.decide(Verdict::Promote).await.unwrap_err().to_string();
    assert!(error.contains("ann has aborted"), "{error}");
}

#[tokio::test]
async fn of_a_promote_and_an_abort_at_the_same_time_one_wins() {
    for (first, second) in [(Verdict::Promote, Verdict::Abort), (Verdict::Abort, Verdict::Promote)]
    {
        let scene = Scene::new();
        scene.push(1).await;
        scene.try_out(2, "10%").await.unwrap();
        // Both have seen the same.
        let seen = scene.seen().await;
        let bob = Author::new("bob", None);
        scene.registry.decide(&seen, first, &ann(), None).await.unwrap();
        let error = scene.registry.decide(&seen, second, &bob, None).await.unwrap_err();
        let said = error.to_string();
        let verb =
            if first == Verdict::Promote { "ann has moved it to" } else { "ann has aborted" };
        assert!(matches!(error, ModuleError::Moved { .. }) && said.contains(verb), "{said}");
        let channel = scene.seen().await.document.unwrap();
        let current = if first == Verdict::Promote { 2 } else { 1 };
        assert_eq!((channel.current.digest, channel.candidate), (digest(current), None));
    }
}

#[tokio::test]
async fn pruning_keeps_what_is_tried_and_no_figures_of_what_was() {
    let scene = Scene::new();
    scene.push(1).await;
    scene.try_out(2, "10%").await.unwrap();
    let of = |document: &Channel| TrialId::new("count", "1", document.candidate.as_ref().unwrap());
    let trial = of(&scene.seen().await.document.unwrap());
    scene.registry.tell_figures(&trial, "w", Figures::default()).await.unwrap();
    let retention = Retention { grace: Duration::ZERO, ..Retention::default() };
    scene.clock.advance(Duration::from_secs(1));
    let pruned = scene.registry.prune(&retention).await.unwrap();
    assert_eq!((pruned.kept, pruned.removed), (2, Vec::new()));
    let there = || scene.blobs.keys("mods").iter().any(|key| key.starts_with("trials/"));
    assert!(there());
    scene.decide(Verdict::Abort).await.unwrap();
    let dry = Retention { dry_run: true, ..retention.clone() };
    scene.registry.prune(&dry).await.unwrap();
    assert!(there());
    let pruned = scene.registry.prune(&retention).await.unwrap();
    assert_eq!((pruned.removed, there()), (vec![digest(2)], false));
}
