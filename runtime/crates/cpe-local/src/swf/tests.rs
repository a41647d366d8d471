//! How SWF behaves, told as histories.

mod bench;
mod children;
mod decisions;
mod faults;
mod invariants;
mod lifecycle;
mod memory;
mod recordings;
mod time;
mod timeouts;
mod visibility;

use self::bench::Bench;
