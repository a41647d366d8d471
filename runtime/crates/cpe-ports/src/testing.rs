//! Fakes of the ports, and ports that fail, for tests of what is built on them.

mod blobs;
mod clock;
mod faults;
mod queues;

pub use self::{
    blobs::{BodyFault, MemoryBlobs},
    clock::ManualClock,
    faults::{FaultRates, Faults, Moment},
    queues::MemoryQueues,
};
