//! cpe-guest.
