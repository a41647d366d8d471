//! `cpe job list`: jobs of all clients or of one, those that run and those that have ended.

use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use cpe_ports::{Clock, SystemClock};
use cpe_protocol::{JobRef, JobStatus};
use cpe_swf::{CloseStatus, Timestamp, api::WorkflowExecutionInfo};
use cpe_worker::Ports;
use serde_json::json;

use super::{Failed, history};
use crate::{cli::Output, config::Config};

#[derive(Debug, Args)]
pub struct List {
    /// Jobs of this client only.
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// Jobs that are at this: running, completed, failed, canceled, timed-out, terminated.
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// Jobs of this plan, `Name` or `Name@version`.
    #[arg(long, value_name = "PLAN")]
    plan: Option<String>,
    /// Of jobs that have ended, those that ended in this time: `30m`, `12h`, `7d`.
    #[arg(long, value_name = "TIME", default_value = "1d")]
    since: String,
}

impl List {
    pub(super) async fn run(
        self,
        ports: &Ports,
        config: &Config,
        output: Output,
    ) -> Result<(), Failed> {
        let now = SystemClock.now();
        let since = parse_duration(&self.since).map_err(Failed::usage)?;
        let status = self.status.as_deref().map(parse_status).transpose().map_err(Failed::usage)?;
        let mut infos = Vec::new();
        if status.is_none_or(|status| status == JobStatus::Running) {
            infos.append(&mut history::open_executions(ports, config).await?);
        }
        if status != Some(JobStatus::Running) {
            let millis = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
            let since = Timestamp::from_millis(now.as_millis().saturating_sub(millis).max(0));
            infos.append(&mut history::closed_executions(ports, config, None, since).await?);
        }
        infos.retain(|info| self.wants(info, status));
        infos.sort_by_key(|info| std::cmp::Reverse(info.start_timestamp));
        match output {
            Output::Json => println!("{}", serde_json::to_string_pretty(&json!(infos))?),
            Output::Text if infos.is_empty() => {
                println!("no such jobs, neither open nor closed in the last {}", self.since);
            }
            Output::Text => infos.iter().for_each(|info| println!("{}", line(info, now))),
        }
        Ok(())
    }

    fn wants(&self, info: &WorkflowExecutionInfo, status: Option<JobStatus>) -> bool {
        let owner = JobRef::owner_of(&info.execution.workflow_id);
        let of_client = |name: &String| owner.is_ok_and(|job| job.client.as_str() == name);
        let of_plan = |plan: &String| {
            let known = &info.workflow_type;
            *plan == known.name || *plan == known.to_string()
        };
        // A run that another one continues is part of a job that goes on.
        info.close_status != Some(CloseStatus::ContinuedAsNew)
            && status.is_none_or(|status| status == JobStatus::of(info.close_status))
            && self.client.as_ref().is_none_or(of_client)
            && self.plan.as_ref().is_none_or(of_plan)
    }
}

fn line(info: &WorkflowExecutionInfo, now: Timestamp) -> String {
    let took = info.close_timestamp.unwrap_or(now).since(info.start_timestamp);
    format!(
        "{:<12} {:<40} {:<28} {}",
        JobStatus::of(info.close_status).to_string(),
        info.execution.workflow_id,
        info.workflow_type.to_string(),
        history::duration(took),
    )
}

fn parse_status(text: &str) -> anyhow::Result<JobStatus> {
    let wanted = text.to_ascii_uppercase().replace('-', "_");
    serde_json::from_value(json!(wanted)).with_context(|| {
        format!(
            "`{text}` is no status: expected running, completed, failed, canceled, timed-out or \
             terminated"
        )
    })
}

fn parse_duration(text: &str) -> anyhow::Result<Duration> {
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).unwrap_or(("", ""));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => bail!("`{text}` is no time: expected a number and s, m, h or d, such as 12h"),
    };
    let number: u32 =
        number.parse().with_context(|| format!("`{text}` is no time: expected such as 12h"))?;
    Ok(Duration::from_secs(u64::from(number) * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read() {
        assert_eq!(parse_duration("12h").unwrap().as_secs(), 43_200);
        for bad in ["", "h", "12", "-1h", "1w", "ü"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_status("timed-out").unwrap(), JobStatus::TimedOut);
        assert!(parse_status("open").is_err());
    }
}
