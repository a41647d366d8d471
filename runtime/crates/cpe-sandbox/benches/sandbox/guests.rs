//! What guests pay for being guests: host calls, computing, waiting in a crowd, a busy
//! neighbour, a cold module.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use cpe_sandbox::SandboxConfig;
use futures::future::join_all;

use crate::{
    THREADS,
    product::Product,
    report::{Report, Row, Target},
    test_guests,
};

const CROWD: usize = 1000;

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() * 99 / 100]
}

pub(crate) async fn host_calls(product: &Product, quick: bool, report: &mut Report) {
    let count = if quick { 1_000 } else { 1_000_000 };
    let took = async |count: u64| {
        let start = Instant::now();
        product.must(&format!(r#"{{"do":"host-calls","count":{count}}}"#)).await;
        start.elapsed()
    };
    took(count).await;
    let empty = took(0).await;
    let each = took(count).await.saturating_sub(empty).as_secs_f64() / count as f64;
    report.add(Row::new("host call that answers with nine fields", each * 1e9, "ns"));
}

/// The same Rust, compiled for this machine and for the sandbox.
pub(crate) async fn computing(product: &Product, quick: bool, report: &mut Report) {
    let rounds = if quick { 1 } else { 9 };
    let (mut native, mut guest) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let start = Instant::now();
        workload::resize().unwrap();
        native.push(start.elapsed());
        let start = Instant::now();
        product.must(r#"{"do":"resize"}"#).await;
        guest.push(start.elapsed());
    }
    native.sort();
    guest.sort();
    report.add(
        Row::new("resize of 12 megapixels", millis(guest[rounds / 2]), "ms")
            .beside("ms natively", millis(native[rounds / 2]))
            .target(Target::RatioAtMost(2.0)),
    );
}

/// A thousand at a time: how fast they come through, and what each holds while it waits.
pub(crate) async fn crowd(bytes: &[u8], quick: bool, report: &mut Report) {
    let size = if quick { 50 } else { CROWD };
    let product = Arc::new(Product::new("workload", bytes, size).await);
    let wave = async |millis: u64| {
        let input = format!(r#"{{"do":"sleep","millis":{millis}}}"#);
        let runs = (0..size).map(|_| {
            let (product, input) = (Arc::clone(&product), input.clone());
            tokio::spawn(async move {
                let start = Instant::now();
                product.must(&input).await;
                start.elapsed()
            })
        });
        join_all(runs).await.into_iter().map(Result::unwrap).collect::<Vec<_>>()
    };
    product.must(r#"{"do":"sleep","millis":0}"#).await;
    let parked = parked_in_a_process(size).await;
    let waves = if quick { 2 } else { 20 };
    let start = Instant::now();
    let mut latencies = Vec::new();
    for _ in 0..waves {
        latencies.extend(wave(10).await);
    }
    let rate = latencies.len() as f64 / start.elapsed().as_secs_f64();
    report.add(
        Row::new("1,000 in flight: memory of a parked instance", parked, "KiB")
            .target(Target::AtMost(100.0)),
    );
    report.add(Row::new("1,000 in flight, each waits 10 ms: throughput", rate, "/s"));
    report.add(Row::new("1,000 in flight, each waits 10 ms: p99", millis(p99(latencies)), "ms"));
}

/// By which this program is told to measure what parked instances hold, and how many.
pub(crate) const PARKED: &str = "parked-instances";

/// In a process of its own: in this one, what was freed before would hide it.
async fn parked_in_a_process(size: usize) -> f64 {
    let mut program = tokio::process::Command::new(std::env::current_exe().unwrap());
    let output = program.args([PARKED, &size.to_string()]).output().await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    said.trim().parse().unwrap_or_else(|_| panic!("{said}{}", output.status))
}

/// KiB that an instance of a small component holds while it waits in a host call.
pub(crate) async fn parked(size: usize) -> f64 {
    // One in advance, so that what all have in common is there.
    let product = Arc::new(Product::new("waiting", &test_guests::waiting(), size + 1).await);
    let mut waiting = Vec::new();
    let mut wait = async |runs: usize| {
        for _ in 0..runs {
            let product = Arc::clone(&product);
            waiting.push(tokio::spawn(async move { product.run("").await.map(drop) }));
        }
        // All have begun to wait by then.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        resident()
    };
    let before = wait(1).await;
    let held = wait(size).await.saturating_sub(before);
    for one in waiting {
        assert!(!one.is_finished(), "it waits: {:?}", one.await);
        one.abort();
    }
    held as f64 / size as f64
}

/// How long a short activity takes, alone and with a neighbour on every core that never yields by
/// itself.
pub(crate) async fn neighbours(product: &Arc<Product>, quick: bool, report: &mut Report) {
    let samples = if quick { 20 } else { 1_000 };
    let start = Instant::now();
    workload::compute(1_000_000);
    let rounds = (1e6 * 1e-3 / start.elapsed().as_secs_f64()).max(1.0) as u64;
    let input = format!(r#"{{"do":"compute","rounds":{rounds}}}"#);
    let measure = async || {
        let mut times = Vec::new();
        for _ in 0..samples {
            let (product, input) = (Arc::clone(product), input.clone());
            let start = Instant::now();
            tokio::spawn(async move { product.must(&input).await }).await.unwrap();
            times.push(start.elapsed());
        }
        p99(times)
    };
    measure().await;
    let quiet = measure().await;
    let busy: Vec<_> = (0..THREADS)
        .map(|_| {
            let product = Arc::clone(product);
            tokio::spawn(async move {
                // Ends by its limit of CPU time, if it is not stopped before.
                let _ = product.run(r#"{"do":"compute","rounds":18446744073709551615}"#).await;
            })
        })
        .collect();
    let beside = measure().await;
    for neighbour in busy {
        neighbour.abort();
    }
    report.add(
        Row::new("p99 of 1 ms beside busy loops on all cores", millis(beside), "ms")
            .beside("ms quiet", millis(quiet))
            .target(Target::RatioAtMost(5.0)),
    );
}

/// The first run of a module, compiled and from the cache.
pub(crate) async fn cold(bytes: &[u8], report: &mut Report) {
    let dir = tempfile::tempdir().unwrap();
    let config = SandboxConfig {
        max_concurrent: 16,
        cache_dir: Some(dir.path().join("cache")),
        ..SandboxConfig::default()
    };
    let first = async || {
        let start = Instant::now();
        let product = Product::with("workload", bytes, config.clone()).await;
        product.must(r#"{"do":"compute","rounds":1}"#).await;
        start.elapsed()
    };
    let compiled = first().await;
    first().await;
    let cached = first().await;
    report.add(
        Row::new("new sandbox, 1 MB module: first run, cached", millis(cached), "ms")
            .beside("ms compiled", millis(compiled))
            .target(Target::AtMost(10.0)),
    );
}

/// KiB of this process that are in memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}
