//! A fleet in virtual time: the real pollers on the embedded endpoint, each in a process of its
//! own as far as anybody can tell, and guests that act by their input. What takes minutes there
//! takes milliseconds here, and the same happens each time.

use std::{sync::Arc, time::Duration};

use cpe_local::{Local, LocalConfig};
use cpe_modules::{Locks, Registry};
use cpe_plan::Plan;
use cpe_ports::{
    Clock, QueueUrl, Receive,
    testing::{FaultRates, Faults, MemoryBlobs},
};
use cpe_protocol::ClientName;
use cpe_sandbox::Grants;
use cpe_swf::{DomainName, TaskList, Timestamp};
use cpe_worker::{
    Activities, ActivitiesConfig, Backoff, Ceilings, Client, ClientRegistry, Clients, Decider,
    DeciderConfig, InputConfig, InputPoller, Jitter, JobClaims, Outbox, Payloads, PlanArchive,
    Plans, Ports, Quotas, Shares, Starts, Usage, Worker, register_domain, register_types,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{Execution, acting::Acting};

/// The first midnight that a stage sees: of 2025-01-01.
pub const MIDNIGHT: Timestamp = Timestamp(1_735_689_600_000);
/// When every stage begins: ten minutes before.
const BEGINNING: Timestamp = Timestamp(MIDNIGHT.0 - 600_000);
const DOMAIN: &str = "stage";
const DECIDERS: &str = "deciders";
const BUCKET: &str = "fleet";

/// Which poller a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Decider,
    Input,
    Activities,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::Decider, Self::Input, Self::Activities];
}

#[derive(Debug)]
pub struct Stage {
    local: Local,
    clock: Arc<dyn Clock>,
    begun: Instant,
    blobs: MemoryBlobs,
    plans: Vec<Arc<Plan>>,
    clients: Vec<(String, Quotas)>,
}

impl Stage {
    /// Under a tokio runtime of one thread whose time is paused.
    pub async fn open(plans: &[String], clients: &[&str]) -> Self {
        let clients: Vec<_> = clients.iter().map(|name| (*name, Quotas::default())).collect();
        Self::with_quotas(plans, &clients).await
    }

    pub async fn with_quotas(plans: &[String], clients: &[(&str, Quotas)]) -> Self {
        let config = LocalConfig { poll_wait: Duration::ZERO, ..LocalConfig::default() };
        let config = config.in_virtual_time(BEGINNING);
        let clock = Arc::clone(&config.clock);
        let local = Local::open(config).await.unwrap();
        let blobs = MemoryBlobs::with_buckets([BUCKET]).with_clock(Arc::clone(&clock));
        let parse =
            |text: &String| Plan::parse("test.yaml", text).unwrap_or_else(|e| panic!("{e}"));
        let plans = plans.iter().map(|text| Arc::new(parse(text))).collect();
        let clients = clients.iter().map(|(name, quotas)| ((*name).to_owned(), *quotas)).collect();
        let stage = Self { local, clock, begun: Instant::now(), blobs, plans, clients };
        let ports = stage.ports(&stage.faults(0, FaultRates::default()));
        let worker = stage.worker(ports.clone(), 0).await;
        register_domain(&ports, &worker.domain).await.unwrap();
        register_types(&ports, &worker.domain, &worker.plans, &TaskList::new(DECIDERS))
            .await
            .unwrap();
        for plan in worker.plans.iter() {
            worker.archive.keep(plan).await.unwrap();
        }
        stage
    }

    /// The faults of one process, or of one client.
    pub fn faults(&self, seed: u64, rates: FaultRates) -> Faults {
        let (local, clock, begun) = (self.local.clone(), Arc::clone(&self.clock), self.begun);
        Faults::at_once(seed, rates, move || {
            let now = BEGINNING + begun.elapsed();
            if clock.now() < now {
                let passing = tokio::task::unconstrained(local.pass_time(now));
                futures::executor::block_on(passing).unwrap();
            }
        })
    }

    pub fn ports(&self, faults: &Faults) -> Ports {
        Ports {
            workflows: faults.workflows(self.local.workflows()),
            queues: faults.queues(self.local.queues()),
            blobs: faults.blobs(Arc::new(self.blobs.clone())),
            clock: Arc::clone(&self.clock),
        }
    }

    /// Ports on which everything goes well.
    pub fn good_ports(&self) -> Ports {
        self.ports(&self.faults(0, FaultRates::default()))
    }

    /// Starts one poller. It drains when `stop` comes, and it may die before.
    pub async fn start(&self, role: Role, faults: &Faults, stop: &CancellationToken) {
        let worker = self.worker(self.ports(faults), 7).await;
        let (task_list, stop) = (TaskList::new(DECIDERS), stop.clone());
        match role {
            Role::Decider => {
                let config = DeciderConfig { task_list, max_in_flight: 2 };
                tokio::spawn(Decider::new(worker, config).run(stop));
            }
            Role::Input => {
                let claims = JobClaims::new(&worker.ports, BUCKET.to_owned(), String::new());
                let config = InputConfig { decider: task_list, polls: 1, claims };
                tokio::spawn(InputPoller::new(worker, config).run(stop));
            }
            Role::Activities => {
                let config = ActivitiesConfig {
                    max_in_flight: 6,
                    cancel_grace: Duration::from_secs(5),
                    max_heartbeat: Duration::from_secs(5),
                };
                tokio::spawn(Activities::new(worker, Arc::new(Acting), config).run(stop));
            }
        }
    }

    async fn worker(&self, ports: Ports, seed: u64) -> Arc<Worker> {
        let mut clients = Vec::new();
        for (name, quotas) in &self.clients {
            clients.push(Client { quotas: *quotas, ..self.client(name).await });
        }
        let (blobs, clock) = (Arc::clone(&ports.blobs), Arc::clone(&ports.clock));
        let registry = Registry::new(blobs, clock, BUCKET.to_owned(), String::new());
        let bucket = || BUCKET.to_owned();
        Arc::new(Worker {
            domain: DomainName::from(DOMAIN),
            identity: "stage".to_owned(),
            plans: Plans::new(self.plans.clone()).unwrap(),
            archive: PlanArchive::new(&ports, bucket(), String::new()),
            payloads: Arc::new(Payloads::new(&ports, bucket(), "payloads/".to_owned())),
            outbox: Outbox::new(&ports, bucket(), String::new()),
            shares: Shares::default(),
            usage: Usage::new(&ports, bucket(), String::new(), "stage"),
            locks: Locks::new(registry),
            starts: Starts::default(),
            clients: ClientRegistry::new(Clients::new(clients).unwrap()),
            backoff: Backoff { jitter: Jitter::Seeded(seed), ..Backoff::default() },
            ports,
        })
    }

    async fn client(&self, name: &str) -> Client {
        Client {
            name: ClientName::new(name).unwrap(),
            input: self.queue(&format!("{name}-in")).await,
            output: self.queue(&format!("{name}-out")).await,
            dead_letters: Some(self.queue(&format!("{name}-dead")).await),
            quotas: Quotas::default(),
            plans: None,
            grants: Grants::default(),
            ceilings: Ceilings::default(),
            signers: None,
        }
    }

    pub async fn queue(&self, name: &str) -> QueueUrl {
        self.good_ports().queues.create_queue(name).await.unwrap()
    }

    /// All that there are, with their histories.
    pub async fn executions(&self) -> Vec<Execution> {
        Execution::all(&*self.good_ports().workflows, &DOMAIN.into()).await
    }

    /// What is in places where nothing should be left: messages that wait for pollers, dead
    /// letters, events that were put aside.
    pub async fn left_over(&self) -> Vec<String> {
        let mut left = Vec::new();
        let queues = self.good_ports().queues;
        let receive = Receive { max_messages: 10, wait: Duration::ZERO, visibility_timeout: None };
        for (client, _) in &self.clients {
            for queue in ["in", "dead"].map(|kind| format!("{client}-{kind}")) {
                let url = self.queue(&queue).await;
                for message in queues.receive(&url, receive).await.unwrap() {
                    left.push(format!("{queue}: {}", message.body));
                }
            }
        }
        let keys = self.blobs.keys(BUCKET).into_iter();
        left.extend(keys.filter(|key| key.starts_with("parked/")));
        left
    }

    pub fn now(&self) -> Timestamp {
        BEGINNING + self.begun.elapsed()
    }
}
