//! YAML as a tree that remembers where each node stands and how each number was written.
//!
//! Reading into a tree first lets the loader tell all mistakes of a plan at once.

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Location, Spanned};

use crate::error::Problems;

/// A place in the file; both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: u64,
    pub(crate) column: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) at: Position,
    pub(crate) value: NodeValue,
    span: Option<(usize, usize)>,
    /// Whether it is a text below a `|`, whose lines are those of the file.
    literal: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum NodeValue {
    Null,
    Bool(bool),
    /// With the text as it was written: `1.0` is a version as well as a number.
    Number(Number, String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) at: Position,
    pub(crate) text: String,
}

/// A plan is not larger; neither is any file that a person wrote.
const MAX_BYTES: usize = 1024 * 1024;
/// Parts of the document that aliases repeat.
const MAX_REPEATED: usize = 100_000;

/// Reads one YAML document. What is wrong with it as YAML goes to `problems`.
pub(crate) fn parse(text: &str, problems: &mut Problems<'_>) -> Option<Node> {
    let start = Position { line: 1, column: 1 };
    if text.len() > MAX_BYTES {
        problems.add(start, format!("the file has {} bytes, of at most {MAX_BYTES}", text.len()));
        return None;
    }
    match serde_saphyr::from_str_with_options::<Node>(text, options()) {
        Ok(mut node) => {
            node.restore(&Source { text, lines: text.lines().collect() });
            Some(node)
        }
        Err(error) => {
            let at = error.location().map_or(start, position);
            problems.add(at, explain(&error));
            None
        }
    }
}

/// As PyYAML reads, which plans were written for; with less room for repetition than the library
/// gives.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_REPEATED },
    }
}

/// The library's words, without its place, which is told already, and without its advice to
/// programmers.
fn explain(error: &serde_saphyr::Error) -> String {
    match error.without_snippet() {
        serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key `{}` is there already", key.escape_debug())
        }
        serde_saphyr::Error::MultipleDocuments { .. } => {
            "a plan is one YAML document, and here begins another".to_owned()
        }
        other => {
            let text = other.to_string();
            let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
            let line = line.trim_start_matches("error: ");
            let what = line.rsplit_once(" at line ").map_or(line, |(what, _)| what);
            format!("not valid YAML: {what}")
        }
    }
}

impl Node {
    pub(crate) fn kind(&self) -> &'static str {
        match self.value {
            NodeValue::Null => "nothing",
            NodeValue::Bool(_) => "a boolean",
            NodeValue::Number(..) => "a number",
            NodeValue::Text(_) => "text",
            NodeValue::List(_) => "a list",
            NodeValue::Map(_) => "a mapping",
        }
    }

    /// The file's line in which a line of this text stands, where they correspond.
    pub(crate) fn literal_line(&self, line: usize) -> Option<u64> {
        let below = u64::try_from(line.checked_sub(1)?).ok()?;
        self.literal.then(|| self.at.line + below)
    }

    /// Whether it is an empty text, list or mapping.
    pub(crate) fn is_empty(&self) -> bool {
        match &self.value {
            NodeValue::Text(text) => text.is_empty(),
            NodeValue::List(items) => items.is_empty(),
            NodeValue::Map(entries) => entries.is_empty(),
            NodeValue::Null | NodeValue::Bool(_) | NodeValue::Number(..) => false,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.value, NodeValue::Null)
    }

    /// Text, or a number as it was written.
    pub(crate) fn as_scalar_text(&self) -> Option<&str> {
        match &self.value {
            NodeValue::Text(text) | NodeValue::Number(_, text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        match &self.value {
            NodeValue::Null => Value::Null,
            NodeValue::Bool(value) => Value::Bool(*value),
            NodeValue::Number(number, _) => Value::Number(number.clone()),
            NodeValue::Text(text) => Value::String(text.clone()),
            NodeValue::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            NodeValue::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|(key, node)| (key.text.clone(), node.to_json()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    /// Looks up how scalars were written.
    fn restore(&mut self, source: &Source<'_>) {
        let raw = self
            .span
            .and_then(|(from, length)| source.text.get(from..from.checked_add(length)?))
            .map(str::trim)
            .filter(|raw| !raw.is_empty());
        match &mut self.value {
            NodeValue::Number(_, written) => {
                if let Some(raw) = raw {
                    raw.clone_into(written);
                }
            }
            // Booleans of YAML 1.1 on paper, but text to every parser that plans were written for.
            NodeValue::Bool(_) => {
                if let Some(raw @ ("y" | "Y" | "n" | "N")) = raw {
                    self.value = NodeValue::Text(raw.to_owned());
                }
            }
            NodeValue::Text(_) => self.literal = source.follows_bar(self.at.line),
            NodeValue::List(items) => items.iter_mut().for_each(|item| item.restore(source)),
            NodeValue::Map(entries) => {
                entries.iter_mut().for_each(|(_, node)| node.restore(source));
            }
            _ => {}
        }
    }
}

/// A file's text, and its lines.
struct Source<'t> {
    text: &'t str,
    lines: Vec<&'t str>,
}

impl Source<'_> {
    /// Whether the line before is one after which a literal text begins.
    fn follows_bar(&self, line: u64) -> bool {
        let before = usize::try_from(line).ok().and_then(|line| line.checked_sub(2));
        let before = before.and_then(|before| self.lines.get(before)).copied().unwrap_or_default();
        let code = before.split(" #").next().unwrap_or_default().trim_end();
        code.trim_end_matches(|c: char| matches!(c, '-' | '+') || c.is_ascii_digit()).ends_with('|')
    }
}

fn position(location: Location) -> Position {
    Position { line: location.line().max(1), column: location.column().max(1) }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value: Raw(value), referenced, defined } =
            Spanned::deserialize(deserializer)?;
        let span = defined.span();
        let from = span.byte_offset().and_then(|offset| usize::try_from(offset).ok());
        let len = span.byte_len().and_then(|len| usize::try_from(len).ok());
        Ok(Self { at: position(referenced), value, span: from.zip(len), literal: false })
    }
}

struct Raw(NodeValue);

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor).map(Raw)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = NodeValue;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any YAML node")
    }

    fn visit_unit<E>(self) -> Result<NodeValue, E> {
        Ok(NodeValue::Null)
    }

    fn visit_none<E>(self) -> Result<NodeValue, E> {
        Ok(NodeValue::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<NodeValue, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<NodeValue, E> {
        Ok(NodeValue::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<NodeValue, E> {
        Ok(NodeValue::Number(value.into(), value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<NodeValue, E> {
        Ok(NodeValue::Number(value.into(), value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<NodeValue, E> {
        match Number::from_f64(value) {
            Some(number) => Ok(NodeValue::Number(number, value.to_string())),
            None => Ok(NodeValue::Text(value.to_string())),
        }
    }

    fn visit_str<E>(self, value: &str) -> Result<NodeValue, E> {
        Ok(NodeValue::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<NodeValue, E> {
        Ok(NodeValue::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<NodeValue, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(NodeValue::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<NodeValue, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            let at = position(key.referenced);
            map.push((Key { at, text: key.value }, entries.next_value()?));
        }
        Ok(NodeValue::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_keep_their_places_and_numbers_their_text() {
        let text = "name: x\nversion: 1.0\nlist:\n  - {a: 2}\n  - ~\n";
        let mut problems = Problems::new("f", text);
        let node = parse(text, &mut problems).unwrap();
        let NodeValue::Map(entries) = &node.value else { panic!("a map") };
        assert_eq!(entries[1].1.as_scalar_text(), Some("1.0"));
        assert_eq!(entries[1].1.at, Position { line: 2, column: 10 });
        assert_eq!(entries[2].0.at, Position { line: 3, column: 1 });
        let NodeValue::List(items) = &entries[2].1.value else { panic!("a list") };
        assert_eq!(items[0].at.line, 4);
        assert!(items[1].is_null());
    }

    #[test]
    fn alias_bombs_are_refused() {
        let mut text = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for (name, before) in
            ["b", "c", "d", "e", "f", "g", "h", "i"].iter().zip("abcdefgh".chars())
        {
            text += &format!("{name}: &{name} [{}]\n", format!("*{before},").repeat(9));
        }
        let mut problems = Problems::new("f", &text);
        assert!(parse(&text, &mut problems).is_none());
        assert!(!problems.is_empty());
    }
}
