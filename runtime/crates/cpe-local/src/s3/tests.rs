//! The store as a whole: over the engine, through the port, and over HTTP.

mod crashes;
mod keys;
mod notifications;
mod objects;
mod over_http;
mod settings;

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use cpe_ports::{ObjectAddress, testing::ManualClock};
use cpe_swf::Timestamp;
use futures::{StreamExt, TryStreamExt, stream};

use super::{
    Objects,
    error::StoreError,
    files::FileId,
    model::{Headers, ReadConditions, Wanted},
    objects::{Put, Stored},
    receive::BodyStream,
};
use crate::{LocalConfig, Storage, engine::Engine};

/// 2026-01-02T03:04:05.678Z
const START: Timestamp = Timestamp(1_767_323_045_678);

struct Fixture {
    engine: Engine,
    objects: Objects,
    clock: Arc<ManualClock>,
}

impl Fixture {
    /// A store in memory with the bucket `media`.
    async fn new() -> Self {
        let fixture = Self::open(Storage::Memory).await;
        fixture.objects.create_bucket("media", "us-east-1").await.unwrap();
        fixture
    }

    async fn on_disk(folder: &Path) -> Self {
        Self::open(Storage::Disk(folder.to_owned())).await
    }

    async fn open(data: Storage) -> Self {
        let clock = Arc::new(ManualClock::at(START));
        let config = LocalConfig {
            data,
            clock: Arc::<ManualClock>::clone(&clock),
            ..LocalConfig::default()
        };
        let engine = Engine::start(config).await.unwrap();
        let folder = engine.objects().to_owned();
        let objects =
            Objects::open(engine.clone(), folder, Arc::<ManualClock>::clone(&clock)).unwrap();
        Self { engine, objects, clock }
    }

    async fn put(&self, key: &str, body: &[u8]) -> Stored {
        self.try_put(key, body, Put::default()).await.unwrap()
    }

    async fn try_put(&self, key: &str, body: &[u8], put: Put) -> Result<Stored, StoreError> {
        self.objects.put(&at(key), body_of(body), put).await
    }

    async fn read(&self, key: &str) -> Result<Vec<u8>, StoreError> {
        let got = self.objects.get(&at(key), Wanted::All, ReadConditions::default()).await?;
        let pieces: Vec<Bytes> = got.body.try_collect().await?;
        Ok(pieces.concat())
    }

    /// The files in the folder, once those that are to go are gone.
    async fn files(&self, expected: usize) -> Vec<FileId> {
        loop {
            let mut files = Vec::new();
            for shard in self.objects.files.shards().await.unwrap() {
                files.extend(self.objects.files.unpinned(shard).await.unwrap());
            }
            // Files go in the background. If they do not, the test's time limit ends this.
            if files.len() <= expected {
                return files;
            }
        }
    }
}

fn at(key: &str) -> ObjectAddress {
    ObjectAddress::new("media", key)
}

/// A body that comes in pieces.
fn body_of(body: &[u8]) -> BodyStream {
    let pieces: Vec<_> =
        body.chunks(60_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces).boxed()
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 % 251) as u8).collect()
}

fn code<T>(result: Result<T, StoreError>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "done")
}

fn with_metadata(name: &str, value: &str) -> Headers {
    Headers { metadata: [(name.to_owned(), value.to_owned())].into(), ..Headers::default() }
}
