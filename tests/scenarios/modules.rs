//! New versions of modules while jobs run.

use cpe_modules::Author;
use cpe_tests::{Client, Options, Program, Wire, World, activity, of_another_world, version};
use serde_json::{Value, json};

/// Two steps, and a signal between them.
pub(crate) const TWO: &str = r#"
name: Two
version: 1
activities:
- {name: Fixed, version: v1, module: version@1, outputs_spec: {version: $.version}}
- {name: Latest, version: v1, module: version@1, upgrade: latest, outputs_spec: {version: $.version}}
steps:
- {name: First, activity: Fixed, input: '1'}
- {name: Go, signal: go, requires: [[First, succeeded]], timeout: 60s}
- {name: Second, activity: Fixed, input: '1', requires: [[Go, succeeded]]}
- {name: Third, activity: Latest, input: '1', requires: [[Second, succeeded]]}
- name: All
  requires: [[First, succeeded], [Second, succeeded], [Third, succeeded]]
  eval: '[{{ First.version }}, {{ Second.version }}, {{ Third.version }}]'
output: "{{ All }}"
"#;

/// One step.
const ONE: &str = r#"
name: One
version: 1
activities:
- {name: Version, version: v1, module: MODULE, outputs_spec: {version: $.version}}
steps:
- {name: Only, activity: Version, input: '1'}
output: "{{ Only.version }}"
"#;

pub(crate) fn one(module: &str) -> String {
    ONE.replace("MODULE", module)
}

/// The job's result; what went wrong, if it failed.
pub(crate) async fn result(client: &Client, job: &str) -> Value {
    let events = client.events_of(job).await;
    let last = events.last().unwrap();
    last.pointer("/data/result").or_else(|| last.pointer("/data/errors")).cloned().unwrap()
}

pub(crate) async fn run_one(client: &Client, job: &str) -> Value {
    client.start(job, ("One", "1"), json!({})).await;
    result(client, job).await
}

pub(crate) async fn go(world: &World, job: &str) {
    use cpe_swf::api::SignalWorkflowExecutionRequest;

    let request = SignalWorkflowExecutionRequest {
        domain: world.config.domain.as_str().into(),
        workflow_id: format!("tester.{job}").as_str().into(),
        run_id: None,
        signal_name: "go".to_owned(),
        input: None,
    };
    world.ports.workflows.signal_workflow_execution(request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_execution_keeps_its_version_and_a_new_one_has_the_next() {
    for wire in [Wire::Direct, Wire::Sdk] {
        let world = World::start(Options::new(wire).plan(TWO)).await;
        let client = world.client().await;
        let first = world.push("1", version(1)).await;
        world.settled("1", &first).await;
        client.start("old", ("Two", "1"), json!({})).await;
        client.events_until(|event| event["type"] == "ACTIVITY_COMPLETED").await;
        let second = world.push("1", version(2)).await;
        world.settled("1", &second).await;
        go(&world, "old").await;
        assert_eq!(result(&client, "old").await, json!([1, 1, 2]));

        client.start("new", ("Two", "1"), json!({})).await;
        client.events_until(|event| event["type"] == "ACTIVITY_COMPLETED").await;
        let registry = cpe::compose::registry(&world.config, &world.ports);
        let seen = registry.see("version", "1").await.unwrap();
        registry.rollback(&seen, None, &Author::default()).await.unwrap();
        world.settled("1", &first).await;
        go(&world, "new").await;
        assert_eq!(result(&client, "new").await, json!([2, 2, 1]));
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_good_never_runs_and_the_one_before_goes_on() {
    let world = World::start(Options::new(Wire::Direct).plan(one("version@1"))).await;
    let client = world.client().await;
    let good = world.push("1", version(1)).await;
    world.settled("1", &good).await;
    assert_eq!(run_one(&client, "good").await, json!(1));

    let other = world.push("1", of_another_world()).await;
    assert_eq!(world.settled("1", &other).await.as_deref(), Some("cpe.module.link"));
    assert_eq!(run_one(&client, "other-world").await, json!(1));

    // Corrupted in the store, then gone from it.
    let bucket = &world.config.modules.bucket;
    for (n, reason) in [(2, "cpe.module.digest-mismatch"), (3, "cpe.module.not-found")] {
        let bytes = version(n);
        let digest = cpe_sandbox::Digest::of(&bytes);
        let key = format!("blobs/sha256/{}", digest.hex());
        let at = cpe_ports::ObjectAddress::new(bucket, &key);
        // Spoilt before any worker can have read it.
        let registry = cpe::compose::registry(&world.config, &world.ports);
        registry.upload(&digest, bytes.clone(), &|_| ()).await.unwrap();
        let seen = registry.see("version", "1").await.unwrap();
        let author = Author::default();
        let pushed = registry.version(digest.clone(), &bytes, &author).unwrap();
        if n == 2 {
            client.put(bucket, &key, "garbage").await;
        } else {
            world.ports.blobs.delete(&at).await.unwrap();
        }
        // The push of what is gone says so; its channel is moved by then.
        let _ = registry.advance(&seen, pushed, &author).await;
        assert_eq!(world.settled("1", &digest).await.as_deref(), Some(reason));
        assert_eq!(run_one(&client, reason).await, json!(1));
    }
    let mended = world.push("1", version(4)).await;
    assert_eq!(world.settled("1", &mended).await, None);
    assert_eq!(run_one(&client, "mended").await, json!(4));
    world.stop().await;
}

/// A pair of keys that nothing else uses.
const SECRET: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB
-----END PRIVATE KEY-----
";
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAiojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=
-----END PUBLIC KEY-----
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_is_signed_runs_for_who_asks_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("ci.pub.pem");
    std::fs::write(&key, PUBLIC).unwrap();
    let options = Options::new(Wire::Direct).plan(one("version@1"));
    let world = World::start(Options { signers: Some(vec![key]), ..options }).await;
    let client = world.client().await;
    world.push("1", version(1)).await;
    let refused = run_one(&client, "unsigned").await.to_string();
    assert!(refused.contains("cpe.module.untrusted"), "{refused}");

    let signed = cpe_modules::sign("version", &version(2), SECRET).unwrap();
    let digest = world.push("1", signed.clone()).await;
    world.settled("1", &digest).await;
    assert_eq!(run_one(&client, "signed").await, json!(2));

    let mut tampered = signed.to_vec();
    let at = tampered.windows(11).position(|w| w == b"\"version\":2").unwrap();
    tampered[at + 10] = b'9';
    let digest = world.push("1", tampered.into()).await;
    world.settled("1", &digest).await;
    assert_eq!(run_one(&client, "tampered").await, json!(2), "the one before goes on");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_what_is_in_it_when_the_next_job_runs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("version.wasm");
    std::fs::write(&file, version(1)).unwrap();
    let plan = one(file.to_str().unwrap());
    let world = World::start(Options::new(Wire::Direct).plan(plan)).await;
    let client = world.client().await;
    assert_eq!(run_one(&client, "first").await, json!(1));
    // As compilers write: another file in its place.
    let next = folder.path().join("next");
    std::fs::write(&next, version(2)).unwrap();
    std::fs::rename(&next, &file).unwrap();
    let later = std::fs::metadata(&file).unwrap().modified().unwrap();
    let later = later + std::time::Duration::from_secs(1);
    std::fs::File::options().append(true).open(&file).unwrap().set_modified(later).unwrap();
    assert_eq!(run_one(&client, "second").await, json!(2));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut local = Program::start(folder, &["local", "--port", "0", "--memory"], &[]);
    let line = local.line_with(" at ").await;
    let url = line.split_once(" at ").unwrap().1.trim();
    let cpe = async |arguments: &[&str]| {
        let env = [("AWS_ENDPOINT_URL", url), ("USER", "ann")];
        let (status, printed, said) = Program::run(folder, arguments, &env).await;
        (status, format!("{printed}{said}"))
    };
    std::fs::write(folder.join("one.wasm"), version(1)).unwrap();
    std::fs::write(folder.join("two.wasm"), version(2)).unwrap();
    std::fs::write(folder.join("other.wasm"), of_another_world()).unwrap();
    let (status, said) = cpe(&["module", "push", "one.wasm", "version@1", "-m", "first"]).await;
    assert_eq!(status, 0, "{said}");
    let (_, said) = cpe(&["module", "push", "one.wasm", "version@1"]).await;
    assert!(said.contains("already"), "{said}");
    cpe(&["module", "push", "two.wasm", "version@1", "--output", "json"]).await;
    let (status, said) = cpe(&["module", "push", "other.wasm", "version@1"]).await;
    assert!(status == 1 && said.contains("`cpe:activity/teleport@9.0.0`"), "{said}");

    // One that imports more than that does, and describes itself.
    let words = activity("word-count");
    let words = words.to_str().unwrap();
    let (status, said) = cpe(&["module", "push", words, "version@1"]).await;
    assert!(status == 1 && said.contains("imports `cpe:activity/object-store@0.1`"), "{said}");
    let (status, said) = cpe(&["module", "push", words, "version@1", "--accept"]).await;
    assert_eq!(status, 0, "{said}");
    let (_, said) = cpe(&["module", "show", "version@1", "--output", "json"]).await;
    let shown: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(shown["component"]["description"]["name"], "word-count");
    let input = &shown["component"]["description"]["input"];
    assert_eq!(input["required"], json!(["bucket", "file"]));
    assert_eq!(input["properties"]["file"]["description"], "The object's key.");
    assert_eq!(shown["history"].as_array().unwrap().len(), 3);

    let (_, said) = cpe(&["module", "rollback", "version@1", "-m", "too much"]).await;
    assert!(said.contains("again"), "{said}");
    let (_, said) = cpe(&["module", "show", "version@1"]).await;
    assert!(said.contains("rollback") && said.contains("ann  too much"), "{said}");
    let (_, said) = cpe(&["module", "list"]).await;
    assert!(said.starts_with("version@1  sha256:"), "{said}");
    let (status, said) = cpe(&["module", "verify", "version@1", "--all"]).await;
    assert!(status == 0 && said.matches("good").count() == 3, "{said}");
    let (status, said) = cpe(&["module", "run", "version@1"]).await;
    assert!(status == 0 && said.contains(r#"{"version":2}"#) && said.contains("took"), "{said}");
    let (status, said) = cpe(&["module", "prune", "--dry-run"]).await;
    assert!(status == 0 && said.contains("3 components stay"), "{said}");

    std::fs::create_dir(folder.join("media")).unwrap();
    std::fs::write(folder.join("media/text"), "to be or not\nto be").unwrap();
    std::fs::write(folder.join("job.json"), r#"{"bucket": "media", "file": "text"}"#).unwrap();
    let run = ["module", "run", words, "--input", "job.json", "--bucket", "media=media"];
    let (status, said) = cpe(&run).await;
    assert!(status == 0 && said.contains(r#"{"words":6,"lines":2,"bytes":18}"#), "{said}");
    assert!(local.terminate().await);
}
