//! The whole activity, natively, against a host in memory.

use cpe_guest::{object_store::ErrorKind, run_json, testing::Host};
use expect_test::{Expect, expect};
use image::{DynamicImage, ImageFormat, RgbImage};
use serde_json::{Value, json};

use crate::validate_asset;

fn png() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    DynamicImage::from(RgbImage::new(40, 30)).write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn said(host: Host, asset: Value) -> String {
    let input = json!({"input_asset": asset}).to_string();
    match host.run(|| run_json(&input, validate_asset)).result {
        Ok(json) => json,
        Err(failure) if failure.retryable => format!("{failure} (retryable)"),
        Err(failure) => failure.to_string(),
    }
}

/// What is said of objects with these bytes and these declared types.
fn check(objects: &[(&[u8], Option<&str>)], expected: Expect) {
    let lines: Vec<String> = objects
        .iter()
        .map(|(bytes, declared)| {
            let asset = json!({"type": declared, "bucket": "media", "file": "in/a"});
            said(Host::new().object("media", "in/a", *bytes), asset)
        })
        .collect();
    expected.assert_eq(&(lines.join("\n") + "\n"));
}

#[test]
fn a_picture_is_measured() {
    check(
        &[(&png(), None), (&png(), Some("image"))],
        expect![[r#"
        {"mime":"image/png","type":"IMAGE","format":"png","width":40,"height":30,"orientation":1,"size":210,"bucket":"media","file":"in/a"}
        {"mime":"image/png","type":"IMAGE","format":"png","width":40,"height":30,"orientation":1,"size":210,"bucket":"media","file":"in/a"}
    "#]],
    );
}

/// A box of an MP4.
fn mp4_box(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(8 + content.len()).unwrap();
    [length.to_be_bytes().as_slice(), kind, content].concat()
}

/// An MP4 of one track, whose contents come after its data, as recorders write it.
fn mp4(handler: &[u8; 4]) -> Vec<u8> {
    let handler = [[0; 8].as_slice(), handler, &[0; 13]].concat();
    let track = mp4_box(b"trak", &mp4_box(b"mdia", &mp4_box(b"hdlr", &handler)));
    [
        mp4_box(b"ftyp", b"isom\0\0\0\0isom"),
        mp4_box(b"mdat", &[0; 500_000]),
        mp4_box(b"moov", &track),
    ]
    .concat()
}

#[test]
fn other_assets_are_recognised() {
    let wav = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0";
    let ogg = b"OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x1e\x01vorbis";
    let webm = b"\x1A\x45\xDF\xA3\x87\x42\x82\x84webm";
    let matroska = b"\x1A\x45\xDF\xA3\x8B\x42\x82\x88matroska".as_slice();
    // A segment of unknown length, with one track.
    let track =
        b"\x18\x53\x80\x67\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x16\x54\xAE\x6B\x89\xAE\x87\x86\x85";
    let mkv = [matroska, track, b"V_VP8"].concat();
    let mka = [matroska, track, b"A_AAC"].concat();
    check(
        &[
            (&mp4(b"vide"), Some("VIDEO")),
            (&mp4(b"soun"), Some("AUDIO")),
            (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", None),
            (webm, None),
            (webm, Some("AUDIO")),
            (&mkv, None),
            (&mka, Some("AUDIO")),
            (&matroska[..9], None),
            (b"PK\x03\x04\x14\0", None),
            (b"ID3\x03\0\0\0\0\0\0\xFF\xFB\x90\x64", None),
            (b"\xFF\xFB\x90\x64\0\0", Some("AUDIO")),
            (wav, None),
            (ogg, None),
            (b"fLaC\0\0\0\x22", None),
            (b"%PDF-1.7\n%\xE2\xE3\xCF\xD3\n", Some("DOC")),
            (b"{\\rtf1 text}", None),
            (b"\x1f\x8b\x08\0", None),
            (b"<?xml version=\"1.0\"?><a/>", None),
            ("Größe: 10 €\n".as_bytes(), Some("DOC")),
            (b"\0asm\x01\0\0\0", None),
        ],
        expect![[r#"
            {"mime":"video/mp4","type":"VIDEO","format":"mp4","size":500085,"bucket":"media","file":"in/a"}
            {"mime":"audio/mp4","type":"AUDIO","format":"mp4","size":500085,"bucket":"media","file":"in/a"}
            {"mime":"video/quicktime","type":"VIDEO","format":"mov","size":20,"bucket":"media","file":"in/a"}
            {"mime":"video/webm","type":"VIDEO","format":"webm","size":12,"bucket":"media","file":"in/a"}
            {"mime":"video/webm","type":"AUDIO","format":"webm","size":12,"bucket":"media","file":"in/a"}
            {"mime":"video/matroska","type":"VIDEO","format":"mkv","size":42,"bucket":"media","file":"in/a"}
            {"mime":"audio/matroska","type":"AUDIO","format":"mka","size":42,"bucket":"media","file":"in/a"}
            {"mime":"application/x-ebml","type":"VIDEO","format":"ebml","size":9,"bucket":"media","file":"in/a"}
            {"mime":"application/zip","type":"ARCHIVE","format":"zip","size":6,"bucket":"media","file":"in/a"}
            {"mime":"audio/mpeg","type":"AUDIO","format":"mp3","size":14,"bucket":"media","file":"in/a"}
            {"mime":"audio/mpeg","type":"AUDIO","format":"mp3","size":6,"bucket":"media","file":"in/a"}
            {"mime":"audio/wav","type":"AUDIO","format":"wav","size":24,"bucket":"media","file":"in/a"}
            {"mime":"audio/ogg","type":"AUDIO","format":"ogg","size":35,"bucket":"media","file":"in/a"}
            {"mime":"audio/flac","type":"AUDIO","format":"flac","size":8,"bucket":"media","file":"in/a"}
            {"mime":"application/pdf","type":"DOC","format":"pdf","size":15,"bucket":"media","file":"in/a"}
            {"mime":"application/rtf","type":"DOC","format":"rtf","size":12,"bucket":"media","file":"in/a"}
            {"mime":"application/gzip","type":"ARCHIVE","format":"gz","size":4,"bucket":"media","file":"in/a"}
            {"mime":"text/xml","type":"DOC","format":"xml","size":25,"bucket":"media","file":"in/a"}
            {"mime":"text/plain","type":"DOC","format":"txt","size":16,"bucket":"media","file":"in/a"}
            {"mime":"application/wasm","type":"OTHER","format":"wasm","size":8,"bucket":"media","file":"in/a"}
        "#]],
    );
}

#[test]
fn a_long_text_may_be_cut_within_a_character() {
    let text = "€".repeat(40_000);
    check(
        &[(text.as_bytes(), None)],
        expect![[r#"
        {"mime":"text/plain","type":"DOC","format":"txt","size":120000,"bucket":"media","file":"in/a"}
    "#]],
    );
}

#[test]
fn what_is_wrong_is_told() {
    let png = png();
    check(
        &[
            (b"", None),
            (b"\x01\x02\x03\x04", None),
            (b"text", Some("IMAGE")),
            (&png, Some("VIDEO")),
            (&png[..28], Some("IMAGE")),
            (&png, Some("FILM")),
        ],
        expect![[r#"
            asset.empty: `in/a` in bucket `media` has no bytes
            asset.unknown: `in/a` begins like nothing that is known, and is no text
            asset.type-mismatch: `in/a` is declared as IMAGE but is text/plain (DOC)
            asset.type-mismatch: `in/a` is declared as VIDEO but is image/png (IMAGE)
            media.undecodable: `in/a` begins as image/png does, but its head is broken: unexpected end of file
            cpe.bad-input: `input_asset.type`: `FILM` is none of IMAGE, VIDEO, AUDIO, DOC at line 1 column 29
        "#]],
    );
}

#[test]
fn an_asset_is_named_by_bucket_and_file() {
    let said = [
        said(Host::new(), json!({"type": "IMAGE", "http": "https://example.com/a.jpg"})),
        said(Host::new(), json!({"bucket": "media"})),
        said(Host::new(), json!({"bucket": "media", "file": "in/a"})),
        said(Host::new().bucket("media"), json!({"bucket": "media", "file": "in/a"})),
        said(
            Host::new().fault("media", "in/a", ErrorKind::Unavailable("503".to_owned())),
            json!({"bucket": "media", "file": "in/a"}),
        ),
    ];
    expect![[r#"
        asset.http-not-granted: input_asset.http: activities have no HTTP access yet; upload the asset and name its bucket and file
        asset.bad-input: input_asset: needs bucket and file
        cpe.denied.s3: access denied: nothing in bucket `media` was granted (see testing::Host::bucket)
        s3.no-such-key: bucket `media` has no object `in/a`
        s3.unavailable: bucket `media`, key `in/a`: 503 (retryable)
    "#]].assert_eq(&(said.join("\n") + "\n"));
}
