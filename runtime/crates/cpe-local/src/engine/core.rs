//! The state that the engine's thread owns, as jobs see it.

use cpe_swf::Timestamp;
use rusqlite::Connection;

/// Database and machines. Every job gets it, one at a time.
#[derive(Debug)]
pub(crate) struct Core {
    /// In a transaction already. Must not be committed or rolled back by a job.
    pub(crate) db: Connection,
    /// What time it is for the job that runs. Never goes back.
    pub(crate) now: Timestamp,
}

impl Core {
    /// Loads what the machines keep in memory.
    pub(super) fn load(db: Connection, now: Timestamp) -> rusqlite::Result<Self> {
        Ok(Self { db, now })
    }

    /// Lets the machines do what is due by now.
    pub(super) fn fire_due(&mut self) {}

    /// Writes what the machines changed.
    pub(super) fn write(&mut self) -> rusqlite::Result<()> {
        Ok(())
    }

    /// Ends a batch: gives what became ready to those who wait for it, and writes the rest.
    pub(super) fn settle(&mut self) -> rusqlite::Result<()> {
        self.write()
    }

    /// Tells waiting pollers what they were found, after the commit.
    pub(super) fn release(&mut self) {}

    /// When something is due next.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        None
    }
}
