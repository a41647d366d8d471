//! Versions that are tried while jobs run: canaries and shadows.

use std::{collections::BTreeMap, time::Duration};

use cpe_modules::{Action, Figures, Mode, Percent};
use cpe_sandbox::Digest;
use cpe_tests::{Client, Options, Program, Wire, World, activity, faulty, version};
use serde_json::{Value, json};

/// Ten activity tasks side by side, that keep the version of their execution or run the latest.
const TEN: &str = r#"
name: Ten
version: 1
activities:
- {name: Version, version: v1, module: version@1, upgrade: pinned, outputs_spec: {version: $.version}}
steps:
- name: Each
  activity: Version
  foreach: "{{ range(10) | list }}"
  input: '{{ item }}'
  retry: {max_attempts: 60, backoff: 1s, factor: 1, jitter: 0}
- {name: All, eval: '{{ Each }}', requires: [[Each, succeeded]]}
output: "{{ All }}"
"#;

const JOBS: usize = 16;

fn options(upgrade: &str) -> Options {
    Options::new(Wire::Direct).plan(TEN.replace("pinned", upgrade))
}

/// Runs jobs side by side, which must complete: the versions that each one's steps ran in the end.
async fn run(client: &Client, jobs: &[String]) -> BTreeMap<String, Vec<u64>> {
    for job in jobs {
        client.start(job, ("Ten", "1"), json!({})).await;
    }
    let mut ran = BTreeMap::new();
    let collected = client.events_until(|event| {
        let kind = event["type"].as_str().unwrap();
        assert!(!["JOB_FAILED", "JOB_CANCELED", "COMMAND_REJECTED"].contains(&kind), "{event}");
        if kind == "JOB_COMPLETED" {
            let all = event.pointer("/data/result").and_then(Value::as_array).unwrap();
            let versions = all.iter().map(|step| step["version"].as_u64().unwrap()).collect();
            ran.insert(event["jobId"].as_str().unwrap().to_owned(), versions);
        }
        ran.len() == jobs.len()
    });
    collected.await;
    ran
}

/// Runs a job after the other until that holds of what is counted. How many that takes depends on
/// how soon the worker sees the candidate, and has compiled it.
async fn jobs_until(world: &World, client: &Client, name: &str, holds: impl Fn(&Figures) -> bool) {
    let running = async {
        for n in 0.. {
            run(client, &[format!("{name}-{n}")]).await;
            if holds(&world.tried("1").await.1) {
                return;
            }
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(60), running).await.is_ok();
    assert!(in_time, "{:?}", world.tried("1").await);
}

fn is_in(share: &str, candidate: &Digest, job: &str) -> bool {
    share.parse::<Percent>().unwrap().takes(&format!("tester.{job}"), candidate)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_that_fails_is_aborted_and_every_job_completes() {
    for upgrade in ["pinned", "latest"] {
        let world = World::start(options(upgrade)).await;
        let client = world.client().await;
        let stable = world.push("1", version(1)).await;
        world.settled("1", &stable).await;
        let candidate = world.try_out("1", faulty(2), Mode::Canary, "50%").await;
        let mut tried = Vec::new();
        // Workers hear of it within a second.
        for round in 0..200 {
            let jobs: Vec<_> = (0..JOBS).map(|n| format!("j{round}-{n}")).collect();
            for (job, versions) in run(&client, &jobs).await {
                if is_in("50%", &candidate, &job) {
                    tried.push(job);
                } else {
                    assert_eq!(versions, [1; 10], "{job}");
                }
            }
            if world.tried("1").await.0.candidate.is_none() {
                break;
            }
        }
        let (channel, _) = world.tried("1").await;
        assert_eq!((&channel.current.digest, channel.candidate.as_ref()), (&stable, None));
        let abort = channel.last_move().unwrap();
        assert_eq!((abort.action, &abort.digest), (Action::Abort, &candidate));
        let why = abort.message.as_deref().unwrap();
        assert!(
            why.starts_with("aborted by its figures: ") && why.contains("version.third"),
            "{why}"
        );

        // Nobody runs it any more, and whoever asks is told.
        let after: Vec<_> = (0..4).map(|n| format!("after-{n}")).collect();
        let after = run(&client, &after).await;
        assert!(after.values().all(|versions| *versions == [1; 10]), "{after:?}");
        let folder = tempfile::tempdir().unwrap();
        let env = [("AWS_ENDPOINT_URL", world.url.as_str())];
        let mut told = String::new();
        for job in tried.iter().rev().map(|job| format!("tester.{job}")) {
            told += &Program::run(folder.path(), &["job", "show", &job], &env).await.1;
            if told.contains("version.third on the canary") {
                break;
            }
        }
        assert!(told.contains("version.third on the canary") && told.contains(why), "{told}");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_that_does_well_is_promoted_from_the_command_line() {
    let world = World::start(options("pinned")).await;
    let client = world.client().await;
    let stable = world.push("1", version(1)).await;
    world.settled("1", &stable).await;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("two.wasm"), version(2)).unwrap();
    let cpe = async |arguments: &[&str]| {
        let env = [("AWS_ENDPOINT_URL", world.url.as_str()), ("USER", "ann")];
        let (status, printed, said) = Program::run(folder, arguments, &env).await;
        (status, format!("{printed}{said}"))
    };
    let push = async |more: &[&str]| {
        cpe(&[&["module", "push", "two.wasm", "version@1"][..], more].concat()).await
    };
    let (status, said) = cpe(&["module", "promote", "version@1"]).await;
    assert!(status == 1 && said.contains("there is no candidate of version@1"), "{said}");
    let (status, said) = push(&["--canary", "0%"]).await;
    assert!(status == 2 && said.contains("tries nothing"), "{said}");
    let (status, said) = push(&["--canary", "ten"]).await;
    assert!(status == 2 && said.contains("no percentage"), "{said}");
    let (status, said) = push(&["--canary", "10%", "--min-count", "1000000"]).await;
    assert!(status == 0 && said.contains("runs 10% of the executions"), "{said}");
    let (status, said) = push(&["--canary", "10%", "--min-count", "1000000"]).await;
    assert!(status == 0 && said.contains("tried like that already"), "{said}");
    let (_, said) = push(&["--canary", "60%", "--min-count", "1000000", "-m", "more"]).await;
    assert!(said.contains("60%"), "{said}");

    let is_counted = |figures: &Figures| figures.candidate.ran >= 10 && figures.stable.ran >= 10;
    jobs_until(&world, &client, "counted", is_counted).await;
    let (_, said) = cpe(&["module", "list"]).await;
    assert!(said.contains("canary sha256:") && said.contains("on 60%: 0 of "), "{said}");
    let (_, said) = cpe(&["module", "show", "version@1", "--output", "json"]).await;
    let shown: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(shown["trial"]["candidate"]["share"], "60%");
    assert!(shown["trial"]["figures"]["candidate"]["ran"].as_u64().unwrap() >= 10, "{shown}");

    let (status, said) = cpe(&["module", "promote", "version@1", "-m", "good"]).await;
    assert!(status == 0 && said.contains("is promoted: 0 of "), "{said}");
    let (status, said) = cpe(&["module", "promote", "version@1"]).await;
    assert!(status == 0 && said.contains("promoted already"), "{said}");
    let (status, said) = cpe(&["module", "abort", "version@1"]).await;
    assert!(status == 1 && said.contains("ann has promoted"), "{said}");
    let (_, said) = cpe(&["module", "show", "version@1"]).await;
    assert!(said.contains("promote ") && said.contains("60%  more"), "{said}");
    world.settled("1", &Digest::of(&version(2))).await;
    let after = run(&client, &["after".to_owned()]).await;
    assert_eq!(after["after"], [2; 10]);
    world.stop().await;
}

/// One activity whose input asks a guest that knows that to write an object.
const WRITES: &str = r#"
name: Ten
version: 1
activities:
- {name: Version, version: v1, module: version@1, outputs_spec: {version: $.version}}
steps:
- {name: Only, activity: Version, input: '{"do": "write", "bucket": "media", "key": "shadow.txt"}'}
- {name: All, eval: '[{{ Only }}]', requires: [[Only, succeeded]]}
output: "{{ All }}"
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shadow_tells_what_it_would_do_and_does_nothing() {
    let world = World::start(Options::new(Wire::Direct).plan(WRITES)).await;
    let client = world.client().await;
    client.put("media", "there.txt", "there").await;
    let stable = world.push("1", version(1)).await;
    world.settled("1", &stable).await;
    let writer = std::fs::read(activity("misbehave")).unwrap();
    world.try_out("1", writer.into(), Mode::Shadow, "100%").await;
    jobs_until(&world, &client, "writer", |figures| figures.shadow.different >= 2).await;
    let shadow = world.tried("1").await.1.shadow;
    assert!(shadow.examples[0].contains("Only: the results differ"), "{shadow:?}");
    assert_eq!(client.get("media", "shadow.txt").await, None);
    let (_, figures) = world.tried("1").await;
    assert!(figures.stable.ran >= 2 && figures.candidate.ran == 0, "{figures:?}");

    // One that does the same is not told of.
    let mut twin = version(1).to_vec();
    twin.extend([0, 5, 4, b't', b'w', b'i', b'n']);
    world.try_out("1", twin.into(), Mode::Shadow, "100%").await;
    jobs_until(&world, &client, "twin", |figures| figures.shadow.same >= 2).await;
    let shadow = world.tried("1").await.1.shadow;
    assert_eq!((shadow.different, shadow.examples.len()), (0, 0));
    let registry = cpe::compose::registry(&world.config, &world.ports);
    let channel = registry.channel("version", "1").await.unwrap();
    let actions: Vec<_> = channel.history.iter().map(|step| step.action).collect();
    assert_eq!(actions, [Action::Shadow, Action::Abort, Action::Shadow, Action::Push]);
    world.stop().await;
}
