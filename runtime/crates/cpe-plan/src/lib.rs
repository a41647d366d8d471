//! Plans: from YAML to a validated model, and from a history to the next decisions.
//!
//! Pure: no async, no clock, no I/O. The same plan and the same history always give the same
//! decisions, because SWF may hand out one decision task more than once.

#![warn(missing_docs)]

mod decide;
mod document;
mod error;
mod load;
mod model;
mod module_ref;
mod outputs;
mod schema;
mod state;
mod template;

pub use self::{
    decide::{decide, next_decisions},
    error::{PlanError, PlanErrors},
    model::{
        Access, Activity, Grants, Limits, Plan, Requirement, Requires, S3Grant, Step, StepWork,
    },
    module_ref::{ModuleRef, ModuleRefError},
    schema::Schema,
    state::{RunState, StepFailure},
};
