//! The requests and answers of SWF's operations, in their wire form (JSON 1.0).
//!
//! Source: the actions of the SWF API reference, version 2012-01-25.

mod execution;
mod polling;
mod registration;
mod visibility;

pub use self::{execution::*, polling::*, registration::*, visibility::*};
