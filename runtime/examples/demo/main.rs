//! The demo's client: starts `cpe dev` (or `cpe run` against another endpoint), pushes the
//! modules, sends a `START_JOB` over SQS and shows what comes back. It knows what any client knows: three AWS services and some JSON.
#![allow(clippy::print_stdout, reason = "a demo is there to be seen")]

mod endpoint;
mod job;
mod screen;
mod verify;

use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context;
use clap::Parser;

use self::{endpoint::Endpoint, screen::Stages};

/// Runs Cloud Transcode's plan on a photograph, on the embedded endpoint.
#[derive(Debug, Parser)]
struct Demo {
    /// The `cpe` program.
    #[arg(long)]
    cpe: PathBuf,
    /// The folder of the plans; `transcode.yaml` is taken from it.
    #[arg(long)]
    plans: PathBuf,
    /// Folder for state and outputs; emptied first, but for the cache of compiled modules.
    #[arg(long)]
    data: PathBuf,
    /// Modules to push: `name@channel=file.wasm`.
    #[arg(long = "module")]
    modules: Vec<String>,
    /// SWF, SQS and S3 that are there already: `cpe run` polls them, and no endpoint is started.
    #[arg(long, value_name = "URL")]
    against: Option<String>,
}

/// The job must be done by then, a first compilation of both modules included.
const PATIENCE: Duration = Duration::from_secs(180);

#[tokio::main]
async fn main() -> ExitCode {
    match run(Demo::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(demo: Demo) -> anyhow::Result<()> {
    let mut stages = Stages::default();
    let start = Instant::now();
    let endpoint = match &demo.against {
        None => Endpoint::dev(&demo.cpe, &demo.plans, &demo.data).await?,
        Some(url) => Endpoint::run(&demo.cpe, &demo.plans, &demo.data, url.clone()).await?,
    };
    println!("SWF, SQS and S3 at {}", endpoint.url);
    stages.add("endpoint and pollers up", start.elapsed());

    let outcome = drive(&demo, &endpoint, &mut stages).await;
    let stopped = endpoint.stop().await;
    outcome?;
    stopped
}

async fn drive(demo: &Demo, endpoint: &Endpoint, stages: &mut Stages) -> anyhow::Result<()> {
    let push = Instant::now();
    for module in &demo.modules {
        let (reference, file) =
            module.split_once('=').context("--module takes name@channel=file.wasm")?;
        endpoint.push(reference, file).await?;
    }
    stages.add("modules checked, compiled and pushed", push.elapsed());

    let aws = endpoint.connect().await?;
    job::upload_photo(&aws).await?;
    let sent = job::send_start_job(&aws).await?;
    println!("START_JOB {} sent to {}", sent.job_id, endpoint::INPUT_QUEUE);

    let ended = tokio::time::timeout(PATIENCE, job::follow(&aws, &sent))
        .await
        .with_context(|| format!("the job did not end within {PATIENCE:?}"))??;
    stages.extend(ended.stages);

    let check = Instant::now();
    let rows = verify::outputs(&aws, &ended.result, &demo.data.join("outputs")).await?;
    stages.add("outputs fetched and decoded", check.elapsed());
    screen::outputs(&rows);
    stages.print();
    Ok(())
}
