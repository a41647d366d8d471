//! Names and handles: of queues, messages and deliveries.

use std::{fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE};
use serde::{Deserialize, Serialize};

use super::fault::{SqsFault, SqsFaultKind};

/// The account that owns everything here.
pub(crate) const ACCOUNT: &str = "123456789012";

/// What a queue is called: letters, digits, `-` and `_`, and `.fifo` at the end of a FIFO queue's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct QueueName(Arc<str>);

impl QueueName {
    pub(crate) fn parse(name: &str) -> Result<Self, SqsFault> {
        let stem = name.strip_suffix(".fifo").unwrap_or(name);
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if stem.is_empty() || name.len() > 80 || !stem.bytes().all(is_plain) {
            return Err(SqsFault::invalid(
                "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
            ));
        }
        Ok(Self(name.into()))
    }

    /// The queue that a URL names. Any host is fine: one's own comes by many names.
    pub(crate) fn of_url(url: &str) -> Result<Self, SqsFault> {
        let path = match url.split_once("://") {
            Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
            None => url.strip_prefix('/').unwrap_or(url),
        };
        let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or("");
        // SQS says the same of an address that can be none as of one that leads nowhere.
        Self::parse(name).map_err(|_| SqsFault::no_such_queue())
    }

    /// The queue that an ARN names. Region and account do not matter: here is only one of each.
    pub(crate) fn of_arn(arn: &str) -> Option<Self> {
        let mut parts = arn.splitn(6, ':');
        let fixed = [parts.next()?, parts.next()?, parts.next()?];
        let (_region, _account) = (parts.next()?, parts.next()?);
        let is_sqs = matches!(fixed, ["arn", partition, "sqs"] if partition.starts_with("aws"));
        parts.next().filter(|_| is_sqs).and_then(|name| Self::parse(name).ok())
    }

    pub(crate) fn is_fifo(&self) -> bool {
        self.0.ends_with(".fifo")
    }

    /// A name that was checked when the queue was made.
    pub(super) fn stored(name: &str) -> Self {
        Self(name.into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A client's text in an error, cut to a length that is still read.
pub(crate) struct Shown<'a>(pub(crate) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.0.char_indices().nth(100).map_or(self.0.len(), |(at, _)| at);
        f.write_str(self.0.get(..end).unwrap_or_default())
    }
}

/// The number of a queue in this endpoint. A name that is used again gets a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct QueueId(pub(crate) i64);

/// The number of a message in this endpoint, in order of sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MessageNo(pub(crate) i64);

impl MessageNo {
    /// As FIFO queues show it: twenty digits.
    pub(crate) fn sequence_number(self) -> String {
        format!("{:020}", self.0)
    }
}

/// Names one delivery of a message: with the next one, it is stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) queue: QueueId,
    pub(crate) message: MessageNo,
    /// The message's receive count at that delivery.
    pub(crate) delivery: u32,
}

impl Receipt {
    pub(crate) fn encode(self) -> String {
        let mut bytes = Vec::with_capacity(20);
        bytes.extend(self.queue.0.to_be_bytes());
        bytes.extend(self.message.0.to_be_bytes());
        bytes.extend(self.delivery.to_be_bytes());
        URL_SAFE.encode(bytes)
    }

    pub(crate) fn decode(text: &str) -> Result<Self, SqsFault> {
        let parse = || {
            // Longer than any receipt: not even worth decoding.
            let bytes = URL_SAFE.decode(text.get(..28).filter(|head| *head == text)?).ok()?;
            let (queue, rest) = bytes.split_first_chunk()?;
            let (message, rest) = rest.split_first_chunk()?;
            let delivery = rest.first_chunk().filter(|_| rest.len() == 4)?;
            Some(Self {
                queue: QueueId(i64::from_be_bytes(*queue)),
                message: MessageNo(i64::from_be_bytes(*message)),
                delivery: u32::from_be_bytes(*delivery),
            })
        };
        parse().ok_or_else(|| Self::invalid(text))
    }

    pub(crate) fn invalid(text: &str) -> SqsFault {
        SqsFault::new(
            SqsFaultKind::ReceiptHandleIsInvalid,
            format!("The input receipt handle \"{}\" is not a valid receipt handle.", Shown(text)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_found_by_its_url_whatever_the_host() {
        let name = |url| QueueName::of_url(url).map(|name| name.to_string());
        assert_eq!(name("http://127.0.0.1:4600/123456789012/in").unwrap(), "in");
        assert_eq!(name("https://sqs.us-east-1.amazonaws.com/1/a.fifo/").unwrap(), "a.fifo");
        assert_eq!(name("in").unwrap(), "in");
        for wrong in ["", "http://", "http://host", "http://host/1/a b", "http://host/1/.fifo"] {
            assert_eq!(name(wrong).unwrap_err().kind, SqsFaultKind::QueueDoesNotExist, "{wrong}");
        }
    }

    #[test]
    fn a_queue_is_found_by_its_arn_whatever_the_region() {
        let name = |arn| QueueName::of_arn(arn).map(|name| name.to_string());
        assert_eq!(name("arn:aws:sqs:us-east-1:1:in").as_deref(), Some("in"));
        assert_eq!(name("arn:aws-cn:sqs:cn-north-1:2:a.fifo").as_deref(), Some("a.fifo"));
        for wrong in ["", "in", "arn:aws:sns:r:1:in", "arn:aws:sqs:r:1", "arn:aws:sqs:r:1:a b"] {
            assert_eq!(name(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_receipt_survives_its_text() {
        let receipt =
            Receipt { queue: QueueId(7), message: MessageNo(i64::MAX), delivery: u32::MAX };
        assert_eq!(Receipt::decode(&receipt.encode()), Ok(receipt));
        let text = receipt.encode();
        for wrong in ["", "x", &text[1..], &format!("{text}A"), &"é".repeat(14)] {
            assert!(Receipt::decode(wrong).is_err(), "{wrong}");
        }
    }
}
