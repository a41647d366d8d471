//! Time that stands still until somebody moves it.

use std::sync::atomic::{AtomicI64, Ordering};

use cpe_ports::Clock;
use cpe_swf::Timestamp;

/// The clock of an endpoint in virtual time. It is moved by [`crate::Local::pass_time`] and by
/// `POST /_cpe/clock`, and never goes back.
#[derive(Debug)]
pub struct VirtualClock(AtomicI64);

impl VirtualClock {
    pub fn at(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.as_millis()))
    }

    pub(crate) fn move_to(&self, time: Timestamp) {
        self.0.fetch_max(time.as_millis(), Ordering::SeqCst);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}
