//! The pollers of one process.

use std::{fmt, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use cpe_modules::{Locks, Modules, ModulesConfig, Notifications};
use cpe_plan::{ModuleRef, Plan};
use cpe_ports::ErrorKind;
use cpe_sandbox::{Sandbox, UploadJournal};
use cpe_swf::{DomainName, TaskList, limits};
use cpe_worker::{
    Activities, ActivitiesConfig, Backoff, ClientRegistry, Decider, DeciderConfig, InputConfig,
    InputPoller, JobClaims, Outbox, PlanArchive, Plans, Ports, SHADOWS, SandboxGuests, Shares,
    Starts, Worker, register_types,
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{Clients, clients::all_signers, jail::jail, payloads, queue_url, registry, sandbox};
use crate::config::Config;

/// SQS holds a receive for 20 s, so few are enough for a queue.
const RECEIVES: usize = 4;
/// The longest time between two heartbeats: by them a worker learns of cancels.
const MAX_HEARTBEAT: Duration = Duration::from_secs(10);

/// Which pollers run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    pub decider: bool,
    pub input: bool,
    pub activities: bool,
}

impl Roles {
    pub const ALL: Self = Self { decider: true, input: true, activities: true };
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (self.decider, "decider"),
            (self.input, "input poller"),
            (self.activities, "activity poller"),
        ];
        let names: Vec<_> = names.iter().filter(|(runs, _)| *runs).map(|(_, name)| *name).collect();
        f.write_str(&names.join(", "))
    }
}

/// Pollers that are ready to poll.
#[derive(Debug)]
pub struct Fleet {
    clients: ClientRegistry,
    decider: Option<Decider>,
    input: Option<InputPoller>,
    activities: Option<(Activities, Sandbox, Arc<UploadJournal>)>,
    watch: Option<Watch>,
}

/// What keeps modules up to date.
#[derive(Debug)]
struct Watch {
    modules: Modules,
    references: Vec<ModuleRef>,
    notifications: Option<Notifications>,
    identity: String,
}

impl Watch {
    async fn run(self, stop: CancellationToken) {
        let Self { modules, references, notifications, identity } = self;
        let listening = async {
            if let Some(notifications) = notifications {
                notifications.listen(&modules, stop.cancelled()).await;
            }
        };
        tokio::join!(modules.watch(references, identity, stop.cancelled()), listening);
    }
}

impl Fleet {
    /// Checks that the domain is there and registers the types of all plans. Nothing is polled
    /// before [`Fleet::run`].
    ///
    /// # Errors
    ///
    /// Whatever keeps the pollers from working: no domain, plans that contradict each other, no
    /// sandbox on this machine.
    pub async fn start(
        config: &Config,
        ports: Ports,
        plans: Vec<Arc<Plan>>,
        clients: Clients,
        roles: Roles,
    ) -> anyhow::Result<Self> {
        let plans = Plans::new(plans)?;
        let domain = DomainName::from(config.domain.as_str());
        let task_list = TaskList::new(config.decider.task_list.as_str());
        expect_domain(&ports, &domain).await?;
        // What this machine cannot do is known before anything is registered.
        let sandbox = match roles.activities {
            true => {
                let guests = (config.activities.max_in_flight, SHADOWS);
                Some(sandbox(config, guests, jail(config).await?)?)
            }
            false => None,
        };
        register_types(&ports, &domain, &plans, &task_list).await?;
        let registry = registry(config, &ports);
        let modules = &config.modules;
        let clients = clients.into_inner();
        let modules_config = ModulesConfig {
            revalidate_after: Duration::from_secs(config.modules.poll),
            signers: all_signers(&clients),
            margins: modules.canary,
            ..ModulesConfig::default()
        };
        let registered = ClientRegistry::new(clients);
        let notifications = notifications(config, &ports).await?;
        let references = plans.modules().into_iter().collect();
        let locks = Locks::new(registry.clone());
        let worker = worker(config, &ports, plans, registered.clone(), locks);
        keep_plans(&worker).await;
        let decider = DeciderConfig {
            task_list: task_list.clone(),
            max_in_flight: config.decider.max_in_flight,
        };
        let claims = JobClaims::new(&ports, modules.bucket.clone(), modules.prefix.clone());
        let input = InputConfig { decider: task_list, polls: RECEIVES, claims };
        let mut watch = None;
        let activities = sandbox.map(|sandbox| {
            let journal = Arc::new(UploadJournal::new(
                Arc::clone(&ports.blobs),
                modules.bucket.clone(),
                &modules.prefix,
            ));
            sandbox.keep_journal(Arc::clone(&journal));
            let Ports { blobs, clock, .. } = ports;
            let modules = Modules::new(registry, sandbox.clone(), blobs, clock, modules_config);
            watch = Some(Watch {
                modules: modules.clone(),
                references,
                notifications,
                identity: worker.identity.clone(),
            });
            let guests = Arc::new(SandboxGuests::new(modules, sandbox.clone()));
            let limits = ActivitiesConfig {
                max_in_flight: config.activities.max_in_flight,
                cancel_grace: Duration::from_secs(config.activities.cancel_grace),
                max_heartbeat: MAX_HEARTBEAT,
            };
            (Activities::new(Arc::clone(&worker), guests, limits), sandbox, journal)
        });
        Ok(Self {
            clients: registered,
            decider: roles.decider.then(|| Decider::new(Arc::clone(&worker), decider)),
            input: roles.input.then(|| InputPoller::new(worker, input)),
            activities,
            watch,
        })
    }

    /// The clients that are served, which may be changed meanwhile.
    pub fn clients(&self) -> ClientRegistry {
        self.clients.clone()
    }

    /// Where its activities run, if they do in this process.
    pub fn sandbox(&self) -> Option<&Sandbox> {
        self.activities.as_ref().map(|(_, sandbox, _)| sandbox)
    }

    /// The modules of its activities, if they run in this process.
    pub fn modules(&self) -> Option<&Modules> {
        self.watch.as_ref().map(|watch| &watch.modules)
    }

    /// Polls until `stop`, then returns when everything in flight is answered.
    pub async fn run(self, stop: CancellationToken) {
        let Self { decider, input, activities, watch, .. } = self;
        let decider = async {
            if let Some(decider) = decider {
                decider.run(stop.clone()).await;
            }
        };
        let input = async {
            if let Some(input) = input {
                input.run(stop.clone()).await;
            }
        };
        let activities = async {
            if let Some((activities, sandbox, journal)) = activities {
                tokio::select! {
                    () = activities.run(stop.clone()) => {}
                    () = journal.tend() => {}
                }
                sandbox.settle().await;
            }
        };
        let watch = async {
            if let Some(watch) = watch {
                watch.run(stop.clone()).await;
            }
        };
        tokio::join!(decider, input, activities, watch);
    }
}

/// Where S3 tells of new versions, if it does.
async fn notifications(config: &Config, ports: &Ports) -> anyhow::Result<Option<Notifications>> {
    let Some(queue) = &config.modules.notifications else { return Ok(None) };
    let (queues, queue) = (ports.queues.clone(), queue_url(ports, queue).await?);
    Ok(Some(Notifications { queues, queue }))
}

/// What the pollers share.
fn worker(
    config: &Config,
    ports: &Ports,
    plans: Plans,
    clients: ClientRegistry,
    locks: Locks,
) -> Arc<Worker> {
    let (bucket, prefix) = (&config.modules.bucket, &config.modules.prefix);
    Arc::new(Worker {
        domain: DomainName::from(config.domain.as_str()),
        archive: PlanArchive::new(ports, bucket.clone(), prefix.clone()),
        payloads: Arc::new(payloads(config, ports)),
        identity: identity(),
        plans,
        clients,
        outbox: Outbox::new(ports, bucket.clone(), prefix.clone()),
        shares: Shares::default(),
        usage: super::usage(config, ports),
        locks,
        starts: Starts::default(),
        backoff: Backoff::default(),
        ports: ports.clone(),
    })
}

async fn keep_plans(worker: &Worker) {
    for plan in worker.plans.iter() {
        if let Err(error) = worker.archive.keep(plan).await {
            let plan = plan.workflow_type();
            warn!(%plan, %error, "The plan is not kept for executions that outlive it");
        }
    }
}

async fn expect_domain(ports: &Ports, domain: &DomainName) -> anyhow::Result<()> {
    match ports.workflows.describe_domain(domain).await {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "the SWF domain `{domain}` does not exist: `aws swf register-domain --name {domain} \
             --workflow-execution-retention-period-in-days 30` makes it"
        ),
        Err(error) => Err(error).with_context(|| format!("cannot use the SWF domain {domain}")),
    }
}

/// What histories show of who polled.
pub(super) fn identity() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "host" } else { host.trim() };
    let identity = format!("cpe@{host}:{}", std::process::id());
    identity.chars().take(limits::IDENTITY_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_named() {
        assert_eq!(Roles::ALL.to_string(), "decider, input poller, activity poller");
        let roles = Roles { decider: false, ..Roles::ALL };
        assert_eq!(roles.to_string(), "input poller, activity poller");
        assert!(identity().starts_with("cpe@"));
    }
}
