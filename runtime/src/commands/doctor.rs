//! `cpe doctor`: what `cpe run` needs, looked at before anything starts.
//!
//! Nothing that others see is changed: of a queue only requests are tried that it must refuse, and
//! the one small object that is written to a bucket is deleted again.

mod machine;
mod report;
mod services;

use std::sync::Arc;

use clap::Args;
use cpe_ports::Account;
use cpe_worker::Ports;

pub use self::{
    machine::{examine_jail, examine_machine},
    report::{Finding, Report, Verdict},
    services::examine_services,
};
use super::Failed;
use crate::{
    cli::{Global, Output},
    compose,
    config::Config,
};

#[derive(Debug, Args)]
pub struct Doctor {
    /// Write nothing: permission to write to the buckets is not tried.
    #[arg(long)]
    read_only: bool,
}

impl Doctor {
    pub async fn run(self, global: &Global) -> Result<(), Failed> {
        let mut report = Report::default();
        report.ok("version", format!("cpe {}", env!("CARGO_PKG_VERSION")));
        let config = match compose::load_config(global) {
            Ok(config) => Some(config),
            Err(failed) => {
                report.fail("configuration", failed.to_string());
                None
            }
        };
        if let Some(config) = &config {
            examine_configuration(config, &mut report);
            examine_machine(config, &mut report);
            examine_jail(config, &mut report).await;
            self.examine_world(global, config, &mut report).await;
        }
        match global.output {
            Output::Text => print!("{report}"),
            Output::Json => println!("{}", report.to_json()),
        }
        match report.failures() {
            0 => Ok(()),
            1 => Err(anyhow::anyhow!("one thing keeps `cpe run` from working").into()),
            n => Err(anyhow::anyhow!("{n} things keep `cpe run` from working").into()),
        }
    }

    async fn examine_world(&self, global: &Global, config: &Config, report: &mut Report) {
        let (ports, account): (Ports, Arc<dyn Account>) = match compose::connect_all(global).await {
            Ok(connected) => connected,
            Err(error) => return report.fail("credentials", format!("{error:#}")),
        };
        let own_endpoint = global.endpoint_url.is_some();
        let how = services::How { own_endpoint, writes: !self.read_only };
        examine_services(config, (&ports, account.as_ref()), how, report).await;
    }
}

/// The configuration and the plans that it names: of each mistake, all there are.
pub fn examine_configuration(config: &Config, report: &mut Report) {
    match config.clients.len() {
        0 => report.warn(
            "configuration",
            "it has no clients, without which there is no input poller: name them under \
             `clients` in cpe.yaml, or in CPE_CLIENTS",
        ),
        1 => report.ok("configuration", format!("domain {}, one client", config.domain)),
        n => report.ok("configuration", format!("domain {}, {n} clients", config.domain)),
    }
    let loaded = compose::load_plans(&config.plans)
        .and_then(|plans| Ok(cpe_worker::Plans::new(plans.clone()).map(|_| plans)?));
    match loaded {
        Ok(plans) if plans.is_empty() => report.fail(
            "plans",
            "there are none: name files or folders under `plans` in cpe.yaml, or in CPE_PLANS",
        ),
        Ok(plans) => {
            let names: Vec<_> = plans.iter().map(|plan| plan.workflow_type().to_string()).collect();
            report.ok("plans", names.join(", "));
        }
        Err(error) => report.fail("plans", format!("{error:#}")),
    }
    for client in &config.clients {
        let known: Vec<_> = client.plans.iter().flatten().collect();
        if known.is_empty() && client.plans.is_some() {
            let subject = format!("client {}", client.name.value);
            report.warn(subject, "it may start no plan at all: its `plans` are an empty list");
        }
    }
}

#[cfg(test)]
mod tests;
