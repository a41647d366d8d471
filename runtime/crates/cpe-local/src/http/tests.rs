//! The endpoint over a socket, by hand: what clients send, byte for byte.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{Local, LocalConfig, LocalError};

mod door;
mod hostile;
mod sqs;

struct World {
    local: Local,
    address: SocketAddr,
    stop: CancellationToken,
    server: JoinHandle<()>,
}

struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

impl World {
    async fn new() -> Self {
        Self::with(LocalConfig::default()).await
    }

    async fn with(config: LocalConfig) -> Self {
        let local = Local::open(config).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let server = tokio::spawn({
            let (local, stop) = (local.clone(), stop.clone());
            async move { local.serve(listener, stop).await.unwrap() }
        });
        Self { local, address, stop, server }
    }

    async fn request(&self, head: &str, body: &str) -> Reply {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let length = body.len();
        let request = format!(
            "{head}\r\nhost: endpoint:4600\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Reply { status, head: head.to_owned(), body: body.to_owned() }
    }

    async fn target(&self, target: &str, body: &Value) -> Reply {
        let head = format!(
            "POST / HTTP/1.1\r\nx-amz-target: {target}\r\ncontent-type: application/x-amz-json-1.0\r\n\
             authorization: AWS4-HMAC-SHA256 Credential=K/20260101/eu-west-1/x/aws4_request, Signature=0"
        );
        self.request(&head, &body.to_string()).await
    }

    async fn swf(&self, operation: &str, body: Value) -> Reply {
        self.target(&format!("SimpleWorkflowService.{operation}"), &body).await
    }

    async fn sqs(&self, action: &str, body: Value) -> Reply {
        self.target(&format!("AmazonSQS.{action}"), &body).await
    }

    async fn form(&self, form: &str) -> Reply {
        let head = "POST /123456789012/q HTTP/1.1\r\n\
                    content-type: application/x-www-form-urlencoded; charset=utf-8";
        self.request(head, form).await
    }

    /// Until so many wait for messages.
    async fn until_waiting(&self, count: usize) {
        while self.local.waiting_receivers().await != count {
            tokio::task::yield_now().await;
        }
    }

    async fn end(self) {
        self.stop.cancel();
        self.server.await.unwrap();
        self.local.close().await;
    }
}

const QUEUE: &str = "http://endpoint:4600/123456789012/q";

#[tokio::test]
async fn sqs_in_json() {
    let world = World::new().await;
    let missing = world.sqs("GetQueueUrl", json!({ "QueueName": "q" })).await;
    assert_eq!(missing.status, 400);
    assert_eq!(missing.json()["__type"], "com.amazonaws.sqs#QueueDoesNotExist");
    assert_eq!(
        missing.header("x-amzn-query-error"),
        Some("AWS.SimpleQueueService.NonExistentQueue;Sender")
    );
    let made = world.sqs("CreateQueue", json!({ "QueueName": "q" })).await;
    assert_eq!(made.json(), json!({ "QueueUrl": QUEUE }));
    assert_eq!(made.header("content-type"), Some("application/x-amz-json-1.0"));
    assert!(made.header("x-amzn-requestid").is_some());

    let attributes = json!({
        "n": {"DataType": "Number", "StringValue": "1"},
        "other": {"DataType": "Binary", "BinaryValue": "AQID"},
    });
    let sent = world
        .sqs(
            "SendMessage",
            json!({ "QueueUrl": QUEUE, "MessageBody": "hello", "MessageAttributes": attributes }),
        )
        .await
        .json();
    assert_eq!(sent["MD5OfMessageBody"], "5d41402abc4b2a76b9719d911017c592");
    let received = world
        .sqs(
            "ReceiveMessage",
            json!({
                "QueueUrl": QUEUE,
                "AttributeNames": ["ApproximateReceiveCount"],
                "MessageAttributeNames": ["All"],
                "WaitTimeSeconds": 1,
            }),
        )
        .await
        .json();
    let message = &received["Messages"][0];
    assert_eq!(message["Body"], "hello");
    assert_eq!(message["MessageId"], sent["MessageId"]);
    assert_eq!(message["Attributes"], json!({ "ApproximateReceiveCount": "1" }));
    assert_eq!(message["MessageAttributes"], attributes);
    assert_eq!(message["MD5OfMessageAttributes"], sent["MD5OfMessageAttributes"]);

    let receipt = &message["ReceiptHandle"];
    let deleted =
        world.sqs("DeleteMessage", json!({ "QueueUrl": QUEUE, "ReceiptHandle": receipt })).await;
    assert_eq!((deleted.status, deleted.json()), (200, json!({})));
    let shown = world
        .sqs("GetQueueAttributes", json!({ "QueueUrl": QUEUE, "AttributeNames": ["All"] }))
        .await
        .json();
    assert_eq!(shown["Attributes"]["ApproximateNumberOfMessages"], "0");
    assert_eq!(shown["Attributes"]["QueueArn"], "arn:aws:sqs:eu-west-1:123456789012:q");
    world.end().await;
}

#[tokio::test]
async fn sqs_in_batches() {
    let world = World::new().await;
    world.sqs("CreateQueue", json!({ "QueueName": "q" })).await;
    let entries = json!([
        {"Id": "good", "MessageBody": "a"},
        {"Id": "bad", "MessageBody": "\u{1}"},
    ]);
    let sent =
        world.sqs("SendMessageBatch", json!({ "QueueUrl": QUEUE, "Entries": entries })).await;
    assert_eq!(sent.json()["Successful"][0]["Id"], "good");
    assert_eq!(sent.json()["Failed"][0]["Code"], "InvalidMessageContents");
    let received = world.sqs("ReceiveMessage", json!({ "QueueUrl": QUEUE })).await.json();
    let receipt = &received["Messages"][0]["ReceiptHandle"];
    let entries = json!([{"Id": "1", "ReceiptHandle": receipt, "VisibilityTimeout": 0}]);
    let shown = world
        .sqs("ChangeMessageVisibilityBatch", json!({ "QueueUrl": QUEUE, "Entries": entries }))
        .await;
    assert_eq!(shown.json(), json!({ "Successful": [{"Id": "1"}] }));
    let entries = json!([{"Id": "1", "ReceiptHandle": receipt}, {"Id": "2", "ReceiptHandle": "?"}]);
    let deleted =
        world.sqs("DeleteMessageBatch", json!({ "QueueUrl": QUEUE, "Entries": entries })).await;
    assert_eq!(deleted.json()["Successful"], json!([{"Id": "1"}]));
    assert_eq!(deleted.json()["Failed"][0]["Code"], "ReceiptHandleIsInvalid");
    for (entries, code) in [
        (json!([]), "EmptyBatchRequest"),
        (
            json!([{"Id": "1", "MessageBody": "a"}, {"Id": "1", "MessageBody": "a"}]),
            "BatchEntryIdsNotDistinct",
        ),
        (json!([{"Id": "a b", "MessageBody": "a"}]), "InvalidBatchEntryId"),
        (
            Value::Array(vec![json!({"Id": "1", "MessageBody": "a"}); 11]),
            "TooManyEntriesInBatchRequest",
        ),
    ] {
        let refused =
            world.sqs("SendMessageBatch", json!({ "QueueUrl": QUEUE, "Entries": entries })).await;
        assert_eq!(refused.json()["__type"], format!("com.amazonaws.sqs#{code}"));
    }
    world.end().await;
}

#[tokio::test]
async fn sqs_in_forms_and_xml() {
    let world = World::new().await;
    let made = world.form("Action=CreateQueue&QueueName=q&Version=2012-11-05").await;
    assert_eq!((made.status, made.header("content-type")), (200, Some("text/xml")));
    assert!(made.body.contains(&format!("<QueueUrl>{QUEUE}</QueueUrl>")), "{}", made.body);
    let sent = world.form("Action=SendMessage&MessageBody=a%26b&DelaySeconds=0").await;
    assert!(sent.body.contains("<MD5OfMessageBody>"), "{}", sent.body);
    let received =
        world.form("Action=ReceiveMessage&MaxNumberOfMessages=10&AttributeName.1=All").await;
    assert!(received.body.contains("<Body>a&amp;b</Body>"), "{}", received.body);
    assert!(received.body.contains("<Name>ApproximateReceiveCount</Name><Value>1</Value>"));
    let listed = world.request("GET /?Action=ListQueues&Version=2012-11-05 HTTP/1.1", "").await;
    assert!(listed.body.contains("<ListQueuesResult><QueueUrl>"), "{}", listed.body);
    let refused = world.form("Action=Dance").await;
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("<Code>InvalidAction</Code>"), "{}", refused.body);
    world.end().await;
}

#[tokio::test]
async fn swf_and_its_faults() {
    let world = World::new().await;
    let domain = json!({ "name": "D", "workflowExecutionRetentionPeriodInDays": "1" });
    let made = world.swf("RegisterDomain", domain.clone()).await;
    assert_eq!((made.status, made.body.as_str()), (200, ""));
    assert_eq!(made.header("content-type"), Some("application/json"));
    let again = world.swf("RegisterDomain", domain).await;
    assert_eq!(again.status, 400);
    assert_eq!(again.json()["__type"], "com.amazonaws.swf.base.model#DomainAlreadyExistsFault");
    let unknown = world.swf("Dance", json!({})).await;
    assert_eq!(unknown.status, 400);
    assert!(unknown.body.contains("UnknownOperationException"), "{}", unknown.body);
    let long = world.swf("RegisterDomain", json!({ "name": "x".repeat(2_000_000) })).await;
    assert_eq!(long.status, 400);
    world.end().await;
}

#[tokio::test]
async fn a_stop_ends_long_polls_at_once_and_in_good_order() {
    let world = World::new().await;
    world
        .swf(
            "RegisterDomain",
            json!({ "name": "D", "workflowExecutionRetentionPeriodInDays": "1" }),
        )
        .await;
    world.sqs("CreateQueue", json!({ "QueueName": "q" })).await;
    let poll = json!({ "domain": "D", "taskList": {"name": "l"} });
    let receive = json!({ "QueueUrl": QUEUE, "WaitTimeSeconds": 20 });
    let (decision, activity, message, ()) = tokio::join!(
        world.swf("PollForDecisionTask", poll.clone()),
        world.swf("PollForActivityTask", poll),
        world.sqs("ReceiveMessage", receive),
        async {
            // Polls that come after the stop are answered as well, so the order does not matter.
            world.local.look_at_clock().await.unwrap();
            world.swf("ListDomains", json!({ "registrationStatus": "REGISTERED" })).await;
            world.stop.cancel();
        },
    );
    assert_eq!(decision.json(), json!({"previousStartedEventId": 0, "startedEventId": 0}));
    assert_eq!(activity.json(), json!({"startedEventId": 0}));
    assert_eq!(message.json(), json!({}));
    world.end().await;
}

#[tokio::test]
async fn s3_has_the_rest() {
    let world = World::new().await;
    let made = world.request("PUT /media HTTP/1.1", "").await;
    assert_eq!(made.status, 200, "{}", made.body);
    let put = world.request("PUT /media/a.txt HTTP/1.1", "hello").await;
    assert_eq!(put.status, 200, "{}", put.body);
    let got = world.request("GET /media/a.txt HTTP/1.1", "").await;
    assert_eq!((got.status, got.body.as_str()), (200, "hello"));
    assert!(got.header("x-amzn-requestid").is_some());
    let missing = world.request("GET /media/b.txt HTTP/1.1", "").await;
    assert_eq!(missing.status, 404);
    assert!(missing.body.contains("<Code>NoSuchKey</Code>"), "{}", missing.body);
    world.end().await;
}

#[tokio::test]
async fn pages_from_elsewhere_are_refused() {
    let world = World::new().await;
    let head = |origin: &str| format!("GET / HTTP/1.1\r\norigin: {origin}");
    for (origin, status) in [
        ("https://example.com", 403),
        ("null", 403),
        ("http://localhost:3000", 200),
        ("http://127.0.0.1:4600", 200),
        ("http://[::1]:4600", 200),
    ] {
        assert_eq!(world.request(&head(origin), "").await.status, status, "{origin}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_client_that_goes_away_gives_its_place_to_the_next() {
    let world = World::new().await;
    world.sqs("CreateQueue", json!({ "QueueName": "q" })).await;
    let body = json!({ "QueueUrl": QUEUE, "WaitTimeSeconds": 20 });
    tokio::select! {
        _ = world.sqs("ReceiveMessage", body.clone()) => panic!("there is nothing to receive"),
        () = world.until_waiting(1) => {}
    }
    world.until_waiting(0).await;
    let (received, _) = tokio::join!(
        world.sqs("ReceiveMessage", body),
        world.sqs("SendMessage", json!({ "QueueUrl": QUEUE, "MessageBody": "x" })),
    );
    assert_eq!(received.json()["Messages"][0]["Body"], "x");
    world.end().await;
}

#[tokio::test]
async fn nothing_but_loopback_is_served() {
    let local = Local::open(LocalConfig::default()).await.unwrap();
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let error = local.serve(listener, CancellationToken::new()).await.unwrap_err();
    assert!(matches!(error, LocalError::NotLoopback { .. }), "{error}");
    local.close().await;
}
