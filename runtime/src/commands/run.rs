//! `cpe run`: the pollers, against AWS or any endpoint.

use std::{net::SocketAddr, sync::Arc};

use clap::Args;
use cpe_ports::SystemClock;

use super::{Failed, Jailing, reload, stop_on_signal};
use crate::{
    cli::Global,
    compose::{self, Clients, Fleet, Roles},
    metrics::{self, Metrics},
    traces::Traces,
};

#[derive(Debug, Args)]
pub struct Run {
    /// Follow plans: decide what each execution does next.
    #[arg(long)]
    decider: bool,
    /// Take commands from the clients' queues.
    #[arg(long)]
    input_poller: bool,
    /// Run activities.
    #[arg(long)]
    activity_poller: bool,
    /// Serve /healthz, /readyz and /metrics at this address; of a port alone, on 127.0.0.1.
    #[arg(long, value_name = "ADDRESS", env = "CPE_METRICS", value_parser = metrics::address)]
    metrics: Option<SocketAddr>,
    #[command(flatten)]
    jail: Jailing,
}

impl Run {
    pub async fn run(self, global: &Global) -> Result<(), Failed> {
        let mut config = compose::load_config(global)?;
        self.jail.set(&mut config);
        let plans = compose::load_plans(&config.plans).map_err(Failed::usage)?;
        let roles = self.roles();
        if plans.is_empty() {
            return Err(Failed::usage(anyhow::anyhow!(
                "no plans: name files or folders under `plans` in cpe.yaml, or in CPE_PLANS"
            )));
        }
        if roles.input && config.clients.is_empty() {
            return Err(Failed::usage(anyhow::anyhow!(
                "no clients: an input poller needs `clients` in cpe.yaml, or CPE_CLIENTS"
            )));
        }
        let stop = stop_on_signal()?;
        let traces = Traces::from_env(Arc::new(SystemClock)).map_err(Failed::usage)?;
        let metrics = Metrics::with_traces(traces.clone());
        let server = self.open_metrics(&metrics).await?;
        let ports = metrics.meter(&compose::connect(global).await?);
        let clients = Clients::resolve(&config, &ports).await?;
        // An endpoint of one's own begins empty. On AWS a domain is the operator's to make, and a
        // slip in its name should not make another.
        if global.endpoint_url.is_some() {
            compose::register_domain(&config, &ports).await?;
        }
        let fleet = Fleet::start(&config, ports.clone(), plans, clients, roles).await?;
        reload::clients_on_hangup(global, &ports, &fleet, &stop)?;
        println!("cpe run: {roles} in the domain {}", config.domain);
        metrics.follow(&fleet, stop.clone());
        fleet.run(stop).await;
        // To the end, so that who looks sees it drain.
        drop(server);
        if let Some(traces) = traces {
            traces.close().await;
        }
        println!("cpe run: drained");
        Ok(())
    }

    /// Before anything else: with the port taken, nothing has been touched.
    async fn open_metrics(&self, metrics: &Metrics) -> anyhow::Result<Option<metrics::Server>> {
        let Some(address) = self.metrics else { return Ok(None) };
        let server = metrics::Server::start(address, metrics.clone()).await?;
        println!("metrics at http://{}/metrics", server.address());
        Ok(Some(server))
    }

    /// All three if none is named.
    fn roles(&self) -> Roles {
        if !(self.decider || self.input_poller || self.activity_poller) {
            return Roles::ALL;
        }
        Roles { decider: self.decider, input: self.input_poller, activities: self.activity_poller }
    }
}
