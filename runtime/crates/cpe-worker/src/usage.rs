//! What each client has used today, and how many of its activity tasks run: counted by every
//! worker for itself, written beside what else the fleet keeps, and added up by whoever has to
//! know. No worker waits for another, so what is known of a moment is a few seconds old.
//!
//! A day is a day in UTC. A worker that is killed loses what it counted since it wrote last.

mod reading;
mod writing;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cpe_ports::{BlobStore, Clock, ObjectAddress};
use cpe_protocol::ClientName;
use cpe_sandbox::Metering;
use cpe_swf::Timestamp;
use serde::{Deserialize, Serialize};

use self::{reading::Known, writing::Own};
use crate::{Ports, digest::digest_of};

const DAY_MILLIS: i64 = 24 * 3_600 * 1_000;
/// Until when a worker that tells nothing more is taken to be there.
const FRESH: Duration = Duration::from_secs(60);

/// What a client has used of a day, and what it uses now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// Of its guests, on CPUs.
    pub cpu: Duration,
    /// That its guests read and wrote of objects, and sent and received over HTTP.
    pub bytes: u64,
    /// Activity tasks that run.
    pub activities: u32,
}

/// Clones share it.
#[derive(Debug, Clone)]
pub struct Usage(Arc<Shared>);

struct Shared {
    blobs: Arc<dyn BlobStore>,
    clock: Arc<dyn Clock>,
    bucket: String,
    prefix: String,
    /// What this worker's objects are called.
    worker: String,
    own: Mutex<HashMap<ClientName, Own>>,
    known: Mutex<HashMap<ClientName, Known>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Usage").field("worker", &self.worker).finish_non_exhaustive()
    }
}

/// One worker's share of one client's day, as it is kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Share {
    cpu_millis: u64,
    bytes: u64,
    /// Activity tasks that ran at that time.
    activities: u32,
    time: Timestamp,
}

/// A day in UTC, by its number since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Day(i64);

impl Day {
    fn of(time: Timestamp) -> Self {
        Self(time.as_millis().div_euclid(DAY_MILLIS))
    }

    fn end(self) -> Timestamp {
        Timestamp::from_millis((self.0 + 1) * DAY_MILLIS)
    }

    fn before(self) -> Self {
        Self(self.0 - 1)
    }
}

/// Written so that days stand in their order.
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

/// An activity task that runs, until it is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    usage: Usage,
    client: ClientName,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.usage.change(&self.client, |own| own.activities = own.activities.saturating_sub(1));
    }
}

impl Usage {
    /// `prefix` is put before every key as it is: end it with a slash to have a folder. `identity`
    /// may be that of a process that was here before.
    pub fn new(ports: &Ports, bucket: String, prefix: String, identity: &str) -> Self {
        let clock = Arc::clone(&ports.clock);
        let worker = digest_of(format!("{identity} {}", clock.now().as_millis()));
        Self(Arc::new(Shared {
            blobs: Arc::clone(&ports.blobs),
            clock,
            bucket,
            prefix,
            worker,
            own: Mutex::default(),
            known: Mutex::default(),
        }))
    }

    /// When the day ends that it is now.
    pub fn end_of_day(&self) -> Timestamp {
        self.today().end()
    }

    pub(crate) fn begin(&self, client: &ClientName) -> Running {
        self.change(client, |own| own.activities += 1);
        Running { usage: self.clone(), client: client.clone() }
    }

    /// A guest has taken this.
    pub(crate) fn took(&self, client: &ClientName, metering: &Metering) {
        let Metering { cpu, bytes_read, bytes_written, http_sent, http_received, .. } = metering;
        let bytes = [bytes_read, bytes_written, http_sent, http_received].into_iter();
        let bytes = bytes.fold(0, |sum: u64, bytes| sum.saturating_add(*bytes));
        self.change(client, |own| {
            own.cpu = own.cpu.saturating_add(*cpu);
            own.bytes = own.bytes.saturating_add(bytes);
        });
    }

    fn change(&self, client: &ClientName, change: impl FnOnce(&mut Own)) {
        let today = self.today();
        let mut own = lock(&self.0.own);
        let own = own.entry(client.clone()).or_default();
        own.turn_to(today);
        change(own);
    }

    fn today(&self) -> Day {
        Day::of(self.0.clock.now())
    }

    fn folder(&self, client: &ClientName) -> String {
        format!("{}usage/{client}/", self.0.prefix)
    }

    fn address(&self, client: &ClientName, day: Day) -> ObjectAddress {
        let key = format!("{}{day}/{}.json", self.folder(client), self.0.worker);
        ObjectAddress::new(&self.0.bucket, key)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
