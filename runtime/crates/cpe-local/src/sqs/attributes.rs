//! A queue's settings, as they are set, compared and shown.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    fault::{SqsFault, SqsFaultKind},
    names::{QueueName, Shown},
    redrive::{Redrive, RedriveAllow},
};

/// Bytes of a message, its attributes included.
pub(crate) const MAX_MESSAGE_BYTES: u32 = 1_048_576;

pub(crate) const VISIBILITY_SECONDS: RangeInclusive<u32> = 0..=43_200;
pub(crate) const DELAY_SECONDS: RangeInclusive<u32> = 0..=900;
pub(crate) const WAIT_SECONDS: RangeInclusive<u32> = 0..=20;
const RETENTION_SECONDS: RangeInclusive<u32> = 60..=1_209_600;
const MESSAGE_BYTES: RangeInclusive<u32> = 1_024..=MAX_MESSAGE_BYTES;
const KEY_REUSE_SECONDS: RangeInclusive<u32> = 60..=86_400;
const DEFAULT_KEY_REUSE: u32 = 300;

/// Settings that a queue may lack.
const OPTIONAL: [&str; 9] = [
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoQueue",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "Policy",
    "RedriveAllowPolicy",
    "RedrivePolicy",
];

/// Bytes of a policy, and of a key's name with it.
pub(crate) const POLICY_BYTES: usize = 65_536;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attributes {
    visibility_timeout: u32,
    delay: u32,
    retention: u32,
    receive_wait: u32,
    max_message_bytes: u32,
    redrive: Option<Redrive>,
    redrive_allow: Option<RedriveAllow>,
    policy: Option<String>,
    fifo: Option<Fifo>,
    encryption: Encryption,
}

/// What only FIFO queues have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Fifo {
    by_content: bool,
    /// De-duplication within each message group instead of the whole queue.
    scope_is_group: bool,
    /// Kept and shown: nothing is throttled on one machine.
    limit_is_per_group: bool,
}

/// Kept and shown: messages are on the user's own disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Encryption {
    kms_key: Option<String>,
    key_reuse: Option<u32>,
    managed: bool,
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
            redrive_allow: None,
            policy: None,
            fifo: fifo.then(Fifo::default),
            encryption: Encryption { kms_key: None, key_reuse: None, managed: true },
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
        let given = given.iter().filter(|(name, _)| *name != "FifoQueue");
        Self::new(fifo).with(given)
    }

    /// These settings with some changed.
    pub(crate) fn changed(&self, given: &BTreeMap<String, String>) -> Result<Self, SqsFault> {
        self.clone().with(given.iter())
    }

    fn with<'a>(
        mut self,
        given: impl Iterator<Item = (&'a String, &'a String)>,
    ) -> Result<Self, SqsFault> {
        for (name, value) in given {
            if !(self.set(name, value)? || self.set_fifo(name, value)?) {
                return Err(unknown_attribute(name));
            }
        }
        match &self.fifo {
            Some(fifo) if fifo.limit_is_per_group && !fifo.scope_is_group => Err(invalid_value(
                "FifoThroughputLimit",
                "perMessageGroupId is allowed only when DeduplicationScope is messageGroup",
            )),
            _ => Ok(self),
        }
    }

    /// Answers whether there is such a setting.
    fn set(&mut self, name: &str, value: &str) -> Result<bool, SqsFault> {
        let number = |range| number(name, value, range);
        match name {
            "VisibilityTimeout" => self.visibility_timeout = number(VISIBILITY_SECONDS)?,
            "DelaySeconds" => self.delay = number(DELAY_SECONDS)?,
            "MessageRetentionPeriod" => self.retention = number(RETENTION_SECONDS)?,
            "ReceiveMessageWaitTimeSeconds" => self.receive_wait = number(WAIT_SECONDS)?,
            "MaximumMessageSize" => self.max_message_bytes = number(MESSAGE_BYTES)?,
            "RedrivePolicy" => self.redrive = Redrive::parse(bounded(name, value)?)?,
            "RedriveAllowPolicy" => {
                self.redrive_allow = RedriveAllow::parse(bounded(name, value)?)?;
            }
            "Policy" => self.policy = policy(bounded(name, value)?)?,
            "KmsMasterKeyId" => {
                let key = bounded(name, value)?;
                self.encryption.kms_key = (!key.is_empty()).then(|| key.to_owned());
                self.encryption.managed &= self.encryption.kms_key.is_none();
            }
            "KmsDataKeyReusePeriodSeconds" => {
                self.encryption.key_reuse = Some(number(KEY_REUSE_SECONDS)?);
            }
            "SqsManagedSseEnabled" => {
                let managed = boolean(name, value)?;
                if managed && self.encryption.kms_key.is_some() {
                    return Err(invalid_value(
                        name,
                        "one type of server-side encryption can be used at a time, and KmsMasterKeyId is set",
                    ));
                }
                self.encryption.managed = managed;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn set_fifo(&mut self, name: &str, value: &str) -> Result<bool, SqsFault> {
        // Which kind it is was chosen when the queue was made.
        if name == "FifoQueue" {
            return Ok(boolean(name, value)? == self.fifo.is_some());
        }
        let Some(fifo) = &mut self.fifo else { return Ok(false) };
        match name {
            "ContentBasedDeduplication" => fifo.by_content = boolean(name, value)?,
            "DeduplicationScope" => {
                fifo.scope_is_group = one_of(name, value, ["queue", "messageGroup"])?;
            }
            "FifoThroughputLimit" => {
                fifo.limit_is_per_group = one_of(name, value, ["perQueue", "perMessageGroupId"])?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// All settings by their names in SQS.
    pub(crate) fn show(&self) -> BTreeMap<String, String> {
        let Encryption { kms_key, key_reuse, managed } = &self.encryption;
        let key_reuse = key_reuse.or_else(|| kms_key.as_ref().map(|_| DEFAULT_KEY_REUSE));
        let mut shown = BTreeMap::new();
        let mut put = |name: &str, value: Option<String>| {
            shown.extend(value.map(|value| (name.to_owned(), value)));
        };
        put("VisibilityTimeout", Some(self.visibility_timeout.to_string()));
        put("DelaySeconds", Some(self.delay.to_string()));
        put("MessageRetentionPeriod", Some(self.retention.to_string()));
        put("ReceiveMessageWaitTimeSeconds", Some(self.receive_wait.to_string()));
        put("MaximumMessageSize", Some(self.max_message_bytes.to_string()));
        put("RedrivePolicy", self.redrive.as_ref().map(|redrive| redrive.text.clone()));
        put("RedriveAllowPolicy", self.redrive_allow.as_ref().map(|allow| allow.text.clone()));
        put("Policy", self.policy.clone());
        put("KmsMasterKeyId", kms_key.clone());
        put("KmsDataKeyReusePeriodSeconds", key_reuse.map(|seconds| seconds.to_string()));
        put("SqsManagedSseEnabled", Some(managed.to_string()));
        if let Some(fifo) = &self.fifo {
            let scope = if fifo.scope_is_group { "messageGroup" } else { "queue" };
            let limit = if fifo.limit_is_per_group { "perMessageGroupId" } else { "perQueue" };
            put("FifoQueue", Some("true".to_owned()));
            put("ContentBasedDeduplication", Some(fifo.by_content.to_string()));
            put("DeduplicationScope", Some(scope.to_owned()));
            put("FifoThroughputLimit", Some(limit.to_owned()));
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

    /// Whether that queue may name this one as its dead-letter queue.
    pub(crate) fn takes_dead_letters_of(&self, source: &QueueName) -> bool {
        self.redrive_allow.as_ref().is_none_or(|allow| allow.allows(source))
    }

    pub(crate) fn policy(&self) -> Option<&str> {
        self.policy.as_deref()
    }

    pub(super) fn set_policy(&mut self, policy: Option<String>) {
        self.policy = policy;
    }

    pub(crate) fn is_fifo(&self) -> bool {
        self.fifo.is_some()
    }

    pub(crate) fn deduplicates_by_content(&self) -> bool {
        self.fifo.as_ref().is_some_and(|fifo| fifo.by_content)
    }

    pub(crate) fn deduplicates_within_groups(&self) -> bool {
        self.fifo.as_ref().is_some_and(|fifo| fifo.scope_is_group)
    }
}

/// Whether a queue may have a setting of that name that is not shown now.
pub(crate) fn is_known(name: &str) -> bool {
    OPTIONAL.contains(&name)
}

pub(crate) fn unknown_attribute(name: &str) -> SqsFault {
    SqsFault::new(SqsFaultKind::InvalidAttributeName, format!("Unknown Attribute {}.", Shown(name)))
}

fn seconds(number: u32) -> Duration {
    Duration::from_secs(u64::from(number))
}

pub(super) fn invalid_value(name: &str, why: &str) -> SqsFault {
    SqsFault::new(
        SqsFaultKind::InvalidAttributeValue,
        format!("Invalid value for the parameter {name}. Reason: {why}."),
    )
}

/// The number, if it is in the range.
pub(crate) fn check_range(number: i64, range: &RangeInclusive<u32>) -> Option<u32> {
    u32::try_from(number).ok().filter(|number| range.contains(number))
}

fn number(name: &str, value: &str, range: RangeInclusive<u32>) -> Result<u32, SqsFault> {
    value.parse().ok().and_then(|number| check_range(number, &range)).ok_or_else(|| {
        invalid_value(name, &format!("it is a number from {} to {}", range.start(), range.end()))
    })
}

fn boolean(name: &str, value: &str) -> Result<bool, SqsFault> {
    // A client's own way of writing it is as good.
    value.to_ascii_lowercase().parse().map_err(|_| invalid_value(name, "it is `true` or `false`"))
}

/// Whether it is the second of two words.
fn one_of(name: &str, value: &str, [first, second]: [&str; 2]) -> Result<bool, SqsFault> {
    match value {
        _ if value == first => Ok(false),
        _ if value == second => Ok(true),
        _ => Err(invalid_value(name, &format!("it is `{first}` or `{second}`"))),
    }
}

fn bounded<'a>(name: &str, value: &'a str) -> Result<&'a str, SqsFault> {
    if value.len() <= POLICY_BYTES { Ok(value) } else { Err(invalid_value(name, "it is too long")) }
}

/// A policy is not obeyed here, but it has to be one. An empty one takes it away.
fn policy(text: &str) -> Result<Option<String>, SqsFault> {
    if text.is_empty() {
        return Ok(None);
    }
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(serde_json::Value::Object(_)) => Ok(Some(text.to_owned())),
        _ => Err(invalid_value("Policy", "it is a policy as a JSON object")),
    }
}
