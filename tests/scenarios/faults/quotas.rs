//! Quotas that workers count together: of a day, and of activity tasks in flight.

use std::{sync::Arc, time::Duration};

use cpe_ports::testing::FaultRates;
use cpe_tests::{MIDNIGHT, Role, Stage};
use cpe_worker::{OverQuota, Quotas};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Caller, plans, plans::Kind, virtually};

/// Longer than it takes until what was used is known to all.
const KNOWN: Duration = Duration::from_secs(15);

async fn caller(stage: &Stage, name: &'static str) -> Arc<Caller> {
    let faults = stage.faults(0, FaultRates::default());
    let caller = Caller::new(stage, &faults, name, Default::default()).await;
    let listening = Arc::clone(&caller);
    tokio::spawn(async move { listening.listen().await });
    caller
}

impl Caller {
    async fn start(&self, job: &str, kind: Kind) {
        let workflow = json!({"name": kind.plan(), "version": "1"});
        self.ask("START_JOB", job, json!({"workflow": workflow})).await;
    }

    /// Waits for an event of a job, for two days at most.
    async fn hears(&self, job: &str, kind: &str) -> Value {
        for _ in 0..2 * 24 * 3_600 {
            let events = self.state.lock().unwrap().events.clone();
            if let Some(event) = events.iter().find(|e| e["jobId"] == job && e["type"] == kind) {
                return event.clone();
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        panic!(
            "{} never heard {kind} of {job}: {:#?}",
            self.name,
            self.state.lock().unwrap().events
        );
    }
}

async fn play() {
    // Each `Success` takes three seconds of CPU.
    let day = Quotas { cpu_seconds_per_day: Some(3), ..Quotas::default() };
    let refusing = Quotas { over: OverQuota::Refuse, ..day };
    let in_flight = Quotas { activities_in_flight: Some(1), ..Quotas::default() };
    let clients = [("waits", day), ("refused", refusing), ("busy", in_flight)];
    let stage = Stage::with_quotas(&plans::all(), &clients).await;
    let stop = CancellationToken::new();
    let none = stage.faults(0, FaultRates::default());
    // What one worker counts the other's input poller has to know of.
    for role in Role::ALL.into_iter().chain(Role::ALL) {
        stage.start(role, &none, &stop).await;
    }
    let (waits, refused, busy) = (
        caller(&stage, "waits").await,
        caller(&stage, "refused").await,
        caller(&stage, "busy").await,
    );
    for client in [&waits, &refused] {
        client.start("first", Kind::Success).await;
        client.hears("first", "JOB_COMPLETED").await;
    }
    busy.start("first", Kind::Cancel).await;
    busy.hears("first", "ACTIVITY_STARTED").await;
    tokio::time::sleep(KNOWN).await;
    for client in [&waits, &refused, &busy] {
        client.start("second", Kind::Success).await;
    }
    let quota = |event: &Value| {
        (event["data"]["quota"]["name"].clone(), event["data"]["quota"]["limit"].clone())
    };
    let delayed = waits.hears("second", "JOB_DELAYED").await;
    assert_eq!(quota(&delayed), (json!("cpu-seconds-per-day"), json!(3)));
    assert_eq!(delayed["data"]["quota"]["until"], json!(MIDNIGHT));
    let rejected = refused.hears("second", "COMMAND_REJECTED").await;
    assert_eq!(quota(&rejected), (json!("cpu-seconds-per-day"), json!(3)));
    assert_eq!(rejected["data"]["reason"], "cpe.quota.exceeded");
    let delayed = busy.hears("second", "JOB_DELAYED").await;
    assert_eq!(quota(&delayed), (json!("activities-in-flight"), json!(1)));
    // What runs goes on, and what waits begins when there is room.
    busy.ask("CANCEL_JOB", "first", json!({})).await;
    busy.hears("first", "JOB_CANCELED").await;
    busy.hears("second", "JOB_COMPLETED").await;
    assert!(stage.now() < MIDNIGHT);
    waits.hears("second", "JOB_COMPLETED").await;
    assert!(stage.now() > MIDNIGHT && stage.now().since(MIDNIGHT) < Duration::from_secs(60));
    // Of the day before, nothing counts.
    refused.start("third", Kind::Success).await;
    refused.hears("third", "JOB_COMPLETED").await;
    stop.cancel();
}

#[test]
fn what_workers_count_together_keeps_jobs_waiting_until_midnight_or_until_there_is_room() {
    virtually(play());
}
