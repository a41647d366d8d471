//! Tests of plans: the format of `*.test.yaml`, read and checked against the plan that it tests.
//!
//! Pure, as the rest of this crate: plans come through [`PlanSource`], and what a case is run by
//! is not known here.

mod expect;
mod length;
mod load;
mod mock;
mod model;
mod schema;

pub use self::{
    length::{parse_length, show_length},
    load::PlanSource,
    model::{
        At, Attempts, Case, CaseSignal, ExecutionStatus, Expect, ExpectedEvent, ExpectedFailure,
        ExpectedStep, LengthRange, Mock, MockEnd, Mocks, ObjectContent, StepMock, TestFile,
        TimeoutKind, Unmocked,
    },
    schema::test_schema,
};

#[cfg(test)]
mod tests;
