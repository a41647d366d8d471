use cpe_guest::{Failure, run_json};
use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;

/// What is said of inputs: one line each.
fn check(inputs: &[Value], expected: Expect) {
    let lines: Vec<String> = inputs.iter().map(said).collect();
    expected.assert_eq(&(lines.join("\n") + "\n"));
}

fn said(input: &Value) -> String {
    let mut outputs = String::new();
    let result = run_json(&input.to_string(), |input: Input| match input.into_request() {
        Ok(request) => {
            outputs = format!("{:?}", request.outputs);
            Ok(())
        }
        Err(refusal) => Err(Failure::from(refusal)),
    });
    result.err().map_or(outputs, |failure| failure.to_string())
}

/// An input whose only output has these keys beside the needed ones.
fn with(keys: Value) -> Value {
    let mut output = json!({"type": "IMAGE", "bucket": "media", "file": "a.jpg"});
    output.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    json!({"input_asset": {"bucket": "media", "file": "in"}, "output_assets": [output]})
}

#[test]
fn everything_that_can_be_said() {
    let keys = json!({
        "type": "thumb", "path": "out", "quality": "80", "resize": "1200x800", "size": "-1:159",
        "thumbnail": 320, "crop": "600x600-0+300", "keep_ratio": false, "no_enlarge": true,
        "watermark": {"bucket": "brand", "file": "logo.png", "size": "20%", "opacity": 0.5,
                      "x": -20, "y": "-0"},
        "s3_rrs": true, "s3_encrypt": null, "mode": "snapshot", "snapshot_sec": 5,
    });
    check(
        &[with(keys)],
        expect![[r#"
        [OutputAsset { kind: Thumb, bucket: "media", path: Some("out"), file: "a.jpg", quality: Some(Quality(80)), resize: Some(Box { width: Some(1200), height: Some(800), exact: false, only_shrink: false }), size: Some(Box { width: None, height: Some(159), exact: false, only_shrink: false }), thumbnail: Some(Box { width: Some(320), height: None, exact: false, only_shrink: false }), crop: Some(Crop { size: Size { width: 600, height: 600 }, x: Offset { distance: 0, from_far_edge: true }, y: Offset { distance: 300, from_far_edge: false } }), keep_ratio: Some(false), no_enlarge: Some(true), watermark: Some(Watermark { bucket: "brand", file: "logo.png", size: Some(Percent(2000)), opacity: Some(Opacity(0.5)), x: Offset { distance: 20, from_far_edge: true }, y: Offset { distance: 0, from_far_edge: true } }), s3_rrs: Some(true), s3_encrypt: None }]
    "#]],
    );
}

#[test]
fn wrong_values_are_told_with_their_path() {
    let watermark = |key: &str, value: Value| {
        with(json!({"watermark": {"bucket": "b", "file": "f", key: value}}))
    };
    check(
        &[
            with(json!({"quality": 0})),
            with(json!({"quality": 80.5})),
            with(json!({"quality": true})),
            with(json!({"resize": "big"})),
            with(json!({"resize": ["1x1"]})),
            with(json!({"crop": "600"})),
            with(json!({"type": "FILM"})),
            with(json!({"keep_ratio": "yes"})),
            with(json!({"bucket": null})),
            watermark("opacity", json!(1.5)),
            watermark("opacity", json!("NaN")),
            watermark("x", json!(0.5)),
            watermark("y", json!(100_000)),
            with(json!({"watermark": {"bucket": "b"}})),
        ],
        expect![[r#"
            cpe.bad-input: `output_assets[0].quality`: 0 is no whole number from 1 to 100 at line 1 column 123
            cpe.bad-input: `output_assets[0].quality`: 80.5 is no whole number from 1 to 100 at line 1 column 126
            cpe.bad-input: `output_assets[0].quality`: invalid type: boolean `true`, expected a quality from 1 to 100 at line 1 column 125
            cpe.bad-input: `output_assets[0].resize`: `big` is no size: write WxH, Wx, xH, -1:H or W:-1 with sides from 1 to 65535, or a percentage such as 50% at line 1 column 126
            cpe.bad-input: `output_assets[0].resize`: invalid type: sequence, expected a size such as "1200x800" at line 1 column 121
            cpe.bad-input: `output_assets[0].crop`: `600` is no crop: write WxH+X+Y with sides from 1 to 65535; with a minus, an offset counts from the right or bottom edge at line 1 column 124
            cpe.bad-input: `output_assets[0].type`: `FILM` is none of IMAGE, THUMB, VIDEO, AUDIO, DOC at line 1 column 77
            cpe.bad-input: `output_assets[0].keep_ratio`: invalid type: string "yes", expected a boolean at line 1 column 129
            cpe.bad-input: `output_assets[0].bucket`: invalid type: null, expected a string at line 1 column 92
            cpe.bad-input: `output_assets[0].watermark.opacity`: 1.5 is not from 0 to 1 at line 1 column 162
            cpe.bad-input: `output_assets[0].watermark.opacity`: NaN is not from 0 to 1 at line 1 column 164
            cpe.bad-input: `output_assets[0].watermark.x`: 0.5 is no whole number from -65535 to 65535 at line 1 column 156
            cpe.bad-input: `output_assets[0].watermark.y`: 100000 is no whole number from -65535 to 65535 at line 1 column 159
            cpe.bad-input: `output_assets[0].watermark`: missing field `file` at line 1 column 137
        "#]],
    );
}

#[test]
fn what_no_single_value_shows() {
    let asset = json!({"bucket": "media", "file": "in"});
    let video = json!({"type": "VIDEO", "bucket": "media", "file": "a.mp4"});
    check(
        &[
            json!({"input_asset": asset}),
            json!({"input_asset": {"http": "https://example.com/a"}, "output_assets": []}),
            json!({"input_asset": {"type": "IMAGE"}, "output_assets": []}),
            json!({"input_asset": asset, "output_assets": []}),
            json!({"input_asset": asset, "output_assets": [video], "output_asset": video}),
            json!({"input_asset": asset, "output_asset": video}),
            json!({"input_asset": asset, "input_asset_metadata": {"type": "AUDIO"},
                   "output_assets": [video]}),
            json!({"output_assets": [video]}),
        ],
        expect![[r#"
            asset.bad-input: output_assets: missing; it lists what to make
            asset.http-not-granted: input_asset.http: activities have no HTTP access yet; upload the asset and name its bucket and file
            asset.bad-input: input_asset: needs bucket and file
            asset.bad-input: output_assets: 1 to 100, not 0
            asset.bad-input: output_assets and output_asset: give one of them
            asset.type-unsupported: output_assets[0].type: VIDEO; this activity makes IMAGE and THUMB
            asset.type-unsupported: input_asset_metadata.type: AUDIO; this activity reads images
            cpe.bad-input: the input: missing field `input_asset` at line 1 column 68
        "#]],
    );
}
