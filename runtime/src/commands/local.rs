//! `cpe local`: the embedded endpoint alone, for any SWF, SQS and S3 client.

use std::{
    io::Write,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use cpe_local::{Credentials, LocalConfig, Storage};
use cpe_ports::{Clock, SystemClock};
use cpe_swf::Timestamp;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::net::TcpListener;

use super::{Failed, stop_on_signal};

#[derive(Debug, Args)]
pub struct Local {
    #[command(flatten)]
    pub endpoint: Endpoint,
    /// Time stands still at START (RFC 3339; now if absent) and is moved with
    /// `POST /_cpe/clock`: {"advance": SECONDS}, {"to": SECONDS} or {"to": "next"}.
    #[arg(
        long, value_name = "START", num_args = 0..=1, require_equals = true,
        default_missing_value = "now", requires = "memory", value_parser = start
    )]
    pub virtual_time: Option<Timestamp>,
}

/// A point in time to begin at.
fn start(text: &str) -> Result<Timestamp, String> {
    if text == "now" {
        return Ok(SystemClock.now());
    }
    let time = OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|error| format!("{error}; expected a time like 2026-01-31T12:00:00Z"))?;
    let millis = i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
    Ok(Timestamp::from_millis(millis))
}

/// Which quotas hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Throttle {
    /// Those of an AWS account on SWF's calls and decisions per second.
    Aws,
}

/// Where the embedded endpoint listens and keeps its state.
#[derive(Debug, Clone, Args)]
pub struct Endpoint {
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 4600)]
    pub port: u16,
    /// Folder for the state; made if it is not there. Default: `data` of cpe.yaml, or ./.cpe.
    #[arg(long, value_name = "DIR", conflicts_with = "memory")]
    pub data: Option<PathBuf>,
    /// Keep nothing on disk.
    #[arg(long)]
    pub memory: bool,
    /// Address to listen on. Any but loopback needs `--signed`.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub bind: IpAddr,
    /// Answer only requests that are signed with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, as
    /// they are in the environment of this process.
    #[arg(long)]
    pub signed: bool,
    /// Throttle SWF as an account on AWS is.
    #[arg(long, value_enum)]
    pub throttle: Option<Throttle>,
    /// Seconds that a poll is held: of a task list always, of a queue at most.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(0..=300))]
    pub poll_wait: u64,
}

/// Prints a line. Whoever reads it may have gone, and the endpoint serves on.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

impl Endpoint {
    /// Opens the state and the port. Nothing is served yet.
    pub async fn open(
        &self,
        default_data: PathBuf,
        virtual_time: Option<Timestamp>,
    ) -> anyhow::Result<(cpe_local::Local, TcpListener, SocketAddr)> {
        let credentials = self.credentials()?;
        // The port first: with the port taken, nothing has been touched.
        let address = SocketAddr::from((self.bind, self.port));
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on {address}; `--port 0` takes a free port"))?;
        let address = listener.local_addr()?;
        let data = if self.memory {
            Storage::Memory
        } else {
            Storage::Disk(self.data.clone().unwrap_or(default_data))
        };
        let config = LocalConfig {
            data,
            poll_wait: Duration::from_secs(self.poll_wait),
            throttle: self.throttle == Some(Throttle::Aws),
            credentials,
            ..LocalConfig::default()
        };
        let config = match virtual_time {
            Some(start) => config.in_virtual_time(start),
            None => config,
        };
        let local = cpe_local::Local::open(config).await?;
        Ok((local, listener, address))
    }
}

impl Endpoint {
    /// Says how clients reach it.
    pub fn greet(&self, address: SocketAddr) {
        say(&format!("SWF, SQS and S3 at http://{address}"));
        say(&format!("  export AWS_ENDPOINT_URL=http://{address} AWS_REGION=us-east-1"));
        say(if self.signed {
            "  and the AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of this process"
        } else {
            "  export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local"
        });
    }

    fn credentials(&self) -> anyhow::Result<Option<Credentials>> {
        if !self.signed {
            ensure!(
                self.bind.is_loopback(),
                "{} is not a loopback address: whoever reaches it may do everything, unless \
                 `--signed` asks for signatures",
                self.bind
            );
            return Ok(None);
        }
        let value = |name: &str| {
            std::env::var(name).ok().filter(|value| !value.is_empty()).with_context(|| {
                format!("`--signed` needs {name} in the environment: what requests are signed with")
            })
        };
        Ok(Some(Credentials {
            access_key_id: value("AWS_ACCESS_KEY_ID")?,
            secret_access_key: value("AWS_SECRET_ACCESS_KEY")?,
        }))
    }
}

impl Local {
    pub async fn run(self) -> Result<(), Failed> {
        let stop = stop_on_signal()?;
        let (local, listener, address) =
            self.endpoint.open(PathBuf::from(".cpe"), self.virtual_time).await?;
        self.endpoint.greet(address);
        if self.virtual_time.is_some() {
            say(&format!("time stands still; move it with POST http://{address}/_cpe/clock"));
        }
        local.serve(listener, stop).await?;
        local.close().await;
        Ok(())
    }
}
