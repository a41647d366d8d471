//! Steps: what each does, when, how often, and what becomes of its failure.

use cpe_swf::WorkflowType;

use super::Retry;
use crate::template::TemplateId;

/// One node of a plan.
#[derive(Debug, Clone)]
pub struct Step {
    /// Also the id of its activity task.
    pub name: String,
    /// The list that it stands in.
    pub section: Section,
    /// What it does.
    pub work: StepWork,
    /// What must have ended before, each step at most once.
    pub requires: Vec<Requires>,
    /// Renders to whether it runs, once it could.
    pub when: Option<StepInput>,
    /// Does its work once for each item of a list.
    pub foreach: Option<ForEach>,
    /// When a failed attempt is made again: the step's own, or its activity's.
    pub retry: Option<Retry>,
    /// Whether the execution may succeed though the step failed.
    pub allow_failure: bool,
}

/// The lists of steps, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// `steps`.
    Main,
    /// `on_failure`: runs when the main steps have ended with a failure.
    OnFailure,
    /// `finally`: runs last, whatever happened.
    Finally,
}

/// What a step does.
#[derive(Debug, Clone)]
pub enum StepWork {
    /// Runs the activity at this position of [`crate::Plan::activities`].
    Activity {
        /// Position of the activity.
        activity: usize,
        /// The template of its input.
        input: StepInput,
    },
    /// Renders a template; no worker is involved.
    Eval(StepInput),
    /// Lets time pass.
    Wait {
        /// Whole seconds: SWF's timers know no others.
        seconds: u32,
    },
    /// Waits for a signal, whose input is the output.
    Signal {
        /// The signal's name.
        name: String,
        /// Seconds until the step fails without it.
        timeout: Option<u32>,
    },
    /// Runs another workflow, whose result is the output.
    Child {
        /// Its plan's name and version.
        workflow_type: WorkflowType,
        /// The template of its input.
        input: StepInput,
        /// Seconds that it may take; otherwise what its type says.
        timeout: Option<u32>,
    },
}

/// A list, of which each item is worked on for itself.
#[derive(Debug, Clone)]
pub struct ForEach {
    /// Renders to the list.
    pub list: StepInput,
    /// Items that are worked on at a time.
    pub max_parallel: usize,
}

/// A compiled template with the steps that it names.
#[derive(Debug, Clone)]
pub struct StepInput {
    pub(crate) template: TemplateId,
    pub(crate) steps: Vec<usize>,
}

/// One item of `requires`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requires {
    /// Position of the required step.
    pub step: usize,
    /// What it must have come to.
    pub status: Requirement,
    /// Whether the plan names the status, as in `[A, failed]`. A bare name means `completed`,
    /// but does not say that the author has thought of failure.
    pub explicit: bool,
}

/// The status that a required step must come to.
///
/// A requirement is looked at when the required step has ended. The original's `pending` held of
/// every step then, and so reads as `Completed`; its `ready`, `running` and `aborted` held of
/// none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requirement {
    /// Succeeded, failed or skipped.
    Completed,
    /// Its activity task completed, or its template rendered.
    Succeeded,
    /// Its activity task failed, timed out or was canceled; or its template did not render.
    Failed,
    /// Its own requirements were not met, or its `when` was false.
    Skipped,
    /// None that a step ends with: the step that requires it is always skipped.
    Never,
}

/// A step that requires another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dependent {
    pub(crate) step: usize,
    pub(crate) requirement: Requirement,
}
