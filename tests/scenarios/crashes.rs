//! SIGKILL under load, again and again: every call that was acknowledged is found afterwards, and
//! nothing twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use cpe_aws::AwsConfig;
use cpe_ports::{GetObject, ListObjects, ObjectAddress, OutgoingMessage, PutOptions, Receive};
use cpe_swf::{
    ChildPolicy, TaskList, Timeout, WorkflowType,
    api::{RegisterDomainRequest, RegisterWorkflowTypeRequest, StartWorkflowExecutionRequest},
};
use cpe_tests::{Program, open_executions};
use cpe_worker::Ports;
use futures::TryStreamExt;

const KILLS: u64 = 200;
const DOMAIN: &str = "crashes";
const BUCKET: &str = "crashes";
const QUEUE: &str = "crashes";

/// What was acknowledged, by name.
#[derive(Debug, Default)]
struct Acknowledged {
    messages: BTreeSet<String>,
    executions: BTreeSet<String>,
    objects: BTreeMap<String, String>,
}

type Shared = Arc<Mutex<Acknowledged>>;

async fn start(folder: &Path) -> (Program, Ports) {
    let arguments = ["local", "--port", "0", "--data", "state", "--poll-wait", "1"];
    let mut program = Program::start(folder, &arguments, &[]);
    let line = program.line_with(" at ").await;
    let url = line.split_once(" at ").unwrap().1.trim().to_owned();
    let config = AwsConfig { endpoint_url: Some(url), ..AwsConfig::default() };
    (program, cpe::compose::aws_ports(cpe_aws::connect(config).await.unwrap()))
}

async fn prepare(ports: &Ports) {
    let domain = RegisterDomainRequest {
        name: DOMAIN.into(),
        description: None,
        workflow_execution_retention_period_in_days: "1".to_owned(),
        tags: Vec::new(),
    };
    ports.workflows.register_domain(domain).await.unwrap();
    let workflow_type = RegisterWorkflowTypeRequest {
        domain: DOMAIN.into(),
        name: "w".to_owned(),
        version: "1".to_owned(),
        description: None,
        default_task_start_to_close_timeout: Some(Timeout::Seconds(60)),
        default_execution_start_to_close_timeout: Some(Timeout::Seconds(3_600)),
        default_task_list: Some(TaskList::new("l")),
        default_task_priority: None,
        default_child_policy: Some(ChildPolicy::Terminate),
        default_lambda_role: None,
    };
    ports.workflows.register_workflow_type(workflow_type).await.unwrap();
    ports.queues.create_queue(QUEUE).await.unwrap();
    ports.blobs.create_bucket(BUCKET).await.unwrap();
}

/// Calls as fast as it can, until nobody answers.
async fn load(ports: Ports, round: u64, acknowledged: Shared) {
    let queue = ports.queues.queue_url(QUEUE).await;
    let Ok(queue) = queue else { return };
    for number in 0.. {
        let name = format!("{round}-{number}");
        if ports.queues.send(&queue, OutgoingMessage::new(name.clone())).await.is_err() {
            return;
        }
        acknowledged.lock().unwrap().messages.insert(name.clone());

        let started = ports.workflows.start_workflow_execution(execution(&name)).await;
        if started.is_err() {
            return;
        }
        acknowledged.lock().unwrap().executions.insert(name.clone());

        // Every other one is too large for a row, and the same key is written again and again.
        let key = format!("key-{}", number % 3);
        let body = format!("{name} {}", "x".repeat((number % 2) * 100_000));
        let at = ObjectAddress::new(BUCKET, &key);
        if ports.blobs.put(&at, body.clone().into(), PutOptions::default()).await.is_err() {
            return;
        }
        acknowledged.lock().unwrap().objects.insert(key, body);
    }
}

fn execution(id: &str) -> StartWorkflowExecutionRequest {
    StartWorkflowExecutionRequest {
        domain: DOMAIN.into(),
        workflow_id: id.into(),
        workflow_type: WorkflowType::new("w", "1"),
        task_list: None,
        task_priority: None,
        input: None,
        execution_start_to_close_timeout: None,
        tag_list: Vec::new(),
        task_start_to_close_timeout: None,
        child_policy: None,
        lambda_role: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_every_kill() {
    let folder = tempfile::tempdir().unwrap();
    let acknowledged = Shared::default();
    for round in 0..KILLS {
        let (program, ports) = start(folder.path()).await;
        if round == 0 {
            prepare(&ports).await;
        }
        let loading = tokio::spawn(load(ports, round, Arc::clone(&acknowledged)));
        // Somewhere in the middle of something: the times differ, and so does the load.
        tokio::time::sleep(Duration::from_millis(5 + round * 7 % 40)).await;
        program.kill().await;
        // What is not acknowledged by now never will be.
        loading.abort();
        let _ = loading.await;
    }
    let (program, ports) = start(folder.path()).await;
    let acknowledged = Arc::try_unwrap(acknowledged).unwrap().into_inner().unwrap();
    assert!(acknowledged.messages.len() > 50, "the load was no load: {acknowledged:?}");
    find_messages(&ports, acknowledged.messages).await;
    find_executions(&ports, acknowledged.executions).await;
    find_objects(&ports, acknowledged.objects).await;
    assert!(program.terminate().await);
}

async fn find_messages(ports: &Ports, mut missing: BTreeSet<String>) {
    let queue = ports.queues.queue_url(QUEUE).await.unwrap();
    let receive = Receive { max_messages: 10, wait: Duration::ZERO, visibility_timeout: None };
    let mut seen = BTreeSet::new();
    loop {
        let messages = ports.queues.receive(&queue, receive).await.unwrap();
        if messages.is_empty() {
            break;
        }
        for message in messages {
            missing.remove(&message.body);
            assert!(seen.insert(message.body.clone()), "{} came twice", message.body);
        }
    }
    assert!(missing.is_empty(), "acknowledged messages are lost: {missing:?}");
}

async fn find_executions(ports: &Ports, mut missing: BTreeSet<String>) {
    let mut seen = BTreeSet::new();
    for info in open_executions(&*ports.workflows, &DOMAIN.into()).await {
        let id = info.execution.workflow_id.to_string();
        missing.remove(&id);
        assert!(seen.insert(id.clone()), "{id} runs twice");
    }
    assert!(missing.is_empty(), "acknowledged executions are lost: {missing:?}");
}

/// A key holds what was acknowledged last, or what was on its way after that.
async fn find_objects(ports: &Ports, acknowledged: BTreeMap<String, String>) {
    let (bucket, prefix) = (BUCKET.to_owned(), String::new());
    let list = ListObjects { bucket, prefix, start_after: None, max_keys: 1_000 };
    let page = ports.blobs.list(list).await.unwrap();
    assert_eq!(page.objects.len(), acknowledged.len());
    for (key, expected) in acknowledged {
        let at = ObjectAddress::new(BUCKET, &key);
        let GetObject { body, .. } = ports.blobs.get(&at, None).await.unwrap();
        let pieces: Vec<bytes::Bytes> = body.try_collect().await.unwrap();
        let body = String::from_utf8(pieces.concat()).unwrap();
        let number = |body: &str| {
            let name = body.split(' ').next().unwrap();
            let (round, number) = name.split_once('-').unwrap();
            (round.parse::<u64>().unwrap(), number.parse::<u64>().unwrap())
        };
        assert!(number(&body) >= number(&expected), "{key}: {body:.20} after {expected:.20}");
        let large = body.len() > 50_000;
        assert_eq!(large, number(&body).1 % 2 == 1, "{key} is not whole");
    }
}
