//! What is expected of a case.

use std::{ops::RangeInclusive, time::Duration};

use super::{
    length::parse_length,
    load::placed,
    mock::{named, unknown_step},
    model::{
        At, ExecutionStatus, Expect, ExpectedEvent, ExpectedFailure, ExpectedStep, LengthRange,
    },
};
use crate::{
    StepStatus,
    document::Node,
    error::Problems,
    load::{did_you_mean, keys::Mapping},
    model::Plan,
};

pub(super) const KEYS: [&str; 8] =
    ["status", "output", "failure", "elapsed", "runs", "steps", "order", "events"];
pub(super) const STEP_KEYS: [&str; 5] = ["status", "attempts", "input", "output", "reason"];
const FAILURE_KEYS: [&str; 3] = ["step", "reason", "details"];

/// What a client can hear; a test of the program holds this to the protocol.
pub(super) const EVENTS: [&str; 13] = [
    "WORKFLOW_SCHEDULED",
    "COMMAND_REJECTED",
    "JOB_STARTED",
    "JOB_COMPLETED",
    "JOB_FAILED",
    "JOB_CANCELED",
    "ACTIVITY_SCHEDULED",
    "ACTIVITY_STARTED",
    "ACTIVITY_PROGRESS",
    "ACTIVITY_COMPLETED",
    "ACTIVITY_FAILED",
    "ACTIVITY_TIMEOUT",
    "ACTIVITY_CANCELED",
];
const ANY: &str = "...";
const COUNTS: RangeInclusive<u32> = 0..=10_000_000;

pub(super) fn expect(
    node: &Node,
    plan: Option<&Plan>,
    problems: &mut Problems<'_>,
) -> Option<Expect> {
    let mapping = Mapping::required(node, "`expect`", problems)?;
    mapping.check_keys(&KEYS, problems);
    let failure = failure(&mapping, plan, problems);
    let implied = match failure {
        Some(_) => ExecutionStatus::Failed,
        None => ExecutionStatus::Completed,
    };
    let status = word(&mapping, "status", &ExecutionStatus::ALL, problems);
    let mut steps = Vec::new();
    let named_steps = mapping.get("steps").and_then(|node| {
        Mapping::required(node, "`steps`", problems).map(|mapping| mapping.entries())
    });
    for (key, node) in named_steps.unwrap_or_default() {
        if let Some(plan) = plan.filter(|plan| named(plan, &key.text).is_none()) {
            unknown_step(plan, &key.text, key.at, problems);
        }
        if let Some(step) = step(node, problems) {
            steps.push((placed(key.at, key.text.clone()), step));
        }
    }
    Some(Expect {
        status: status.unwrap_or(placed(node.at, implied)),
        output: value(&mapping, "output"),
        failure,
        elapsed: elapsed(&mapping, problems),
        runs: count(&mapping, "runs", problems),
        steps,
        order: order(&mapping, plan, problems),
        events: events(&mapping, problems),
    })
}

/// A status alone, or a mapping.
fn step(node: &Node, problems: &mut Problems<'_>) -> Option<ExpectedStep> {
    if let Some(text) = node.as_scalar_text() {
        let status = one_of(text, "a step's status", &StepStatus::ALL, (node, problems))?;
        return Some(ExpectedStep { status: Some(placed(node.at, status)), ..Default::default() });
    }
    let mapping = Mapping::required(node, "what is expected of a step", problems)?;
    mapping.check_keys(&STEP_KEYS, problems);
    Some(ExpectedStep {
        status: word(&mapping, "status", &StepStatus::ALL, problems),
        attempts: count(&mapping, "attempts", problems),
        input: value(&mapping, "input"),
        output: value(&mapping, "output"),
        reason: mapping.text("reason", problems).map(|(text, at)| placed(at, text.to_owned())),
    })
}

/// A reason, or `{step, reason, details}`.
fn failure(
    mapping: &Mapping<'_>,
    plan: Option<&Plan>,
    problems: &mut Problems<'_>,
) -> Option<At<ExpectedFailure>> {
    let node = mapping.get("failure")?;
    if let Some(reason) = node.as_scalar_text() {
        let reason = Some(reason.to_owned());
        return Some(placed(node.at, ExpectedFailure { reason, ..Default::default() }));
    }
    let mapping = Mapping::required(node, "`failure`", problems)?;
    mapping.check_keys(&FAILURE_KEYS, problems);
    let mut text = |key| mapping.text(key, problems).map(|(text, _)| text.to_owned());
    let (step, reason, details) = (text("step"), text("reason"), text("details"));
    if let (Some(plan), Some(name)) = (plan, &step)
        && named(plan, name).is_none()
    {
        let at = mapping.get("step").map_or(node.at, |node| node.at);
        unknown_step(plan, name, at, problems);
    }
    Some(placed(node.at, ExpectedFailure { step, reason, details }))
}

/// Any JSON; `~` is JSON as well.
fn value(mapping: &Mapping<'_>, key: &str) -> Option<At<serde_json::Value>> {
    let (_, node) = mapping.entries().iter().find(|(found, _)| found.text == key)?;
    Some(placed(node.at, node.to_json()))
}

fn count(mapping: &Mapping<'_>, key: &str, problems: &mut Problems<'_>) -> Option<At<u32>> {
    let at = mapping.get(key)?.at;
    Some(placed(at, mapping.count(key, COUNTS, problems)?))
}

fn word<T: Copy>(
    mapping: &Mapping<'_>,
    key: &str,
    words: &[(&'static str, T)],
    problems: &mut Problems<'_>,
) -> Option<At<T>> {
    let node = mapping.get(key)?;
    let (text, at) = mapping.text(key, problems)?;
    Some(placed(at, one_of(text, &format!("`{key}`"), words, (node, problems))?))
}

fn one_of<T: Copy>(
    text: &str,
    what: &str,
    words: &[(&'static str, T)],
    (node, problems): (&Node, &mut Problems<'_>),
) -> Option<T> {
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    if found.is_none() {
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let hint = did_you_mean(text, names.iter().copied(), "words");
        problems.add_with_hint(node.at, format!("{what} is never `{text}`"), hint);
    }
    found
}

/// `3h`, or `2s..4s`.
fn elapsed(mapping: &Mapping<'_>, problems: &mut Problems<'_>) -> Option<At<LengthRange>> {
    let (text, at) = mapping.text("elapsed", problems)?;
    let (from, to) = text.split_once("..").unwrap_or((text, text));
    let range = parse_length(from.trim()).zip(parse_length(to.trim()));
    match range.filter(|(from, to)| from <= to) {
        Some((from, to)) => Some(placed(at, LengthRange { from, to })),
        None => {
            let message = format!("`{text}` is no length of time");
            problems.add_with_hint(at, message, "such as 3h, 1d12h or 2s..40s");
            None
        }
    }
}

fn order(
    mapping: &Mapping<'_>,
    plan: Option<&Plan>,
    problems: &mut Problems<'_>,
) -> Option<At<Vec<String>>> {
    let at = mapping.get("order")?.at;
    let mut order: Vec<String> = Vec::new();
    for node in mapping.list("order", problems)? {
        let Some(name) = node.as_scalar_text() else {
            problems.add(node.at, format!("a step's name is text, this is {}", node.kind()));
            continue;
        };
        if let Some(plan) = plan.filter(|plan| named(plan, name).is_none()) {
            unknown_step(plan, name, node.at, problems);
        }
        if order.iter().any(|before| before == name) {
            problems.add(node.at, format!("a step begins once, and `{name}` is there already"));
        }
        order.push(name.to_owned());
    }
    Some(placed(at, order))
}

fn events(mapping: &Mapping<'_>, problems: &mut Problems<'_>) -> Option<At<Vec<ExpectedEvent>>> {
    let at = mapping.get("events")?.at;
    let mut events = Vec::new();
    for node in mapping.list("events", problems)? {
        let Some(text) = node.as_scalar_text() else {
            problems.add(node.at, format!("an event is text, this is {}", node.kind()));
            continue;
        };
        if text == ANY {
            events.push(ExpectedEvent::Any);
            continue;
        }
        let (kind, activity) = match text.split_once(' ') {
            Some((kind, activity)) => (kind, Some(activity.trim().to_owned())),
            None => (text, None),
        };
        if !EVENTS.contains(&kind) {
            let hint = did_you_mean(kind, EVENTS, "events");
            problems.add_with_hint(node.at, format!("clients hear no event `{kind}`"), hint);
        }
        events.push(ExpectedEvent::One { kind: kind.to_owned(), activity });
    }
    Some(placed(at, events))
}

impl LengthRange {
    /// Whether a length is within it.
    pub fn contains(&self, length: Duration) -> bool {
        (self.from..=self.to).contains(&length)
    }
}
