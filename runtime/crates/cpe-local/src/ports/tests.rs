//! The ports on an endpoint whose clock stands still until a test moves it.

use std::{sync::Arc, time::Duration};

use cpe_ports::{
    ErrorKind, MessageQueue, OutgoingMessage, QueueUrl, Receive, WorkflowService,
    testing::ManualClock,
};
use cpe_swf::{
    ActivityType, Decision, DomainName, TaskList, Timeout, Timestamp, WorkflowType,
    api::{
        ActivityTask, DecisionTask, PollForActivityTaskRequest, PollForDecisionTaskRequest,
        RegisterActivityTypeRequest, RegisterDomainRequest, RegisterWorkflowTypeRequest,
        RespondActivityTaskCompletedRequest, RespondDecisionTaskCompletedRequest,
        StartWorkflowExecutionRequest,
    },
    decision::ScheduleActivityTask,
};
use tempfile::TempDir;

use crate::{Local, LocalConfig, Storage};

struct World {
    local: Local,
    clock: Arc<ManualClock>,
    folder: TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)));
        let local = Self::open(&folder, &clock).await;
        Self { local, clock, folder }
    }

    async fn open(folder: &TempDir, clock: &Arc<ManualClock>) -> Local {
        Local::open(LocalConfig {
            data: Storage::Disk(folder.path().join("state")),
            clock: Arc::<ManualClock>::clone(clock),
            ..LocalConfig::default()
        })
        .await
        .unwrap()
    }

    async fn reopen(&mut self) {
        self.local.close().await;
        self.local = Self::open(&self.folder, &self.clock).await;
    }

    async fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
        self.local.look_at_clock().await.unwrap();
    }

    /// A domain with a workflow type and an activity type.
    async fn register(&self) {
        let swf = self.local.workflows();
        swf.register_domain(RegisterDomainRequest {
            name: domain(),
            description: None,
            workflow_execution_retention_period_in_days: "1".to_owned(),
            tags: Vec::new(),
        })
        .await
        .unwrap();
        swf.register_workflow_type(RegisterWorkflowTypeRequest {
            domain: domain(),
            name: "W".to_owned(),
            version: "1".to_owned(),
            description: None,
            default_task_start_to_close_timeout: Some(Timeout::Seconds(10)),
            default_execution_start_to_close_timeout: Some(Timeout::Seconds(1_000)),
            default_task_list: Some(TaskList::new("deciders")),
            default_task_priority: None,
            default_child_policy: Some(cpe_swf::ChildPolicy::Terminate),
            default_lambda_role: None,
        })
        .await
        .unwrap();
        swf.register_activity_type(RegisterActivityTypeRequest {
            domain: domain(),
            name: "A".to_owned(),
            version: "1".to_owned(),
            description: None,
            default_task_start_to_close_timeout: Some(Timeout::Seconds(100)),
            default_task_heartbeat_timeout: Some(Timeout::Seconds(20)),
            default_task_list: Some(TaskList::new("workers")),
            default_task_priority: None,
            default_task_schedule_to_start_timeout: Some(Timeout::Seconds(100)),
            default_task_schedule_to_close_timeout: Some(Timeout::Seconds(200)),
        })
        .await
        .unwrap();
    }

    async fn start(&self, id: &str) -> Result<(), cpe_ports::Error> {
        let request = StartWorkflowExecutionRequest {
            domain: domain(),
            workflow_id: id.into(),
            workflow_type: WorkflowType::new("W", "1"),
            task_list: None,
            task_priority: None,
            input: Some("{}".to_owned()),
            execution_start_to_close_timeout: None,
            tag_list: Vec::new(),
            task_start_to_close_timeout: None,
            child_policy: None,
            lambda_role: None,
        };
        self.local.workflows().start_workflow_execution(request).await.map(drop)
    }
}

fn domain() -> DomainName {
    "D".into()
}

async fn decision_task(swf: Arc<dyn WorkflowService>) -> Option<DecisionTask> {
    swf.poll_for_decision_task(PollForDecisionTaskRequest {
        domain: domain(),
        task_list: TaskList::new("deciders"),
        identity: None,
        next_page_token: None,
        maximum_page_size: None,
        reverse_order: false,
        start_at_previous_started_event: false,
    })
    .await
    .unwrap()
}

async fn activity_task(swf: Arc<dyn WorkflowService>) -> Option<ActivityTask> {
    swf.poll_for_activity_task(PollForActivityTaskRequest {
        domain: domain(),
        task_list: TaskList::new("workers"),
        identity: None,
    })
    .await
    .unwrap()
}

async fn schedule(swf: &dyn WorkflowService, task: &DecisionTask) {
    let schedule = ScheduleActivityTask {
        activity_type: ActivityType::new("A", "1"),
        activity_id: "a".into(),
        control: None,
        input: Some("in".to_owned()),
        schedule_to_close_timeout: None,
        task_list: None,
        task_priority: None,
        schedule_to_start_timeout: None,
        start_to_close_timeout: None,
        heartbeat_timeout: None,
    };
    swf.respond_decision_task_completed(RespondDecisionTaskCompletedRequest {
        task_token: task.task_token.clone(),
        decisions: vec![Decision::ScheduleActivityTask(schedule)],
        execution_context: None,
        task_list: None,
        task_list_schedule_to_start_timeout: None,
    })
    .await
    .unwrap();
}

fn last_event(task: &DecisionTask) -> &'static str {
    let started = task.events.len() - 3;
    task.events[started].event_type()
}

#[tokio::test]
async fn polls_that_wait_are_woken_by_what_they_wait_for() {
    let world = World::new().await;
    world.register().await;
    let swf = world.local.workflows();
    let waiting = tokio::spawn(decision_task(Arc::clone(&swf)));
    // Not a sleep: the poll reaches the engine before this call does, or finds the decision task itself.
    tokio::task::yield_now().await;
    world.start("w").await.unwrap();
    let task = waiting.await.unwrap().unwrap();

    let waiting = tokio::spawn(activity_task(Arc::clone(&swf)));
    tokio::task::yield_now().await;
    schedule(&*swf, &task).await;
    let activity = waiting.await.unwrap().unwrap();
    assert_eq!(activity.input.as_deref(), Some("in"));

    let waiting = tokio::spawn(decision_task(Arc::clone(&swf)));
    tokio::task::yield_now().await;
    swf.respond_activity_task_completed(RespondActivityTaskCompletedRequest {
        task_token: activity.task_token,
        result: Some("out".to_owned()),
    })
    .await
    .unwrap();
    assert_eq!(last_event(&waiting.await.unwrap().unwrap()), "ActivityTaskCompleted");
}

#[tokio::test]
async fn timeouts_wake_polls_too() {
    let world = World::new().await;
    world.register().await;
    let swf = world.local.workflows();
    world.start("w").await.unwrap();
    let task = decision_task(Arc::clone(&swf)).await.unwrap();
    schedule(&*swf, &task).await;
    let activity = activity_task(Arc::clone(&swf)).await.unwrap();
    let waiting = tokio::spawn(decision_task(Arc::clone(&swf)));
    tokio::task::yield_now().await;
    world.pass(21).await;
    assert_eq!(last_event(&waiting.await.unwrap().unwrap()), "ActivityTaskTimedOut");
    let late = swf
        .respond_activity_task_completed(RespondActivityTaskCompletedRequest {
            task_token: activity.task_token,
            result: None,
        })
        .await
        .unwrap_err();
    assert_eq!((late.kind(), late.code()), (ErrorKind::NotFound, Some("UnknownResourceFault")));
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_finds_nothing_ends_after_its_time() {
    let world = World::new().await;
    world.register().await;
    let begun = tokio::time::Instant::now();
    assert!(decision_task(world.local.workflows()).await.is_none());
    assert_eq!(begun.elapsed().as_secs(), 60);
}

#[tokio::test]
async fn executions_go_on_after_a_restart() {
    let mut world = World::new().await;
    world.register().await;
    world.start("w").await.unwrap();
    let task = decision_task(world.local.workflows()).await.unwrap();
    world.reopen().await;
    let swf = world.local.workflows();
    schedule(&*swf, &task).await;
    assert!(activity_task(swf).await.is_some());
    let again = world.start("w").await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadyExists);
    assert_eq!(again.code(), Some("WorkflowExecutionAlreadyStartedFault"));
}

const AT_ONCE: Receive =
    Receive { max_messages: 10, wait: Duration::ZERO, visibility_timeout: None };

async fn queue(world: &World) -> (Arc<dyn MessageQueue>, QueueUrl) {
    let queues = world.local.queues();
    let url = queues.create_queue("q").await.unwrap();
    (queues, url)
}

#[tokio::test]
async fn messages_come_again_until_they_are_deleted() {
    let mut world = World::new().await;
    let (queues, url) = queue(&world).await;
    queues.send(&url, OutgoingMessage::new("hello")).await.unwrap();
    let first = queues.receive(&url, AT_ONCE).await.unwrap();
    assert_eq!((first[0].body.as_str(), first[0].receive_count), ("hello", 1));
    assert_eq!(queues.receive(&url, AT_ONCE).await.unwrap(), []);
    world.pass(30).await;
    world.reopen().await;
    let queues = world.local.queues();
    let second = queues.receive(&url, AT_ONCE).await.unwrap();
    assert_eq!(
        (second[0].message_id.as_str(), second[0].receive_count),
        (&*first[0].message_id, 2)
    );
    queues
        .change_visibility(&url, &second[0].receipt_handle, Duration::from_millis(59_001))
        .await
        .unwrap();
    world.pass(59).await;
    assert_eq!(queues.receive(&url, AT_ONCE).await.unwrap(), []);
    world.pass(1).await;
    let third = queues.receive(&url, AT_ONCE).await.unwrap();
    queues.delete(&url, &third[0].receipt_handle).await.unwrap();
    world.pass(3_600).await;
    assert_eq!(queues.receive(&url, AT_ONCE).await.unwrap(), []);
}

#[tokio::test]
async fn entries_of_a_batch_are_taken_one_by_one() {
    let world = World::new().await;
    let (queues, url) = queue(&world).await;
    let bodies = ["a", "\u{1}", "b"].map(OutgoingMessage::new).to_vec();
    let sent = queues.send_batch(&url, bodies).await.unwrap();
    assert_eq!(sent.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    let all = Receive { max_messages: 10, ..AT_ONCE };
    let received = queues.receive(&url, all).await.unwrap();
    assert_eq!(received.iter().map(|message| &*message.body).collect::<Vec<_>>(), ["a", "b"]);

    let mut receipts: Vec<_> = received.into_iter().map(|m| m.receipt_handle).collect();
    receipts.push(cpe_ports::ReceiptHandle("nonsense".to_owned()));
    let deleted = queues.delete_batch(&url, receipts).await.unwrap();
    assert_eq!(deleted.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, false]);

    let eleven = vec![OutgoingMessage::new("x"); 11];
    assert_eq!(queues.send_batch(&url, eleven).await.unwrap_err().kind(), ErrorKind::Refused);
    assert_eq!(queues.delete_batch(&url, Vec::new()).await.unwrap_err().kind(), ErrorKind::Refused);
    let nowhere = QueueUrl("http://localhost/123456789012/nowhere".to_owned());
    let error = queues.send_batch(&nowhere, vec![OutgoingMessage::new("x")]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_receive_that_waits_is_woken() {
    let world = World::new().await;
    let (queues, url) = queue(&world).await;
    let waiting = tokio::spawn({
        let (queues, url) = (Arc::clone(&queues), url.clone());
        let receive = Receive { wait: Duration::from_secs(20), ..AT_ONCE };
        async move { queues.receive(&url, receive).await.unwrap() }
    });
    tokio::task::yield_now().await;
    queues.send(&url, OutgoingMessage::new("now")).await.unwrap();
    assert_eq!(waiting.await.unwrap()[0].body, "now");
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let world = World::new().await;
    let (queues, url) = queue(&world).await;
    assert_eq!(queues.queue_url("q").await.unwrap(), url);
    assert_eq!(queues.queue_url("none").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(queues.queue_url("no such").await.unwrap_err().kind(), ErrorKind::NotFound);
    let nowhere = QueueUrl("http://elsewhere:1/123456789012/none".to_owned());
    let error = queues.send(&nowhere, OutgoingMessage::new("x")).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, Some("QueueDoesNotExist")));
    let swf = world.local.workflows();
    assert_eq!(swf.describe_domain(&domain()).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_closed_endpoint_is_unavailable_and_ends_polls() {
    let world = World::new().await;
    world.register().await;
    let waiting = tokio::spawn(decision_task(world.local.workflows()));
    // The poll is in line once the engine has answered a later call.
    tokio::task::yield_now().await;
    world.local.look_at_clock().await.unwrap();
    world.local.close().await;
    assert!(waiting.await.unwrap().is_none());
    let error = world.start("w").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn memory_is_enough() {
    let local = Local::open(LocalConfig::default()).await.unwrap();
    let queues = local.queues();
    let url = queues.create_queue("q").await.unwrap();
    queues.send(&url, OutgoingMessage::new("x")).await.unwrap();
    assert_eq!(queues.receive(&url, AT_ONCE).await.unwrap().len(), 1);
    local.close().await;
}
