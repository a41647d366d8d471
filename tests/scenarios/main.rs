//! Whole jobs: real components in the real sandbox over the embedded endpoint.
//!
//! Most scenarios run twice, with the ports straight on the engine and through the AWS SDK over
//! loopback, and must tell the same both times.

#![allow(clippy::unwrap_used, reason = "all of this is a test")]
#![allow(
    clippy::indexing_slicing,
    reason = "events are indexed by their keys, absent ones are null"
)]

mod canary;
mod cancel;
mod client_library;
mod clients;
mod compile;
mod crashes;
mod failures;
mod faults;
mod grants;
mod hostile;
mod jail;
mod modules;
mod operations;
mod payloads;
mod plan_test;
mod plan_types;
mod plans;
mod processes;
mod refusals;
mod scaffold;
mod swaps;
mod traces;
mod transcode;
mod usage;
mod zoo;

use cpe_tests::{Client, Options, Wire, World};
use expect_test::Expect;

/// Runs a scenario in a world of its own on each wire; what it tells must be `expect` each time.
async fn check(
    options: impl Fn(Wire) -> Options,
    scenario: impl AsyncFn(&World, &Client) -> String,
    expect: Expect,
) {
    let mut told = Vec::new();
    for wire in [Wire::Direct, Wire::Sdk] {
        let world = World::start(options(wire)).await;
        let client = world.client().await;
        told.push(scenario(&world, &client).await);
        world.stop().await;
    }
    assert_eq!(told[0], told[1], "direct, and through the AWS SDK");
    expect.assert_eq(&told[0]);
}
