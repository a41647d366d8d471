//! What the endpoint itself answers, and whom it does not let in.

use cpe_swf::Timestamp;

use super::*;
use crate::{Credentials, Storage};

const START: i64 = 1_800_000_000_000;

impl World {
    async fn post(&self, path: &str, body: &str) -> Reply {
        self.request(&format!("POST {path} HTTP/1.1"), body).await
    }

    async fn get(&self, path: &str) -> Reply {
        self.request(&format!("GET {path} HTTP/1.1"), "").await
    }

    async fn start_workflow(&self) {
        self.swf(
            "RegisterDomain",
            json!({"name": "d", "workflowExecutionRetentionPeriodInDays": "1"}),
        )
        .await;
        let kind = json!({
            "domain": "d", "name": "w", "version": "1", "defaultTaskList": {"name": "l"},
            "defaultTaskStartToCloseTimeout": "60", "defaultChildPolicy": "TERMINATE",
            "defaultExecutionStartToCloseTimeout": "7200",
        });
        self.swf("RegisterWorkflowType", kind).await;
        let start = json!({
            "domain": "d", "workflowId": "w", "workflowType": {"name": "w", "version": "1"},
        });
        assert_eq!(self.swf("StartWorkflowExecution", start).await.status, 200);
    }

    async fn closed(&self) -> Value {
        let list = json!({
            "domain": "d", "closeTimeFilter": {"oldestDate": 0},
        });
        self.swf("ListClosedWorkflowExecutions", list).await.json()["executionInfos"].clone()
    }
}

#[tokio::test]
async fn an_endpoint_that_is_well_says_so() {
    let world = World::new().await;
    let health = world.get("/_cpe/health").await;
    assert_eq!((health.status, &health.json()["status"]), (200, &json!("ok")));
    assert_eq!(health.json()["storage"], "memory");
    let real = world.post("/_cpe/clock", r#"{"advance": 1}"#).await;
    assert_eq!(real.status, 409, "{}", real.body);
    assert_eq!(world.get("/_cpe/clock").await.json()["virtual"], false);
    world.end().await;
}

#[tokio::test]
async fn a_client_hears_who_it_is() {
    let world = World::new().await;
    let told = world.form("Action=GetCallerIdentity&Version=2011-06-15").await;
    assert_eq!(told.status, 200);
    assert!(told.body.contains("<Account>123456789012</Account>"), "{}", told.body);
    world.end().await;
}

#[tokio::test]
async fn virtual_time_is_moved_from_one_event_to_the_next() {
    let config = LocalConfig::default().in_virtual_time(Timestamp::from_millis(START));
    let world = World::with(config).await;
    world.start_workflow().await;
    let clock = world.get("/_cpe/clock").await.json();
    assert_eq!(clock, json!({"now": 1.8e9, "next": 1.8e9 + 7200.0, "virtual": true}));

    // The decision task is polled, and so has a deadline that comes first.
    let poll = json!({"domain": "d", "taskList": {"name": "l"}});
    world.swf("PollForDecisionTask", poll).await;
    let moved = world.post("/_cpe/clock", r#"{"to": "next"}"#).await.json();
    assert_eq!(moved["now"], json!(1.8e9 + 60.0));
    let moved = world.post("/_cpe/clock", r#"{"advance": 59.5}"#).await.json();
    assert_eq!(moved["now"], json!(1.8e9 + 119.5));
    assert_eq!(world.closed().await, json!([]));
    world.post("/_cpe/clock", r#"{"advance": 86400}"#).await;
    let closed = world.closed().await;
    assert_eq!(closed[0]["closeStatus"], "TIMED_OUT");
    assert_eq!(closed[0]["closeTimestamp"], json!(1.8e9 + 7200.0), "at its own time");

    for (wrong, why) in [
        ("", "EOF"),
        (r#"{"advance": -1}"#, "does not go back"),
        (r#"{"to": 5}"#, "does not go back"),
        (r#"{"to": "later"}"#, "`later` is no time"),
        (r#"{"advance": 1e300}"#, "is no time from 1970 to 9999"),
        (r#"{"advance": 1, "to": 2}"#, "expected {\\\"advance\\\": SECONDS}"),
    ] {
        let refused = world.post("/_cpe/clock", wrong).await;
        assert_eq!(refused.status, 400, "{wrong}");
        assert!(refused.body.contains(why), "{wrong}: {}", refused.body);
    }
    world.end().await;
}

#[tokio::test]
async fn what_is_in_memory_can_be_forgotten() {
    let world = World::new().await;
    world.start_workflow().await;
    world.sqs("CreateQueue", json!({ "QueueName": "q" })).await;
    world.sqs("SendMessage", json!({ "QueueUrl": QUEUE, "MessageBody": "old" })).await;
    assert_eq!(world.request("PUT /bucket HTTP/1.1", "").await.status, 200);
    assert_eq!(world.request("PUT /bucket/key HTTP/1.1", &"x".repeat(100_000)).await.status, 200);
    assert_eq!(world.post("/moto-api/reset", "").await.status, 200);

    let domains = json!({"registrationStatus": "REGISTERED"});
    assert_eq!(world.swf("ListDomains", domains).await.json()["domainInfos"], json!([]));
    assert_eq!(world.get("/bucket").await.status, 404);
    world.sqs("CreateQueue", json!({ "QueueName": "q" })).await;
    let empty = world.sqs("ReceiveMessage", json!({ "QueueUrl": QUEUE })).await;
    assert_eq!(empty.json(), json!({}));
    // It goes on as if it were new.
    world.start_workflow().await;
    assert_eq!(world.request("PUT /bucket HTTP/1.1", "").await.status, 200);
    world.end().await;

    let folder = tempfile::tempdir().unwrap();
    let data = Storage::Disk(folder.path().join("state"));
    let world = World::with(LocalConfig { data, ..LocalConfig::default() }).await;
    assert_eq!(world.post("/moto-api/reset", "").await.status, 403);
    world.end().await;
}

#[tokio::test]
async fn a_bucket_name_that_is_none_is_said_to_be_none() {
    let world = World::new().await;
    for line in ["PUT /bk HTTP/1.1", "GET /bk HTTP/1.1", "GET /b_k/key HTTP/1.1"] {
        let refused = world.request(line, "").await;
        assert_eq!(refused.status, 400, "{line}");
        let said = "<Code>InvalidBucketName</Code><Message>The specified bucket is not valid.";
        assert!(refused.body.contains(said), "{line}: {}", refused.body);
    }
    world.end().await;
}

#[tokio::test]
async fn names_of_elsewhere_are_refused() {
    let world = World::new().await;
    for (host, status) in [
        ("127.0.0.1:4600", 200),
        ("[::1]:4600", 200),
        ("localhost", 200),
        ("bucket.s3.localhost:4600", 200),
        ("cpe:4600", 200),
        ("host.docker.internal:4600", 200),
        ("10.1.2.3", 200),
        ("evil.example", 403),
        ("localhost.evil.example:4600", 403),
        ("127.0.0.1.evil.example", 403),
        ("%%%.x", 403),
    ] {
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        let request =
            format!("GET /_cpe/health HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{host}: {answer}");
    }
    world.end().await;
}

#[tokio::test]
async fn with_credentials_nobody_else_is_let_in() {
    let credentials = Some(Credentials {
        access_key_id: "AKID".to_owned(),
        secret_access_key: "secret".to_owned(),
    });
    let world = World::with(LocalConfig { credentials, ..LocalConfig::default() }).await;
    assert_eq!(world.get("/_cpe/health").await.status, 200, "that is no secret");
    let clock = world.get("/_cpe/clock").await;
    assert_eq!(
        clock.json()["__type"],
        "com.amazon.coral.service#MissingAuthenticationTokenException"
    );
    // Its helpers sign as somebody else, without a date.
    let swf = world.swf("ListDomains", json!({"registrationStatus": "REGISTERED"})).await;
    assert_eq!(swf.status, 400, "{}", swf.body);
    assert_eq!(world.sqs("ListQueues", json!({})).await.status, 400);
    let form = world.form("Action=ListQueues").await;
    assert_eq!(form.status, 403);
    assert!(form.body.contains("<Code>MissingAuthenticationToken</Code>"), "{}", form.body);
    let s3 = world.get("/bucket").await;
    assert_eq!(s3.status, 403);
    assert!(s3.body.contains("<Code>AccessDenied</Code>"), "{}", s3.body);
    world.end().await;
}

#[tokio::test]
async fn an_account_is_throttled_as_on_aws() {
    let world = World::with(LocalConfig { throttle: true, ..LocalConfig::default() }).await;
    let mut admitted = 0;
    let refused = loop {
        let reply = world.swf("ListDomains", json!({"registrationStatus": "REGISTERED"})).await;
        if reply.status != 200 {
            break reply;
        }
        admitted += 1;
        assert!(admitted < 1_000, "nobody is refused");
    };
    assert!(admitted >= 100, "{admitted}");
    assert_eq!(refused.json()["__type"], "com.amazon.coral.availability#ThrottlingException");
    world.end().await;
}
