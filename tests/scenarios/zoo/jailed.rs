//! Guests in a jail: each ends as it does without one, beside neighbours in the same process.

use std::time::Duration;

use cpe_tests::jailer;
use serde_json::{Value, json};

use super::{Zoo, egress};

/// What a guest's end is with and without a jail, which must be the same.
fn same(set: impl Fn(&mut Zoo), input: &Value) -> String {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut told = Vec::new();
        for jail in [None, Some(jailer())] {
            let folder = tempfile::tempdir().unwrap();
            let scratch = Some(folder.path().to_owned());
            let mut zoo = Zoo::housed("misbehave", scratch, jail).await;
            set(&mut zoo);
            let before = super::contents(&zoo);
            told.push(zoo.observe(input.to_string()).await);
            assert_eq!(super::contents(&zoo), before, "{input}");
        }
        assert_eq!(told[0], told[1], "without and within a jail: {input}");
        told.remove(0)
    })
}

fn all(inputs: &[Value]) {
    for input in inputs {
        same(|_| {}, input);
    }
}

#[test]
fn results_failures_and_traps() {
    all(&[
        json!({"do": "echo", "value": [1]}),
        json!({"do": "trap"}),
        json!({"do": "exit", "code": 0}),
        json!({"do": "fail", "reason": "cpe.jail.lost", "details": "not at all"}),
    ]);
}

#[test]
fn limits() {
    all(&[
        json!({"do": "spin"}),
        json!({"do": "sleep", "millis": 3_600_000}),
        json!({"do": "eat-memory"}),
        json!({"do": "recurse"}),
        json!({"do": "huge-output", "bytes": 8 << 20}),
        json!({"do": "flood-log", "lines": 100_000_000}),
        json!({"do": "header-bomb"}),
        json!({"do": "beat-forever"}),
    ]);
    // A thousand calls, each of which the parent answers.
    let patient = |zoo: &mut Zoo| zoo.limits.wall = Duration::from_secs(30);
    same(patient, &json!({"do": "hold-handles", "bucket": "media"}));
}

#[test]
fn objects() {
    let copy = |key: &str, to: &str| json!({"do": "copy", "bucket": "media", "key": key, "to": to});
    all(&[
        json!({"do": "read", "bucket": "media", "key": "in/a"}),
        json!({"do": "read", "bucket": "media", "key": "secret"}),
        json!({"do": "read", "bucket": "others", "key": "secret"}),
        json!({"do": "write", "bucket": "media", "key": "in/a"}),
        json!({"do": "write-then-fail", "bucket": "media", "key": "out/a"}),
        json!({"do": "list", "bucket": "media", "prefix": "in/"}),
        json!({"do": "list", "bucket": "media", "prefix": ""}),
        copy("secret", "out/a"),
        copy("in/a", "in/b"),
        json!({"do": "delete", "bucket": "media", "key": "in/a"}),
        json!({"do": "evil-keys", "bucket": "media"}),
        json!({"do": "snoop"}),
    ]);
}

#[test]
fn scratch_space() {
    for bytes in [500_000, 2 << 20] {
        let set = |zoo: &mut Zoo| {
            zoo.limits.scratch = 1 << 20;
            zoo.limits.cpu = Duration::from_secs(5);
        };
        same(set, &json!({"do": "scratch", "bytes": bytes}));
    }
}

#[test]
fn requests() {
    let (port, heard) = egress::server(|_| egress::HELLO.to_owned());
    let url = format!("http://localhost:{port}/a?b=c");
    let denied = same(|_| {}, &json!({"do": "fetch", "url": url}));
    assert!(denied.starts_with("cpe.denied.http"), "{denied}");
    let fetched = json!({"do": "fetch", "url": url, "token": "API_KEY"});
    let told = same(|zoo| egress::with_secret(zoo, port), &fetched);
    assert_eq!(told, r#"ok {"status":200,"body":"hello"}"#);
    let heard = heard.lock().unwrap();
    assert_eq!(heard.len(), 2, "once from each");
    assert!(heard.iter().all(|heard| heard.contains("authorization: Bearer t0p-s3cret\r\n")));
}
