use cpe_ports::{
    ErrorKind,
    testing::{ManualClock, MemoryBlobs},
};
use expect_test::expect;

use super::*;
use crate::{
    Action, Channel, Mode, Overrides, Percent, Push,
    test_guests::{activity, sandbox},
};

struct Scene {
    blobs: MemoryBlobs,
    clock: Arc<ManualClock>,
    registry: Registry,
}

impl Scene {
    /// With version 1 on `count@1`, and version 2 tried beside it.
    async fn new(mode: Mode) -> Self {
        let blobs = MemoryBlobs::with_buckets(["mods"]);
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(10_000)));
        let store = Arc::new(blobs.clone());
        let registry = Registry::new(store, clock.clone(), "mods".to_owned(), String::new());
        let (bytes, author) = (activity(1), Author::default());
        let push = Push { name: "count", channel: "1", bytes, author };
        registry.push(&sandbox(), push).await.unwrap();
        let scene = Self { blobs, clock, registry };
        scene.try_out(2, mode).await;
        scene
    }

    async fn try_out(&self, version: u32, mode: Mode) {
        self.clock.advance(Duration::from_secs(1));
        let (bytes, author) = (activity(version), Author::new("ann", None));
        let digest = Digest::of(&bytes);
        self.registry.upload(&digest, bytes.clone(), &|_| ()).await.unwrap();
        let version = self.registry.version(digest, &bytes, &author).unwrap();
        let (share, since) = (Percent::of(10), version.pushed_at);
        let candidate = Candidate { version, mode, share, since, margins: Overrides::default() };
        let seen = self.registry.see("count", "1").await.unwrap();
        self.registry.try_out(&seen, candidate, &author).await.unwrap();
    }

    async fn channel(&self) -> Channel {
        self.registry.channel("count", "1").await.unwrap()
    }

    async fn trial(&self) -> Trial {
        let channel = self.channel().await;
        let candidate = Arc::new(channel.candidate.unwrap());
        Trial::new(("count", "1"), candidate, channel.current.digest)
    }

    fn worker(&self) -> Trials {
        Trials::new(self.registry.clone(), Margins::default())
    }

    async fn tend(&self, worker: &Trials) -> bool {
        self.clock.advance(Duration::from_secs(5));
        worker.tend("cpe@host:1").await
    }

    fn documents(&self) -> usize {
        self.blobs.keys("mods").iter().filter(|key| key.starts_with("trials/")).count()
    }
}

/// Runs of a version of which so many fail.
fn runs(worker: &Trials, trial: &Trial, version: u32, runs: u64, failed: u64) {
    let digest = Digest::of(&activity(version));
    for n in 0..runs {
        let well = Ended::Well(Duration::from_millis(20));
        let ended = if n < failed { Ended::Failed("words.lost") } else { well };
        worker.count(trial, &digest, ended);
    }
}

#[tokio::test]
async fn the_figures_of_two_workers_together_abort_a_canary() {
    let scene = Scene::new(Mode::Canary).await;
    let trial = scene.trial().await;
    let (one, two) = (scene.worker(), scene.worker());
    for worker in [&one, &two] {
        runs(worker, &trial, 2, 15, 6);
        runs(worker, &trial, 1, 135, 0);
        // Neither: it is not compared.
        runs(worker, &trial, 3, 9, 9);
    }
    assert!(!scene.tend(&one).await, "what one has seen is too little");
    assert!(scene.tend(&two).await);
    let channel = scene.channel().await;
    assert_eq!(channel.candidate, None);
    let told = channel.last_move().unwrap();
    assert_eq!((told.action, told.by.as_str()), (Action::Abort, "cpe@host:1"));
    expect!["aborted by its figures: 12 of 30 failed against 0 of 270 (words.lost: 12), which is more than 5% worse"]
        .assert_eq(told.message.as_deref().unwrap());
    expect!["12 of 30 failed against 0 of 270 (words.lost: 12), p95 20 ms against 20 ms"]
        .assert_eq(told.figures.as_deref().unwrap());
    // Their documents go when they see it.
    assert_eq!(scene.documents(), 2);
    for worker in [&one, &two] {
        runs(worker, &trial, 2, 1, 1);
        assert!(!scene.tend(worker).await);
    }
    assert_eq!(scene.documents(), 0);
    assert_eq!(two.counts().decisions, BTreeMap::from([("abort", 1)]));
    assert_eq!(one.counts().runs[&("candidate", "failed")], 7);
}

#[tokio::test]
async fn only_news_are_told_and_looked_at() {
    let scene = Scene::new(Mode::Canary).await;
    let trial = scene.trial().await;
    let worker = scene.worker();
    scene.blobs.take_calls();
    scene.tend(&worker).await;
    assert_eq!(scene.blobs.take_calls(), [""; 0]);
    runs(&worker, &trial, 2, 30, 1);
    runs(&worker, &trial, 1, 30, 0);
    scene.tend(&worker).await;
    let calls = scene.blobs.take_calls();
    let puts = calls.iter().filter(|call| call.starts_with("put mods/trials/count/1/"));
    assert_eq!((puts.count(), calls.len()), (1, 4), "{calls:?}");
    scene.tend(&worker).await;
    assert_eq!(scene.blobs.take_calls(), [""; 0]);
    assert_eq!(worker.counts().decisions, BTreeMap::from([("go-on", 1)]));
    // A minute later it is looked whether it is over.
    scene.clock.advance(Duration::from_secs(60));
    scene.tend(&worker).await;
    assert_eq!(scene.blobs.take_calls().len(), 3);
}

#[tokio::test]
async fn what_cannot_be_told_is_told_later() {
    let scene = Scene::new(Mode::Canary).await;
    let trial = scene.trial().await;
    let worker = scene.worker();
    runs(&worker, &trial, 2, 30, 30);
    scene.blobs.fail_next(1, ErrorKind::Unavailable);
    assert!(!scene.tend(&worker).await);
    assert_eq!(scene.documents(), 0);
    assert!(scene.tend(&worker).await);
    assert!(scene.channel().await.is_aborted(&Digest::of(&activity(2))));
}

#[tokio::test]
async fn the_next_candidate_has_figures_of_its_own() {
    let scene = Scene::new(Mode::Canary).await;
    let first = scene.trial().await;
    let worker = scene.worker();
    runs(&worker, &first, 2, 29, 29);
    scene.tend(&worker).await;
    scene.try_out(3, Mode::Canary).await;
    let second = scene.trial().await;
    runs(&worker, &second, 3, 29, 0);
    runs(&worker, &second, 1, 40, 0);
    assert!(!scene.tend(&worker).await);
    let channel = scene.channel().await;
    let figures = scene.registry.figures(("count", "1"), &channel).await.unwrap();
    assert_eq!((figures.candidate.ran, figures.candidate.failed), (29, 0));
}

#[tokio::test]
async fn differences_of_a_shadow_are_told_and_abort_nothing() {
    let scene = Scene::new(Mode::Shadow).await;
    let trial = scene.trial().await;
    let (one, two) = (scene.worker(), scene.worker());
    for worker in [&one, &two] {
        for _ in 0..40 {
            worker.compared(&trial, &Compared::Different("c.j Do: it fails".to_owned()));
        }
        worker.compared(&trial, &Compared::Same);
        worker.compared(&trial, &Compared::Skipped);
        assert!(!scene.tend(worker).await);
    }
    let channel = scene.channel().await;
    let figures = scene.registry.figures(("count", "1"), &channel).await.unwrap();
    assert_eq!(figures.to_string(), "80 of 82 differ, 2 were not compared");
    assert_eq!(figures.shadow.examples[0], "c.j Do: it fails");
    assert_eq!(
        one.counts().shadows,
        BTreeMap::from([("different", 40), ("same", 1), ("skipped", 1),])
    );
}
