//! cpe-aws.
