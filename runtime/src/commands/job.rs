//! `cpe job`: starts jobs the way a client does, and follows them in SWF.

mod ask;
mod canary;
mod history;
mod list;
mod peek;
mod rerun;
mod start;
mod why;

use anyhow::Context;
use clap::Subcommand;

use super::Failed;
use crate::{cli::Global, compose};

#[derive(Debug, Subcommand)]
pub enum Job {
    /// Sends START_JOB to the client's input queue.
    #[command(after_help = "Example:\n  cpe job start Transcode@1.0 --input job.json --wait")]
    Start(start::Start),
    /// Shows what happens to a job, until it ends.
    #[command(after_help = "Example:\n  cpe job watch 954e8de9dfa0d44d --client ClientA")]
    Watch(JobName),
    /// Lists jobs: the open ones, and those closed in the last day.
    #[command(after_help = "Example:\n  cpe job list --client ClientA --status failed --since 7d")]
    List(list::List),
    /// Tells why a job does not move, or why it failed.
    #[command(after_help = "Example:\n  cpe job why 954e8de9dfa0d44d --client ClientA")]
    Why(JobName),
    /// Asks a job to end, or one activity of it.
    #[command(
        after_help = "Example:\n  cpe job cancel 954e8de9dfa0d44d --activity TranscodeAssetStep"
    )]
    Cancel {
        #[command(flatten)]
        job: JobName,
        /// Only this activity: a step, `Step[3]`, `Step#2`.
        #[arg(long, value_name = "ID")]
        activity: Option<String>,
    },
    /// Runs a job again, under another jobId: all of it, or from a step on.
    #[command(after_help = "Examples:\n  cpe job rerun 954e8de9dfa0d44d --wait\n  \
                            cpe job rerun 954e8de9dfa0d44d --from TranscodeAssetStep")]
    Rerun(rerun::Rerun),
    /// Shows one job: its steps with status, attempts, times and failures.
    #[command(after_help = "Example:\n  cpe job show 954e8de9dfa0d44d --client ClientA")]
    Show(JobName),
    /// Sends a signal to a job, such as one that a `signal` step waits for.
    #[command(
        after_help = "Example:\n  cpe job signal 954e8de9 approved --input '{\"by\": \"me\"}'"
    )]
    Signal {
        #[command(flatten)]
        job: JobName,
        /// The signal's name, as the plan has it.
        name: String,
        /// What comes with it: JSON, the step's output.
        #[arg(long, value_name = "JSON")]
        input: Option<String>,
    },
}

/// Which job.
#[derive(Debug, clap::Args)]
pub struct JobName {
    /// The jobId, or the whole workflow id `client.jobId`.
    pub job: String,
    /// The client; needed with a jobId when cpe.yaml has several.
    #[arg(long)]
    pub client: Option<String>,
}

impl Job {
    pub async fn run(self, global: &Global) -> Result<(), Failed> {
        let config = compose::load_config(global)?;
        match self {
            Self::Start(start) => start.run(global, &config).await,
            Self::Watch(name) => {
                let workflow_id = name.workflow_id(&config).map_err(Failed::usage)?;
                let ports = compose::connect(global).await?;
                history::watch(&ports, &config, workflow_id, global.output).await
            }
            Self::List(list) => {
                let ports = compose::connect(global).await?;
                list.run(&ports, &config, global.output).await
            }
            Self::Why(name) => {
                let workflow_id = name.workflow_id(&config).map_err(Failed::usage)?;
                let ports = compose::connect(global).await?;
                ask::why(&ports, &config, &workflow_id, global.output).await
            }
            Self::Cancel { job, activity } => {
                let workflow_id = job.workflow_id(&config).map_err(Failed::usage)?;
                let ports = compose::connect(global).await?;
                ask::cancel(&ports, &config, &workflow_id, activity).await
            }
            Self::Rerun(rerun) => rerun.run(global, &config).await,
            Self::Show(name) => {
                let workflow_id = name.workflow_id(&config).map_err(Failed::usage)?;
                let ports = compose::connect(global).await?;
                history::show(&ports, &config, &workflow_id, global.output).await
            }
            Self::Signal { job, name, input } => {
                let workflow_id = job.workflow_id(&config).map_err(Failed::usage)?;
                if let Some(input) = &input {
                    serde_json::from_str::<serde_json::Value>(input)
                        .with_context(|| format!("the signal's input `{input}` is not JSON"))
                        .map_err(Failed::usage)?;
                }
                if name.starts_with(cpe_protocol::RESERVED_SIGNALS) {
                    let error = anyhow::anyhow!("`{name}`: signals that begin so are CPE's own");
                    return Err(Failed::usage(error));
                }
                let ports = compose::connect(global).await?;
                let input = match input {
                    None => None,
                    Some(input) => {
                        let payloads = compose::payloads(&config, &ports);
                        let shortened = payloads.shorten(&workflow_id, input).await;
                        Some(shortened.context("the signal's input cannot be stored")?)
                    }
                };
                ask::signal(&ports, &config, &workflow_id, (name.clone(), input)).await?;
                println!("signaled {workflow_id}: {name}");
                Ok(())
            }
        }
    }
}

impl JobName {
    fn workflow_id(&self, config: &crate::config::Config) -> anyhow::Result<cpe_swf::WorkflowId> {
        use cpe_protocol::{JobId, JobRef};

        let whole = cpe_swf::WorkflowId::from(self.job.as_str());
        if self.client.is_none() && JobRef::from_workflow_id(&whole).is_ok() {
            return Ok(whole);
        }
        let client = compose::one_client(config, self.client.as_deref())?;
        Ok(JobRef { client, job_id: JobId::new(self.job.as_str())? }.workflow_id())
    }
}
