//! One item of `steps`, `on_failure` or `finally`.

use std::collections::BTreeMap;

use cpe_swf::{WorkflowType, limits};

use super::{
    Activities, did_you_mean, keys::Mapping, measure::seconds, names::Scope, retry::retry,
};
use crate::{
    call::parse_activity_id,
    document::Node,
    error::Problems,
    model::{ForEach, Section, Step, StepWork},
    template::Templates,
};

pub(super) const KEYS: [&str; 14] = [
    "name",
    "activity",
    "eval",
    "wait",
    "signal",
    "plan",
    "requires",
    "when",
    "input",
    "foreach",
    "max_parallel",
    "retry",
    "timeout",
    "allow_failure",
];
/// The keys of which a step has one: what it does.
const WORKS: [&str; 5] = ["activity", "eval", "wait", "signal", "plan"];
/// Keys that go with some of these only.
const PARTS: [(&str, &[&str]); 5] = [
    ("input", &["activity", "plan"]),
    ("foreach", &["activity", "plan"]),
    ("max_parallel", &["activity", "plan"]),
    ("retry", &["activity", "plan"]),
    ("timeout", &["signal", "plan"]),
];

/// Items of a `foreach` that are worked on at a time.
const MAX_PARALLEL: usize = 100;
/// Characters of a step's name that leave room for items, attempts and timers in its ids.
const MAX_NAME: usize = 200;

/// What a step's parts may name.
pub(super) struct Loader<'l> {
    pub(super) names: &'l BTreeMap<String, usize>,
    /// Of each step, by position.
    pub(super) sections: &'l [Section],
    pub(super) activities: &'l Activities,
    pub(super) templates: &'l mut Templates,
    /// Of the step that is being loaded.
    pub(super) section: Section,
}

impl Loader<'_> {
    pub(super) fn load(&mut self, node: &Node, problems: &mut Problems<'_>) -> Option<Step> {
        let mapping = Mapping::required(node, "a step", problems)?;
        mapping.check_keys(&KEYS, problems);
        let name = mapping.required_name("name", limits::ID_CHARS, problems);
        if let Some(name) = &name {
            check_name(name, &mapping, problems);
        }
        let requires = self.requires(&mapping, problems);
        let kind = kind(&mapping, problems);
        let scope = Scope {
            section: self.section,
            requires: requires.as_deref().unwrap_or_default(),
            each: false,
            is_last: false,
        };
        let when = mapping.get("when").map(|_| self.template(&mapping, "when", scope, problems));
        let foreach = self.foreach(&mapping, scope, problems);
        let work = kind.and_then(|kind| {
            check_parts(kind, &mapping, problems);
            let scope = Scope { each: mapping.get("foreach").is_some(), ..scope };
            self.work(kind, &mapping, scope, problems)
        });
        let retry = retry(&mapping, problems).or_else(|| self.retry_of(work.as_ref()?));
        let allow_failure = mapping.flag("allow_failure", problems);
        Some(Step {
            name: name?,
            section: self.section,
            work: work?,
            requires: requires?,
            when: when.map_or(Some(None), |when| when.map(Some))?,
            foreach: foreach?,
            retry,
            allow_failure,
        })
    }

    /// Whether a step may be required: it does not run later.
    pub(super) fn may_refer_to(&self, step: usize) -> bool {
        self.sections.get(step).is_some_and(|section| *section <= self.section)
    }

    fn retry_of(&self, work: &StepWork) -> Option<crate::model::Retry> {
        let StepWork::Activity { activity, .. } = work else { return None };
        self.activities.loaded.get(*activity).and_then(|(_, activity)| activity.retry.clone())
    }

    fn work(
        &mut self,
        kind: &'static str,
        mapping: &Mapping<'_>,
        scope: Scope<'_>,
        problems: &mut Problems<'_>,
    ) -> Option<StepWork> {
        match kind {
            "activity" => {
                let input = self.template(mapping, "input", scope, problems);
                let activity = self.activity(mapping.get("activity")?, problems);
                Some(StepWork::Activity { activity: activity?, input: input? })
            }
            "eval" => self.template(mapping, "eval", scope, problems).map(StepWork::Eval),
            "wait" => Some(StepWork::Wait { seconds: seconds(mapping, "wait", problems)? }),
            "signal" => {
                let name = mapping.optional_name("signal", limits::ID_CHARS, problems);
                let timeout = seconds(mapping, "timeout", problems);
                Some(StepWork::Signal { name: name?, timeout })
            }
            _ => {
                let input = self.template(mapping, "input", scope, problems);
                let workflow_type = child_type(mapping.get("plan")?, problems);
                let timeout = seconds(mapping, "timeout", problems);
                Some(StepWork::Child { workflow_type: workflow_type?, input: input?, timeout })
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

    /// `foreach` and `max_parallel`; the outer `None` is a mistake.
    fn foreach(
        &mut self,
        mapping: &Mapping<'_>,
        scope: Scope<'_>,
        problems: &mut Problems<'_>,
    ) -> Option<Option<ForEach>> {
        let limit = u32::try_from(limits::OPEN_ACTIVITY_TASKS).unwrap_or(u32::MAX);
        let max_parallel = mapping.count("max_parallel", 1..=limit, problems);
        if mapping.get("foreach").is_none() {
            if let Some(node) = mapping.get("max_parallel") {
                problems.add(node.at, "`max_parallel` goes with `foreach`");
            }
            return Some(None);
        }
        if let Some(name) = ["item", "index"]
            .iter()
            .find(|name| scope.requires.iter().any(|r| self.names.get(**name) == Some(&r.step)))
        {
            let message = format!("in a `foreach`, `{name}` is the {name}, not the step `{name}`");
            problems.add(mapping.at(), message);
        }
        let list = self.template(mapping, "foreach", scope, problems)?;
        let max_parallel =
            max_parallel.and_then(|count| usize::try_from(count).ok()).unwrap_or(MAX_PARALLEL);
        Some(Some(ForEach { list, max_parallel }))
    }
}

fn check_name(name: &str, mapping: &Mapping<'_>, problems: &mut Problems<'_>) {
    let at = mapping.get("name").map_or(mapping.at(), |node| node.at);
    if name == "__input__" || name == "__failure__" {
        problems.add(at, format!("`{name}` has a meaning of its own in templates"));
    }
}

/// Names that leave no room for the ids of items, attempts and timers.
pub(super) fn refuse_long_names(steps: &[Step], nodes: &[&Node], problems: &mut Problems<'_>) {
    for (step, node) in steps.iter().zip(nodes) {
        let plain = match step.work {
            StepWork::Activity { .. } => step.foreach.is_none() && step.retry.is_none(),
            StepWork::Eval(_) => true,
            StepWork::Wait { .. } | StepWork::Signal { .. } | StepWork::Child { .. } => false,
        };
        let length = step.name.chars().count();
        if length > MAX_NAME && !plain {
            let message = format!(
                "the name of such a step has up to {MAX_NAME} characters, this has {length}"
            );
            problems.add(node.at, message);
        }
    }
}

/// A name that reads as an item or attempt of another step would be taken for one.
pub(super) fn refuse_ambiguous_ids(steps: &[Step], nodes: &[&Node], problems: &mut Problems<'_>) {
    let by_name: BTreeMap<&str, &Step> =
        steps.iter().map(|step| (step.name.as_str(), step)).collect();
    for (step, node) in steps.iter().zip(nodes) {
        let parts = parse_activity_id(&step.name);
        let Some(other) = by_name.get(parts.step).filter(|other| other.name != step.name) else {
            continue;
        };
        let item = parts.item.is_some() && other.foreach.is_some();
        let attempt = parts.item.is_none() && parts.attempt > 1 && other.retry.is_some();
        if item || attempt {
            problems.add_with_hint(
                node.at,
                format!("`{}` reads as an item or attempt of the step `{}`", step.name, other.name),
                "give one of them another name",
            );
        }
    }
}

/// Which of the keys says what the step does.
fn kind(mapping: &Mapping<'_>, problems: &mut Problems<'_>) -> Option<&'static str> {
    let mut found = WORKS.into_iter().filter(|key| mapping.get(key).is_some());
    let Some(kind) = found.next() else {
        problems.add_with_hint(
            mapping.at(),
            "the step does nothing",
            "one of `activity`, `eval`, `wait`, `signal` and `plan` says what it does",
        );
        return None;
    };
    if let Some(other) = found.next() {
        let at = mapping.get(other).map_or(mapping.at(), |node| node.at);
        problems.add(at, format!("a step has either `{kind}` or `{other}`, not both"));
        return None;
    }
    Some(kind)
}

fn check_parts(kind: &str, mapping: &Mapping<'_>, problems: &mut Problems<'_>) {
    for (part, kinds) in PARTS {
        let Some(node) = mapping.get(part).filter(|_| !kinds.contains(&kind)) else { continue };
        let hint = match (part, kind) {
            ("input", "eval") => "the template of `eval` is all".to_owned(),
            ("timeout", "activity") => "give the activity its `timeout`".to_owned(),
            ("foreach", "eval") => "loop in the template: `{% for item in … %}`".to_owned(),
            _ => {
                let kinds: Vec<_> = kinds.iter().map(|kind| format!("`{kind}`")).collect();
                format!("`{part}` goes with {}", kinds.join(" and "))
            }
        };
        problems.add_with_hint(node.at, format!("a step with `{kind}` has no `{part}`"), hint);
    }
}

/// `plan: {name, version}`.
fn child_type(node: &Node, problems: &mut Problems<'_>) -> Option<WorkflowType> {
    let Some(mapping) = Mapping::of(node, "`plan`") else {
        problems.add_with_hint(
            node.at,
            format!("`plan` is a mapping, this is {}", node.kind()),
            "such as `plan: {name: Other, version: \"1.0\"}`",
        );
        return None;
    };
    mapping.check_keys(&["name", "version"], problems);
    let name = mapping.required_name("name", limits::ID_CHARS, problems);
    let version = mapping.required_name("version", limits::VERSION_CHARS, problems);
    Some(WorkflowType::new(name?, version?))
}
