//! Bytes to pixels, within limits.
//!
//! A decoder is opened first, which tells shape and format and takes no memory to speak of, so
//! that everything that can be refused is refused before the pixels are unpacked.

use std::{fmt, io::Cursor};

use image::{
    ColorType, DynamicImage, GrayImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits,
    RgbImage, metadata::Orientation,
};
use zune_jpeg::{
    JpegDecoder,
    errors::DecodeErrors,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

use crate::{
    geometry::Size,
    memory,
    refusal::{MAX_PIXELS, MAX_SIDE, Refusal},
};

/// A profile larger than this is not worth carrying along.
const MAX_ICC: usize = 1 << 20;

/// What a picture may carry beside its pixels.
const MAX_ASIDE: u64 = 64 << 20;

/// What decoders take beside the pixels, as a rule.
const SLACK: u64 = 4 << 20;

/// A picture whose head has been read.
pub(crate) struct Opened {
    pub(crate) format: ImageFormat,
    /// As stored: before `orientation` is applied.
    pub(crate) size: Size,
    pub(crate) orientation: Orientation,
    pub(crate) has_alpha: bool,
    icc: Option<Vec<u8>>,
    /// What unpacking takes at its peak.
    needs: u64,
    decoder: Decoder,
}

enum Decoder {
    /// By its own decoder, which can be told that half a picture is none.
    Jpeg {
        bytes: Vec<u8>,
        color: ColorType,
    },
    Other(Box<dyn ImageDecoder>),
}

/// A picture unpacked, with eight bits a channel, not yet turned upright.
pub(crate) struct Picture {
    pub(crate) image: DynamicImage,
    pub(crate) orientation: Orientation,
    pub(crate) icc: Option<Vec<u8>>,
}

/// Reads the head of a picture.
pub(crate) fn open(bytes: Vec<u8>) -> Result<Opened, Refusal> {
    let format = image::guess_format(&bytes).map_err(|_| {
        Refusal::undecodable("it does not begin as a JPEG, PNG, WebP, GIF, BMP or TIFF does")
    })?;
    let opened = match format {
        ImageFormat::Jpeg => open_jpeg(bytes)?,
        ImageFormat::Png
        | ImageFormat::WebP
        | ImageFormat::Gif
        | ImageFormat::Bmp
        | ImageFormat::Tiff => open_other(bytes, format)?,
        other => {
            return Err(Refusal::undecodable(format!(
                "{} is none of JPEG, PNG, WebP, GIF, BMP, TIFF",
                other.to_mime_type()
            )));
        }
    };
    if opened.size.pixels() == 0 {
        return Err(Refusal::undecodable(format!("a picture of {}", opened.size)));
    }
    if opened.size.pixels() > MAX_PIXELS {
        return Err(Refusal::too_large(format!(
            "a picture of {}; at most {MAX_PIXELS} pixels are read",
            opened.size
        )));
    }
    Ok(opened)
}

fn open_jpeg(bytes: Vec<u8>) -> Result<Opened, Refusal> {
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes.as_slice()), lenient());
    decoder.decode_headers().map_err(jpeg_error)?;
    let (Some(info), Some(color)) = (decoder.info(), decoder.input_colorspace()) else {
        return Err(Refusal::undecodable("a JPEG without a frame"));
    };
    let size = Size::new(info.width.into(), info.height.into());
    let color = if color == ColorSpace::Luma { ColorType::L8 } else { ColorType::Rgb8 };
    let orientation = info
        .exif_data
        .as_deref()
        .and_then(Orientation::from_exif_chunk)
        .unwrap_or(Orientation::NoTransforms);
    let icc = decoder.icc_profile();
    // A progressive one keeps all its coefficients, of two bytes each, until its last scan; most
    // have half as many for the colours as for the light.
    let coefficients = match (info.sof.is_progressive(), color) {
        (false, _) => 0,
        (true, ColorType::L8) => size.pixels() * 2,
        (true, _) => size.pixels() * 3,
    };
    Ok(Opened {
        format: ImageFormat::Jpeg,
        size,
        orientation,
        has_alpha: false,
        icc: icc.filter(|icc| icc.len() <= MAX_ICC),
        needs: size.pixels() * u64::from(color.bytes_per_pixel()) + coefficients,
        decoder: Decoder::Jpeg { bytes, color },
    })
}

/// Heads of JPEGs are often odd and yet readable.
fn lenient() -> DecoderOptions {
    DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(MAX_SIDE as usize)
        .set_max_height(MAX_SIDE as usize)
}

fn open_other(bytes: Vec<u8>, format: ImageFormat) -> Result<Opened, Refusal> {
    let webp = match format {
        ImageFormat::WebP => Some(beside_webp(&bytes).unwrap_or((Orientation::NoTransforms, None))),
        _ => None,
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_ASIDE);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(image_error)?;
    let (width, height) = decoder.dimensions();
    let (size, color) = (Size::new(width, height), decoder.color_type());
    let narrowed = match color {
        ColorType::L8 | ColorType::La8 | ColorType::Rgb8 | ColorType::Rgba8 => 0,
        wide => u64::from(wide.channel_count()),
    };
    // These are unpacked to one side first; a TIFF by strips, but one strip may be all of it.
    let aside = match format {
        ImageFormat::WebP => 4,
        ImageFormat::Tiff => u64::from(color.bytes_per_pixel()),
        _ => 0,
    };
    let needs = size.pixels() * (u64::from(color.bytes_per_pixel()) + narrowed.max(aside));
    limits.max_alloc = Some(2 * needs + MAX_ASIDE);
    decoder.set_limits(limits).map_err(image_error)?;
    // What is beside the pixels may be broken without harm to them.
    let (orientation, icc) = webp.unwrap_or_else(|| {
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        (orientation, decoder.icc_profile().ok().flatten())
    });
    Ok(Opened {
        format,
        size,
        orientation,
        has_alpha: color.has_alpha(),
        icc: icc.filter(|icc| icc.len() <= MAX_ICC),
        needs,
        decoder: Decoder::Other(Box::new(decoder)),
    })
}

/// What lies beside the pixels of a WebP, by its own decoder: only there can it be told that no
/// part of a file is longer than the file.
fn beside_webp(bytes: &[u8]) -> Option<(Orientation, Option<Vec<u8>>)> {
    let mut decoder = image_webp::WebPDecoder::new(Cursor::new(bytes)).ok()?;
    decoder.set_memory_limit(bytes.len());
    let exif = decoder.exif_metadata().ok().flatten();
    let orientation = exif.as_deref().and_then(Orientation::from_exif_chunk);
    let icc = decoder.icc_profile().ok().flatten();
    Some((orientation.unwrap_or(Orientation::NoTransforms), icc))
}

impl Opened {
    /// Unpacks the picture.
    pub(crate) fn decode(self) -> Result<Picture, Refusal> {
        memory::ensure(self.needs + SLACK, &format!("decoding a picture of {}", self.size))?;
        let image = match self.decoder {
            Decoder::Jpeg { bytes, color } => decode_jpeg(&bytes, self.size, color)?,
            Decoder::Other(decoder) => {
                narrow(DynamicImage::from_decoder(decoder).map_err(image_error)?)
            }
        };
        Ok(Picture { image, orientation: self.orientation, icc: self.icc })
    }
}

fn decode_jpeg(bytes: &[u8], size: Size, color: ColorType) -> Result<DynamicImage, Refusal> {
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), lenient());
    decoder.decode_headers().map_err(jpeg_error)?;
    let out = if color == ColorType::L8 { ColorSpace::Luma } else { ColorSpace::RGB };
    // From here on it is pixels. A lenient decoder fills what is missing with grey; half an upload
    // is better refused than published.
    decoder.set_options(decoder.options().jpeg_set_out_colorspace(out).set_strict_mode(true));
    let length = size.pixels() * u64::from(color.bytes_per_pixel());
    let mut pixels = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    decoder.decode_into(&mut pixels).map_err(jpeg_error)?;
    let image = match color {
        ColorType::L8 => GrayImage::from_raw(size.width, size.height, pixels).map(Into::into),
        _ => RgbImage::from_raw(size.width, size.height, pixels).map(Into::into),
    };
    Ok(image.expect("the buffer was made for this size"))
}

/// Eight bits a channel, and no alpha channel where nothing is seen through: every format that is
/// written, and every pass over the pixels, is the cheaper for it.
fn narrow(image: DynamicImage) -> DynamicImage {
    let image = match image {
        DynamicImage::ImageLuma16(_) => image.into_luma8().into(),
        DynamicImage::ImageLumaA16(_) => image.into_luma_alpha8().into(),
        DynamicImage::ImageRgb16(_) | DynamicImage::ImageRgb32F(_) => image.into_rgb8().into(),
        DynamicImage::ImageRgba16(_) | DynamicImage::ImageRgba32F(_) => image.into_rgba8().into(),
        image => image,
    };
    let opaque = |pixels: &[u8], channels| {
        pixels.chunks_exact(channels).all(|pixel| pixel.last() == Some(&u8::MAX))
    };
    let pixels = u64::from(image.width()) * u64::from(image.height());
    match &image {
        DynamicImage::ImageRgba8(rgba) if opaque(rgba, 4) && has_memory(pixels * 3) => {
            image.into_rgb8().into()
        }
        DynamicImage::ImageLumaA8(gray) if opaque(gray, 2) && has_memory(pixels) => {
            image.into_luma8().into()
        }
        _ => image,
    }
}

fn has_memory(bytes: u64) -> bool {
    memory::ensure(bytes + SLACK, "").is_ok()
}

fn jpeg_error(error: DecodeErrors) -> Refusal {
    match error {
        DecodeErrors::LargeDimensions(side) => {
            Refusal::too_large(format!("a side of {side} pixels; at most {MAX_SIDE} are read"))
        }
        other => Refusal::undecodable(format!("JPEG: {}", format!("{other:?}").trim())),
    }
}

fn image_error(error: ImageError) -> Refusal {
    match error {
        ImageError::Limits(error) => Refusal::too_large(error.to_string()),
        other => Refusal::undecodable(other.to_string()),
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("format", &self.format)
            .field("size", &self.size)
            .field("orientation", &self.orientation)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Picture")
            .field("color", &self.image.color())
            .field("orientation", &self.orientation)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
