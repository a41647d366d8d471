//! The operations on tags.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Caller, parameters, shapes};
use crate::sqs::{SqsFault, tags::Tags};

pub(super) async fn tag(caller: Caller<'_>, value: Value) -> Result<Value, SqsFault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Request {
        #[serde(flatten)]
        of: shapes::OfQueue,
        #[serde(default)]
        tags: Tags,
    }
    let Request { of, tags } = parameters(value)?;
    let name = of.queue()?;
    caller.call(move |core| core.sqs.tag_queue(&name, tags)).await?;
    Ok(json!({}))
}

pub(super) async fn untag(caller: Caller<'_>, value: Value) -> Result<Value, SqsFault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Request {
        #[serde(flatten)]
        of: shapes::OfQueue,
        #[serde(default)]
        tag_keys: Vec<String>,
    }
    let Request { of, tag_keys } = parameters(value)?;
    let name = of.queue()?;
    caller.call(move |core| core.sqs.untag_queue(&name, &tag_keys)).await?;
    Ok(json!({}))
}

pub(super) async fn list(caller: Caller<'_>, value: Value) -> Result<Value, SqsFault> {
    let name = parameters::<shapes::OfQueue>(value)?.queue()?;
    let tags = caller.call(move |core| core.sqs.tags(&name).cloned()).await?;
    Ok(if tags.is_empty() { json!({}) } else { json!({ "Tags": tags }) })
}
