//! `cpe run`: the pollers, against AWS or any endpoint.

use clap::Args;

use super::{Failed, reload, stop_on_signal};
use crate::{
    cli::Global,
    compose::{self, Clients, Fleet, Roles},
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
}

impl Run {
    pub async fn run(self, global: &Global) -> Result<(), Failed> {
        let config = compose::load_config(global)?;
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
        let ports = compose::connect(global).await?;
        let clients = Clients::resolve(&config, &ports).await?;
        // An endpoint of one's own begins empty. On AWS a domain is the operator's to make, and a
        // slip in its name should not make another.
        if global.endpoint_url.is_some() {
            compose::register_domain(&config, &ports).await?;
        }
        let fleet = Fleet::start(&config, ports.clone(), plans, clients, roles).await?;
        reload::clients_on_hangup(global, &ports, &fleet, &stop)?;
        println!("cpe run: {roles} in the domain {}", config.domain);
        fleet.run(stop).await;
        println!("cpe run: drained");
        Ok(())
    }

    /// All three if none is named.
    fn roles(&self) -> Roles {
        if !(self.decider || self.input_poller || self.activity_poller) {
            return Roles::ALL;
        }
        Roles { decider: self.decider, input: self.input_poller, activities: self.activity_poller }
    }
}
