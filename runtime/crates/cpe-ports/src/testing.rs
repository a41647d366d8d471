//! Fakes of the ports, for tests of what is built on them.

mod blobs;
mod clock;
mod queues;

pub use self::{
    blobs::{BodyFault, MemoryBlobs},
    clock::ManualClock,
    queues::MemoryQueues,
};
