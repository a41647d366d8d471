//! What a plan that loads may not have meant: steps that never run, outputs that nobody uses,
//! times that contradict each other, and more than SWF takes.
//!
//! Nothing here changes what a plan does. A warning is for its author, so it has a place as a
//! mistake has, and is only given of what is certain from the plan alone.

mod numbers;
pub(crate) mod places;
mod reach;
mod times;
mod unused;

use std::fmt;

use self::places::Places;
use crate::{
    document::Position,
    error::{source_line, write_place},
    model::Plan,
};

/// One thing that an author may not have meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanWarning {
    /// Of what kind: `unreachable`, `unused`, `times`, `retries` or `budget`; of what
    /// [`Plan::check_types`] finds, `types` or `grants`.
    pub code: &'static str,
    /// As it was given to [`crate::Plan::parse`].
    pub file: String,
    /// From 1.
    pub line: u64,
    /// From 1, in characters.
    pub column: u64,
    /// What is odd.
    pub message: String,
    /// What may have been meant, where that can be said.
    pub hint: Option<String>,
    /// The line's text.
    pub source_line: String,
}

impl fmt::Display for PlanWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: warning: {}", self.file, self.line, self.column, self.message)?;
        let at = Position { line: self.line, column: self.column };
        write_place(f, at, &self.source_line, self.hint.as_deref())
    }
}

/// More warnings than these are not worth a reader's time.
const MAX_WARNINGS: usize = 100;

/// Gathers warnings.
struct Warnings<'p> {
    plan: &'p Plan,
    places: Places,
    found: Vec<PlanWarning>,
}

impl Warnings<'_> {
    fn add(
        &mut self,
        code: &'static str,
        at: Position,
        message: String,
        hint: impl Into<Option<String>>,
    ) {
        if self.found.len() >= MAX_WARNINGS {
            return;
        }
        self.found.push(PlanWarning {
            code,
            file: self.plan.file.clone(),
            line: at.line,
            column: at.column,
            message,
            hint: hint.into(),
            source_line: source_line(&self.plan.text, at),
        });
    }
}

impl Plan {
    /// What the plan may not have meant, in the order of the places.
    pub fn warnings(&self) -> Vec<PlanWarning> {
        let places = Places::of(self);
        let mut warnings = Warnings { plan: self, places, found: Vec::new() };
        reach::warn(&mut warnings);
        unused::warn(&mut warnings);
        times::warn(&mut warnings);
        numbers::warn(&mut warnings);
        let mut found = warnings.found;
        found.sort_by_key(|warning| (warning.line, warning.column));
        found
    }
}

#[cfg(test)]
mod tests;
