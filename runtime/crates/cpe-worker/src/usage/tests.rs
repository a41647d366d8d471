use cpe_ports::testing::{ManualClock, MemoryBlobs};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    Client, ClientRegistry, Clients, Quotas,
    testing::{NOW, ScriptedQueues, client, ports},
};

struct Fleet {
    blobs: MemoryBlobs,
    clock: Arc<ManualClock>,
    clients: ClientRegistry,
}

impl Fleet {
    fn new() -> Self {
        let quotas = Quotas { bytes_per_day: Some(1), ..Quotas::default() };
        let metered = Client { quotas, ..client("c") };
        Self {
            blobs: MemoryBlobs::with_buckets(["b"]),
            clock: Arc::new(ManualClock::at(NOW)),
            clients: ClientRegistry::new(Clients::new([metered, client("free")]).unwrap()),
        }
    }

    fn worker(&self, identity: &str) -> Usage {
        let ports = Ports {
            blobs: Arc::new(self.blobs.clone()),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            ..ports(&ScriptedQueues::default())
        };
        Usage::new(&ports, "b".to_owned(), "p/".to_owned(), identity)
    }

    /// Both clocks.
    async fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }
}

fn name(client: &str) -> ClientName {
    ClientName::new(client).unwrap()
}

fn metering(cpu: u64, bytes: u64) -> Metering {
    Metering {
        cpu: Duration::from_millis(cpu),
        bytes_read: bytes,
        bytes_written: bytes,
        http_sent: bytes,
        http_received: bytes,
        ..Metering::default()
    }
}

#[tokio::test(start_paused = true)]
async fn what_all_workers_count_is_added_up() {
    let fleet = Fleet::new();
    let (one, two) = (fleet.worker("one"), fleet.worker("two"));
    let c = name("c");
    let running = one.begin(&c);
    one.took(&c, &metering(1_500, 10));
    two.took(&c, &metering(500, 1));
    two.took(&name("free"), &metering(500, 1));
    assert_eq!(two.of(&c).await.unwrap(), Used::default(), "nothing is told yet");
    one.write_now(&fleet.clients).await;
    two.write_now(&fleet.clients).await;
    fleet.pass(5).await;
    let used = Used { cpu: Duration::from_secs(2), bytes: 44, activities: 1 };
    assert_eq!(two.of(&c).await.unwrap(), used);
    assert_eq!(fleet.blobs.keys("b").len(), 2, "who has no such quota costs nothing");
    // It is believed for a while, and what is about to begin counts.
    drop(running);
    one.write_now(&fleet.clients).await;
    two.expect_one(&c);
    assert_eq!(two.of(&c).await.unwrap().activities, 2);
    fleet.pass(5).await;
    assert_eq!(two.of(&c).await.unwrap().activities, 0);
}

#[tokio::test(start_paused = true)]
async fn a_day_begins_with_nothing_and_old_days_are_forgotten() {
    let fleet = Fleet::new();
    let (worker, c) = (fleet.worker("w"), name("c"));
    let _running = worker.begin(&c);
    worker.took(&c, &metering(1_000, 1));
    worker.write_now(&fleet.clients).await;
    assert_eq!(worker.end_of_day(), Timestamp(DAY_MILLIS));
    for day in 1..=3 {
        fleet.pass(24 * 3_600).await;
        worker.write_now(&fleet.clients).await;
        let used = Used { activities: 1, ..Used::default() };
        assert_eq!(worker.of(&c).await.unwrap(), used, "day {day}");
    }
    let keys = fleet.blobs.keys("b");
    assert_eq!(keys.len(), 2, "{keys:?}");
    assert!(keys[0].starts_with("p/usage/c/000002/"), "{keys:?}");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_tells_nothing_more_has_nothing_in_flight() {
    let fleet = Fleet::new();
    let (killed, other, c) = (fleet.worker("w"), fleet.worker("w"), name("c"));
    std::mem::forget(killed.begin(&c));
    killed.took(&c, &metering(1_000, 0));
    killed.write_now(&fleet.clients).await;
    assert_eq!(other.of(&c).await.unwrap().activities, 1);
    fleet.pass(FRESH.as_secs()).await;
    let used = other.of(&c).await.unwrap();
    assert_eq!((used.activities, used.cpu.as_secs()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn counts_are_written_when_they_change_and_while_something_runs() {
    let fleet = Fleet::new();
    let (worker, c) = (fleet.worker("w"), name("c"));
    let stop = CancellationToken::new();
    let writing = tokio::spawn({
        let (worker, clients, stop) = (worker.clone(), fleet.clients.clone(), stop.clone());
        async move { worker.write(&clients, &stop).await }
    });
    let mut seen = 0;
    let mut puts = || {
        seen += fleet.blobs.take_calls().iter().filter(|call| call.starts_with("put")).count();
        seen
    };
    let running = worker.begin(&c);
    for _ in 0..20 {
        fleet.pass(5).await;
        tokio::task::yield_now().await;
    }
    let while_it_runs = puts();
    assert!((3..=5).contains(&while_it_runs), "{while_it_runs}");
    drop(running);
    for _ in 0..20 {
        fleet.pass(5).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(puts(), while_it_runs + 1);
    stop.cancel();
    writing.await.unwrap();
}
