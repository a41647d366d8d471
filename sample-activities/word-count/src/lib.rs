//! word-count.
