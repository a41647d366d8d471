//! The operations on queues.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Caller, parameters, shapes};
use crate::sqs::{
    QueueName, SqsFault,
    attributes::{is_known, unknown_attribute},
};

/// Queues of one page.
const PAGE: u32 = 1_000;

pub(super) async fn create_queue(caller: Caller<'_>, value: Value) -> Result<Value, SqsFault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Request {
        queue_name: String,
        #[serde(default)]
        attributes: BTreeMap<String, String>,
        // The service model really writes this one with a small letter.
        #[serde(default, alias = "tags")]
        tags: BTreeMap<String, String>,
    }
    let Request { queue_name, attributes, tags } = parameters(value)?;
    let name = QueueName::parse(&queue_name)?;
    let url = caller.queue_url(&name);
    caller
        .call(move |core| core.sqs.create_queue_with_tags(core.now, &name, &attributes, tags))
        .await?;
    Ok(json!({ "QueueUrl": url }))
}

pub(super) async fn get_queue_url(caller: Caller<'_>, value: Value) -> Result<Value, SqsFault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Request {
        queue_name: String,
    }
    let request: Request = parameters(value)?;
    // A name that no queue can have is one that no queue has.
    let name = QueueName::parse(&request.queue_name).map_err(|_| SqsFault::no_such_queue())?;
    let url = caller.queue_url(&name);
    caller.call(move |core| core.sqs.queue_id(&name)).await?;
    Ok(json!({ "QueueUrl": url }))
}

/// A stretch of a list of queues.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    #[serde(default, deserialize_with = "shapes::number")]
    max_results: Option<i64>,
    #[serde(default)]
    next_token: Option<String>,
}

impl Page {
    fn size(&self) -> Result<usize, SqsFault> {
        let size = shapes::in_range("MaxResults", self.max_results, 1..=PAGE)?.unwrap_or(PAGE);
        Ok(usize::try_from(size).unwrap_or(usize::MAX))
    }

    /// The name after which the page begins.
    fn after(&self) -> Result<Option<QueueName>, SqsFault> {
        let Some(token) = &self.next_token else { return Ok(None) };
        let name = URL_SAFE.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        match name.as_deref().map(QueueName::parse) {
            Some(Ok(name)) => Ok(Some(name)),
            _ => Err(SqsFault::invalid("Invalid or expired next token.")),
        }
    }

    /// The answer, from one name more than fits if there are more.
    fn answer(
        &self,
        caller: Caller<'_>,
        key: &str,
        mut names: Vec<QueueName>,
    ) -> Result<Value, SqsFault> {
        let size = self.size()?;
        let more = names.len() > size;
        names.truncate(size);
        let mut answer = Map::new();
        let urls: Vec<_> = names.iter().map(|name| caller.queue_url(name)).collect();
        if !urls.is_empty() {
            answer.insert(key.to_owned(), json!(urls));
        }
        // Only who asked for pages gets a token, as in SQS.
        if let Some(last) = names.last().filter(|_| more && self.max_results.is_some()) {
            answer.insert("NextToken".to_owned(), json!(URL_SAFE.encode(last.as_str())));
        }
        Ok(Value::Object(answer))
    }
}

pub(super) async fn list_queues(caller: Caller<'_>, value: Value) -> Result<Value, SqsFault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Request {
        #[serde(default)]
        queue_name_prefix: String,
        #[serde(flatten)]
        page: Page,
    }
    let Request { queue_name_prefix, page } = parameters(value)?;
    let (size, after) = (page.size()?, page.after()?);
    let names = caller
        .call(move |core| {
            let names = core.sqs.list_queues(&queue_name_prefix, after.as_ref());
            Ok(names.take(size + 1).cloned().collect())
        })
        .await?;
    page.answer(caller, "QueueUrls", names)
}

pub(super) async fn list_sources(caller: Caller<'_>, value: Value) -> Result<Value, SqsFault> {
    #[derive(Deserialize)]
    struct Request {
        #[serde(flatten)]
        of: shapes::OfQueue,
        #[serde(flatten)]
        page: Page,
    }
    let Request { of, page } = parameters(value)?;
    let (name, after) = (of.queue()?, page.after()?);
    let names = caller.call(move |core| core.sqs.sources_of(&name)).await?;
    let names = names.into_iter().filter(|name| after.as_ref().is_none_or(|after| name > after));
    // The service model really writes this one with a small letter.
    let mut answer = page.answer(caller, "queueUrls", names.collect())?;
    if let Value::Object(answer) = &mut answer {
        answer.entry("queueUrls").or_insert_with(|| json!([]));
    }
    Ok(answer)
}

pub(super) async fn delete_queue(caller: Caller<'_>, value: Value) -> Result<Value, SqsFault> {
    let name = parameters::<shapes::OfQueue>(value)?.queue()?;
    caller.call(move |core| core.sqs.delete_queue(&name)).await?;
    Ok(json!({}))
}

pub(super) async fn purge_queue(caller: Caller<'_>, value: Value) -> Result<Value, SqsFault> {
    let name = parameters::<shapes::OfQueue>(value)?.queue()?;
    caller.call(move |core| core.sqs.purge(core.now, &name)).await?;
    Ok(json!({}))
}

pub(super) async fn get_attributes(caller: Caller<'_>, value: Value) -> Result<Value, SqsFault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Request {
        #[serde(flatten)]
        of: shapes::OfQueue,
        #[serde(default)]
        attribute_names: Vec<String>,
    }
    let request: Request = parameters(value)?;
    let name = request.of.queue()?;
    let arn = caller.queue_arn(&name);
    let mut all = caller.call(move |core| core.sqs.attributes(&name)).await?;
    all.insert("QueueArn".to_owned(), arn);
    let wanted = request.attribute_names;
    if !wanted.iter().any(|name| name == "All") {
        // A setting that was never made is left out; one that there cannot be is an error.
        for name in &wanted {
            if !all.contains_key(name) && !is_known(name) {
                return Err(unknown_attribute(name));
            }
        }
        all.retain(|name, _| wanted.contains(name));
    }
    Ok(if all.is_empty() { json!({}) } else { json!({ "Attributes": all }) })
}

pub(super) async fn set_attributes(caller: Caller<'_>, value: Value) -> Result<Value, SqsFault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Request {
        #[serde(flatten)]
        of: shapes::OfQueue,
        attributes: BTreeMap<String, String>,
    }
    let request: Request = parameters(value)?;
    let name = request.of.queue()?;
    caller.call(move |core| core.sqs.set_attributes(core.now, &name, &request.attributes)).await?;
    Ok(json!({}))
}
