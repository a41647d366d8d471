//! `ReceiveMessage`, and what is done with a receipt.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Caller, batch, parameters, shapes};
use crate::{
    engine::Receive,
    sqs::{
        ACCOUNT, Received, SqsFault, WAIT_SECONDS,
        attributes::VISIBILITY_SECONDS,
        message::{MessageAttributes, md5_of_attributes, md5_of_body},
    },
};

const MOST_MESSAGES: u32 = 10;

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
    max_number_of_messages: Option<u32>,
    #[serde(default, deserialize_with = "shapes::number")]
    visibility_timeout: Option<u32>,
    #[serde(default, deserialize_with = "shapes::number")]
    wait_time_seconds: Option<u32>,
}

pub(super) async fn receive(caller: Caller<'_>, value: Value) -> Result<Value, SqsFault> {
    let mut request: ReceiveRequest = parameters(value)?;
    let most = request.max_number_of_messages.unwrap_or(1);
    check("MaxNumberOfMessages", most, 1..=MOST_MESSAGES)?;
    let receive = Receive {
        queue: request.of.queue()?,
        most: usize::try_from(most).unwrap_or(1),
        visibility: seconds("VisibilityTimeout", request.visibility_timeout, VISIBILITY_SECONDS)?,
        wait: seconds("WaitTimeSeconds", request.wait_time_seconds, WAIT_SECONDS)?,
    };
    let received = caller.engine.receive(receive, caller.stop).await??;
    let mut names = std::mem::take(&mut request.attribute_names);
    names.append(&mut request.message_system_attribute_names);
    let messages: Vec<_> = received
        .into_iter()
        .map(|message| show(caller, message, &names, &request.message_attribute_names))
        .collect();
    Ok(if messages.is_empty() { json!({}) } else { json!({ "Messages": messages }) })
}

fn check(name: &str, value: u32, range: std::ops::RangeInclusive<u32>) -> Result<(), SqsFault> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(SqsFault::invalid(format!(
        "Value {value} for parameter {name} is invalid. Reason: Must be between {} and {}, if provided.",
        range.start(),
        range.end()
    )))
}

fn seconds(
    name: &str,
    value: Option<u32>,
    range: std::ops::RangeInclusive<u32>,
) -> Result<Option<Duration>, SqsFault> {
    let Some(value) = value else { return Ok(None) };
    check(name, value, range)?;
    Ok(Some(Duration::from_secs(u64::from(value))))
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
    let source = received.source.as_ref();
    let all = [
        ("SenderId", Some(ACCOUNT.to_owned())),
        ("SentTimestamp", millis(delivery.sent)),
        ("ApproximateReceiveCount", Some(delivery.receive_count.to_string())),
        ("ApproximateFirstReceiveTimestamp", millis(delivery.first_received)),
        ("SequenceNumber", in_fifo(Some(delivery.no.sequence_number()))),
        ("MessageDeduplicationId", in_fifo(received.deduplication_id.clone())),
        ("MessageGroupId", delivery.group.as_deref().map(str::to_owned)),
        ("AWSTraceHeader", received.content.trace_header.clone()),
        ("DeadLetterQueueSourceArn", source.map(|name| caller.queue_arn(name))),
    ];
    all.into_iter()
        .filter(|(name, _)| wanted.iter().any(|wanted| wanted == "All" || wanted == name))
        .filter_map(|(name, value)| Some((name.to_owned(), Value::String(value?))))
        .collect()
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WithReceipt {
    receipt_handle: String,
    #[serde(default, deserialize_with = "shapes::number")]
    visibility_timeout: Option<u32>,
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
    batch::check(entries.iter().map(|entry| entry.id.as_str()))?;
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
    fn apply(
        self,
        core: &mut crate::engine::Core,
        queue: &crate::sqs::QueueName,
        what: WithReceipt,
    ) -> Result<(), SqsFault> {
        match self {
            Self::Delete => core.sqs.delete(queue, &what.receipt_handle),
            Self::Visibility => {
                let timeout = what
                    .visibility_timeout
                    .ok_or_else(|| SqsFault::missing("VisibilityTimeout"))?;
                core.sqs.change_visibility(core.now, queue, &what.receipt_handle, timeout)
            }
        }
    }
}
