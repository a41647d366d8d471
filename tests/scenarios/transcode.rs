//! Cloud Transcode's plan, from START_JOB to pictures.

use cpe_tests::{Options, Wire, events_text, photo, plan_file};
use expect_test::expect;
use serde_json::json;

use crate::check;

fn options(wire: Wire) -> Options {
    Options::new(wire)
        .plan(plan_file("transcode.yaml"))
        .module("validate-asset")
        .module("transcode-asset")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_photograph_becomes_what_was_asked_for() {
    check(
        options,
        async |_, client| {
            client.put("media", "in/photo.jpg", photo()).await;
            let data = json!({
                "input_asset": {"type": "IMAGE", "bucket": "media", "file": "in/photo.jpg"},
                "output_assets": [
                    {"type": "THUMB", "bucket": "media", "path": "out", "file": "t.*",
                     "thumbnail": "160x160"},
                ],
            });
            client.start("j1", ("Transcode", "1.0"), data).await;
            let events = client.events_of("j1").await;
            let thumb = client.get("media", "out/t.jpg").await.unwrap();
            let thumb = image::load_from_memory(&thumb).unwrap();
            let kinds: Vec<_> = events_text(&events)
                .lines()
                .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "))
                .map(|line| line.split(" {").next().unwrap().to_owned())
                .collect();
            format!("{}\n{}x{}\n", kinds.join("\n"), thumb.width(), thumb.height())
        },
        expect![[r#"
            WORKFLOW_SCHEDULED
            JOB_STARTED
            ACTIVITY_SCHEDULED ValidateAssetStep
            ACTIVITY_STARTED ValidateAssetStep
            ACTIVITY_COMPLETED ValidateAssetStep
            ACTIVITY_SCHEDULED TranscodeAssetStep[0]
            ACTIVITY_STARTED TranscodeAssetStep[0]
            ACTIVITY_COMPLETED TranscodeAssetStep[0]
            JOB_COMPLETED
            160x107
        "#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_has_jobid_seq_and_an_eventid_of_its_own() {
    check(
        options,
        async |_, client| {
            client.put("media", "in/photo.jpg", photo()).await;
            let data = json!({
                "input_asset": {"bucket": "media", "file": "in/photo.jpg"},
                "output_assets": [{"type": "IMAGE", "bucket": "media", "file": "x.png",
                                   "resize": "64x64"}],
            });
            client.start("j2", ("Transcode", "1.0"), data).await;
            let events = client.events_of("j2").await;
            let mut ids = std::collections::BTreeSet::new();
            for event in &events {
                if event["type"] == "ACTIVITY_COMPLETED" {
                    let metering = &event["data"]["activity"]["metering"];
                    assert!(metering["module"].as_str().unwrap().starts_with("sha256:"), "{event}");
                    assert!(metering["s3Read"].as_u64().unwrap() > 0, "{event}");
                }
                assert_eq!(event["jobId"], "j2", "{event}");
                assert!(event["seq"].is_i64() || event["seq"].is_u64(), "{event}");
                assert!(ids.insert(event["eventId"].as_str().unwrap().to_owned()), "{event}");
            }
            let progress =
                events.iter().filter(|event| event["type"] == "ACTIVITY_PROGRESS").count();
            format!("progress heard: {}\n", progress > 0)
        },
        expect![[r#"
            progress heard: true
        "#]],
    )
    .await;
}
