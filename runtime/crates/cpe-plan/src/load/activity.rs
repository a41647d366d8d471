//! One item of `activities`.

use cpe_swf::{ActivityType, TaskList, Timeout, limits};

use super::{
    grants::grants,
    keys::Mapping,
    measure::{MAX_SECONDS, duration, seconds, size},
    retry::retry,
    schema,
};
use crate::{
    document::Node,
    error::Problems,
    model::{Activity, Limits, Upgrade},
    module_ref::ModuleRef,
    outputs::OutputsSpec,
    template::Templates,
};

pub(super) const KEYS: [&str; 17] = [
    "name",
    "version",
    "description",
    "task_list",
    "heartbeat_timeout",
    "schedule_to_close_timeout",
    "schedule_to_start_timeout",
    "start_to_close_timeout",
    "timeout",
    "retry",
    "input_spec",
    "outputs_spec",
    "module",
    "digest",
    "upgrade",
    "limits",
    "grants",
];

pub(super) const LIMITS: [&str; 4] = ["memory", "cpu", "output", "scratch"];

// The original's defaults.
const HEARTBEAT: Timeout = Timeout::Seconds(60);
const SCHEDULE_TO_CLOSE: Timeout = Timeout::Seconds(518_400);
const SCHEDULE_TO_START: Timeout = Timeout::Seconds(43_200);
const START_TO_CLOSE: Timeout = Timeout::Seconds(432_000);

pub(super) fn load(
    node: &Node,
    templates: &mut Templates,
    problems: &mut Problems<'_>,
) -> Option<Activity> {
    let mapping = Mapping::required(node, "an activity", problems)?;
    mapping.check_keys(&KEYS, problems);
    let name = mapping.required_name("name", limits::ID_CHARS, problems);
    let version = mapping.required_name("version", limits::VERSION_CHARS, problems);
    // For people: SWF's types have room for one, but are registered without.
    mapping.text("description", problems);
    let task_list = task_list(&mapping, problems);
    let timeouts = Timeouts::load(&mapping, problems);
    let input_spec = schema(&mapping, problems);
    let outputs_spec = outputs(&mapping, problems);
    let module = module(&mapping, problems);
    let digest = digest(&mapping, problems);
    let upgrade = upgrade(&mapping, problems);
    let limits = load_limits(&mapping, problems);
    let grants = grants(&mapping, templates, problems);
    let retry = retry(&mapping, problems);
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
        heartbeat_timeout: timeouts.heartbeat,
        schedule_to_close_timeout: timeouts.schedule_to_close,
        schedule_to_start_timeout: timeouts.schedule_to_start,
        start_to_close_timeout: timeouts.start_to_close,
        input_spec,
        outputs_spec,
        module,
        digest,
        upgrade,
        limits,
        grants,
        retry,
    })
}

/// SWF's four, and the one that they can be derived of.
struct Timeouts {
    heartbeat: Timeout,
    schedule_to_start: Timeout,
    start_to_close: Timeout,
    schedule_to_close: Timeout,
}

impl Timeouts {
    /// `timeout` is what a worker may take. Waiting for one is not the activity's time, so it has
    /// its own limit, and both together have their sum.
    fn load(mapping: &Mapping<'_>, problems: &mut Problems<'_>) -> Self {
        let heartbeat = mapping.timeout("heartbeat_timeout", problems);
        let schedule_to_close = mapping.timeout("schedule_to_close_timeout", problems);
        let schedule_to_start = mapping.timeout("schedule_to_start_timeout", problems);
        let start_to_close = mapping.timeout("start_to_close_timeout", problems);
        let Some(seconds) = seconds(mapping, "timeout", problems) else {
            return Self {
                heartbeat: heartbeat.unwrap_or(HEARTBEAT),
                schedule_to_start: schedule_to_start.unwrap_or(SCHEDULE_TO_START),
                start_to_close: start_to_close.unwrap_or(START_TO_CLOSE),
                schedule_to_close: schedule_to_close.unwrap_or(SCHEDULE_TO_CLOSE),
            };
        };
        let timeout = Timeout::Seconds(seconds);
        let schedule_to_start = schedule_to_start.unwrap_or(SCHEDULE_TO_START);
        let start_to_close = start_to_close.unwrap_or(timeout);
        Self {
            heartbeat: heartbeat.unwrap_or(HEARTBEAT.min(timeout)),
            schedule_to_start,
            start_to_close,
            schedule_to_close: schedule_to_close
                .unwrap_or_else(|| sum(schedule_to_start, start_to_close)),
        }
    }
}

fn sum(one: Timeout, two: Timeout) -> Timeout {
    match (one, two) {
        (Timeout::Seconds(one), Timeout::Seconds(two)) => {
            Timeout::Seconds(one.saturating_add(two).min(MAX_SECONDS))
        }
        _ => Timeout::None,
    }
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

fn upgrade(mapping: &Mapping<'_>, problems: &mut Problems<'_>) -> Upgrade {
    match mapping.text("upgrade", problems) {
        None | Some(("pinned", _)) => Upgrade::Pinned,
        Some(("latest", _)) => Upgrade::Latest,
        Some((_, at)) => {
            problems.add(at, "`upgrade` is `pinned` or `latest`");
            Upgrade::Pinned
        }
    }
}

fn load_limits(mapping: &Mapping<'_>, problems: &mut Problems<'_>) -> Limits {
    let Some(node) = mapping.get("limits") else { return Limits::default() };
    let Some(limits) = Mapping::required(node, "`limits`", problems) else {
        return Limits::default();
    };
    limits.check_keys(&LIMITS, problems);
    Limits {
        memory: size(&limits, "memory", problems),
        cpu: duration(&limits, "cpu", problems),
        output: size(&limits, "output", problems),
        scratch: size(&limits, "scratch", problems),
    }
}
