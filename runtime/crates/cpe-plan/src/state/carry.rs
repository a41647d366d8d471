//! From one run to the next: a history that grows too long is continued by a new run, whose input
//! holds what the old one had come to.
//!
//! The envelope is `{"cpe.continued": {"v": 1, …}}`. Steps and calls have their names in it, so
//! that nothing depends on positions. SWF runs nothing at that moment; timers go on for what they
//! had left.

use cpe_swf::Timeout;
use minijinja::Value;
use serde::{Deserialize, Serialize};

use super::{Active, Call, Phase, RunState, Slot, Stage, StepFailure, StepState};
use crate::{call::CallKey, model::Plan};

/// Of the envelope's form.
const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Envelope {
    #[serde(rename = "cpe.continued")]
    continued: Continued,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Continued {
    v: u32,
    /// The digest of the plan that decided so far, or of the one that is to go on.
    plan: String,
    input: Value,
    phase: u8,
    #[serde(default, skip_serializing_if = "is_false")]
    canceled: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<(String, String, String)>,
    steps: Vec<(String, Carried)>,
    calls: Vec<CarriedCall>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    signals: Vec<(String, Value)>,
}

/// A step that is no longer pending.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Carried {
    Succeeded(Value),
    Failed(String, String, Option<Value>),
    Skipped,
    Active {
        next: usize,
        /// The items that have ended well, with their outputs.
        done: Vec<(usize, Value)>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        failed: Vec<usize>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<(String, String)>,
        #[serde(default, skip_serializing_if = "is_false")]
        stopped: bool,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct CarriedCall {
    step: String,
    item: usize,
    attempt: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    refusals: u32,
    stage: CarriedStage,
    /// Seconds that its timer has to go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timer: Option<u32>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum CarriedStage {
    /// Its input is rendered again, from the same outputs.
    Ready,
    Waiting,
    BackingOff,
    Listening,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Continued {
    /// Of a run that begins with nothing but what these steps came to.
    pub(super) fn of_steps(plan: &Plan, input: Value, steps: Vec<(String, Carried)>) -> Self {
        let (v, plan, phase) = (VERSION, plan.digest().to_owned(), Phase::Main as u8);
        Self { v, plan, input, phase, steps, ..Self::default() }
    }
}

impl RunState {
    /// The input of the run that is to continue this one.
    pub(crate) fn to_continued(&self, plan: &Plan) -> String {
        let name = |step: usize| plan.steps.get(step).map(|step| step.name.clone());
        let steps = self
            .steps
            .iter()
            .enumerate()
            .filter_map(|(index, state)| Some((name(index)?, carried(state)?)))
            .collect();
        let failure = self.failure.as_ref().and_then(|(step, failure)| {
            Some((name(*step)?, failure.reason.clone(), failure.details.clone()))
        });
        let calls = self.calls.iter().filter_map(|(key, call)| {
            Some(CarriedCall {
                step: name(key.step)?,
                item: key.item,
                attempt: call.attempt,
                refusals: call.refusals,
                stage: match &call.stage {
                    Stage::Ready(_) => CarriedStage::Ready,
                    Stage::Waiting => CarriedStage::Waiting,
                    Stage::BackingOff => CarriedStage::BackingOff,
                    Stage::Listening => CarriedStage::Listening,
                    Stage::Open => return None,
                },
                timer: call.timer.map(|whole| {
                    let id = self.timer_id(plan, *key, call);
                    self.timers.remaining(&id, self.now()).unwrap_or(whole)
                }),
            })
        });
        let signals = self.signals.kept();
        envelope(Continued {
            v: VERSION,
            plan: plan.digest().to_owned(),
            input: self.input.clone(),
            phase: self.phase as u8,
            canceled: self.canceled,
            failure,
            steps,
            calls: calls.collect(),
            signals: signals.map(|(name, payload)| (name.to_owned(), payload.clone())).collect(),
        })
    }

    /// Seconds that the next run may take: what is left of the whole execution's time.
    pub(crate) fn time_left(&self) -> Option<Timeout> {
        let origin = self.origin.as_ref()?;
        let whole = origin.execution_timeout?.as_duration()?;
        let left = whole.saturating_sub(self.now().since(origin.started));
        match Timeout::from_duration(left) {
            Timeout::Seconds(seconds) => Some(Timeout::Seconds(seconds.max(1))),
            Timeout::None => None,
        }
    }

    /// Goes on where another run stopped; `false` if the input does not say where.
    pub(super) fn resume(&mut self, plan: &Plan, input: Option<&str>) -> bool {
        let Some(continued) = input.and_then(parse) else { return false };
        self.input = continued.input;
        self.canceled = continued.canceled;
        self.phase = match continued.phase {
            0 => Phase::Main,
            1 => Phase::OnFailure,
            2 => Phase::Finally,
            _ => Phase::Done,
        };
        self.failure = continued.failure.and_then(|(name, reason, details)| {
            Some((plan.step_named(&name)?, StepFailure { reason, details }))
        });
        for (name, payload) in continued.signals {
            self.signals.keep(&name, payload);
        }
        let mut active = Vec::new();
        for (name, carried) in continued.steps {
            let Some(step) = plan.step_named(&name) else { continue };
            if let Some(state) = settled(&carried)
                && let Some(slot) = self.steps.get_mut(step)
            {
                *slot = state;
            } else {
                active.push((step, carried));
            }
        }
        self.waiting = plan
            .steps
            .iter()
            .map(|step| {
                let ended = |r: &&crate::model::Requires| {
                    self.steps.get(r.step).is_some_and(StepState::has_ended)
                };
                step.requires.len() - step.requires.iter().filter(ended).count()
            })
            .collect();
        self.count_unsettled(plan);
        // Lists are rendered anew, which needs all outputs in their places.
        for (step, carried) in active {
            self.resume_step(plan, step, carried);
        }
        for call in continued.calls {
            self.resume_call(plan, call);
        }
        self.resume_sections(plan);
        true
    }

    fn resume_step(&mut self, plan: &Plan, step: usize, carried: Carried) {
        let Carried::Active { next, done, failed, failure, stopped } = carried else { return };
        let mut active = match self.list(plan, step) {
            Ok(items) => Active::new(items),
            // Only another plan can do this: see the digest.
            Err(details) => {
                let failure = StepFailure::new("cpe.bad-foreach", details);
                return self.advance(plan, step, StepState::Failed(failure, None));
            }
        };
        active.next = next;
        active.stopped = stopped;
        active.failure = failure.map(|(reason, details)| StepFailure { reason, details });
        let done = done.into_iter().map(|(item, output)| (item, Slot::Done(output)));
        for (item, ended) in done.chain(failed.into_iter().map(|item| (item, Slot::Failed))) {
            if let Some(slot) = active.slots.get_mut(item) {
                *slot = ended;
            }
        }
        if let Some(slot) = self.steps.get_mut(step) {
            *slot = StepState::Active(Box::new(active));
        }
    }

    fn resume_call(&mut self, plan: &Plan, carried: CarriedCall) {
        let Some(step) = plan.step_named(&carried.step) else { return };
        let key = CallKey { step, item: carried.item };
        let Some(StepState::Active(active)) = self.steps.get_mut(step) else { return };
        if self.calls.contains_key(&key) || active.slots.get(key.item) != Some(&Slot::Pending) {
            return;
        }
        active.live += 1;
        let (attempt, refusals, timer) = (carried.attempt, carried.refusals, carried.timer);
        let stage = match carried.stage {
            CarriedStage::Waiting => Stage::Waiting,
            CarriedStage::BackingOff => Stage::BackingOff,
            CarriedStage::Listening => Stage::Listening,
            CarriedStage::Ready => {
                // Not yet ready: its input is still to be rendered.
                self.calls.insert(key, Call { attempt, refusals, stage: Stage::Open, timer: None });
                return self.call_again(plan, key);
            }
        };
        self.put_call(plan, key, Call { attempt, refusals, stage, timer });
    }

    /// What was to be begun next is begun here.
    fn resume_sections(&mut self, plan: &Plan) {
        // Where another execution's results are taken, nobody has looked yet at what they lead to.
        for step in plan.in_order() {
            if self.cannot_run(plan, step) {
                self.advance(plan, step, StepState::Skipped);
            }
        }
        for step in 0..plan.steps.len() {
            if matches!(self.steps.get(step), Some(StepState::Active(_))) {
                if let Some(end) = self.go_on(plan, step) {
                    self.advance(plan, step, end);
                }
            } else {
                self.consider(plan, step);
            }
        }
    }
}

/// The text of what is carried.
impl Continued {
    /// `None` of an input that is none.
    pub(super) fn parse(input: &str) -> Option<Self> {
        serde_json::from_str::<Envelope>(input).ok().map(|envelope| envelope.continued)
    }

    pub(super) fn into_step_names(self) -> Vec<String> {
        self.steps.into_iter().map(|(name, _)| name).collect()
    }
}

pub(super) fn envelope(continued: Continued) -> String {
    serde_json::to_string(&Envelope { continued }).unwrap_or_else(|_| "null".to_owned())
}

pub(super) fn carried(state: &StepState) -> Option<Carried> {
    Some(match state {
        StepState::Pending => return None,
        StepState::Skipped => Carried::Skipped,
        StepState::Succeeded(output) => Carried::Succeeded(output.clone()),
        StepState::Failed(failure, output) => {
            Carried::Failed(failure.reason.clone(), failure.details.clone(), output.clone())
        }
        StepState::Active(active) => {
            let slots = active.slots.iter().enumerate();
            let mut done = Vec::new();
            let mut failed = Vec::new();
            for (item, slot) in slots {
                match slot {
                    Slot::Pending => {}
                    Slot::Done(output) => done.push((item, output.clone())),
                    Slot::Failed => failed.push(item),
                }
            }
            let failure = active.failure.as_ref();
            Carried::Active {
                next: active.next,
                done,
                failed,
                failure: failure.map(|f| (f.reason.clone(), f.details.clone())),
                stopped: active.stopped,
            }
        }
    })
}

fn settled(carried: &Carried) -> Option<StepState> {
    Some(match carried {
        Carried::Succeeded(output) => StepState::Succeeded(output.clone()),
        Carried::Failed(reason, details, output) => {
            StepState::Failed(StepFailure::new(reason, details), output.clone())
        }
        Carried::Skipped => StepState::Skipped,
        Carried::Active { .. } => return None,
    })
}

fn parse(input: &str) -> Option<Continued> {
    let envelope: Envelope = serde_json::from_str(input).ok()?;
    (envelope.continued.v == VERSION).then_some(envelope.continued)
}
