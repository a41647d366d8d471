//! Where in its file a part of a plan stands.
//!
//! The model keeps no places: they are looked up in the text again when there is something to say.

use crate::{
    document::{self, Node, NodeValue, Position},
    error::Problems,
    model::{Plan, Section},
};

#[derive(Debug)]
pub(crate) struct Places {
    root: Option<Node>,
}

/// One mapping of the file, or nothing, of which every part is at the file's beginning.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'n>(Option<&'n Node>);

impl Places {
    pub(crate) fn of(plan: &Plan) -> Self {
        let mut problems = Problems::new(&plan.file, &plan.text);
        Self { root: document::parse(&plan.text, &mut problems) }
    }

    pub(crate) fn top(&self) -> Entry<'_> {
        Entry(self.root.as_ref())
    }

    pub(crate) fn activity(&self, index: usize) -> Entry<'_> {
        self.top().inner("activities").item(index)
    }

    pub(crate) fn step(&self, plan: &Plan, index: usize) -> Entry<'_> {
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
    pub(crate) fn inner(self, key: &str) -> Self {
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

    pub(crate) fn at(self) -> Position {
        self.0.map_or(Position { line: 1, column: 1 }, |node| node.at)
    }

    pub(crate) fn has(self, key: &str) -> bool {
        self.inner(key).0.is_some()
    }

    /// Where the value of a key stands, or else the whole.
    pub(crate) fn at_key(self, key: &str) -> Position {
        self.inner(key).0.map_or(self.at(), |node| node.at)
    }

    /// The place of a byte of the template at a key.
    pub(crate) fn at_offset(
        self,
        file: &str,
        key: &str,
        (template, offset): (&str, Option<usize>),
    ) -> Position {
        let whole = self.at_key(key);
        let Some((node, offset)) = self.inner(key).0.zip(offset) else { return whole };
        let before = template.get(..offset).unwrap_or_default();
        let lines = before.split('\n').count();
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
        let text = template.split('\n').nth(lines - 1).unwrap_or_default().trim_end();
        let line = match node.literal_line(lines) {
            Some(line) => line,
            // On one line, as it stands there.
            None if lines == 1 && !template.contains('\n') => node.at.line,
            None => return whole,
        };
        let index = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
        let written = file.lines().nth(index).unwrap_or_default();
        let from = if line == node.at.line { usize::try_from(node.at.column - 1) } else { Ok(0) };
        let skipped = written.char_indices().nth(from.unwrap_or(0)).map_or(0, |(at, _)| at);
        let Some(found) = written.get(skipped..).and_then(|rest| rest.find(text)) else {
            return whole;
        };
        let before = written.get(..skipped + found).unwrap_or_default().chars().count();
        let column = u64::try_from(before + column).unwrap_or(0) + 1;
        Position { line, column }
    }

    /// The first of these keys that is written.
    pub(crate) fn at_first(self, keys: &[&str]) -> Position {
        let key = keys.iter().find(|key| self.has(key));
        key.map_or(self.at(), |key| self.at_key(key))
    }

    /// Where the item of a list stands that is this text, or a list that begins with it.
    pub(crate) fn at_item_named(self, key: &str, name: &str) -> Position {
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
