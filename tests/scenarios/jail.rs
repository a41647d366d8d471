//! Guests in jailed processes: whole jobs, what a jailed process cannot do, and what a lost one
//! costs.

use std::{path::Path, sync::Arc, time::Duration};

use cpe::config::Quotas;
use cpe_ports::{SystemClock, testing::MemoryBlobs};
use cpe_sandbox::{
    Beats, Directive, Grants, Invocation, JailConfig, Limits, Metering, Sandbox, SandboxConfig,
    Support, TaskContext, try_jail,
};
use cpe_tests::{Options, Program, Wire, World, activity, events_text, jailer, photo, plan_file};
use serde_json::json;
use tokio::{sync::watch, time::timeout};

use crate::processes::{address, client, push};

const PATIENCE: Duration = Duration::from_secs(60);

const PLAN: &str = r#"
name: Sleepy
version: "1"
activities:
- name: Sleepy
  version: v1
  module: misbehave@1
  start_to_close_timeout: 60
  retry: {max_attempts: 2, on: [cpe.jail.lost]}
steps:
- name: Sleep
  activity: Sleepy
  input: |
    {"do": "sleep", "millis": 3000}
"#;

fn jailed() -> Options {
    Options { jail: true, ..Options::new(Wire::Direct) }
}

/// The jailed processes that this one has started.
fn children() -> Vec<u32> {
    children_of(std::process::id())
}

fn children_of(parent: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &u32| {
        let folder = Path::new("/proc").join(pid.to_string());
        let status = std::fs::read_to_string(folder.join("status")).unwrap_or_default();
        let command = std::fs::read(folder.join("cmdline")).unwrap_or_default();
        let ours = status.lines().any(|line| line == format!("PPid:\t{parent}"));
        ours && String::from_utf8_lossy(&command).contains("jailed-guests")
    })
    .collect()
}

/// Waits until as many of them are there.
async fn there_are(count: usize) -> Vec<u32> {
    let looking = async {
        loop {
            let children = children();
            if children.len() == count {
                return children;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let found = timeout(PATIENCE, looking).await;
    found.unwrap_or_else(|_| panic!("{} jailed processes, not {count}", children().len()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_jailed_process_can_do_nothing_that_it_must_not() {
    let folder = tempfile::tempdir().unwrap();
    let report = try_jail(&jailer(), folder.path()).await.unwrap();
    let holes: Vec<_> = report.holes().collect();
    assert!(holes.is_empty(), "{holes:?}");
    assert!(report.attempts.len() >= 12, "{report:?}");
    assert_ne!(report.features.landlock, Support::Missing);
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_does_not_jail_is_no_jail() {
    let folder = tempfile::tempdir().unwrap();
    let error = try_jail(&JailConfig::new("/bin/false", &[]), folder.path()).await.unwrap_err();
    assert_eq!(error.reason(), "cpe.jail.lost");
    let error = try_jail(&JailConfig::new("/no/such", &[]), folder.path()).await.unwrap_err();
    assert!(error.to_string().contains("No such file"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_tries_the_jail_and_credentials_are_not_in_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cpe.yaml"), "jail: on\ncache: cache\n").unwrap();
    let env = [("AWS_ACCESS_KEY_ID", "AKID"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    let arguments = ["doctor", "--read-only", "--endpoint-url", "http://127.0.0.1:9"];
    let (_, told, said) = Program::run(folder.path(), &arguments, &env).await;
    let line = told.lines().find(|line| line.contains("jail:"));
    assert!(line.is_some_and(|line| line.contains("ok    jail: holds")), "{told}{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_photograph_is_transcoded_in_a_jail() {
    let options = jailed()
        .plan(plan_file("transcode.yaml"))
        .module("validate-asset")
        .module("transcode-asset");
    let world = World::start(options).await;
    let client = world.client().await;
    client.put("media", "in/photo.jpg", photo()).await;
    let data = json!({
        "input_asset": {"type": "IMAGE", "bucket": "media", "file": "in/photo.jpg"},
        "output_assets": [
            {"type": "THUMB", "bucket": "media", "path": "out", "file": "t.*",
             "thumbnail": "160x160"},
        ],
    });
    client.start("j", ("Transcode", "1.0"), data).await;
    let events = client.events_of("j").await;
    let text = events_text(&events);
    assert_eq!(events.last().unwrap()["type"], "JOB_COMPLETED", "{text}");
    assert!(events.iter().any(|event| event["type"] == "ACTIVITY_PROGRESS"), "{text}");
    let thumb = client.get("media", "out/t.jpg").await.unwrap();
    let thumb = image::load_from_memory(&thumb).unwrap();
    assert_eq!((thumb.width(), thumb.height()), (160, 107));
    assert_eq!(children().len(), 1, "one for the client");
    world.stop().await;
    there_are(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_child_costs_its_own_runs_a_try_and_nobody_else_anything() {
    let options = jailed().plan(PLAN).module("misbehave").client("other", Quotas::default());
    let world = World::start(options).await;
    let (tester, other) = (world.client().await, world.client_named("other").await);
    tester.start("t", ("Sleepy", "1"), json!({})).await;
    tester.events_until(|event| event["type"] == "ACTIVITY_STARTED").await;
    let of_tester = there_are(1).await;
    other.start("o", ("Sleepy", "1"), json!({})).await;
    other.events_until(|event| event["type"] == "ACTIVITY_STARTED").await;
    there_are(2).await;

    let pid = of_tester[0].to_string();
    let killed = tokio::process::Command::new("kill").args(["-KILL", &pid]).status().await;
    assert!(killed.unwrap().success());
    let events = tester.events_of("t").await;
    let text = events_text(&events);
    assert_eq!(events.last().unwrap()["type"], "JOB_COMPLETED", "{text}");
    assert!(text.contains("ACTIVITY_FAILED Sleep"), "{text}");
    let failed = events.iter().find(|event| event["type"] == "ACTIVITY_FAILED").unwrap();
    assert!(failed.to_string().contains("cpe.jail.lost"), "{failed}");
    assert!(failed.to_string().contains("SIGKILL"), "{failed}");

    let events = other.events_of("o").await;
    let text = events_text(&events);
    assert_eq!(events.last().unwrap()["type"], "JOB_COMPLETED", "{text}");
    assert!(!text.contains("FAILED"), "{text}");
    assert!(!there_are(2).await.contains(&of_tester[0]), "the next run got a new child");
    world.stop().await;
    there_are(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_are_jailed_unless_somebody_says_otherwise() {
    for (mode, expected) in [(None, 1), (Some("--jail=off"), 0)] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("plans")).unwrap();
        std::fs::write(folder.path().join("plans/sleepy.yaml"), PLAN).unwrap();
        let arguments: Vec<_> =
            ["dev", "--port", "0", "--memory"].into_iter().chain(mode).collect();
        let mut dev = Program::start(folder.path(), &arguments, &[]);
        let url = address(&dev.line_with(" at ").await);
        push(folder.path(), &url).await;
        let asks = client(&url, "tester").await;
        asks.start("j", ("Sleepy", "1"), json!({})).await;
        let events = asks.events_of("j").await;
        assert_eq!(events.last().unwrap()["type"], "JOB_COMPLETED", "{}", events_text(&events));
        assert_eq!(children_of(dev.pid()).len(), expected, "{mode:?}");
        assert!(dev.terminate().await);
    }
}

/// Counts what runs took: of a CPU, and how often they told.
#[derive(Debug, Default)]
struct Took(watch::Sender<(Duration, usize)>);

impl Beats for Took {
    fn beat(&self, _: &str) -> Directive {
        Directive::Proceed
    }

    fn took(&self, metering: &Metering) {
        self.0.send_modify(|(cpu, count)| {
            *cpu += metering.cpu;
            *count += 1;
        });
    }
}

fn invocation(beats: &Arc<Took>) -> Invocation {
    let text = "x".to_owned();
    Invocation {
        context: TaskContext {
            workflow_id: text.clone(),
            run_id: text.clone(),
            activity_id: text.clone(),
            activity_name: text.clone(),
            activity_version: text.clone(),
            attempt: 1,
            client: text.clone(),
            job_id: text,
        },
        limits: Limits::default(),
        grants: Grants::default(),
        blobs: Arc::new(MemoryBlobs::default()),
        beats: Arc::<Took>::clone(beats),
        clock: Arc::new(SystemClock),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_child_goes_and_what_a_stopped_guest_used_is_counted() {
    let jail = Some(JailConfig { idle: Duration::from_millis(300), ..jailer() });
    let sandbox = Sandbox::new(SandboxConfig { jail, ..SandboxConfig::default() }).unwrap();
    let bytes = std::fs::read(activity("misbehave")).unwrap();
    let module = sandbox.load("misbehave", bytes.into()).await.unwrap();
    let took = Arc::new(Took::default());
    let run = |input: &str| sandbox.run(&module, invocation(&took), input.to_owned());
    let echo = r#"{"do": "echo", "value": 7}"#;
    let echoed = async || run(echo).await.unwrap().outcome.unwrap();
    assert_eq!(echoed().await, "7");
    there_are(0).await;
    assert_eq!(echoed().await, "7", "another child");

    let before = took.0.borrow().0;
    let stopped = timeout(Duration::from_millis(400), run(r#"{"do": "spin"}"#)).await;
    assert!(stopped.is_err(), "{stopped:?}");
    let mut told = took.0.subscribe();
    let told = timeout(PATIENCE, told.wait_for(|(_, count)| *count == 4)).await;
    let used = told.expect("the child tells").unwrap().0 - before;
    assert!(used > Duration::from_millis(50), "{used:?}");
    there_are(0).await;
}
