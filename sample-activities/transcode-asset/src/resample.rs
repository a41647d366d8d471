//! Pictures of another size.

use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};
use image::{DynamicImage, GrayAlphaImage, GrayImage, RgbImage, RgbaImage};

use crate::{
    geometry::{Rect, Size},
    memory,
    refusal::Refusal,
};

/// What to sharpen with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filter {
    /// Lanczos, for pictures that are looked at.
    Best,
    /// A third of the work, for thumbnails.
    Fast,
}

/// The part `rect` of a picture, at the size `target`.
pub(crate) fn resample(
    image: &DynamicImage,
    rect: Rect,
    target: Size,
    filter: Filter,
) -> Result<DynamicImage, Refusal> {
    let channels = u64::from(image.color().channel_count());
    let copied = if image.color().has_alpha() { rect.size.pixels() * channels } else { 0 };
    memory::ensure(target.pixels() * channels + copied, &format!("resizing to {target}"))?;
    let Rect { x, y, size } = rect;
    let resized = match image {
        DynamicImage::ImageLuma8(_) | DynamicImage::ImageRgb8(_) => {
            let options = options(filter, size, target).crop(
                x.into(),
                y.into(),
                size.width.into(),
                size.height.into(),
            );
            resize(image, target, options)
        }
        // Colours under what is not seen must not show through at its edges: they are weighed by
        // their alpha while sizes change. The library could do so, but its code for wasm is
        // miscompiled by the LLVM of Rust 1.95 and 1.96.
        _ => {
            let mut part = image.crop_imm(x, y, size.width, size.height);
            weigh(&mut part, |value, alpha| (value * alpha + 127) / 255);
            resize(&part, target, options(filter, size, target)).map(|mut resized| {
                weigh(&mut resized, |value, alpha| match alpha {
                    0 => 0,
                    alpha => ((value * 255 + alpha / 2) / alpha).min(255),
                });
                resized
            })
        }
    };
    resized.ok_or_else(|| Refusal::too_large(format!("cannot resize to {target}")))
}

fn options(filter: Filter, from: Size, target: Size) -> ResizeOptions {
    let shrinks = target.width <= from.width && target.height <= from.height;
    let filter = match filter {
        Filter::Best => FilterType::Lanczos3,
        Filter::Fast if shrinks => FilterType::Hamming,
        Filter::Fast => FilterType::Bilinear,
    };
    ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter)).use_alpha(false)
}

/// None where picture and pixel type do not fit together, which no caller brings about.
fn resize(image: &DynamicImage, target: Size, options: ResizeOptions) -> Option<DynamicImage> {
    let kind = match image {
        DynamicImage::ImageLuma8(_) => PixelType::U8,
        DynamicImage::ImageLumaA8(_) => PixelType::U8x2,
        DynamicImage::ImageRgb8(_) => PixelType::U8x3,
        DynamicImage::ImageRgba8(_) => PixelType::U8x4,
        _ => return None,
    };
    let from = ImageRef::new(image.width(), image.height(), image.as_bytes(), kind).ok()?;
    let Size { width, height } = target;
    let mut to = Image::new(width, height, kind);
    Resizer::new().resize(&from, &mut to, &options).ok()?;
    let pixels = to.into_vec();
    match kind {
        PixelType::U8 => GrayImage::from_raw(width, height, pixels).map(Into::into),
        PixelType::U8x2 => GrayAlphaImage::from_raw(width, height, pixels).map(Into::into),
        PixelType::U8x3 => RgbImage::from_raw(width, height, pixels).map(Into::into),
        _ => RgbaImage::from_raw(width, height, pixels).map(Into::into),
    }
}

/// Changes every colour by its alpha.
fn weigh(image: &mut DynamicImage, by: impl Fn(u32, u32) -> u32) {
    let by = |value: &mut u8, alpha: u8| {
        *value = u8::try_from(by((*value).into(), alpha.into())).unwrap_or(u8::MAX);
    };
    match image {
        DynamicImage::ImageRgba8(image) => {
            for pixel in image.pixels_mut() {
                let [r, g, b, a] = &mut pixel.0;
                by(r, *a);
                by(g, *a);
                by(b, *a);
            }
        }
        DynamicImage::ImageLumaA8(image) => {
            for pixel in image.pixels_mut() {
                let [value, a] = &mut pixel.0;
                by(value, *a);
            }
        }
        _ => {}
    }
}
