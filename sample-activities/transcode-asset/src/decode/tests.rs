use expect_test::{Expect, expect};
use image::{
    Frame, ImageEncoder, Luma, Rgb, Rgba, RgbaImage,
    codecs::{gif::GifEncoder, jpeg::JpegEncoder},
};

use super::*;

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn gradient(width: u32, height: u32) -> DynamicImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, (x + y) as u8])).into()
}

/// What is known after the head and after the rest.
fn check(bytes: Vec<u8>, expected: Expect) {
    let text = match open(bytes) {
        Ok(opened) => {
            let head = format!(
                "{:?} {} {:?} alpha {}",
                opened.format, opened.size, opened.orientation, opened.has_alpha
            );
            match opened.decode() {
                Ok(picture) => format!("{head} -> {:?}", picture.image.color()),
                Err(refusal) => format!("{head} -> {refusal}"),
            }
        }
        Err(refusal) => refusal.to_string(),
    };
    expected.assert_eq(&text);
}

#[test]
fn every_format_that_is_read() {
    let picture = gradient(12, 7);
    let gray = DynamicImage::from(GrayImage::from_pixel(12, 7, Luma([9])));
    check(
        encoded(&picture, ImageFormat::Jpeg),
        expect!["Jpeg 12x7 NoTransforms alpha false -> Rgb8"],
    );
    check(encoded(&gray, ImageFormat::Jpeg), expect!["Jpeg 12x7 NoTransforms alpha false -> L8"]);
    check(
        encoded(&picture, ImageFormat::Png),
        expect!["Png 12x7 NoTransforms alpha false -> Rgb8"],
    );
    check(
        encoded(&picture, ImageFormat::WebP),
        expect!["WebP 12x7 NoTransforms alpha false -> Rgb8"],
    );
    check(encoded(&picture, ImageFormat::Gif), expect!["Gif 12x7 NoTransforms alpha true -> Rgb8"]);
    check(
        encoded(&picture, ImageFormat::Bmp),
        expect!["Bmp 12x7 NoTransforms alpha false -> Rgb8"],
    );
    check(
        encoded(&picture, ImageFormat::Tiff),
        expect!["Tiff 12x7 NoTransforms alpha false -> Rgb8"],
    );
}

#[test]
fn deep_channels_are_narrowed_and_needless_alpha_is_dropped() {
    let rgba = |alpha| DynamicImage::from(RgbaImage::from_pixel(4, 4, Rgba([1, 2, 3, alpha])));
    let png = |image: DynamicImage| encoded(&image, ImageFormat::Png);
    check(
        png(gradient(4, 4).into_rgb16().into()),
        expect!["Png 4x4 NoTransforms alpha false -> Rgb8"],
    );
    check(
        png(gradient(4, 4).into_luma16().into()),
        expect!["Png 4x4 NoTransforms alpha false -> L8"],
    );
    check(png(rgba(255)), expect!["Png 4x4 NoTransforms alpha true -> Rgb8"]);
    check(png(rgba(254)), expect!["Png 4x4 NoTransforms alpha true -> Rgba8"]);
    check(png(rgba(255).into_rgba16().into()), expect!["Png 4x4 NoTransforms alpha true -> Rgb8"]);
    check(
        png(rgba(9).into_luma_alpha16().into()),
        expect!["Png 4x4 NoTransforms alpha true -> La8"],
    );
    check(
        png(rgba(255).into_luma_alpha8().into()),
        expect!["Png 4x4 NoTransforms alpha true -> L8"],
    );
    check(
        encoded(&gradient(4, 4).into_rgb32f().into(), ImageFormat::Tiff),
        expect!["Tiff 4x4 NoTransforms alpha false -> Rgb8"],
    );
}

#[test]
fn of_an_animation_the_first_frame_counts() {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    for red in [200, 0] {
        let frame = RgbaImage::from_pixel(4, 4, Rgba([red, 0, 0, 255]));
        encoder.encode_frame(Frame::new(frame)).unwrap();
    }
    drop(encoder);
    let picture = open(bytes).unwrap().decode().unwrap();
    assert_eq!(picture.image.to_rgb8().get_pixel(1, 1), &Rgb([200, 0, 0]));
}

#[test]
fn what_is_no_picture_is_refused() {
    check(
        Vec::new(),
        expect!["media.undecodable: it does not begin as a JPEG, PNG, WebP, GIF, BMP or TIFF does"],
    );
    check(
        b"once upon a time".to_vec(),
        expect!["media.undecodable: it does not begin as a JPEG, PNG, WebP, GIF, BMP or TIFF does"],
    );
    check(
        b"\x00\x00\x01\x00\x01\x00\x10\x10".to_vec(),
        expect!["media.undecodable: image/x-icon is none of JPEG, PNG, WebP, GIF, BMP, TIFF"],
    );
    check(
        encoded(&gradient(12, 7), ImageFormat::Png)[..30].to_vec(),
        expect!["media.undecodable: unexpected end of file"],
    );
    check(
        encoded(&gradient(12, 7), ImageFormat::Jpeg)[..30].to_vec(),
        expect!["media.undecodable: JPEG: I/O errors Not enough bytes, expected 3 but found 0"],
    );
}

#[test]
fn half_a_picture_is_none() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Tiff] {
        let mut bytes = encoded(&gradient(200, 200), format);
        bytes.truncate(bytes.len() / 2);
        let reason = open(bytes).and_then(Opened::decode).unwrap_err().reason;
        assert_eq!(reason, "media.undecodable", "{format:?}");
    }
}

/// A PNG that says it is larger than it is.
fn boastful_png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = encoded(&gradient(1, 1), ImageFormat::Png);
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    // The checksum of the chunk: type and data.
    let checksum = crc32(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 }
        })
    })
}

#[test]
fn a_bomb_is_refused_by_its_head() {
    check(
        boastful_png(60_000, 60_000),
        expect!["media.too-large: a picture of 60000x60000; at most 100000000 pixels are read"],
    );
    check(boastful_png(70_000, 1), expect!["media.too-large: Image size exceeds limit"]);
    check(
        boastful_png(0, 1),
        expect!["media.undecodable: Format error decoding Png: Invalid image dimensions"],
    );
    // Within the limits, but not there.
    check(
        boastful_png(5_000, 5_000),
        expect![
            "Png 5000x5000 NoTransforms alpha false -> media.undecodable: Format error decoding Png: IDAT or fDAT chunk does not have enough data for image."
        ],
    );
}

#[test]
fn the_orientation_is_read() {
    // An EXIF block of one entry: tag 0x0112, SHORT, one of them, the value 6.
    let exif = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let picture = gradient(12, 7);
    let mut jpeg = Vec::new();
    let mut encoder = JpegEncoder::new(&mut jpeg);
    encoder.set_exif_metadata(exif.to_vec()).unwrap();
    encoder.encode_image(&picture).unwrap();
    check(jpeg, expect!["Jpeg 12x7 Rotate90 alpha false -> Rgb8"]);

    let mut png = Vec::new();
    let mut encoder = image::codecs::png::PngEncoder::new(&mut png);
    encoder.set_exif_metadata(exif.to_vec()).unwrap();
    picture.write_with_encoder(encoder).unwrap();
    check(png, expect!["Png 12x7 Rotate90 alpha false -> Rgb8"]);
}

proptest::proptest! {
    /// Whatever the bytes, there is a picture or a refusal, and no panic.
    #[test]
    fn broken_pictures_are_answered(
        format in proptest::sample::select(vec![
            ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP,
            ImageFormat::Gif, ImageFormat::Bmp, ImageFormat::Tiff,
        ]),
        flips in proptest::collection::vec((0usize..4_000, 0u8..=255), 1..6),
    ) {
        let mut bytes = encoded(&gradient(20, 20), format);
        for (at, value) in flips {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        let _ = open(bytes).and_then(Opened::decode);
    }
}
