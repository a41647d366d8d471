//! One picture made of another: orient, crop, resize, in that order.
//!
//! The order is what a client sees. The work is done the other way round where that is cheaper: a
//! photograph is turned upright after it has been made small, not before.

use std::borrow::Cow;

use image::{DynamicImage, metadata::Orientation};

use crate::{
    decode::Picture,
    geometry::{Rect, Size},
    input::OutputAsset,
    memory,
    refusal::Refusal,
    resample::{Filter, resample},
};

/// What is to be done to a picture of a known size, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recipe {
    /// In the upright picture.
    rect: Rect,
    pub(crate) target: Size,
    filter: Filter,
}

impl Recipe {
    /// Works out what an output asks for, of an upright picture of the size `from`.
    pub(crate) fn new(output: &OutputAsset, from: Size) -> Result<Self, Refusal> {
        let rect = match output.crop {
            Some(crop) => crop.rect(from).map_err(|refusal| refusal.within("crop"))?,
            None => Rect { x: 0, y: 0, size: from },
        };
        let target = output
            .resizes()
            .try_fold(rect.size, |size, resize| resize.target(size, output.fit()))?;
        let filter = if output.is_thumbnail() { Filter::Fast } else { Filter::Best };
        Ok(Self { rect, target, filter })
    }
}

/// The size of a picture once it is upright.
pub(crate) fn upright(stored: Size, orientation: Orientation) -> Size {
    if turns(orientation).transposed { stored.transposed() } else { stored }
}

/// Follows a recipe. A picture that is to stay as it is, is not copied.
pub(crate) fn render(picture: &Picture, recipe: Recipe) -> Result<Cow<'_, DynamicImage>, Refusal> {
    let Picture { image, orientation, .. } = picture;
    let stored = Size::new(image.width(), image.height());
    let rect = stored_rect(recipe.rect, stored, *orientation);
    let target = upright(recipe.target, *orientation);
    let copy = target.pixels() * u64::from(image.color().channel_count());
    let rendered = if target != rect.size {
        Cow::Owned(resample(image, rect, target, recipe.filter)?)
    } else if rect.size != stored {
        memory::ensure(copy, &format!("cropping to {target}"))?;
        Cow::Owned(image.crop_imm(rect.x, rect.y, rect.size.width, rect.size.height))
    } else {
        Cow::Borrowed(image)
    };
    if *orientation == Orientation::NoTransforms {
        return Ok(rendered);
    }
    memory::ensure(copy, &format!("turning a picture of {target} upright"))?;
    Ok(Cow::Owned(turned(rendered, *orientation)))
}

/// As `DynamicImage::apply_orientation`, but without copying first what is only read.
fn turned(image: Cow<'_, DynamicImage>, orientation: Orientation) -> DynamicImage {
    let (mut image, rest) = match orientation {
        Orientation::Rotate90 => (image.rotate90(), Orientation::NoTransforms),
        Orientation::Rotate270 => (image.rotate270(), Orientation::NoTransforms),
        Orientation::Rotate90FlipH => (image.rotate90(), Orientation::FlipHorizontal),
        Orientation::Rotate270FlipH => (image.rotate270(), Orientation::FlipHorizontal),
        other => (image.into_owned(), other),
    };
    image.apply_orientation(rest);
    image
}

/// How the upright picture lies in the stored one: first its axes change places, then they are
/// counted from the other end.
struct Turns {
    transposed: bool,
    from_right: bool,
    from_bottom: bool,
}

fn turns(orientation: Orientation) -> Turns {
    let (transposed, from_right, from_bottom) = match orientation {
        Orientation::NoTransforms => (false, false, false),
        Orientation::FlipHorizontal => (false, true, false),
        Orientation::Rotate180 => (false, true, true),
        Orientation::FlipVertical => (false, false, true),
        Orientation::Rotate90FlipH => (true, false, false),
        Orientation::Rotate90 => (true, false, true),
        Orientation::Rotate270FlipH => (true, true, true),
        Orientation::Rotate270 => (true, true, false),
    };
    Turns { transposed, from_right, from_bottom }
}

/// Where a part of the upright picture is in the stored one.
fn stored_rect(rect: Rect, stored: Size, orientation: Orientation) -> Rect {
    let turns = turns(orientation);
    let Rect { mut x, mut y, mut size } = rect;
    if turns.transposed {
        (x, y, size) = (y, x, size.transposed());
    }
    // A rectangle that is within the upright picture is within the stored one.
    if turns.from_right {
        x = stored.width.saturating_sub(x + size.width);
    }
    if turns.from_bottom {
        y = stored.height.saturating_sub(y + size.height);
    }
    Rect { x, y, size }
}

#[cfg(test)]
mod tests;
