//! The fold of a history: what has become of each step so far.
//!
//! Everything here follows from the plan and the events alone, one event at a time, so a decider
//! that kept the state applies only what is new and comes to the same as one that starts over. An
//! event costs what it sets in motion, whatever the number of steps and items.
//!
//! Decisions are made of a history that ends before them, and other events can come in between.
//! So what SWF carries out may be wanted no more by then: an activity task of a step that was
//! given up, a timer that nobody waits for. Such things are remembered, and ended as well.

mod calls;
mod cancel;
mod carry;
mod events;
mod hold;
mod open;
mod outcome;
mod phases;
mod progress;
mod render;
mod rerun;
mod signals;
mod timers;
mod told;

use std::collections::{BTreeMap, BTreeSet};

use cpe_swf::{
    ChildPolicy, EventId, MAX_PAYLOAD_CHARS, TaskList, Timeout, Timestamp, WorkflowExecution,
    limits,
};
use minijinja::Value;

pub(crate) use self::{
    calls::{Call, Stage},
    hold::{Hold, MORE_TIMER, RETRY_TIMER},
    open::{Kind, Open},
    progress::{Active, Slot},
    render::embed,
};
pub use self::{
    cancel::{CANCEL_ACTIVITY_SIGNAL, cancel_activity_input},
    rerun::{RERUN_TAG, Rerun, RerunError, taken_steps},
    told::StepStatus,
};
use self::{signals::Signals, timers::Timers};
use crate::{call::CallKey, model::Plan};

/// What has become of one run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunState {
    /// `__input__`, as templates see it.
    pub(crate) input: Value,
    /// How the run was started; `None` before that.
    pub(crate) origin: Option<Origin>,
    pub(crate) execution: Option<WorkflowExecution>,
    /// Whether texts can be longer than SWF takes: see [`RunState::by_reference`].
    by_reference: bool,
    /// Why the run cannot go on at all, such as an input that breaks the plan's `input_spec`.
    pub(crate) refused: Option<StepFailure>,
    pub(crate) steps: Vec<StepState>,
    /// For each step, how many of those that it requires have not come to their ends.
    waiting: Vec<usize>,
    pub(crate) phase: Phase,
    /// Of each section, the steps that have not come to an end.
    unsettled: [usize; 3],
    /// With what the main steps failed: the step's position, and why.
    pub(crate) failure: Option<(usize, StepFailure)>,
    /// Whether the execution was asked to cancel before its main steps had ended.
    pub(crate) canceled: bool,
    pub(crate) calls: BTreeMap<CallKey, Call>,
    /// Calls to hand to SWF.
    pub(crate) ready: BTreeSet<CallKey>,
    /// Activity tasks and children that SWF runs.
    pub(crate) open: Open,
    pub(crate) timers: Timers,
    signals: Signals,
    pub(crate) hold: Hold,
    /// Whether the timer is open that asks for the rest of a large batch.
    pub(crate) more_coming: bool,
    /// Whether SWF will not let this run be continued as a new one.
    pub(crate) stays: bool,
    /// Events after which it is; tests have no time for so many.
    pub(crate) continue_at: Option<i64>,
    pub(crate) closed: bool,
    last_event: EventId,
    /// When that event was written: the only clock here.
    now: Timestamp,
}

/// How a run was started, as far as the next one is to be started alike.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Origin {
    pub(crate) task_list: TaskList,
    pub(crate) task_priority: Option<String>,
    pub(crate) child_policy: ChildPolicy,
    pub(crate) tag_list: Vec<String>,
    pub(crate) lambda_role: Option<String>,
    pub(crate) execution_timeout: Option<Timeout>,
    pub(crate) decision_timeout: Option<Timeout>,
    pub(crate) started: Timestamp,
    /// Differs from run to run: stands for the run's id where nobody told it.
    pub(crate) seed: String,
}

/// What an execution is at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    #[default]
    Main,
    OnFailure,
    Finally,
    Done,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) enum StepState {
    #[default]
    Pending,
    Active(Box<Active>),
    Succeeded(Value),
    /// With what it offers all the same: the items of a `foreach` that succeeded.
    Failed(StepFailure, Option<Value>),
    Skipped,
}

/// Why a step failed: a stable dotted reason, and what people read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepFailure {
    /// At most 256 characters.
    pub reason: String,
    /// JSON text where it came from CPE's own workers; any text otherwise.
    pub details: String,
}

impl RunState {
    /// A run of which nothing is known but which one it is. Children are named after its workflow
    /// id, and waits before retries vary with its run id.
    pub fn of_execution(execution: WorkflowExecution) -> Self {
        Self { execution: Some(execution), ..Self::default() }
    }

    /// The job's input, as soon as the run has started: also of a run that continues another.
    pub fn input(&self) -> serde_json::Value {
        serde_json::to_value(&self.input).unwrap_or_default()
    }

    /// Lets inputs, results, details and continued states be longer than SWF takes (32,768
    /// characters), up to [`MAX_PAYLOAD_CHARS`]: whoever answers the decisions puts such texts
    /// elsewhere, and gives [`RunState::apply`] the texts themselves. All deciders of a fleet are
    /// to do the same.
    #[must_use]
    pub fn by_reference(self) -> Self {
        Self { by_reference: true, ..self }
    }

    /// Characters of one text.
    pub(crate) fn max_chars(&self) -> usize {
        if self.by_reference { MAX_PAYLOAD_CHARS } else { limits::DATA_CHARS }
    }

    /// The id of the last event applied; 0 before the first.
    pub fn last_event(&self) -> EventId {
        self.last_event
    }

    pub(crate) fn has_started(&self) -> bool {
        self.origin.is_some()
    }

    /// Whether the run has ended.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// The steps that wait for signals now: step and signal, in the order of the signals.
    pub fn awaited_signals(&self, plan: &Plan) -> Vec<(String, String)> {
        let named = self.signals.listeners().filter_map(|(signal, key)| {
            Some((plan.steps.get(key.step)?.name.clone(), signal.to_owned()))
        });
        named.collect()
    }

    /// When the last event was written.
    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// What differs from run to run, and is the same whoever decides.
    fn seed(&self) -> &str {
        let told = self.execution.as_ref().map(|execution| execution.run_id.as_str());
        told.or_else(|| self.origin.as_ref().map(|origin| origin.seed.as_str())).unwrap_or_default()
    }
}

impl StepFailure {
    pub(crate) fn new(reason: impl Into<String>, details: impl Into<String>) -> Self {
        Self { reason: reason.into(), details: details.into() }
    }
}
