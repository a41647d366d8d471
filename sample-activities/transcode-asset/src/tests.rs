//! The whole activity, natively, against a host in memory.

use std::io::Cursor;

use cpe_guest::{
    object_store::ErrorKind,
    testing::{Host, Run},
};
use expect_test::expect;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use serde_json::{Value, json};

use crate::{Output, transcode_asset};

/// Something like a photograph: smooth, with an edge.
fn photo(width: u32, height: u32) -> Vec<u8> {
    let image = RgbImage::from_fn(width, height, |x, y| {
        let sky = (y * 255 / height) as u8;
        if x > width / 2 { Rgb([sky, 90, 30]) } else { Rgb([30, sky, (x % 256) as u8]) }
    });
    encoded(&image.into(), ImageFormat::Jpeg)
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn host() -> Host {
    Host::new().object("media", "in/photo.jpg", photo(2048, 1365))
}

fn run(host: Host, outputs: Value) -> Run<Output> {
    let input = json!({
        "input_asset": {"type": "IMAGE", "bucket": "media", "file": "in/photo.jpg"},
        "input_asset_metadata": {"type": "IMAGE", "mime": "image/jpeg", "width": 2048},
        "output_assets": outputs,
    });
    host.run(|| transcode_asset(serde_json::from_value(input).unwrap()))
}

fn failure(host: Host, output: Value) -> String {
    let run = run(host, json!([output]));
    assert!(run.objects.values().flatten().all(|(key, _)| !key.starts_with("out")), "{run:?}");
    run.result.unwrap_err().to_string()
}

/// The outputs of the demo.
fn demo() -> Value {
    json!([
        {"type": "IMAGE", "bucket": "media", "path": "out", "file": "web.*",
         "resize": "1200x800", "quality": 80},
        {"type": "THUMB", "bucket": "media", "path": "out", "file": "thumb.png",
         "thumbnail": "320x320", "s3_rrs": true},
        {"type": "IMAGE", "bucket": "media", "path": "out", "file": "square.webp",
         "crop": "600x600+700+300", "s3_encrypt": true},
    ])
}

#[test]
fn every_output_is_what_was_asked_for() {
    let run = run(host().read_at_most(1000), demo());
    let made = &run.result.as_ref().unwrap().output_assets;
    let mut lines = String::new();
    for one in made {
        let object = &run.objects["media"][&one.file];
        assert_eq!(object.bytes.len() as u64, one.size);
        assert_eq!(object.content_type.as_deref(), Some(one.mime));
        let image = image::load_from_memory(&object.bytes).unwrap();
        assert_eq!((image.width(), image.height()), (one.width, one.height));
        lines += &format!(
            "{} {} {:?} {}x{} {:?} encrypted {}\n",
            one.r#type,
            one.file,
            image::guess_format(&object.bytes).unwrap(),
            one.width,
            one.height,
            object.storage_class,
            object.encrypt,
        );
    }
    expect![[r#"
        IMAGE out/web.jpg Jpeg 1200x800 None encrypted false
        THUMB out/thumb.png Png 320x213 Some("REDUCED_REDUNDANCY") encrypted false
        IMAGE out/square.webp WebP 600x600 None encrypted true
    "#]]
    .assert_eq(&lines);
    // The edge in the middle of the photograph is 324 pixels into the square.
    let square = image::load_from_memory(run.object("media", "out/square.webp").unwrap()).unwrap();
    let red = |x| square.to_rgb8().get_pixel(x, 300).0[1];
    assert!(red(320) > 100 && red(330) < 100, "{} {}", red(320), red(330));
}

#[test]
fn the_result_is_what_the_plan_reads() {
    let output = run(host(), json!([demo()[0]])).result.unwrap();
    let mut json = serde_json::to_value(output).unwrap();
    json["output_assets"][0]["size"] = json!("…");
    expect![[r#"
        {
          "output_assets": [
            {
              "type": "IMAGE",
              "bucket": "media",
              "file": "out/web.jpg",
              "mime": "image/jpeg",
              "format": "jpeg",
              "width": 1200,
              "height": 800,
              "size": "…"
            }
          ]
        }
    "#]]
    .assert_eq(&format!("{json:#}\n"));
}

#[test]
fn progress_is_told() {
    let run = run(host(), demo());
    let beats: Vec<String> =
        run.beats.iter().map(|beat| format!("{} {}", beat["percent"], beat["message"])).collect();
    expect![[r#"
        0 "reading in/photo.jpg"
        10 "decoding in/photo.jpg (2048x1365)"
        40 "making out/web.jpg (1 of 3)"
        60 "making out/thumb.png (2 of 3)"
        80 "making out/square.webp (3 of 3)"
        100 "made 3 outputs"
    "#]]
    .assert_eq(&(beats.join("\n") + "\n"));
}

#[test]
fn a_cancel_is_obeyed_between_outputs() {
    let run = run(host().cancel_after(3), demo());
    assert_eq!(run.result.unwrap_err().reason, "cpe.canceled");
    assert_eq!(run.objects["media"].len(), 1);
}

#[test]
fn a_watermark_comes_from_its_own_bucket() {
    let mark = encoded(&RgbImage::from_pixel(50, 50, Rgb([250, 250, 0])).into(), ImageFormat::Png);
    let output = json!({
        "type": "IMAGE", "bucket": "media", "path": "out", "file": "marked.png", "resize": "400x",
        "watermark": {"bucket": "brand", "file": "logo.png", "size": "20x", "x": -10, "y": -10},
    });
    let other = json!({
        "type": "IMAGE", "bucket": "media", "path": "out", "file": "again.jpg",
        "watermark": {"bucket": "brand", "file": "logo.png"},
    });
    let run = run(host().object("brand", "logo.png", mark), json!([output, other]));
    let marked = image::load_from_memory(run.object("media", "out/marked.png").unwrap()).unwrap();
    let marked = marked.to_rgb8();
    assert_eq!((marked.width(), marked.height()), (400, 267));
    assert_eq!(marked.get_pixel(380, 247), &Rgb([250, 250, 0]));
    assert_ne!(marked.get_pixel(395, 262), &Rgb([250, 250, 0]));

    let missing = failure(
        host().bucket("brand"),
        json!({
            "type": "IMAGE", "bucket": "media", "path": "out", "file": "a.png",
            "watermark": {"bucket": "brand", "file": "logo.png"},
        }),
    );
    expect!["s3.no-such-key: output_assets[0]: watermark: bucket `brand` has no object `logo.png`"]
        .assert_eq(&missing);
}

#[test]
fn the_older_form_has_one_output() {
    let input = json!({
        "input_asset": {"bucket": "media", "file": "in/photo.jpg"},
        "output_asset": {"type": "IMAGE", "bucket": "media", "file": "a.webp", "resize": "64x"},
    });
    let run = host().run(|| transcode_asset(serde_json::from_value(input).unwrap()));
    let made = run.result.unwrap().output_assets;
    assert_eq!((made.len(), made[0].file.as_str(), made[0].height), (1, "a.webp", 43));
}

#[test]
fn what_cannot_be_done_says_why() {
    let output = |keys: Value| {
        let mut output =
            json!({"type": "IMAGE", "bucket": "media", "path": "out", "file": "a.jpg"});
        output.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        output
    };
    let said = [
        failure(host(), output(json!({"crop": "600x600+2000+0"}))),
        failure(host(), output(json!({"file": "a.gif"}))),
        failure(host(), output(json!({"type": "VIDEO"}))),
        failure(host(), output(json!({"resize": "60000x60000!"}))),
        failure(host(), output(json!({"bucket": "elsewhere"}))),
        failure(Host::new().bucket("media"), output(json!({}))),
        failure(Host::new().object("media", "in/photo.jpg", ""), output(json!({}))),
        failure(Host::new().object("media", "in/photo.jpg", "no picture"), output(json!({}))),
        failure(
            Host::new().object("media", "in/photo.jpg", &photo(640, 480)[..8_000]),
            output(json!({})),
        ),
        failure(
            host().fault("media", "in/photo.jpg", ErrorKind::Unavailable("503".to_owned())),
            output(json!({})),
        ),
    ];
    expect![[r#"
        asset.crop-outside: output_assets[0]: crop: the crop of 600x600 at (2000, 0) is not within the picture of 2048x1365
        asset.format-unsupported: output_assets[0]: file: `.gif` cannot be written; what can is .jpg, .jpeg, .png and .webp
        asset.type-unsupported: output_assets[0].type: VIDEO; this activity makes IMAGE and THUMB
        media.too-large: output_assets[0]: 2048x1365 would become 60000x60000; at most 100000000 pixels and sides of 65535 are made
        cpe.denied.s3: output_assets[0]: access denied: nothing in bucket `elsewhere` was granted (see testing::Host::bucket)
        s3.no-such-key: bucket `media` has no object `in/photo.jpg`
        asset.empty: `in/photo.jpg` in bucket `media` has no bytes
        media.undecodable: in/photo.jpg: it does not begin as a JPEG, PNG, WebP, GIF, BMP or TIFF does
        media.undecodable: in/photo.jpg: JPEG: Exhausted data in the image
        s3.unavailable: bucket `media`, key `in/photo.jpg`: 503
    "#]].assert_eq(&(said.join("\n") + "\n"));
}

#[test]
fn no_two_outputs_have_one_key() {
    let output = json!({"type": "IMAGE", "bucket": "media", "path": "out", "file": "a.jpg"});
    let run = run(host(), json!([output, output]));
    expect!["asset.bad-input: output_assets[1]: file: out/a.jpg is already another output"]
        .assert_eq(&run.result.unwrap_err().to_string());
}
