//! cpe-tests.
