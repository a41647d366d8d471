//! Templates of steps: they compile, and name only what is there when they are rendered.

use super::{did_you_mean, keys::Mapping, step::Loader};
use crate::{
    document::{Node, Position},
    error::Problems,
    model::{Requires, Section, StepInput},
    template::{self, TemplateError},
};

/// What a template can name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'s> {
    pub(super) section: Section,
    pub(super) requires: &'s [Requires],
    /// Whether `item` and `index` are there.
    pub(super) each: bool,
    /// Whether all steps have ended by then.
    pub(super) is_last: bool,
}

impl Scope<'_> {
    fn words(self) -> impl Iterator<Item = &'static str> + Clone {
        let item = self.each.then_some(["item", "index"]).into_iter().flatten();
        let failure = (self.section > Section::Main).then_some("__failure__");
        ["__input__"].into_iter().chain(item).chain(failure)
    }

    fn knows(self, name: &str) -> bool {
        self.words().any(|word| word == name)
    }
}

impl Loader<'_> {
    /// Compiles a template; what it names must be required. An absent input is `null`.
    pub(super) fn template(
        &mut self,
        mapping: &Mapping<'_>,
        key: &str,
        scope: Scope<'_>,
        problems: &mut Problems<'_>,
    ) -> Option<StepInput> {
        let (text, at) = match mapping.get(key) {
            None => ("null", mapping.at()),
            Some(_) => mapping.text(key, problems)?,
        };
        let compiled = match self.templates.add(text) {
            Ok(compiled) => compiled,
            Err(error) => {
                let (at, error) = locate(mapping.get(key), error, problems);
                problems.add(at, format!("`{key}` is no template: {error}"));
                return None;
            }
        };
        if template::is_constant(text)
            && let Err(error) = self.templates.render(&compiled.id, [])
        {
            problems.add(at, format!("`{key}` can never be used: {error}"));
            return None;
        }
        let mut steps = Vec::new();
        let mut well = true;
        for name in compiled.names.iter().filter(|name| !scope.knows(name)) {
            match self.names.get(name) {
                Some(step) if self.is_open_to(*step, scope) => steps.push(*step),
                None if self.templates.is_global(name) => {}
                _ => {
                    well = false;
                    self.not_to_be_named(name, (text, at), scope, problems);
                }
            }
        }
        well.then_some(StepInput { template: compiled.id, steps })
    }

    /// Whether a step's output is there when the template is rendered: it is required, or its
    /// whole section has ended.
    fn is_open_to(&self, step: usize, scope: Scope<'_>) -> bool {
        scope.requires.iter().any(|requires| requires.step == step)
            || self.sections.get(step).is_some_and(|section| *section < scope.section)
            || scope.is_last
    }

    fn not_to_be_named(
        &self,
        name: &str,
        (template, at): (&str, Position),
        scope: Scope<'_>,
        problems: &mut Problems<'_>,
    ) {
        if self.names.contains_key(name) {
            problems.add_with_hint(
                at,
                format!("the template names the step `{name}`, which is not required"),
                format!("add `{name}` to `requires`"),
            );
            return;
        }
        let elsewhere = match name {
            "item" | "index" => Some("`item` and `index` are there in the `input` of a `foreach`"),
            "__failure__" => Some("`__failure__` is there in `on_failure` and `finally`"),
            _ => None,
        };
        if let Some(hint) = elsewhere {
            problems.add_with_hint(at, format!("the template names `{name}`"), hint);
            return;
        }
        let mut known: Vec<&str> = self.names.keys().map(String::as_str).collect();
        scope.words().for_each(|word| known.push(word));
        let hint = if template.contains(&format!("-{name}")) {
            format!("a dash means minus: write a key such as `x-{name}` as `['x-{name}']`")
        } else {
            did_you_mean(name, known.iter().copied(), "steps")
        };
        problems.add_with_hint(
            at,
            format!("the template names `{name}`, which is neither a step nor `__input__`"),
            hint,
        );
    }
}

/// Where in the file a template's error is, if the template is written line by line; what it says.
fn locate(
    node: Option<&Node>,
    error: TemplateError,
    problems: &Problems<'_>,
) -> (Position, String) {
    let line = node.zip(error.line).and_then(|(node, line)| node.literal_line(line));
    match (line, node) {
        (Some(line), _) => (problems.beginning_of(line), error.message),
        (None, Some(node)) => (node.at, error.to_string()),
        (None, None) => (problems.beginning_of(1), error.to_string()),
    }
}
