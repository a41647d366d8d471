//! The sample activity `transcode-asset`: makes pictures of a picture.
//!
//! Input, as in Cloud Transcode:
//!
//! ```json
//! {"input_asset": {"type": "IMAGE", "bucket": "media", "file": "in/photo.jpg"},
//!  "input_asset_metadata": {"type": "IMAGE"},
//!  "output_assets": [
//!    {"type": "IMAGE", "bucket": "media", "path": "out", "file": "web.*",
//!     "crop": "600x600+700+300", "resize": "1200x800", "quality": 80,
//!     "watermark": {"bucket": "brand", "file": "logo.png", "size": "200x", "opacity": 0.5,
//!                   "x": -20, "y": -20}},
//!    {"type": "THUMB", "bucket": "media", "path": "out", "file": "thumb.png",
//!     "thumbnail": "320x320"}]}
//! ```
//!
//! Read are JPEG, PNG, WebP, GIF (the first frame), BMP and TIFF; written are JPEG, PNG and WebP.
//! The original is decoded once. `output_asset` with one output is the older form.
//!
//! | Key | Meaning |
//! |---|---|
//! | `type` | `IMAGE` or `THUMB`; others are `asset.type-unsupported` |
//! | `bucket`, `path`, `file` | where it goes; the extension decides the format, and `x.*` keeps the input's where it can be written (else `.png` where something may be seen through or the original is a GIF, and `.jpg` otherwise) |
//! | `quality` | 1 to 100, for JPEG (85 if absent); PNG and this WebP lose nothing and ignore it |
//! | `crop` | `WxH+X+Y`; with a minus, an offset counts from the right or bottom edge. It must lie within the picture |
//! | `resize`, `size` | `WxH`, `Wx`, `xH`, `W`, `-1:H`, `50%`; the picture fits into that box. A `!` at its end means exactly that size, a `>` no enlargement |
//! | `thumbnail` | as `resize`, with a faster filter |
//! | `keep_ratio` | `false`: the box is filled exactly |
//! | `no_enlarge` | `true`: a smaller picture stays as it is |
//! | `watermark` | `bucket`, `file`, `size` (as `resize`, of the mark), `opacity` (0 to 1), `x` and `y` (negative: from the right or bottom edge) |
//! | `s3_rrs`, `s3_encrypt` | storage class `REDUCED_REDUNDANCY`; encryption at rest |
//!
//! The order is fixed: turned upright as EXIF says, cropped, resized, watermarked. Outputs carry
//! no metadata but the colour profile. See-through parts are white in a JPEG.
//!
//! Result: `{"output_assets": [{"type", "bucket", "file" (the whole key), "mime", "format",
//! "width", "height", "size"}]}`, in the order of the input.
//!
//! Reasons of failures: `cpe.bad-input` (a wrong value, with its path), `asset.bad-input`,
//! `asset.type-unsupported`, `asset.format-unsupported`, `asset.http-not-granted`, `asset.empty`,
//! `asset.crop-outside`, `asset.watermark-outside`, `media.undecodable`, `media.too-large`, and
//! those of the object store (`s3.…`).

mod decode;
mod encode;
mod fetch;
mod geometry;
mod input;
mod memory;
mod naming;
mod outputs;
mod refusal;
mod render;
mod resample;
mod watermark;

use cpe_guest::{Failure, activity, heartbeat};
use serde::Serialize;

pub use crate::{input::Input, outputs::Made};

/// What the activity returns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Output {
    /// In the order in which they were asked for.
    pub output_assets: Vec<Made>,
}

/// Makes every output of the input asset.
///
/// # Errors
///
/// See the reasons in the head of this crate. Whichever output fails, none appears.
#[activity]
pub fn transcode_asset(input: Input) -> Result<Output, Failure> {
    let request = input.into_request()?;
    let name = &request.key;
    heartbeat::checkpoint(0, format!("reading {name}"))?;
    let bytes = fetch::fetch(&request.bucket, name, |percent| {
        heartbeat::checkpoint(percent / 10, format!("reading {name}"))
    })?;
    let original = decode::open(bytes).map_err(|refusal| refusal.within(name))?;
    let planned = outputs::plan(&request, &original)?;
    heartbeat::checkpoint(10, format!("decoding {name} ({})", original.size))?;
    let picture = original.decode().map_err(|refusal| refusal.within(name))?;
    let output_assets = outputs::make(&picture, &planned)?;
    heartbeat::checkpoint(100, format!("made {} outputs", output_assets.len()))?;
    Ok(Output { output_assets })
}

impl From<refusal::Refusal> for Failure {
    fn from(refusal: refusal::Refusal) -> Self {
        Self::permanent(refusal.reason, refusal.details)
    }
}

#[cfg(test)]
mod tests;
