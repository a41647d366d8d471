//! Fakes of the ports, for tests of what is built on them.

mod clock;

pub use self::clock::ManualClock;
