//! From the YAML tree to the model, telling every mistake on the way.

mod activity;
mod grants;
pub(crate) mod keys;
mod measure;
mod names;
mod requires;
mod retry;
mod step;

use std::collections::{BTreeMap, BTreeSet};

use cpe_swf::{Timeout, limits};
use sha2::{Digest, Sha256};

pub use self::measure::{parse_duration, parse_size};
use self::{keys::Mapping, names::Scope};
use crate::{
    document::{self, Node, NodeValue, Position},
    error::{Problems, nearest},
    model::{Activity, Dependent, Plan, Requirement, Section, Step, StepInput, StepWork},
    schema::Schema,
    template::Templates,
};

/// A month, as long as the longest jobs of the original's users.
const DEFAULT_EXECUTION_TIMEOUT: Timeout = Timeout::Seconds(30 * 24 * 3600);
/// How long a decision may take before another decider is asked.
const DEFAULT_DECISION_TIMEOUT: Timeout = Timeout::Seconds(60);
/// More steps than an execution's history could carry.
const MAX_STEPS: usize = 4_000;

const PLAN_KEYS: [&str; 11] = [
    "description",
    "name",
    "version",
    "default_execution_start_to_close_timeout",
    "default_task_start_to_close_timeout",
    "input_spec",
    "activities",
    "steps",
    "on_failure",
    "finally",
    "output",
];

/// The lists of steps, in the order in which they run.
const SECTIONS: [(&str, Section); 3] =
    [("steps", Section::Main), ("on_failure", Section::OnFailure), ("finally", Section::Finally)];

pub(crate) fn load(text: &str, problems: &mut Problems<'_>) -> Option<Plan> {
    let root = document::parse(text, problems)?;
    let Some(mapping) = Mapping::of(&root, "a plan") else {
        problems.add_with_hint(
            root.at,
            format!("a plan is a mapping, this is {}", root.kind()),
            "begin with `name:`, `version:`, `activities:` and `steps:`",
        );
        return None;
    };
    mapping.check_keys(&PLAN_KEYS, problems);
    let name = mapping.required_name("name", limits::ID_CHARS, problems);
    let version = mapping.required_name("version", limits::VERSION_CHARS, problems);
    let execution = mapping.limited("default_execution_start_to_close_timeout", problems);
    let decision = mapping.timeout("default_task_start_to_close_timeout", problems);
    let input_spec = schema(&mapping, problems);
    // For people.
    mapping.text("description", problems);
    let mut templates = Templates::new();
    let activities = activities(&mapping, &mut templates, problems);
    let (steps, output) = steps(&mapping, &activities, &mut templates, problems);

    let by_name = steps.iter().enumerate().map(|(i, step)| (step.name.clone(), i)).collect();
    let (dependents, handled) = dependents(&steps);
    let signals = steps.iter().filter_map(|step| match &step.work {
        StepWork::Signal { name, .. } => Some(name.clone()),
        _ => None,
    });
    let signals = signals.collect();
    Some(Plan {
        name: name?,
        version: version?,
        default_execution_start_to_close_timeout: execution.unwrap_or(DEFAULT_EXECUTION_TIMEOUT),
        default_task_start_to_close_timeout: decision.unwrap_or(DEFAULT_DECISION_TIMEOUT),
        input_spec,
        activities: activities.loaded.into_iter().map(|(_, activity)| activity).collect(),
        steps,
        output,
        templates,
        by_name,
        dependents,
        handled,
        signals,
        file: problems.file().to_owned(),
        text: text.to_owned(),
        digest: hex::encode(Sha256::digest(text)),
    })
}

/// For each step, those that require it, and whether one of them, of the same list, provides for
/// its failure: what runs because of a failure does not undo it.
fn dependents(steps: &[Step]) -> (Vec<Vec<Dependent>>, Vec<bool>) {
    let mut dependents = vec![Vec::new(); steps.len()];
    let mut handled = vec![false; steps.len()];
    for (index, step) in steps.iter().enumerate() {
        for requires in &step.requires {
            if let Some(list) = dependents.get_mut(requires.step) {
                list.push(Dependent { step: index, requirement: requires.status });
            }
            let same = steps.get(requires.step).is_some_and(|s| s.section == step.section);
            if let Some(handled) = handled.get_mut(requires.step) {
                *handled |= same
                    && requires.explicit
                    && matches!(requires.status, Requirement::Failed | Requirement::Completed);
            }
        }
    }
    (dependents, handled)
}

/// `input_spec`: a JSON Schema, or nothing.
fn schema(mapping: &Mapping<'_>, problems: &mut Problems<'_>) -> Option<Schema> {
    let node = mapping.spec("input_spec")?;
    let compiled = match &node.value {
        NodeValue::Map(_) => Schema::compile(&node.to_json()),
        _ => Err(format!("a JSON Schema is a mapping, this is {}", node.kind())),
    };
    compiled
        .map_err(|error| problems.add(node.at, format!("`input_spec` is no JSON Schema: {error}")))
        .ok()
}

/// What the plan says of activities.
#[derive(Default)]
struct Activities {
    /// With the names that steps call them by.
    loaded: Vec<(String, Activity)>,
    /// Names of those that are wrong in some other way: it is enough to say that once.
    broken: BTreeSet<String>,
}

fn activities(
    mapping: &Mapping<'_>,
    templates: &mut Templates,
    problems: &mut Problems<'_>,
) -> Activities {
    let mut found = Activities::default();
    let mut places: BTreeMap<String, Position> = BTreeMap::new();
    for node in mapping.list("activities", problems).unwrap_or_default() {
        let loaded = activity::load(node, templates, problems);
        let Some(name) = Mapping::of(node, "an activity")
            .and_then(|mapping| mapping.get("name"))
            .and_then(Node::as_scalar_text)
        else {
            continue;
        };
        if let Some(first) = places.get(name) {
            let line = first.line;
            problems
                .add(node.at, format!("the activity `{name}` is there already, at line {line}"));
            continue;
        }
        places.insert(name.to_owned(), node.at);
        match loaded {
            Some(activity) => found.loaded.push((name.to_owned(), activity)),
            None => drop(found.broken.insert(name.to_owned())),
        }
    }
    found
}

/// All steps, and the template of the result.
fn steps(
    mapping: &Mapping<'_>,
    activities: &Activities,
    templates: &mut Templates,
    problems: &mut Problems<'_>,
) -> (Vec<Step>, Option<StepInput>) {
    let Some(main) = mapping.required_list("steps", problems) else { return (Vec::new(), None) };
    let mut nodes: Vec<&Node> = Vec::new();
    let mut sections = Vec::new();
    for (key, section) in SECTIONS {
        let list = if section == Section::Main {
            main
        } else {
            mapping.list(key, problems).unwrap_or(&[])
        };
        nodes.extend(list);
        sections.resize(nodes.len(), section);
    }
    if main.is_empty() || nodes.len() > MAX_STEPS {
        let count = nodes.len();
        let at = mapping.get("steps").map_or(mapping.at(), |node| node.at);
        problems.add(at, format!("a plan has 1 to {MAX_STEPS} steps, this one has {count}"));
        return (Vec::new(), None);
    }
    let names = step_names(&nodes, problems);
    let section = Section::Main;
    let mut loader =
        step::Loader { names: &names, sections: &sections, activities, templates, section };
    let mut steps = Vec::new();
    for (node, section) in nodes.iter().zip(&sections) {
        loader.section = *section;
        steps.push(loader.load(node, problems));
    }
    let output = mapping.get("output").and_then(|_| {
        let scope = Scope { section, requires: &[], each: false, is_last: true };
        loader.template(mapping, "output", scope, problems)
    });
    if steps.iter().all(Option::is_some) {
        let steps: Vec<Step> = steps.into_iter().flatten().collect();
        requires::refuse_cycles(&steps, &nodes, problems);
        step::refuse_long_names(&steps, &nodes, problems);
        step::refuse_ambiguous_ids(&steps, &nodes, problems);
        return (steps, output);
    }
    (Vec::new(), None)
}

/// The names of all steps first, so that a step may name a later one.
fn step_names(nodes: &[&Node], problems: &mut Problems<'_>) -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    for (index, node) in nodes.iter().enumerate() {
        let Some(mapping) = Mapping::of(node, "a step") else { continue };
        let name = mapping.get("name").and_then(Node::as_scalar_text);
        let Some(name) = name else { continue };
        if let Some(first) = names.insert(name.to_owned(), index) {
            let line = nodes.get(first).map_or(0, |node| node.at.line);
            problems.add(node.at, format!("the step `{name}` is there already, at line {line}"));
        }
    }
    names
}

/// "did you mean …?", where something known is near.
pub(crate) fn did_you_mean<'c>(
    written: &str,
    known: impl IntoIterator<Item = &'c str> + Clone,
    what: &str,
) -> String {
    match nearest(written, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let list: Vec<_> = known.into_iter().take(20).collect();
            if list.is_empty() {
                format!("the plan has no {what}")
            } else {
                format!("known are: {}", list.join(", "))
            }
        }
    }
}

/// The keys of a mapping of the format.
#[cfg(test)]
pub(crate) fn keys_of(what: &str) -> Vec<&'static str> {
    match what {
        "plan" => PLAN_KEYS.to_vec(),
        "activity" => activity::KEYS.to_vec(),
        "step" => step::KEYS.to_vec(),
        "retry" => retry::KEYS.to_vec(),
        "limits" => activity::LIMITS.to_vec(),
        "grants" => grants::KEYS.to_vec(),
        other => panic!("{other} is no mapping of the format"),
    }
}

#[cfg(test)]
mod tests {
    use crate::Plan;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let errors = Plan::parse("p.yaml", text).unwrap_err();
        let message = &errors.errors()[0].message;
        assert!(message.contains(expected), "{message}");
    }

    #[test]
    fn what_is_too_much_is_refused() {
        let head = "name: P\nversion: 1\nactivities: [{name: A, version: 1}]\nsteps:\n";
        let steps: String =
            (0..4_001).map(|n| format!("- {{name: S{n}, activity: A}}\n")).collect();
        check(&format!("{head}{steps}"), "1 to 4000 steps, this one has 4001");
        check(&"#".repeat(1024 * 1024 + 1), "1048577 bytes, of at most 1048576");
        let long = "x".repeat(64 * 1024 + 1);
        check(&format!("{head}- {{name: S, eval: {long}}}"), "65537 bytes, of at most 65536");
        let mistakes = "- {}\n".repeat(1_000);
        let errors = Plan::parse("p.yaml", &format!("{head}{mistakes}")).unwrap_err();
        assert_eq!(errors.errors().len(), 100);
        check(&format!("a: {}", "[".repeat(10_000)), "not valid YAML");
    }
}
