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
    pub name: String,
    pub version: String,
    pub default_execution_start_to_close_timeout: Timeout,
    pub default_task_start_to_close_timeout: Timeout,
    /// What a job's input must satisfy.
    pub input_spec: Option<Schema>,
    pub activities: Vec<Activity>,
    pub steps: Vec<Step>,
    pub(crate) templates: Templates,
    /// Step names to positions in `steps`.
    pub(crate) by_name: BTreeMap<String, usize>,
    /// For each step, those that require it.
    pub(crate) dependents: Vec<Vec<usize>>,
    pub(crate) text: String,
    pub(crate) digest: String,
}

/// What a step can run: an SWF activity type, and the module it is bound to.
#[derive(Debug, Clone)]
pub struct Activity {
    pub activity_type: ActivityType,
    pub task_list: TaskList,
    pub heartbeat_timeout: Timeout,
    pub schedule_to_close_timeout: Timeout,
    pub schedule_to_start_timeout: Timeout,
    pub start_to_close_timeout: Timeout,
    pub input_spec: Option<Schema>,
    /// `None` for an activity whose workers are not CPE's.
    pub module: Option<ModuleRef>,
    /// `sha256:…`: any other module is refused.
    pub digest: Option<String>,
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

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    pub s3: Vec<S3Grant>,
}

/// Access to the keys of one bucket that begin with `prefix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Grant {
    pub bucket: String,
    pub prefix: String,
    pub access: Access,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
    ReadWrite,
}

#[derive(Debug, Clone)]
pub struct Step {
    pub name: String,
    pub work: StepWork,
    pub requires: Vec<Requires>,
}

/// What a step does.
#[derive(Debug, Clone)]
pub enum StepWork {
    /// Runs the activity at this position of [`Plan::activities`].
    Activity { activity: usize, input: StepInput },
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
    pub status: Requirement,
}

/// The status that a required step must come to. The original's statuses pending, ready,
/// running and aborted are none that a step can end with, and are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requirement {
    /// Succeeded, failed or skipped.
    Completed,
    Succeeded,
    Failed,
    Skipped,
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

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn workflow_type(&self) -> WorkflowType {
        WorkflowType::new(self.name.as_str(), self.version.as_str())
    }

    pub fn activity(&self, activity_type: &ActivityType) -> Option<&Activity> {
        self.activities.iter().find(|activity| &activity.activity_type == activity_type)
    }

    /// Whether `input` may start a job of this plan; all that is wrong with it if not.
    pub fn check_input(&self, input: &Value) -> Result<(), Vec<String>> {
        self.input_spec.as_ref().map_or(Ok(()), |schema| schema.check(input))
    }
}

impl Activity {
    pub fn check_input(&self, input: &Value) -> Result<(), Vec<String>> {
        self.input_spec.as_ref().map_or(Ok(()), |schema| schema.check(input))
    }
}
