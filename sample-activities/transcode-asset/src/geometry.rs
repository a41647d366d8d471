//! Where pixels go: sizes, boxes, crops and corners, in integers.
//!
//! Pure arithmetic over what a client wrote; it knows neither JSON nor pixels.

use std::fmt;

use crate::refusal::{MAX_PIXELS, MAX_SIDE, Refusal};

/// Width and height of a picture, neither of them zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Size {
    pub(crate) fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    pub(crate) fn pixels(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    pub(crate) fn transposed(self) -> Self {
        Self { width: self.height, height: self.width }
    }

    fn exceeds(self, other: Self) -> bool {
        self.width > other.width || self.height > other.height
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// A part of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rect {
    pub(crate) x: u32,
    pub(crate) y: u32,
    pub(crate) size: Size,
}

/// What `resize`, `size` and `thumbnail` say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resize {
    /// A box: `1200x800`, `1200x`, `x800`, `-1:800`. A side that is not given follows.
    Box { width: Option<u32>, height: Option<u32>, exact: bool, only_shrink: bool },
    /// `50%`, in hundredths of a per cent.
    Percent(u32),
}

/// How a box is filled, where the size itself does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fit {
    pub(crate) keep_ratio: bool,
    pub(crate) no_enlarge: bool,
}

impl Resize {
    /// Reads a size. As in ImageMagick, `!` at its end asks for exactly that size, and `>` for no
    /// enlargement.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is no size: write WxH, Wx, xH, -1:H or W:-1 with sides from 1 to \
                 {MAX_SIDE}, or a percentage such as 50%"
            )
        };
        let mut rest = text.trim();
        let (mut exact, mut only_shrink) = (false, false);
        while let Some(shorter) = rest.strip_suffix(['!', '>']) {
            exact |= rest.ends_with('!');
            only_shrink |= rest.ends_with('>');
            rest = shorter;
        }
        if let Some(percent) = rest.strip_suffix('%') {
            let percent: f64 = percent.trim().parse().map_err(|_| wrong())?;
            if !(0.01..=10_000.0).contains(&percent) {
                return Err(format!("`{text}` is not from 0.01% to 10000%"));
            }
            return Ok(Self::Percent((percent * 100.0).round() as u32));
        }
        let (width, height) = rest.split_once(['x', 'X', ':']).unwrap_or((rest, ""));
        let side = |text: &str| match text.trim() {
            "" | "-1" => Ok(None),
            digits => match digits.parse() {
                Ok(side) if (1..=MAX_SIDE).contains(&side) => Ok(Some(side)),
                _ => Err(wrong()),
            },
        };
        match (side(width)?, side(height)?) {
            (None, None) => Err(wrong()),
            (width, height) => Ok(Self::Box { width, height, exact, only_shrink }),
        }
    }

    /// What a picture of the size `from` becomes.
    pub(crate) fn target(self, from: Size, fit: Fit) -> Result<Size, Refusal> {
        let size = match self {
            Self::Percent(hundredths) => Size::new(
                scaled(from.width, hundredths, 10_000),
                scaled(from.height, hundredths, 10_000),
            ),
            Self::Box { width: Some(width), height: None, .. } => {
                Size::new(width, scaled(from.height, width, from.width))
            }
            Self::Box { width: None, height: Some(height), .. } => {
                Size::new(scaled(from.width, height, from.height), height)
            }
            Self::Box { width: Some(width), height: Some(height), exact, .. } => {
                let room = Size::new(width, height);
                if exact || !fit.keep_ratio { room } else { inside(room, from) }
            }
            // `parse` makes no such box.
            Self::Box { width: None, height: None, .. } => from,
        };
        let size = if self.only_shrinks(fit) { not_larger(size, from, fit) } else { size };
        if size.pixels() > MAX_PIXELS || size.width > MAX_SIDE || size.height > MAX_SIDE {
            return Err(Refusal::too_large(format!(
                "{from} would become {size}; at most {MAX_PIXELS} pixels and sides of {MAX_SIDE} \
                 are made"
            )));
        }
        Ok(size)
    }

    fn only_shrinks(self, fit: Fit) -> bool {
        fit.no_enlarge || matches!(self, Self::Box { only_shrink: true, .. })
    }
}

/// The largest size of the shape of `from` that `room` holds.
fn inside(room: Size, from: Size) -> Size {
    let by_width = u64::from(room.width) * u64::from(from.height);
    let by_height = u64::from(room.height) * u64::from(from.width);
    if by_width <= by_height {
        Size::new(room.width, scaled(from.height, room.width, from.width).min(room.height))
    } else {
        Size::new(scaled(from.width, room.height, from.height).min(room.width), room.height)
    }
}

/// Without enlargement: the picture as it is, where its shape is kept; else each side by itself.
fn not_larger(size: Size, from: Size, fit: Fit) -> Size {
    match (size.exceeds(from), fit.keep_ratio) {
        (false, _) => size,
        (true, true) => from,
        (true, false) => Size::new(size.width.min(from.width), size.height.min(from.height)),
    }
}

/// `side * times / of`, rounded to the nearest, at least 1, and never beyond what `u32` holds.
fn scaled(side: u32, times: u32, of: u32) -> u32 {
    let of = u64::from(of.max(1));
    let scaled = (u64::from(side) * u64::from(times) + of / 2) / of;
    u32::try_from(scaled).unwrap_or(u32::MAX).max(1)
}

/// A distance from an edge: the near one (left, top) or, written with a minus, the far one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Offset {
    pub(crate) distance: u32,
    pub(crate) from_far_edge: bool,
}

impl Offset {
    /// Where something `length` long begins between 0 and `room`; negative, or beyond the end, if
    /// it does not lie within.
    pub(crate) fn position(self, length: u32, room: u32) -> i64 {
        let distance = i64::from(self.distance);
        if self.from_far_edge { i64::from(room) - i64::from(length) - distance } else { distance }
    }
}

/// What `crop` says: `600x600+700+300`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crop {
    size: Size,
    x: Offset,
    y: Offset,
}

impl Crop {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        parse_crop(text.trim()).ok_or_else(|| {
            format!(
                "`{text}` is no crop: write WxH+X+Y with sides from 1 to {MAX_SIDE}; with a minus, \
                 an offset counts from the right or bottom edge"
            )
        })
    }

    /// The part of a picture that it means. It has to lie within: a crop that is cut or empty is
    /// not what was asked for.
    pub(crate) fn rect(self, within: Size) -> Result<Rect, Refusal> {
        let x = self.x.position(self.size.width, within.width);
        let y = self.y.position(self.size.height, within.height);
        let fits = |start: i64, length: u32, room: u32| {
            start >= 0 && start + i64::from(length) <= i64::from(room)
        };
        match (u32::try_from(x), u32::try_from(y)) {
            (Ok(left), Ok(top))
                if fits(x, self.size.width, within.width)
                    && fits(y, self.size.height, within.height) =>
            {
                Ok(Rect { x: left, y: top, size: self.size })
            }
            _ => Err(Refusal {
                reason: "asset.crop-outside",
                details: format!(
                    "the crop of {} at ({x}, {y}) is not within the picture of {within}",
                    self.size
                ),
            }),
        }
    }
}

fn parse_crop(text: &str) -> Option<Crop> {
    let (width, rest) = text.split_once(['x', 'X'])?;
    let (height, offsets) = match rest.find(['+', '-']) {
        Some(at) => rest.split_at_checked(at)?,
        None => (rest, "+0+0"),
    };
    let (x, rest) = parse_offset(offsets)?;
    let (y, rest) = parse_offset(rest)?;
    let side = |text: &str| text.parse().ok().filter(|side| (1..=MAX_SIDE).contains(side));
    rest.is_empty().then_some(())?;
    Some(Crop { size: Size::new(side(width)?, side(height)?), x, y })
}

fn parse_offset(text: &str) -> Option<(Offset, &str)> {
    let (sign, rest) = text.split_at_checked(1)?;
    let from_far_edge = match sign {
        "+" => false,
        "-" => true,
        _ => return None,
    };
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, rest) = rest.split_at_checked(end)?;
    let distance = digits.parse().ok().filter(|distance| *distance <= MAX_SIDE)?;
    Some((Offset { distance, from_far_edge }, rest))
}

#[cfg(test)]
mod tests;
