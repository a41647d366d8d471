//! `SendMessage` and its batch.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Caller, batch, parameters, shapes};
use crate::{
    engine::Core,
    sqs::{
        Outgoing, QueueName, SqsFault, SqsFaultKind,
        attributes::{DELAY_SECONDS, MAX_MESSAGE_BYTES, check_range},
        message::{
            AttributeValue, Content, ID_CHARS, MessageAttributes, is_id, md5_of_attributes,
            md5_of_body,
        },
        names::Shown,
    },
};

const TRACE_HEADER: &str = "AWSTraceHeader";

/// A message without attributes.
pub(crate) fn outgoing(
    body: String,
    group: Option<String>,
    deduplication: Option<String>,
) -> Result<Outgoing, SqsFault> {
    let message = Message {
        message_body: body,
        message_group_id: group,
        message_deduplication_id: deduplication,
        ..Message::default()
    };
    Ok(message.prepare()?.outgoing)
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Message {
    message_body: String,
    #[serde(default, deserialize_with = "shapes::number")]
    delay_seconds: Option<i64>,
    #[serde(default)]
    message_attributes: MessageAttributes,
    #[serde(default)]
    message_system_attributes: MessageAttributes,
    #[serde(default)]
    message_group_id: Option<String>,
    #[serde(default)]
    message_deduplication_id: Option<String>,
}

/// A message ready to be sent, and the digests that its sender compares.
struct Ready {
    outgoing: Outgoing,
    digests: Map<String, Value>,
}

impl Message {
    /// What counts of it against a batch's limit.
    fn bytes(&self) -> usize {
        let attribute =
            |(name, value): (&String, &AttributeValue)| name.len() + value.counted_bytes();
        self.message_body.len() + self.message_attributes.iter().map(attribute).sum::<usize>()
    }

    fn prepare(self) -> Result<Ready, SqsFault> {
        let delay = self.delay_seconds.map(delay).transpose()?;
        check_id("MessageGroupId", self.message_group_id.as_deref())?;
        check_id("MessageDeduplicationId", self.message_deduplication_id.as_deref())?;
        let mut digests = BTreeMap::from([("MD5OfMessageBody", md5_of_body(&self.message_body))]);
        digests.extend(
            md5_of_attributes(&self.message_attributes).map(|md5| ("MD5OfMessageAttributes", md5)),
        );
        digests.extend(
            md5_of_attributes(&self.message_system_attributes)
                .map(|md5| ("MD5OfMessageSystemAttributes", md5)),
        );
        let content = Content {
            message_id: Uuid::new_v4().to_string(),
            trace_header: trace_header(self.message_system_attributes)?,
            body: self.message_body,
            attributes: self.message_attributes,
        };
        let outgoing = Outgoing {
            bytes: content.check()?,
            delay,
            group: self.message_group_id.map(Into::into),
            deduplication: self.message_deduplication_id,
            body_digest: hex::encode(Sha256::digest(&content.body)),
            content,
        };
        let digests =
            digests.into_iter().map(|(name, md5)| (name.to_owned(), json!(md5))).collect();
        Ok(Ready { outgoing, digests })
    }
}

fn delay(seconds: i64) -> Result<Duration, SqsFault> {
    check_range(seconds, &DELAY_SECONDS)
        .map(|seconds| Duration::from_secs(u64::from(seconds)))
        .ok_or_else(|| {
            SqsFault::invalid(format!(
                "Value {seconds} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900."
            ))
        })
}

fn trace_header(mut attributes: MessageAttributes) -> Result<Option<String>, SqsFault> {
    let header = attributes.remove(TRACE_HEADER);
    if let Some(name) = attributes.into_keys().next() {
        return Err(SqsFault::invalid(format!(
            "Message system attribute name '{}' is invalid: the only one that a message may have is {TRACE_HEADER}.",
            Shown(&name)
        )));
    }
    match header {
        None => Ok(None),
        Some(AttributeValue { data_type, string_value: Some(text), binary_value: None })
            if data_type == "String" && !text.is_empty() =>
        {
            Ok(Some(text))
        }
        Some(_) => Err(SqsFault::invalid(format!(
            "The message system attribute '{TRACE_HEADER}' must have the type String and a non-empty value."
        ))),
    }
}

fn check_id(name: &str, id: Option<&str>) -> Result<(), SqsFault> {
    match id {
        Some(id) if !is_id(id) => Err(SqsFault::invalid(format!(
            "Value {} for parameter {name} is invalid. Reason: {name} can only include alphanumeric and punctuation characters. 1 to {ID_CHARS} in length.",
            Shown(id)
        ))),
        _ => Ok(()),
    }
}

impl Ready {
    fn send(self, core: &mut Core, queue: &QueueName) -> Result<Value, SqsFault> {
        let Self { outgoing, mut digests } = self;
        let sent = core.sqs.send(core.now, queue, outgoing)?;
        digests.insert("MessageId".to_owned(), json!(sent.message_id));
        if let Some(number) = sent.sequence_number {
            digests.insert("SequenceNumber".to_owned(), json!(number));
        }
        Ok(Value::Object(digests))
    }
}

pub(super) async fn send(caller: Caller<'_>, value: Value) -> Result<Value, SqsFault> {
    #[derive(Deserialize)]
    struct Request {
        #[serde(flatten)]
        of: shapes::OfQueue,
        #[serde(flatten)]
        message: Message,
    }
    let request: Request = parameters(value)?;
    let queue = request.of.queue()?;
    let ready = request.message.prepare()?;
    caller.call(move |core| ready.send(core, &queue)).await
}

pub(super) async fn send_batch(caller: Caller<'_>, value: Value) -> Result<Value, SqsFault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Entry {
        id: String,
        #[serde(flatten)]
        message: Message,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Request {
        #[serde(flatten)]
        of: shapes::OfQueue,
        #[serde(default)]
        entries: Vec<Entry>,
    }
    let request: Request = parameters(value)?;
    let queue = request.of.queue()?;
    batch::check(
        "SendMessageBatchRequestEntry",
        request.entries.iter().map(|entry| entry.id.as_str()),
    )?;
    let bytes: usize = request.entries.iter().map(|entry| entry.message.bytes()).sum();
    let most = usize::try_from(MAX_MESSAGE_BYTES).unwrap_or(usize::MAX);
    if bytes > most {
        return Err(SqsFault::new(
            SqsFaultKind::BatchRequestTooLong,
            format!(
                "Batch requests cannot be longer than {most} bytes. You have sent {bytes} bytes."
            ),
        ));
    }
    let ready: Vec<_> =
        request.entries.into_iter().map(|entry| (entry.id, entry.message.prepare())).collect();
    caller
        .call(move |core| {
            core.sqs.queue_id(&queue)?;
            for (_, ready) in &ready {
                if let Ok(ready) = ready {
                    core.sqs.check_fifo(&queue, &ready.outgoing)?;
                }
            }
            let mut outcome = batch::Outcome::default();
            for (id, ready) in ready {
                outcome.add(&id, ready.and_then(|ready| ready.send(core, &queue)));
            }
            Ok(outcome.answer())
        })
        .await
}
