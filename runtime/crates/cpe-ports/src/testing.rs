//! Fakes of the ports, and ports that fail, for tests of what is built on them.

mod blobs;
mod clock;
mod queues;
mod faults;

pub use self::{
    blobs::{BodyFault, MemoryBlobs},
    clock::ManualClock,
    queues::MemoryQueues,
    faults::{FaultRates, Faults, Moment},
};
