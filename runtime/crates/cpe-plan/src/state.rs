//! The fold of a history: what has become of each step so far.
//!
//! Everything here follows from the plan and the events alone, one event at a time, so a decider
//! that kept the state applies only what is new and comes to the same as one that starts over.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use cpe_swf::{EventAttributes, EventId, HistoryEvent, ScheduleActivityTaskFailedCause, TimerId};
use serde_json::Value;

use crate::model::{Plan, Requirement, Requires, StepInput, StepWork};

/// What has become of one run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunState {
    pub(crate) input: Option<Arc<Value>>,
    /// Why the run cannot go on at all, such as an input that breaks the plan's `input_spec`.
    pub(crate) refused: Option<StepFailure>,
    pub(crate) steps: Vec<StepState>,
    /// Steps that wait to be scheduled.
    pub(crate) ready: BTreeSet<usize>,
    /// Steps whose activity task is open, and the event that scheduled each.
    pub(crate) running: BTreeMap<usize, Running>,
    /// Scheduling attempts that SWF refused for now, by step.
    pub(crate) held: BTreeMap<usize, Held>,
    /// Steps that have not come to an end.
    pub(crate) unsettled: usize,
    scheduled: BTreeMap<EventId, usize>,
    timers: BTreeMap<TimerId, usize>,
    pub(crate) cancel_requested: bool,
    pub(crate) closed: bool,
    last_event: EventId,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) enum StepState {
    #[default]
    Pending,
    /// The rendered input waits for its activity task.
    Ready(String),
    Running,
    Succeeded(Arc<Value>),
    Failed(StepFailure),
    Skipped,
}

/// Why a step failed: a stable dotted reason, and what people read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepFailure {
    pub reason: String,
    /// JSON text where it came from CPE's own workers; any text otherwise.
    pub details: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) cancel_asked: bool,
}

/// A step that SWF would not schedule for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    /// 1 after the first refusal.
    pub(crate) attempts: u32,
    pub(crate) timer_started: bool,
}

impl RunState {
    /// The id of the last event applied; 0 before the first.
    pub fn last_event(&self) -> EventId {
        self.last_event
    }

    /// Whether the run has ended.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Applies one event. Events are to come in order; kinds that tell nothing of steps (markers,
    /// signals nobody waits for, children of other deciders) change nothing.
    pub fn apply(&mut self, plan: &Plan, event: &HistoryEvent) {
        self.last_event = event.event_id;
        match &*event.attributes {
            EventAttributes::WorkflowExecutionStarted(started) => {
                self.start(plan, started.input.as_deref());
            }
            EventAttributes::WorkflowExecutionCancelRequested(_) => self.cancel_requested = true,
            EventAttributes::WorkflowExecutionCompleted(_)
            | EventAttributes::WorkflowExecutionFailed(_)
            | EventAttributes::WorkflowExecutionTimedOut(_)
            | EventAttributes::WorkflowExecutionCanceled(_)
            | EventAttributes::WorkflowExecutionTerminated(_)
            | EventAttributes::WorkflowExecutionContinuedAsNew(_) => self.closed = true,
            EventAttributes::TimerStarted(timer) => self.timer_started(&timer.timer_id),
            EventAttributes::TimerFired(timer) => self.timer_ended(&timer.timer_id),
            EventAttributes::TimerCanceled(timer) => self.timer_ended(&timer.timer_id),
            EventAttributes::StartTimerFailed(failed) => self.timer_ended(&failed.timer_id),
            _ => self.apply_activity(plan, event),
        }
    }

    fn apply_activity(&mut self, plan: &Plan, event: &HistoryEvent) {
        match &*event.attributes {
            EventAttributes::ActivityTaskScheduled(scheduled) => {
                if let Some(step) = plan.by_name.get(scheduled.activity_id.as_str()).copied() {
                    self.scheduled(step, event.event_id);
                }
            }
            EventAttributes::ScheduleActivityTaskFailed(failed) => {
                if let Some(step) = plan.by_name.get(failed.activity_id.as_str()).copied() {
                    self.schedule_failed(plan, step, failed.cause);
                }
            }
            EventAttributes::ActivityTaskCompleted(end) => {
                if let Some(step) = self.ended(end.scheduled_event_id) {
                    let state = completed(plan, step, end.result.as_deref());
                    self.settle(plan, step, state);
                }
            }
            EventAttributes::ActivityTaskFailed(end) => {
                let reason = end.reason.clone().unwrap_or_else(|| "unknown".to_owned());
                self.failed(plan, end.scheduled_event_id, reason, end.details.as_deref());
            }
            EventAttributes::ActivityTaskTimedOut(end) => {
                let kind = end.timeout_type.as_str().to_ascii_lowercase().replace('_', "-");
                let reason = format!("cpe.timeout.{kind}");
                self.failed(plan, end.scheduled_event_id, reason, end.details.as_deref());
            }
            EventAttributes::ActivityTaskCanceled(end) => {
                let reason = "cpe.canceled".to_owned();
                self.failed(plan, end.scheduled_event_id, reason, end.details.as_deref());
            }
            EventAttributes::ActivityTaskCancelRequested(asked) => {
                let step = plan.by_name.get(asked.activity_id.as_str());
                if let Some(running) = step.and_then(|step| self.running.get_mut(step)) {
                    running.cancel_asked = true;
                }
            }
            _ => {}
        }
    }

    fn start(&mut self, plan: &Plan, input: Option<&str>) {
        self.steps = vec![StepState::Pending; plan.steps.len()];
        self.unsettled = plan.steps.len();
        let parsed = match input {
            None => Err("the execution was started without input".to_owned()),
            Some(text) => serde_json::from_str::<Value>(text)
                .map_err(|error| format!("the input is not JSON: {error}")),
        };
        let checked = parsed.and_then(|input| match plan.check_input(&input) {
            Ok(()) => Ok(input),
            Err(violations) => Err(violations.join("; ")),
        });
        match checked {
            Ok(input) => {
                self.input = Some(Arc::new(input));
                for step in 0..plan.steps.len() {
                    self.consider(plan, step);
                }
            }
            Err(details) => {
                self.refused = Some(StepFailure { reason: "cpe.bad-input".to_owned(), details });
            }
        }
    }

    fn scheduled(&mut self, step: usize, event: EventId) {
        self.ready.remove(&step);
        self.held.remove(&step);
        self.scheduled.insert(event, step);
        self.running.insert(step, Running { cancel_asked: false });
        if let Some(state) = self.steps.get_mut(step) {
            *state = StepState::Running;
        }
    }

    /// Limits pass, so the step tries again after a timer; any other cause fails it.
    fn schedule_failed(
        &mut self,
        plan: &Plan,
        step: usize,
        cause: ScheduleActivityTaskFailedCause,
    ) {
        if !matches!(self.steps.get(step), Some(StepState::Ready(_))) {
            return;
        }
        match cause {
            ScheduleActivityTaskFailedCause::OpenActivitiesLimitExceeded
            | ScheduleActivityTaskFailedCause::ActivityCreationRateExceeded => {
                self.ready.remove(&step);
                let held = self.held.entry(step).or_insert(Held { attempts: 0, timer_started: false });
                held.attempts = held.attempts.saturating_add(1);
                held.timer_started = false;
            }
            cause => {
                self.ready.remove(&step);
                let name = serde_json::to_value(cause).unwrap_or_default();
                let name = name.as_str().unwrap_or_default().to_ascii_lowercase().replace('_', "-");
                let failure = StepFailure {
                    reason: format!("cpe.schedule.{name}"),
                    details: "SWF refused to schedule the activity task".to_owned(),
                };
                self.settle(plan, step, StepState::Failed(failure));
            }
        }
    }

    fn timer_started(&mut self, timer: &TimerId) {
        if let Some(step) = held_step(timer)
            && let Some(held) = self.held.get_mut(&step)
        {
            held.timer_started = true;
            self.timers.insert(timer.clone(), step);
        }
    }

    /// The wait is over, or there was none to be had: the step is tried again.
    fn timer_ended(&mut self, timer: &TimerId) {
        let step = self.timers.remove(timer).or_else(|| held_step(timer));
        if let Some(step) = step
            && self.held.contains_key(&step)
            && matches!(self.steps.get(step), Some(StepState::Ready(_)))
        {
            self.ready.insert(step);
        }
    }

    fn ended(&mut self, scheduled: EventId) -> Option<usize> {
        let step = self.scheduled.remove(&scheduled)?;
        self.running.remove(&step);
        Some(step)
    }

    fn failed(
        &mut self,
        plan: &Plan,
        scheduled: EventId,
        reason: String,
        details: Option<&str>,
    ) {
        if let Some(step) = self.ended(scheduled) {
            let details = details.unwrap_or_default().to_owned();
            self.settle(plan, step, StepState::Failed(StepFailure { reason, details }));
        }
    }

    /// Ends a step, and whatever follows from that without a worker: skips, evals, and so on.
    fn settle(&mut self, plan: &Plan, step: usize, state: StepState) {
        let mut open = vec![(step, state)];
        while let Some((step, state)) = open.pop() {
            let Some(slot) = self.steps.get_mut(step) else { continue };
            *slot = state;
            self.unsettled = self.unsettled.saturating_sub(1);
            for dependent in plan.dependents.get(step).into_iter().flatten() {
                if let Some(next) = self.next(plan, *dependent) {
                    match next {
                        StepState::Ready(_) => self.make_ready(*dependent, next),
                        ended => {
                            // Marked at once: two requirements may end in one go.
                            if let Some(slot) = self.steps.get_mut(*dependent) {
                                *slot = StepState::Running;
                            }
                            open.push((*dependent, ended));
                        }
                    }
                }
            }
        }
    }

    fn consider(&mut self, plan: &Plan, step: usize) {
        match self.next(plan, step) {
            Some(ready @ StepState::Ready(_)) => self.make_ready(step, ready),
            Some(ended) => self.settle(plan, step, ended),
            None => {}
        }
    }

    fn make_ready(&mut self, step: usize, state: StepState) {
        if let Some(slot) = self.steps.get_mut(step) {
            *slot = state;
            self.ready.insert(step);
        }
    }

    /// What a pending step becomes, if its requirements have all come to their ends.
    fn next(&self, plan: &Plan, step: usize) -> Option<StepState> {
        if self.steps.get(step) != Some(&StepState::Pending) {
            return None;
        }
        let definition = plan.steps.get(step)?;
        let mut met = true;
        for Requires { step, status } in &definition.requires {
            let state = self.steps.get(*step)?;
            let fits = match (state, status) {
                (StepState::Pending | StepState::Ready(_) | StepState::Running, _) => return None,
                (_, Requirement::Completed)
                | (StepState::Succeeded(_), Requirement::Succeeded)
                | (StepState::Failed(_), Requirement::Failed)
                | (StepState::Skipped, Requirement::Skipped) => true,
                _ => false,
            };
            met &= fits;
        }
        if !met {
            return Some(StepState::Skipped);
        }
        Some(match &definition.work {
            StepWork::Eval(template) => match self.render(plan, template) {
                Ok(value) => StepState::Succeeded(Arc::new(value)),
                Err(details) => bad_input(details),
            },
            StepWork::Activity { activity, input } => {
                let rendered = self.render(plan, input).and_then(|value| {
                    let activity = plan.activities.get(*activity);
                    let checked = activity.map_or(Ok(()), |activity| activity.check_input(&value));
                    checked.map_err(|violations| violations.join("; "))?;
                    let text = value.to_string();
                    let length = text.chars().count();
                    if length > cpe_swf::limits::DATA_CHARS {
                        return Err(format!(
                            "the input has {length} characters, of at most {}",
                            cpe_swf::limits::DATA_CHARS
                        ));
                    }
                    Ok(text)
                });
                rendered.map_or_else(bad_input, StepState::Ready)
            }
        })
    }

    fn render(&self, plan: &Plan, input: &StepInput) -> Result<Value, String> {
        let job = minijinja::Value::from_serialize(self.input.as_deref());
        let mut names = vec![("__input__".to_owned(), job)];
        for step in &input.steps {
            let name = plan.steps.get(*step).map(|step| step.name.clone());
            let value = match self.steps.get(*step) {
                Some(StepState::Succeeded(output)) => minijinja::Value::from_serialize(&**output),
                // A failed or skipped step has no outputs; to name one is an error of the plan.
                _ => minijinja::Value::from_serialize(serde_json::json!({})),
            };
            names.extend(name.map(|name| (name, value)));
        }
        plan.templates.render(&input.template, names)
    }
}

fn bad_input(details: String) -> StepState {
    StepState::Failed(StepFailure { reason: "cpe.bad-input".to_owned(), details })
}

fn completed(plan: &Plan, step: usize, result: Option<&str>) -> StepState {
    let activity = plan.steps.get(step).and_then(|step| match step.work {
        StepWork::Activity { activity, .. } => plan.activities.get(activity),
        StepWork::Eval(_) => None,
    });
    // Workers of 2015 may complete with nothing.
    let parsed = match result {
        None | Some("") => Ok(Value::Null),
        Some(text) => serde_json::from_str::<Value>(text),
    };
    match (parsed, activity) {
        (Ok(result), Some(activity)) => {
            StepState::Succeeded(Arc::new(activity.outputs_spec.apply(&result)))
        }
        (Ok(_), None) => StepState::Succeeded(Arc::new(Value::Null)),
        (Err(error), _) => StepState::Failed(StepFailure {
            reason: "cpe.bad-output".to_owned(),
            details: format!("the activity's result is not JSON: {error}"),
        }),
    }
}

/// The timer of a step's next scheduling attempt.
pub(crate) fn held_timer(step: usize, attempts: u32) -> TimerId {
    TimerId(format!("schedule-{step}-{attempts}"))
}

fn held_step(timer: &TimerId) -> Option<usize> {
    let (step, _) = timer.as_str().strip_prefix("schedule-")?.split_once('-')?;
    step.parse().ok()
}
