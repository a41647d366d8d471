//! What is wrong with a plan: where, what, and what would be right.

use std::fmt;

use crate::document::Position;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanError {
    /// As it was given to [`crate::Plan::parse`].
    pub file: String,
    /// From 1.
    pub line: u64,
    /// From 1, in characters.
    pub column: u64,
    /// What is wrong.
    pub message: String,
    /// What would be right, where that can be said.
    pub hint: Option<String>,
    /// The offending line's text.
    pub source_line: String,
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        let at = Position { line: self.line, column: self.column };
        write_place(f, at, &self.source_line, self.hint.as_deref())
    }
}

/// The line that a message is about, with the place in it, and what would be right.
pub(crate) fn write_place(
    f: &mut fmt::Formatter<'_>,
    at: Position,
    source_line: &str,
    hint: Option<&str>,
) -> fmt::Result {
    if !source_line.trim().is_empty() {
        let width = at.line.to_string().len();
        write!(f, "\n  {} | {source_line}", at.line)?;
        let pad = usize::try_from(at.column.saturating_sub(1)).unwrap_or(0);
        write!(f, "\n  {:width$} | {:pad$}^", "", "")?;
    }
    if let Some(hint) = hint {
        write!(f, "\n  hint: {hint}")?;
    }
    Ok(())
}

/// All mistakes of a plan, in the order of their places.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct PlanErrors(Vec<PlanError>);

impl PlanErrors {
    /// Never empty.
    pub fn errors(&self) -> &[PlanError] {
        &self.0
    }
}

impl fmt::Display for PlanErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

/// More mistakes than these are not worth a reader's time.
const MAX_ERRORS: usize = 100;

/// Gathers mistakes while a plan is read.
#[derive(Debug)]
pub(crate) struct Problems<'a> {
    file: &'a str,
    text: &'a str,
    errors: Vec<PlanError>,
}

impl<'a> Problems<'a> {
    pub(crate) fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, text, errors: Vec::new() }
    }

    pub(crate) fn file(&self) -> &'a str {
        self.file
    }

    pub(crate) fn add(&mut self, at: Position, message: impl Into<String>) {
        self.push(at, message.into(), None);
    }

    pub(crate) fn add_with_hint(
        &mut self,
        at: Position,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.push(at, message.into(), Some(hint.into()));
    }

    /// Where the text of a line begins.
    pub(crate) fn beginning_of(&self, line: u64) -> Position {
        let index = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
        let text = self.text.lines().nth(index).unwrap_or_default();
        let indent = text.chars().take_while(|c| c.is_whitespace()).count();
        Position { line, column: u64::try_from(indent).unwrap_or(0) + 1 }
    }

    fn push(&mut self, at: Position, message: String, hint: Option<String>) {
        if self.errors.len() >= MAX_ERRORS {
            return;
        }
        let source_line = source_line(self.text, at);
        self.errors.push(PlanError {
            file: self.file.to_owned(),
            line: at.line,
            column: at.column,
            message,
            hint,
            source_line,
        });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    pub(crate) fn into_errors(mut self) -> PlanErrors {
        self.errors.sort_by_key(|error| (error.line, error.column));
        PlanErrors(self.errors)
    }
}

/// The line of a place, as much of it as is worth showing.
pub(crate) fn source_line(text: &str, at: Position) -> String {
    let line = usize::try_from(at.line.saturating_sub(1)).unwrap_or(0);
    text.lines().nth(line).unwrap_or_default().chars().take(200).collect()
}

/// The candidate nearest to what was written, if it is near at all.
pub(crate) fn nearest<'c>(
    written: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    candidates
        .into_iter()
        .map(|candidate| (distance(written, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Edits between two words, letters' case aside.
fn distance(a: &str, b: &str) -> usize {
    // Longer words are not typed by hand.
    let fold = |text: &str| text.chars().take(64).flat_map(char::to_lowercase).collect::<Vec<_>>();
    let (a, b) = (fold(a), fold(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(&b) {
            let above = *cell;
            let replaced = diagonal + usize::from(x != y);
            *cell = replaced.min(above + 1).min(left + 1);
            (diagonal, left) = (above, *cell);
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_candidate_is_found() {
        assert_eq!(nearest("requirs", ["name", "requires"]), Some("requires"));
        assert_eq!(nearest("Name", ["name", "requires"]), Some("name"));
        assert_eq!(nearest("zzz", ["name", "requires"]), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
