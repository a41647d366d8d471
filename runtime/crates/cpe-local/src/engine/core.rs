//! The state that the engine's thread owns, as jobs see it.

use std::time::Duration;

use cpe_swf::Timestamp;
use rusqlite::Connection;

use super::polls::Waiting;
use crate::{
    sqs::{self, Sqs},
    swf::{self, Swf},
};

/// How often closed runs are looked for whose domain's retention has passed, and how many are
/// forgotten in one transaction.
const HOUSEKEEPING: Duration = Duration::from_secs(600);
const FORGET_AT_ONCE: u32 = 200;

/// The region of a client that does not say where it is.
pub(crate) const DEFAULT_REGION: &str = "us-east-1";

/// Database and machines. Every job gets it, one at a time.
#[derive(Debug)]
pub(crate) struct Core {
    /// In a transaction already. Must not be committed or rolled back by a job.
    pub(crate) db: Connection,
    /// What time it is for the job that runs. Never goes back.
    pub(crate) now: Timestamp,
    pub(crate) swf: Swf,
    pub(crate) sqs: Sqs,
    pub(super) waiting: Waiting,
    clean_up_at: Timestamp,
    /// What a job found wrong with the database. The transaction fails with it.
    broken: Option<rusqlite::Error>,
}

impl Core {
    /// Loads what the machines keep in memory.
    pub(super) fn load(db: Connection, now: Timestamp) -> rusqlite::Result<Self> {
        let swf = swf::tables::load(&db)?;
        let sqs = sqs::tables::load(&db)?;
        Ok(Self { db, now, swf, sqs, waiting: Waiting::default(), clean_up_at: now, broken: None })
    }

    /// Gives SWF a command.
    pub(crate) fn swf<T>(&mut self, command: impl FnOnce(&mut Swf, &swf::Call<'_>) -> T) -> T {
        self.swf_in(DEFAULT_REGION, command)
    }

    /// Gives SWF a command of a client in that region.
    pub(crate) fn swf_in<T>(
        &mut self,
        region: &str,
        command: impl FnOnce(&mut Swf, &swf::Call<'_>) -> T,
    ) -> T {
        command(&mut self.swf, &swf::Call { now: self.now, region, archive: &self.db })
    }

    /// Lets the machines do what is due by now.
    pub(super) fn fire_due(&mut self) -> rusqlite::Result<()> {
        self.swf(Swf::fire_due);
        self.sqs.fire_due(self.now);
        if self.now >= self.clean_up_at {
            self.clean_up()?;
        }
        self.write()
    }

    fn clean_up(&mut self) -> rusqlite::Result<()> {
        let forgotten = swf::tables::forget_expired(&self.db, &self.swf, self.now, FORGET_AT_ONCE)?;
        // Many at once are forgotten bit by bit, so that nobody has to wait for it.
        let more = forgotten >= FORGET_AT_ONCE;
        self.clean_up_at = self.now + if more { Duration::from_secs(1) } else { HOUSEKEEPING };
        Ok(())
    }

    /// Writes what the machines changed.
    pub(super) fn write(&mut self) -> rusqlite::Result<()> {
        swf::tables::write(&self.db, &self.swf.take_writes())?;
        sqs::tables::write(&self.db, self.sqs.take_writes())
    }

    /// Says that the state cannot be read or written, so that this transaction must not be
    /// committed.
    pub(super) fn broken(&mut self, error: rusqlite::Error) {
        self.broken.get_or_insert(error);
    }

    pub(super) fn take_broken(&mut self) -> rusqlite::Result<()> {
        self.broken.take().map_or(Ok(()), Err)
    }

    /// When something is due next.
    pub(super) fn next_deadline(&self) -> Timestamp {
        self.next_event().map_or(self.clean_up_at, |at| at.min(self.clean_up_at))
    }

    /// When a client will see that something happened by itself, if nobody calls before.
    pub(super) fn next_event(&self) -> Option<Timestamp> {
        self.swf.next_deadline().into_iter().chain(self.sqs.next_deadline()).min()
    }

    /// Forgets everything: an endpoint as it is when it was opened for the first time.
    ///
    /// Queues get numbers that were never given, so whoever waits in one that is gone is not
    /// given messages of another.
    pub(crate) fn reset(&mut self) -> rusqlite::Result<()> {
        let tables: Vec<String> = self
            .db
            .prepare(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
            )?
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for table in tables {
            self.db.execute_batch(&format!("DROP TABLE \"{table}\""))?;
        }
        for create in crate::TABLES {
            create(&self.db)?;
        }
        self.swf.reset();
        self.sqs.reset();
        Ok(())
    }
}
