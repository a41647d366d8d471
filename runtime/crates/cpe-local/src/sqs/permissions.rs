//! `AddPermission` and `RemovePermission`: short ways to change the attribute `Policy`.
//!
//! Nobody else has an account here, so that a policy is kept and shown, and not obeyed.

use cpe_swf::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    Sqs,
    attributes::POLICY_BYTES,
    fault::{SqsFault, SqsFaultKind},
    names::{QueueName, Shown},
    write::Write,
};

const ACTIONS: usize = 7;
const LABEL_CHARS: usize = 80;
/// What an owner may let others do.
const SHARED: [&str; 9] = [
    "*",
    "ChangeMessageVisibility",
    "DeleteMessage",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListDeadLetterSourceQueues",
    "PurgeQueue",
    "ReceiveMessage",
    "SendMessage",
];

/// Who may do what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Permission {
    pub(crate) label: String,
    pub(crate) accounts: Vec<String>,
    pub(crate) actions: Vec<String>,
}

impl Permission {
    fn check(&self) -> Result<(), SqsFault> {
        let Self { label, accounts, actions } = self;
        check_label(label)?;
        if actions.is_empty() {
            return Err(SqsFault::missing("Actions"));
        }
        let is_account =
            |id: &String| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit());
        if accounts.is_empty() || !accounts.iter().all(is_account) {
            let shown = accounts.join(", ");
            return Err(SqsFault::invalid(format!(
                "Value [{}] for parameter PrincipalId is invalid. Reason: Unable to verify.",
                Shown(&shown)
            )));
        }
        if actions.len() > ACTIONS {
            return Err(SqsFault::new(
                SqsFaultKind::OverLimit,
                format!("{} Actions were found, maximum allowed is {ACTIONS}.", actions.len()),
            ));
        }
        match actions.iter().find(|action| !SHARED.contains(&action.as_str())) {
            None => Ok(()),
            Some(action) => Err(SqsFault::invalid(format!(
                "Value SQS:{} for parameter ActionName is invalid. Reason: Only the queue owner is allowed to invoke this action.",
                Shown(action)
            ))),
        }
    }

    fn statement(&self, arn: &str) -> Value {
        let principals = self.accounts.iter().map(|id| format!("arn:aws:iam::{id}:root"));
        json!({
            "Sid": self.label,
            "Effect": "Allow",
            "Principal": { "AWS": one_or_more(principals.collect()) },
            "Action": one_or_more(self.actions.iter().map(|name| format!("SQS:{name}")).collect()),
            "Resource": arn,
        })
    }
}

fn check_label(label: &str) -> Result<(), SqsFault> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if label.is_empty() {
        return Err(SqsFault::missing("Label"));
    }
    if label.len() <= LABEL_CHARS && label.bytes().all(is_plain) {
        return Ok(());
    }
    Err(invalid_label(
        label,
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
    ))
}

fn invalid_label(label: &str, why: &str) -> SqsFault {
    let label = Shown(label);
    SqsFault::invalid(format!("Value {label} for parameter Label is invalid. Reason: {why}."))
}

fn one_or_more(texts: Vec<String>) -> Value {
    match <[String; 1]>::try_from(texts) {
        Ok([one]) => Value::String(one),
        Err(more) => json!(more),
    }
}

impl Sqs {
    pub(crate) fn add_permission(
        &mut self,
        now: Timestamp,
        name: &QueueName,
        arn: &str,
        permission: &Permission,
    ) -> Result<(), SqsFault> {
        let mut policy = self.policy(name)?.unwrap_or_else(|| {
            let empty = json!({
                "Version": "2012-10-17",
                "Id": format!("{arn}/SQSDefaultPolicy"),
                "Statement": [],
            });
            empty.as_object().cloned().unwrap_or_default()
        });
        permission.check()?;
        let mut statements = statements(&policy);
        if statements.iter().any(|statement| has_label(statement, &permission.label)) {
            return Err(invalid_label(&permission.label, "Already exists"));
        }
        statements.push(permission.statement(arn));
        policy.insert("Statement".to_owned(), Value::Array(statements));
        let text = Value::Object(policy).to_string();
        if text.len() > POLICY_BYTES {
            return Err(SqsFault::new(
                SqsFaultKind::OverLimit,
                format!("The policy would be longer than {POLICY_BYTES} bytes."),
            ));
        }
        self.set_policy(now, name, Some(text))
    }

    pub(crate) fn remove_permission(
        &mut self,
        now: Timestamp,
        name: &QueueName,
        label: &str,
    ) -> Result<(), SqsFault> {
        let mut policy = self.policy(name)?.unwrap_or_default();
        check_label(label)?;
        let mut statements = statements(&policy);
        let before = statements.len();
        statements.retain(|statement| !has_label(statement, label));
        if statements.len() == before {
            return Err(invalid_label(label, "can't find label on existing policy"));
        }
        let text = (!statements.is_empty()).then(|| {
            policy.insert("Statement".to_owned(), Value::Array(statements));
            Value::Object(policy).to_string()
        });
        self.set_policy(now, name, text)
    }

    fn policy(&self, name: &QueueName) -> Result<Option<Map<String, Value>>, SqsFault> {
        // It was checked to be an object when it was set.
        let parse = |text: &str| serde_json::from_str(text).ok();
        Ok(self.queue(name)?.attributes.policy().and_then(parse))
    }

    fn set_policy(
        &mut self,
        now: Timestamp,
        name: &QueueName,
        policy: Option<String>,
    ) -> Result<(), SqsFault> {
        let queue = self.queue_mut(name)?;
        queue.attributes.set_policy(policy);
        queue.modified = now;
        let write = Write::queue(queue);
        self.writes.push(write);
        Ok(())
    }
}

/// The statements of a policy, which may also be a single one without a list.
fn statements(policy: &Map<String, Value>) -> Vec<Value> {
    match policy.get("Statement") {
        Some(Value::Array(statements)) => statements.clone(),
        Some(statement @ Value::Object(_)) => vec![statement.clone()],
        _ => Vec::new(),
    }
}

fn has_label(statement: &Value, label: &str) -> bool {
    statement.get("Sid").and_then(Value::as_str) == Some(label)
}
