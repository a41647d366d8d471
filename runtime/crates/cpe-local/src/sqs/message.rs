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
pub(crate) const ID_CHARS: usize = 128;
const NAME_CHARS: usize = 256;
/// Digits that a number may have, and the powers of ten that its first one may stand for.
const PRECISION: usize = 38;
const MAGNITUDES: std::ops::RangeInclusive<i64> = -128..=126;

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

/// Whether a text has only what message groups, de-duplication ids and the like may have.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=ID_CHARS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
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
        // `Number.of.whatever`: what comes after the first period is the client's own.
        let kind = self.data_type.split('.').next().unwrap_or_default();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if self.data_type.is_empty() {
            return Err(refuse("must contain non-empty message attribute type"));
        }
        if self.data_type.len() > NAME_CHARS || !self.data_type.chars().all(is_plain) {
            return Err(refuse(
                "has an invalid message attribute type: it can contain A-Z, a-z, 0-9, underscore (_), hyphen (-), and period (.) characters, at most 256",
            ));
        }
        match (kind, &self.string_value, &self.binary_value) {
            ("String" | "Number", Some(text), None) if !text.is_empty() => {
                check_characters(text)?;
                if kind == "Number" && !is_number(text) {
                    return Err(SqsFault::invalid(format!(
                        "Can't cast the value of message (user) attribute '{}' to a number.",
                        Shown(name)
                    )));
                }
                Ok(text.clone().into_bytes())
            }
            ("Binary", None, Some(text)) if !text.is_empty() => {
                STANDARD.decode(text).map_err(|_| refuse("is not in base64"))
            }
            ("String" | "Number" | "Binary", ..) => Err(refuse(&format!(
                "must contain a non-empty value of its type '{kind}', and no other"
            ))),
            _ => Err(refuse(
                "has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String",
            )),
        }
    }

    /// What counts of type and value, whether they fit or not.
    pub(crate) fn counted_bytes(&self) -> usize {
        self.data_type.len() + self.bytes().len()
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
    let why = if name.is_empty() || name.chars().all(is_plain) {
        "Attribute name must be 1 to 256 characters, must not start with AWS. or Amazon., and must not begin or end with a period (.) or have two of them in a row."
    } else {
        "Attribute name can contain A-Z, a-z, 0-9, underscore (_), hyphen (-), and period (.) characters."
    };
    Err(SqsFault::invalid(format!(
        "The message attribute name '{}' is invalid. {why}",
        Shown(name)
    )))
}

/// Whether it is a number as SQS knows them: up to 38 digits, from 10^-128 to 10^126.
fn is_number(text: &str) -> bool {
    let (mantissa, exponent) = match text.trim().split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i16>().ok()),
        None => (text.trim(), Some(0)),
    };
    let unsigned = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = format!("{whole}{fraction}");
    let Some(exponent) = exponent else { return false };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    // Zeros before and after do not count.
    let significant = digits.trim_start_matches('0');
    let leading = digits.len() - significant.len();
    let significant = significant.trim_end_matches('0');
    let position = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
    let magnitude = position(whole.len()) - 1 - position(leading) + i64::from(exponent);
    significant.is_empty() || (significant.len() <= PRECISION && MAGNITUDES.contains(&magnitude))
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

#[cfg(test)]
mod tests;
