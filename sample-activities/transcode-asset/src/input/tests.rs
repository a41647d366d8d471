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
    check(&[with(keys)], expect![[r#""#]]);
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
        expect![[r#""#]],
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
        expect![[r#""#]],
    );
}
