//! `cpe job`: starts jobs the way a client does, and follows them in SWF.

mod history;
mod start;

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
    #[command(after_help = "Example:\n  cpe job list --output json")]
    List,
    /// Shows one job: its steps with status, attempts, times and failures.
    #[command(after_help = "Example:\n  cpe job show 954e8de9dfa0d44d --client ClientA")]
    Show(JobName),
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
            Self::List => {
                let ports = compose::connect(global).await?;
                history::list(&ports, &config, global.output).await
            }
            Self::Show(name) => {
                let workflow_id = name.workflow_id(&config).map_err(Failed::usage)?;
                let ports = compose::connect(global).await?;
                history::show(&ports, &config, &workflow_id, global.output).await
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
