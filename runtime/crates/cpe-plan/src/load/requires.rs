//! `requires`: what must have ended before a step begins.

use super::{did_you_mean, keys::Mapping, step::Loader};
use crate::{
    document::{Node, NodeValue},
    error::Problems,
    model::{Requirement, Requires, Step},
};

impl Loader<'_> {
    pub(super) fn requires(
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
        if step.is_some_and(|step| !self.may_refer_to(step)) {
            problems.add_with_hint(
                name.at,
                format!("`{text}` runs later than this step"),
                "`steps` come first, then `on_failure`, then `finally`",
            );
            return None;
        }
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

/// Steps that wait for each other would never run.
pub(super) fn refuse_cycles(steps: &[Step], nodes: &[&Node], problems: &mut Problems<'_>) {
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
