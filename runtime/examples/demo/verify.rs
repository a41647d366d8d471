//! Whether the outputs are what was asked for: fetched from S3, decoded, measured.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use cpe_aws::Aws;
use cpe_ports::ObjectAddress;
use futures::TryStreamExt;
use image::ImageFormat;
use serde_json::Value;

use crate::job::BUCKET;

/// One output.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) key: String,
    pub(crate) format: &'static str,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) bytes: usize,
    pub(crate) path: PathBuf,
}

/// Key, format and dimensions that the photograph of 2048 by 1365 pixels must come to.
const EXPECTED: [(&str, ImageFormat, u32, u32); 3] = [
    ("out/web.jpg", ImageFormat::Jpeg, 1200, 800),
    ("out/thumb.png", ImageFormat::Png, 320, 213),
    ("out/square.webp", ImageFormat::WebP, 600, 600),
];

/// Fetches each output into `folder` and checks it.
pub(crate) async fn outputs(aws: &Aws, result: &Value, folder: &Path) -> anyhow::Result<Vec<Row>> {
    for (key, ..) in EXPECTED {
        ensure!(result.to_string().contains(key), "the job's result does not name {key}: {result}");
    }
    std::fs::create_dir_all(folder)?;
    let mut rows = Vec::new();
    for (key, format, width, height) in EXPECTED {
        let object = aws
            .blobs
            .get(&ObjectAddress::new(BUCKET, key), None)
            .await
            .with_context(|| format!("{key} is not there"))?;
        let chunks: Vec<_> = object.body.try_collect().await?;
        let bytes = chunks.concat();
        let found = image::guess_format(&bytes).with_context(|| format!("{key} is no image"))?;
        let decoded = image::load_from_memory_with_format(&bytes, found)
            .with_context(|| format!("{key} does not decode"))?;
        // A box of 1200 by 800 holds a picture of this shape at 1200 by 800, rounding aside.
        let close = decoded.width().abs_diff(width) <= 1 && decoded.height().abs_diff(height) <= 1;
        if found != format || !close {
            bail!(
                "{key} is {found:?} of {}x{}, not {format:?} of {width}x{height}",
                decoded.width(),
                decoded.height()
            );
        }
        let path = folder.join(key.trim_start_matches("out/"));
        std::fs::write(&path, &bytes)?;
        rows.push(Row {
            key: key.to_owned(),
            format: found.extensions_str().first().copied().unwrap_or("?"),
            width: decoded.width(),
            height: decoded.height(),
            bytes: bytes.len(),
            path,
        });
    }
    Ok(rows)
}
