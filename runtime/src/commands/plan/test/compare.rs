//! What was expected against what became of a case. Pure.

use cpe_plan::cases::{
    At, Case, ExecutionStatus, Expect, ExpectedEvent, ExpectedFailure, ExpectedStep, show_length,
};
use serde_json::Value;

use super::{
    difference::{differences, shown},
    outcome::{Failure, Heard, Outcome, StepOutcome},
};

/// One expectation that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mismatch {
    /// Where it stands in the test file.
    pub(super) line: u64,
    pub(super) column: u64,
    /// Such as `output`, or `steps.Charge.attempts`.
    pub(super) what: String,
    /// A line for each difference.
    pub(super) differences: Vec<String>,
}

impl Mismatch {
    fn new<T>(at: &At<T>, what: &str, differences: Vec<String>) -> Self {
        Self { line: at.line, column: at.column, what: what.to_owned(), differences }
    }

    /// The case did not come to an end.
    pub(super) fn cannot_run(case: &Case, why: &str) -> Self {
        Self::new(&case.name, "the case cannot be run", vec![why.to_owned()])
    }
}

/// Every expectation that does not hold, in the order of the format.
pub(super) fn compare(expect: &Expect, outcome: &Outcome) -> Vec<Mismatch> {
    let mut all = Vec::new();
    let mut add = |mismatch: Option<Mismatch>| all.extend(mismatch);
    add(status(&expect.status, outcome));
    if let Some(output) = &expect.output {
        add(value(output, outcome.output.as_ref(), "output"));
    }
    if let Some(failure) = &expect.failure {
        add(failed(failure, outcome));
    }
    if let Some(elapsed) = &expect.elapsed
        && !elapsed.value.contains(outcome.elapsed)
    {
        let (from, to) = (show_length(elapsed.value.from), show_length(elapsed.value.to));
        let range = if from == to { from } else { format!("{from}..{to}") };
        let line = format!("expected {range}, was {}", show_length(outcome.elapsed));
        add(Some(Mismatch::new(elapsed, "elapsed", vec![line])));
    }
    if let Some(runs) = &expect.runs {
        add(plain(runs, &outcome.runs, "runs"));
    }
    for (name, step) in &expect.steps {
        let of_step = outcome.steps.get(&name.value).cloned().unwrap_or_default();
        steps(&name.value, step, &of_step, &mut add);
    }
    if let Some(order) = &expect.order {
        add(ordered(order, outcome));
    }
    if let Some(events) = &expect.events {
        add(heard(events, &outcome.events));
    }
    all
}

fn plain<T: PartialEq + std::fmt::Display>(
    expected: &At<T>,
    actual: &T,
    what: &str,
) -> Option<Mismatch> {
    let line = || format!("expected {}, was {actual}", expected.value);
    (expected.value != *actual).then(|| Mismatch::new(expected, what, vec![line()]))
}

fn value(expected: &At<Value>, actual: Option<&Value>, what: &str) -> Option<Mismatch> {
    let lines = match actual {
        Some(actual) => differences(&expected.value, actual),
        None => vec![format!("expected {}, and there is none", shown(&expected.value))],
    };
    (!lines.is_empty()).then(|| Mismatch::new(expected, what, lines))
}

fn status(expected: &At<ExecutionStatus>, outcome: &Outcome) -> Option<Mismatch> {
    if outcome.status == Some(expected.value) {
        return None;
    }
    let wanted = expected.value.name();
    let mut lines = vec![match outcome.status {
        Some(status) => format!("expected {wanted}, was {}", status.name()),
        None => format!(
            "expected {wanted}, and it has not ended after {}",
            show_length(outcome.elapsed)
        ),
    }];
    lines.extend(outcome.failure.as_ref().map(|failure| format!("because: {}", told(failure))));
    lines.extend(outcome.waits.iter().take(10).cloned());
    Some(Mismatch::new(expected, "status", lines))
}

fn told(failure: &Failure) -> String {
    let mut text = String::new();
    if !failure.reason.is_empty() {
        text.push_str(&failure.reason);
    }
    if let Some(step) = &failure.step {
        text.push_str(&format!(" of the step `{step}`"));
    }
    if !failure.details.is_empty() {
        let details: String = failure.details.chars().take(500).collect();
        let colon = if text.is_empty() { "" } else { ": " };
        text.push_str(&format!("{colon}{details}"));
    }
    text
}

fn failed(expected: &At<ExpectedFailure>, outcome: &Outcome) -> Option<Mismatch> {
    let Some(failure) = &outcome.failure else {
        let line = "expected a failure, and there is none".to_owned();
        return Some(Mismatch::new(expected, "failure", vec![line]));
    };
    let ExpectedFailure { step, reason, details } = &expected.value;
    let mut lines = Vec::new();
    if let Some(step) = step.as_deref().filter(|step| failure.step.as_deref() != Some(*step)) {
        let actual = failure.step.as_deref().unwrap_or("none");
        lines.push(format!("step: expected {step}, was {actual}"));
    }
    if let Some(reason) = reason.as_deref().filter(|reason| failure.reason != *reason) {
        lines.push(format!("reason: expected {reason}, was {}", failure.reason));
    }
    if let Some(part) = details.as_deref().filter(|part| !failure.details.contains(*part)) {
        lines.push(format!("details: expected `{part}` in `{}`", failure.details));
    }
    (!lines.is_empty()).then(|| Mismatch::new(expected, "failure", lines))
}

fn steps(
    name: &str,
    expected: &ExpectedStep,
    actual: &StepOutcome,
    add: &mut impl FnMut(Option<Mismatch>),
) {
    let what = |key: &str| format!("steps.{name}.{key}");
    if let Some(status) = expected.status.as_ref().filter(|status| status.value != actual.status) {
        let line = format!("expected {}, was {}", status.value.name(), actual.status.name());
        let reason = actual.reason.as_ref().map(|reason| {
            let details = actual.details.as_deref().filter(|details| !details.is_empty());
            details.map_or_else(|| reason.clone(), |details| format!("{reason}: {details}"))
        });
        let lines = std::iter::once(line).chain(reason).collect();
        add(Some(Mismatch::new(status, &what("status"), lines)));
    }
    if let Some(attempts) = &expected.attempts {
        add(plain(attempts, &actual.attempts, &what("attempts")));
    }
    if let Some(input) = &expected.input {
        add(value(input, actual.input.as_ref(), &what("input")));
    }
    if let Some(output) = &expected.output {
        add(value(output, actual.output.as_ref(), &what("output")));
    }
    if let Some(reason) = &expected.reason {
        let actual = actual.reason.clone().unwrap_or_else(|| "none".to_owned());
        add(plain(reason, &actual, &what("reason")));
    }
}

fn ordered(expected: &At<Vec<String>>, outcome: &Outcome) -> Option<Mismatch> {
    let named: Vec<&String> =
        outcome.order.iter().filter(|step| expected.value.contains(step)).collect();
    if named.iter().copied().eq(&expected.value) {
        return None;
    }
    let mut lines = vec![format!(
        "expected {}, was {}",
        expected.value.join(", "),
        named.iter().map(|step| step.as_str()).collect::<Vec<_>>().join(", ")
    )];
    let never = expected.value.iter().filter(|step| !outcome.order.contains(step));
    lines.extend(never.map(|step| format!("`{step}` never began")));
    Some(Mismatch::new(expected, "order", lines))
}

/// Events match as a pattern does whose `...` stands for any number of them.
fn heard(expected: &At<Vec<ExpectedEvent>>, events: &[Heard]) -> Option<Mismatch> {
    if matches(&expected.value, events) {
        return None;
    }
    let pattern = expected.value.iter().map(|event| match event {
        ExpectedEvent::Any => "...".to_owned(),
        ExpectedEvent::One { kind, activity: None } => kind.clone(),
        ExpectedEvent::One { kind, activity: Some(activity) } => format!("{kind} {activity}"),
    });
    let told = events.iter().take(60).map(ToString::to_string);
    let mut lines = vec![
        format!("expected {}", pattern.collect::<Vec<_>>().join(", ")),
        format!("heard {}", told.collect::<Vec<_>>().join(", ")),
    ];
    if events.len() > 60 {
        lines.push(format!("and {} more", events.len() - 60));
    }
    Some(Mismatch::new(expected, "events", lines))
}

/// Whether the events are those of the pattern: each `...` takes as few as it can, and more only
/// when the rest does not fit, so the time is bounded by the product of both lengths.
fn matches(pattern: &[ExpectedEvent], events: &[Heard]) -> bool {
    let (mut at, mut event) = (0, 0);
    let mut again: Option<(usize, usize)> = None;
    while event < events.len() {
        match (pattern.get(at), events.get(event)) {
            (Some(ExpectedEvent::Any), _) => {
                again = Some((at + 1, event));
                at += 1;
            }
            (Some(expected), Some(heard)) if is(expected, heard) => {
                at += 1;
                event += 1;
            }
            _ => match &mut again {
                Some((after, from)) => {
                    *from += 1;
                    (at, event) = (*after, *from);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|expected| *expected == ExpectedEvent::Any)
}

fn is(expected: &ExpectedEvent, heard: &Heard) -> bool {
    match expected {
        ExpectedEvent::Any => true,
        ExpectedEvent::One { kind, activity } => {
            *kind == heard.kind && (activity.is_none() || *activity == heard.activity)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(text: &str) -> Vec<Heard> {
        let words = text.split_whitespace();
        words.map(|kind| Heard { kind: kind.to_owned(), activity: None }).collect()
    }

    fn pattern(text: &str) -> Vec<ExpectedEvent> {
        let words = text.split_whitespace();
        words
            .map(|word| match word {
                "..." => ExpectedEvent::Any,
                kind => ExpectedEvent::One { kind: kind.to_owned(), activity: None },
            })
            .collect()
    }

    #[test]
    fn dots_stand_for_any_events() {
        for (text, events, fits) in [
            ("a b", "a b", true),
            ("a b", "a b c", false),
            ("a ... c", "a c", true),
            ("a ... c", "a b c b c", true),
            ("... b ... d", "a b b c d", true),
            ("... b ... d", "a c d", false),
            ("a ...", "a", true),
            ("", "a", false),
            ("...", "", true),
        ] {
            assert_eq!(matches(&pattern(text), &heard(events)), fits, "{text} / {events}");
        }
    }
}
