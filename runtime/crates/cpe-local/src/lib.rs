//! cpe-local.
