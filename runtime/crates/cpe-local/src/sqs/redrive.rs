//! Dead-letter queues: where a queue's messages go, and which queues may send theirs.

use serde::{Deserialize, Serialize};

use super::{
    attributes::{check_range, invalid_value},
    fault::SqsFault,
    names::QueueName,
};

const RECEIVE_COUNTS: std::ops::RangeInclusive<u32> = 1..=1_000;
const SOURCES: usize = 10;

/// Where messages go that were received too often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Redrive {
    pub(crate) target: QueueName,
    pub(crate) max_receive_count: u32,
    /// As it is shown.
    pub(super) text: String,
}

impl Redrive {
    /// Reads a redrive policy. An empty one takes it away.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, SqsFault> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Policy {
            dead_letter_target_arn: Option<String>,
            max_receive_count: Option<Number>,
        }
        /// Clients write it either way.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Number {
            Number(i64),
            Text(String),
        }
        if is_empty(text) {
            return Ok(None);
        }
        let refuse = |why: &str| refused(text, why);
        let policy: Policy = serde_json::from_str(text).map_err(|_| {
            invalid_value(
                "RedrivePolicy",
                "it is a JSON object with deadLetterTargetArn and maxReceiveCount",
            )
        })?;
        let mandatory = |name: &str| {
            refuse(&format!("Redrive policy does not contain mandatory attribute: {name}"))
        };
        let arn = policy.dead_letter_target_arn.ok_or_else(|| mandatory("deadLetterTargetArn"))?;
        let count = policy.max_receive_count.ok_or_else(|| mandatory("maxReceiveCount"))?;
        let (count, rewritten) = match count {
            Number::Number(count) => (Some(count), None),
            // SQS shows it as a number, however it was written.
            Number::Text(text) => {
                let count: Option<i64> = text.parse().ok();
                let shown = serde_json::json!({
                    "deadLetterTargetArn": arn,
                    "maxReceiveCount": count,
                });
                (count, Some(shown.to_string()))
            }
        };
        let max_receive_count =
            count.and_then(|count| check_range(count, &RECEIVE_COUNTS)).ok_or_else(|| {
                refuse("Invalid value for maxReceiveCount, valid values are from 1 to 1000 both inclusive")
            })?;
        let target = QueueName::of_arn(&arn).ok_or_else(|| {
            refuse("deadLetterTargetArn is not of the form arn:aws:sqs:REGION:ACCOUNT:NAME")
        })?;
        let text = rewritten.unwrap_or_else(|| text.to_owned());
        Ok(Some(Self { target, max_receive_count, text }))
    }

    /// Why this policy cannot be.
    pub(super) fn refuse(&self, why: &str) -> SqsFault {
        refused(&self.text, why)
    }
}

fn refused(text: &str, why: &str) -> SqsFault {
    let shown = super::names::Shown(text);
    SqsFault::invalid(format!(
        "Value {shown} for parameter RedrivePolicy is invalid. Reason: {why}."
    ))
}

/// A policy that says nothing, as clients write it to take one away.
fn is_empty(text: &str) -> bool {
    matches!(text.trim(), "" | "{}" | "null")
}

/// Which queues may name this one as their dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RedriveAllow {
    permission: Permission,
    sources: Vec<QueueName>,
    /// As it was set, to be shown again.
    pub(super) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Permission {
    AllowAll,
    DenyAll,
    ByQueue,
}

impl RedriveAllow {
    /// Reads the attribute `RedriveAllowPolicy`. An empty one takes it away.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, SqsFault> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Policy {
            redrive_permission: Permission,
            source_queue_arns: Option<Vec<String>>,
        }
        if is_empty(text) {
            return Ok(None);
        }
        let refuse = |why: &str| invalid_value("RedriveAllowPolicy", why);
        let policy: Policy = serde_json::from_str(text).map_err(|_| {
            refuse("it is a JSON object with redrivePermission, which is allowAll, denyAll or byQueue, and for byQueue with sourceQueueArns")
        })?;
        let arns = policy.source_queue_arns.unwrap_or_default();
        let by_queue = policy.redrive_permission == Permission::ByQueue;
        if by_queue != (1..=SOURCES).contains(&arns.len()) || (!by_queue && !arns.is_empty()) {
            return Err(refuse(
                "sourceQueueArns has 1 to 10 queues with byQueue, and none otherwise",
            ));
        }
        let sources = arns.iter().map(|arn| QueueName::of_arn(arn)).collect::<Option<_>>();
        let sources = sources
            .ok_or_else(|| refuse("each of sourceQueueArns is arn:aws:sqs:REGION:ACCOUNT:NAME"))?;
        let permission = policy.redrive_permission;
        Ok(Some(Self { permission, sources, text: text.to_owned() }))
    }

    pub(super) fn allows(&self, source: &QueueName) -> bool {
        match self.permission {
            Permission::AllowAll => true,
            Permission::DenyAll => false,
            Permission::ByQueue => self.sources.contains(source),
        }
    }
}
