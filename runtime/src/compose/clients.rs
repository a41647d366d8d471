//! Clients as the configuration has them, with their queues found.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use anyhow::{Context, bail};
use cpe_modules::SignerKey;
use cpe_ports::{ErrorKind, QueueUrl};
use cpe_protocol::ClientName;
use cpe_worker::{Client, Ports};
use tracing::debug;

use super::{
    allowances::{ceilings, grants},
    endpoints::{find_queue, is_url},
};
use crate::config::{self, Config};

/// The client that `cpe dev` makes up where cpe.yaml has none.
pub const DEV_CLIENT: &str = "dev";
pub const DEV_INPUT_QUEUE: &str = "cpe-input";
pub const DEV_OUTPUT_QUEUE: &str = "cpe-output";

/// The clients, ready to be served.
#[derive(Debug, Clone)]
pub struct Clients(cpe_worker::Clients);

impl Clients {
    /// Finds the queues of all clients.
    ///
    /// # Errors
    ///
    /// All queues that do not exist, the first that cannot be asked for, or a secret that is not
    /// there.
    pub async fn resolve(config: &Config, ports: &Ports) -> anyhow::Result<Self> {
        let mut clients = Vec::new();
        let mut missing = Vec::new();
        for client in &config.clients {
            let name = ClientName::new(client.name.value.as_str())?;
            let input = &client.input_queue.value;
            let found_input = look(ports, input, &name, &mut missing).await?;
            let found_output = look(ports, &client.output_queue, &name, &mut missing).await?;
            let dead_letters = match &client.dead_letter_queue {
                Some(queue) => look(ports, queue, &name, &mut missing).await?,
                None => None,
            };
            let quotas = client.quotas.to_worker();
            if let (Some(input), Some(output)) = (found_input, found_output) {
                let plans = client.plans.clone().map(|plans| plans.into_iter().collect());
                let (grants, ceilings) = (grants(config, client)?, ceilings(config, client));
                debug!(client = %name, "Its activities may reach {grants}");
                let signers = signers(client)?.map(Arc::new);
                clients.push(Client {
                    name,
                    input,
                    output,
                    dead_letters,
                    quotas,
                    plans,
                    grants,
                    ceilings,
                    signers,
                });
            }
        }
        if !missing.is_empty() {
            let example = missing.first().map(|(queue, _)| queue.as_str()).unwrap_or_default();
            let list: Vec<_> =
                missing.iter().map(|(queue, name)| format!("`{queue}` of {name}")).collect();
            bail!(
                "queues of clients that do not exist: {}; `aws sqs create-queue --queue-name \
                 {example}` makes one",
                list.join(", ")
            );
        }
        Ok(Self(cpe_worker::Clients::new(clients)?))
    }

    /// Lets commands say who they are from: for development on one's own machine.
    pub fn accept_any_name(&mut self) {
        self.0.accept_any_name();
    }

    pub(crate) fn into_inner(self) -> cpe_worker::Clients {
        self.0
    }
}

async fn look(
    ports: &Ports,
    queue: &str,
    client: &ClientName,
    missing: &mut Vec<(String, ClientName)>,
) -> anyhow::Result<Option<QueueUrl>> {
    match find_queue(ports, queue).await {
        Ok(url) => Ok(Some(url)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            missing.push((queue.to_owned(), client.clone()));
            Ok(None)
        }
        Err(error) => {
            Err(error).with_context(|| format!("cannot find the queue {queue} of {client}"))
        }
    }
}

/// Everybody whose signature some client trusts.
pub(super) fn all_signers(clients: &cpe_worker::Clients) -> BTreeSet<SignerKey> {
    clients.iter().filter_map(|client| client.signers.as_deref()).flatten().cloned().collect()
}

/// The keys of those who may sign modules for a client.
fn signers(client: &config::Client) -> anyhow::Result<Option<BTreeSet<SignerKey>>> {
    let Some(files) = &client.signers else { return Ok(None) };
    let key = |file: &PathBuf| {
        let of = || format!("the key {} of the client {}", file.display(), client.name.value);
        let text =
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", of()))?;
        SignerKey::from_pem(&text).with_context(of)
    };
    files.iter().map(key).collect::<Result<_, _>>().map(Some)
}

/// The client that a command means: the one it names, or the only one there is.
///
/// # Errors
///
/// If it names none that is known, or none while there are several.
pub fn one_client(config: &Config, named: Option<&str>) -> anyhow::Result<ClientName> {
    let known: Vec<_> = config.clients.iter().map(|client| client.name.value.as_str()).collect();
    match (named, known.as_slice()) {
        // Where cpe.yaml has no clients, `cpe dev` serves everyone.
        (Some(name), []) => Ok(ClientName::new(name)?),
        (None, []) => Ok(ClientName::new(DEV_CLIENT)?),
        (None, [only]) => Ok(ClientName::new(*only)?),
        (Some(name), known) if known.contains(&name) => Ok(ClientName::new(name)?),
        (Some(name), known) => {
            bail!("no client `{name}` in the configuration; there are {}", known.join(", "))
        }
        (None, known) => {
            bail!("which client? `--client` takes one of {}", known.join(", "))
        }
    }
}

/// Name or URL of the queue that a client's commands go to.
pub fn input_queue(config: &Config, client: &ClientName) -> String {
    config
        .clients
        .iter()
        .find(|known| known.name.value == client.as_str())
        .map_or_else(|| DEV_INPUT_QUEUE.to_owned(), |known| known.input_queue.value.clone())
}

/// Name or URL of the queue that a client hears events on.
pub fn output_queue(config: &Config, client: &ClientName) -> String {
    config
        .clients
        .iter()
        .find(|known| known.name.value == client.as_str())
        .map_or_else(|| DEV_OUTPUT_QUEUE.to_owned(), |known| known.output_queue.clone())
}

/// The names of all queues that the configuration gives by name.
pub(super) fn queue_names(config: &Config) -> impl Iterator<Item = &str> {
    config
        .clients
        .iter()
        .flat_map(|client| {
            let always = [client.input_queue.value.as_str(), client.output_queue.as_str()];
            always.into_iter().chain(client.dead_letter_queue.as_deref())
        })
        .filter(|queue| !is_url(queue))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(clients: &[&str]) -> Config {
        let list: Vec<_> = clients
            .iter()
            .map(|name| format!("{{name: {name}, input_queue: {name}-in, output_queue: o}}"))
            .collect();
        let yaml = format!("[{}]", list.join(", "));
        Config::load(None, |name| (name == "CPE_CLIENTS").then(|| yaml.clone())).unwrap()
    }

    #[track_caller]
    fn check(clients: &[&str], named: Option<&str>, expected: &str) {
        let config = config(clients);
        let found = match one_client(&config, named) {
            Ok(client) => format!("{client} on {}", input_queue(&config, &client)),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn a_command_means_one_client() {
        check(&[], None, "dev on cpe-input");
        check(&[], Some("x"), "x on cpe-input");
        check(&["a"], None, "a on a-in");
        check(&["a", "b"], Some("b"), "b on b-in");
        check(&["a", "b"], None, "which client? `--client` takes one of a, b");
        check(&["a"], Some("x"), "no client `x` in the configuration; there are a");
    }
}
