//! One picture laid over another.

use image::{DynamicImage, Pixel, Rgb, RgbImage, RgbaImage, imageops};

use crate::{
    decode::Picture,
    geometry::{Fit, Rect, Size},
    input::Watermark,
    refusal::Refusal,
    resample::{Filter, resample},
};

/// Lays the picture `mark` over `base` as `wanted` says. What sticks out is cut off; a mark of
/// which nothing would be seen is refused.
pub(crate) fn lay_over(
    base: DynamicImage,
    mark: &DynamicImage,
    wanted: &Watermark,
) -> Result<DynamicImage, Refusal> {
    let mark = prepared(mark, wanted)?;
    let x = wanted.x.position(mark.width(), base.width());
    let y = wanted.y.position(mark.height(), base.height());
    let seen = |start: i64, length: u32, room: u32| {
        start < i64::from(room) && start + i64::from(length) > 0
    };
    if !seen(x, mark.width(), base.width()) || !seen(y, mark.height(), base.height()) {
        return Err(Refusal {
            reason: "asset.watermark-outside",
            details: format!(
                "the watermark of {}x{} at ({x}, {y}) is outside the picture of {}x{}",
                mark.width(),
                mark.height(),
                base.width(),
                base.height()
            ),
        });
    }
    if base.color().has_alpha() {
        let mut base = base.into_rgba8();
        imageops::overlay(&mut base, &mark, x, y);
        Ok(base.into())
    } else {
        let mut base = base.into_rgb8();
        blend(&mut base, &mark, x, y);
        Ok(base.into())
    }
}

/// A watermark's file, upright.
pub(crate) fn upright(picture: Picture) -> DynamicImage {
    let mut image = picture.image;
    image.apply_orientation(picture.orientation);
    image
}

/// The mark in the size and strength that are wanted.
fn prepared(mark: &DynamicImage, wanted: &Watermark) -> Result<RgbaImage, Refusal> {
    let size = Size::new(mark.width(), mark.height());
    let mut rgba = match wanted.size {
        Some(resize) => {
            let target = resize.target(size, Fit { keep_ratio: true, no_enlarge: false })?;
            resample(mark, Rect { x: 0, y: 0, size }, target, Filter::Best)?.into_rgba8()
        }
        None => mark.to_rgba8(),
    };
    if let Some(opacity) = wanted.opacity {
        for pixel in rgba.pixels_mut() {
            let [.., alpha] = &mut pixel.0;
            *alpha = (f32::from(*alpha) * opacity.0).round() as u8;
        }
    }
    Ok(rgba)
}

/// As `imageops::overlay`, for a picture without alpha: a photograph need not grow by a third for
/// the sake of a mark in its corner.
fn blend(base: &mut RgbImage, mark: &RgbaImage, x: i64, y: i64) {
    for (column, row, over) in mark.enumerate_pixels() {
        let place = (u32::try_from(x + i64::from(column)), u32::try_from(y + i64::from(row)));
        let (Ok(column), Ok(row)) = place else { continue };
        let Some(under) = base.get_pixel_mut_checked(column, row) else { continue };
        let alpha = u32::from(over.0[3]);
        *under = under.map2(&Rgb(over.to_rgb().0), |under, over| {
            let mixed = u32::from(over) * alpha + u32::from(under) * (255 - alpha);
            u8::try_from((mixed + 127) / 255).unwrap_or(u8::MAX)
        });
    }
}

#[cfg(test)]
mod tests;
