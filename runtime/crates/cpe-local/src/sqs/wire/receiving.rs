//! `ReceiveMessage`, and what is done with a receipt.

use std::{ops::RangeInclusive, time::Duration};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Caller, batch, parameters, shapes};
use crate::{
    engine::Receive,
    sqs::{
        ACCOUNT, Received, SqsFault, WAIT_SECONDS,
        attributes::{VISIBILITY_SECONDS, is_known, unknown_attribute},
        message::{MessageAttributes, md5_of_attributes, md5_of_body},
    },
};

const MOST_MESSAGES: u32 = 10;
const SYSTEM_ATTRIBUTES: [&str; 9] = [
    "SenderId",
    "SentTimestamp",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "SequenceNumber",
    "MessageDeduplicationId",
    "MessageGroupId",
    "AWSTraceHeader",
    "DeadLetterQueueSourceArn",
];
/// Those that every queue has; the rest are the optional ones.
const QUEUE_ATTRIBUTES: [&str; 12] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "DelaySeconds",
    "LastModifiedTimestamp",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "QueueArn",
    "ReceiveMessageWaitTimeSeconds",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReceiveRequest {
    #[serde(flatten)]
    of: shapes::OfQueue,
    /// The older name of the next one.
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
    #[serde(default)]
    message_attribute_names: Vec<String>,
    #[serde(default, deserialize_with = "shapes::number")]
    max_number_of_messages: Option<i64>,
    #[serde(default, deserialize_with = "shapes::number")]
    visibility_timeout: Option<i64>,
    #[serde(default, deserialize_with = "shapes::number")]
    wait_time_seconds: Option<i64>,
    #[serde(default)]
    receive_request_attempt_id: Option<String>,
}

pub(super) async fn receive(caller: Caller<'_>, value: Value) -> Result<Value, SqsFault> {
    let mut request: ReceiveRequest = parameters(value)?;
    let mut names = std::mem::take(&mut request.attribute_names);
    names.append(&mut request.message_system_attribute_names);
    check_names(&names)?;
    let most = request.max_number_of_messages;
    let most = shapes::in_range("MaxNumberOfMessages", most, 1..=MOST_MESSAGES)?.unwrap_or(1);
    let receive = Receive {
        queue: request.of.queue()?,
        most: usize::try_from(most).unwrap_or(1),
        visibility: seconds("VisibilityTimeout", request.visibility_timeout, VISIBILITY_SECONDS)?,
        wait: seconds("WaitTimeSeconds", request.wait_time_seconds, WAIT_SECONDS)?,
        attempt: request.receive_request_attempt_id.take(),
    };
    let received = caller.engine.receive(receive, caller.stop).await??;
    let messages: Vec<_> = received
        .into_iter()
        .map(|message| show(caller, message, &names, &request.message_attribute_names))
        .collect();
    Ok(if messages.is_empty() { json!({}) } else { json!({ "Messages": messages }) })
}

fn seconds(
    name: &str,
    value: Option<i64>,
    range: RangeInclusive<u32>,
) -> Result<Option<Duration>, SqsFault> {
    let seconds = shapes::in_range(name, value, range)?;
    Ok(seconds.map(|seconds| Duration::from_secs(u64::from(seconds))))
}

/// Refuses names that no message's attribute has. Those of a queue's are let pass: the older of the
/// two lists had one type for both.
fn check_names(names: &[String]) -> Result<(), SqsFault> {
    let known = |name: &str| {
        name == "All"
            || SYSTEM_ATTRIBUTES.contains(&name)
            || QUEUE_ATTRIBUTES.contains(&name)
            || is_known(name)
    };
    match names.iter().find(|name| !known(name)) {
        None => Ok(()),
        Some(name) => Err(unknown_attribute(name)),
    }
}

/// A message as its receiver sees it: with those attributes that it asked for.
fn show(caller: Caller<'_>, received: Received, system: &[String], own: &[String]) -> Value {
    let mut shown = Map::new();
    let mut put = |name: &str, value: Value| shown.insert(name.to_owned(), value);
    let attributes = system_attributes(caller, &received, system);
    put("MessageId", json!(received.content.message_id));
    put("ReceiptHandle", json!(received.delivery.receipt.encode()));
    put("MD5OfBody", json!(md5_of_body(&received.content.body)));
    put("Body", json!(received.content.body));
    if !attributes.is_empty() {
        put("Attributes", Value::Object(attributes));
    }
    let mut wanted: MessageAttributes = received.content.attributes;
    wanted.retain(|name, _| own.iter().any(|pattern| matches(pattern, name)));
    if let Some(md5) = md5_of_attributes(&wanted) {
        put("MD5OfMessageAttributes", json!(md5));
        put("MessageAttributes", json!(wanted));
    }
    Value::Object(shown)
}

/// Whether a name is asked for: by itself, by its beginning (`foo.*`), or with all.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern {
        "All" | ".*" => true,
        _ => pattern.strip_suffix(".*").map_or(pattern == name, |stem| name.starts_with(stem)),
    }
}

fn system_attributes(
    caller: Caller<'_>,
    received: &Received,
    wanted: &[String],
) -> Map<String, Value> {
    let delivery = &received.delivery;
    let millis = |at: cpe_swf::Timestamp| Some(at.as_millis().to_string());
    let in_fifo = |value: Option<String>| value.filter(|_| delivery.fifo);
    let source = delivery.source.as_ref();
    let values = [
        Some(ACCOUNT.to_owned()),
        millis(delivery.sent),
        Some(delivery.receive_count.to_string()),
        millis(delivery.first_received),
        in_fifo(Some(delivery.no.sequence_number())),
        in_fifo(received.deduplication_id.clone()),
        delivery.group.as_deref().map(str::to_owned),
        received.content.trace_header.clone(),
        source.map(|name| caller.queue_arn(name)),
    ];
    SYSTEM_ATTRIBUTES
        .into_iter()
        .zip(values)
        .filter(|(name, _)| wanted.iter().any(|wanted| wanted == "All" || wanted == *name))
        .filter_map(|(name, value)| Some((name.to_owned(), Value::String(value?))))
        .collect()
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WithReceipt {
    receipt_handle: String,
    #[serde(default, deserialize_with = "shapes::number")]
    visibility_timeout: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct One {
    #[serde(flatten)]
    of: shapes::OfQueue,
    #[serde(flatten)]
    what: WithReceipt,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    id: String,
    #[serde(flatten)]
    what: WithReceipt,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Batch {
    #[serde(flatten)]
    of: shapes::OfQueue,
    #[serde(default)]
    entries: Vec<Entry>,
}

/// What is done to a message by its receipt.
#[derive(Debug, Clone, Copy)]
enum Change {
    Delete,
    Visibility,
}

pub(super) async fn delete(caller: Caller<'_>, value: Value) -> Result<Value, SqsFault> {
    change_one(caller, value, Change::Delete).await
}

pub(super) async fn delete_batch(caller: Caller<'_>, value: Value) -> Result<Value, SqsFault> {
    change_batch(caller, value, Change::Delete).await
}

pub(super) async fn change_visibility(caller: Caller<'_>, value: Value) -> Result<Value, SqsFault> {
    change_one(caller, value, Change::Visibility).await
}

pub(super) async fn change_visibility_batch(
    caller: Caller<'_>,
    value: Value,
) -> Result<Value, SqsFault> {
    change_batch(caller, value, Change::Visibility).await
}

async fn change_one(caller: Caller<'_>, value: Value, change: Change) -> Result<Value, SqsFault> {
    let One { of, what } = parameters(value)?;
    let queue = of.queue()?;
    caller.call(move |core| change.apply(core, &queue, what)).await?;
    Ok(json!({}))
}

async fn change_batch(caller: Caller<'_>, value: Value, change: Change) -> Result<Value, SqsFault> {
    let Batch { of, entries } = parameters(value)?;
    let queue = of.queue()?;
    batch::check(change.entry(), entries.iter().map(|entry| entry.id.as_str()))?;
    caller
        .call(move |core| {
            core.sqs.queue_id(&queue)?;
            let mut outcome = batch::Outcome::default();
            for Entry { id, what } in entries {
                outcome.add(&id, change.apply(core, &queue, what).map(|()| json!({})));
            }
            Ok(outcome.answer())
        })
        .await
}

impl Change {
    fn entry(self) -> &'static str {
        match self {
            Self::Delete => "DeleteMessageBatchRequestEntry",
            Self::Visibility => "ChangeMessageVisibilityBatchRequestEntry",
        }
    }

    fn apply(
        self,
        core: &mut crate::engine::Core,
        queue: &crate::sqs::QueueName,
        what: WithReceipt,
    ) -> Result<(), SqsFault> {
        match self {
            Self::Delete => core.sqs.delete(queue, &what.receipt_handle),
            Self::Visibility => {
                let timeout = what.visibility_timeout;
                let timeout = shapes::in_range("VisibilityTimeout", timeout, VISIBILITY_SECONDS)?
                    .ok_or_else(|| SqsFault::missing("VisibilityTimeout"))?;
                core.sqs.change_visibility(core.now, queue, &what.receipt_handle, timeout)
            }
        }
    }
}
