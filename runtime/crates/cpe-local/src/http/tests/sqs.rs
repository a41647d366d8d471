//! What SQS has besides sending and receiving, over both of its protocols.

use super::*;

const DEAD_ARN: &str = "arn:aws:sqs:eu-west-1:123456789012:dead";

impl World {
    /// The answer of an operation that succeeds.
    #[track_caller]
    fn ok(reply: &Reply) -> Value {
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.json()
    }

    /// A queue whose dead letters go to another, where one of them is.
    async fn with_dead_letter(&self) {
        let redrive = json!({ "deadLetterTargetArn": DEAD_ARN, "maxReceiveCount": 1 }).to_string();
        self.sqs("CreateQueue", json!({ "QueueName": "dead" })).await;
        let attributes = json!({ "RedrivePolicy": redrive });
        self.sqs("CreateQueue", json!({ "QueueName": "q", "Attributes": attributes })).await;
        self.sqs("SendMessage", json!({ "QueueUrl": QUEUE, "MessageBody": "a" })).await;
        let receive = json!({ "QueueUrl": QUEUE, "VisibilityTimeout": 0 });
        Self::ok(&self.sqs("ReceiveMessage", receive.clone()).await);
        Self::ok(&self.sqs("ReceiveMessage", receive).await);
    }
}

/// What both protocols say of a refusal.
#[track_caller]
fn refused(reply: &Reply, status: u16, code: &str) {
    assert_eq!(reply.status, status, "{}", reply.body);
    match reply.header("x-amzn-query-error") {
        Some(header) => assert_eq!(header, format!("{code};Sender")),
        None => assert!(reply.body.contains(&format!("<Code>{code}</Code>")), "{}", reply.body),
    }
}

#[tokio::test]
async fn dead_letters_are_moved_back_in_json() {
    let world = World::new().await;
    world.with_dead_letter().await;
    let start = json!({ "SourceArn": DEAD_ARN, "MaxNumberOfMessagesPerSecond": 1 });
    let started = World::ok(&world.sqs("StartMessageMoveTask", start.clone()).await);
    let list = json!({ "SourceArn": DEAD_ARN, "MaxResults": 10 });
    let listed = World::ok(&world.sqs("ListMessageMoveTasks", list.clone()).await);
    let mut result = listed["Results"][0].clone();
    assert!(result.as_object_mut().unwrap().remove("StartedTimestamp").unwrap().is_i64());
    assert_eq!(
        result,
        json!({
            "TaskHandle": started["TaskHandle"],
            "Status": "RUNNING",
            "SourceArn": DEAD_ARN,
            "MaxNumberOfMessagesPerSecond": 1,
            "ApproximateNumberOfMessagesMoved": 0,
            "ApproximateNumberOfMessagesToMove": 1,
        })
    );
    refused(&world.sqs("StartMessageMoveTask", start).await, 400, "InvalidParameterValue");
    let canceled = world.sqs("CancelMessageMoveTask", started.clone()).await;
    assert_eq!(World::ok(&canceled), json!({ "ApproximateNumberOfMessagesMoved": 0 }));
    let listed = World::ok(&world.sqs("ListMessageMoveTasks", list).await);
    assert_eq!(listed["Results"][0]["Status"], "CANCELLED");
    assert_eq!(listed["Results"][0].get("TaskHandle"), None);

    // Without a rate it is over before its start is answered.
    let source = json!({ "SourceArn": DEAD_ARN });
    World::ok(&world.sqs("StartMessageMoveTask", source.clone()).await);
    let listed = World::ok(&world.sqs("ListMessageMoveTasks", source).await);
    assert_eq!(listed["Results"].as_array().unwrap().len(), 1);
    assert_eq!(listed["Results"][0]["Status"], "COMPLETED");
    let received = World::ok(&world.sqs("ReceiveMessage", json!({ "QueueUrl": QUEUE })).await);
    assert_eq!(received["Messages"][0]["Body"], "a");
    world.end().await;
}

#[tokio::test]
async fn dead_letters_are_moved_back_in_forms() {
    let world = World::new().await;
    world.with_dead_letter().await;
    let dead = world
        .form(
            "Action=ReceiveMessage&QueueUrl=dead&VisibilityTimeout=0&AttributeName.1=DeadLetterQueueSourceArn",
        )
        .await;
    let source = "<Value>arn:aws:sqs:us-east-1:123456789012:q</Value>";
    assert!(dead.body.contains(source), "{}", dead.body);
    let start =
        format!("Action=StartMessageMoveTask&SourceArn={DEAD_ARN}&MaxNumberOfMessagesPerSecond=");
    refused(&world.form(&format!("{start}501")).await, 400, "InvalidParameterValue");
    let started = world.form(&format!("{start}500")).await;
    let (_, handle) = started.body.split_once("<TaskHandle>").unwrap();
    let (handle, _) = handle.split_once("</TaskHandle>").unwrap();
    let handle: String = form_urlencoded::byte_serialize(handle.as_bytes()).collect();
    let canceled = world.form(&format!("Action=CancelMessageMoveTask&TaskHandle={handle}")).await;
    assert!(
        canceled.body.contains(
            "<CancelMessageMoveTaskResult><ApproximateNumberOfMessagesMoved>0</ApproximateNumberOfMessagesMoved>"
        ),
        "{}",
        canceled.body
    );
    let listed = world.form(&format!("Action=ListMessageMoveTasks&SourceArn={DEAD_ARN}")).await;
    let entry =
        "<ListMessageMoveTasksResult><ListMessageMoveTasksResultEntry><Status>CANCELLED</Status>";
    assert!(listed.body.contains(entry), "{}", listed.body);
    world.end().await;
}

#[tokio::test]
async fn moves_that_cannot_be_are_refused_as_in_sqs() {
    let world = World::new().await;
    world.with_dead_letter().await;
    let nowhere = "arn:aws:sqs:eu-west-1:123456789012:nowhere";
    let none = "ResourceNotFoundException";
    for (action, body, status, code) in [
        ("StartMessageMoveTask", json!({ "SourceArn": nowhere }), 404, none),
        ("StartMessageMoveTask", json!({ "SourceArn": "dead" }), 400, "InvalidParameterValue"),
        ("StartMessageMoveTask", json!({}), 400, "MissingParameter"),
        (
            "StartMessageMoveTask",
            json!({ "SourceArn": DEAD_ARN, "DestinationArn": nowhere }),
            404,
            none,
        ),
        (
            "StartMessageMoveTask",
            json!({ "SourceArn": DEAD_ARN.replace("dead", "q") }),
            400,
            "InvalidParameterValue",
        ),
        ("CancelMessageMoveTask", json!({ "TaskHandle": "?" }), 400, "InvalidParameterValue"),
        // {"taskId":"x","sourceArn":"arn:aws:sqs:r:1:dead"}
        (
            "CancelMessageMoveTask",
            json!({
                "TaskHandle":
                    "eyJ0YXNrSWQiOiJ4Iiwic291cmNlQXJuIjoiYXJuOmF3czpzcXM6cjoxOmRlYWQifQ=="
            }),
            404,
            none,
        ),
        (
            "ListMessageMoveTasks",
            json!({ "SourceArn": DEAD_ARN, "MaxResults": 11 }),
            400,
            "InvalidParameterValue",
        ),
        ("ListMessageMoveTasks", json!({ "SourceArn": nowhere }), 404, none),
    ] {
        refused(&world.sqs(action, body).await, status, code);
    }
    world.end().await;
}

#[tokio::test]
async fn tags_in_both_protocols() {
    let world = World::new().await;
    let made = json!({ "QueueName": "q", "tags": { "a": "1" } });
    World::ok(&world.sqs("CreateQueue", made).await);
    let tagged =
        world.form("Action=TagQueue&Tag.1.Key=b&Tag.1.Value=2&Tag.2.Key=c&Tag.2.Value=").await;
    assert_eq!(tagged.status, 200, "{}", tagged.body);
    let queue = json!({ "QueueUrl": QUEUE });
    let listed = World::ok(&world.sqs("ListQueueTags", queue.clone()).await);
    assert_eq!(listed, json!({ "Tags": { "a": "1", "b": "2", "c": "" } }));
    World::ok(&world.sqs("UntagQueue", json!({ "QueueUrl": QUEUE, "TagKeys": ["a"] })).await);
    world.form("Action=UntagQueue&TagKey.1=c").await;
    let listed = world.form("Action=ListQueueTags").await;
    assert!(
        listed.body.contains(
            "<ListQueueTagsResult><Tag><Key>b</Key><Value>2</Value></Tag></ListQueueTagsResult>"
        ),
        "{}",
        listed.body
    );
    world.form("Action=UntagQueue&TagKey.1=b").await;
    assert_eq!(World::ok(&world.sqs("ListQueueTags", queue).await), json!({}));
    for (body, code) in [
        (json!({ "QueueUrl": QUEUE, "Tags": {} }), "MissingParameter"),
        (json!({ "QueueUrl": QUEUE, "Tags": { "aws:a": "" } }), "InvalidParameterValue"),
        (
            json!({ "QueueUrl": "none", "Tags": { "a": "" } }),
            "AWS.SimpleQueueService.NonExistentQueue",
        ),
    ] {
        refused(&world.sqs("TagQueue", body).await, 400, code);
    }
    let made = world.form("Action=CreateQueue&QueueName=other&Tag.1.Key=k&Tag.1.Value=v").await;
    assert_eq!(made.status, 200, "{}", made.body);
    let listed = World::ok(&world.sqs("ListQueueTags", json!({ "QueueUrl": "other" })).await);
    assert_eq!(listed["Tags"], json!({ "k": "v" }));
    world.end().await;
}

#[tokio::test]
async fn permissions_in_both_protocols() {
    let world = World::new().await;
    world.sqs("CreateQueue", json!({ "QueueName": "q" })).await;
    let added = world
        .form("Action=AddPermission&Label=one&AWSAccountId.1=111111111111&ActionName.1=SendMessage&ActionName.2=ReceiveMessage")
        .await;
    assert_eq!(added.status, 200, "{}", added.body);
    let add = |label: &str, actions: &[&str]| {
        json!({
            "QueueUrl": QUEUE,
            "Label": label,
            "AWSAccountIds": ["111111111111"],
            "Actions": actions,
        })
    };
    World::ok(&world.sqs("AddPermission", add("two", &["*"])).await);
    refused(&world.sqs("AddPermission", add("two", &["*"])).await, 400, "InvalidParameterValue");
    refused(&world.sqs("AddPermission", add("x", &["SendMessage"; 8])).await, 403, "OverLimit");
    let removed = world.form("Action=RemovePermission&Label=one").await;
    assert_eq!(removed.status, 200, "{}", removed.body);
    let wanted = json!({ "QueueUrl": QUEUE, "AttributeNames": ["Policy"] });
    let shown = World::ok(&world.sqs("GetQueueAttributes", wanted).await);
    let policy: Value =
        serde_json::from_str(shown["Attributes"]["Policy"].as_str().unwrap()).unwrap();
    assert_eq!(policy["Statement"].as_array().unwrap().len(), 1);
    assert_eq!(policy["Statement"][0]["Resource"], "arn:aws:sqs:eu-west-1:123456789012:q");
    refused(&world.form("Action=RemovePermission&Label=one").await, 400, "InvalidParameterValue");
    world.end().await;
}

#[tokio::test]
async fn messages_and_their_attributes() {
    let world = World::new().await;
    world.sqs("CreateQueue", json!({ "QueueName": "q" })).await;
    let text = |kind: &str, value: &str| json!({ "DataType": kind, "StringValue": value });
    // The digest of a message system attribute is the sender's to check; a receiver gets the text.
    let sent = world
        .sqs(
            "SendMessage",
            json!({
                "QueueUrl": QUEUE,
                "MessageBody": "derp",
                "MessageGroupId": "tenant",
                "MessageAttributes": {
                    "SOME_Valid.attribute-Name": text("Number", "1493147359900"),
                },
                "MessageSystemAttributes": { "AWSTraceHeader": text("String", "Root=1-5") },
            }),
        )
        .await;
    let sent = World::ok(&sent);
    assert_eq!(sent["MD5OfMessageBody"], "58fd9edd83341c29f1aebba81c31e257");
    assert_eq!(sent["MD5OfMessageAttributes"], "36655e7e9d7c0e8479fa3f3f42247ae7");
    assert_eq!(sent["MD5OfMessageSystemAttributes"].as_str().unwrap().len(), 32);
    let receive = |names: &[&str], system: &[&str]| {
        json!({
            "QueueUrl": QUEUE,
            "VisibilityTimeout": 0,
            "MessageAttributeNames": names,
            "MessageSystemAttributeNames": system,
        })
    };
    for names in [&["All"], &[".*"], &["SOME_.*"], &["SOME_Valid.attribute-Name"]] {
        let got = World::ok(&world.sqs("ReceiveMessage", receive(names, &[])).await);
        let got = &got["Messages"][0];
        assert_eq!(got["MD5OfMessageAttributes"], sent["MD5OfMessageAttributes"], "{names:?}");
        assert_eq!(got.get("Attributes"), None);
    }
    let got = World::ok(&world.sqs("ReceiveMessage", receive(&["Other.*"], &["All"])).await);
    let got = &got["Messages"][0];
    assert_eq!(got.get("MD5OfMessageAttributes"), None);
    let mut attributes = got["Attributes"].as_object().unwrap().clone();
    for name in ["SentTimestamp", "ApproximateFirstReceiveTimestamp"] {
        attributes.remove(name).unwrap();
    }
    assert_eq!(
        Value::Object(attributes),
        json!({
            "SenderId": "123456789012",
            "ApproximateReceiveCount": "5",
            "MessageGroupId": "tenant",
            "AWSTraceHeader": "Root=1-5",
        })
    );
    let unknown = world.sqs("ReceiveMessage", receive(&[], &["Nonsense"])).await;
    refused(&unknown, 400, "InvalidAttributeName");
    world.end().await;
}

#[tokio::test]
async fn a_fifo_queue_repeats_a_receive() {
    let world = World::new().await;
    let fifo = json!({ "QueueName": "q.fifo", "Attributes": { "FifoQueue": "true" } });
    world.sqs("CreateQueue", fifo).await;
    let sent = json!({
        "QueueUrl": "q.fifo", "MessageBody": "a",
        "MessageGroupId": "g", "MessageDeduplicationId": "1",
    });
    World::ok(&world.sqs("SendMessage", sent).await);
    let receive = |attempt: &str| json!({ "QueueUrl": "q.fifo", "ReceiveRequestAttemptId": attempt, "WaitTimeSeconds": 0 });
    let first = World::ok(&world.sqs("ReceiveMessage", receive("x")).await);
    assert_eq!(first["Messages"][0]["Body"], "a");
    assert_eq!(World::ok(&world.sqs("ReceiveMessage", receive("x")).await), first);
    assert_eq!(World::ok(&world.sqs("ReceiveMessage", receive("y")).await), json!({}));
    world.end().await;
}

#[tokio::test]
async fn queues_and_dead_letter_sources_come_in_pages() {
    let world = World::new().await;
    world.with_dead_letter().await;
    let redrive = json!({ "deadLetterTargetArn": DEAD_ARN, "maxReceiveCount": 1 }).to_string();
    for name in ["q2", "q3"] {
        let attributes = json!({ "RedrivePolicy": redrive });
        world.sqs("CreateQueue", json!({ "QueueName": name, "Attributes": attributes })).await;
    }
    for (action, key, of) in [
        ("ListQueues", "QueueUrls", json!({ "QueueNamePrefix": "q" })),
        ("ListDeadLetterSourceQueues", "queueUrls", json!({ "QueueUrl": "dead" })),
    ] {
        let mut request = of;
        request["MaxResults"] = json!(2);
        let first = World::ok(&world.sqs(action, request.clone()).await);
        assert_eq!(first[key], json!([QUEUE, format!("{QUEUE}2")]), "{action}");
        request["NextToken"] = first["NextToken"].clone();
        let second = World::ok(&world.sqs(action, request.clone()).await);
        assert_eq!(second, json!({ key: [format!("{QUEUE}3")] }), "{action}");
        request["MaxResults"] = json!(1_001);
        refused(&world.sqs(action, request).await, 400, "InvalidParameterValue");
    }
    // Clients of the query protocol look for the result, also where it is empty.
    let none = world.form("Action=ListQueues&QueueNamePrefix=none").await;
    assert!(none.body.contains("<ListQueuesResult></ListQueuesResult>"), "{}", none.body);
    world.end().await;
}

#[tokio::test]
async fn what_sqs_says_of_wrong_numbers() {
    let world = World::new().await;
    world.sqs("CreateQueue", json!({ "QueueName": "q" })).await;
    for (action, body, message) in [
        (
            "SendMessage",
            json!({ "QueueUrl": QUEUE, "MessageBody": "a", "DelaySeconds": -1 }),
            "Value -1 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.",
        ),
        (
            "ReceiveMessage",
            json!({ "QueueUrl": QUEUE, "MaxNumberOfMessages": 11 }),
            "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.",
        ),
        (
            "ChangeMessageVisibility",
            json!({ "QueueUrl": QUEUE, "ReceiptHandle": "x", "VisibilityTimeout": 43_201 }),
            "Value 43201 for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200, if provided.",
        ),
        (
            "SendMessage",
            json!({ "QueueUrl": QUEUE, "MessageBody": "a", "MessageDeduplicationId": "d" }),
            "Value d for parameter MessageDeduplicationId is invalid. Reason: The request include parameter that is not valid for this queue type.",
        ),
    ] {
        let reply = world.sqs(action, body).await;
        refused(&reply, 400, "InvalidParameterValue");
        assert_eq!(reply.json()["message"], message);
    }
    let empty = world.sqs("DeleteMessageBatch", json!({ "QueueUrl": QUEUE, "Entries": [] })).await;
    refused(&empty, 400, "AWS.SimpleQueueService.EmptyBatchRequest");
    assert!(empty.body.contains("at least one DeleteMessageBatchRequestEntry"), "{}", empty.body);
    World::ok(&world.sqs("PurgeQueue", json!({ "QueueUrl": QUEUE })).await);
    let again = world.form("Action=PurgeQueue").await;
    refused(&again, 400, "AWS.SimpleQueueService.PurgeQueueInProgress");
    world.end().await;
}
