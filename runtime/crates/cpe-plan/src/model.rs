//! A plan after validation: everything it names exists, every template and schema compiles.

use std::{collections::BTreeMap, time::Duration};

use cpe_swf::{ActivityType, TaskList, Timeout, WorkflowType};
use serde_json::Value;

use crate::{
    error::{PlanErrors, Problems},
    load,
    module_ref::ModuleRef,
    outputs::OutputsSpec,
    schema::Schema,
    template::{TemplateId, Templates},
};

/// A workflow author's plan.
#[derive(Debug)]
pub struct Plan {
    /// SWF's name of the workflow type.
    pub name: String,
    /// SWF's version of the workflow type.
    pub version: String,
    /// How long an execution may last.
    pub default_execution_start_to_close_timeout: Timeout,
    /// How long a decision may take.
    pub default_task_start_to_close_timeout: Timeout,
    /// What a job's input must satisfy.
    pub input_spec: Option<Schema>,
    /// What steps can run.
    pub activities: Vec<Activity>,
    /// In the order of the file, which is the order in which ready ones are scheduled.
    pub steps: Vec<Step>,
    pub(crate) templates: Templates,
    /// Step names to positions in `steps`.
    pub(crate) by_name: BTreeMap<String, usize>,
    /// For each step, those that require it.
    pub(crate) dependents: Vec<Vec<Dependent>>,
    /// For each step, whether its failure is provided for.
    pub(crate) handled: Vec<bool>,
    pub(crate) text: String,
    pub(crate) digest: String,
}

/// What a step can run: an SWF activity type, and the module it is bound to.
#[derive(Debug, Clone)]
pub struct Activity {
    /// Its name and version.
    pub activity_type: ActivityType,
    /// Where its workers poll.
    pub task_list: TaskList,
    /// The longest between two heartbeats.
    pub heartbeat_timeout: Timeout,
    /// The longest from its scheduling to its end.
    pub schedule_to_close_timeout: Timeout,
    /// The longest that it waits for a worker.
    pub schedule_to_start_timeout: Timeout,
    /// The longest that a worker may take.
    pub start_to_close_timeout: Timeout,
    /// What its input must satisfy.
    pub input_spec: Option<Schema>,
    /// `None` for an activity whose workers are not CPE's.
    pub module: Option<ModuleRef>,
    /// `sha256:…`: any other module is refused.
    pub digest: Option<String>,
    /// What its module may use.
    pub limits: Limits,
    /// `None` asks for whatever the operator allows the client.
    pub grants: Option<Grants>,
    pub(crate) outputs_spec: OutputsSpec,
}

/// What one activity task may use; `None` leaves the worker's default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of linear memory.
    pub memory: Option<u64>,
    /// Time on the CPU.
    pub cpu: Option<Duration>,
    /// Bytes of the result.
    pub output: Option<u64>,
}

/// What an activity asks to reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// Objects.
    pub s3: Vec<S3Grant>,
}

/// Access to the keys of one bucket that begin with `prefix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Grant {
    /// The bucket's name.
    pub bucket: String,
    /// May be empty: all keys.
    pub prefix: String,
    /// Reading, writing, or both.
    pub access: Access,
}

/// What a grant allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// `read`.
    Read,
    /// `write`.
    Write,
    /// `read-write`.
    ReadWrite,
}

/// One node of a plan.
#[derive(Debug, Clone)]
pub struct Step {
    /// Also the id of its activity task.
    pub name: String,
    /// What it does.
    pub work: StepWork,
    /// What must have ended before, each step at most once.
    pub requires: Vec<Requires>,
}

/// What a step does.
#[derive(Debug, Clone)]
pub enum StepWork {
    /// Runs the activity at this position of [`Plan::activities`].
    Activity {
        /// Position of the activity.
        activity: usize,
        /// The template of its input.
        input: StepInput,
    },
    /// Renders a template; no worker is involved.
    Eval(StepInput),
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
    /// Its own requirements were not met.
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

impl Plan {
    /// Reads and validates a plan. `file_name` is for messages.
    ///
    /// # Errors
    ///
    /// Every mistake of the plan, with its place.
    pub fn parse(file_name: &str, text: &str) -> Result<Self, PlanErrors> {
        let mut problems = Problems::new(file_name, text);
        match load::load(text, &mut problems) {
            Some(plan) if problems.is_empty() => Ok(plan),
            _ => Err(problems.into_errors()),
        }
    }

    /// SHA-256 of the text, in hex: what an execution is decided by to its end.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The plan as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// SWF's type for executions of this plan.
    pub fn workflow_type(&self) -> WorkflowType {
        WorkflowType::new(self.name.as_str(), self.version.as_str())
    }

    /// The activity of that type, if the plan has it.
    pub fn activity(&self, activity_type: &ActivityType) -> Option<&Activity> {
        self.activities.iter().find(|activity| &activity.activity_type == activity_type)
    }

    pub(crate) fn step_named(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// Whether some step requires this one with an explicit `failed` or `completed`.
    pub(crate) fn is_failure_handled(&self, step: usize) -> bool {
        self.handled.get(step) == Some(&true)
    }

    /// Whether `input` may start a job of this plan.
    ///
    /// # Errors
    ///
    /// What is wrong with it, each with its place.
    pub fn check_input(&self, input: &Value) -> Result<(), Vec<String>> {
        self.input_spec.as_ref().map_or(Ok(()), |schema| schema.check(input))
    }
}

impl Activity {
    /// Whether `input` may be given to the activity.
    ///
    /// # Errors
    ///
    /// What is wrong with it, each with its place.
    pub fn check_input(&self, input: &Value) -> Result<(), Vec<String>> {
        self.input_spec.as_ref().map_or(Ok(()), |schema| schema.check(input))
    }
}
