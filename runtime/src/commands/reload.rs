//! SIGHUP: the clients of cpe.yaml are read again, while the pollers run. Everything else in the
//! file is what it was when the process started.

use cpe_worker::{ClientRegistry, Ports};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::{
    cli::Global,
    compose::{self, Clients, Fleet},
};

pub(super) fn clients_on_hangup(
    global: &Global,
    ports: &Ports,
    fleet: &Fleet,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    let (global, ports, registry) = (global.clone(), ports.clone(), fleet.clients());
    let stop = stop.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                hung_up = hangup.recv() => if hung_up.is_none() { return },
            }
            match reload(&global, &ports, &registry).await {
                Ok(true) => {
                    let clients = registry.current();
                    let names: Vec<_> =
                        clients.iter().map(|client| client.name.to_string()).collect();
                    info!(clients = names.join(", "), "The clients of cpe.yaml have changed");
                }
                Ok(false) => info!("The clients of cpe.yaml are what they were"),
                Err(why) => {
                    error!(why, "The new cpe.yaml is not used: the clients stay as they are")
                }
            }
        }
    });
    Ok(())
}

/// Whether anything changed, or why nothing may.
async fn reload(global: &Global, ports: &Ports, registry: &ClientRegistry) -> Result<bool, String> {
    let config = compose::load_config(global).map_err(|failed| failed.to_string())?;
    if config.clients.is_empty() {
        return Err("it has no clients".to_owned());
    }
    let clients = Clients::resolve(&config, ports).await.map_err(|error| format!("{error:#}"))?;
    Ok(registry.replace(clients.into_inner()))
}
