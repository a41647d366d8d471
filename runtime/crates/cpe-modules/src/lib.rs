//! cpe-modules.
