//! What steps come to: one mock for all attempts, a list of attempts, or one for each item.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use cpe_swf::{Timeout, WorkflowType, limits};

use super::{
    load::{length_of, placed},
    model::{Attempts, Mock, MockEnd, Mocks, StepMock, TimeoutKind},
};
use crate::{
    document::{Node, NodeValue, Position},
    error::Problems,
    load::{did_you_mean, keys::Mapping},
    model::{Activity, Plan, Step, StepWork},
};

pub(super) const KEYS: [&str; 8] =
    ["result", "fail", "timeout", "canceled", "module", "steps", "after", "ignores_cancel"];
/// The keys of which a mock has one: how it ends.
const ENDS: [&str; 6] = ["result", "fail", "timeout", "canceled", "module", "steps"];
const FAIL_KEYS: [&str; 3] = ["reason", "details", "retryable"];
const ITEM_KEYS: [&str; 2] = ["items", "else"];
/// More than these a `foreach` cannot have.
const MAX_ITEM: usize = 100_000;

/// The plan whose steps are named, where it could be read, and those that it can run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'k> {
    pub(super) plan: Option<&'k Plan>,
    pub(super) children: &'k BTreeMap<WorkflowType, Arc<Plan>>,
}

/// A mapping of steps to what they come to.
pub(super) fn mocks(node: &Node, known: Known<'_>, problems: &mut Problems<'_>) -> Mocks {
    let mut mocks = Mocks::default();
    let Some(mapping) = Mapping::required(node, "`steps`", problems) else { return mocks };
    for (key, node) in mapping.entries() {
        let step = known.plan.map(|plan| named(plan, &key.text));
        if let (Some(plan), Some(None)) = (known.plan, &step) {
            unknown_step(plan, &key.text, key.at, problems);
        }
        let target = Target { known, step: step.flatten(), name: &key.text };
        if let Some(mock) = target.step_mock(node, problems) {
            mocks.0.insert(key.text.clone(), Arc::new(mock));
        }
    }
    mocks
}

pub(super) fn named<'p>(plan: &'p Plan, name: &str) -> Option<&'p Step> {
    plan.steps.iter().find(|step| step.name == name)
}

pub(super) fn unknown_step(plan: &Plan, name: &str, at: Position, problems: &mut Problems<'_>) {
    let names = plan.steps.iter().map(|step| step.name.as_str());
    let message = format!("the plan {} has no step `{name}`", plan.name);
    problems.add_with_hint(at, message, did_you_mean(name, names, "steps"));
}

/// The step that is mocked.
struct Target<'t> {
    known: Known<'t>,
    /// `None` where the plan, or the step, is not there.
    step: Option<&'t Step>,
    name: &'t str,
}

impl Target<'_> {
    fn step_mock(&self, node: &Node, problems: &mut Problems<'_>) -> Option<StepMock> {
        if let Some(step) = self.step {
            refuse_unmockable(step, node.at, problems)?;
        }
        let mut mock =
            StepMock { at: placed(node.at, ()), items: BTreeMap::new(), otherwise: None };
        let by_item = Mapping::of(node, "the mock of a `foreach`")
            .filter(|mapping| ITEM_KEYS.iter().any(|key| mapping.get(key).is_some()));
        let Some(mapping) = by_item else {
            mock.otherwise = Some(self.attempts(node, problems)?);
            return Some(mock);
        };
        mapping.check_keys(&ITEM_KEYS, problems);
        if self.step.is_some_and(|step| step.foreach.is_none()) {
            let message = format!("the step `{}` has no `foreach`, so it has no items", self.name);
            problems.add(node.at, message);
        }
        if let Some(node) = mapping.get("else") {
            mock.otherwise = self.attempts(node, problems);
        }
        for (item, node) in items(&mapping, problems) {
            if let Some(attempts) = self.attempts(node, problems) {
                mock.items.insert(item, attempts);
            }
        }
        Some(mock)
    }

    fn attempts(&self, node: &Node, problems: &mut Problems<'_>) -> Option<Attempts> {
        let NodeValue::List(list) = &node.value else {
            return self.mock(node, problems).map(Attempts::Each);
        };
        if list.is_empty() {
            problems.add(node.at, "a list of attempts has at least one");
            return None;
        }
        let mocks: Vec<_> = list.iter().map(|node| self.mock(node, problems)).collect();
        Some(Attempts::List(mocks.into_iter().collect::<Option<_>>()?))
    }

    fn mock(&self, node: &Node, problems: &mut Problems<'_>) -> Option<Mock> {
        let mapping = Mapping::required(node, "a mock", problems)?;
        mapping.check_keys(&KEYS, problems);
        let after = length_of(&mapping, "after", problems).unwrap_or(Duration::ZERO);
        let ignores_cancel = mapping.flag("ignores_cancel", problems);
        // `result: ~` is a result as well.
        let mut ends =
            mapping.entries().iter().filter(|(key, _)| ENDS.contains(&key.text.as_str()));
        let Some((key, value)) = ends.next() else {
            let hint = format!("one of `{}`", ENDS.join("`, `"));
            problems.add_with_hint(mapping.at(), "the mock does not say how it ends", hint);
            return None;
        };
        if let Some((other, _)) = ends.next() {
            let message = format!("a mock ends in one way: `{}` or `{}`", key.text, other.text);
            problems.add(other.at, message);
        }
        let end = match key.text.as_str() {
            "result" => Some(MockEnd::Result(value.to_json())),
            "fail" => fail(value, problems),
            "timeout" => self.timeout(value, problems),
            "canceled" => mapping.flag("canceled", problems).then_some(MockEnd::Canceled),
            "module" => self.module(value, problems),
            _ => self.child(value, problems),
        };
        let timed = ["result", "fail", "canceled"].contains(&key.text.as_str());
        for part in ["after", "ignores_cancel"] {
            if let Some(node) = mapping.get(part).filter(|_| !timed) {
                let message = format!("a mock with `{}` has no `{part}`", key.text);
                problems.add(node.at, message);
            }
        }
        Some(Mock { after, ignores_cancel, end: end? })
    }

    fn timeout(&self, node: &Node, problems: &mut Problems<'_>) -> Option<MockEnd> {
        let text = node.as_scalar_text().unwrap_or_default();
        let names = TimeoutKind::ALL.map(|(name, _)| name);
        let Some((_, kind)) = TimeoutKind::ALL.into_iter().find(|(name, _)| *name == text) else {
            let hint = did_you_mean(text, names, "timeouts");
            problems.add_with_hint(node.at, format!("`{text}` is no timeout of SWF"), hint);
            return None;
        };
        let why = match self.step.map(|step| &step.work) {
            Some(StepWork::Child { .. }) if kind != TimeoutKind::StartToClose => {
                Some("a child has no other timeout than `start_to_close`".to_owned())
            }
            Some(StepWork::Activity { activity, .. }) => {
                let plan = self.known.plan;
                plan.and_then(|plan| plan.activities.get(*activity)).and_then(|a| never(a, kind))
            }
            _ => None,
        };
        match why {
            Some(why) => {
                problems.add(node.at, format!("`{text}` never passes: {why}"));
                None
            }
            None => Some(MockEnd::Timeout(kind)),
        }
    }

    fn module(&self, node: &Node, problems: &mut Problems<'_>) -> Option<MockEnd> {
        let path = node.as_scalar_text().map(str::trim).filter(|path| !path.is_empty());
        let Some(path) = path else {
            problems.add(
                node.at,
                format!("`module` is the path of a component, this is {}", node.kind()),
            );
            return None;
        };
        let activity = self.step.and_then(|step| match &step.work {
            StepWork::Activity { activity, .. } => self.known.plan?.activities.get(*activity),
            _ => None,
        });
        if self.step.is_some() && activity.is_none_or(|activity| activity.module.is_none()) {
            let message = format!("the activity of `{}` has no module in the plan", self.name);
            problems.add(node.at, message);
        }
        Some(MockEnd::Module(placed(node.at, path.to_owned())))
    }

    /// `steps`: the child runs by its own plan.
    fn child(&self, node: &Node, problems: &mut Problems<'_>) -> Option<MockEnd> {
        let children = self.known.children;
        let plan = match self.step.map(|step| &step.work) {
            None => None,
            Some(StepWork::Child { workflow_type, .. }) => {
                let plan = children.get(workflow_type);
                if plan.is_none() {
                    let message = format!("the plan {workflow_type} does not lie beside this one");
                    problems.add_with_hint(node.at, message, "name its file under `plans`");
                    return None;
                }
                plan
            }
            Some(_) => {
                let message = format!("the step `{}` runs no plan that has steps", self.name);
                problems.add(node.at, message);
                return None;
            }
        };
        let known = Known { plan: plan.map(Arc::as_ref), children };
        Some(MockEnd::Child(mocks(node, known, problems)))
    }
}

/// Steps that no worker does are never mocked.
fn refuse_unmockable(step: &Step, at: Position, problems: &mut Problems<'_>) -> Option<()> {
    let (what, hint) = match &step.work {
        StepWork::Activity { .. } | StepWork::Child { .. } => return Some(()),
        StepWork::Eval(_) => ("an `eval`", "it renders by itself".to_owned()),
        StepWork::Wait { .. } => ("a `wait`", "virtual time passes by itself".to_owned()),
        StepWork::Signal { name, .. } => {
            ("a `signal`", format!("write `signals: [{{name: {name}, after: 1h}}]`"))
        }
    };
    let message = format!("the step `{}` is {what}, which has no mock", step.name);
    problems.add_with_hint(at, message, hint);
    None
}

/// `items`: a list, or a mapping of positions.
fn items<'n>(mapping: &Mapping<'n>, problems: &mut Problems<'_>) -> Vec<(usize, &'n Node)> {
    let Some(node) = mapping.get("items") else { return Vec::new() };
    match &node.value {
        NodeValue::List(list) => list.iter().enumerate().collect(),
        NodeValue::Map(entries) => {
            let mut items = Vec::new();
            for (key, node) in entries {
                match key.text.parse().ok().filter(|item| *item < MAX_ITEM) {
                    Some(item) => items.push((item, node)),
                    None => {
                        let message = format!("`{}` is no position in a list", key.text);
                        problems.add_with_hint(key.at, message, "a whole number, from 0");
                    }
                }
            }
            items
        }
        _ => {
            let message = format!("`items` is a list or a mapping, this is {}", node.kind());
            problems.add(node.at, message);
            Vec::new()
        }
    }
}

/// `fail`: a reason, or `{reason, details, retryable}`.
fn fail(node: &Node, problems: &mut Problems<'_>) -> Option<MockEnd> {
    let (reason, details, retryable) = match node.as_scalar_text() {
        Some(reason) => (Some(reason), None, None),
        None => {
            let mapping = Mapping::required(node, "`fail`", problems)?;
            mapping.check_keys(&FAIL_KEYS, problems);
            if mapping.get("reason").is_none() {
                problems.add(node.at, "`fail` needs `reason`");
            }
            let retryable = mapping.get("retryable").map(|_| mapping.flag("retryable", problems));
            let details = mapping.text("details", problems).map(|(text, _)| text);
            (mapping.text("reason", problems).map(|(text, _)| text), details, retryable)
        }
    };
    let reason = reason?;
    if !(1..=limits::REASON_CHARS).contains(&reason.chars().count()) {
        let message = format!("a reason has 1 to {} characters", limits::REASON_CHARS);
        problems.add(node.at, message);
        return None;
    }
    let (reason, details) = (reason.to_owned(), details.unwrap_or_default().to_owned());
    Some(MockEnd::Fail { reason, details, retryable })
}

/// Why that timeout of an activity never passes, if it does not.
fn never(activity: &Activity, kind: TimeoutKind) -> Option<String> {
    let seconds = |timeout| match timeout {
        Timeout::Seconds(seconds) => Some(seconds),
        Timeout::None => None,
    };
    let start_to_close = seconds(activity.start_to_close_timeout);
    let to_close = seconds(activity.schedule_to_close_timeout);
    let before = |first: Option<u32>, name: &str, second: Option<u32>| match (first, second) {
        (_, None) => Some("the activity has none".to_owned()),
        (Some(first), Some(second)) if first <= second => {
            Some(format!("{name} ({first} s) does before"))
        }
        _ => None,
    };
    match kind {
        TimeoutKind::StartToClose => start_to_close
            .zip(to_close)
            .filter(|(start, close)| close < start)
            .map(|(_, close)| format!("schedule_to_close ({close} s) does before"))
            .or_else(|| start_to_close.is_none().then(|| "the activity has none".to_owned())),
        TimeoutKind::ScheduleToClose => before(start_to_close, "start_to_close", to_close),
        TimeoutKind::Heartbeat => {
            let heartbeat = seconds(activity.heartbeat_timeout);
            let end = start_to_close.into_iter().chain(to_close).min();
            match (heartbeat, end) {
                (None, _) => Some("the activity has none".to_owned()),
                (Some(beat), Some(end)) if end < beat => {
                    Some(format!("the activity ends after {end} s"))
                }
                _ => None,
            }
        }
        TimeoutKind::ScheduleToStart => {
            let start = seconds(activity.schedule_to_start_timeout);
            match (start, to_close) {
                (None, _) => Some("the activity has none".to_owned()),
                (Some(start), Some(close)) if close < start => {
                    Some(format!("schedule_to_close ({close} s) does before"))
                }
                _ => None,
            }
        }
    }
}
