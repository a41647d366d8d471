//! `cpe job start`: one START_JOB message, and what becomes of it if asked to wait.

use std::{io::Read, path::PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use cpe_ports::{Clock, OutgoingMessage, SystemClock};
use cpe_protocol::{JobId, JobRef};
use serde_json::{Map, Value, json};

use super::{Failed, history, peek::Peek};
use crate::{
    cli::{Global, Output},
    compose,
    config::Config,
};

#[derive(Debug, Args)]
pub struct Start {
    /// The plan: `Name@version`.
    #[arg(value_name = "NAME@VERSION")]
    plan: String,
    /// A JSON object, the job's input; `-` reads standard input.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// What to call the job; made up if absent. Starting the same jobId twice starts one job.
    #[arg(long, value_name = "ID")]
    job_id: Option<String>,
    /// On whose behalf; needed when cpe.yaml has several clients.
    #[arg(long)]
    client: Option<String>,
    /// Name or URL of the input queue; the client's own if absent.
    #[arg(long)]
    queue: Option<String>,
    /// Follow the job to its end; exit 1 if it fails.
    #[arg(long)]
    wait: bool,
}

impl Start {
    /// The same plan once more.
    pub(super) fn again(plan: String, client: String, job_id: Option<String>, wait: bool) -> Self {
        Self { plan, input: None, job_id, client: Some(client), queue: None, wait }
    }

    pub(super) async fn run(self, global: &Global, config: &Config) -> Result<(), Failed> {
        let data = self.read_input().map_err(Failed::usage)?;
        self.send(global, config, data).await
    }

    pub(super) async fn send(
        self,
        global: &Global,
        config: &Config,
        mut data: Map<String, Value>,
    ) -> Result<(), Failed> {
        let (name, version) = self
            .plan
            .rsplit_once('@')
            .filter(|(name, version)| !name.is_empty() && !version.is_empty())
            .with_context(|| format!("`{}` names no plan: expected Name@version", self.plan))
            .map_err(Failed::usage)?;
        let client = compose::one_client(config, self.client.as_deref()).map_err(Failed::usage)?;
        let job_id = match &self.job_id {
            Some(id) => JobId::new(id.as_str()).map_err(Failed::usage)?,
            None => JobId::new(fresh_id()).map_err(Failed::usage)?,
        };
        data.insert("workflow".into(), json!({"name": name, "version": version}));
        data.insert("client".into(), json!({"name": client}));
        let request_id = fresh_id();
        let message = json!({
            "time": SystemClock.now(), "type": "START_JOB", "jobId": job_id,
            "requestId": request_id, "data": data,
        });

        let ports = compose::connect(global).await?;
        let queue = match &self.queue {
            Some(queue) => queue.clone(),
            None => compose::input_queue(config, &client),
        };
        let url = compose::queue_url(&ports, &queue).await?;
        ports
            .queues
            .send(&url, OutgoingMessage::new(message.to_string()))
            .await
            .with_context(|| format!("cannot send to the queue {queue}"))?;
        let job = JobRef { client, job_id };
        let workflow_id = job.workflow_id();
        match global.output {
            Output::Json if !self.wait => {
                println!("{}", json!({"jobId": job.job_id, "workflowId": workflow_id}));
            }
            Output::Json => {}
            Output::Text => println!("{workflow_id} sent to {queue}"),
        }
        if self.wait {
            let answer = Peek::new(&ports, config, &job.client, request_id).await;
            history::watch_answered(&ports, config, workflow_id, global.output, answer).await?;
        }
        Ok(())
    }

    fn read_input(&self) -> anyhow::Result<Map<String, Value>> {
        let Some(path) = &self.input else { return Ok(Map::new()) };
        let mut text = String::new();
        if path.as_os_str() == "-" {
            std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
        } else {
            text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
        }
        match serde_json::from_str(&text) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(_) => bail!("{}: the input must be a JSON object", path.display()),
            Err(error) => bail!("{}: not valid JSON: {error}", path.display()),
        }
    }
}

/// 16 hex digits, from the time and the process.
pub(super) fn fresh_id() -> String {
    let now = SystemClock.now().as_millis().unsigned_abs();
    format!("{:016x}", (now << 20) ^ u64::from(std::process::id()))
}
