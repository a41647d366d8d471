//! From the YAML tree to the cases, telling every mistake on the way.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use cpe_swf::{WorkflowType, limits};
use serde_json::{Map, Value};

use super::{
    expect, length,
    mock::{self, Known},
    model::{At, Case, CaseSignal, Mocks, ObjectContent, TestFile, Unmocked},
};
use crate::{
    document::{self, Node, NodeValue, Position},
    error::{PlanErrors, Problems},
    load::{did_you_mean, keys::Mapping},
    model::{Plan, StepWork},
};

const FILE_KEYS: [&str; 5] = ["plan", "plans", "unmocked", "steps", "cases"];
const CASE_KEYS: [&str; 8] =
    ["name", "input", "steps", "signals", "cancel", "objects", "limit", "expect"];
const SIGNAL_KEYS: [&str; 3] = ["name", "after", "input"];
const UNMOCKED: [&str; 2] = ["fail", "succeed"];

/// As long as SWF lets anything last.
const DEFAULT_LIMIT: Duration = Duration::from_secs(365 * 24 * 3600);
const MAX_CASES: usize = 1_000;

/// Where plans come from.
pub trait PlanSource {
    /// The plan in a file; the path is relative to the test file.
    ///
    /// # Errors
    ///
    /// Why there is none.
    fn by_path(&mut self, path: &str) -> Result<Arc<Plan>, String>;

    /// The plan of a type, where one lies beside the tested plan.
    fn by_type(&mut self, workflow_type: &WorkflowType) -> Option<Arc<Plan>>;
}

impl TestFile {
    /// Reads a test file and the plans that it names. `file_name` is for messages.
    ///
    /// # Errors
    ///
    /// Every mistake of the file, with its place.
    pub fn parse(
        file_name: &str,
        text: &str,
        source: &mut dyn PlanSource,
    ) -> Result<Self, PlanErrors> {
        let mut problems = Problems::new(file_name, text);
        match load(text, source, &mut problems) {
            Some(file) if problems.is_empty() => Ok(file),
            _ => Err(problems.into_errors()),
        }
    }
}

fn load(text: &str, source: &mut dyn PlanSource, problems: &mut Problems<'_>) -> Option<TestFile> {
    let root = document::parse(text, problems)?;
    let Some(mapping) = Mapping::of(&root, "a test file") else {
        let message = format!("a test file is a mapping, this is {}", root.kind());
        problems.add_with_hint(root.at, message, "begin with `plan:` and `cases:`");
        return None;
    };
    mapping.check_keys(&FILE_KEYS, problems);
    let plan = tested(&mapping, source, problems);
    let mut children = named_plans(&mapping, source, problems);
    if let Some(plan) = &plan {
        add_children(plan, source, &mut children);
    }
    let unmocked = unmocked(&mapping, problems);
    let known = Known { plan: plan.as_deref(), children: &children };
    let shared = mapping.get("steps").map(|node| mock::mocks(node, known, problems));
    let shared = shared.unwrap_or_default();
    let mut cases = Vec::new();
    let mut names: BTreeMap<String, u64> = BTreeMap::new();
    for node in mapping.required_list("cases", problems).unwrap_or_default() {
        let Some(case) = case(node, known, &shared, problems) else { continue };
        let At { line, column, value: name } = &case.name;
        if let Some(first) = names.insert(name.clone(), *line) {
            let at = Position { line: *line, column: *column };
            problems.add(at, format!("the case `{name}` is there already, at line {first}"));
        }
        cases.push(case);
    }
    let count = mapping.get("cases").and_then(|node| match &node.value {
        NodeValue::List(items) => Some((node.at, items.len())),
        _ => None,
    });
    if let Some((at, count)) = count.filter(|(_, count)| !(1..=MAX_CASES).contains(count)) {
        problems.add(at, format!("a test file has 1 to {MAX_CASES} cases, this one has {count}"));
    }
    Some(TestFile { plan: plan?, children, unmocked, cases })
}

/// The plan that is tested.
fn tested(
    mapping: &Mapping<'_>,
    source: &mut dyn PlanSource,
    problems: &mut Problems<'_>,
) -> Option<Arc<Plan>> {
    if mapping.get("plan").is_none() {
        let hint = "the path of the plan, from this file: `plan: my-plan.yaml`";
        problems.add_with_hint(mapping.at(), "a test file needs `plan`", hint);
    }
    let (path, at) = mapping.text("plan", problems)?;
    source.by_path(path).map_err(|message| problems.add(at, message)).ok()
}

/// `plans`: those that do not lie beside the tested one.
fn named_plans(
    mapping: &Mapping<'_>,
    source: &mut dyn PlanSource,
    problems: &mut Problems<'_>,
) -> BTreeMap<WorkflowType, Arc<Plan>> {
    let mut plans = BTreeMap::new();
    for node in mapping.list("plans", problems).unwrap_or_default() {
        let Some(path) = node.as_scalar_text() else {
            problems.add(node.at, format!("a plan's path is text, this is {}", node.kind()));
            continue;
        };
        match source.by_path(path) {
            Ok(plan) => drop(plans.insert(plan.workflow_type(), plan)),
            Err(message) => problems.add(node.at, message),
        }
    }
    plans
}

/// The plans that the tested one runs, those that these run, and so on.
fn add_children(
    plan: &Arc<Plan>,
    source: &mut dyn PlanSource,
    children: &mut BTreeMap<WorkflowType, Arc<Plan>>,
) {
    let mut todo: Vec<WorkflowType> = child_types(plan).collect();
    todo.extend(children.values().flat_map(|plan| child_types(plan)).collect::<Vec<_>>());
    let mut seen = BTreeSet::new();
    while let Some(workflow_type) = todo.pop() {
        if !seen.insert(workflow_type.clone()) {
            continue;
        }
        let found = if workflow_type == plan.workflow_type() {
            Some(Arc::clone(plan))
        } else {
            children.get(&workflow_type).cloned().or_else(|| source.by_type(&workflow_type))
        };
        if let Some(found) = found {
            todo.extend(child_types(&found));
            children.insert(workflow_type, found);
        }
    }
}

fn child_types(plan: &Plan) -> impl Iterator<Item = WorkflowType> {
    plan.steps.iter().filter_map(|step| match &step.work {
        StepWork::Child { workflow_type, .. } => Some(workflow_type.clone()),
        _ => None,
    })
}

fn unmocked(mapping: &Mapping<'_>, problems: &mut Problems<'_>) -> Unmocked {
    match mapping.text("unmocked", problems) {
        None | Some(("fail", _)) => Unmocked::Fail,
        Some(("succeed", _)) => Unmocked::Succeed,
        Some((other, at)) => {
            let hint = did_you_mean(other, UNMOCKED, "words");
            let message = format!("`unmocked` is `fail` or `succeed`, not `{other}`");
            problems.add_with_hint(at, message, hint);
            Unmocked::Fail
        }
    }
}

fn case(
    node: &Node,
    known: Known<'_>,
    shared: &Mocks,
    problems: &mut Problems<'_>,
) -> Option<Case> {
    let mapping = Mapping::required(node, "a case", problems)?;
    mapping.check_keys(&CASE_KEYS, problems);
    let name = mapping.get("name");
    if name.is_none() {
        problems.add(mapping.at(), "a case needs `name`");
    }
    let name = mapping.text("name", problems).map(|(text, at)| placed(at, text.trim().to_owned()));
    let input = input(&mapping, problems);
    let mut mocks = shared.clone();
    if let Some(node) = mapping.get("steps") {
        mocks.0.extend(mock::mocks(node, known, problems).0);
    }
    let signals = signals(&mapping, known, problems);
    let cancel = length_of(&mapping, "cancel", problems);
    let limit = length_of(&mapping, "limit", problems).unwrap_or(DEFAULT_LIMIT);
    let objects = objects(&mapping, problems);
    if mapping.get("expect").is_none() {
        let hint = "what must hold, at least `expect: {status: completed}`";
        problems.add_with_hint(mapping.at(), "a case needs `expect`", hint);
    }
    let expect = expect::expect(mapping.get("expect")?, known.plan, problems)?;
    Some(Case { name: name?, input, mocks, signals, cancel, objects, limit, expect })
}

/// The job's input: `data` of its `START_JOB`.
fn input(mapping: &Mapping<'_>, problems: &mut Problems<'_>) -> Value {
    let Some(node) = mapping.get("input") else { return Value::Object(Map::new()) };
    let value = node.to_json();
    if !value.is_object() {
        let message = format!("`input` is a mapping, as a job's data, this is {}", node.kind());
        problems.add(node.at, message);
    }
    value
}

fn signals(
    mapping: &Mapping<'_>,
    known: Known<'_>,
    problems: &mut Problems<'_>,
) -> Vec<CaseSignal> {
    let mut signals = Vec::new();
    for node in mapping.list("signals", problems).unwrap_or_default() {
        let Some(signal) = Mapping::required(node, "a signal", problems) else { continue };
        signal.check_keys(&SIGNAL_KEYS, problems);
        let name = signal.required_name("name", limits::ID_CHARS, problems);
        let after = length_of(&signal, "after", problems).unwrap_or_default();
        let Some(name) = name else { continue };
        if let Some(plan) = known.plan.filter(|plan| !plan.names_signal(&name)) {
            let at = signal.get("name").map_or(signal.at(), |node| node.at);
            let names = plan.signals.iter().map(String::as_str);
            let message = format!("no step of {} waits for the signal `{name}`", plan.name);
            problems.add_with_hint(at, message, did_you_mean(&name, names, "signals"));
        }
        signals.push(CaseSignal { name, after, input: signal.get("input").map(Node::to_json) });
    }
    signals.sort_by_key(|signal| signal.after);
    signals
}

/// `objects`: buckets of keys, each with its text, its JSON, or a file.
fn objects(
    mapping: &Mapping<'_>,
    problems: &mut Problems<'_>,
) -> BTreeMap<String, BTreeMap<String, ObjectContent>> {
    let mut buckets = BTreeMap::new();
    let Some(node) = mapping.get("objects") else { return buckets };
    let Some(objects) = Mapping::required(node, "`objects`", problems) else { return buckets };
    for (bucket, keys) in objects.entries() {
        let Some(keys) = Mapping::required(keys, "a bucket", problems) else { continue };
        let contents: &mut BTreeMap<_, _> = buckets.entry(bucket.text.clone()).or_default();
        for (key, node) in keys.entries() {
            let file = Mapping::of(node, "an object").and_then(|object| object.get("file"));
            let content = match (file.and_then(Node::as_scalar_text), node.as_scalar_text()) {
                (Some(path), _) => ObjectContent::File(placed(node.at, path.to_owned())),
                (None, Some(text)) => ObjectContent::Text(text.to_owned()),
                (None, None) => ObjectContent::Text(node.to_json().to_string()),
            };
            contents.insert(key.text.clone(), content);
        }
    }
    buckets
}

/// A length of time.
pub(super) fn length_of(
    mapping: &Mapping<'_>,
    key: &str,
    problems: &mut Problems<'_>,
) -> Option<Duration> {
    let (text, at) = mapping.text(key, problems)?;
    let length = length::parse_length(text);
    if length.is_none() {
        let message = format!("`{text}` is no length of time");
        problems.add_with_hint(at, message, "such as 500ms, 30s, 2h30m or 7d");
    }
    length
}

pub(super) fn placed<T>(at: Position, value: T) -> At<T> {
    At { line: at.line, column: at.column, value }
}

/// The keys of a mapping of the format.
#[cfg(test)]
pub(super) fn keys_of(what: &str) -> Vec<&'static str> {
    match what {
        "file" => FILE_KEYS.to_vec(),
        "case" => CASE_KEYS.to_vec(),
        "signal" => SIGNAL_KEYS.to_vec(),
        "mock" => mock::KEYS.to_vec(),
        "expect" => expect::KEYS.to_vec(),
        "step" => expect::STEP_KEYS.to_vec(),
        other => panic!("{other} is no mapping of the format"),
    }
}
