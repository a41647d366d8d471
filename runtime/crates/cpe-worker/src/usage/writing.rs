//! A worker's own counts, and when they are written.

use std::time::Duration;

use bytes::Bytes;
use cpe_ports::{Error, ListObjects, ObjectAddress, PutOptions};
use cpe_protocol::ClientName;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{Day, Share, Usage, lock};
use crate::ClientRegistry;

/// Between two looks at what has changed.
const BETWEEN: Duration = Duration::from_secs(5);
/// Counts that do not change are written again after so long while activity tasks run, so that
/// others know that this worker is there.
const AGAIN: Duration = Duration::from_secs(30);
/// Objects of days that have passed, removed at a time.
const AT_ONCE: u32 = 1_000;

/// What this process has counted of a client.
#[derive(Debug, Default)]
pub(super) struct Own {
    day: Day,
    pub(super) cpu: Duration,
    pub(super) bytes: u64,
    pub(super) activities: u32,
    written: Option<(Day, Share)>,
}

impl Own {
    /// What is used counts for the day in which it is told.
    pub(super) fn turn_to(&mut self, today: Day) {
        if self.day != today {
            *self = Self {
                day: today,
                activities: self.activities,
                written: self.written.take(),
                ..Self::default()
            };
        }
    }
}

impl Usage {
    /// Writes what has changed, again and again until `stop`, and then once more.
    pub(crate) async fn write(&self, clients: &ClientRegistry, stop: &CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(BETWEEN) => {}
            }
            self.write_now(clients).await;
        }
    }

    /// Writes what has changed, of clients with a quota that asks for it.
    pub(crate) async fn write_now(&self, clients: &ClientRegistry) {
        for client in clients.current().iter().filter(|client| client.quotas.are_metered()) {
            if let Err(error) = self.write_one(&client.name).await {
                warn!(client = %client.name, %error, "What a client uses cannot be kept yet");
            }
        }
    }

    async fn write_one(&self, client: &ClientName) -> Result<(), Error> {
        let now = self.0.clock.now();
        let Some((day, share, is_new)) = self.unwritten(client) else { return Ok(()) };
        let share = Share { time: now, ..share };
        let body = Bytes::from(serde_json::to_vec(&share).unwrap_or_default());
        let at = self.address(client, day);
        self.0.blobs.put(&at, body, PutOptions::default()).await?;
        if let Some(own) = lock(&self.0.own).get_mut(client) {
            own.written = Some((day, share));
        }
        if is_new {
            self.forget(client, day).await?;
        }
        Ok(())
    }

    /// What is to be written, if anything is, and whether it is the first of its day.
    fn unwritten(&self, client: &ClientName) -> Option<(Day, Share, bool)> {
        let (now, today) = (self.0.clock.now(), self.today());
        let mut own = lock(&self.0.own);
        let own = own.get_mut(client)?;
        own.turn_to(today);
        let share = Share {
            cpu_millis: u64::try_from(own.cpu.as_millis()).unwrap_or(u64::MAX),
            bytes: own.bytes,
            activities: own.activities,
            time: now,
        };
        match &own.written {
            Some((day, written)) if *day == today => {
                let same = Share { time: written.time, ..share.clone() } == *written;
                let is_old = now.since(written.time) >= AGAIN && share.activities > 0;
                (!same || is_old).then_some((today, share, false))
            }
            _ if share == Share { time: now, ..Share::default() } => None,
            _ => Some((today, share, true)),
        }
    }

    /// Removes what was counted of days before yesterday.
    async fn forget(&self, client: &ClientName, today: Day) -> Result<(), Error> {
        let folder = self.folder(client);
        let kept = format!("{folder}{}", today.before());
        let list = ListObjects {
            bucket: self.0.bucket.clone(),
            prefix: folder,
            start_after: None,
            max_keys: AT_ONCE,
        };
        let page = self.0.blobs.list(list).await?;
        for (key, _) in page.objects.into_iter().filter(|(key, _)| *key < kept) {
            self.0.blobs.delete(&ObjectAddress::new(&self.0.bucket, key)).await?;
        }
        Ok(())
    }
}
