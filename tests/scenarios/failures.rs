//! Activities that fail: the client hears the reason and readable details, twice: of the activity
//! and of the job.

use cpe_tests::{Options, Wire, events_text, plan_file};
use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::check;

const PLAN: &str = r#"
name: Misbehave
version: "1"
activities:
- name: Misbehave
  version: v1
  module: misbehave@1
  heartbeat_timeout: 30
  start_to_close_timeout: 4
  limits: {memory: 32MiB, cpu: 1s, output: 64KiB}
steps:
- name: Do
  activity: Misbehave
  input: "{{ __input__.what }}"
"#;

fn options(wire: Wire) -> Options {
    Options::new(wire).plan(PLAN).module("misbehave")
}

/// What the client hears of the failed activity; the job must fail with the same reason.
async fn misbehave(what: Value, expect: Expect) {
    check(
        options,
        async |_, client| {
            client.start("m", ("Misbehave", "1"), json!({"what": what})).await;
            let events = client.events_of("m").await;
            let of_activity =
                events.iter().find_map(|event| event.pointer("/data/activity/result"));
            let of_activity = of_activity.unwrap_or_else(|| panic!("{}", events_text(&events)));
            let failed = events.iter().find(|event| event["type"] == "ACTIVITY_FAILED").unwrap();
            let metering = &failed["data"]["activity"]["metering"];
            assert!(metering["module"].as_str().unwrap().starts_with("sha256:"), "{failed}");
            assert!(metering["peakMemory"].as_u64().unwrap() > 0, "{failed}");
            let job = events.last().unwrap();
            assert_eq!(job["type"], "JOB_FAILED");
            assert_eq!(job["data"]["result"]["reason"], of_activity["reason"]);
            let details = of_activity["details"].to_string();
            // A backtrace names addresses, which change with every build, and how long a wait may
            // take depends on when the activity began.
            let details = details.split("\\n").next().unwrap().split(" than 3.").next().unwrap();
            format!("{} {details}\n", of_activity["reason"].as_str().unwrap())
        },
        expect,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_traps() {
    misbehave(
        json!({"do": "trap"}),
        expect![[r#"
        cpe.trap "the activity trapped: wasm trap: wasm `unreachable` instruction executed
    "#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_panics() {
    misbehave(
        json!({"do": "panic"}),
        expect![[r#"
        cpe.trap "the activity trapped: wasm trap: wasm `unreachable` instruction executed
    "#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_never_ends() {
    misbehave(
        json!({"do": "spin"}),
        expect![[r#"
        cpe.limit.cpu "the activity used up its 1s of CPU time"
    "#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_waits_too_long() {
    misbehave(
        json!({"do": "sleep", "millis": 60_000}),
        expect![[r#"
        cpe.limit.wall "the activity took longer
    "#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_eats_memory() {
    misbehave(
        json!({"do": "eat-memory"}),
        expect![[r#"
        cpe.limit.memory "the activity needed more than its 33554432 bytes of memory"
    "#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_says_too_much() {
    misbehave(
        json!({"do": "huge-output", "bytes": 200_000}),
        expect![[r#"
        cpe.limit.output "the activity's result has more than 65536 bytes"
    "#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_fails_by_itself() {
    let what = json!({"do": "fail", "reason": "media.odd", "details": "odd", "retryable": false});
    misbehave(
        what,
        expect![[r#"
        media.odd "odd"
    "#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_was_not_granted() {
    let what = json!({"do": "read", "bucket": "others", "key": "secret"});
    misbehave(
        what,
        expect![[r#"
        cpe.denied.s3 "access denied: nothing in bucket `others` was granted"
    "#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_was_not_granted() {
    let what = json!({"do": "fetch", "url": "http://169.254.169.254/latest/meta-data/"});
    misbehave(
        what,
        expect![[r#"
        cpe.denied.http "ErrorCode::HttpRequestDenied"
    "#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn input_that_the_activity_does_not_know() {
    misbehave(
        json!({"do": "sleep", "millis": "long"}),
        expect![[r#"
        cpe.bad-input "the input: invalid type: string \"long\", expected u64"
    "#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_failed_activity_wrote_is_not_there() {
    check(
        options,
        async |_, client| {
            client.put("media", "in", "x").await;
            let what = json!({"do": "write-then-fail", "bucket": "media", "key": "out"});
            client.start("m", ("Misbehave", "1"), json!({"what": what})).await;
            let events = client.events_of("m").await;
            let written = client.get("media", "out").await;
            format!("{} {}\n", events.last().unwrap()["type"], written.is_some())
        },
        expect![[r#"
            "JOB_FAILED" false
        "#]],
    )
    .await;
}

fn transcode(wire: Wire) -> Options {
    Options::new(wire)
        .plan(plan_file("transcode.yaml"))
        .module("validate-asset")
        .module("transcode-asset")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_is_missing_or_no_image() {
    check(
        transcode,
        async |_, client| {
            client.put("media", "in/text.jpg", "this is no picture at all").await;
            client.put("media", "in/cut.jpg", cpe_tests::photo()[..3000].to_vec()).await;
            let mut told = String::new();
            for (job, file) in [("a", "in/none.jpg"), ("b", "in/text.jpg"), ("c", "in/cut.jpg")] {
                let data = json!({
                    "input_asset": {"type": "IMAGE", "bucket": "media", "file": file},
                    "output_assets": [{"type": "THUMB", "bucket": "media", "file": "t.png",
                                       "thumbnail": "10x10"}],
                });
                client.start(job, ("Transcode", "1.0"), data).await;
                let events = client.events_of(job).await;
                let end = events.last().unwrap();
                told += &format!("{} {}\n", end["type"], end["data"]["result"]);
            }
            told
        },
        expect![[r#"
            "JOB_FAILED" {"reason":"s3.no-such-key","details":{"step":"ValidateAssetStep","reason":"s3.no-such-key","details":"bucket `media` has no object `in/none.jpg`"}}
            "JOB_FAILED" {"reason":"asset.type-mismatch","details":{"step":"ValidateAssetStep","reason":"asset.type-mismatch","details":"`in/text.jpg` is declared as IMAGE but is text/plain (DOC)"}}
            "JOB_FAILED" {"reason":"media.undecodable","details":{"step":"TranscodeAssetStep","reason":"media.undecodable","details":"in/cut.jpg: JPEG: Exhausted data in the image"}}
        "#]],
    )
    .await;
}
