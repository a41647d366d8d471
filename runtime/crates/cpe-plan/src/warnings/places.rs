//! Where in its file a part of a plan stands.
//!
//! The model keeps no places: they are looked up in the text again when there is something to say.

use crate::{
    document::{self, Node, NodeValue, Position},
    error::Problems,
    model::{Plan, Section},
};

#[derive(Debug)]
pub(super) struct Places {
    root: Option<Node>,
}

/// One mapping of the file, or nothing, of which every part is at the file's beginning.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'n>(Option<&'n Node>);

impl Places {
    pub(super) fn of(plan: &Plan) -> Self {
        let mut problems = Problems::new(&plan.file, &plan.text);
        Self { root: document::parse(&plan.text, &mut problems) }
    }

    pub(super) fn top(&self) -> Entry<'_> {
        Entry(self.root.as_ref())
    }

    pub(super) fn activity(&self, index: usize) -> Entry<'_> {
        self.top().inner("activities").item(index)
    }

    pub(super) fn step(&self, plan: &Plan, index: usize) -> Entry<'_> {
        let section = plan.steps.get(index).map_or(Section::Main, |step| step.section);
        let key = match section {
            Section::Main => "steps",
            Section::OnFailure => "on_failure",
            Section::Finally => "finally",
        };
        let first = plan.section(section).next().unwrap_or(0);
        self.top().inner(key).item(index.saturating_sub(first))
    }
}

impl<'n> Entry<'n> {
    pub(super) fn inner(self, key: &str) -> Self {
        let Some(NodeValue::Map(entries)) = self.0.map(|node| &node.value) else {
            return Self(None);
        };
        let found = entries.iter().find(|(found, _)| found.text == key).map(|(_, node)| node);
        Self(found.filter(|node| !node.is_null()))
    }

    fn item(self, index: usize) -> Self {
        match self.0.map(|node: &'n Node| &node.value) {
            Some(NodeValue::List(items)) => Self(items.get(index)),
            _ => Self(None),
        }
    }

    pub(super) fn at(self) -> Position {
        self.0.map_or(Position { line: 1, column: 1 }, |node| node.at)
    }

    pub(super) fn has(self, key: &str) -> bool {
        self.inner(key).0.is_some()
    }

    /// Where the value of a key stands, or else the whole.
    pub(super) fn at_key(self, key: &str) -> Position {
        self.inner(key).0.map_or(self.at(), |node| node.at)
    }

    /// The first of these keys that is written.
    pub(super) fn at_first(self, keys: &[&str]) -> Position {
        let key = keys.iter().find(|key| self.has(key));
        key.map_or(self.at(), |key| self.at_key(key))
    }

    /// Where the item of a list stands that is this text, or a list that begins with it.
    pub(super) fn at_item_named(self, key: &str, name: &str) -> Position {
        let Some(NodeValue::List(items)) = self.inner(key).0.map(|node| &node.value) else {
            return self.at_key(key);
        };
        let names = |node: &&Node| match &node.value {
            NodeValue::List(parts) => parts.first().and_then(Node::as_scalar_text) == Some(name),
            _ => node.as_scalar_text() == Some(name),
        };
        items.iter().rfind(names).map_or(self.at_key(key), |node| node.at)
    }
}
