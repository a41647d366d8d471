//! transcode-asset.
