//! The client on queues in memory, with the test for a CPE.

use std::{sync::Arc, time::Duration};

use cpe_ports::{
    ErrorKind, MessageQueue, OutgoingMessage, QueueUrl, Receive, testing::MemoryQueues,
};
use cpe_protocol::Command;
use futures::StreamExt;
use serde_json::{Value, json};

use crate::{
    Client, Config, Error, EventKind, Job, JobEnd, JobId, JobQuery, JobStatus, Order, Page, Ports,
    Start, Unwatched,
};

/// What CPE's side of the queues does.
struct Cpe {
    queues: MemoryQueues,
}

impl Cpe {
    fn new() -> Self {
        Self { queues: MemoryQueues::with_queues(["in", "out"]) }
    }

    async fn client(&self) -> Client {
        self.client_with(Config::new("in", "out")).await
    }

    async fn client_with(&self, config: Config) -> Client {
        let ports = Ports { queues: Arc::new(self.queues.clone()), blobs: None };
        Client::new(ports, config).await.unwrap()
    }

    /// The next command, which must be one.
    async fn asked(&self) -> Value {
        let input = QueueUrl("in".to_owned());
        let wait = Duration::from_secs(20);
        let receive = Receive { max_messages: 1, wait, visibility_timeout: None };
        let message = self.queues.receive(&input, receive).await.unwrap().remove(0);
        self.queues.delete(&input, &message.receipt_handle).await.unwrap();
        Command::parse(&message.body).unwrap_or_else(|bad| panic!("{bad}: {}", message.body));
        serde_json::from_str(&message.body).unwrap()
    }

    async fn tell(&self, message: Value) {
        self.send(&message.to_string()).await;
    }

    async fn send(&self, body: &str) {
        self.queues.send(&QueueUrl("out".to_owned()), OutgoingMessage::new(body)).await.unwrap();
    }

    async fn answer(&self, asked: &Value, kind: &str, data: Value) {
        let request = &asked["requestId"];
        self.tell(json!({
            "time": 1, "type": kind, "jobId": asked["jobId"], "seq": 0,
            "eventId": format!("message:{request}"), "requestId": request, "data": data,
        }))
        .await;
    }

    async fn scheduled(&self, asked: &Value) {
        let job_id = asked["jobId"].as_str().unwrap();
        self.tell(json!({
            "time": 1, "type": "WORKFLOW_SCHEDULED", "jobId": job_id, "seq": 0,
            "eventId": format!("{job_id}:0"), "requestId": asked["requestId"],
            "runId": job_id, "workflowId": format!("c.{job_id}"),
            "workflowType": {"name": "T", "version": "1"}, "input": {},
        }))
        .await;
    }

    /// A fact about a job whose run is called as the job is.
    async fn fact(&self, job_id: &str, seq: i64, kind: &str) {
        let event_id = match kind {
            "JOB_COMPLETED" => format!("{job_id}:end"),
            _ => format!("{job_id}:{seq}"),
        };
        self.tell(json!({
            "time": 1, "type": kind, "jobId": job_id, "seq": seq, "eventId": event_id,
            "data": {
                "workflow": {"workflowId": format!("c.{job_id}"), "runId": job_id},
                "activity": {"activityId": "A", "activityType": {"name": "Act", "version": "v1"}},
                "result": 7,
            },
        }))
        .await;
    }

    async fn start(&self, client: &Client, job_id: &str) -> Job {
        let (job, ()) = tokio::join!(client.start(start(job_id)), async {
            let asked = self.asked().await;
            assert_eq!(asked["jobId"], job_id);
            self.scheduled(&asked).await;
        });
        job.unwrap()
    }

    fn left(&self) -> usize {
        self.queues.bodies("out").len()
    }
}

fn start(job_id: &str) -> Start {
    Start::new("T", "1", json!({"x": 1})).unwrap().job_id(JobId::new(job_id).unwrap())
}

async fn heard(job: &mut Job) -> String {
    let mut heard = Vec::new();
    while let Some(event) = job.next().await {
        match event {
            Ok(event) => {
                let mark = if event.order == Order::Kept { "" } else { "!" };
                heard.push(format!("{}{mark}", event.raw["type"].as_str().unwrap()));
            }
            Err(error) => heard.push(error.to_string()),
        }
    }
    heard.join(" ")
}

#[tokio::test(start_paused = true)]
async fn a_job_is_followed_to_its_end_through_duplicates_and_disorder() {
    let cpe = Cpe::new();
    let client = cpe.client().await;
    let mut job = cpe.start(&client, "j").await;
    for (seq, kind) in [
        (12, "JOB_COMPLETED"),
        (9, "ACTIVITY_COMPLETED"),
        (1, "JOB_STARTED"),
        (5, "ACTIVITY_SCHEDULED"),
        (9, "ACTIVITY_COMPLETED"),
        (1, "JOB_STARTED"),
    ] {
        cpe.fact("j", seq, kind).await;
    }
    assert_eq!(
        heard(&mut job).await,
        "WORKFLOW_SCHEDULED JOB_STARTED ACTIVITY_SCHEDULED ACTIVITY_COMPLETED JOB_COMPLETED"
    );
    // Told again after the end.
    cpe.fact("j", 12, "JOB_COMPLETED").await;
    cpe.fact("j", 9, "ACTIVITY_COMPLETED").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    client.close().await;
    assert_eq!(cpe.left(), 0, "{:?}", cpe.queues.bodies("out"));
}

#[tokio::test(start_paused = true)]
async fn what_was_not_taken_stays_in_the_queue() {
    let cpe = Cpe::new();
    let client = cpe.client().await;
    let mut job = cpe.start(&client, "j").await;
    cpe.fact("j", 1, "JOB_STARTED").await;
    cpe.fact("j", 12, "JOB_COMPLETED").await;
    assert!(matches!(job.next().await.unwrap().unwrap().kind, EventKind::Scheduled { .. }));
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(cpe.left(), 2, "the stream has yielded neither");
    drop(job);
    client.close().await;
    assert_eq!(cpe.left(), 2);
    // Another process goes on.
    let client = cpe.client().await;
    let id = JobId::new("j").unwrap();
    let (job, ()) = tokio::join!(client.watch(&id), async {
        let asked = cpe.asked().await;
        cpe.answer(&asked, "JOB_STATUS", status("j", "RUNNING", Value::Null)).await;
    });
    assert_eq!(heard(&mut job.unwrap()).await, "JOB_STARTED JOB_COMPLETED");
    client.close().await;
    assert_eq!(cpe.left(), 0);
}

fn status(job_id: &str, status: &str, result: Value) -> Value {
    let execution = json!({"workflowId": format!("c.{job_id}"), "runId": job_id});
    json!({
        "workflow": execution,
        "job": {"jobId": job_id, "workflow": execution, "status": status, "startTime": 1,
                "workflowType": {"name": "T", "version": "1"}, "cancelRequested": false},
        "result": result,
    })
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_told() {
    let cpe = Cpe::new();
    let client = cpe.client().await;
    let mut job = cpe.start(&client, "j").await;
    cpe.fact("j", 9, "ACTIVITY_COMPLETED").await;
    cpe.fact("j", 12, "JOB_COMPLETED").await;
    assert_eq!(heard(&mut job).await, "WORKFLOW_SCHEDULED ACTIVITY_COMPLETED! JOB_COMPLETED!");
}

#[tokio::test(start_paused = true)]
async fn two_watchers_hear_all_and_the_slower_one_decides() {
    let cpe = Cpe::new();
    let client = cpe.client().await;
    let mut first = cpe.start(&client, "j").await;
    let id = JobId::new("j").unwrap();
    let (second, ()) = tokio::join!(client.watch(&id), async {
        let asked = cpe.asked().await;
        cpe.answer(&asked, "JOB_STATUS", status("j", "RUNNING", Value::Null)).await;
    });
    cpe.fact("j", 1, "JOB_STARTED").await;
    cpe.fact("j", 12, "JOB_COMPLETED").await;
    assert_eq!(heard(&mut first).await, "WORKFLOW_SCHEDULED JOB_STARTED JOB_COMPLETED");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(cpe.left(), 2, "the other has taken nothing");
    assert_eq!(heard(&mut second.unwrap()).await, "JOB_STARTED JOB_COMPLETED");
    client.close().await;
    assert_eq!(cpe.left(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_nobodys_is_left_or_deleted() {
    for (unwatched, left) in [(Unwatched::Leave, 3), (Unwatched::Delete, 0)] {
        let cpe = Cpe::new();
        let config = Config { unwatched, ..Config::new("in", "out") };
        let client = cpe.client_with(config).await;
        let mut job = cpe.start(&client, "j").await;
        cpe.send("{ no JSON").await;
        cpe.tell(json!({"time": 1, "type": "JOB_STARTED"})).await;
        cpe.fact("other", 1, "JOB_STARTED").await;
        cpe.fact("j", 1, "JOB_STARTED").await;
        cpe.fact("j", 12, "JOB_COMPLETED").await;
        assert_eq!(heard(&mut job).await, "WORKFLOW_SCHEDULED JOB_STARTED JOB_COMPLETED");
        client.close().await;
        assert_eq!(cpe.left(), left, "{unwatched:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_and_a_silence_are_errors() {
    let cpe = Cpe::new();
    let client = cpe.client().await;
    let (refused, ()) = tokio::join!(client.start(start("j")), async {
        let asked = cpe.asked().await;
        let errors = json!([{"path": "data.x", "message": "is odd"}]);
        let data =
            json!({"command": "START_JOB", "reason": "cpe.command.invalid", "errors": errors});
        cpe.answer(&asked, "COMMAND_REJECTED", data).await;
    });
    assert_eq!(
        refused.unwrap_err().to_string(),
        "the command was refused: cpe.command.invalid: data.x: is odd"
    );
    let id = JobId::new("j").unwrap();
    let (silence, asked) = tokio::join!(client.cancel(&id), cpe.asked());
    assert!(matches!(silence, Err(Error::NoAnswer(_))), "{silence:?}");
    // Nobody else can want that answer.
    cpe.answer(&asked, "JOB_CANCEL_REQUESTED", json!({})).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    client.close().await;
    assert_eq!(cpe.left(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_waits_is_watched_from_then_on() {
    let cpe = Cpe::new();
    let client = cpe.client().await;
    let (job, asked) = tokio::join!(client.start(start("j")), async {
        let asked = cpe.asked().await;
        let quota = json!({"name": "jobs-in-flight", "limit": 1, "until": 15});
        cpe.answer(&asked, "JOB_DELAYED", json!({"quota": quota})).await;
        asked
    });
    let mut job = job.unwrap();
    cpe.scheduled(&asked).await;
    cpe.fact("j", 1, "JOB_STARTED").await;
    cpe.fact("j", 12, "JOB_COMPLETED").await;
    assert_eq!(heard(&mut job).await, "JOB_DELAYED WORKFLOW_SCHEDULED JOB_STARTED JOB_COMPLETED");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_has_ended_ends_at_once() {
    let cpe = Cpe::new();
    let client = cpe.client().await;
    let (job, ()) = tokio::join!(client.start(start("j")), async {
        let asked = cpe.asked().await;
        cpe.answer(&asked, "JOB_STATUS", status("j", "COMPLETED", json!({"n": 3}))).await;
    });
    let mut job = job.unwrap();
    assert_eq!(job.found().unwrap().job.status, JobStatus::Completed);
    assert_eq!(job.end().await.unwrap(), JobEnd::Completed(json!({"n": 3})));
    assert!(job.end().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn the_other_commands_have_their_answers() {
    let cpe = Cpe::new();
    let client = cpe.client().await;
    let id = JobId::new("j").unwrap();
    let (signaled, asked) = tokio::join!(client.signal(&id, "go", Some(json!(1))), async {
        let asked = cpe.asked().await;
        cpe.answer(&asked, "JOB_SIGNALED", json!({"signal": "go"})).await;
        asked
    });
    signaled.unwrap();
    assert_eq!((&asked["type"], &asked["data"]["input"]), (&json!("SIGNAL_JOB"), &json!(1)));

    let (canceled, _) = tokio::join!(client.cancel_activity(&id, "A"), async {
        let asked = cpe.asked().await;
        let data = json!({"activity": {"activityId": "A#2"}});
        cpe.answer(&asked, "ACTIVITY_CANCEL_REQUESTED", data).await;
    });
    assert_eq!(canceled.unwrap(), "A#2");

    let query = JobQuery { status: Some(JobStatus::Running), ..JobQuery::default() };
    let (list, asked) = tokio::join!(client.list(&query), async {
        let asked = cpe.asked().await;
        let jobs = json!([status("j", "RUNNING", Value::Null)["job"]]);
        cpe.answer(&asked, "JOB_LIST", json!({"jobs": jobs, "nextPageToken": "t"})).await;
        asked
    });
    let list = list.unwrap();
    assert_eq!((list.entries.len(), list.next_page_token.as_deref()), (1, Some("t")));
    assert_eq!(asked["data"]["status"], "RUNNING");

    let activity = json!({
        "activityId": "A", "activityType": {"name": "Act", "version": "v1"}, "step": "A",
        "attempt": 1, "status": "RUNNING", "scheduledTime": 1, "cancelRequested": false,
    });
    let page = Page { limit: 5, token: Some("8".to_owned()) };
    let (activities, _) = tokio::join!(client.activities(&id, &page), async {
        let asked = cpe.asked().await;
        assert_eq!(asked["data"], json!({"limit": 5, "pageToken": "8"}));
        cpe.answer(&asked, "ACTIVITY_LIST", json!({"activities": [activity]})).await;
    });
    assert_eq!(activities.unwrap().entries.len(), 1);
    let (one, ()) = tokio::join!(client.activity_status(&id, "A"), async {
        let asked = cpe.asked().await;
        let data = json!({"activity": activity});
        cpe.answer(&asked, "ACTIVITY_STATUS", data).await;
    });
    assert!(one.unwrap().status.is_open());
    client.close().await;
    assert_eq!(cpe.left(), 0);
}

#[tokio::test(start_paused = true)]
async fn trouble_that_passes_is_waited_out_and_a_queue_that_is_gone_is_told() {
    let cpe = Cpe::new();
    cpe.queues.fail([ErrorKind::Unavailable, ErrorKind::Throttled]);
    let client = cpe.client().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut job = cpe.start(&client, "j").await;
    cpe.fact("j", 1, "JOB_STARTED").await;
    cpe.queues.fail([ErrorKind::Unavailable]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    cpe.queues.remove("out");
    assert_eq!(
        heard(&mut job).await,
        "WORKFLOW_SCHEDULED JOB_STARTED cannot receive from the output queue"
    );
    let error = client.cancel(job.id()).await.unwrap_err();
    assert!(matches!(error, Error::Receive(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_watcher_costs_the_queue_and_not_the_memory() {
    let cpe = Cpe::new();
    let client = cpe.client_with(Config { buffer: 4, ..Config::new("in", "out") }).await;
    let mut job = cpe.start(&client, "j").await;
    cpe.fact("j", 1, "JOB_STARTED").await;
    cpe.fact("j", 2, "ACTIVITY_SCHEDULED").await;
    for seq in 3..30 {
        cpe.fact("j", seq, "ACTIVITY_STARTED").await;
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    cpe.fact("j", 30, "ACTIVITY_COMPLETED").await;
    cpe.fact("j", 31, "JOB_COMPLETED").await;
    let text = heard(&mut job).await;
    assert_eq!(text.matches("ACTIVITY_STARTED").count(), 27, "{text}");
    assert!(text.ends_with("JOB_COMPLETED"), "{text}");
    client.close().await;
    assert_eq!(cpe.left(), 0);
}
