//! What sort of asset an object is, by its first bytes.

use std::io;

use file_format::{FileFormat, Kind};
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::window::{Source, Window};

/// The sort of an asset, in Cloud Transcode's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum AssetType {
    /// Pictures.
    Image,
    /// Moving pictures, with sound or without.
    Video,
    /// Sound.
    Audio,
    /// What is read: text, office, PDF.
    Doc,
    /// What holds other files.
    Archive,
    /// Something known that is none of these.
    Other,
}

impl AssetType {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Image => "IMAGE",
            Self::Video => "VIDEO",
            Self::Audio => "AUDIO",
            Self::Doc => "DOC",
            Self::Archive => "ARCHIVE",
            Self::Other => "OTHER",
        }
    }
}

impl<'de> Deserialize<'de> for AssetType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        [Self::Image, Self::Video, Self::Audio, Self::Doc, Self::Archive, Self::Other]
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(&text))
            .ok_or_else(|| {
                de::Error::custom(format!("`{text}` is none of IMAGE, VIDEO, AUDIO, DOC"))
            })
    }
}

/// What an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) format: FileFormat,
    pub(crate) mime: String,
    /// A short name, as a rule the usual extension.
    pub(crate) name: String,
    pub(crate) kind: AssetType,
    /// Whether it is a container that holds sound as well as pictures, without saying which
    /// before one has read far into it.
    pub(crate) open: bool,
}

/// Recognises an object; None if it is nothing known.
pub(crate) fn find<S: Source>(window: &mut Window<S>) -> io::Result<Option<Found>> {
    let format = FileFormat::from_reader(&mut *window)?;
    if format != FileFormat::ArbitraryBinaryData {
        return Ok(Some(found(format)));
    }
    let head = window.head();
    let format = container(head).or_else(|| is_text(head).then_some(FileFormat::PlainText));
    Ok(format.map(found))
}

/// What begins as a container, where it is too short or too broken to tell what it holds.
fn container(head: &[u8]) -> Option<FileFormat> {
    let signatures: [(usize, &[u8], FileFormat); 6] = [
        (4, b"ftyp", FileFormat::Mpeg4Part14),
        (0, b"\x1A\x45\xDF\xA3", FileFormat::ExtensibleBinaryMetaLanguage),
        (0, b"\x30\x26\xB2\x75\x8E\x66\xCF\x11", FileFormat::AdvancedSystemsFormat),
        (0, b"ID3", FileFormat::Id3v2),
        (0, b"PK\x03\x04", FileFormat::Zip),
        (0, b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", FileFormat::CompoundFileBinary),
    ];
    let begins =
        |at, signature| head.get(at..).is_some_and(|rest: &[u8]| rest.starts_with(signature));
    signatures
        .into_iter()
        .find_map(|(at, signature, format)| begins(at, signature).then_some(format))
}

fn found(format: FileFormat) -> Found {
    use FileFormat as F;
    let (mime, name) = match format {
        // Tags before music that was not recognised: a picture in them may be large.
        F::Id3v2 => ("audio/mpeg", "mp3"),
        F::WaveformAudio => ("audio/wav", "wav"),
        F::JointPhotographicExpertsGroup => ("image/jpeg", "jpeg"),
        F::AnimatedPortableNetworkGraphics => ("image/apng", "png"),
        F::TagImageFileFormat => ("image/tiff", "tiff"),
        _ => (format.media_type(), format.extension()),
    };
    let open = matches!(
        format,
        F::Mpeg4Part14
            | F::AdvancedSystemsFormat
            | F::ExtensibleBinaryMetaLanguage
            | F::OggMultiplexedMedia
            | F::Realmedia
            | F::Webm
    );
    let kind = if open { AssetType::Video } else { kind(format, mime) };
    Found { format, mime: mime.to_owned(), name: name.to_owned(), kind, open }
}

fn kind(format: FileFormat, mime: &str) -> AssetType {
    match format.kind() {
        Kind::Image => AssetType::Image,
        Kind::Video => AssetType::Video,
        Kind::Audio => AssetType::Audio,
        Kind::Document
        | Kind::Ebook
        | Kind::Presentation
        | Kind::Spreadsheet
        | Kind::Diagram
        | Kind::Formula => AssetType::Doc,
        Kind::Archive | Kind::Compressed | Kind::Package => AssetType::Archive,
        _ if mime.starts_with("text/") => AssetType::Doc,
        _ if mime.starts_with("audio/") => AssetType::Audio,
        _ => AssetType::Other,
    }
}

/// Text in ASCII or UTF-8 has no control characters but those that move about. The last character
/// may be cut.
fn is_text(head: &[u8]) -> bool {
    let text = match str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            let valid = head.get(..error.valid_up_to()).unwrap_or_default();
            str::from_utf8(valid).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty() && !text.contains(|c: char| c.is_control() && !c.is_whitespace())
}
