use std::io::Cursor;

use expect_test::{Expect, expect};
use image::{
    DynamicImage, GrayImage, ImageEncoder, ImageFormat, RgbImage, codecs::jpeg::JpegEncoder,
};

use super::*;
use crate::{
    kind,
    window::{Window, tests::Memory},
};

/// An EXIF block of one entry: tag 0x0112, SHORT, one of them, the value 6.
const EXIF: &[u8] = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";

fn encoded(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::from(RgbImage::new(width, height)).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// What is found of it, and how much was fetched for that.
fn said(bytes: Vec<u8>) -> String {
    let memory = Memory::new(bytes);
    let mut window = Window::new(&memory).unwrap();
    let Some(found) = kind::find(&mut window).unwrap() else { return "unknown".to_owned() };
    let shape = match shape(found.format, &mut window) {
        Ok(Some(Shape { width, height, orientation })) => {
            format!("{width}x{height} orientation {orientation}")
        }
        Ok(None) => "no shape".to_owned(),
        Err(said) => said,
    };
    let (mime, name) = (&found.mime, &found.name);
    format!("{mime} {name}: {shape} ({} of {})", window.fetched(), memory.bytes.len())
}

fn check(pictures: Vec<Vec<u8>>, expected: Expect) {
    let lines: Vec<String> = pictures.into_iter().map(said).collect();
    expected.assert_eq(&(lines.join("\n") + "\n"));
}

#[test]
fn every_format_that_is_decoded() {
    let formats = [
        ImageFormat::Jpeg,
        ImageFormat::Png,
        ImageFormat::WebP,
        ImageFormat::Gif,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
    ];
    check(
        formats.map(|format| encoded(40, 30, format)).to_vec(),
        expect![[r#"
        image/jpeg jpeg: 40x30 orientation 1 (662 of 662)
        image/png png: 40x30 orientation 1 (210 of 210)
        image/webp webp: 40x30 orientation 1 (78 of 78)
        image/gif gif: 40x30 orientation 1 (80 of 80)
        image/bmp bmp: 40x30 orientation 1 (3654 of 3654)
        image/tiff tiff: 40x30 orientation 1 (3810 of 3810)
    "#]],
    );
}

#[test]
fn a_picture_may_be_much_longer_than_its_head() {
    check(
        vec![encoded(1_500, 1_000, ImageFormat::Bmp), encoded(1_500, 1_000, ImageFormat::Tiff)],
        expect![[r#"
            image/bmp bmp: 1500x1000 orientation 1 (65536 of 4500054)
            image/tiff tiff: 1500x1000 orientation 1 (66156 of 4500250)
        "#]],
    );
}

fn jpeg(encoder: impl FnOnce(&mut JpegEncoder<&mut Vec<u8>>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut jpeg = JpegEncoder::new(&mut bytes);
    encoder(&mut jpeg);
    jpeg.encode_image(&GrayImage::new(40, 30)).unwrap();
    bytes
}

#[test]
fn metadata_may_be_long() {
    let turned = jpeg(|encoder| encoder.set_exif_metadata(EXIF.to_vec()).unwrap());
    let profiled = jpeg(|encoder| encoder.set_icc_profile(vec![0; 700_000]).unwrap());
    // Ten segments of comments before anything else.
    let comment = [b"\xFF\xFE\xFF\xFF".as_slice(), &[b'x'; 65_533]].concat();
    let mut commented = turned.clone();
    commented.splice(2..2, comment.repeat(10));
    let endless = [b"\xFF\xD8".as_slice(), &comment.repeat(300)].concat();
    check(
        vec![turned, profiled, commented, endless],
        expect![[r#"
        image/jpeg jpeg: 40x30 orientation 6 (383 of 383)
        image/jpeg jpeg: 40x30 orientation 1 (700545 of 700545)
        image/jpeg jpeg: 40x30 orientation 6 (213373 of 655753)
        image/jpeg jpeg: I/O errors Not enough bytes, expected 1 but found 0 (4964352 of 19661102)
    "#]],
    );
}

#[test]
fn a_webp_tells_its_orientation_at_its_end() {
    let mut pixels = Vec::new();
    let mut encoder = image_webp::WebPEncoder::new(&mut pixels);
    encoder.set_exif_metadata(EXIF.to_vec());
    // Noise, so that there is something between head and end.
    let mut seed = 1u32;
    let noise: Vec<u8> = (0..300 * 300 * 3)
        .map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        })
        .collect();
    encoder.encode(&noise, 300, 300, image_webp::ColorType::Rgb8).unwrap();
    // A metadata chunk that claims to be larger than any file.
    let mut boastful = pixels.clone();
    let at = boastful.windows(4).position(|four| four == b"EXIF").unwrap();
    boastful[at + 4..at + 8].copy_from_slice(&0xF000_0000u32.to_le_bytes());
    check(
        vec![pixels, boastful],
        expect![[r#"
        image/webp webp: 300x300 orientation 6 (65570 of 270146)
        image/webp webp: 300x300 orientation 1 (65570 of 270146)
    "#]],
    );
}

#[test]
fn what_nothing_here_decodes_is_measured_where_it_can_be() {
    // The least that makes an AVIF: ftyp, meta with iprp, ipco, ispe.
    let ispe = b"\0\0\0\x14ispe\0\0\0\0\0\0\x07\x80\0\0\x04\x38";
    let avif = [
        b"\0\0\0\x18ftypavif\0\0\0\0avifmif1".as_slice(),
        b"\0\0\0\x30meta\0\0\0\0\0\0\0\x24iprp\0\0\0\x1cipco",
        ispe,
    ]
    .concat();
    let psd = b"8BPS\0\x01\0\0\0\0\0\0\0\x03\0\0\x04\x38\0\0\x07\x80\0\x08\0\x03".to_vec();
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"4\" height=\"3\"/>".to_vec();
    check(
        vec![avif, psd, svg],
        expect![[r#"
        image/avif avif: 1920x1080 orientation 1 (72 of 72)
        image/vnd.adobe.photoshop psd: 1920x1080 orientation 1 (26 of 26)
        image/svg+xml svg: no shape (62 of 62)
    "#]],
    );
}

#[test]
fn a_broken_head_is_told() {
    let cut = |format, length| encoded(40, 30, format)[..length].to_vec();
    let mut flat = encoded(40, 30, ImageFormat::Bmp);
    flat[18..22].copy_from_slice(&0u32.to_le_bytes());
    let mut wide = encoded(40, 30, ImageFormat::Bmp);
    wide[18..22].copy_from_slice(&0x7FFF_FFFFu32.to_le_bytes());
    check(
        vec![
            cut(ImageFormat::Jpeg, 60),
            cut(ImageFormat::Png, 28),
            cut(ImageFormat::WebP, 22),
            cut(ImageFormat::Gif, 8),
            cut(ImageFormat::Tiff, 60),
            flat,
            wide,
        ],
        expect![[r#"
            image/jpeg jpeg: I/O errors Not enough bytes, expected 64 but found 16 (60 of 60)
            image/png png: unexpected end of file (28 of 28)
            image/webp webp: IO Error: failed to fill whole buffer (22 of 22)
            image/gif gif: Format error decoding Gif: Unexpected End of File (8 of 8)
            image/tiff tiff: failed to fill whole buffer (60 of 60)
            image/bmp bmp: The decoder for Bmp does not support the format features Image dimensions (0x30 w/3 channels) are too large (3654 of 3654)
            image/bmp bmp: Format error decoding Bmp: Image too large (one of (2147483647, 30) > soft limit of 65535) (3654 of 3654)
        "#]],
    );
}

proptest::proptest! {
    /// Whatever the bytes, there is an answer, and no panic.
    #[test]
    fn broken_heads_are_answered(
        format in proptest::sample::select(vec![
            ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP,
            ImageFormat::Gif, ImageFormat::Bmp, ImageFormat::Tiff,
        ]),
        flips in proptest::collection::vec((0usize..400, 0u8..=255), 1..6),
    ) {
        let mut bytes = encoded(20, 20, format);
        for (at, value) in flips {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        said(bytes);
    }

    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(0u8..=255, 1..200)) {
        said(bytes);
    }
}
