//! The host in memory, and through it what the crate does around it.
