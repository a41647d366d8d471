//! One item of `activities`.

use std::time::Duration;

use cpe_swf::{ActivityType, TaskList, Timeout, limits};

use super::{keys::Mapping, schema};
use crate::{
    document::{Node, NodeValue},
    error::Problems,
    model::{Access, Activity, Grants, Limits, S3Grant},
    module_ref::ModuleRef,
    outputs::OutputsSpec,
};

const KEYS: [&str; 14] = [
    "name",
    "version",
    "description",
    "task_list",
    "heartbeat_timeout",
    "schedule_to_close_timeout",
    "schedule_to_start_timeout",
    "start_to_close_timeout",
    "input_spec",
    "outputs_spec",
    "module",
    "digest",
    "limits",
    "grants",
];

// The original's defaults.
const HEARTBEAT: Timeout = Timeout::Seconds(60);
const SCHEDULE_TO_CLOSE: Timeout = Timeout::Seconds(518_400);
const SCHEDULE_TO_START: Timeout = Timeout::Seconds(43_200);
const START_TO_CLOSE: Timeout = Timeout::Seconds(432_000);

pub(super) fn load(node: &Node, problems: &mut Problems<'_>) -> Option<Activity> {
    let mapping = Mapping::required(node, "an activity", problems)?;
    mapping.check_keys(&KEYS, problems);
    let name = mapping.required_name("name", limits::ID_CHARS, problems);
    let version = mapping.required_name("version", limits::VERSION_CHARS, problems);
    // For people: SWF's types have room for one, but are registered without.
    mapping.text("description", problems);
    let task_list = task_list(&mapping, problems);
    let heartbeat_timeout = mapping.timeout("heartbeat_timeout", problems);
    let schedule_to_close = mapping.timeout("schedule_to_close_timeout", problems);
    let schedule_to_start = mapping.timeout("schedule_to_start_timeout", problems);
    let start_to_close = mapping.timeout("start_to_close_timeout", problems);
    let input_spec = schema(&mapping, problems);
    let outputs_spec = outputs(&mapping, problems);
    let module = module(&mapping, problems);
    let digest = digest(&mapping, problems);
    let limits = load_limits(&mapping, problems);
    let grants = grants(&mapping, problems);
    let (name, version) = (name?, version?);
    let task_list = task_list.unwrap_or_else(|| format!("{name}-{version}"));
    if task_list.chars().count() > limits::ID_CHARS {
        problems.add_with_hint(
            mapping.at(),
            "name and version together are too long for the name of a task list",
            "name one with `task_list`",
        );
    }
    Some(Activity {
        activity_type: ActivityType::new(name, version),
        task_list: TaskList::new(task_list),
        heartbeat_timeout: heartbeat_timeout.unwrap_or(HEARTBEAT),
        schedule_to_close_timeout: schedule_to_close.unwrap_or(SCHEDULE_TO_CLOSE),
        schedule_to_start_timeout: schedule_to_start.unwrap_or(SCHEDULE_TO_START),
        start_to_close_timeout: start_to_close.unwrap_or(START_TO_CLOSE),
        input_spec,
        outputs_spec,
        module,
        digest,
        limits,
        grants,
    })
}

/// SWF refuses spaces around the names of task lists, and of them only.
fn task_list(mapping: &Mapping<'_>, problems: &mut Problems<'_>) -> Option<String> {
    let name = mapping.optional_name("task_list", limits::ID_CHARS, problems)?;
    if name.trim() != name {
        let at = mapping.get("task_list").map_or(mapping.at(), |node| node.at);
        problems.add(at, "`task_list` begins or ends with a space");
    }
    Some(name)
}

fn outputs(mapping: &Mapping<'_>, problems: &mut Problems<'_>) -> OutputsSpec {
    let mut spec = OutputsSpec::default();
    let Some(node) = mapping.spec("outputs_spec") else { return spec };
    let Some(outputs) = Mapping::required(node, "`outputs_spec`", problems) else { return spec };
    for (key, path) in outputs.entries() {
        let Some(text) = path.as_scalar_text() else {
            problems.add(path.at, format!("an output is a path, this is {}", path.kind()));
            continue;
        };
        if let Err(error) = spec.add(key.text.clone(), text) {
            problems.add_with_hint(
                path.at,
                format!("`{text}` is no path: {error}"),
                "`$` is the whole result, `$.a.b` a part of it, `$['a-b']` a key of any form",
            );
        }
    }
    spec
}

fn module(mapping: &Mapping<'_>, problems: &mut Problems<'_>) -> Option<ModuleRef> {
    let (text, at) = mapping.text("module", problems)?;
    text.parse().map_err(|error: crate::ModuleRefError| problems.add(at, error.to_string())).ok()
}

fn digest(mapping: &Mapping<'_>, problems: &mut Problems<'_>) -> Option<String> {
    let (text, at) = mapping.text("digest", problems)?;
    let valid = text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    });
    if !valid {
        problems.add(at, "a digest is `sha256:` and 64 lower-case hex digits");
    }
    valid.then(|| text.to_owned())
}

fn load_limits(mapping: &Mapping<'_>, problems: &mut Problems<'_>) -> Limits {
    let Some(node) = mapping.get("limits") else { return Limits::default() };
    let Some(limits) = Mapping::required(node, "`limits`", problems) else {
        return Limits::default();
    };
    limits.check_keys(&["memory", "cpu", "output"], problems);
    Limits {
        memory: size(&limits, "memory", problems),
        cpu: duration(&limits, "cpu", problems),
        output: size(&limits, "output", problems),
    }
}

/// `256MiB`, `1GiB`, `64KiB`, or bytes.
fn size(mapping: &Mapping<'_>, key: &str, problems: &mut Problems<'_>) -> Option<u64> {
    let (text, at) = mapping.text(key, problems)?;
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1), ("", 1)];
    let size = measure(text, &units);
    if size.is_none() {
        problems.add_with_hint(at, format!("`{text}` is no size"), "such as 64KiB, 256MiB or 1GiB");
    }
    size
}

/// `500ms`, `30s`, `10m`, `2h`, or seconds.
fn duration(mapping: &Mapping<'_>, key: &str, problems: &mut Problems<'_>) -> Option<Duration> {
    let (text, at) = mapping.text(key, problems)?;
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("", 1_000)];
    let millis = measure(text, &units);
    if millis.is_none() {
        problems.add_with_hint(at, format!("`{text}` is no duration"), "such as 500ms, 30s or 10m");
    }
    millis.map(Duration::from_millis)
}

fn measure(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (unit, scale) = units.iter().find(|(unit, _)| {
        text.strip_suffix(unit).is_some_and(|number| number.ends_with(|c: char| c.is_ascii_digit()))
    })?;
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    number.checked_mul(*scale).filter(|value| *value > 0)
}

fn grants(mapping: &Mapping<'_>, problems: &mut Problems<'_>) -> Option<Grants> {
    let node = mapping.get("grants")?;
    let grants = Mapping::required(node, "`grants`", problems)?;
    grants.check_keys(&["s3"], problems);
    let mut s3 = Vec::new();
    for node in grants.list("s3", problems).unwrap_or_default() {
        s3.extend(s3_grant(node, problems));
    }
    Some(Grants { s3 })
}

fn s3_grant(node: &Node, problems: &mut Problems<'_>) -> Option<S3Grant> {
    let grant = Mapping::required(node, "an S3 grant", problems)?;
    grant.check_keys(&["bucket", "prefix", "access"], problems);
    let bucket = grant.text("bucket", problems).map(|(text, _)| text);
    if grant.get("bucket").is_none() {
        problems.add(grant.at(), "an S3 grant needs `bucket`");
    }
    let wildcard = bucket.is_some_and(|bucket| bucket.contains('*'));
    if wildcard {
        problems.add(grant.at(), "a plan names each bucket: `*` is for operators");
    }
    let prefix = grant.text("prefix", problems).map_or("", |(text, _)| text);
    let access = match grant.get("access").map(|node| (&node.value, node.at)) {
        Some((NodeValue::Text(text), _)) if text == "read" => Some(Access::Read),
        Some((NodeValue::Text(text), _)) if text == "write" => Some(Access::Write),
        Some((NodeValue::Text(text), _)) if text == "read-write" => Some(Access::ReadWrite),
        other => {
            let at = other.map_or(grant.at(), |(_, at)| at);
            problems.add(at, "`access` is one of read, write, read-write");
            None
        }
    };
    Some(S3Grant { bucket: bucket?.to_owned(), prefix: prefix.to_owned(), access: access? })
}
