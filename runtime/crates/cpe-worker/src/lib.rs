//! cpe-worker.
