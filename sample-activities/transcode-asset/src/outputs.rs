//! Outputs, from what is asked for to what is stored.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
};

use cpe_guest::{
    Failure, heartbeat,
    object_store::{Bucket, PutOptions},
};
use image::DynamicImage;
use serde::Serialize;

use crate::{
    decode::{self, Opened, Picture},
    encode::{EncodeError, Options, encode},
    fetch::fetch,
    input::{OutputAsset, Request, Watermark},
    naming::{self, Original, Target},
    refusal::Refusal,
    render::{Recipe, render, upright},
    watermark,
};

/// The share of the work that is done when the first output is begun, in per cent.
const PREPARED: usize = 40;

/// One output that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Made {
    /// As it was asked for: `IMAGE` or `THUMB`.
    pub r#type: &'static str,
    /// Where it is.
    pub bucket: String,
    /// The whole key.
    pub file: String,
    /// Such as `image/jpeg`.
    pub mime: &'static str,
    /// `jpeg`, `png` or `webp`.
    pub format: &'static str,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// In bytes.
    pub size: u64,
}

/// An output that nothing stands against, as far as the head of the original shows.
#[derive(Debug)]
pub(crate) struct Planned<'a> {
    asset: &'a OutputAsset,
    target: Target,
    recipe: Recipe,
}

/// Works out all outputs before any pixel is unpacked.
pub(crate) fn plan<'a>(
    request: &'a Request,
    original: &Opened,
) -> Result<Vec<Planned<'a>>, Refusal> {
    let size = upright(original.size, original.orientation);
    let named =
        Original { key: &request.key, format: original.format, has_alpha: original.has_alpha };
    let mut keys = BTreeSet::new();
    let mut planned = Vec::new();
    for (index, asset) in request.outputs.iter().enumerate() {
        let at = |refusal: Refusal| refusal.within(&format!("output_assets[{index}]"));
        let target = naming::target(asset, named).map_err(at)?;
        let recipe = Recipe::new(asset, size).map_err(at)?;
        if !keys.insert((asset.bucket.as_str(), target.key.clone())) {
            return Err(at(Refusal::bad_input(format!(
                "file: {} is already another output",
                target.key
            ))));
        }
        planned.push(Planned { asset, target, recipe });
    }
    Ok(planned)
}

/// Makes and stores all outputs of one picture.
pub(crate) fn make(picture: &Picture, planned: &[Planned<'_>]) -> Result<Vec<Made>, Failure> {
    let mut marks = Watermarks::default();
    let mut made = Vec::new();
    for (index, output) in planned.iter().enumerate() {
        let percent = PREPARED + (100 - PREPARED) * index / planned.len().max(1);
        let message = format!("making {} ({} of {})", output.target.key, index + 1, planned.len());
        heartbeat::checkpoint(u8::try_from(percent).unwrap_or(100), message)?;
        made.push(make_one(picture, output, &mut marks).map_err(|failure| Failure {
            details: format!("output_assets[{index}]: {}", failure.details),
            ..failure
        })?);
    }
    Ok(made)
}

fn make_one(
    picture: &Picture,
    output: &Planned<'_>,
    marks: &mut Watermarks,
) -> Result<Made, Failure> {
    let Planned { asset, target, recipe } = output;
    let mut rendered = render(picture, *recipe)?;
    if let Some(wanted) = &asset.watermark {
        let mark = marks.get(wanted)?;
        rendered = watermark::lay_over(rendered.into_owned(), mark, wanted)
            .map(std::borrow::Cow::Owned)
            .map_err(|refusal| refusal.within("watermark"))?;
    }
    let options = PutOptions {
        content_type: Some(target.format.mime().to_owned()),
        storage_class: asset.reduced_redundancy().then(|| "REDUCED_REDUNDANCY".to_owned()),
        encrypt: asset.encrypted(),
    };
    let writer = Bucket::open(asset.bucket.as_str())?.put(&target.key, options)?;
    let mut counted = Counted { inner: writer, bytes: 0 };
    let options = Options {
        format: target.format,
        quality: asset.quality.map(|quality| quality.0),
        icc: picture.icc.as_deref(),
    };
    encode(&rendered, options, &mut counted).map_err(|error| match error {
        EncodeError::Refused(refusal) => refusal.into(),
        EncodeError::Write(error) => Failure::from(error),
    })?;
    counted.inner.finish()?;
    Ok(Made {
        r#type: asset.kind.name(),
        bucket: asset.bucket.clone(),
        file: target.key.clone(),
        mime: target.format.mime(),
        format: target.format.name(),
        width: rendered.width(),
        height: rendered.height(),
        size: counted.bytes,
    })
}

/// The watermarks of this activity: most clients have one, on every output.
#[derive(Debug, Default)]
struct Watermarks {
    known: BTreeMap<(String, String), DynamicImage>,
}

impl Watermarks {
    fn get(&mut self, wanted: &Watermark) -> Result<&DynamicImage, Failure> {
        let place = (wanted.bucket.clone(), wanted.file.clone());
        if !self.known.contains_key(&place) {
            let mark = fetch(&wanted.bucket, &wanted.file, |_| Ok(()))
                .and_then(|bytes| Ok(decode::open(bytes)?.decode()?))
                .map_err(|failure| Failure {
                    details: format!("watermark: {}", failure.details),
                    ..failure
                })?;
            self.known.insert(place.clone(), watermark::upright(mark));
        }
        Ok(self.known.get(&place).expect("inserted above, if it was not there"))
    }
}

struct Counted<W> {
    inner: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(buffer)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
