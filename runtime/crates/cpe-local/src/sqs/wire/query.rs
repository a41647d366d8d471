//! The query protocol: a form in, XML out.
//!
//! Newer clients speak JSON; older ones, and shell scripts, speak this. A form's flattened lists
//! (`Attribute.1.Name=…`) become the JSON that [`super::dispatch`] takes, and its answer becomes
//! flattened XML.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::{Map, Value};

use super::{SqsFault, sender};
use crate::sqs::SqsFaultKind;

const NAMESPACE: &str = "http://queue.amazonaws.com/doc/2012-11-05/";
/// Parameters of one request: ten entries of ten attributes with four parts each, and some.
const PARAMETERS: usize = 2_048;
/// Dots of a parameter's name.
const DEPTH: usize = 8;

/// Operations whose answer says nothing.
const WITHOUT_RESULT: [&str; 9] = [
    "AddPermission",
    "ChangeMessageVisibility",
    "DeleteMessage",
    "DeleteQueue",
    "PurgeQueue",
    "RemovePermission",
    "SetQueueAttributes",
    "TagQueue",
    "UntagQueue",
];

/// An operation and its parameters.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Form {
    pub(crate) action: String,
    pub(crate) parameters: Value,
}

/// How a parameter's flattened list is called in JSON, and what it is there.
enum Kind {
    List,
    /// Entries with these two members are the pairs of an object.
    Pairs(&'static str, &'static str),
}

fn list(name: &str) -> Option<(&'static str, Kind)> {
    Some(match name {
        "Tag" => ("Tags", Kind::Pairs("Key", "Value")),
        "TagKey" => ("TagKeys", Kind::List),
        "AWSAccountId" => ("AWSAccountIds", Kind::List),
        "ActionName" => ("Actions", Kind::List),
        "Attribute" => ("Attributes", Kind::Pairs("Name", "Value")),
        "MessageAttribute" => ("MessageAttributes", Kind::Pairs("Name", "Value")),
        "MessageSystemAttribute" => ("MessageSystemAttributes", Kind::Pairs("Name", "Value")),
        "AttributeName" => ("AttributeNames", Kind::List),
        "MessageAttributeName" => ("MessageAttributeNames", Kind::List),
        "MessageSystemAttributeName" => ("MessageSystemAttributeNames", Kind::List),
        "SendMessageBatchRequestEntry"
        | "DeleteMessageBatchRequestEntry"
        | "ChangeMessageVisibilityBatchRequestEntry" => ("Entries", Kind::List),
        _ => return None,
    })
}

impl Form {
    /// Reads a form. `path` is where it was sent: a queue's own address needs no `QueueUrl`.
    pub(crate) fn parse(form: &[u8], path: &str) -> Result<Self, SqsFault> {
        let mut tree = Tree::default();
        let mut action = None;
        for (count, (name, value)) in form_urlencoded::parse(form).enumerate() {
            if count >= PARAMETERS {
                return Err(malformed("the request has too many parameters"));
            }
            if name == "Action" {
                action = Some(value.into_owned());
            } else {
                tree.insert(&name, value.into_owned())?;
            }
        }
        let action = action.ok_or_else(|| SqsFault::missing("Action"))?;
        let mut parameters = tree.into_object();
        if !parameters.contains_key("QueueUrl") && path.trim_matches('/').contains('/') {
            parameters.insert("QueueUrl".to_owned(), Value::String(path.to_owned()));
        }
        Ok(Self { action, parameters: Value::Object(parameters) })
    }
}

fn malformed(why: &str) -> SqsFault {
    SqsFault::new(SqsFaultKind::Malformed, why)
}

/// Parameters by the parts of their names.
#[derive(Debug, Default)]
struct Tree {
    value: Option<String>,
    children: BTreeMap<String, Tree>,
}

impl Tree {
    fn insert(&mut self, name: &str, value: String) -> Result<(), SqsFault> {
        let mut node = self;
        for (depth, part) in name.split('.').enumerate() {
            if depth >= DEPTH {
                return Err(malformed("a parameter's name has too many dots"));
            }
            node = node.children.entry(part.to_owned()).or_default();
        }
        node.value = Some(value);
        Ok(())
    }

    fn into_value(self) -> Value {
        match self.value {
            Some(text) => Value::String(text),
            None => Value::Object(self.into_object()),
        }
    }

    fn into_object(self) -> Map<String, Value> {
        let entry = |(name, child): (String, Self)| match list(&name) {
            Some((json, Kind::List)) => (json.to_owned(), Value::Array(child.into_items())),
            Some((json, Kind::Pairs(key, value))) => {
                let pairs = child.into_items().into_iter().filter_map(|mut item| {
                    let pair = item.as_object_mut()?;
                    Some((pair.remove(key)?.as_str()?.to_owned(), pair.remove(value)?))
                });
                (json.to_owned(), Value::Object(pairs.collect()))
            }
            None => (name, child.into_value()),
        };
        self.children.into_iter().map(entry).collect()
    }

    /// The items of a list, in the order of their numbers.
    fn into_items(self) -> Vec<Value> {
        let mut items: Vec<_> = self.children.into_iter().collect();
        items.sort_by_key(|(number, _)| number.parse().unwrap_or(u32::MAX));
        items.into_iter().map(|(_, item)| item.into_value()).collect()
    }
}

/// An answer in XML.
pub(crate) fn answer(action: &str, answer: &Value, request_id: &str) -> String {
    let mut xml = String::from("<?xml version=\"1.0\"?>");
    let _ = write!(xml, "<{action}Response xmlns=\"{NAMESPACE}\">");
    // Clients look for the result of an operation that has one, also where it is empty.
    if !WITHOUT_RESULT.contains(&action) {
        let _ = write!(xml, "<{action}Result>");
        members(&mut xml, action, answer);
        let _ = write!(xml, "</{action}Result>");
    }
    let _ = write!(
        xml,
        "<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>"
    );
    xml
}

/// An error in XML.
pub(crate) fn error(fault: &SqsFault, request_id: &str) -> String {
    let mut xml = String::from("<?xml version=\"1.0\"?>");
    let _ = write!(xml, "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error>");
    element(&mut xml, "Type", sender(fault));
    element(&mut xml, "Code", fault.kind.query_code());
    element(&mut xml, "Message", &fault.message);
    let _ = write!(xml, "<Detail/></Error><RequestId>{request_id}</RequestId></ErrorResponse>");
    xml
}

fn members(xml: &mut String, action: &str, object: &Value) {
    for (name, value) in object.as_object().into_iter().flatten() {
        match (name.as_str(), value) {
            ("Attributes", Value::Object(pairs)) => {
                self::pairs(xml, action, ("Attribute", "Name"), pairs);
            }
            ("MessageAttributes", Value::Object(pairs)) => {
                self::pairs(xml, action, ("MessageAttribute", "Name"), pairs);
            }
            ("Tags", Value::Object(pairs)) => self::pairs(xml, action, ("Tag", "Key"), pairs),
            (_, Value::Array(items)) => {
                let tag = match name.as_str() {
                    "Messages" => "Message".to_owned(),
                    "Results" => format!("{action}ResultEntry"),
                    "QueueUrls" | "queueUrls" => "QueueUrl".to_owned(),
                    "Successful" => format!("{action}ResultEntry"),
                    "Failed" => "BatchResultErrorEntry".to_owned(),
                    other => other.to_owned(),
                };
                items.iter().for_each(|item| member(xml, action, &tag, item));
            }
            _ => member(xml, action, name, value),
        }
    }
}

fn pairs(xml: &mut String, action: &str, (tag, key): (&str, &str), pairs: &Map<String, Value>) {
    for (name, value) in pairs {
        let _ = write!(xml, "<{tag}>");
        element(xml, key, name);
        member(xml, action, "Value", value);
        let _ = write!(xml, "</{tag}>");
    }
}

fn member(xml: &mut String, action: &str, tag: &str, value: &Value) {
    match value {
        Value::Object(_) => {
            let _ = write!(xml, "<{tag}>");
            members(xml, action, value);
            let _ = write!(xml, "</{tag}>");
        }
        Value::String(text) => element(xml, tag, text),
        other => element(xml, tag, &other.to_string()),
    }
}

fn element(xml: &mut String, tag: &str, text: &str) {
    let _ = write!(xml, "<{tag}>");
    for c in text.chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            // A parser would read a bare one as a line feed.
            '\r' => xml.push_str("&#xD;"),
            _ => xml.push(c),
        }
    }
    let _ = write!(xml, "</{tag}>");
}
