use std::sync::atomic::{AtomicU32, Ordering};

use cpe_ports::{SystemClock, testing::MemoryBlobs};
use expect_test::{Expect, expect};

use super::*;
use crate::{Access, Beats, BucketGrant, Digest, Directive, Grants, TaskContext, test_guests};

/// Counts beats, and asks to cancel at the third.
#[derive(Debug, Default)]
struct ThreeBeats(AtomicU32);

impl Beats for ThreeBeats {
    fn beat(&self, _: &str) -> Directive {
        match self.0.fetch_add(1, Ordering::Relaxed) {
            0 | 1 => Directive::Proceed,
            _ => Directive::Cancel,
        }
    }
}

struct Scene {
    sandbox: Sandbox,
    module: Module,
    blobs: MemoryBlobs,
    limits: Limits,
}

impl Scene {
    async fn new() -> Self {
        let sandbox = Sandbox::new(SandboxConfig { max_concurrent: 4, ..Default::default() });
        let sandbox = sandbox.unwrap();
        let module = sandbox.load("scripted", test_guests::scripted()).await.unwrap();
        let blobs = MemoryBlobs::with_buckets(["media"]);
        let limits = Limits { wall: Duration::from_secs(20), ..Limits::default() };
        Self { sandbox, module, blobs, limits }
    }

    fn invocation(&self) -> Invocation {
        let grant = |prefix: &str, access| BucketGrant {
            bucket: "media".to_owned(),
            prefix: prefix.to_owned(),
            access,
        };
        Invocation {
            context: TaskContext { client: "ClientA".to_owned(), ..TaskContext::default() },
            limits: self.limits.clone(),
            grants: Grants {
                s3: vec![grant("in/", Access::Read), grant("out/", Access::Write)],
                ..Grants::default()
            },
            blobs: Arc::new(self.blobs.clone()),
            beats: Arc::new(ThreeBeats::default()),
            clock: Arc::new(SystemClock),
        }
    }

    async fn run(&self, input: &str) -> Result<Finished, SandboxError> {
        let ran = self.sandbox.run(&self.module, self.invocation(), input.to_owned()).await;
        ran.map_err(|end| end.error)
    }

    async fn check(&self, input: &str, expected: Expect) {
        let answer = match self.run(input).await.map(|finished| finished.outcome) {
            Ok(Ok(output)) => format!("ok {output}"),
            Ok(Err(failure)) => format!("failed {}: {}", failure.reason, failure.details),
            Err(error) => format!("{}: {error}", error.reason()),
        };
        expected.assert_eq(&answer);
    }
}

#[tokio::test]
async fn outcomes() {
    let scene = Scene::new().await;
    scene.check("n", expect!["ok null"]).await;
    scene.check("echo", expect!["ok echo"]).await;
    scene.check("f", expect!["failed test.failed: it was asked"]).await;
    scene.check("c", expect!["ok ClientA"]).await;
    scene.check(r#"b{"percent":1}"#, expect!["ok null"]).await;
    let metering = scene.run("n").await.unwrap().metering;
    assert_eq!(metering.peak_memory, 40 << 16);
    assert!(metering.cpu > Duration::ZERO && metering.cpu < Duration::from_secs(1));
}

#[tokio::test]
async fn limits_are_told_apart() {
    let mut scene = Scene::new().await;
    scene.limits.cpu = Duration::from_millis(100);
    scene.limits.memory = 8 << 20;
    scene
        .check(
            "t",
            expect![
                "cpe.trap: the activity trapped: wasm trap: wasm `unreachable` instruction executed"
            ],
        )
        .await;
    scene.check("l", expect!["cpe.limit.cpu: the activity used up its 100ms of CPU time"]).await;
    scene
        .check(
            "m",
            expect!["cpe.limit.memory: the activity needed more than its 8388608 bytes of memory"],
        )
        .await;
    scene
        .check("o", expect!["cpe.limit.output: the activity's result has more than 1048576 bytes"])
        .await;
    scene.limits.wall = Duration::from_millis(50);
    scene.check("l", expect!["cpe.limit.wall: the activity took longer than 50ms"]).await;
    scene.limits.memory = 1 << 20;
    scene
        .check(
            "n",
            expect!["cpe.limit.memory: the activity needed more than its 1048576 bytes of memory"],
        )
        .await;
}

#[tokio::test]
async fn a_guest_that_only_waits_meets_the_wall_limit() {
    let mut scene = Scene::new().await;
    scene.module = scene.sandbox.load("waiting", test_guests::waiting()).await.unwrap();
    scene.limits.wall = Duration::from_millis(50);
    // Waiting is no computing: it is not the CPU's limit that ends it.
    scene.limits.cpu = Duration::from_millis(40);
    scene.check("n", expect!["cpe.limit.wall: the activity took longer than 50ms"]).await;
}

#[tokio::test]
async fn a_store_that_never_answers_meets_the_wall_limit() {
    let mut scene = Scene::new().await;
    scene.blobs.insert("media", "in/a", "x");
    scene.blobs.stall();
    scene.limits.wall = Duration::from_millis(50);
    scene.check("gin/a", expect!["cpe.limit.wall: the activity took longer than 50ms"]).await;
}

#[tokio::test]
async fn a_trap_shows_where() {
    let details = Scene::new().await.run("t").await.unwrap_err().details();
    assert!(details.contains("\n   0: function 18 at 0x"), "{details}");
}

#[tokio::test]
async fn objects_within_the_grants() {
    let scene = Scene::new().await;
    scene.blobs.insert("media", "in/a", "hello".repeat(100_000));
    scene.blobs.insert("media", "out/old", "x");
    scene.check("gin/a", expect!["ok he"]).await;
    scene.check("hin/a", expect!["ok null"]).await;
    scene.check("hin/b", expect!["failed no-such-key: "]).await;
    scene.check("gin/b", expect!["failed no-such-key: "]).await;
    scene
        .check(
            "gout/old",
            expect!["failed access-denied: no grant to read key `out/old` in bucket `media`"],
        )
        .await;
    scene
        .check(
            "pin/a",
            expect!["failed access-denied: no grant to write key `in/a` in bucket `media`"],
        )
        .await;
    scene
        .check(
            "gin/../out/old",
            expect!["failed invalid-argument: the key contains `.` or `..` as a segment"],
        )
        .await;
    scene.check("dout/old", expect!["ok null"]).await;
    scene.check("pout/small", expect!["ok null"]).await;
    scene.check("Pout/large", expect!["ok null"]).await;
    assert_eq!(scene.blobs.keys("media"), ["in/a", "out/large", "out/small"]);
    assert_eq!(scene.blobs.body("media", "out/large").unwrap().len(), 17 << 20);
    let metering = scene.run("gin/a").await.unwrap().metering;
    assert_eq!((metering.bytes_read, metering.bytes_written), (500_000, 0));
}

#[tokio::test]
async fn what_does_not_succeed_leaves_nothing() {
    let mut scene = Scene::new().await;
    scene.limits.cpu = Duration::from_millis(300);
    for input in ["qout/a", "rout/a", "sout/a", "Qout/a", "Rout/a", "Sout/a"] {
        let finished = scene.run(input).await.map(|finished| finished.outcome);
        assert!(!matches!(finished, Ok(Ok(_))), "{input}");
        assert_eq!(
            (scene.blobs.keys("media").len(), scene.blobs.open_uploads()),
            (0, 0),
            "{input}"
        );
    }
}

#[tokio::test]
async fn dropping_the_future_stops_the_guest_and_undoes_its_writes() {
    let scene = Scene::new().await;
    let run = scene.run("Sout/a");
    let mut run = Box::pin(run);
    // The guest never ends by itself, and yields at every tick.
    while scene.blobs.open_uploads() == 0 {
        assert!(futures::poll!(&mut run).is_pending());
        tokio::task::yield_now().await;
    }
    drop(run);
    scene.sandbox.settle().await;
    assert_eq!((scene.blobs.keys("media").len(), scene.blobs.open_uploads()), (0, 0));
    scene.check("n", expect!["ok null"]).await;
}

#[tokio::test]
async fn a_full_pool_is_waiting_and_never_a_failure() {
    let mut scene = Scene::new().await;
    scene.limits.cpu = Duration::from_millis(50);
    let runs = (0..32).map(|n| scene.run(if n % 8 == 0 { "l" } else { "n" }));
    let answers = futures::future::join_all(runs).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 28);
}

#[tokio::test]
async fn a_busy_guest_does_not_starve_its_neighbours() {
    let mut scene = Scene::new().await;
    scene.limits.cpu = Duration::from_secs(10);
    let busy = scene.run("l");
    let quick = scene.run("n");
    // Both on this one thread: the quick one can only end if the busy one yields.
    match futures::future::select(Box::pin(busy), Box::pin(quick)).await {
        futures::future::Either::Left((ended, _)) => panic!("the busy one ended: {ended:?}"),
        futures::future::Either::Right((ended, _)) => assert!(ended.is_ok()),
    }
}

#[tokio::test]
async fn what_no_compiler_makes_ends_with_a_reason_of_its_own() {
    let mut scene = Scene::new().await;
    scene.module = scene.sandbox.load("hostile", test_guests::hostile()).await.unwrap();
    scene.limits.cpu = Duration::from_millis(300);
    scene
        .check(
            "t",
            expect!["cpe.limit.table: the activity needed a table of more than 100000 elements"],
        )
        .await;
    scene
        .check(
            "d",
            expect![
                "cpe.limit.stack: the activity's calls went deeper than its stack of 524288 bytes"
            ],
        )
        .await;
    scene.check("f", expect!["cpe.trap: the activity trapped: unknown handle index 12345"]).await;
    scene.check("x", expect!["cpe.trap: the activity trapped: handle index 1 used with the wrong type, expected guest-defined resource but found a different guest-defined resource"]).await;
    scene.check("y", expect!["cpe.trap: the activity trapped: unknown handle index 1"]).await;
    scene
        .check(
            "o",
            expect![
                "cpe.trap: the activity trapped: string pointer/length out of bounds of memory"
            ],
        )
        .await;
    scene
        .check(
            "u",
            expect![
                "cpe.trap: the activity trapped: invalid utf-8 sequence of 1 bytes from index 0"
            ],
        )
        .await;
    scene
        .check(
            "r",
            expect!["cpe.limit.handles: the activity held more than 1000 handles at a time"],
        )
        .await;
    scene.check("w", expect!["cpe.limit.cpu: the activity used up its 300ms of CPU time"]).await;
    scene.limits.memory = 2 << 30;
    scene
        .check("g", expect!["cpe.limit.output: the activity's result has more than 1048576 bytes"])
        .await;
    scene.limits.memory = 64 << 20;
    scene
        .check(
            "g",
            expect!["cpe.limit.memory: the activity needed more than its 67108864 bytes of memory"],
        )
        .await;
    scene.check("n", expect!["ok null"]).await;
}

async fn refused(bytes: Bytes) -> String {
    let config = SandboxConfig { max_component_bytes: 1 << 20, ..Default::default() };
    let error = Sandbox::new(config).unwrap().load("m", bytes).await.unwrap_err();
    format!("{}: {error}", error.reason())
}

#[tokio::test]
async fn what_cannot_run_is_refused_at_load() {
    expect!["cpe.module.invalid: module m is not a component: it is a core module (build with --target wasm32-wasip2, or wrap it as a component)"]
        .assert_eq(&refused(test_guests::text("(module)")).await);
    expect!["cpe.module.invalid: module m has 1048577 bytes, of at most 1048576"]
        .assert_eq(&refused(vec![0; (1 << 20) + 1].into()).await);
    expect!["cpe.module.invalid: module m has 209715200 bytes, of at most 1048576"]
        .assert_eq(&refused(vec![0; 200 << 20].into()).await);
    let whole = test_guests::scripted();
    expect!["cpe.module.invalid: module m is not valid"]
        .assert_eq(&refused(whole.slice(..whole.len() / 2)).await);
    expect!["cpe.module.link: module m cannot be linked against cpe:activity/activity@0.1.0: it exports neither `cpe:activity/handler@0.1.0` as declared nor `wasi:cli/run@0.2`, as programs do"]
        .assert_eq(&refused(test_guests::text("(component)")).await);
    let imports = r#"(component
        (import "acme:db/rows@1.0.0" (instance))
        (import "wasi:http/incoming-handler@0.2.0" (instance (export "handle" (func)))))"#;
    expect!["cpe.module.link: module m cannot be linked against cpe:activity/activity@0.1.0: the host does not offer `acme:db/rows@1.0.0`, `wasi:http/incoming-handler@0.2.0`"]
        .assert_eq(&refused(test_guests::text(imports)).await);
}

#[tokio::test]
async fn features_that_are_off_are_refused() {
    for core in [
        "(module (memory 1 1 shared))",
        "(module (memory i64 1))",
        "(module (tag))",
        "(module (type (struct)))",
        "(module (type $f (func)) (type (cont $f)))",
    ] {
        let error = refused(test_guests::text(&format!("(component (core {})", &core[1..]))).await;
        assert_eq!(error, "cpe.module.invalid: module m is not valid", "{core}");
    }
}

#[tokio::test]
async fn machine_code_is_kept_and_broken_files_are_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let config = SandboxConfig { cache_dir: Some(dir.path().join("c")), ..Default::default() };
    let files = || {
        let entries = std::fs::read_dir(dir.path().join("c")).unwrap();
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some())
    };
    for round in 0..3 {
        let sandbox = Sandbox::new(config.clone()).unwrap();
        let module = sandbox.load("scripted", test_guests::scripted()).await.unwrap();
        assert_eq!(*module.digest(), Digest::of(&test_guests::scripted()));
        let paths: Vec<_> = files().collect();
        assert_eq!(paths.len(), 1);
        if round == 1 {
            std::fs::write(&paths[0], b"broken").unwrap();
        }
        assert!(std::fs::metadata(&paths[0]).unwrap().len() > 1000 || round == 1);
    }
}

#[tokio::test]
async fn a_module_too_large_for_the_pool_runs_all_the_same() {
    let sandbox = Sandbox::new(SandboxConfig::default()).unwrap();
    let core = include_str!("../test_guests/scripted.wat")
        .replace("(memory (export", "(table 200000 funcref) (memory (export");
    let module = sandbox.load("large", test_guests::component(&core, "activity")).await;
    assert!(module.is_ok(), "{module:?}");
}

#[tokio::test]
async fn a_busy_guest_is_interrupted_also_after_a_long_pause() {
    let mut scene = Scene::new().await;
    scene.limits.cpu = Duration::from_millis(20);
    for _ in 0..2 {
        scene.check("l", expect!["cpe.limit.cpu: the activity used up its 20ms of CPU time"]).await;
        while !scene.module.clock_rests() {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn what_runs_beside_takes_no_slot() {
    let config = SandboxConfig { max_concurrent: 1, beside: 1, ..Default::default() };
    let sandbox = Sandbox::new(config).unwrap();
    let scene = Scene { sandbox: sandbox.clone(), ..Scene::new().await };
    let module = sandbox.load("scripted", test_guests::scripted()).await.unwrap();
    let beside = sandbox.beside();
    assert!(!sandbox.is_busy());
    let slot = sandbox.0.slots.acquire().await.unwrap();
    assert!(sandbox.is_busy() && !beside.is_busy());
    beside.run(&module, scene.invocation(), "n".to_owned()).await.unwrap();
    drop(slot);
    assert!(!sandbox.is_busy());
}
