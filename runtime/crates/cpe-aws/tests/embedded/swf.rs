//! Amazon SWF.

pub(crate) mod children;
mod clocks;
pub(crate) mod decisions;
mod desk;
pub(crate) mod domains;
pub(crate) mod failed_decisions;
pub(crate) mod faults;
pub(crate) mod history;
pub(crate) mod limits;
pub(crate) mod lists;
pub(crate) mod making;
pub(crate) mod polls;
mod story;
pub(crate) mod timeouts;
pub(crate) mod types;
pub(crate) mod workers;

pub(crate) use self::desk::Desk;
