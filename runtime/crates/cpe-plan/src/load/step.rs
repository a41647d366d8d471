//! One item of `steps`.

use std::collections::BTreeMap;

use cpe_swf::limits;

use super::{did_you_mean, keys::Mapping};
use crate::{
    document::{Node, NodeValue},
    error::Problems,
    model::{Activity, Requirement, Requires, Step, StepInput, StepWork},
    template::Templates,
};

const KEYS: [&str; 5] = ["name", "activity", "eval", "requires", "input"];

/// What a step's parts may name.
pub(super) struct Loader<'l> {
    pub(super) names: &'l BTreeMap<String, usize>,
    pub(super) activities: &'l [(String, Activity)],
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
        let found = self.activities.iter().position(|(known, _)| known == name);
        if found.is_none() {
            let known = self.activities.iter().map(|(known, _)| known.as_str());
            problems.add_with_hint(
                node.at,
                format!("the plan has no activity `{name}`"),
                did_you_mean(name, known, "activities"),
            );
        }
        found
    }

    /// Compiles a template; what it names must be required. An absent input is `{}`.
    fn template(
        &mut self,
        mapping: &Mapping<'_>,
        key: &str,
        requires: &[Requires],
        problems: &mut Problems<'_>,
    ) -> Option<StepInput> {
        let (text, at) = match mapping.get(key) {
            None => ("{}", mapping.at()),
            Some(_) => mapping.text(key, problems)?,
        };
        let (template, names) = self
            .templates
            .add(text)
            .map_err(|error| problems.add(at, format!("`{key}` is no template: {error}")))
            .ok()?;
        let mut steps = Vec::new();
        let mut well = true;
        for name in names {
            if name == "__input__" {
                continue;
            }
            match self.names.get(&name) {
                Some(step) if requires.iter().any(|requires| requires.step == *step) => {
                    steps.push(*step);
                }
                Some(_) => {
                    well = false;
                    problems.add_with_hint(
                        at,
                        format!("the template names the step `{name}`, which is not required"),
                        format!("add `{name}` to `requires`"),
                    );
                }
                None => {
                    well = false;
                    let known = self.names.keys().map(String::as_str).chain(["__input__"]);
                    problems.add_with_hint(
                        at,
                        format!("the template names `{name}`, which is neither a step nor `__input__`"),
                        did_you_mean(&name, known, "steps"),
                    );
                }
            }
        }
        well.then_some(StepInput { template, steps })
    }

    fn requires(
        &self,
        mapping: &Mapping<'_>,
        problems: &mut Problems<'_>,
    ) -> Option<Vec<Requires>> {
        if mapping.get("requires").is_none() {
            return Some(Vec::new());
        }
        let mut list = Vec::new();
        let mut well = true;
        for node in mapping.list("requires", problems)? {
            match self.requirement(node, problems) {
                Some(requires) => list.push(requires),
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
        let status = match status {
            None => Some(Requirement::Completed),
            Some(status) => requirement_status(status, problems),
        };
        Some(Requires { step: step?, status: status? })
    }
}

fn requirement_status(node: &Node, problems: &mut Problems<'_>) -> Option<Requirement> {
    match node.as_scalar_text().unwrap_or_default() {
        "completed" => Some(Requirement::Completed),
        "succeeded" => Some(Requirement::Succeeded),
        "failed" => Some(Requirement::Failed),
        "skipped" => Some(Requirement::Skipped),
        status @ ("pending" | "ready" | "running" | "aborted") => {
            problems.add_with_hint(
                node.at,
                format!("no step ends as `{status}`, so this one would never run"),
                "one of completed, succeeded, failed, skipped",
            );
            None
        }
        other => {
            problems.add_with_hint(
                node.at,
                format!("`{other}` is no status"),
                "one of completed, succeeded, failed, skipped",
            );
            None
        }
    }
}

/// Templates name steps, so a step's name must be a Jinja name where one does.
fn check_step_name(name: &str, mapping: &Mapping<'_>, problems: &mut Problems<'_>) {
    if name == "__input__" || name == "__failure__" {
        problems.add(mapping.at(), format!("`{name}` has a meaning of its own in templates"));
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
