//! Plans: from YAML to a validated model, and from a history to the next decisions.
//!
//! Pure: no async, no clock, no I/O. The same plan and the same history always give the same
//! decisions, because SWF may hand out one decision task more than once.

#![warn(missing_docs)]

mod budget;
mod call;
pub mod cases;
mod decide;
mod document;
mod error;
mod graph;
mod load;
mod model;
mod module_ref;
mod outputs;
mod plan_schema;
mod replay;
mod schema;
mod state;
mod template;
mod types;
mod warnings;

pub use self::{
    budget::{Budget, BudgetInput, CallBudget, StepBudget},
    call::{ActivityIdParts, parse_activity_id},
    decide::{decide, next_decisions},
    error::{PlanError, PlanErrors},
    load::{parse_duration, parse_size},
    model::{
        Access, Activity, Ending, ForEach, Grants, Limits, Plan, ReasonPattern, Requirement,
        Requires, Retry, S3Grant, Section, Step, StepInput, StepWork, Upgrade,
    },
    module_ref::{ModuleRef, ModuleRefError},
    plan_schema::plan_schema,
    replay::{Difference, Replay, ReplayedDecisions, read_history, replay},
    schema::Schema,
    state::{
        CANCEL_ACTIVITY_SIGNAL, RERUN_TAG, Rerun, RerunError, RunState, StepFailure, StepStatus,
        cancel_activity_input, taken_steps,
    },
    types::{ModuleType, ModuleTypes, Need, TypeReport},
    warnings::PlanWarning,
};
