//! The sample activity `validate-asset`: what an object is, by its content.
//!
//! Input, as in Cloud Transcode (`type` is optional):
//!
//! ```json
//! {"input_asset": {"type": "IMAGE", "bucket": "media", "file": "in/photo.jpg"}}
//! ```
//!
//! Result:
//!
//! ```json
//! {"mime": "image/jpeg", "type": "IMAGE", "format": "jpeg", "width": 2048, "height": 1365,
//!  "orientation": 1, "size": 291834, "bucket": "media", "file": "in/photo.jpg"}
//! ```
//!
//! `type` is one of IMAGE, VIDEO, AUDIO, DOC, ARCHIVE and OTHER. Width and height are as stored,
//! and only there for pictures; `orientation` is EXIF's, from 1 to 8. Of the object, only what has
//! to be looked at is fetched: its first 64 KiB, and more where metadata push the head of a
//! picture away, or a container tells at its end what it holds.
//!
//! Reasons of failures: `asset.type-mismatch` (it is not what `type` says), `asset.empty`,
//! `asset.unknown` (content that nothing is known of), `media.undecodable` (a picture whose head
//! is broken), `asset.bad-input`, `asset.http-not-granted`, `cpe.bad-input`, and those of the
//! object store (`s3.…`).

mod kind;
mod object;
mod picture;
mod window;

use cpe_guest::{Failure, activity, heartbeat, log};
use serde::{Deserialize, Serialize};

pub use crate::kind::AssetType;
use crate::{
    kind::Found,
    object::Object,
    window::{Source, Window},
};

/// The input of the activity.
#[derive(Debug, Clone, Deserialize)]
pub struct Input {
    input_asset: Asset,
}

#[derive(Debug, Clone, Deserialize)]
struct Asset {
    #[serde(default, rename = "type")]
    kind: Option<AssetType>,
    #[serde(default)]
    bucket: Option<String>,
    #[serde(default)]
    file: Option<String>,
    #[serde(default)]
    http: Option<String>,
}

/// What the activity returns: the metadata of the asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Metadata {
    /// Such as `image/jpeg`.
    pub mime: String,
    /// The sort of asset.
    pub r#type: AssetType,
    /// Such as `jpeg`.
    pub format: String,
    /// Of a picture, in pixels as stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Of a picture, in pixels as stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Of a picture, as EXIF counts: 1 is upright.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orientation: Option<u8>,
    /// In bytes.
    pub size: u64,
    /// Where it is.
    pub bucket: String,
    /// The whole key.
    pub file: String,
}

/// Finds out what the input asset is.
///
/// # Errors
///
/// See the reasons in the head of this crate.
#[activity]
pub fn validate_asset(input: Input) -> Result<Metadata, Failure> {
    let (declared, bucket, file) = place(input.input_asset)?;
    heartbeat::checkpoint(0, format!("looking at {file}"))?;
    let object = Object::open(&bucket, &file)?;
    let size = object.size();
    if size == 0 {
        let details = format!("`{file}` in bucket `{bucket}` has no bytes");
        return Err(Failure::permanent("asset.empty", details));
    }
    let mut window = Window::new(object)?;
    let found = find(&mut window, &file)?;
    let kind = agreed(declared, &found, &file)?;
    let shape = match kind {
        AssetType::Image => shape(&mut window, &found, &file)?,
        _ => None,
    };
    let fetched = window.fetched().to_string();
    log::info("validated", &[("file", &file), ("mime", &found.mime), ("fetched", &fetched)]);
    heartbeat::checkpoint(100, format!("{file} is {}", found.mime))?;
    Ok(Metadata {
        mime: found.mime,
        r#type: kind,
        format: found.name,
        width: shape.map(|shape| shape.width),
        height: shape.map(|shape| shape.height),
        orientation: shape.map(|shape| shape.orientation),
        size,
        bucket,
        file,
    })
}

fn place(asset: Asset) -> Result<(Option<AssetType>, String, String), Failure> {
    match asset {
        Asset { kind, bucket: Some(bucket), file: Some(file), .. } => Ok((kind, bucket, file)),
        Asset { http: Some(_), .. } => Err(Failure::permanent(
            "asset.http-not-granted",
            "input_asset.http: activities have no HTTP access yet; upload the asset and name its \
             bucket and file",
        )),
        _ => Err(Failure::permanent("asset.bad-input", "input_asset: needs bucket and file")),
    }
}

fn find<S: Source>(window: &mut Window<S>, file: &str) -> Result<Found, Failure> {
    let found = kind::find(window);
    // Before anything is concluded from what could be read: could it all be read?
    if let Some(error) = window.take_broken() {
        return Err(error.into());
    }
    found?.ok_or_else(|| {
        let details = format!("`{file}` begins like nothing that is known, and is no text");
        Failure::permanent("asset.unknown", details)
    })
}

/// What it is taken for, if that agrees with what was declared.
fn agreed(declared: Option<AssetType>, found: &Found, file: &str) -> Result<AssetType, Failure> {
    match declared {
        Some(AssetType::Audio) if found.open => Ok(AssetType::Audio),
        Some(declared) if declared != found.kind => Err(Failure::permanent(
            "asset.type-mismatch",
            format!(
                "`{file}` is declared as {} but is {} ({})",
                declared.name(),
                found.mime,
                found.kind.name()
            ),
        )),
        _ => Ok(found.kind),
    }
}

fn shape<S: Source>(
    window: &mut Window<S>,
    found: &Found,
    file: &str,
) -> Result<Option<picture::Shape>, Failure> {
    let shape = picture::shape(found.format, window);
    if let Some(error) = window.take_broken() {
        return Err(error.into());
    }
    shape.map_err(|said| {
        let details =
            format!("`{file}` begins as {} does, but its head is broken: {said}", found.mime);
        Failure::permanent("media.undecodable", details)
    })
}

#[cfg(test)]
mod tests;
