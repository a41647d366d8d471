//! Pictures to bytes: JPEG, PNG and WebP.

use std::io::{self, Write};

use image::{
    DynamicImage, GrayImage, ImageEncoder, ImageError, ImageFormat, RgbImage,
    codecs::{
        jpeg::JpegEncoder,
        png::{CompressionType, FilterType, PngEncoder},
        webp::WebPEncoder,
    },
};

use crate::refusal::Refusal;

/// What is used where a client names no quality.
const DEFAULT_QUALITY: u8 = 85;

/// WebP has 14 bits for a side.
const MAX_WEBP_SIDE: u32 = 16_384;

/// A format that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Jpeg,
    Png,
    /// Without loss, so `quality` means nothing to it.
    WebP,
}

impl Format {
    pub(crate) fn of_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "jpg" | "jpeg" => Some(Self::Jpeg),
            "png" => Some(Self::Png),
            "webp" => Some(Self::WebP),
            _ => None,
        }
    }

    pub(crate) fn of_image(format: ImageFormat) -> Option<Self> {
        match format {
            ImageFormat::Jpeg => Some(Self::Jpeg),
            ImageFormat::Png => Some(Self::Png),
            ImageFormat::WebP => Some(Self::WebP),
            _ => None,
        }
    }

    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::WebP => "webp",
        }
    }

    /// As in the metadata of `validate-asset`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::WebP => "webp",
        }
    }

    pub(crate) fn mime(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::WebP => "image/webp",
        }
    }
}

/// Why a picture was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EncodeError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Write(#[from] io::Error),
}

/// How to write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options<'a> {
    pub(crate) format: Format,
    pub(crate) quality: Option<u8>,
    pub(crate) icc: Option<&'a [u8]>,
}

/// Writes a picture.
pub(crate) fn encode(
    picture: &DynamicImage,
    options: Options<'_>,
    writer: impl Write,
) -> Result<(), EncodeError> {
    let icc = options.icc.filter(|icc| icc_fits(icc, picture));
    match options.format {
        Format::Jpeg => {
            let quality = options.quality.unwrap_or(DEFAULT_QUALITY);
            let encoder = JpegEncoder::new_with_quality(writer, quality);
            match flattened(picture) {
                Some(flat) => write(encoder, &flat, icc),
                None => write(encoder, picture, icc),
            }
        }
        Format::Png => {
            // The fast way makes of a screenshot seven times the bytes.
            let (compression, filter) = (CompressionType::Default, FilterType::Adaptive);
            write(PngEncoder::new_with_quality(writer, compression, filter), picture, icc)
        }
        Format::WebP => {
            let side = picture.width().max(picture.height());
            if side > MAX_WEBP_SIDE {
                return Err(Refusal::too_large(format!(
                    "WebP takes sides of at most {MAX_WEBP_SIDE} pixels, not {side}"
                ))
                .into());
            }
            write(WebPEncoder::new_lossless(writer), picture, icc)
        }
    }
}

fn write(
    mut encoder: impl ImageEncoder,
    picture: &DynamicImage,
    icc: Option<&[u8]>,
) -> Result<(), EncodeError> {
    if let Some(icc) = icc {
        // An encoder without profiles leaves the picture as if it had been sRGB.
        let _ = encoder.set_icc_profile(icc.to_vec());
    }
    let (width, height, color) = (picture.width(), picture.height(), picture.color());
    encoder.write_image(picture.as_bytes(), width, height, color.into()).map_err(
        |error| match error {
            ImageError::IoError(error) => error.into(),
            other => Refusal::too_large(format!("cannot be written: {other}")).into(),
        },
    )
}

/// JPEG has no see-through parts: white shows where they are. None if there are none.
fn flattened(picture: &DynamicImage) -> Option<DynamicImage> {
    let over_white = |value: u8, alpha: u8| {
        let (value, alpha) = (u32::from(value), u32::from(alpha));
        let mixed = value * alpha + 255 * (255 - alpha);
        u8::try_from((mixed + 127) / 255).unwrap_or(u8::MAX)
    };
    match picture {
        DynamicImage::ImageRgba8(picture) => {
            let mut flat = RgbImage::new(picture.width(), picture.height());
            for (to, from) in flat.pixels_mut().zip(picture.pixels()) {
                let [r, g, b, a] = from.0;
                to.0 = [over_white(r, a), over_white(g, a), over_white(b, a)];
            }
            Some(flat.into())
        }
        DynamicImage::ImageLumaA8(picture) => {
            let mut flat = GrayImage::new(picture.width(), picture.height());
            for (to, from) in flat.pixels_mut().zip(picture.pixels()) {
                let [value, a] = from.0;
                to.0 = [over_white(value, a)];
            }
            Some(flat.into())
        }
        _ => None,
    }
}

/// Whether a profile speaks of as many channels as the picture has: one of a CMYK original, or of
/// a grey one that a watermark has coloured since, would turn its colours wrong.
fn icc_fits(icc: &[u8], picture: &DynamicImage) -> bool {
    match icc.get(16..20) {
        Some(b"RGB ") => picture.color().has_color(),
        Some(b"GRAY") => !picture.color().has_color(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use image::{Luma, LumaA, Rgb, Rgba, RgbaImage};

    use super::*;

    fn encoded(picture: &DynamicImage, options: Options<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(picture, options, &mut bytes).unwrap();
        bytes
    }

    fn options(format: Format) -> Options<'static> {
        Options { format, quality: None, icc: None }
    }

    fn see_through() -> DynamicImage {
        RgbaImage::from_pixel(8, 8, Rgba([0, 0, 255, 0])).into()
    }

    #[test]
    fn see_through_parts_are_white_in_a_jpeg() {
        let bytes = encoded(&see_through(), options(Format::Jpeg));
        let back = image::load_from_memory(&bytes).unwrap().to_rgb8();
        assert_eq!(back.get_pixel(3, 3), &Rgb([255, 255, 255]));

        let gray = image::GrayAlphaImage::from_pixel(8, 8, LumaA([0, 128]));
        let bytes = encoded(&gray.into(), options(Format::Jpeg));
        let back = image::load_from_memory(&bytes).unwrap();
        assert_eq!(back.as_luma8().unwrap().get_pixel(3, 3), &Luma([127]));
    }

    #[test]
    fn see_through_parts_stay_in_png_and_webp() {
        for format in [Format::Png, Format::WebP] {
            let bytes = encoded(&see_through(), options(format));
            let back = image::load_from_memory(&bytes).unwrap();
            assert_eq!(Format::of_image(image::guess_format(&bytes).unwrap()), Some(format));
            assert_eq!(back, see_through());
        }
    }

    #[test]
    fn a_higher_quality_takes_more_bytes() {
        let noise = RgbImage::from_fn(64, 64, |x, y| {
            let value = (x * 37 + y * 91) % 251;
            Rgb([value as u8, (value * 3 % 256) as u8, (x * y % 256) as u8])
        });
        let size = |quality| {
            let options = Options { quality: Some(quality), ..options(Format::Jpeg) };
            encoded(&noise.clone().into(), options).len()
        };
        assert!(
            size(10) < size(50) && size(50) < size(95),
            "{} {} {}",
            size(10),
            size(50),
            size(95)
        );
    }

    #[test]
    fn a_profile_is_kept_where_it_fits() {
        let mut icc = vec![0; 128];
        icc.splice(16..20, *b"RGB ");
        let kept = |picture: DynamicImage, format| {
            let bytes = encoded(&picture, Options { icc: Some(&icc), ..options(format) });
            let reader = image::ImageReader::new(io::Cursor::new(bytes));
            let mut decoder = reader.with_guessed_format().unwrap().into_decoder().unwrap();
            image::ImageDecoder::icc_profile(&mut decoder).unwrap()
        };
        for format in [Format::Jpeg, Format::Png, Format::WebP] {
            assert_eq!(kept(RgbImage::new(8, 8).into(), format).as_deref(), Some(icc.as_slice()));
            assert_eq!(kept(GrayImage::new(8, 8).into(), format), None);
        }
    }

    #[test]
    fn webp_has_its_own_limit() {
        let wide = GrayImage::new(MAX_WEBP_SIDE + 1, 1).into();
        let error = encode(&wide, options(Format::WebP), io::sink()).unwrap_err();
        assert!(error.to_string().starts_with("media.too-large"), "{error}");
    }
}
