//! Hostile guests, each beside ten well-behaved ones: it ends with a reason of its own, in time,
//! its memory comes back, and its neighbours notice nothing.
//!
//! `foreach_guest!` names every guest and every way to misbehave; one without a test here does not
//! compile. What only a component made by hand can do is tested in `cpe-sandbox` itself.

mod egress;
mod jailed;
mod limits;
mod reach;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use cpe_ports::{BlobStore, SystemClock, testing::MemoryBlobs};
use cpe_sandbox::{
    Access, Beats, BucketGrant, Directive, Finished, Grants, Invocation, JailConfig, Limits,
    Module, Sandbox, SandboxConfig, SandboxError, TaskContext,
};
use cpe_tests::activity;
use expect_test::Expect;
use serde_json::Value;

use self::{egress::*, limits::*, reach::*};

include!(concat!(env!("OUT_DIR"), "/guests.rs"));

macro_rules! has_a_test {
    ($name:ident) => {
        const _: fn() = $name;
    };
}

foreach_guest!(has_a_test);

const NEIGHBOURS: usize = 10;
/// What a hostile guest may be late by.
const LATE: Duration = Duration::from_secs(1);
/// What a neighbour's run may take at the most, in milliseconds that a busy test machine doubles.
const PATIENCE: Duration = Duration::from_secs(2);
/// What the process may keep of memory, for its own use.
const KEPT: u64 = 48 << 20;

/// Told by the guest's beats; nobody asks it to stop.
#[derive(Debug)]
struct Deaf;

impl Beats for Deaf {
    fn beat(&self, _: &str) -> Directive {
        Directive::Proceed
    }
}

struct Zoo {
    sandbox: Sandbox,
    hostile: Module,
    good: Module,
    blobs: MemoryBlobs,
    limits: Limits,
    grants: Grants,
}

impl Zoo {
    async fn open() -> Self {
        Self::with("misbehave", None).await
    }

    async fn with(hostile: &str, scratch_dir: Option<PathBuf>) -> Self {
        Self::housed(hostile, scratch_dir, None).await
    }

    async fn housed(hostile: &str, scratch_dir: Option<PathBuf>, jail: Option<JailConfig>) -> Self {
        let config = SandboxConfig {
            max_concurrent: NEIGHBOURS + 1,
            // Shared by all tests of a build, so that each guest is compiled once.
            cache_dir: Some(activity("noop").with_file_name("zoo-cache")),
            scratch_dir,
            jail,
            ..SandboxConfig::default()
        };
        let sandbox = Sandbox::new(config).unwrap();
        let load = async |name: &str| {
            let bytes = std::fs::read(activity(name))
                .unwrap_or_else(|error| panic!("{name}: {error}; `cargo xtask guests` builds it"));
            sandbox.load(name, bytes.into()).await.unwrap()
        };
        let (hostile, good) = (load(hostile).await, load("noop").await);
        let blobs = MemoryBlobs::with_buckets(["media", "others"]);
        for (bucket, key) in [("media", "in/a"), ("media", "secret"), ("others", "secret")] {
            blobs.insert(bucket, key, "content");
        }
        let limits = Limits {
            memory: 64 << 20,
            cpu: Duration::from_millis(500),
            wall: Duration::from_secs(2),
            output: 64 << 10,
            ..Limits::default()
        };
        let grant = |prefix: &str, access| BucketGrant {
            bucket: "media".to_owned(),
            prefix: prefix.to_owned(),
            access,
        };
        let grants = Grants {
            s3: vec![grant("in/", Access::Read), grant("out/", Access::Write)],
            ..Grants::default()
        };
        Self { sandbox, hostile, good, blobs, limits, grants }
    }

    async fn run(&self, module: &Module, input: String) -> Result<Finished, SandboxError> {
        let invocation = Invocation {
            context: TaskContext::default(),
            limits: self.limits.clone(),
            grants: self.grants.clone(),
            blobs: Arc::new(self.blobs.clone()) as Arc<dyn BlobStore>,
            beats: Arc::new(Deaf),
            clock: Arc::new(SystemClock),
        };
        self.sandbox.run(module, invocation, input).await.map_err(|end| end.error)
    }

    /// Runs the good guest again and again until `ended`; at least once after that.
    async fn neighbour(&self, ended: &AtomicBool) {
        loop {
            let last = ended.load(Ordering::Acquire);
            let began = Instant::now();
            let finished = self.run(&self.good, "[1]".to_owned()).await.unwrap();
            assert_eq!(finished.outcome.as_deref(), Ok("[1]"));
            let took = began.elapsed();
            assert!(took < PATIENCE, "a neighbour took {took:?}");
            if last {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The hostile guest among its neighbours, and how it ended.
    async fn observe(&self, input: String) -> String {
        let ended = AtomicBool::new(true);
        self.neighbour(&ended).await;
        ended.store(false, Ordering::Release);
        let before = resident();
        let neighbours = futures::future::join_all((0..NEIGHBOURS).map(|_| self.neighbour(&ended)));
        let hostile = async {
            let began = Instant::now();
            let end = self.run(&self.hostile, input).await;
            let took = began.elapsed();
            ended.store(true, Ordering::Release);
            assert!(took < self.limits.wall + LATE, "it took {took:?}");
            end
        };
        let (end, _) = tokio::join!(hostile, neighbours);
        let kept = resident().saturating_sub(before);
        assert!(kept < KEPT, "{} MiB stay", kept >> 20);
        match end.map(|finished| finished.outcome) {
            Ok(Ok(output)) => format!("ok {output}"),
            Ok(Err(failure)) => format!("{}: {}", failure.reason, failure.details),
            Err(error) => format!("{}: {error}", error.reason()),
        }
    }
}

/// How a guest that is asked for that ends, in a zoo of its own.
fn check(input: Value, expect: Expect) {
    check_in(|_| {}, input, expect);
}

/// The same, where something is set first.
fn check_in(set: impl FnOnce(&mut Zoo), input: Value, expect: Expect) {
    observe(Zoo::open(), set, input.to_string(), expect);
}

/// The same, of an input that is no value of JSON.
fn check_text(input: String, expect: Expect) {
    observe(Zoo::open(), |_| {}, input, expect);
}

/// The same, of another guest.
fn check_guest(name: &str, input: &Value, expect: Expect) {
    observe(Zoo::with(name, None), |_| {}, input.to_string(), expect);
}

/// The same, where scratch space is given, in that folder.
fn check_scratch(folder: &Path, input: &Value, expect: Expect) {
    let zoo = Zoo::with("misbehave", Some(folder.to_owned()));
    let set = |zoo: &mut Zoo| {
        zoo.limits.scratch = 1 << 20;
        zoo.limits.cpu = Duration::from_secs(5);
    };
    observe(zoo, set, input.to_string(), expect);
}

fn observe(
    zoo: impl Future<Output = Zoo>,
    set: impl FnOnce(&mut Zoo),
    input: String,
    expect: Expect,
) {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    let told = runtime.block_on(async {
        let mut zoo = zoo.await;
        set(&mut zoo);
        let before = contents(&zoo);
        let told = zoo.observe(input).await;
        assert_eq!(contents(&zoo), before, "what it wrote");
        told
    });
    expect.assert_eq(&told);
}

fn contents(zoo: &Zoo) -> (Vec<String>, Vec<String>, usize) {
    (zoo.blobs.keys("media"), zoo.blobs.keys("others"), zoo.blobs.open_uploads())
}

/// Bytes of memory that the process has, as the kernel counts them.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() << 10
}
