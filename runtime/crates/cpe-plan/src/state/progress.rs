//! How steps come to be begun, and how the end of one sets others in motion.

use minijinja::Value;

use super::{Phase, RunState, Stage, StepFailure, StepState, render::value};
use crate::{
    call::CallKey,
    model::{Plan, Requirement, Section},
};

/// Longer lists are not worked on: their outputs would fit nowhere.
const MAX_ITEMS: usize = 100_000;

/// Items whose input does not render, before a `foreach` ends whatever it allows: each costs time
/// here, and nobody's else.
const MAX_SPOILED: usize = 1_000;

/// A step that is at work: on one item, or on each of a list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Active {
    /// The list of a `foreach`.
    pub(super) items: Option<Vec<Value>>,
    /// What each item has come to.
    pub(super) slots: Vec<Slot>,
    /// The first item that has not been begun.
    pub(super) next: usize,
    /// Items that were begun and have not ended.
    pub(super) live: usize,
    /// Why the first item failed that failed for good.
    pub(super) failure: Option<StepFailure>,
    /// Items that could not even begin.
    spoiled: usize,
    /// Whether no more items are begun, and none is tried again.
    pub(super) stopped: bool,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) enum Slot {
    #[default]
    Pending,
    Done(Value),
    Failed,
}

impl Active {
    pub(super) fn new(items: Option<Vec<Value>>) -> Self {
        let count = items.as_ref().map_or(1, Vec::len);
        Self {
            items,
            slots: vec![Slot::Pending; count],
            next: 0,
            live: 0,
            failure: None,
            spoiled: 0,
            stopped: false,
        }
    }

    fn record(&mut self, item: usize, result: Result<Value, StepFailure>) {
        let slot = match result {
            Ok(value) => Slot::Done(value),
            Err(failure) => {
                self.failure.get_or_insert(failure);
                Slot::Failed
            }
        };
        if let Some(place) = self.slots.get_mut(item) {
            *place = slot;
        }
    }

    /// The outputs in the order of the list, `null` where there is none.
    fn outputs(&mut self) -> Value {
        let slots = std::mem::take(&mut self.slots);
        let mut outputs = slots.into_iter().map(|slot| match slot {
            Slot::Done(value) => value,
            Slot::Pending | Slot::Failed => Value::from(()),
        });
        match self.items {
            Some(_) => Value::from(outputs.collect::<Vec<_>>()),
            None => outputs.next().unwrap_or_default(),
        }
    }
}

impl StepState {
    pub(super) fn has_ended(&self) -> bool {
        matches!(self, Self::Succeeded(_) | Self::Failed(..) | Self::Skipped)
    }

    fn meets(&self, requirement: Requirement) -> bool {
        match requirement {
            Requirement::Completed => self.has_ended(),
            Requirement::Succeeded => matches!(self, Self::Succeeded(_)),
            Requirement::Failed => matches!(self, Self::Failed(..)),
            Requirement::Skipped => matches!(self, Self::Skipped),
            Requirement::Never => false,
        }
    }
}

impl RunState {
    /// Begins the step if nothing keeps it from it.
    pub(super) fn consider(&mut self, plan: &Plan, step: usize) {
        if self.may_begin(plan, step)
            && let Some(end) = self.begin(plan, step)
        {
            self.advance(plan, step, end);
        }
    }

    /// Whether it waits for something that has ended otherwise than it requires.
    pub(super) fn cannot_run(&self, plan: &Plan, step: usize) -> bool {
        let requires = plan.steps.get(step).into_iter().flat_map(|step| &step.requires);
        let mut ended = requires.filter_map(|requires| {
            let state = self.steps.get(requires.step).filter(|state| state.has_ended())?;
            Some(state.meets(requires.status))
        });
        self.steps.get(step) == Some(&StepState::Pending) && ended.any(|met| !met)
    }

    fn may_begin(&self, plan: &Plan, step: usize) -> bool {
        let section = plan.steps.get(step).map(|step| step.section);
        self.steps.get(step) == Some(&StepState::Pending)
            && self.waiting.get(step) == Some(&0)
            && section.is_some_and(|section| self.phase == Phase::of(section))
    }

    /// Puts a step to its end, and does whatever follows from that without a worker: skips,
    /// evals, and so on.
    pub(super) fn advance(&mut self, plan: &Plan, step: usize, state: StepState) {
        let mut ended = Vec::new();
        self.enter(plan, step, state, &mut ended);
        while let Some(step) = ended.pop() {
            for dependent in plan.dependents.get(step).into_iter().flatten() {
                let met =
                    self.steps.get(step).is_some_and(|state| state.meets(dependent.requirement));
                if let Some(next) = self.next(plan, dependent.step, met) {
                    self.enter(plan, dependent.step, next, &mut ended);
                }
            }
        }
    }

    fn enter(&mut self, plan: &Plan, step: usize, state: StepState, ended: &mut Vec<usize>) {
        let Some(slot) = self.steps.get_mut(step) else { return };
        if slot.has_ended() || !state.has_ended() {
            return;
        }
        *slot = state;
        ended.push(step);
        if let Some(section) = plan.steps.get(step).map(|step| step.section)
            && let Some(left) = self.unsettled.get_mut(section as usize)
        {
            *left = left.saturating_sub(1);
        }
    }

    /// What becomes of a step now that one of those that it requires has ended: skipped as soon
    /// as one ended otherwise than required, begun when the last one has ended.
    fn next(&mut self, plan: &Plan, step: usize, met: bool) -> Option<StepState> {
        let waiting = self.waiting.get_mut(step)?;
        *waiting = waiting.saturating_sub(1);
        if self.steps.get(step) != Some(&StepState::Pending) {
            return None;
        }
        if !met {
            return Some(StepState::Skipped);
        }
        if !self.may_begin(plan, step) {
            return None;
        }
        // Of a run that takes results of another, an end may have come before anybody looked.
        if self.cannot_run(plan, step) {
            return Some(StepState::Skipped);
        }
        self.begin(plan, step)
    }

    /// Begins a step whose requirements are met; answers its end, where it has one at once.
    fn begin(&mut self, plan: &Plan, step: usize) -> Option<StepState> {
        let Some(definition) = plan.steps.get(step) else { return Some(StepState::Skipped) };
        if self.canceled && definition.section == Section::Main {
            return Some(StepState::Skipped);
        }
        if let Some(when) = &definition.when {
            match self.render(plan, when, Vec::new()) {
                Ok(serde_json::Value::Bool(true)) => {}
                Ok(serde_json::Value::Bool(false)) => return Some(StepState::Skipped),
                Ok(other) => {
                    let details =
                        format!("`when` is neither true nor false, but {}", brief(&other));
                    return Some(failed("cpe.bad-when", details));
                }
                Err(details) => return Some(failed("cpe.bad-when", details)),
            }
        }
        let items = match self.list(plan, step) {
            Ok(items) => items,
            Err(details) => return Some(failed("cpe.bad-foreach", details)),
        };
        if let Some(slot) = self.steps.get_mut(step) {
            *slot = StepState::Active(Box::new(Active::new(items)));
        }
        self.go_on(plan, step)
    }

    /// The items of a `foreach`.
    pub(super) fn list(&self, plan: &Plan, step: usize) -> Result<Option<Vec<Value>>, String> {
        let Some(foreach) = plan.steps.get(step).and_then(|step| step.foreach.as_ref()) else {
            return Ok(None);
        };
        match self.render(plan, &foreach.list, Vec::new())? {
            serde_json::Value::Array(items) if items.len() <= MAX_ITEMS => {
                Ok(Some(items.iter().map(value).collect()))
            }
            serde_json::Value::Array(items) => {
                Err(format!("`foreach` has {} items, of at most {MAX_ITEMS}", items.len()))
            }
            other => Err(format!("`foreach` is no list, but {}", brief(&other))),
        }
    }

    /// Begins as many items as may be at work; answers the step's end, when all have ended.
    pub(super) fn go_on(&mut self, plan: &Plan, step: usize) -> Option<StepState> {
        let definition = plan.steps.get(step)?;
        let parallel = definition.foreach.as_ref().map_or(1, |foreach| foreach.max_parallel);
        loop {
            let given_up = self.canceled && definition.section == Section::Main;
            let StepState::Active(active) = self.steps.get_mut(step)? else { return None };
            let failed = active.failure.is_some() && !definition.allow_failure
                || active.spoiled >= MAX_SPOILED;
            if (failed || given_up) && !active.stopped {
                active.stopped = true;
                self.abandon(plan, step);
                continue;
            }
            let full = active.live >= parallel || active.next >= active.slots.len();
            if active.stopped || full {
                return (active.live == 0).then(|| active.end(given_up));
            }
            let key = CallKey { step, item: active.next };
            active.next += 1;
            active.live += 1;
            if let Some(result) = self.begin_call(plan, key)
                && let Some(StepState::Active(active)) = self.steps.get_mut(step)
            {
                active.live -= 1;
                active.spoiled += usize::from(result.is_err());
                active.record(key.item, result);
            }
        }
    }

    /// Gives up those calls of a step that SWF does not run.
    fn abandon(&mut self, plan: &Plan, step: usize) {
        let calls = CallKey { step, item: 0 }..=CallKey { step, item: usize::MAX };
        let idle: Vec<CallKey> = self
            .calls
            .range(calls)
            .filter(|(_, call)| call.stage != Stage::Open)
            .map(|(key, _)| *key)
            .collect();
        for key in &idle {
            self.drop_call(plan, *key);
        }
        if let Some(StepState::Active(active)) = self.steps.get_mut(step) {
            active.live = active.live.saturating_sub(idle.len());
        }
    }

    /// Whether the step makes no further attempts.
    pub(super) fn is_stopped(&self, step: usize) -> bool {
        match self.steps.get(step) {
            Some(StepState::Active(active)) => active.stopped,
            _ => true,
        }
    }

    /// A call has come to its end.
    pub(super) fn end_call(
        &mut self,
        plan: &Plan,
        key: CallKey,
        result: Result<Value, StepFailure>,
    ) {
        if !self.calls.contains_key(&key) {
            return;
        }
        self.drop_call(plan, key);
        let Some(StepState::Active(active)) = self.steps.get_mut(key.step) else { return };
        active.live = active.live.saturating_sub(1);
        active.record(key.item, result);
        if let Some(end) = self.go_on(plan, key.step) {
            self.advance(plan, key.step, end);
        }
    }

    /// Ends the main steps, as far as SWF runs nothing for them.
    pub(super) fn give_up(&mut self, plan: &Plan) {
        for step in plan.section(Section::Main) {
            match self.steps.get(step) {
                Some(StepState::Pending) => self.advance(plan, step, StepState::Skipped),
                Some(StepState::Active(_)) => {
                    if let Some(end) = self.go_on(plan, step) {
                        self.advance(plan, step, end);
                    }
                }
                _ => {}
            }
        }
    }
}

impl Active {
    fn end(&mut self, given_up: bool) -> StepState {
        let unfinished = self.slots.contains(&Slot::Pending);
        if given_up && unfinished && self.failure.is_none() {
            return failed("cpe.canceled", "the execution was asked to cancel".to_owned());
        }
        match self.failure.take() {
            None => StepState::Succeeded(self.outputs()),
            Some(failure) => {
                let each = self.items.is_some();
                StepState::Failed(failure, each.then(|| self.outputs()))
            }
        }
    }
}

fn failed(reason: &str, details: String) -> StepState {
    StepState::Failed(StepFailure::new(reason, details), None)
}

fn brief(value: &serde_json::Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 80 {
        return text;
    }
    text.chars().take(80).chain("…".chars()).collect()
}
