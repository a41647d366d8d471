//! The operations on permissions.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Caller, parameters, shapes};
use crate::sqs::{SqsFault, permissions::Permission};

pub(super) async fn add(caller: Caller<'_>, value: Value) -> Result<Value, SqsFault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Request {
        #[serde(flatten)]
        of: shapes::OfQueue,
        label: String,
        #[serde(default, rename = "AWSAccountIds")]
        accounts: Vec<String>,
        #[serde(default)]
        actions: Vec<String>,
    }
    let Request { of, label, accounts, actions } = parameters(value)?;
    let name = of.queue()?;
    let arn = caller.queue_arn(&name);
    let permission = Permission { label, accounts, actions };
    caller.call(move |core| core.sqs.add_permission(core.now, &name, &arn, &permission)).await?;
    Ok(json!({}))
}

pub(super) async fn remove(caller: Caller<'_>, value: Value) -> Result<Value, SqsFault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Request {
        #[serde(flatten)]
        of: shapes::OfQueue,
        label: String,
    }
    let Request { of, label } = parameters(value)?;
    let name = of.queue()?;
    caller.call(move |core| core.sqs.remove_permission(core.now, &name, &label)).await?;
    Ok(json!({}))
}
