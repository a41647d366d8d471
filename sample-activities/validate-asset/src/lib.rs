//! validate-asset.
