//! The embedded endpoint, judged by the AWS SDK: every operation that `cpe-local` serves, and
//! every fault that it can give, as the SDK's own types.
//!
//! What passes here is what a program sees that was written for AWS. The SDK is used as it is,
//! and not through this crate's ports: other programs have only that. Time is virtual, so that
//! hours pass at once.

#![allow(clippy::unwrap_used, reason = "all of this is a test")]
#![allow(clippy::indexing_slicing, reason = "a test that looks for what is not there fails")]

/// Makes a call that is to be refused, and gives the fault if it is of that type.
macro_rules! refused {
    ($call:expr, $fault:path) => {
        match $call.send().await.expect_err("this is to be refused").into_service_error() {
            $fault(fault) => fault,
            other => panic!("not {}, but {other:?}", stringify!($fault)),
        }
    };
}

/// Makes a call that is to be refused with a fault that the service model does not name, and
/// gives its code.
macro_rules! code_of {
    ($call:expr) => {{
        use aws_smithy_types::error::metadata::ProvideErrorMetadata;
        let error = $call.send().await.expect_err("this is to be refused");
        error.code().unwrap_or_default().to_owned()
    }};
}

mod coverage;
mod heard;
mod s3;
mod signed;
mod sqs;
mod swf;
mod world;
