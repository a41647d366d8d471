//! misbehave.
