//! The ports over the AWS SDK: SWF, SQS and S3, of AWS itself or of any endpoint that speaks
//! their protocols.
//!
//! The only crate that names `aws_*`. It translates and keeps nothing: what an answer means is
//! decided by whoever called the port.
//!
//! Since the SDK is here, so is the suite that judges the embedded endpoint by it:
//! `tests/embedded`.

mod account;
mod connect;
mod credentials;
mod endpoint;
mod error;
#[cfg(test)]
mod fake;
mod payload;
mod s3;
mod sqs;
mod swf;

pub use self::connect::{Aws, AwsConfig, ConnectError, connect};
