//! One item of `steps`.

use std::collections::BTreeMap;

use cpe_swf::limits;

use super::{Activities, did_you_mean, keys::Mapping};
use crate::{
    document::{Node, NodeValue, Position},
    error::Problems,
    model::{Requirement, Requires, Step, StepInput, StepWork},
    template::{self, TemplateError, Templates},
};

const KEYS: [&str; 5] = ["name", "activity", "eval", "requires", "input"];

/// What a step's parts may name.
pub(super) struct Loader<'l> {
    pub(super) names: &'l BTreeMap<String, usize>,
    pub(super) activities: &'l Activities,
    pub(super) templates: &'l mut Templates,
}

impl Loader<'_> {
    pub(super) fn load(&mut self, node: &Node, problems: &mut Problems<'_>) -> Option<Step> {
        let mapping = Mapping::required(node, "a step", problems)?;
        mapping.check_keys(&KEYS, problems);
        let name = mapping.required_name("name", limits::ID_CHARS, problems);
        if let Some(name) = &name {
            check_step_name(name, &mapping, problems);
        }
        let requires = self.requires(&mapping, problems);
        let work = self.work(&mapping, requires.as_deref().unwrap_or_default(), problems);
        Some(Step { name: name?, work: work?, requires: requires? })
    }

    fn work(
        &mut self,
        mapping: &Mapping<'_>,
        requires: &[Requires],
        problems: &mut Problems<'_>,
    ) -> Option<StepWork> {
        match (mapping.get("activity"), mapping.get("eval")) {
            (Some(_), Some(eval)) => {
                problems.add(eval.at, "a step has either `activity` or `eval`, not both");
                None
            }
            (None, None) => {
                problems.add(mapping.at(), "a step needs `activity` or `eval`");
                None
            }
            (Some(activity), None) => {
                let input = self.template(mapping, "input", requires, problems);
                let activity = self.activity(activity, problems);
                Some(StepWork::Activity { activity: activity?, input: input? })
            }
            (None, Some(_)) => {
                if let Some(input) = mapping.get("input") {
                    problems.add(input.at, "an `eval` step has no `input`: its template is all");
                }
                self.template(mapping, "eval", requires, problems).map(StepWork::Eval)
            }
        }
    }

    fn activity(&self, node: &Node, problems: &mut Problems<'_>) -> Option<usize> {
        let Some(name) = node.as_scalar_text() else {
            problems.add(node.at, format!("`activity` is a name, this is {}", node.kind()));
            return None;
        };
        let loaded = &self.activities.loaded;
        let found = loaded.iter().position(|(known, _)| known == name);
        if found.is_none() && !self.activities.broken.contains(name) {
            let known = loaded.iter().map(|(known, _)| known.as_str());
            problems.add_with_hint(
                node.at,
                format!("the plan has no activity `{name}`"),
                did_you_mean(name, known, "activities"),
            );
        }
        found
    }

    /// Compiles a template; what it names must be required. An absent input is `null`.
    fn template(
        &mut self,
        mapping: &Mapping<'_>,
        key: &str,
        requires: &[Requires],
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
        for name in compiled.names.iter().filter(|name| *name != "__input__") {
            match self.names.get(name) {
                Some(step) if requires.iter().any(|requires| requires.step == *step) => {
                    steps.push(*step);
                }
                None if self.templates.is_global(name) => {}
                _ => {
                    well = false;
                    self.not_to_be_named(name, text, at, problems);
                }
            }
        }
        well.then_some(StepInput { template: compiled.id, steps })
    }

    fn not_to_be_named(
        &self,
        name: &str,
        template: &str,
        at: Position,
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
        let known = self.names.keys().map(String::as_str).chain(["__input__"]);
        let hint = if template.contains(&format!("-{name}")) {
            format!("a dash means minus: write a key such as `x-{name}` as `['x-{name}']`")
        } else {
            did_you_mean(name, known, "steps")
        };
        problems.add_with_hint(
            at,
            format!("the template names `{name}`, which is neither a step nor `__input__`"),
            hint,
        );
    }

    fn requires(
        &self,
        mapping: &Mapping<'_>,
        problems: &mut Problems<'_>,
    ) -> Option<Vec<Requires>> {
        if mapping.get("requires").is_none() {
            return Some(Vec::new());
        }
        let mut list: Vec<Requires> = Vec::new();
        let mut well = true;
        for node in mapping.list("requires", problems)? {
            match self.requirement(node, problems) {
                Some(requires) => {
                    // Of a step that is required twice the original took the last.
                    list.retain(|earlier| earlier.step != requires.step);
                    list.push(requires);
                }
                None => well = false,
            }
        }
        well.then_some(list)
    }

    /// `Name`, or `[Name, status]`.
    fn requirement(&self, node: &Node, problems: &mut Problems<'_>) -> Option<Requires> {
        let (name, status) = match &node.value {
            NodeValue::List(items) => match items.as_slice() {
                [name, status] => (name, Some(status)),
                _ => {
                    problems.add(node.at, "a requirement is a step's name, or `[name, status]`");
                    return None;
                }
            },
            _ => (node, None),
        };
        let Some(text) = name.as_scalar_text() else {
            problems.add(name.at, "a requirement is a step's name, or `[name, status]`");
            return None;
        };
        let step = self.names.get(text).copied();
        if step.is_none() {
            let known = self.names.keys().map(String::as_str);
            problems.add_with_hint(
                name.at,
                format!("the plan has no step `{text}`"),
                did_you_mean(text, known, "steps"),
            );
        }
        let explicit = status.is_some();
        let status = match status {
            None => Some(Requirement::Completed),
            Some(status) => requirement_status(status, problems),
        };
        Some(Requires { step: step?, status: status?, explicit })
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

const STATUSES: [&str; 8] =
    ["completed", "succeeded", "failed", "skipped", "pending", "ready", "running", "aborted"];

fn requirement_status(node: &Node, problems: &mut Problems<'_>) -> Option<Requirement> {
    let Some(text) = node.as_scalar_text() else {
        problems.add(node.at, format!("a status is a word, this is {}", node.kind()));
        return None;
    };
    match text {
        // The last one held of every step in the original.
        "completed" | "pending" => Some(Requirement::Completed),
        "succeeded" => Some(Requirement::Succeeded),
        "failed" => Some(Requirement::Failed),
        "skipped" => Some(Requirement::Skipped),
        "ready" | "running" | "aborted" => Some(Requirement::Never),
        other => {
            let hint = did_you_mean(other, STATUSES, "statuses");
            problems.add_with_hint(node.at, format!("`{other}` is no status"), hint);
            None
        }
    }
}

fn check_step_name(name: &str, mapping: &Mapping<'_>, problems: &mut Problems<'_>) {
    if name == "__input__" || name == "__failure__" {
        let at = mapping.get("name").map_or(mapping.at(), |node| node.at);
        problems.add(at, format!("`{name}` has a meaning of its own in templates"));
    }
}

/// Steps that wait for each other would never run.
pub(super) fn refuse_cycles(steps: &[Step], nodes: &[Node], problems: &mut Problems<'_>) {
    // Takes away steps whose requirements are all taken away, until none is left or none goes.
    let mut left: Vec<usize> = (0..steps.len()).collect();
    let mut gone = vec![false; steps.len()];
    loop {
        let before = left.len();
        left.retain(|index| {
            let free = steps.get(*index).is_some_and(|step| {
                step.requires.iter().all(|requires| gone.get(requires.step) == Some(&true))
            });
            if free && let Some(gone) = gone.get_mut(*index) {
                *gone = true;
            }
            !free
        });
        if left.is_empty() {
            return;
        }
        if left.len() == before {
            break;
        }
    }
    let names: Vec<_> =
        left.iter().filter_map(|index| steps.get(*index)).map(|step| step.name.as_str()).collect();
    if let Some(node) = left.first().and_then(|index| nodes.get(*index)) {
        problems.add(
            node.at,
            format!("these steps wait for each other and would never run: {}", names.join(", ")),
        );
    }
}
