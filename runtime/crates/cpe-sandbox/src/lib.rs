//! cpe-sandbox.
