//! What a jail costs: the same activities in this process and in a jailed one, in turns.

use std::time::{Duration, Instant};

use cpe_sandbox::{JailConfig, SandboxConfig};

use crate::{
    product::Product,
    report::{Report, Row, Target},
};

const NOTHING: &str = r#"{"do":"compute","rounds":0}"#;
/// By which this program is told to be a jailed one.
pub(crate) const ARGUMENT: &str = "jailed-guests";

pub(crate) async fn measure(bytes: &[u8], quick: bool, report: &mut Report) {
    let jail = JailConfig::new(std::env::current_exe().unwrap(), &[ARGUMENT]);
    let config = SandboxConfig { max_concurrent: 16, ..SandboxConfig::default() };
    let free = Product::with("workload", bytes, config.clone()).await;
    let jailed = SandboxConfig { jail: Some(jail), ..config };
    let jailed = Product::with("workload", bytes, jailed).await;
    let start = Instant::now();
    jailed.must(NOTHING).await;
    report.add(Row::new("first run in a new jail, 1 MB module", millis(start.elapsed()), "ms"));

    let rounds = if quick { 5 } else { 400 };
    let (noop, beside) = in_turns(&jailed, &free, NOTHING, rounds).await;
    report.add(
        Row::new("no-op activity in a jail", micros(noop), "µs")
            .beside("µs without", micros(beside)),
    );
    let input = format!(r#"{{"do":"compute","rounds":{}}}"#, ten_milliseconds(&free).await);
    let (computing, beside) = in_turns(&jailed, &free, &input, rounds).await;
    report.add(
        Row::new("activity of 10 ms in a jail", millis(computing), "ms")
            .beside("ms without", millis(beside))
            .target(Target::RatioAtMost(1.05)),
    );
}

/// How many rounds of computing take a guest so long.
async fn ten_milliseconds(product: &Product) -> u64 {
    let took = async |rounds: u64| {
        let start = Instant::now();
        product.must(&format!(r#"{{"do":"compute","rounds":{rounds}}}"#)).await;
        start.elapsed()
    };
    took(1_000_000).await;
    let each = took(1_000_000).await.as_secs_f64() / 1e6;
    (0.010 / each).max(1.0) as u64
}

/// Medians of both.
async fn in_turns(
    one: &Product,
    other: &Product,
    input: &str,
    rounds: usize,
) -> (Duration, Duration) {
    let (mut of_one, mut of_other) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        for (product, times) in [(one, &mut of_one), (other, &mut of_other)] {
            let start = Instant::now();
            product.must(input).await;
            times.push(start.elapsed());
        }
    }
    (median(of_one), median(of_other))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
