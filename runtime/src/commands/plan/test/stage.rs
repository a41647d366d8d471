//! Everything that one case runs on: an embedded endpoint in virtual time, and the real decider,
//! input poller and activity poller on it, each of which does one thing at a time when it is asked.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use cpe_local::{Local, LocalConfig};
use cpe_modules::{Locks, Registry};
use cpe_plan::{
    Plan, StepWork,
    cases::{Case, ObjectContent, TestFile},
};
use cpe_ports::{ObjectAddress, PutOptions, QueueUrl, WorkflowService};
use cpe_protocol::{ClientName, JobId, JobRef};
use cpe_sandbox::{Access, BucketGrant, Grants};
use cpe_swf::{
    ChildPolicy, DomainName, TaskList, Timeout, Timestamp, WorkflowId, WorkflowType,
    api::RegisterWorkflowTypeRequest,
};
use cpe_worker::{
    Backoff, Ceilings, Client, ClientRegistry, Clients, Decider, DeciderConfig, InputConfig,
    InputPoller, Jitter, JobClaims, Outbox, Payloads, PlanArchive, Plans, Ports, Quotas, Shares,
    Starts, Usage, Worker, register_domain, register_types,
};
use serde_json::Value;

use super::{ears::Ears, lookup::Script, onlooker::Onlooker, tap::Tap};

/// When every case begins: 2025-01-01, at midnight. So runs have the same ids each time, and what
/// depends on these, such as the jitter of retries, is the same too.
const BEGINNING: Timestamp = Timestamp(1_735_689_600_000);
const CLIENT: &str = "test";
const JOB: &str = "case";
/// For what the fleet keeps: no plan may name it.
const BUCKET: &str = "cpe-test";
const DECIDERS: &str = "cpe-test-deciders";

#[derive(Debug)]
pub(super) struct Stage {
    pub(super) local: Local,
    /// SWF, without the tap.
    pub(super) workflows: Arc<dyn WorkflowService>,
    pub(super) tap: Arc<Tap>,
    pub(super) ears: Ears,
    pub(super) onlooker: Onlooker,
    pub(super) worker: Arc<Worker>,
    pub(super) decider: Decider,
    pub(super) input: InputPoller,
    pub(super) client: Arc<Client>,
    pub(super) job: JobRef,
    pub(super) plan: Arc<Plan>,
}

impl Stage {
    /// `folder` is the test file's.
    pub(super) async fn open(file: &TestFile, case: &Case, folder: &Path) -> anyhow::Result<Self> {
        let config = LocalConfig { poll_wait: Duration::ZERO, ..LocalConfig::default() };
        let config = config.in_virtual_time(BEGINNING);
        let clock = Arc::clone(&config.clock);
        let local = Local::open(config).await?;
        let job = job_of(&case.input)?;
        let (root, workflows) = (job.workflow_id(), local.workflows());
        let script =
            Script { plan: Arc::clone(&file.plan), mocks: case.mocks.clone(), is_child: false };
        let lines = (root.clone(), script);
        let children = file.children.clone();
        let tap = Arc::new(Tap::new(Arc::clone(&workflows), lines, file.unmocked, children));
        let ears = Ears::default();
        let ports = Ports {
            workflows: Arc::clone(&tap) as Arc<dyn WorkflowService>,
            queues: Arc::new(ears.clone()),
            blobs: local.blobs(),
            clock,
        };
        ports.blobs.create_bucket(BUCKET).await?;
        put_objects(&ports, case, folder).await?;
        let claims = JobClaims::new(&ports, BUCKET.to_owned(), String::new());
        let worker = Arc::new(worker(ports, plans(file)?)?);
        let task_list = TaskList::new(DECIDERS);
        register(&worker, file, &task_list).await?;
        let onlooker = Onlooker::new(root);
        let deciding = DeciderConfig { task_list: task_list.clone(), max_in_flight: 1 };
        let decider = Decider::new(Arc::clone(&worker), deciding);
        let client =
            worker.clients.current().iter().next().cloned().context("there is one client")?;
        Ok(Self {
            local,
            workflows,
            tap,
            ears,
            decider: decider.watched_by(Arc::new(onlooker.clone())),
            onlooker,
            input: InputPoller::new(
                Arc::clone(&worker),
                InputConfig { decider: task_list, polls: 1, claims },
            ),
            worker,
            client,
            job,
            plan: Arc::clone(&file.plan),
        })
    }

    pub(super) fn root(&self) -> WorkflowId {
        self.job.workflow_id()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.worker.ports.clock.now()
    }

    /// Virtual time since the case began.
    pub(super) fn elapsed(&self) -> Duration {
        self.now().since(BEGINNING)
    }

    pub(super) fn at(after: Duration) -> Timestamp {
        BEGINNING + after
    }
}

/// The job is the client's whom the input names, if it names one.
fn job_of(input: &Value) -> anyhow::Result<JobRef> {
    let named = input.pointer("/client/name").and_then(Value::as_str);
    let client = match named.map(ClientName::new) {
        Some(Ok(client)) => client,
        // The input poller says what is wrong with it.
        Some(Err(_)) | None => ClientName::new(CLIENT)?,
    };
    Ok(JobRef { client, job_id: JobId::new(JOB)? })
}

fn plans(file: &TestFile) -> anyhow::Result<Plans> {
    let tested = file.plan.workflow_type();
    let others = file.children.iter().filter(|(of, _)| **of != tested).map(|(_, plan)| plan);
    Ok(Plans::new(std::iter::once(&file.plan).chain(others).cloned())?)
}

fn worker(ports: Ports, plans: Plans) -> anyhow::Result<Worker> {
    // What an operator allows is not what is tested: the plan's own grants hold.
    let everything =
        BucketGrant { bucket: "*".to_owned(), prefix: String::new(), access: Access::ReadWrite };
    let client = Client {
        name: ClientName::new(CLIENT)?,
        input: QueueUrl("input".to_owned()),
        output: QueueUrl("output".to_owned()),
        dead_letters: None,
        quotas: Quotas::default(),
        plans: None,
        grants: Grants { s3: vec![everything], ..Grants::default() },
        ceilings: Ceilings::default(),
        signers: None,
    };
    let (blobs, clock) = (Arc::clone(&ports.blobs), Arc::clone(&ports.clock));
    let registry = Registry::new(blobs, clock, BUCKET.to_owned(), String::new());
    let mut clients = Clients::new([client])?;
    clients.accept_any_name();
    Ok(Worker {
        domain: DomainName::from("cpe-test"),
        identity: "cpe plan test".to_owned(),
        plans,
        archive: PlanArchive::new(&ports, BUCKET.to_owned(), String::new()),
        payloads: Arc::new(Payloads::new(&ports, BUCKET.to_owned(), String::new())),
        outbox: Outbox::new(&ports, BUCKET.to_owned(), String::new()),
        shares: Shares::default(),
        usage: Usage::new(&ports, BUCKET.to_owned(), String::new(), "cpe plan test"),
        locks: Locks::new(registry),
        starts: Starts::default(),
        clients: ClientRegistry::new(clients),
        backoff: Backoff {
            min: Duration::from_millis(1),
            max: Duration::from_millis(1),
            jitter: Jitter::None,
        },
        ports,
    })
}

async fn register(worker: &Worker, file: &TestFile, deciders: &TaskList) -> anyhow::Result<()> {
    register_domain(&worker.ports, &worker.domain).await?;
    register_types(&worker.ports, &worker.domain, &worker.plans, deciders).await?;
    let mut strangers: BTreeMap<&WorkflowType, ()> = BTreeMap::new();
    for plan in worker.plans.iter() {
        for step in &plan.steps {
            if let StepWork::Child { workflow_type, .. } = &step.work
                && *workflow_type != file.plan.workflow_type()
                && !file.children.contains_key(workflow_type)
            {
                strangers.insert(workflow_type, ());
            }
        }
    }
    for workflow_type in strangers.into_keys() {
        let request = RegisterWorkflowTypeRequest {
            domain: worker.domain.clone(),
            name: workflow_type.name.clone(),
            version: workflow_type.version.clone(),
            description: None,
            default_task_start_to_close_timeout: Some(Timeout::None),
            default_execution_start_to_close_timeout: Some(Timeout::Seconds(365 * 24 * 3600)),
            default_task_list: Some(deciders.clone()),
            default_task_priority: None,
            default_child_policy: Some(ChildPolicy::Terminate),
            default_lambda_role: None,
        };
        worker.ports.workflows.register_workflow_type(request).await?;
    }
    Ok(())
}

async fn put_objects(ports: &Ports, case: &Case, folder: &Path) -> anyhow::Result<()> {
    for (bucket, objects) in &case.objects {
        ports.blobs.create_bucket(bucket).await.with_context(|| format!("the bucket {bucket}"))?;
        for (key, content) in objects {
            let body = match content {
                ObjectContent::Text(text) => Bytes::copy_from_slice(text.as_bytes()),
                ObjectContent::File(path) => {
                    let path = folder.join(&path.value);
                    let read = tokio::fs::read(&path).await;
                    read.with_context(|| format!("cannot read {}", path.display()))?.into()
                }
            };
            let at = ObjectAddress::new(bucket, key);
            let put = ports.blobs.put(&at, body, PutOptions::default()).await;
            put.with_context(|| format!("the object {key} of {bucket}"))?;
        }
    }
    Ok(())
}
