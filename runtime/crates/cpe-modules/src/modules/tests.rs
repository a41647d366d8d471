use cpe_ports::{
    ErrorKind, ObjectAddress,
    testing::{ManualClock, MemoryBlobs},
};
use futures::future::join_all;

use super::*;
use crate::{
    Author, Push,
    test_guests::{activity, key_pair, sandbox},
};

struct Scene {
    blobs: MemoryBlobs,
    clock: Arc<ManualClock>,
    registry: Registry,
    modules: Modules,
}

impl Scene {
    fn new() -> Self {
        Self::with(ModulesConfig::default())
    }

    fn with(config: ModulesConfig) -> Self {
        let blobs = MemoryBlobs::with_buckets(["mods", "media"]);
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000)));
        let store: Arc<dyn BlobStore> = Arc::new(blobs.clone());
        let registry =
            Registry::new(Arc::clone(&store), clock.clone(), "mods".to_owned(), String::new());
        let modules = Modules::new(registry.clone(), sandbox(), store, clock.clone(), config);
        Self { blobs, clock, registry, modules }
    }

    async fn push(&self, version: u32) {
        let sandbox = &self.modules.0.sandbox;
        let (bytes, author) = (activity(version), Author::default());
        let push = Push { name: "count", channel: "1", bytes, author };
        // Pushes are told apart by their time.
        self.clock.advance(Duration::from_millis(1));
        self.registry.push(sandbox, push).await.unwrap();
        self.blobs.take_calls();
    }

    /// Which version runs now.
    async fn get(&self, reference: &str, pin: Option<&str>) -> Result<u32, ModuleError> {
        let reference = reference.parse().unwrap();
        let module = self.modules.get(Wanted { pin, ..Wanted::current(&reference) }).await?;
        let version = (1..10).find(|n| Digest::of(&activity(*n)) == *module.digest());
        Ok(version.expect("it is one of ours"))
    }

    /// Waits until that version is compiled, as time would.
    async fn compiled(&self, reference: &str, version: u32) {
        let digest = Digest::of(&activity(version));
        let load = self.modules.0.load(&reference.parse().unwrap(), &digest, None);
        load.await.unwrap();
    }

    fn later(&self) {
        self.clock.advance(Duration::from_secs(5));
    }

    fn calls(&self) -> usize {
        self.blobs.take_calls().len()
    }
}

fn digest(version: u32) -> String {
    Digest::of(&activity(version)).to_string()
}

#[tokio::test]
async fn many_callers_look_and_compile_once() {
    let scene = Scene::new();
    scene.push(1).await;
    let callers = join_all((0..8).map(|_| scene.get("count@1", None))).await;
    assert!(callers.iter().all(|version| matches!(version, Ok(1))));
    assert_eq!(
        scene.blobs.take_calls(),
        [
            "get mods/channels/count/1.json".to_owned(),
            format!("get mods/blobs/sha256/{}", &digest(1)["sha256:".len()..])
        ]
    );
    scene.later();
    join_all((0..8).map(|_| scene.get("count@1", None))).await;
    assert_eq!(scene.blobs.take_calls(), ["head mods/channels/count/1.json"]);
    scene.get("count@1", None).await.unwrap();
    assert_eq!(scene.calls(), 0);
}

#[tokio::test]
async fn nobody_waits_for_a_new_version() {
    let scene = Scene::new();
    scene.push(1).await;
    assert_eq!(scene.get("count@1", None).await.unwrap(), 1);
    scene.push(2).await;
    assert_eq!(scene.get("count@1", None).await.unwrap(), 1, "not looked at yet");
    scene.later();
    assert_eq!(scene.get("count@1", None).await.unwrap(), 1, "compiling");
    scene.compiled("count@1", 2).await;
    assert_eq!(scene.get("count@1", None).await.unwrap(), 2);
    // Rolled back: that one is compiled still.
    scene.push(1).await;
    scene.later();
    assert_eq!(scene.get("count@1", None).await.unwrap(), 1);
}

#[tokio::test]
async fn a_store_out_of_reach_stops_only_what_was_never_seen() {
    let scene = Scene::new();
    scene.push(1).await;
    scene.blobs.fail_next(1, ErrorKind::Unavailable);
    let error = scene.get("count@1", None).await.unwrap_err();
    assert_eq!((error.reason(), error.is_retryable()), ("cpe.module.unavailable", true));
    assert_eq!(scene.get("count@1", None).await.unwrap(), 1);
    scene.calls();
    scene.later();
    scene.blobs.fail_next(1, ErrorKind::Unavailable);
    assert_eq!(scene.get("count@1", None).await.unwrap(), 1);
    assert_eq!(scene.get("count@1", None).await.unwrap(), 1);
    assert_eq!(scene.calls(), 1, "asked again only after a while");
    // The channel is there, but not what it points at: that is asked for anew each time.
    scene.push(2).await;
    scene.later();
    let blob = format!("blobs/sha256/{}", &digest(2)["sha256:".len()..]);
    scene.blobs.delete(&ObjectAddress::new("mods", &blob)).await.unwrap();
    assert_eq!(scene.get("count@1", None).await.unwrap(), 1);
    scene.blobs.insert("mods", &blob, activity(2));
    let _ =
        scene.modules.0.load(&"count@1".parse().unwrap(), &Digest::of(&activity(2)), None).await;
    scene.compiled("count@1", 2).await;
    assert_eq!(scene.get("count@1", None).await.unwrap(), 2);
}

#[tokio::test]
async fn a_channel_that_is_gone_is_gone() {
    let scene = Scene::new();
    let error = scene.get("count@1", None).await.unwrap_err();
    assert_eq!((error.reason(), error.is_retryable()), ("cpe.module.not-found", false));
    scene.push(1).await;
    assert_eq!(scene.get("count@1", None).await.unwrap(), 1);
    scene.blobs.delete(&ObjectAddress::new("mods", "channels/count/1.json")).await.unwrap();
    scene.later();
    let error = scene.get("count@1", None).await.unwrap_err();
    assert_eq!(error.reason(), "cpe.module.not-found");
}

#[tokio::test]
async fn a_pin_is_what_the_channel_has_or_had() {
    let scene = Scene::new();
    scene.push(1).await;
    assert_eq!(scene.get("count@1", Some(&digest(1))).await.unwrap(), 1);
    for pin in [&*digest(2), "sha256:12", ""] {
        let error = scene.get("count@1", Some(pin)).await.unwrap_err();
        assert_eq!(error.reason(), "cpe.module.digest-mismatch", "{pin}");
    }
    scene.push(2).await;
    scene.later();
    assert_eq!(scene.get("count@1", Some(&digest(2))).await.unwrap(), 2, "waits for it");
    assert_eq!(scene.get("count@1", Some(&digest(1))).await.unwrap(), 1, "runs still");
    assert_eq!(scene.get("count@1", None).await.unwrap(), 2);
}

#[tokio::test]
async fn objects_by_their_entity_tag() {
    let scene = Scene::new();
    let at = "s3://media/count.wasm";
    assert_eq!(scene.get(at, None).await.unwrap_err().reason(), "cpe.module.not-found");
    scene.blobs.insert("media", "count.wasm", activity(1));
    scene.calls();
    assert_eq!(scene.get(at, None).await.unwrap(), 1);
    scene.later();
    assert_eq!(scene.get(at, Some(&digest(1))).await.unwrap(), 1);
    assert_eq!(
        scene.blobs.take_calls(),
        ["head media/count.wasm", "get media/count.wasm", "head media/count.wasm"]
    );
    scene.blobs.insert("media", "count.wasm", activity(2));
    scene.later();
    assert_eq!(scene.get(at, None).await.unwrap(), 1);
    scene.compiled(at, 2).await;
    assert_eq!(scene.get(at, None).await.unwrap(), 2);
    let error = scene.get(at, Some(&digest(1))).await.unwrap_err();
    assert_eq!(error.reason(), "cpe.module.digest-mismatch");
}

#[tokio::test]
async fn a_new_version_that_is_no_good_does_not_stop_the_old_one() {
    let scene = Scene::new();
    let at = "s3://media/count.wasm";
    scene.blobs.insert("media", "count.wasm", activity(1));
    assert_eq!(scene.get(at, None).await.unwrap(), 1);
    scene.blobs.insert("media", "count.wasm", "no component");
    scene.later();
    assert_eq!(scene.get(at, None).await.unwrap(), 1);
    let broken = Digest::of(b"no component");
    let load = scene.modules.0.load(&at.parse().unwrap(), &broken, None);
    assert_eq!(load.await.unwrap_err().reason(), "cpe.module.invalid");
    assert_eq!(scene.get(at, None).await.unwrap(), 1);
    scene.calls();
    // To others, for whom nothing older is there, it is what it is; and it is not tried again.
    let other = "s3://media/other.wasm";
    scene.blobs.insert("media", "other.wasm", "no component");
    for _ in 0..2 {
        assert_eq!(scene.get(other, None).await.unwrap_err().reason(), "cpe.module.invalid");
    }
    assert_eq!(scene.blobs.take_calls(), ["head media/other.wasm", "get media/other.wasm"]);
}

#[tokio::test]
async fn a_file_is_always_what_is_in_it() {
    let scene = Scene::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("count.wasm");
    let at = path.to_str().unwrap();
    assert_eq!(scene.get(at, None).await.unwrap_err().reason(), "cpe.module.not-found");
    std::fs::write(&path, activity(1)).unwrap();
    assert_eq!(scene.get(at, None).await.unwrap(), 1);
    // The same length, and perhaps the same time as far as the file system tells it.
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, activity(2)).unwrap();
    let later = std::fs::metadata(&path).unwrap().modified().unwrap() + Duration::from_secs(1);
    std::fs::File::options().append(true).open(&path).unwrap().set_modified(later).unwrap();
    assert_eq!(scene.get(at, None).await.unwrap(), 2);
    let folder = folder.path().to_str().unwrap();
    let error = scene.get(folder, None).await.unwrap_err();
    assert_eq!((error.reason(), error.is_retryable()), ("cpe.module.unavailable", false));
}

#[tokio::test]
async fn what_was_not_used_for_long_gives_way() {
    let scene = Scene::with(ModulesConfig { max_compiled: 1, ..ModulesConfig::default() });
    for version in [1, 2, 1] {
        let key = format!("{version}.wasm");
        scene.blobs.insert("media", &key, activity(version));
        assert_eq!(scene.get(&format!("s3://media/{key}"), None).await.unwrap(), version);
    }
    // Read again, because it was no longer there.
    assert_eq!(scene.calls(), 5);
    assert_eq!(format!("{:?}", scene.modules.0.compiled), "Compiled { modules: 1 }");
}

#[tokio::test]
async fn an_execution_keeps_what_it_began_with() {
    let scene = Scene::new();
    scene.push(1).await;
    let reference = "count@1".parse().unwrap();
    let first = Digest::of(&activity(1));
    let wanted = Wanted { began_with: Some(&first), ..Wanted::current(&reference) };
    assert_eq!(scene.modules.get(wanted).await.unwrap().digest(), &first);
    scene.push(2).await;
    scene.later();
    scene.modules.refresh(&reference).await;
    assert_eq!(scene.get("count@1", None).await.unwrap(), 2);
    assert_eq!(scene.modules.get(wanted).await.unwrap().digest(), &first);
    // Who began with what is not compiled yet waits for that one.
    scene.push(3).await;
    scene.later();
    let third = Digest::of(&activity(3));
    let wanted = Wanted { began_with: Some(&third), ..wanted };
    assert_eq!(scene.modules.get(wanted).await.unwrap().digest(), &third);
}

#[tokio::test]
async fn what_is_no_good_gives_way_to_what_was_before() {
    let scene = Scene::new();
    let reference = "count@1".parse().unwrap();
    scene.push(1).await;
    scene.push(2).await;
    // Corrupted in the store, or gone from it.
    let key = format!("blobs/sha256/{}", Digest::of(&activity(2)).hex());
    scene.blobs.insert("mods", &key, "garbage");
    let state = scene.modules.refresh(&reference).await;
    assert_eq!(
        (state.running, state.refused.unwrap().reason.as_str()),
        (None, "cpe.module.digest-mismatch")
    );
    assert_eq!(scene.get("count@1", None).await.unwrap(), 1);
    let second = Digest::of(&activity(2));
    let wanted = Wanted { began_with: Some(&second), ..Wanted::current(&reference) };
    assert_eq!(*scene.modules.get(wanted).await.unwrap().digest(), Digest::of(&activity(1)));
    let error = scene.get("count@1", Some(second.as_str())).await.unwrap_err();
    assert_eq!(error.reason(), "cpe.module.digest-mismatch", "a pin does not give way");
    scene.blobs.delete(&ObjectAddress::new("mods", &key)).await.unwrap();
    assert_eq!(scene.get("count@1", None).await.unwrap(), 1);
    // Mended.
    scene.blobs.insert("mods", &key, activity(2));
    let state = scene.modules.refresh(&reference).await;
    assert_eq!((state.running, state.refused), (Some(second), None));
}

#[tokio::test]
async fn what_is_not_signed_never_runs_for_who_asks_for_it() {
    let (secret, key) = key_pair(1);
    let signers = BTreeSet::from([key]);
    let scene = Scene::with(ModulesConfig { signers: signers.clone(), ..ModulesConfig::default() });
    let reference = "s3://media/count.wasm".parse().unwrap();
    let wanted = Wanted { signers: Some(&signers), ..Wanted::current(&reference) };
    scene.blobs.insert("media", "count.wasm", activity(1));
    let error = scene.modules.get(wanted).await.unwrap_err();
    assert_eq!(error.reason(), "cpe.module.untrusted");
    scene.modules.get(Wanted::current(&reference)).await.unwrap();

    let signed = crate::sign("m", &activity(2), &secret).unwrap();
    scene.blobs.insert("media", "count.wasm", signed.clone());
    scene.later();
    scene.modules.refresh(&reference).await;
    assert_eq!(*scene.modules.get(wanted).await.unwrap().digest(), Digest::of(&signed));

    let mut tampered = signed.to_vec();
    let at = tampered.windows(9).position(|w| w == b"version 2").unwrap();
    tampered[at + 8] = b'3';
    scene.blobs.insert("media", "count.wasm", tampered);
    scene.later();
    scene.modules.refresh(&reference).await;
    let error = scene.modules.get(wanted).await.unwrap_err();
    assert_eq!(error.reason(), "cpe.module.tampered");
}

#[tokio::test]
async fn a_key_that_comes_later_is_as_good_as_one_that_was_there() {
    let ((secret, key), (_, other)) = (key_pair(1), key_pair(2));
    let scene = Scene::with(ModulesConfig {
        signers: BTreeSet::from([other.clone()]),
        ..ModulesConfig::default()
    });
    let reference = "s3://media/count.wasm".parse().unwrap();
    let signed = crate::sign("m", &activity(1), &secret).unwrap();
    scene.blobs.insert("media", "count.wasm", signed);
    let get = async |signers: &[&SignerKey]| {
        let signers = signers.iter().copied().cloned().collect();
        let wanted = Wanted { signers: Some(&signers), ..Wanted::current(&reference) };
        scene.modules.get(wanted).await.map(drop).map_err(|error| error.reason())
    };
    assert_eq!(get(&[&other]).await, Err("cpe.module.untrusted"));
    scene.calls();
    assert_eq!(get(&[&key]).await, Ok(()));
    assert_eq!(scene.calls(), 1, "it is read once more");
    assert_eq!(get(&[&key, &other]).await, Ok(()));
    assert_eq!(get(&[&other]).await, Err("cpe.module.untrusted"));
    assert_eq!(scene.calls(), 0);
}

#[tokio::test]
async fn old_versions_are_runnable_and_cost_no_memory() {
    let scene = Scene::new();
    let reference = "count@1".parse().unwrap();
    for version in 1..=5 {
        scene.push(version).await;
        scene.modules.refresh(&reference).await;
    }
    assert_eq!(scene.modules.held(), 5);
    let first = Digest::of(&activity(1));
    let wanted = Wanted { began_with: Some(&first), ..Wanted::current(&reference) };
    let running = scene.modules.get(wanted).await.unwrap();
    scene.clock.advance(Duration::from_secs(61));
    scene.modules.let_go();
    assert_eq!(scene.modules.held(), 1);
    scene.calls();
    // One that an activity task runs on still is taken up again as it is.
    scene.modules.get(wanted).await.unwrap();
    drop(running);
    assert_eq!(scene.calls(), 1, "only the channel is looked at");
    // One that is gone is read again.
    let second = Digest::of(&activity(2));
    let wanted = Wanted { began_with: Some(&second), ..wanted };
    assert_eq!(*scene.modules.get(wanted).await.unwrap().digest(), second);
    assert_eq!(scene.calls(), 1);
}

#[tokio::test]
async fn a_watch_swaps_by_itself_and_tells() {
    let scene = Scene::with(ModulesConfig {
        revalidate_after: Duration::from_millis(10),
        ..ModulesConfig::default()
    });
    scene.push(1).await;
    let reference: ModuleRef = "count@1".parse().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let watching = tokio::spawn({
        let (modules, references) = (scene.modules.clone(), vec![reference.clone()]);
        async move { modules.watch(references, "w:1".to_owned(), async { drop(stopped.await) }).await }
    });
    let until = async |version: u32| {
        let digest = Digest::of(&activity(version));
        loop {
            let statuses = scene.registry.statuses("count", "1").await.unwrap();
            if statuses.first().is_some_and(|told| told.running.as_ref() == Some(&digest)) {
                return statuses;
            }
            tokio::task::yield_now().await;
        }
    };
    let told = until(1).await;
    assert_eq!((told.len(), told[0].worker.as_str()), (1, "w:1"));
    scene.push(2).await;
    scene.modules.hint();
    until(2).await;
    drop(stop);
    watching.await.unwrap();
    assert_eq!(scene.registry.statuses("count", "1").await.unwrap(), []);
}

/// Has a version tried on `count@1`.
async fn try_out(scene: &Scene, bytes: Bytes, mode: crate::Mode, share: &str) {
    scene.clock.advance(Duration::from_millis(1));
    let (digest, author) = (Digest::of(&bytes), Author::default());
    scene.registry.upload(&digest, bytes.clone(), &|_| ()).await.unwrap();
    let candidate = crate::Candidate {
        version: scene.registry.version(digest, &bytes, &author).unwrap(),
        mode,
        share: share.parse().unwrap(),
        since: Timestamp::from_millis(0),
        margins: crate::Overrides::default(),
    };
    let seen = scene.registry.see("count", "1").await.unwrap();
    scene.registry.try_out(&seen, candidate, &author).await.unwrap();
}

/// What one of these executions runs, and whether it counts for a trial.
async fn choose(scene: &Scene, execution: &str) -> (String, bool) {
    let reference = "count@1".parse().unwrap();
    let wanted = Wanted { execution: Some(execution), ..Wanted::current(&reference) };
    let chosen = scene.modules.choose(wanted).await.unwrap();
    (chosen.module.digest().to_string(), chosen.trial.is_some())
}

#[tokio::test]
async fn what_asks_for_the_latest_has_the_candidate_by_its_share() {
    let scene = Scene::new();
    scene.push(1).await;
    assert_eq!(choose(&scene, "a.b").await, (digest(1), false));
    try_out(&scene, activity(2), crate::Mode::Canary, "50%").await;
    scene.later();
    let mut counts = [0, 0];
    for n in 0..40 {
        let execution = format!("client.{n}");
        let (runs, counts_for) = choose(&scene, &execution).await;
        assert!(counts_for);
        assert_eq!(choose(&scene, &execution).await.0, runs, "it does not flip");
        counts[usize::from(runs == digest(2))] += 1;
    }
    assert!(counts.iter().all(|count| *count >= 8), "{counts:?}");
    // What is current is not the candidate, and a pin has no part in it.
    assert_eq!(scene.get("count@1", None).await.unwrap(), 1);
    assert_eq!(scene.get("count@1", Some(&digest(2))).await.unwrap(), 2);
    assert_eq!(
        scene.modules.state(&"count@1".parse().unwrap()).running.unwrap().to_string(),
        digest(1)
    );
}

#[tokio::test]
async fn a_candidate_that_does_not_link_gives_way_and_that_counts() {
    let scene = Scene::new();
    scene.push(1).await;
    let other =
        r#"(component (import "cpe:activity/teleport@9.0.0" (instance (export "go" (func)))))"#;
    try_out(&scene, wat::parse_str(other).unwrap().into(), crate::Mode::Canary, "100%").await;
    for _ in 0..2 {
        assert_eq!(choose(&scene, "a.b").await, (digest(1), true));
    }
    let counts = scene.modules.counts();
    assert_eq!(counts.runs[&("candidate", "failed")], 2);
    assert_eq!(counts.refused, std::collections::BTreeMap::from([("cpe.module.link", 1)]));
}

#[tokio::test]
async fn a_shadow_is_compiled_beforehand_and_runs_for_nobody() {
    let scene = Scene::new();
    scene.push(1).await;
    try_out(&scene, activity(2), crate::Mode::Shadow, "100%").await;
    assert_eq!(choose(&scene, "a.b").await, (digest(1), true));
    scene.later();
    let reference = "count@1".parse().unwrap();
    scene.modules.refresh(&reference).await;
    let chosen = scene.modules.choose(Wanted::current(&reference)).await.unwrap();
    let shadow = scene.modules.shadow(&chosen.trial.unwrap()).unwrap();
    assert_eq!(shadow.digest().to_string(), digest(2));
    // Kept, although no channel points at it.
    scene.clock.advance(Duration::from_secs(600));
    scene.modules.let_go();
    assert_eq!(scene.modules.held(), 2);
}
