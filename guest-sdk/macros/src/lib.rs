//! The `#[activity]` attribute.
