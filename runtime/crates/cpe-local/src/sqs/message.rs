//! A message on its way in: what SQS checks before it takes one, and its digests.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

use super::{
    attributes::MAX_MESSAGE_BYTES,
    fault::{SqsFault, SqsFaultKind},
    names::Shown,
};

const MAX_ATTRIBUTES: usize = 10;
const NAME_CHARS: usize = 256;

/// A message as it is kept, apart from what its deliveries change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    /// Given by SQS, unlike any other.
    pub(crate) message_id: String,
    pub(crate) body: String,
    pub(crate) attributes: MessageAttributes,
    pub(crate) trace_header: Option<String>,
}

/// A message's own attributes, by name.
pub(crate) type MessageAttributes = BTreeMap<String, AttributeValue>;

/// The shape `MessageAttributeValue` of the service model, without its reserved lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AttributeValue {
    pub(crate) data_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) string_value: Option<String>,
    /// In base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) binary_value: Option<String>,
}

impl Content {
    /// Checks what can be checked without knowing the queue. Answers the bytes that count.
    pub(crate) fn check(&self) -> Result<usize, SqsFault> {
        if self.body.is_empty() {
            return Err(SqsFault::missing("MessageBody"));
        }
        check_characters(&self.body)?;
        if self.attributes.len() > MAX_ATTRIBUTES {
            return Err(SqsFault::invalid(format!(
                "Number of message attributes [{}] exceeds the allowed maximum [{MAX_ATTRIBUTES}].",
                self.attributes.len()
            )));
        }
        let mut bytes = self.body.len();
        for (name, value) in &self.attributes {
            check_name(name)?;
            bytes += name.len() + value.data_type.len() + value.check(name)?.len();
        }
        let most = usize::try_from(MAX_MESSAGE_BYTES).unwrap_or(usize::MAX);
        if bytes > most { Err(too_long(most)) } else { Ok(bytes) }
    }
}

pub(crate) fn too_long(most: usize) -> SqsFault {
    SqsFault::invalid(format!(
        "One or more parameters are invalid. Reason: Message must be shorter than {most} bytes."
    ))
}

impl AttributeValue {
    /// The value's bytes, if they fit the type.
    fn check(&self, name: &str) -> Result<Vec<u8>, SqsFault> {
        let refuse = |why: &str| {
            SqsFault::invalid(format!("The message attribute '{}' {why}.", Shown(name)))
        };
        let kind = self.data_type.split('.').next().unwrap_or_default();
        if self.data_type.chars().count() > NAME_CHARS {
            return Err(refuse("has a type of more than 256 characters"));
        }
        match (kind, &self.string_value, &self.binary_value) {
            ("String" | "Number", Some(text), None) if !text.is_empty() => {
                check_characters(text)?;
                if kind == "Number" && text.trim().parse::<f64>().is_err() {
                    return Err(refuse("is no number"));
                }
                Ok(text.clone().into_bytes())
            }
            ("Binary", None, Some(text)) if !text.is_empty() => {
                STANDARD.decode(text).map_err(|_| refuse("is not in base64"))
            }
            ("String" | "Number" | "Binary", ..) => Err(refuse("must contain a value of its type")),
            _ => Err(refuse("has none of the types String, Number and Binary")),
        }
    }

    /// The value's bytes. It was checked when the message came.
    fn bytes(&self) -> Vec<u8> {
        match (&self.string_value, &self.binary_value) {
            (Some(text), _) => text.clone().into_bytes(),
            (None, Some(text)) => STANDARD.decode(text).unwrap_or_default(),
            (None, None) => Vec::new(),
        }
    }
}

/// The characters of XML 1.0, as everywhere in SQS.
fn check_characters(text: &str) -> Result<(), SqsFault> {
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    match text.chars().find(|c| !allowed(*c)) {
        None => Ok(()),
        Some(c) => Err(SqsFault::new(
            SqsFaultKind::InvalidMessageContents,
            format!(
                "Invalid characters found: U+{:04X}. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF.",
                u32::from(c)
            ),
        )),
    }
}

fn check_name(name: &str) -> Result<(), SqsFault> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let lower = name.to_ascii_lowercase();
    let fits = !name.is_empty()
        && name.len() <= NAME_CHARS
        && name.chars().all(is_plain)
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..")
        && !lower.starts_with("aws.")
        && !lower.starts_with("amazon.");
    if fits {
        return Ok(());
    }
    Err(SqsFault::invalid(format!(
        "The message attribute name '{}' is invalid: letters, digits, '_', '-' and single '.' inside, at most 256, not starting with AWS. or Amazon.",
        Shown(name)
    )))
}

/// The MD5 of a body, in hexadecimal.
pub(crate) fn md5_of_body(body: &str) -> String {
    hex::encode(Md5::digest(body))
}

/// The MD5 of attributes as SQS computes it, in hexadecimal. `None` where there are none.
///
/// In order of names: each name, type and value with its length before it, the value also with
/// one byte for how it is transported.
pub(crate) fn md5_of_attributes<'a>(
    attributes: impl IntoIterator<Item = (&'a String, &'a AttributeValue)>,
) -> Option<String> {
    fn add(digest: &mut Md5, bytes: &[u8]) {
        digest.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        digest.update(bytes);
    }
    let mut digest = Md5::new();
    let mut any = false;
    for (name, value) in attributes {
        any = true;
        add(&mut digest, name.as_bytes());
        add(&mut digest, value.data_type.as_bytes());
        digest.update([if value.binary_value.is_some() { 2 } else { 1 }]);
        add(&mut digest, &value.bytes());
    }
    any.then(|| hex::encode(digest.finalize()))
}
