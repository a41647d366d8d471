//! One case from beginning to end: the stage, the play, and what became of it.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use cpe_plan::{
    Plan, StepStatus, StepWork,
    cases::{Case, ExecutionStatus, TestFile, show_length},
};
use cpe_swf::{CloseStatus, Decision};
use serde_json::Value;

use super::{
    compare::{Mismatch, compare},
    guests::Components,
    onlooker::Seen,
    outcome::{Failure, Heard, Outcome, StepOutcome, readable},
    play::{Curtain, Play},
    stage::Stage,
    tap::SeenCall,
};

/// Of real time, for one case: a case takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// A case that was run.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) name: String,
    /// In the file; from 1.
    pub(super) line: u64,
    pub(super) mismatches: Vec<Mismatch>,
    /// In virtual time.
    pub(super) elapsed: Duration,
    pub(super) took: Duration,
}

pub(super) async fn run(
    file: &TestFile,
    case: &Case,
    (components, folder): (&Components, &Path),
) -> Ran {
    let began = Instant::now();
    let playing = tokio::time::timeout(PATIENCE, perform(file, case, (components, folder)));
    let (mismatches, elapsed) = match playing.await {
        Ok(Ok(outcome)) => (compare(&case.expect, &outcome), outcome.elapsed),
        Ok(Err(error)) => (vec![Mismatch::cannot_run(case, &format!("{error:#}"))], Duration::ZERO),
        Err(_) => {
            let why = format!("it has not ended after {PATIENCE:?} of real time");
            (vec![Mismatch::cannot_run(case, &why)], Duration::ZERO)
        }
    };
    let (name, line) = (case.name.value.clone(), case.name.line);
    Ran { name, line, mismatches, elapsed, took: began.elapsed() }
}

async fn perform(
    file: &TestFile,
    case: &Case,
    (components, folder): (&Components, &Path),
) -> anyhow::Result<Outcome> {
    let stage = Stage::open(file, case, folder).await?;
    let curtain = Play::new(&stage, case, (components, folder)).run().await;
    let outcome = match curtain {
        Ok(curtain) => outcome(&stage, &curtain).await,
        Err(error) => Err(error),
    };
    stage.local.close().await;
    outcome
}

async fn outcome(stage: &Stage, curtain: &Curtain) -> anyhow::Result<Outcome> {
    let seen = stage.onlooker.seen();
    let events = stage.ears.events();
    let (runs, closing, calls) = noted(stage).await?;
    let (status, elapsed) = match curtain {
        Curtain::Closed(status, at) => (Some(ending(*status)), at.since(Stage::at(Duration::ZERO))),
        Curtain::Open => (None, stage.elapsed()),
        Curtain::Refused => (Some(ExecutionStatus::Refused), stage.elapsed()),
    };
    let (mut output, mut failure) = (None, None);
    match (&closing, status) {
        (Some(Decision::CompleteWorkflowExecution(end)), Some(ExecutionStatus::Completed)) => {
            output = end.result.as_deref().map(parsed);
        }
        (Some(Decision::FailWorkflowExecution(end)), Some(ExecutionStatus::Failed)) => {
            failure = Some(Failure::of_execution(end.reason.as_deref(), end.details.as_deref()));
        }
        (_, Some(ExecutionStatus::Refused)) => failure = refusal(&events),
        _ => {}
    }
    let name = |index: &usize| stage.plan.steps.get(*index).map(|step| step.name.clone());
    Ok(Outcome {
        status,
        output,
        failure,
        elapsed,
        runs: u32::try_from(runs).unwrap_or(u32::MAX),
        steps: steps(&stage.plan, &seen, &calls),
        order: seen.began.iter().filter_map(name).collect(),
        events: events.iter().map(Heard::of).collect(),
        waits: waits(&stage.plan, &seen),
    })
}

/// What was seen on the line, with texts in place of the references to them.
async fn noted(stage: &Stage) -> anyhow::Result<(usize, Option<Decision>, Vec<SeenCall>)> {
    let (runs, mut closing, mut calls) = {
        let noted = stage.tap.noted();
        (noted.runs.len(), noted.closing.clone(), noted.calls.clone())
    };
    let (root, payloads) = (stage.root(), &stage.worker.payloads);
    let text = match &mut closing {
        Some(Decision::CompleteWorkflowExecution(end)) => end.result.as_mut(),
        Some(Decision::FailWorkflowExecution(end)) => end.details.as_mut(),
        _ => None,
    };
    for text in text.into_iter().chain(calls.iter_mut().map(|call| &mut call.input)) {
        *text = payloads.follow(&root, std::mem::take(text)).await?;
    }
    Ok((runs, closing, calls))
}

fn ending(status: CloseStatus) -> ExecutionStatus {
    match status {
        CloseStatus::Completed => ExecutionStatus::Completed,
        CloseStatus::Canceled => ExecutionStatus::Canceled,
        CloseStatus::TimedOut => ExecutionStatus::TimedOut,
        _ => ExecutionStatus::Failed,
    }
}

fn steps(plan: &Plan, seen: &Seen, calls: &[SeenCall]) -> BTreeMap<String, StepOutcome> {
    let mut steps = BTreeMap::new();
    for (index, step) in plan.steps.iter().enumerate() {
        let seen = seen.steps.get(index).cloned().unwrap_or_default();
        let (reason, details) = match seen.failure {
            Some(failure) => (Some(failure.reason), Some(readable(&parsed(&failure.details)))),
            None => (None, None),
        };
        let outcome = StepOutcome {
            status: seen.status,
            output: seen.output,
            reason,
            details,
            ..StepOutcome::default()
        };
        steps.insert(step.name.clone(), outcome);
    }
    // Of each item the last input; those of other attempts are the same.
    let mut items: BTreeMap<&str, BTreeMap<usize, Value>> = BTreeMap::new();
    for call in calls {
        let Some(step) = steps.get_mut(&call.step) else { continue };
        step.attempts += 1;
        match call.item {
            None => step.input = Some(parsed(&call.input)),
            Some(item) => {
                drop(items.entry(&call.step).or_default().insert(item, parsed(&call.input)))
            }
        }
    }
    for (name, inputs) in items {
        if let Some(step) = steps.get_mut(name) {
            step.input = Some(inputs.into_values().collect());
        }
    }
    steps
}

/// Why the job was refused.
fn refusal(events: &[Value]) -> Option<Failure> {
    let rejected =
        events.iter().find(|event| event.get("type") == Some(&"COMMAND_REJECTED".into()))?;
    let errors = rejected.pointer("/data/errors")?.as_array()?;
    let problems = errors.iter().map(|error| {
        let text = |key| error.get(key).and_then(Value::as_str).unwrap_or_default();
        format!("{}: {}", text("path"), text("message"))
    });
    let details = problems.collect::<Vec<_>>().join("; ");
    Some(Failure { step: None, reason: String::new(), details })
}

/// What the steps that are at work wait for.
fn waits(plan: &Plan, seen: &Seen) -> Vec<String> {
    let running =
        plan.steps.iter().zip(&seen.steps).filter(|(_, seen)| seen.status == StepStatus::Running);
    running
        .map(|(step, _)| {
            let what = match &step.work {
                StepWork::Activity { .. } => "its activity".to_owned(),
                StepWork::Eval(_) => "nothing".to_owned(),
                StepWork::Wait { seconds } => {
                    format!("{} to pass", show_length(Duration::from_secs((*seconds).into())))
                }
                StepWork::Signal { name, .. } => format!("the signal `{name}`"),
                StepWork::Child { workflow_type, .. } => format!("its child {workflow_type}"),
            };
            format!("`{}` waits for {what}", step.name)
        })
        .collect()
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}
