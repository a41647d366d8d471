//! The traits through which the core reaches the world: workflow service, message queue,
//! object store and clock.
//!
//! What implements them (AWS, the embedded engine, the fakes under [`testing`]) is not known here,
//! and must not be.

mod account;
mod blobs;
mod checksum;
mod clock;
mod error;
mod queue;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod workflow;

pub use self::{
    account::{Account, Caller},
    blobs::{
        BlobStore, ByteRange, ByteStream, CompletedPart, GetObject, ListObjects, ListPage,
        ObjectAddress, ObjectMeta, PutCondition, PutOptions, StoredPart, UploadId,
    },
    checksum::{Checksum, ChecksumAlgorithm, ChecksumCheck},
    clock::{Clock, SystemClock},
    error::{Error, ErrorKind},
    queue::{
        BatchOutcome, MAX_BATCH, Message, MessageQueue, OutgoingMessage, QueueUrl, ReceiptHandle,
        Receive,
    },
    workflow::WorkflowService,
};
