//! `cpe dev`: the embedded endpoint and all pollers in one process, which speak to each other
//! without HTTP; everyone else finds them on loopback.

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use cpe_ports::SystemClock;

use super::{Failed, Jailing, local::Endpoint, reload, stop_on_signal};
use crate::{
    cli::Global,
    compose::{self, Clients, DEV_CLIENT, DEV_INPUT_QUEUE, DEV_OUTPUT_QUEUE, Fleet, Roles},
    config::{Access, Client, Config, S3Allowance},
    metrics::Metrics,
    traces::Traces,
};

#[derive(Debug, Args)]
pub struct Dev {
    #[command(flatten)]
    endpoint: Endpoint,
    /// Plan files or folders; default: `plans` of cpe.yaml, or the folder ./plans.
    #[arg(long, value_name = "PATH")]
    plans: Vec<PathBuf>,
    #[command(flatten)]
    jail: Jailing,
}

impl Dev {
    pub async fn run(self, global: &Global) -> Result<(), Failed> {
        let mut config = compose::load_config(global)?;
        self.choose_plans(&mut config);
        self.jail.set(&mut config);
        let plans = compose::load_plans(&config.plans).map_err(Failed::usage)?;
        let any_client = config.clients.is_empty();
        if any_client {
            config.clients.push(dev_client());
        }
        let stop = stop_on_signal()?;
        let traces = Traces::from_env(Arc::new(SystemClock)).map_err(Failed::usage)?;
        let (local, listener, address) = self.endpoint.open(config.data.clone(), None).await?;
        let bare = compose::local_ports(&local);
        let ports = match &traces {
            Some(traces) => Metrics::with_traces(Some(traces.clone())).meter(&bare),
            None => bare,
        };
        compose::prepare(&config, &ports).await?;
        let mut clients = Clients::resolve(&config, &ports).await?;
        if any_client {
            clients.accept_any_name();
        }
        let names: Vec<_> = plans.iter().map(|plan| plan.workflow_type().to_string()).collect();
        let fleet = Fleet::start(&config, ports.clone(), plans, clients, Roles::ALL).await?;
        if !any_client {
            reload::clients_on_hangup(global, &ports, &fleet, &stop)?;
        }

        self.endpoint.greet(address);
        if names.is_empty() {
            println!("no plans: `--plans PATH` names files or folders of them");
        } else {
            println!("plans: {}", names.join(", "));
        }
        for client in &config.clients {
            println!(
                "client {}: commands on {}, events on {}",
                if any_client { "of any name" } else { client.name.value.as_str() },
                client.input_queue.value,
                client.output_queue,
            );
        }
        // The endpoint outlives the pollers: what they drain still needs its answers.
        let serving = tokio_util::sync::CancellationToken::new();
        let server = tokio::spawn({
            let (local, serving) = (local.clone(), serving.clone());
            async move { local.serve(listener, serving).await }
        });
        let draining = tokio::spawn({
            let (local, stop) = (local.clone(), stop.clone());
            async move {
                stop.cancelled().await;
                // A fleet lets its polls end, which would take up to a minute.
                local.end_polls();
            }
        });
        fleet.run(stop).await;
        draining.await?;
        serving.cancel();
        server.await.map_err(anyhow::Error::from)??;
        local.close().await;
        if let Some(traces) = traces {
            traces.close().await;
        }
        println!("cpe dev: drained");
        Ok(())
    }

    fn choose_plans(&self, config: &mut Config) {
        if !self.plans.is_empty() {
            config.plans.clone_from(&self.plans);
        } else if config.plans.is_empty() && PathBuf::from("plans").is_dir() {
            config.plans.push(PathBuf::from("plans"));
        }
    }
}

/// On one's own machine every client may do everything.
fn dev_client() -> Client {
    Client {
        s3: vec![S3Allowance {
            bucket: "*".to_owned(),
            prefix: String::new(),
            access: Access::ReadWrite,
        }],
        ..Client::named(DEV_CLIENT, DEV_INPUT_QUEUE, DEV_OUTPUT_QUEUE)
    }
}
