//! What outputs are called, and in which format that makes them.

use crate::{encode::Format, input::OutputAsset, refusal::Refusal};

/// S3's limit on keys.
const MAX_KEY: usize = 1_024;

/// Where an output goes, and as what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) key: String,
    pub(crate) format: Format,
}

/// What is known of the input when its outputs are named.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Original<'a> {
    pub(crate) key: &'a str,
    pub(crate) format: image::ImageFormat,
    pub(crate) has_alpha: bool,
}

/// Names one output.
///
/// An extension decides the format. `x.*` keeps the input's format where it can be written, and
/// its extension too if it is one of that format. Otherwise a picture that may have see-through
/// parts or a palette becomes `.png`, any other `.jpg`.
pub(crate) fn target(output: &OutputAsset, original: Original<'_>) -> Result<Target, Refusal> {
    let file = output.file.trim_start_matches('/');
    let (stem, extension) = match file.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && !stem.ends_with('/') => (stem, extension),
        _ => {
            return Err(Refusal::bad_input(format!(
                "file: `{}` has no extension to tell the format; write `x.*` to keep the input's",
                output.file
            )));
        }
    };
    let (format, extension) = if extension == "*" {
        kept(original)
    } else {
        let format = Format::of_extension(extension).ok_or_else(|| Refusal {
            reason: "asset.format-unsupported",
            details: format!(
                "file: `.{extension}` cannot be written; what can is .jpg, .jpeg, .png and .webp"
            ),
        })?;
        (format, extension)
    };
    let path = output.path.as_deref().unwrap_or_default().trim_matches('/');
    let separator = if path.is_empty() { "" } else { "/" };
    let key = format!("{path}{separator}{stem}.{extension}");
    if key.len() > MAX_KEY {
        return Err(Refusal::bad_input(format!(
            "file: the key has {} bytes; S3 takes {MAX_KEY}",
            key.len()
        )));
    }
    Ok(Target { key, format })
}

fn kept(original: Original<'_>) -> (Format, &str) {
    let extension = original.key.rsplit_once('.').map_or("", |(_, extension)| extension);
    match Format::of_image(original.format) {
        Some(format) if Format::of_extension(extension) == Some(format) => (format, extension),
        Some(format) => (format, format.extension()),
        None if original.has_alpha || original.format == image::ImageFormat::Gif => {
            (Format::Png, Format::Png.extension())
        }
        None => (Format::Jpeg, Format::Jpeg.extension()),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use image::ImageFormat;
    use serde_json::json;

    use super::*;

    fn check(original: Original<'_>, names: &[(&str, &str)], expected: Expect) {
        let lines: Vec<String> = names
            .iter()
            .map(|(path, file)| {
                let output = serde_json::from_value(json!({
                    "type": "IMAGE", "bucket": "media", "path": path, "file": file,
                }))
                .unwrap();
                match target(&output, original) {
                    Ok(Target { key, format }) => format!("{path} {file} -> {key} {format:?}"),
                    Err(refusal) => refusal.to_string(),
                }
            })
            .collect();
        expected.assert_eq(&(lines.join("\n") + "\n"));
    }

    fn original(key: &str, format: ImageFormat, has_alpha: bool) -> Original<'_> {
        Original { key, format, has_alpha }
    }

    #[test]
    fn an_extension_decides_the_format() {
        check(
            original("in/photo.jpg", ImageFormat::Jpeg, false),
            &[
                ("out", "web.*"),
                ("/out/", "/a/b.PNG"),
                ("", "x.webp"),
                ("out", "x.JPEG"),
                ("out", "x.gif"),
                ("out", "x"),
                ("out", ".jpg"),
                ("out", "a/.png"),
                ("v1.0", "x"),
                ("out", "*"),
            ],
            expect![[r#"
                out web.* -> out/web.jpg Jpeg
                /out/ /a/b.PNG -> out/a/b.PNG Png
                 x.webp -> x.webp WebP
                out x.JPEG -> out/x.JPEG Jpeg
                asset.format-unsupported: file: `.gif` cannot be written; what can is .jpg, .jpeg, .png and .webp
                asset.bad-input: file: `x` has no extension to tell the format; write `x.*` to keep the input's
                asset.bad-input: file: `.jpg` has no extension to tell the format; write `x.*` to keep the input's
                asset.bad-input: file: `a/.png` has no extension to tell the format; write `x.*` to keep the input's
                asset.bad-input: file: `x` has no extension to tell the format; write `x.*` to keep the input's
                asset.bad-input: file: `*` has no extension to tell the format; write `x.*` to keep the input's
            "#]],
        );
    }

    #[test]
    fn a_star_keeps_what_can_be_written() {
        let star: &[(&str, &str)] = &[("out", "x.*")];
        check(
            original("a.JPEG", ImageFormat::Jpeg, false),
            star,
            expect![[r#"
            out x.* -> out/x.JPEG Jpeg
        "#]],
        );
        check(
            original("a.png", ImageFormat::Jpeg, false),
            star,
            expect![[r#"
            out x.* -> out/x.jpg Jpeg
        "#]],
        );
        check(
            original("no-extension", ImageFormat::WebP, true),
            star,
            expect![[r#"
            out x.* -> out/x.webp WebP
        "#]],
        );
        check(
            original("a.gif", ImageFormat::Gif, false),
            star,
            expect![[r#"
            out x.* -> out/x.png Png
        "#]],
        );
        check(
            original("a.tif", ImageFormat::Tiff, false),
            star,
            expect![[r#"
            out x.* -> out/x.jpg Jpeg
        "#]],
        );
        check(
            original("a.bmp", ImageFormat::Bmp, true),
            star,
            expect![[r#"
            out x.* -> out/x.png Png
        "#]],
        );
    }
}
