//! The shape of a picture, from its head alone.
//!
//! The decoders that will unpack it are asked, so that they are of one mind with this.

use std::{
    fmt::Display,
    io::{BufRead, Seek},
};

use file_format::FileFormat;
use image::{
    ImageDecoder, ImageError, Limits,
    codecs::{bmp::BmpDecoder, gif::GifDecoder, png::PngDecoder, tiff::TiffDecoder},
    metadata::Orientation,
};
use zune_jpeg::{JpegDecoder, zune_core::options::DecoderOptions};

/// No picture is this long; a head that says so is broken or a trap.
const MAX_SIDE: u32 = 1_000_000;

/// What a head may unpack to, and what is read of metadata.
const MAX_ASIDE: usize = 16 << 20;

/// The shape of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// As stored: with an orientation from 5 to 8, width and height change places on the screen.
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// As EXIF counts: 1 is upright.
    pub(crate) orientation: u8,
}

/// Reads the shape of a picture of this format. None for formats of which it is not known; an
/// error, for people, where the head is broken.
pub(crate) fn shape(
    format: FileFormat,
    reader: &mut (impl BufRead + Seek),
) -> Result<Option<Shape>, String> {
    reader.rewind().map_err(said)?;
    let shape = match format {
        FileFormat::JointPhotographicExpertsGroup => jpeg(reader)?,
        FileFormat::PortableNetworkGraphics | FileFormat::AnimatedPortableNetworkGraphics => {
            of(PngDecoder::with_limits(reader, limits()))?
        }
        FileFormat::Webp => webp(reader)?,
        FileFormat::GraphicsInterchangeFormat => of(GifDecoder::new(reader))?,
        FileFormat::WindowsBitmap => of(BmpDecoder::new(reader))?,
        FileFormat::TagImageFileFormat => of(TiffDecoder::new(reader))?,
        _ => match imagesize::reader_size(reader) {
            Ok(size) => Shape {
                width: u32::try_from(size.width).unwrap_or(u32::MAX),
                height: u32::try_from(size.height).unwrap_or(u32::MAX),
                orientation: 1,
            },
            // Nothing here decodes these formats, so nothing can be said against this one.
            Err(_) => return Ok(None),
        },
    };
    let sides = 1..=MAX_SIDE;
    if !sides.contains(&shape.width) || !sides.contains(&shape.height) {
        return Err(format!("a picture of {}x{}", shape.width, shape.height));
    }
    Ok(Some(shape))
}

fn of<D: ImageDecoder>(decoder: Result<D, ImageError>) -> Result<Shape, String> {
    let mut decoder = decoder.map_err(said)?;
    let (width, height) = decoder.dimensions();
    // What is beside the picture may be broken without harm to it.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok(Shape { width, height, orientation: orientation.to_exif() })
}

/// By the decoder under `image`, whose own wrapper reads the whole file first.
fn jpeg(reader: &mut (impl BufRead + Seek)) -> Result<Shape, String> {
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX);
    let mut decoder = JpegDecoder::new_with_options(reader, options);
    decoder.decode_headers().map_err(|error| format!("{error:?}").trim().to_owned())?;
    let info = decoder.info().ok_or("a JPEG without a frame")?;
    let exif = info.exif_data.as_deref();
    Ok(Shape {
        width: info.width.into(),
        height: info.height.into(),
        orientation: orientation(exif),
    })
}

/// By the decoder under `image`, which can be told how much it may read of metadata.
fn webp(reader: &mut (impl BufRead + Seek)) -> Result<Shape, String> {
    let mut decoder = image_webp::WebPDecoder::new(reader).map_err(said)?;
    decoder.set_memory_limit(MAX_ASIDE);
    let (width, height) = decoder.dimensions();
    let exif = decoder.exif_metadata().ok().flatten();
    Ok(Shape { width, height, orientation: orientation(exif.as_deref()) })
}

fn orientation(exif: Option<&[u8]>) -> u8 {
    exif.and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms).to_exif()
}

fn limits() -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_ASIDE as u64);
    limits
}

fn said(error: impl Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests;
