//! A queue's settings, as they are set, compared and shown.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    fault::{SqsFault, SqsFaultKind},
    names::QueueName,
};

/// Bytes of a message, its attributes included.
pub(crate) const MAX_MESSAGE_BYTES: u32 = 1_048_576;

pub(crate) const VISIBILITY_SECONDS: RangeInclusive<u32> = 0..=43_200;
pub(crate) const DELAY_SECONDS: RangeInclusive<u32> = 0..=900;
pub(crate) const WAIT_SECONDS: RangeInclusive<u32> = 0..=20;
const RETENTION_SECONDS: RangeInclusive<u32> = 60..=1_209_600;
const MESSAGE_BYTES: RangeInclusive<u32> = 1_024..=MAX_MESSAGE_BYTES;
const RECEIVE_COUNTS: RangeInclusive<u32> = 1..=1_000;

/// Settings that are kept and shown, but change nothing on one machine.
const KEPT: [&str; 7] = [
    "DeduplicationScope",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "Policy",
    "RedriveAllowPolicy",
    "SqsManagedSseEnabled",
];
/// Settings that a queue may lack.
const OPTIONAL: [&str; 3] = ["ContentBasedDeduplication", "FifoQueue", "RedrivePolicy"];

/// More than any of them may be in SQS.
const KEPT_BYTES: usize = 65_536;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attributes {
    visibility_timeout: u32,
    delay: u32,
    retention: u32,
    receive_wait: u32,
    max_message_bytes: u32,
    redrive: Option<Redrive>,
    fifo: bool,
    content_based_deduplication: bool,
    kept: BTreeMap<String, String>,
}

/// Where messages go that were received too often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Redrive {
    pub(crate) target: QueueName,
    pub(crate) max_receive_count: u32,
    /// As it was set, to be shown again.
    text: String,
}

impl Attributes {
    fn new(fifo: bool) -> Self {
        Self {
            visibility_timeout: 30,
            delay: 0,
            retention: 345_600,
            receive_wait: 0,
            max_message_bytes: MAX_MESSAGE_BYTES,
            redrive: None,
            fifo,
            content_based_deduplication: false,
            kept: BTreeMap::new(),
        }
    }

    /// The settings of a new queue.
    pub(crate) fn create(
        name: &QueueName,
        given: &BTreeMap<String, String>,
    ) -> Result<Self, SqsFault> {
        let fifo = given.get("FifoQueue").is_some_and(|value| value == "true");
        if fifo != name.is_fifo() {
            return Err(SqsFault::invalid(
                "The name of a FIFO queue ends in `.fifo`, and only then is the attribute FifoQueue `true`.",
            ));
        }
        let mut attributes = Self::new(fifo);
        for (name, value) in given.iter().filter(|(name, _)| *name != "FifoQueue") {
            attributes.set(name, value)?;
        }
        Ok(attributes)
    }

    /// These settings with some changed.
    pub(crate) fn changed(&self, given: &BTreeMap<String, String>) -> Result<Self, SqsFault> {
        let mut attributes = self.clone();
        for (name, value) in given {
            attributes.set(name, value)?;
        }
        Ok(attributes)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), SqsFault> {
        let number = |range| number(name, value, range);
        match name {
            "VisibilityTimeout" => self.visibility_timeout = number(VISIBILITY_SECONDS)?,
            "DelaySeconds" => self.delay = number(DELAY_SECONDS)?,
            "MessageRetentionPeriod" => self.retention = number(RETENTION_SECONDS)?,
            "ReceiveMessageWaitTimeSeconds" => self.receive_wait = number(WAIT_SECONDS)?,
            "MaximumMessageSize" => self.max_message_bytes = number(MESSAGE_BYTES)?,
            "RedrivePolicy" => self.redrive = redrive(value)?,
            "ContentBasedDeduplication" if self.fifo => {
                self.content_based_deduplication = boolean(name, value)?;
            }
            // It was chosen when the queue was made.
            "FifoQueue" if boolean(name, value)? == self.fifo => {}
            _ if KEPT.contains(&name) => {
                if value.len() > KEPT_BYTES {
                    return Err(invalid_value(name, "it is too long"));
                }
                if value.is_empty() {
                    self.kept.remove(name);
                } else {
                    self.kept.insert(name.to_owned(), value.to_owned());
                }
            }
            _ => {
                return Err(SqsFault::new(
                    SqsFaultKind::InvalidAttributeName,
                    format!("Unknown Attribute {name}."),
                ));
            }
        }
        Ok(())
    }

    /// All settings by their names in SQS.
    pub(crate) fn show(&self) -> BTreeMap<String, String> {
        let mut shown = self.kept.clone();
        let mut put = |name: &str, value: String| shown.insert(name.to_owned(), value);
        put("VisibilityTimeout", self.visibility_timeout.to_string());
        put("DelaySeconds", self.delay.to_string());
        put("MessageRetentionPeriod", self.retention.to_string());
        put("ReceiveMessageWaitTimeSeconds", self.receive_wait.to_string());
        put("MaximumMessageSize", self.max_message_bytes.to_string());
        if let Some(redrive) = &self.redrive {
            put("RedrivePolicy", redrive.text.clone());
        }
        if self.fifo {
            put("FifoQueue", "true".to_owned());
            put("ContentBasedDeduplication", self.content_based_deduplication.to_string());
        }
        shown
    }

    pub(crate) fn visibility_timeout(&self) -> Duration {
        seconds(self.visibility_timeout)
    }

    pub(crate) fn delay(&self) -> Duration {
        seconds(self.delay)
    }

    pub(crate) fn retention(&self) -> Duration {
        seconds(self.retention)
    }

    pub(crate) fn receive_wait(&self) -> Duration {
        seconds(self.receive_wait)
    }

    pub(crate) fn max_message_bytes(&self) -> usize {
        usize::try_from(self.max_message_bytes).unwrap_or(usize::MAX)
    }

    pub(crate) fn redrive(&self) -> Option<&Redrive> {
        self.redrive.as_ref()
    }

    pub(crate) fn is_fifo(&self) -> bool {
        self.fifo
    }

    pub(crate) fn deduplicates_by_content(&self) -> bool {
        self.content_based_deduplication
    }
}

/// Whether a queue may have a setting of that name that is not shown now.
pub(crate) fn is_known(name: &str) -> bool {
    KEPT.contains(&name) || OPTIONAL.contains(&name)
}

fn seconds(number: u32) -> Duration {
    Duration::from_secs(u64::from(number))
}

fn invalid_value(name: &str, why: &str) -> SqsFault {
    SqsFault::new(
        SqsFaultKind::InvalidAttributeValue,
        format!("Invalid value for the parameter {name}: {why}."),
    )
}

fn number(name: &str, value: &str, range: RangeInclusive<u32>) -> Result<u32, SqsFault> {
    value.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
        invalid_value(name, &format!("it is a number from {} to {}", range.start(), range.end()))
    })
}

fn boolean(name: &str, value: &str) -> Result<bool, SqsFault> {
    value.parse().map_err(|_| invalid_value(name, "it is `true` or `false`"))
}

/// Reads a redrive policy. An empty one takes it away.
fn redrive(text: &str) -> Result<Option<Redrive>, SqsFault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Policy {
        dead_letter_target_arn: String,
        max_receive_count: Number,
    }
    /// Clients write it either way.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Number(u32),
        Text(String),
    }
    if text.is_empty() {
        return Ok(None);
    }
    let policy: Policy = serde_json::from_str(text).map_err(|_| {
        invalid_value(
            "RedrivePolicy",
            "it is a JSON object with deadLetterTargetArn and maxReceiveCount",
        )
    })?;
    let count = match policy.max_receive_count {
        Number::Number(count) => Some(count),
        Number::Text(text) => text.parse().ok(),
    };
    let max_receive_count =
        count.filter(|count| RECEIVE_COUNTS.contains(count)).ok_or_else(|| {
            invalid_value("RedrivePolicy", "maxReceiveCount is a number from 1 to 1000")
        })?;
    let target = policy
        .dead_letter_target_arn
        .strip_prefix("arn:aws:sqs:")
        .and_then(|rest| rest.rsplit(':').next())
        .and_then(|name| QueueName::parse(name).ok())
        .ok_or_else(|| {
            invalid_value("RedrivePolicy", "deadLetterTargetArn is arn:aws:sqs:REGION:ACCOUNT:NAME")
        })?;
    Ok(Some(Redrive { target, max_receive_count, text: text.to_owned() }))
}
