//! `cpe module run`: one activity, once, with no workflow around it.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, anyhow};
use clap::Args;
use cpe_modules::{Modules, ModulesConfig, Wanted};
use cpe_plan::ModuleRef;
use cpe_ports::SystemClock;
use cpe_sandbox::{
    Access, Beats, BucketGrant, Directive, Finished, Grants, Invocation, Limits, Metering,
    TaskContext,
};
use serde_json::json;

use super::{Failed, folders::Folders, size};
use crate::{
    cli::{Global, Output},
    compose,
};

#[derive(Debug, Args)]
pub struct Run {
    /// What to run, as plans write it: a channel of the registry, a file, an object.
    #[arg(value_name = "NAME@CHANNEL|FILE")]
    what: String,
    /// A file with its input: JSON. `-` is standard input; `{}` if absent.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// A folder that the activity sees as a bucket: what it reads is read there, and what it
    /// writes is written there if it succeeds. Without any, buckets are those of the endpoint.
    #[arg(long, value_name = "NAME=FOLDER")]
    bucket: Vec<String>,
    /// Seconds that it may take.
    #[arg(long, default_value_t = 600)]
    timeout: u64,
}

impl Run {
    pub async fn run(self, global: &Global) -> Result<(), Failed> {
        let config = compose::load_config(global)?;
        let input = self.read_input()?;
        let named = folders(&self.bucket).map_err(Failed::usage)?;
        let path = PathBuf::from(&self.what);
        let text = match path.is_file() && !self.what.starts_with(['.', '/']) {
            true => format!("./{}", self.what),
            false => self.what.clone(),
        };
        let reference: ModuleRef = text.parse().map_err(Failed::usage)?;
        let sandbox = compose::checking_sandbox(&config)?;
        let local = match named.is_empty() {
            true => None,
            false => Some(Folders::open(named).await?),
        };
        let is_file = matches!(reference, ModuleRef::File(_));
        // A file and folders: nothing is asked of the network.
        let ports = match &local {
            Some(_) if is_file => None,
            _ => Some(compose::connect(global).await?),
        };
        let stored = ports.as_ref().map(|ports| ports.blobs.clone());
        let buckets = local.as_ref().map(Folders::blobs).or_else(|| stored.clone());
        let buckets = buckets.context("no buckets")?;
        let blobs = stored.unwrap_or_else(|| buckets.clone());
        let registry = compose::registry_in(&config, blobs.clone());
        let clock = Arc::new(SystemClock);
        let modules = Modules::new(
            registry,
            sandbox.clone(),
            blobs.clone(),
            clock.clone(),
            ModulesConfig::default(),
        );
        let module = modules.get(Wanted::current(&reference)).await?;
        let beats = Arc::new(Shown::default());
        let everything =
            BucketGrant { bucket: "*".into(), prefix: String::new(), access: Access::ReadWrite };
        let invocation = Invocation {
            context: context(&self.what),
            limits: Limits { wall: Duration::from_secs(self.timeout), ..Limits::default() },
            grants: Grants { s3: vec![everything], ..Grants::default() },
            blobs: buckets,
            beats,
            clock,
        };
        let finished = sandbox.run(&module, invocation, input).await;
        sandbox.settle().await;
        let finished =
            finished.map_err(|end| anyhow!("{}: {}", end.error.reason(), end.error.details()))?;
        if let Some(local) = local.filter(|_| finished.outcome.is_ok()) {
            for file in local.write().await? {
                eprintln!("wrote {}", file.display());
            }
        }
        tell(finished, global.output)
    }

    fn read_input(&self) -> Result<String, Failed> {
        let Some(file) = &self.input else { return Ok("{}".to_owned()) };
        let text = match file.as_os_str() == "-" {
            true => std::io::read_to_string(std::io::stdin()),
            false => std::fs::read_to_string(file),
        };
        text.with_context(|| format!("cannot read {}", file.display())).map_err(Failed::usage)
    }
}

fn context(what: &str) -> TaskContext {
    TaskContext {
        workflow_id: "local.run".to_owned(),
        run_id: "run".to_owned(),
        activity_id: "Run".to_owned(),
        activity_name: what.to_owned(),
        activity_version: "local".to_owned(),
        attempt: 1,
        client: "local".to_owned(),
        job_id: "run".to_owned(),
    }
}

fn tell(finished: Finished, output: Output) -> Result<(), Failed> {
    let Finished { outcome, metering } = finished;
    if output == Output::Json {
        let outcome = match &outcome {
            Ok(result) => {
                json!({"result": serde_json::from_str(result).unwrap_or_else(|_| json!(result))})
            }
            Err(failure) => json!({"failure": {
                "reason": failure.reason, "details": failure.details,
                "retryable": failure.retryable,
            }}),
        };
        println!("{}", json!({"outcome": outcome, "metering": metering_json(&metering)}));
    } else {
        if let Ok(result) = &outcome {
            println!("{result}");
        }
        let Metering { run, cpu, peak_memory, bytes_read, bytes_written, .. } = metering;
        eprintln!(
            "took {run:.1?}, {cpu:.1?} of it on the CPU; memory {}, read {}, wrote {}",
            size(peak_memory),
            size(bytes_read),
            size(bytes_written)
        );
    }
    let failed = |failure: cpe_sandbox::Failure| anyhow!("{}: {}", failure.reason, failure.details);
    outcome.map(drop).map_err(|failure| Failed::from(failed(failure)))
}

fn metering_json(metering: &Metering) -> serde_json::Value {
    json!({
        "instantiate_ms": metering.instantiate.as_secs_f64() * 1e3,
        "run_ms": metering.run.as_secs_f64() * 1e3,
        "commit_ms": metering.commit.as_secs_f64() * 1e3,
        "cpu_ms": metering.cpu.as_secs_f64() * 1e3,
        "peak_memory": metering.peak_memory,
        "bytes_read": metering.bytes_read,
        "bytes_written": metering.bytes_written,
    })
}

/// Progress, on standard error.
#[derive(Debug, Default)]
struct Shown(Mutex<String>);

impl Beats for Shown {
    fn beat(&self, progress: &str) -> Directive {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != progress {
            progress.clone_into(&mut last);
            eprintln!("progress {progress}");
        }
        Directive::Proceed
    }
}

fn folders(texts: &[String]) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let folder = |text: &String| {
        let (name, path) = text
            .split_once('=')
            .filter(|(name, path)| !name.is_empty() && !path.is_empty())
            .with_context(|| format!("`{text}` is no NAME=FOLDER"))?;
        Ok((name.to_owned(), PathBuf::from(path)))
    };
    texts.iter().map(folder).collect()
}
