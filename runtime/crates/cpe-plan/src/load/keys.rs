//! Reading mappings key by key, each with the type it must have.

use std::ops::RangeInclusive;

use cpe_swf::{Timeout, limits};

use super::did_you_mean;
use crate::{
    document::{Key, Node, NodeValue, Position},
    error::Problems,
};

/// A mapping of the document, and what it is called in messages.
pub(crate) struct Mapping<'n> {
    entries: &'n [(Key, Node)],
    at: Position,
    what: &'static str,
}

impl<'n> Mapping<'n> {
    pub(crate) fn of(node: &'n Node, what: &'static str) -> Option<Self> {
        match &node.value {
            NodeValue::Map(entries) => Some(Self { entries, at: node.at, what }),
            _ => None,
        }
    }

    /// As [`Self::of`]; anything else is a mistake.
    pub(crate) fn required(
        node: &'n Node,
        what: &'static str,
        problems: &mut Problems<'_>,
    ) -> Option<Self> {
        let mapping = Self::of(node, what);
        if mapping.is_none() {
            problems.add(node.at, format!("{what} is a mapping, this is {}", node.kind()));
        }
        mapping
    }

    pub(crate) fn at(&self) -> Position {
        self.at
    }

    pub(crate) fn entries(&self) -> &'n [(Key, Node)] {
        self.entries
    }

    /// The value of a key; `~` counts as absent.
    pub(crate) fn get(&self, key: &str) -> Option<&'n Node> {
        self.entries
            .iter()
            .find(|(found, _)| found.text == key)
            .map(|(_, node)| node)
            .filter(|node| !node.is_null())
    }

    /// As [`Self::get`], for a key where 2015's plans write nothing in several ways.
    pub(crate) fn spec(&self, key: &str) -> Option<&'n Node> {
        self.get(key).filter(|node| !node.is_empty())
    }

    pub(crate) fn check_keys(&self, known: &[&str], problems: &mut Problems<'_>) {
        for (key, _) in self.entries {
            if !known.contains(&key.text.as_str()) {
                let hint = did_you_mean(&key.text, known.iter().copied(), "keys");
                problems.add_with_hint(
                    key.at,
                    format!("{} has no key `{}`", self.what, key.text),
                    hint,
                );
            }
        }
    }

    /// Text that SWF accepts as a name or version; numbers count as they are written.
    pub(crate) fn required_name(
        &self,
        key: &str,
        max: usize,
        problems: &mut Problems<'_>,
    ) -> Option<String> {
        let Some(node) = self.get(key) else {
            problems.add(self.at, format!("{} needs `{key}`", self.what));
            return None;
        };
        self.name(key, node, max, problems)
    }

    pub(crate) fn optional_name(
        &self,
        key: &str,
        max: usize,
        problems: &mut Problems<'_>,
    ) -> Option<String> {
        self.name(key, self.get(key)?, max, problems)
    }

    fn name(
        &self,
        key: &str,
        node: &Node,
        max: usize,
        problems: &mut Problems<'_>,
    ) -> Option<String> {
        let Some(text) = node.as_scalar_text() else {
            problems.add(node.at, format!("`{key}` is text, this is {}", node.kind()));
            return None;
        };
        let length = text.chars().count();
        if !(1..=max).contains(&length) {
            problems.add(node.at, format!("`{key}` has 1 to {max} characters, this has {length}"));
            return None;
        }
        if let Some(forbidden) = limits::forbidden_in_id(text) {
            let message = if forbidden == text {
                format!("SWF does not allow `{text}` for `{key}`")
            } else {
                format!("SWF allows no `{}` in `{key}`", forbidden.escape_debug())
            };
            problems.add(node.at, message);
            return None;
        }
        Some(text.to_owned())
    }

    pub(crate) fn text(
        &self,
        key: &str,
        problems: &mut Problems<'_>,
    ) -> Option<(&'n str, Position)> {
        let node = self.get(key)?;
        let text = node.as_scalar_text();
        if text.is_none() {
            let mut hint = None;
            if matches!(node.value, NodeValue::Map(_)) {
                hint = Some(format!("templates are text: write `{key}: |` and the JSON below it"));
            }
            let message = format!("`{key}` is text, this is {}", node.kind());
            match hint {
                Some(hint) => problems.add_with_hint(node.at, message, hint),
                None => problems.add(node.at, message),
            }
        }
        text.map(|text| (text, node.at))
    }

    /// Whole seconds, as a number or text, or `NONE`.
    pub(crate) fn timeout(&self, key: &str, problems: &mut Problems<'_>) -> Option<Timeout> {
        let node = self.get(key)?;
        let timeout = node.as_scalar_text().and_then(|text| text.parse::<Timeout>().ok());
        // A year is the longest that SWF lets anything last.
        let valid = match timeout {
            Some(Timeout::Seconds(seconds)) => seconds <= 31_536_000,
            Some(Timeout::None) => true,
            None => false,
        };
        if !valid {
            problems.add_with_hint(
                node.at,
                format!("`{key}` is no timeout"),
                "whole seconds up to 31536000 (a year), or NONE",
            );
        }
        timeout.filter(|_| valid)
    }

    /// As [`Self::timeout`], where SWF asks for a limit.
    pub(crate) fn limited(&self, key: &str, problems: &mut Problems<'_>) -> Option<Timeout> {
        let timeout = self.timeout(key, problems)?;
        if timeout == Timeout::None {
            let at = self.get(key).map_or(self.at, |node| node.at);
            problems.add_with_hint(
                at,
                format!("`{key}` may not be NONE: SWF runs nothing for ever"),
                "whole seconds up to 31536000 (a year)",
            );
        }
        Some(timeout)
    }

    /// `true` or `false`; absent is `false`.
    pub(crate) fn flag(&self, key: &str, problems: &mut Problems<'_>) -> bool {
        let Some(node) = self.get(key) else { return false };
        let NodeValue::Bool(value) = node.value else {
            problems.add(node.at, format!("`{key}` is true or false, this is {}", node.kind()));
            return false;
        };
        value
    }

    /// A whole number within a range.
    pub(crate) fn count(
        &self,
        key: &str,
        range: RangeInclusive<u32>,
        problems: &mut Problems<'_>,
    ) -> Option<u32> {
        let node = self.get(key)?;
        let count = node.as_scalar_text().and_then(|text| text.parse().ok());
        let count = count.filter(|count| range.contains(count));
        if count.is_none() {
            let (from, to) = range.into_inner();
            problems.add(node.at, format!("`{key}` is a whole number from {from} to {to}"));
        }
        count
    }

    pub(crate) fn list(&self, key: &str, problems: &mut Problems<'_>) -> Option<&'n [Node]> {
        let node = self.get(key)?;
        match &node.value {
            NodeValue::List(items) => Some(items),
            _ => {
                problems.add(node.at, format!("`{key}` is a list, this is {}", node.kind()));
                None
            }
        }
    }

    pub(crate) fn required_list(
        &self,
        key: &str,
        problems: &mut Problems<'_>,
    ) -> Option<&'n [Node]> {
        if self.get(key).is_none() {
            problems.add(self.at, format!("{} needs `{key}`", self.what));
        }
        self.list(key, problems)
    }
}
