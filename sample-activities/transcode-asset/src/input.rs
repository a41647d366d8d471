//! What the activity is asked for, as clients write it.
//!
//! Values are checked as they are read, so that a wrong one is told with its path. Keys that this
//! activity does not know are passed over: clients share output assets between kinds of media.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};

use crate::{
    geometry::{Crop, Fit, Offset, Resize},
    refusal::{MAX_SIDE, Refusal},
};

/// How many outputs one activity makes.
const MAX_OUTPUTS: usize = 100;

/// The input of the activity.
#[derive(Debug, Clone, Deserialize)]
pub struct Input {
    input_asset: Asset,
    /// What `validate-asset` found, if it ran.
    #[serde(default)]
    input_asset_metadata: Option<Metadata>,
    #[serde(default)]
    output_assets: Option<Vec<OutputAsset>>,
    /// The older form, with one output.
    #[serde(default)]
    output_asset: Option<OutputAsset>,
}

#[derive(Debug, Clone, Deserialize)]
struct Asset {
    #[serde(default)]
    bucket: Option<String>,
    #[serde(default)]
    file: Option<String>,
    #[serde(default)]
    http: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Metadata {
    #[serde(default, rename = "type")]
    kind: Option<String>,
}

/// One output, as it was asked for.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct OutputAsset {
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    pub(crate) bucket: String,
    #[serde(default)]
    pub(crate) path: Option<String>,
    pub(crate) file: String,
    #[serde(default)]
    pub(crate) quality: Option<Quality>,
    #[serde(default)]
    resize: Option<Resize>,
    #[serde(default)]
    size: Option<Resize>,
    #[serde(default)]
    pub(crate) thumbnail: Option<Resize>,
    #[serde(default)]
    pub(crate) crop: Option<Crop>,
    #[serde(default)]
    keep_ratio: Option<bool>,
    #[serde(default)]
    no_enlarge: Option<bool>,
    #[serde(default)]
    pub(crate) watermark: Option<Watermark>,
    #[serde(default)]
    s3_rrs: Option<bool>,
    #[serde(default)]
    s3_encrypt: Option<bool>,
}

/// A picture to lay over the output.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Watermark {
    pub(crate) bucket: String,
    pub(crate) file: String,
    #[serde(default)]
    pub(crate) size: Option<Resize>,
    #[serde(default)]
    pub(crate) opacity: Option<Opacity>,
    #[serde(default)]
    pub(crate) x: Offset,
    #[serde(default)]
    pub(crate) y: Offset,
}

/// What an output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Image,
    Thumb,
    Video,
    Audio,
    Doc,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Image => "IMAGE",
            Self::Thumb => "THUMB",
            Self::Video => "VIDEO",
            Self::Audio => "AUDIO",
            Self::Doc => "DOC",
        }
    }
}

/// 1 to 100, for formats that lose something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quality(pub(crate) u8);

/// 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Opacity(pub(crate) f32);

/// An input that is whole: where the picture is, and what is to be made of it.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) outputs: Vec<OutputAsset>,
}

impl Input {
    /// Checks what no single value shows.
    pub(crate) fn into_request(self) -> Result<Request, Refusal> {
        let bad = |details: &str| Err(Refusal::bad_input(details));
        let Asset { bucket, file, http } = self.input_asset;
        let (bucket, key) = match (bucket, file, http) {
            (Some(bucket), Some(file), _) => (bucket, file),
            (_, _, Some(_)) => {
                return Err(Refusal {
                    reason: "asset.http-not-granted",
                    details: "input_asset.http: activities have no HTTP access yet; upload the \
                              asset and name its bucket and file"
                        .to_owned(),
                });
            }
            _ => return bad("input_asset: needs bucket and file"),
        };
        if let Some(kind) = self.input_asset_metadata.and_then(|metadata| metadata.kind)
            && !kind.eq_ignore_ascii_case("IMAGE")
        {
            return Err(unsupported(format!(
                "input_asset_metadata.type: {kind}; this activity reads images"
            )));
        }
        let outputs = match (self.output_assets, self.output_asset) {
            (Some(outputs), None) => outputs,
            (None, Some(output)) => vec![output],
            (Some(_), Some(_)) => return bad("output_assets and output_asset: give one of them"),
            (None, None) => return bad("output_assets: missing; it lists what to make"),
        };
        if outputs.is_empty() || outputs.len() > MAX_OUTPUTS {
            return bad(&format!("output_assets: 1 to {MAX_OUTPUTS}, not {}", outputs.len()));
        }
        for (index, output) in outputs.iter().enumerate() {
            if !matches!(output.kind, Kind::Image | Kind::Thumb) {
                return Err(unsupported(format!(
                    "output_assets[{index}].type: {}; this activity makes IMAGE and THUMB",
                    output.kind.name()
                )));
            }
        }
        Ok(Request { bucket, key, outputs })
    }
}

fn unsupported(details: String) -> Refusal {
    Refusal { reason: "asset.type-unsupported", details }
}

impl OutputAsset {
    pub(crate) fn fit(&self) -> Fit {
        Fit {
            keep_ratio: self.keep_ratio.unwrap_or(true),
            no_enlarge: self.no_enlarge.unwrap_or(false),
        }
    }

    /// The changes of size, in the order in which they are made.
    pub(crate) fn resizes(&self) -> impl Iterator<Item = Resize> {
        [self.resize, self.size, self.thumbnail].into_iter().flatten()
    }

    /// Whether speed matters more than the last bit of sharpness.
    pub(crate) fn is_thumbnail(&self) -> bool {
        self.thumbnail.is_some() || self.kind == Kind::Thumb
    }

    pub(crate) fn reduced_redundancy(&self) -> bool {
        self.s3_rrs.unwrap_or(false)
    }

    pub(crate) fn encrypted(&self) -> bool {
        self.s3_encrypt.unwrap_or(false)
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        [Self::Image, Self::Thumb, Self::Video, Self::Audio, Self::Doc]
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(&text))
            .ok_or_else(|| {
                de::Error::custom(format!("`{text}` is none of IMAGE, THUMB, VIDEO, AUDIO, DOC"))
            })
    }
}

impl<'de> Deserialize<'de> for Resize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_any(Scalar("a size such as \"1200x800\""))?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Crop {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Quality {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_any(Scalar("a quality from 1 to 100"))?;
        match text.parse() {
            Ok(quality @ 1..=100) => Ok(Self(quality)),
            _ => Err(de::Error::custom(format!("{text} is no whole number from 1 to 100"))),
        }
    }
}

impl<'de> Deserialize<'de> for Opacity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_any(Scalar("an opacity from 0 to 1"))?;
        match text.parse() {
            Ok(opacity) if (0.0..=1.0).contains(&opacity) => Ok(Self(opacity)),
            _ => Err(de::Error::custom(format!("{text} is not from 0 to 1"))),
        }
    }
}

impl<'de> Deserialize<'de> for Offset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_any(Scalar("a whole number of pixels"))?;
        // Not through a number: `-0`, the far edge itself, must keep its sign.
        let (from_far_edge, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits.trim_end_matches(".0")),
            None => (false, text.strip_prefix('+').unwrap_or(&text)),
        };
        match digits.parse() {
            Ok(distance) if distance <= MAX_SIDE => Ok(Self { distance, from_far_edge }),
            _ => Err(de::Error::custom(format!(
                "{text} is no whole number from -{MAX_SIDE} to {MAX_SIDE}"
            ))),
        }
    }
}

/// Takes a text, or a number as its text: PHP clients send either. Says what it wants.
struct Scalar(&'static str);

impl Visitor<'_> for Scalar {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<String, E> {
        Ok(value.trim().to_owned())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<String, E> {
        Ok(value.to_string())
    }
}

#[cfg(test)]
mod tests;
