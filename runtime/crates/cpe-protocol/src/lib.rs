//! cpe-protocol.
