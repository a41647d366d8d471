//! `grants` of an activity: what it asks to reach.

use std::collections::BTreeMap;

use super::keys::Mapping;
use crate::{
    document::{Node, NodeValue, Position},
    error::Problems,
    model::{Access, Grants, S3Grant},
    template::{self, Templates},
};

pub(super) const KEYS: [&str; 4] = ["s3", "http", "env", "secrets"];

/// More entries of one kind are not written by hand.
const MAX_ENTRIES: usize = 100;

pub(super) fn grants(
    mapping: &Mapping<'_>,
    templates: &mut Templates,
    problems: &mut Problems<'_>,
) -> Option<Grants> {
    let node = mapping.get("grants")?;
    let grants = Mapping::required(node, "`grants`", problems)?;
    grants.check_keys(&KEYS, problems);
    let mut asked = Grants::default();
    for node in bounded(&grants, "s3", problems) {
        asked.s3.extend(s3_grant(node, templates, problems));
    }
    for node in bounded(&grants, "http", problems) {
        asked.http.extend(url(node, problems));
    }
    for node in bounded(&grants, "secrets", problems) {
        asked.secrets.extend(variable(node.as_scalar_text(), node.at, "a secret", problems));
    }
    asked.env = environment(&grants, problems);
    for secret in &asked.secrets {
        if asked.env.contains_key(secret) {
            let at = grants.get("env").map_or(grants.at(), |node| node.at);
            problems.add(at, format!("`{secret}` is in `env` and in `secrets`"));
        }
    }
    Some(asked)
}

fn bounded<'n>(mapping: &Mapping<'n>, key: &str, problems: &mut Problems<'_>) -> &'n [Node] {
    let items = mapping.list(key, problems).unwrap_or_default();
    if items.len() > MAX_ENTRIES {
        let at = mapping.get(key).map_or(mapping.at(), |node| node.at);
        problems.add(at, format!("`{key}` has {} entries, of at most {MAX_ENTRIES}", items.len()));
        return &[];
    }
    items
}

fn s3_grant(
    node: &Node,
    templates: &mut Templates,
    problems: &mut Problems<'_>,
) -> Option<S3Grant> {
    let grant = Mapping::required(node, "an S3 grant", problems)?;
    grant.check_keys(&["bucket", "prefix", "access"], problems);
    let bucket = grant.text("bucket", problems).map(|(text, _)| text);
    if grant.get("bucket").is_none() {
        problems.add(grant.at(), "an S3 grant needs `bucket`");
    }
    if bucket.is_some_and(|bucket| bucket.contains('*')) {
        problems.add(grant.at(), "a plan names each bucket: `*` is for operators");
    }
    if bucket.is_some_and(|bucket| !template::is_constant(bucket)) {
        problems.add(grant.at(), "only `prefix` can be a template: a plan names each bucket");
    }
    let prefix = match grant.text("prefix", problems) {
        Some((text, at)) => {
            check_prefix(text, at, templates, problems);
            text
        }
        None => "",
    };
    let access = match grant.get("access").map(|node| (&node.value, node.at)) {
        Some((NodeValue::Text(text), _)) if text == "read" => Some(Access::Read),
        Some((NodeValue::Text(text), _)) if text == "write" => Some(Access::Write),
        Some((NodeValue::Text(text), _)) if text == "read-write" => Some(Access::ReadWrite),
        other => {
            let at = other.map_or(grant.at(), |(_, at)| at);
            problems.add(at, "`access` is one of read, write, read-write");
            None
        }
    };
    Some(S3Grant { bucket: bucket?.to_owned(), prefix: prefix.to_owned(), access: access? })
}

/// A prefix is known before any step runs, so that it can depend on the input only.
fn check_prefix(text: &str, at: Position, templates: &mut Templates, problems: &mut Problems<'_>) {
    if template::is_constant(text) {
        return;
    }
    match templates.add_prefix(text) {
        Err(error) => problems.add(at, format!("`prefix` is no template: {error}")),
        Ok(names) => {
            for name in names.iter().filter(|name| *name != "__input__") {
                problems.add_with_hint(
                    at,
                    format!("`prefix` names `{name}`"),
                    "a prefix can name `__input__` only: grants are made before any step runs",
                );
            }
        }
    }
}

/// `https://host/path`, whose last character may be a `*`.
fn url(node: &Node, problems: &mut Problems<'_>) -> Option<String> {
    let valid = node.as_scalar_text().filter(|text| is_url(text));
    if valid.is_none() {
        problems.add_with_hint(
            node.at,
            "this is no URL that can be granted",
            "such as https://cdn.example.com/*: a scheme (http or https), a host, a path, of \
             which only the end may be `*`",
        );
    }
    valid.map(str::to_owned)
}

fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let Some((host, path)) = rest.and_then(|rest| rest.split_once('/')) else { return false };
    let name = host.strip_prefix("*.").unwrap_or(host);
    let (name, port) = name.split_once(':').unwrap_or((name, "443"));
    text.len() <= 2_048
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
        && port.parse::<u16>().is_ok_and(|port| port > 0)
        && path.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'#' | b'{' | b'}'))
        && !path.strip_suffix('*').unwrap_or(path).contains('*')
        && !path.split('/').any(|part| part == "..")
}

fn environment(grants: &Mapping<'_>, problems: &mut Problems<'_>) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::new();
    let Some(node) = grants.get("env") else { return environment };
    let Some(entries) = Mapping::required(node, "`env`", problems) else { return environment };
    if entries.entries().len() > MAX_ENTRIES {
        problems.add(node.at, format!("`env` has over {MAX_ENTRIES} entries"));
        return environment;
    }
    for (key, value) in entries.entries() {
        let name = variable(Some(&key.text), key.at, "a variable", problems);
        let text = match &value.value {
            NodeValue::Bool(value) => Some(value.to_string()),
            _ => value.as_scalar_text().map(str::to_owned),
        };
        match text {
            Some(text) if text.len() <= 4_096 && !text.contains('\0') => {
                environment.extend(name.map(|name| (name, text)));
            }
            _ => problems.add(value.at, "the value of a variable is text, up to 4096 bytes"),
        }
    }
    environment
}

/// A name as POSIX has it for variables.
fn variable(
    text: Option<&str>,
    at: Position,
    what: &str,
    problems: &mut Problems<'_>,
) -> Option<String> {
    let valid = text.filter(|text| {
        (1..=128).contains(&text.len())
            && !text.starts_with(|c: char| c.is_ascii_digit())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    });
    if valid.is_none() {
        problems.add_with_hint(
            at,
            format!("this is no name for {what}"),
            "letters, digits and `_`, not beginning with a digit, such as API_KEY",
        );
    }
    valid.map(str::to_owned)
}
