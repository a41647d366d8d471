//! The clients (tenants): which queues are theirs, and what they may start and touch.

mod registry;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use cpe_modules::SignerKey;
use cpe_ports::QueueUrl;
use cpe_protocol::{ClientName, JobRef, QuotaName};
use cpe_sandbox::Grants;
use cpe_swf::WorkflowId;

pub use self::registry::ClientRegistry;
use crate::{Ceilings, Used};

/// One client, as the operator registered it.
#[derive(Debug, Clone, PartialEq)]
pub struct Client {
    pub name: ClientName,
    pub input: QueueUrl,
    pub output: QueueUrl,
    /// Where messages go that nobody can make anything of; they are dropped if `None`.
    pub dead_letters: Option<QueueUrl>,
    pub quotas: Quotas,
    /// Names of the plans it may start; all if `None`.
    pub plans: Option<BTreeSet<String>>,
    /// What its activities may touch at the most.
    pub grants: Grants,
    /// What one of its activity tasks may use at the most.
    pub ceilings: Ceilings,
    /// Whose signature its modules must have; `None` runs what is not signed too.
    pub signers: Option<Arc<BTreeSet<SignerKey>>>,
}

/// How much a client may have at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    /// Open executions; any number if `None`.
    pub jobs_in_flight: Option<u32>,
    /// Activity tasks that run, above which no job begins; any number if `None`.
    pub activities_in_flight: Option<u32>,
    /// Jobs begun in a second, by each input poller; any number if `None`.
    pub starts_per_second: Option<u32>,
    /// Of its guests, on CPUs, in a day in UTC, after which no job begins; any number if `None`.
    pub cpu_seconds_per_day: Option<u64>,
    /// That its guests move, to and from objects and over HTTP, likewise.
    pub bytes_per_day: Option<u64>,
    pub over: OverQuota,
    /// The client's share where there is not enough for all: twice the weight, twice the share.
    pub weight: u32,
}

/// What becomes of a job for which its client has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverQuota {
    Wait,
    Refuse,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            jobs_in_flight: None,
            activities_in_flight: None,
            starts_per_second: None,
            cpu_seconds_per_day: None,
            bytes_per_day: None,
            over: OverQuota::Wait,
            weight: 1,
        }
    }
}

impl Quotas {
    /// Whether workers have to tell what the client uses.
    pub(crate) fn are_metered(&self) -> bool {
        let Self { activities_in_flight, cpu_seconds_per_day, bytes_per_day, .. } = self;
        activities_in_flight.is_some() || cpu_seconds_per_day.is_some() || bytes_per_day.is_some()
    }

    /// The first quota that leaves no room for one more job of a client that has used this.
    pub fn used_up(&self, used: &Used) -> Option<(QuotaName, u64)> {
        let full = |name, limit: Option<u64>, used: u64| {
            limit.filter(|limit| used >= *limit).map(|limit| (name, limit))
        };
        let in_flight = self.activities_in_flight.map(u64::from);
        full(QuotaName::CpuSecondsPerDay, self.cpu_seconds_per_day, used.cpu.as_secs())
            .or_else(|| full(QuotaName::BytesPerDay, self.bytes_per_day, used.bytes))
            .or_else(|| full(QuotaName::ActivitiesInFlight, in_flight, u64::from(used.activities)))
    }
}

impl Client {
    pub(crate) fn may_start(&self, plan: &str) -> bool {
        self.plans.as_ref().is_none_or(|plans| plans.contains(plan))
    }
}

/// All clients.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Clients {
    by_name: BTreeMap<ClientName, Arc<Client>>,
    any_name: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientsError {
    #[error("the client {0} is there twice")]
    Twice(ClientName),
    #[error(
        "the clients {one} and {two} have the same input queue, and the queue tells who sent a \
         command"
    )]
    SharedQueue { one: ClientName, two: ClientName },
}

impl Clients {
    pub fn new(clients: impl IntoIterator<Item = Client>) -> Result<Self, ClientsError> {
        let mut all = Self::default();
        let mut queues: BTreeMap<QueueUrl, ClientName> = BTreeMap::new();
        for client in clients {
            if let Some(one) = queues.insert(client.input.clone(), client.name.clone()) {
                return Err(ClientsError::SharedQueue { one, two: client.name });
            }
            if let Some(twice) = all.by_name.insert(client.name.clone(), Arc::new(client)) {
                return Err(ClientsError::Twice(twice.name.clone()));
            }
        }
        Ok(all)
    }

    /// Lets a message say who it is from, whatever queue it arrived on, and serves everybody with
    /// the first client's queues and allowances. For development on one's own machine.
    pub fn accept_any_name(&mut self) {
        self.any_name = true;
    }

    pub(crate) fn any_name(&self) -> bool {
        self.any_name
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Client>> {
        self.by_name.values()
    }

    pub fn get(&self, name: &ClientName) -> Option<&Arc<Client>> {
        self.by_name.get(name).or_else(|| self.iter().next().filter(|_| self.any_name))
    }

    /// Whose execution this is, and of which job; `None` if nobody's here. Children of a job's
    /// execution are of the same job.
    pub(crate) fn of_execution(&self, id: &WorkflowId) -> Option<(&Arc<Client>, JobRef)> {
        let job = JobRef::owner_of(id).ok()?;
        Some((self.get(&job.client)?, job))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::client;

    #[test]
    fn executions_belong_to_the_client_in_their_workflow_id() {
        let mut clients = Clients::new([client("a"), client("b")]).unwrap();
        let (owner, job) = clients.of_execution(&"b.job".into()).unwrap();
        assert_eq!((owner.name.as_str(), job.job_id.as_str()), ("b", "job"));
        let (owner, job) = clients.of_execution(&"b.job.Child[2]#2".into()).unwrap();
        assert_eq!((owner.name.as_str(), job.job_id.as_str()), ("b", "job"), "a child");
        assert!(clients.of_execution(&"c.job".into()).is_none());
        assert!(clients.of_execution(&"by-hand".into()).is_none());
        clients.accept_any_name();
        let (owner, job) = clients.of_execution(&"c.job".into()).unwrap();
        assert_eq!((owner.name.as_str(), job.client.as_str()), ("a", "c"));
    }

    #[test]
    fn a_queue_has_one_owner() {
        let mut two = client("b");
        two.input = client("a").input;
        let error = Clients::new([client("a"), two]).unwrap_err();
        assert!(matches!(error, ClientsError::SharedQueue { .. }), "{error}");
        let error = Clients::new([client("a"), Client { input: client("b").input, ..client("a") }]);
        assert!(matches!(error, Err(ClientsError::Twice(_))));
    }
}
