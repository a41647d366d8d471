//! What all workers have counted of a client, added up.

use std::{collections::HashMap, time::Duration};

use cpe_ports::{Error, ErrorKind, ListObjects, ObjectAddress};
use cpe_protocol::ClientName;
use tokio::time::Instant;

use super::{Day, FRESH, Share, Usage, Used, lock};

/// For how long a sum is believed.
const BELIEVED: Duration = Duration::from_secs(5);
const PAGE: u32 = 1_000;
/// More workers than these do not count.
const MAX_PAGES: usize = 10;
const MAX_BYTES: usize = 4 << 10;

/// What was read last.
#[derive(Debug, Default)]
pub(super) struct Known {
    at: Option<Instant>,
    used: Used,
    /// By key, with the entity tag that it had.
    shares: HashMap<String, (String, Share)>,
}

impl Usage {
    /// What the client has used today, as workers told within the last seconds.
    ///
    /// # Errors
    ///
    /// If the bucket cannot be read. One that is not there has nothing in it.
    pub async fn of(&self, client: &ClientName) -> Result<Used, Error> {
        if let Some(used) = self.believed(client) {
            return Ok(used);
        }
        let before = lock(&self.0.known).remove(client).unwrap_or_default().shares;
        let shares = self.shares(client, before).await?;
        let now = self.0.clock.now();
        let mut used = Used::default();
        for (_, share) in shares.values() {
            used.cpu = used.cpu.saturating_add(Duration::from_millis(share.cpu_millis));
            used.bytes = used.bytes.saturating_add(share.bytes);
            if now.since(share.time) < FRESH {
                used.activities = used.activities.saturating_add(share.activities);
            }
        }
        let known = Known { at: Some(Instant::now()), used, shares };
        lock(&self.0.known).insert(client.clone(), known);
        Ok(used)
    }

    /// Counts an activity task that is about to be, until workers tell of it.
    pub(crate) fn expect_one(&self, client: &ClientName) {
        if let Some(known) = lock(&self.0.known).get_mut(client) {
            known.used.activities = known.used.activities.saturating_add(1);
        }
    }

    fn believed(&self, client: &ClientName) -> Option<Used> {
        let known = lock(&self.0.known);
        let known = known.get(client)?;
        known.at.filter(|at| at.elapsed() < BELIEVED)?;
        Some(known.used)
    }

    /// Of all workers, today's; only what has changed is read.
    async fn shares(
        &self,
        client: &ClientName,
        mut before: HashMap<String, (String, Share)>,
    ) -> Result<HashMap<String, (String, Share)>, Error> {
        let prefix = format!("{}{}/", self.folder(client), Day::of(self.0.clock.now()));
        let mut shares = HashMap::new();
        let mut start_after = None;
        for _ in 0..MAX_PAGES {
            let list = ListObjects {
                bucket: self.0.bucket.clone(),
                prefix: prefix.clone(),
                start_after,
                max_keys: PAGE,
            };
            let page = match self.0.blobs.list(list).await {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(shares),
                page => page?,
            };
            start_after = page.objects.last().map(|(key, _)| key.clone());
            for (key, meta) in page.objects {
                let share = match before.remove(&key) {
                    Some((tag, share)) if tag == meta.etag => share,
                    _ => self.share(&key).await?,
                };
                shares.insert(key, (meta.etag, share));
            }
            if !page.truncated {
                break;
            }
        }
        Ok(shares)
    }

    /// One that is gone, or is none, counts as nothing.
    async fn share(&self, key: &str) -> Result<Share, Error> {
        let at = ObjectAddress::new(&self.0.bucket, key);
        let object = match self.0.blobs.get(&at, None).await {
            Ok(object) => object,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Share::default()),
            Err(error) => return Err(error),
        };
        let bytes = object.whole(MAX_BYTES).await?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
    }
}
