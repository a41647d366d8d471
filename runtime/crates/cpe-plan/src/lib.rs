//! cpe-plan.
