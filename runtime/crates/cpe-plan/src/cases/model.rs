//! A test file after its check: every step that it names is in its plan, every mock fits its step.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use cpe_swf::WorkflowType;
use serde_json::Value;

use crate::{Plan, StepStatus};

/// Something, and where it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At<T> {
    /// From 1.
    pub line: u64,
    /// From 1, in characters.
    pub column: u64,
    /// What stands there.
    pub value: T,
}

/// One `*.test.yaml`.
#[derive(Debug, Clone)]
pub struct TestFile {
    /// The plan that is tested.
    pub plan: Arc<Plan>,
    /// The plans that its `plan` steps can run, theirs included.
    pub children: BTreeMap<WorkflowType, Arc<Plan>>,
    /// What becomes of a step that has no mock.
    pub unmocked: Unmocked,
    /// In the order of the file.
    pub cases: Vec<Case>,
}

/// What becomes of a step that runs and has no mock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unmocked {
    /// The case fails, and says so.
    #[default]
    Fail,
    /// It succeeds with `{}`.
    Succeed,
}

/// One execution, and what is expected of it.
#[derive(Debug, Clone)]
pub struct Case {
    /// Each once in a file.
    pub name: At<String>,
    /// The job's input, without `client` and `workflow`.
    pub input: Value,
    /// What the steps come to.
    pub mocks: Mocks,
    /// In the order of their times.
    pub signals: Vec<CaseSignal>,
    /// When the job is asked to cancel.
    pub cancel: Option<Duration>,
    /// The objects that real modules find: bucket, key, content.
    pub objects: BTreeMap<String, BTreeMap<String, ObjectContent>>,
    /// The virtual time after which the case is given up.
    pub limit: Duration,
    /// What is compared.
    pub expect: Expect,
}

/// What an object has in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectContent {
    /// This text.
    Text(String),
    /// What is in a file; the path is relative to the test file.
    File(At<String>),
}

/// A signal to the execution.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseSignal {
    /// Its name.
    pub name: String,
    /// When it is sent, from the start of the execution.
    pub after: Duration,
    /// Its input.
    pub input: Option<Value>,
}

/// What the steps of a plan come to, by their names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mocks(pub BTreeMap<String, Arc<StepMock>>);

/// What one step comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct StepMock {
    /// Where it stands.
    pub at: At<()>,
    /// Of a `foreach`, what certain items come to.
    pub items: BTreeMap<usize, Attempts>,
    /// What everything else comes to.
    pub otherwise: Option<Attempts>,
}

/// What the attempts of a step, or of an item, come to.
#[derive(Debug, Clone, PartialEq)]
pub enum Attempts {
    /// Every one the same.
    Each(Mock),
    /// One after the other; there are no more.
    List(Vec<Mock>),
}

/// What one attempt comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Mock {
    /// How long it takes.
    pub after: Duration,
    /// Whether it goes on when it is asked to cancel.
    pub ignores_cancel: bool,
    /// How it ends.
    pub end: MockEnd,
}

/// How an attempt ends.
#[derive(Debug, Clone, PartialEq)]
pub enum MockEnd {
    /// With a result.
    Result(Value),
    /// With a failure.
    Fail {
        /// A dotted code.
        reason: String,
        /// For people.
        details: String,
        /// What the activity itself says of it, if anything.
        retryable: Option<bool>,
    },
    /// Not at all: SWF's timeout passes.
    Timeout(TimeoutKind),
    /// As canceled.
    Canceled,
    /// As this component says; the path is relative to the test file, or in a folder of modules.
    Module(At<String>),
    /// As the child's own plan decides, whose steps come to this.
    Child(Mocks),
}

/// The timeouts of SWF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeoutKind {
    /// The worker takes too long; of a child, the execution lasts too long.
    StartToClose,
    /// No worker takes it.
    ScheduleToStart,
    /// It takes too long altogether.
    ScheduleToClose,
    /// The worker falls silent.
    Heartbeat,
}

/// What is expected of a case; only what is there is compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Expect {
    /// How the execution ends: `completed` unless the file says otherwise.
    pub status: At<ExecutionStatus>,
    /// Its result.
    pub output: Option<At<Value>>,
    /// With what it fails.
    pub failure: Option<At<ExpectedFailure>>,
    /// How much virtual time it takes.
    pub elapsed: Option<At<LengthRange>>,
    /// How many runs it takes, those that continue it included.
    pub runs: Option<At<u32>>,
    /// What becomes of its steps.
    pub steps: Vec<(At<String>, ExpectedStep)>,
    /// Steps in the order in which they begin; others may begin between them.
    pub order: Option<At<Vec<String>>>,
    /// What the client hears, from first to last.
    pub events: Option<At<Vec<ExpectedEvent>>>,
}

/// How an execution ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutionStatus {
    /// With a result.
    Completed,
    /// With a failure.
    Failed,
    /// After it was asked to cancel.
    Canceled,
    /// By SWF, after the longest time that it may last.
    TimedOut,
    /// Not at all: the job was refused, and nothing was started.
    Refused,
}

/// With what an execution fails.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExpectedFailure {
    /// The step that is to blame.
    pub step: Option<String>,
    /// Its reason.
    pub reason: Option<String>,
    /// A part of its details.
    pub details: Option<String>,
}

/// What becomes of a step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExpectedStep {
    /// What it comes to.
    pub status: Option<At<StepStatus>>,
    /// Activity tasks or children that it takes.
    pub attempts: Option<At<u32>>,
    /// Its rendered input; of a `foreach`, the list of them.
    pub input: Option<At<Value>>,
    /// Its output.
    pub output: Option<At<Value>>,
    /// With what it fails.
    pub reason: Option<At<String>>,
}

/// From and to, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LengthRange {
    /// At least.
    pub from: Duration,
    /// At most.
    pub to: Duration,
}

/// One event to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpectedEvent {
    /// Any number of any events: `...`.
    Any,
    /// One of this type; of this activity task, where that is said.
    One {
        /// Such as `JOB_STARTED`.
        kind: String,
        /// The activity's id: `Step`, `Step[2]`, `Step#2`.
        activity: Option<String>,
    },
}

impl StepMock {
    /// What an attempt comes to, if that is said.
    pub fn attempt(&self, item: Option<usize>, attempt: u32) -> Option<&Mock> {
        let of_item = item.and_then(|item| self.items.get(&item));
        match of_item.or(self.otherwise.as_ref())? {
            Attempts::Each(mock) => Some(mock),
            Attempts::List(list) => list.get(usize::try_from(attempt).ok()?.checked_sub(1)?),
        }
    }
}

impl ExecutionStatus {
    /// All of them, as they are written.
    pub const ALL: [(&'static str, Self); 5] = [
        ("completed", Self::Completed),
        ("failed", Self::Failed),
        ("canceled", Self::Canceled),
        ("timed_out", Self::TimedOut),
        ("refused", Self::Refused),
    ];

    /// As it is written.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, status)| *status == self).map_or("", |(name, _)| name)
    }
}

impl TimeoutKind {
    pub(super) const ALL: [(&'static str, Self); 4] = [
        ("start_to_close", Self::StartToClose),
        ("schedule_to_start", Self::ScheduleToStart),
        ("schedule_to_close", Self::ScheduleToClose),
        ("heartbeat", Self::Heartbeat),
    ];
}
