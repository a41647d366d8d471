//! What the sandbox costs, beside bare wasmtime and native code in the same run.
//!
//! `cargo xtask bench sandbox [--quick] [--output json]`
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints, and may panic")]
#![allow(clippy::indexing_slicing, reason = "the medians index what was just filled")]

mod guests;
mod jail;
mod noop;
mod product;
mod report;
#[path = "../../src/test_guests.rs"]
#[allow(dead_code, reason = "the tests use all of it")]
mod test_guests;

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use self::{product::Product, report::Report};

const THREADS: u32 = 2;

async fn measure(quick: bool) -> Report {
    let mut report = Report::default();
    let workload = component("workload");
    noop::measure(&component("noop"), quick, &mut report).await;
    let product = Arc::new(Product::new("workload", &workload, 16).await);
    guests::host_calls(&product, quick, &mut report).await;
    guests::computing(&product, quick, &mut report).await;
    guests::neighbours(&product, quick, &mut report).await;
    guests::crowd(&workload, quick, &mut report).await;
    guests::cold(&workload, &mut report).await;
    jail::measure(&workload, quick, &mut report).await;
    report
}

/// Among what `cargo xtask guests` builds, three folders above this program.
fn component(name: &str) -> Vec<u8> {
    let program = std::env::current_exe().unwrap();
    let folder: PathBuf = program.ancestors().nth(3).unwrap().join("activities");
    let path = folder.join(name).with_extension("wasm");
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!("{}: {error} (build it with `cargo xtask guests`)", path.display())
    })
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(THREADS as usize).enable_all().build().unwrap()
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    // What the bench of the jail starts: this very program.
    if let [_, jailed, order] = arguments.as_slice()
        && jailed == jail::ARGUMENT
    {
        return cpe_sandbox::jailed_guests(order);
    }
    if let [_, parked, size] = arguments.as_slice()
        && parked == guests::PARKED
    {
        let size = size.parse().unwrap();
        println!("{}", runtime().block_on(guests::parked(size)));
        return ExitCode::SUCCESS;
    }
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let (quick, json) = (has("--quick"), has("json"));
    let report = runtime()
        .block_on(async move { tokio::spawn(async move { measure(quick).await }).await.unwrap() });
    if quick {
        println!("(quick: shows that everything runs; the figures mean nothing)");
    }
    if json {
        println!("{}", report.json())
    } else {
        print!("{}", report.text())
    }
    ExitCode::SUCCESS
}
