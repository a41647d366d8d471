//! The embedded endpoint alone, over loopback HTTP and durable, with the AWS SDK as its client:
//! whole lifecycles per second, how fast what appears is delivered, and what other executions
//! cost.
//!
//! `cargo xtask bench local [--with-moto]`
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints, and may panic")]
#![allow(clippy::indexing_slicing, reason = "the percentiles index what was just filled")]

use std::{
    fmt::Write as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use cpe_aws::AwsConfig;
use cpe_local::{Local, LocalConfig, Storage};
use cpe_ports::WorkflowService;
use cpe_swf::{
    ActivityId, ActivityType, ChildPolicy, Decision, DomainName, TaskList, Timeout, WorkflowType,
    api::*,
    decision::{CompleteWorkflowExecution, ScheduleActivityTask},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const DOMAIN: &str = "bench";
/// Where the others are: a domain has room for no more than 100,000 open executions.
const CROWD: &str = "crowd";
const ACTIVITIES: usize = 3;
/// Workers at a time, each with task lists of its own.
const WORKERS: usize = 8;
const LIFECYCLES: usize = 2_000;
/// As many as moto is given, which slows down as they become more.
const BESIDE_MOTO: usize = 200;
const SAMPLES: usize = 1_000;
const CROWDS: [usize; 2] = [10_000, 100_000];
/// Starts under way at a time while a crowd gathers.
const GATHERING: usize = 256;

type Workflows = Arc<dyn WorkflowService>;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let report = runtime.block_on(run(value("--moto")));
    if value("--output").as_deref() == Some("json") {
        println!("{}", Value::from(report));
    } else {
        let mut text = String::new();
        for (name, value) in report {
            let _ = writeln!(text, "{name:<66} {value}");
        }
        print!("{text}");
    }
}

type Report = serde_json::Map<String, Value>;

async fn run(moto: Option<String>) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let mut report = Report::new();
    let mut world = World::open(folder.path()).await;
    prepare(&world.http).await;

    lifecycles(&world.http, "warm", BESIDE_MOTO).await;
    let rate = lifecycles(&world.http, "l", LIFECYCLES).await;
    put(&mut report, "lifecycles per second", rate);
    if let Some(url) = moto {
        let beside = connect(&url).await;
        prepare(&beside).await;
        let theirs = lifecycles(&beside, "m", BESIDE_MOTO).await;
        let ours = lifecycles(&world.http, "n", BESIDE_MOTO).await;
        put(&mut report, "lifecycles per second of moto, 200 executions", theirs);
        put(&mut report, "times moto, 200 executions (aim: 20)", ours / theirs);
    }
    let mut delivery = deliveries(&world.http).await;
    put(&mut report, "ms from a start to its waiting poll, median", percentile(&mut delivery, 50));
    put(
        &mut report,
        "ms from a start to its waiting poll, p99 (aim: 5)",
        percentile(&mut delivery, 99),
    );

    let alone = respond_p99(&world.http, "alone").await;
    put(&mut report, "ms of RespondActivityTaskCompleted, p99, no others", alone);
    let (memory, disk) = (resident(), size(folder.path()));
    let mut there = 0;
    for crowd in CROWDS {
        gather(&world.local.workflows(), there..crowd).await;
        there = crowd;
        let p99 = respond_p99(&world.http, &format!("open-{crowd}")).await;
        put(&mut report, &format!("ms of the same, {crowd} others open"), p99);
        put(
            &mut report,
            &format!("times that of none, {crowd} others open (aim: 1.5)"),
            p99 / alone,
        );
    }
    let each = |bytes: u64| bytes as f64 / 1024.0 / there as f64;
    put(
        &mut report,
        "KiB of memory per open execution (aim: 4)",
        each(resident().saturating_sub(memory)),
    );
    put(
        &mut report,
        "KiB of disk per open execution",
        each(size(folder.path()).saturating_sub(disk)),
    );

    world.close().await;
    let begun = Instant::now();
    world = World::open(folder.path()).await;
    put(
        &mut report,
        &format!("s to start again, {there} open (aim: 3)"),
        begun.elapsed().as_secs_f64(),
    );
    scatter(&world.local.workflows(), there).await;
    let p99 = respond_p99(&world.http, "closed").await;
    put(
        &mut report,
        &format!("ms of RespondActivityTaskCompleted, p99, {there} others closed"),
        p99,
    );
    put(&mut report, &format!("times that of none, {there} others closed (aim: 1.5)"), p99 / alone);
    world.close().await;
    report
}

fn put(report: &mut Report, name: &str, value: f64) {
    // Three digits that mean something.
    let places = if value >= 100.0 { 0 } else { 3 };
    report.insert(name.to_owned(), json!(format!("{value:.places$}").parse::<f64>().unwrap()));
}

struct World {
    local: Local,
    http: Workflows,
    stop: CancellationToken,
    server: tokio::task::JoinHandle<()>,
}

impl World {
    async fn open(folder: &Path) -> Self {
        let config = LocalConfig {
            data: Storage::Disk(folder.join("state")),
            poll_wait: Duration::from_secs(2),
            ..LocalConfig::default()
        };
        let local = Local::open(config).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let server = tokio::spawn({
            let (local, stop) = (local.clone(), stop.clone());
            async move { local.serve(listener, stop).await.unwrap() }
        });
        Self { local, http: connect(&url).await, stop, server }
    }

    async fn close(self) {
        self.stop.cancel();
        drop(self.http);
        self.server.await.unwrap();
        self.local.close().await;
    }
}

async fn connect(url: &str) -> Workflows {
    let config = AwsConfig { endpoint_url: Some(url.to_owned()), ..AwsConfig::default() };
    cpe_aws::connect(config).await.unwrap().workflows
}

fn domain() -> DomainName {
    DOMAIN.into()
}

async fn prepare(workflows: &Workflows) {
    for domain in [DOMAIN, CROWD] {
        register(workflows, domain.into()).await;
    }
}

async fn register(workflows: &Workflows, domain: DomainName) {
    let registered = RegisterDomainRequest {
        name: domain.clone(),
        description: None,
        workflow_execution_retention_period_in_days: "1".to_owned(),
        tags: Vec::new(),
    };
    workflows.register_domain(registered).await.unwrap();
    let workflow_type = RegisterWorkflowTypeRequest {
        domain: domain.clone(),
        name: "w".to_owned(),
        version: "1".to_owned(),
        description: None,
        default_task_start_to_close_timeout: Some(Timeout::Seconds(600)),
        default_execution_start_to_close_timeout: Some(Timeout::Seconds(86_400)),
        default_task_list: Some(TaskList::new("idle")),
        default_task_priority: None,
        default_child_policy: Some(ChildPolicy::Terminate),
        default_lambda_role: None,
    };
    workflows.register_workflow_type(workflow_type).await.unwrap();
    let long = Some(Timeout::Seconds(600));
    let activity_type = RegisterActivityTypeRequest {
        domain,
        name: "a".to_owned(),
        version: "1".to_owned(),
        description: None,
        default_task_start_to_close_timeout: long,
        default_task_heartbeat_timeout: long,
        default_task_list: Some(TaskList::new("idle")),
        default_task_priority: None,
        default_task_schedule_to_start_timeout: long,
        default_task_schedule_to_close_timeout: long,
    };
    workflows.register_activity_type(activity_type).await.unwrap();
}

fn start(workflow_id: String, list: &str) -> StartWorkflowExecutionRequest {
    StartWorkflowExecutionRequest {
        domain: domain(),
        workflow_id: workflow_id.into(),
        workflow_type: WorkflowType::new("w", "1"),
        task_list: Some(TaskList::new(list)),
        task_priority: None,
        input: Some("{}".to_owned()),
        execution_start_to_close_timeout: Some(Timeout::Seconds(86_400)),
        tag_list: Vec::new(),
        task_start_to_close_timeout: Some(Timeout::Seconds(600)),
        child_policy: Some(ChildPolicy::Terminate),
        lambda_role: None,
    }
}

/// Runs so many lifecycles; how many there were each second.
async fn lifecycles(workflows: &Workflows, name: &str, count: usize) -> f64 {
    let begun = Instant::now();
    let workers = (0..WORKERS).map(|worker| {
        let (workflows, list) = (Arc::clone(workflows), format!("{name}-{worker}"));
        tokio::spawn(async move {
            for number in (worker..count).step_by(WORKERS) {
                lifecycle(&workflows, &format!("{list}-{number}"), &list).await;
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    count as f64 / begun.elapsed().as_secs_f64()
}

/// Start, decide, three activities with a heartbeat each, close. Milliseconds that each
/// `RespondActivityTaskCompleted` took.
async fn lifecycle(workflows: &Workflows, id: &str, list: &str) -> Vec<f64> {
    workflows.start_workflow_execution(start(id.to_owned(), list)).await.unwrap();
    let long = Some(Timeout::Seconds(600));
    let schedule = (0..ACTIVITIES).map(|number| {
        Decision::from(ScheduleActivityTask {
            activity_type: ActivityType::new("a", "1"),
            activity_id: ActivityId(number.to_string()),
            control: None,
            input: Some("{}".to_owned()),
            schedule_to_close_timeout: long,
            task_list: Some(TaskList::new(list)),
            task_priority: None,
            schedule_to_start_timeout: long,
            start_to_close_timeout: long,
            heartbeat_timeout: long,
        })
    });
    decide(workflows, list, schedule.collect()).await;
    let mut took = Vec::new();
    for _ in 0..ACTIVITIES {
        let poll = PollForActivityTaskRequest {
            domain: domain(),
            task_list: TaskList::new(list),
            identity: None,
        };
        let polled = workflows.poll_for_activity_task(poll).await.unwrap().unwrap();
        let details = Some("half".to_owned());
        workflows.record_activity_task_heartbeat(&polled.task_token, details).await.unwrap();
        let completed = RespondActivityTaskCompletedRequest {
            task_token: polled.task_token,
            result: Some("{}".to_owned()),
        };
        let begun = Instant::now();
        workflows.respond_activity_task_completed(completed).await.unwrap();
        took.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    decide(workflows, list, vec![CompleteWorkflowExecution { result: None }.into()]).await;
    took
}

async fn decide(workflows: &Workflows, list: &str, decisions: Vec<Decision>) {
    let polled = workflows.poll_for_decision_task(poll(list)).await.unwrap().unwrap();
    let answer = RespondDecisionTaskCompletedRequest {
        task_token: polled.task_token,
        decisions,
        execution_context: None,
        task_list: None,
        task_list_schedule_to_start_timeout: None,
    };
    workflows.respond_decision_task_completed(answer).await.unwrap();
}

fn poll(list: &str) -> PollForDecisionTaskRequest {
    PollForDecisionTaskRequest {
        domain: domain(),
        task_list: TaskList::new(list),
        identity: None,
        next_page_token: None,
        maximum_page_size: None,
        reverse_order: false,
        start_at_previous_started_event: false,
    }
}

/// Milliseconds from the call that starts an execution until the poll that waits is answered.
async fn deliveries(workflows: &Workflows) -> Vec<f64> {
    let mut took = Vec::new();
    for number in 0..SAMPLES {
        let list = format!("delivery-{number}");
        let waiting = tokio::spawn({
            let (workflows, list) = (Arc::clone(workflows), list.clone());
            async move {
                let polled = workflows.poll_for_decision_task(poll(&list)).await.unwrap();
                (polled.unwrap(), Instant::now())
            }
        });
        // Long enough for the poll to wait there, most of the time; if it does not, it is fast.
        tokio::time::sleep(Duration::from_millis(3)).await;
        let begun = Instant::now();
        workflows.start_workflow_execution(start(list.clone(), &list)).await.unwrap();
        let (_, delivered) = waiting.await.unwrap();
        took.push(delivered.duration_since(begun).as_secs_f64() * 1e3);
    }
    took
}

async fn respond_p99(workflows: &Workflows, name: &str) -> f64 {
    let mut took = Vec::new();
    for number in 0..SAMPLES.div_ceil(ACTIVITIES) {
        took.extend(lifecycle(workflows, &format!("{name}-{number}"), name).await);
    }
    percentile(&mut took, 99)
}

/// Starts executions that then wait for a decider for ever.
async fn gather(workflows: &Workflows, numbers: std::ops::Range<usize>) {
    let numbers: Vec<_> = numbers.collect();
    for batch in numbers.chunks(GATHERING) {
        let starts = batch.iter().map(|number| {
            let start = start(format!("crowd-{number}"), "idle");
            workflows.start_workflow_execution(StartWorkflowExecutionRequest {
                domain: CROWD.into(),
                ..start
            })
        });
        for started in futures::future::join_all(starts).await {
            started.unwrap();
        }
    }
}

async fn scatter(workflows: &Workflows, count: usize) {
    let numbers: Vec<_> = (0..count).collect();
    for batch in numbers.chunks(GATHERING) {
        let ends = batch.iter().map(|number| {
            workflows.terminate_workflow_execution(TerminateWorkflowExecutionRequest {
                domain: CROWD.into(),
                workflow_id: format!("crowd-{number}").into(),
                run_id: None,
                reason: None,
                details: None,
                child_policy: None,
            })
        });
        for ended in futures::future::join_all(ends).await {
            ended.unwrap();
        }
    }
}

fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) * percent / 100]
}

/// Bytes of this process in memory.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4_096
}

fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| match entry.metadata().unwrap() {
            metadata if metadata.is_dir() => size(&entry.path()),
            metadata => metadata.len(),
        })
        .sum()
}
