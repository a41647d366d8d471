//! Requests that nobody should send: each is answered, soon, and never with a fault of ours.

use std::time::Duration;

use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};

use super::*;

const CASES: u32 = 600;
const PATIENCE: Duration = Duration::from_secs(10);

const SWF: [&str; 41] = [
    "CountClosedWorkflowExecutions",
    "CountOpenWorkflowExecutions",
    "CountPendingActivityTasks",
    "CountPendingDecisionTasks",
    "DeleteActivityType",
    "DeleteWorkflowType",
    "DeprecateActivityType",
    "DeprecateDomain",
    "DeprecateWorkflowType",
    "DescribeActivityType",
    "DescribeDomain",
    "DescribeWorkflowExecution",
    "DescribeWorkflowType",
    "GetWorkflowExecutionHistory",
    "ListActivityTypes",
    "ListClosedWorkflowExecutions",
    "ListDomains",
    "ListOpenWorkflowExecutions",
    "ListTagsForResource",
    "ListWorkflowTypes",
    "PollForActivityTask",
    "PollForDecisionTask",
    "RecordActivityTaskHeartbeat",
    "RegisterActivityType",
    "RegisterDomain",
    "RegisterWorkflowType",
    "RequestCancelWorkflowExecution",
    "RespondActivityTaskCanceled",
    "RespondActivityTaskCompleted",
    "RespondActivityTaskFailed",
    "RespondDecisionTaskCompleted",
    "SignalWorkflowExecution",
    "StartWorkflowExecution",
    "TagResource",
    "TerminateWorkflowExecution",
    "UndeprecateActivityType",
    "UndeprecateDomain",
    "UndeprecateWorkflowType",
    "UntagResource",
    "Dance",
    "",
];

const SQS: [&str; 24] = [
    "AddPermission",
    "CancelMessageMoveTask",
    "ChangeMessageVisibility",
    "ChangeMessageVisibilityBatch",
    "CreateQueue",
    "DeleteMessage",
    "DeleteMessageBatch",
    "DeleteQueue",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListDeadLetterSourceQueues",
    "ListMessageMoveTasks",
    "ListQueueTags",
    "ListQueues",
    "PurgeQueue",
    "ReceiveMessage",
    "RemovePermission",
    "SendMessage",
    "SendMessageBatch",
    "SetQueueAttributes",
    "StartMessageMoveTask",
    "TagQueue",
    "UntagQueue",
    "Dance",
];

/// Members that requests have, so that some of what is made up is read.
const MEMBERS: [&str; 40] = [
    "domain",
    "name",
    "version",
    "workflowId",
    "runId",
    "execution",
    "workflowType",
    "activityType",
    "taskList",
    "taskToken",
    "decisions",
    "decisionType",
    "input",
    "details",
    "startTimeFilter",
    "closeTimeFilter",
    "oldestDate",
    "registrationStatus",
    "maximumPageSize",
    "nextPageToken",
    "tagList",
    "resourceArn",
    "tags",
    "childPolicy",
    "taskStartToCloseTimeout",
    "executionStartToCloseTimeout",
    "workflowExecutionRetentionPeriodInDays",
    "reverseOrder",
    "QueueUrl",
    "QueueName",
    "Attributes",
    "Entries",
    "Id",
    "MessageBody",
    "ReceiptHandle",
    "MessageAttributes",
    "DelaySeconds",
    "MaxNumberOfMessages",
    "Tags",
    "MaxResults",
];

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~]{0,12}".prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        Just(json!("d")),
        Just(json!("NONE")),
        Just(json!("99999999999999999999")),
        Just(json!(QUEUE)),
        Just(json!("x".repeat(40_000))),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        let member = prop_oneof![
            4 => prop::sample::select(&MEMBERS[..]).prop_map(str::to_owned),
            1 => "[a-zA-Z.]{0,10}".prop_map(|name| name),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((member, inner), 0..6)
                .prop_map(|members| { Value::Object(members.into_iter().collect()) }),
        ]
    })
}

/// The head's first lines, and the body.
fn request() -> impl Strategy<Value = (String, String)> {
    let body = prop_oneof![
        6 => json().prop_map(|json| json.to_string()),
        1 => "\\PC{0,40}".prop_map(|text| text),
        1 => Just("{".repeat(50_000)),
        1 => Just(format!("{{\"a\":{}", "[".repeat(50_000))),
        1 => Just(String::new()),
    ];
    let target = |service: &'static str, operation: &str| {
        format!(
            "POST / HTTP/1.1\r\nx-amz-target: {service}.{operation}\r\n\
             content-type: application/x-amz-json-1.0"
        )
    };
    let swf = prop::sample::select(&SWF[..])
        .prop_map(move |operation| target("SimpleWorkflowService", operation));
    let sqs = prop::sample::select(&SQS[..]).prop_map(move |action| target("AmazonSQS", action));
    let form = prop::sample::select(&SQS[..]).prop_map(|action| {
        format!(
            "POST /123456789012/q?Action={action} HTTP/1.1\r\n\
             content-type: application/x-www-form-urlencoded"
        )
    });
    let s3 = ("(GET|PUT|POST|DELETE|HEAD|PATCH)", "[a-z0-9/.%?&=~-]{0,30}", "[ -~]{0,20}")
        .prop_map(|(method, path, range)| {
            format!("{method} /{path} HTTP/1.1\r\nrange: {range}\r\nx-amz-copy-source: {range}")
        });
    (prop_oneof![4 => swf, 3 => sqs, 2 => form, 3 => s3], body)
}

/// What came back, as far as it came: an endpoint that says no may close before it read all.
async fn reply(world: &World, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let length = body.len();
    let request = format!(
        "{head}\r\nhost: localhost\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    let _ = stream.write_all(request.as_bytes()).await;
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply).await;
    String::from_utf8_lossy(&reply).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_sent_is_a_fault_of_the_endpoint() {
    let config = LocalConfig { poll_wait: Duration::ZERO, ..LocalConfig::default() };
    let world = World::with(config).await;
    world.sqs("CreateQueue", json!({ "QueueName": "q" })).await;
    world
        .swf("RegisterDomain", json!({"name": "d", "workflowExecutionRetentionPeriodInDays": "1"}))
        .await;
    let mut runner = TestRunner::new(Config::default());
    let requests = request();
    for _ in 0..CASES {
        let (head, body) = requests.new_tree(&mut runner).unwrap().current();
        let reply = tokio::time::timeout(PATIENCE, reply(&world, &head, &body)).await;
        let reply = reply.unwrap_or_else(|_| panic!("no answer to {head}\n\n{body:.2000}"));
        // What S3 does not have is 501, which is an answer, too.
        let ours = reply.starts_with("HTTP/1.1 5") && !reply.starts_with("HTTP/1.1 501");
        assert!(!ours, "{reply}\n\nto {head}\n\n{body:.2000}");
        assert!(reply.starts_with("HTTP/1.1 "), "{reply}\n\nto {head}\n\n{body:.2000}");
    }
    // It is as well as before.
    let health = world.request("GET /_cpe/health HTTP/1.1", "").await;
    assert_eq!(health.status, 200);
    world.end().await;
}
