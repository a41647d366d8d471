//! `cpe local`: the embedded endpoint alone, for any SWF, SQS and S3 client.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use clap::Args;
use cpe_local::{LocalConfig, Storage};
use cpe_ports::SystemClock;
use tokio::net::TcpListener;

use super::{Failed, stop_on_signal};

#[derive(Debug, Args)]
pub struct Local {
    #[command(flatten)]
    pub endpoint: Endpoint,
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
    /// Seconds that a poll is held: of a task list always, of a queue at most.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(0..=300))]
    pub poll_wait: u64,
}

impl Endpoint {
    /// Opens the state and the port. Nothing is served yet.
    pub async fn open(
        &self,
        default_data: PathBuf,
    ) -> anyhow::Result<(cpe_local::Local, TcpListener, SocketAddr)> {
        // The port first: with the port taken, nothing has been touched.
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
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
            clock: Arc::new(SystemClock),
            ..LocalConfig::default()
        };
        let local = cpe_local::Local::open(config).await?;
        Ok((local, listener, address))
    }
}

impl Local {
    pub async fn run(self) -> Result<(), Failed> {
        let stop = stop_on_signal()?;
        let (local, listener, address) = self.endpoint.open(PathBuf::from(".cpe")).await?;
        println!("SWF, SQS and S3 at http://{address}");
        println!("  export AWS_ENDPOINT_URL=http://{address} AWS_REGION=us-east-1");
        println!("  export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local");
        local.serve(listener, stop).await?;
        local.close().await;
        Ok(())
    }
}
