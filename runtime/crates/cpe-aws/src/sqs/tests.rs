use cpe_swf::Timestamp;
use expect_test::expect;

use super::*;
use crate::fake::{self, Fake};

fn queue() -> QueueUrl {
    QueueUrl("http://127.0.0.1/123456789012/in".to_owned())
}

#[tokio::test]
async fn receives_with_counts() {
    let body = r#"{"Messages":[
        {"MessageId":"m","ReceiptHandle":"r","Body":"{}","MD5OfBody":"99914b932bd37a50b983c5e7c90ae93b","Attributes":{"ApproximateReceiveCount":"3","SentTimestamp":"1700000000123"}},
        {"MessageId":"n","ReceiptHandle":"s","Body":"{}","MD5OfBody":"99914b932bd37a50b983c5e7c90ae93b"}]}"#;
    let fake = Fake::start([fake::ok(body), fake::ok("{}")]).await;
    let receive = Receive {
        max_messages: 50,
        wait: Duration::from_millis(500),
        visibility_timeout: Some(Duration::from_secs(90)),
    };
    let messages = fake.sqs().receive(&queue(), receive).await.unwrap();
    let counts: Vec<_> =
        messages.iter().map(|m| (&*m.message_id, m.receive_count, m.sent)).collect();
    let sent = Timestamp::from_millis(1_700_000_000_123);
    assert_eq!(counts, [("m", 3, Some(sent)), ("n", 1, None)]);
    expect![[r#"{"QueueUrl":"http://127.0.0.1/123456789012/in","MessageSystemAttributeNames":["ApproximateReceiveCount","SentTimestamp"],"MaxNumberOfMessages":10,"VisibilityTimeout":90,"WaitTimeSeconds":1}"#]]
        .assert_eq(fake.asked_once().text());
    assert_eq!(fake.sqs().receive(&queue(), receive).await.unwrap(), []);
}

#[tokio::test]
async fn sends_with_the_ids_of_fifo_queues() {
    let fake = Fake::start([fake::ok(r#"{"MessageId":"m"}"#)]).await;
    let message = OutgoingMessage {
        body: "ü".to_owned(),
        group_id: Some("g".to_owned()),
        deduplication_id: Some("d".to_owned()),
    };
    fake.sqs().send(&queue(), message).await.unwrap();
    expect![[r#"{"QueueUrl":"http://127.0.0.1/123456789012/in","MessageBody":"ü","MessageDeduplicationId":"d","MessageGroupId":"g"}"#]]
        .assert_eq(fake.asked_once().text());
}

#[tokio::test]
async fn queues_by_name_and_by_url() {
    let url = |url: &str| fake::ok(format!(r#"{{"QueueUrl":"{url}"}}"#));
    let missing = fake::Answer(
        400,
        vec![(
            "x-amzn-query-error",
            "AWS.SimpleQueueService.NonExistentQueue;Sender".to_owned(),
        )],
        r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}"#.to_owned(),
    );
    let exists =
        fake::status(400, r#"{"__type":"com.amazonaws.sqs#QueueNameExists","message":"x"}"#);
    let fake = Fake::start([
        url("http://q/a"),
        missing,
        url("http://q/b.fifo"),
        exists,
        url("http://q/c"),
    ])
    .await;
    let sqs = fake.sqs();
    assert_eq!(sqs.queue_url("http://q/0").await.unwrap().0, "http://q/0");
    assert_eq!(sqs.queue_url("a").await.unwrap().0, "http://q/a");
    let error = sqs.queue_url("b").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert_eq!(error.message(), "The specified queue does not exist.");
    assert_eq!(sqs.create_queue("b.fifo").await.unwrap().0, "http://q/b.fifo");
    assert_eq!(sqs.create_queue("c").await.unwrap().0, "http://q/c");
    let bodies: Vec<_> = fake.asked().iter().map(|asked| asked.text().to_owned()).collect();
    assert_eq!(bodies[2], r#"{"QueueName":"b.fifo","Attributes":{"FifoQueue":"true"}}"#);
    assert_eq!(bodies[3..], [r#"{"QueueName":"c"}"#; 2]);
}

#[tokio::test]
async fn a_delivery_is_deleted_or_hidden() {
    let fake = Fake::start([fake::ok(""), fake::ok("{}")]).await;
    let receipt = ReceiptHandle("r".to_owned());
    fake.sqs().delete(&queue(), &receipt).await.unwrap();
    fake.sqs().change_visibility(&queue(), &receipt, Duration::ZERO).await.unwrap();
    let targets: Vec<_> =
        fake.asked().iter().map(|asked| asked.header("x-amz-target").to_owned()).collect();
    assert_eq!(targets, ["AmazonSQS.DeleteMessage", "AmazonSQS.ChangeMessageVisibility"]);
}

#[tokio::test]
async fn each_entry_of_a_batch_has_its_own_outcome() {
    let answer = r#"{"Successful":[{"Id":"2","MessageId":"m","MD5OfMessageBody":"0cc175b9c0f1b6a831c399e269772661"}],
        "Failed":[{"Id":"0","Code":"InvalidParameterValue","Message":"no","SenderFault":true},
                  {"Id":"1","Code":"InternalError","SenderFault":false}]}"#;
    let stranger = r#"{"Successful":[{"Id":"7"}],"Failed":[]}"#;
    let fake = Fake::start([fake::ok(answer), fake::ok(stranger)]).await;
    let messages = ["x", "y", "a", "z"].map(OutgoingMessage::new).to_vec();
    let outcome = fake.sqs().send_batch(&queue(), messages).await.unwrap();
    let outcome: Vec<_> = outcome
        .into_iter()
        .map(|sent| sent.map_err(|error| (error.kind(), error.message().to_owned())))
        .collect();
    assert_eq!(outcome[0], Err((ErrorKind::Refused, "no".to_owned())));
    assert_eq!(outcome[1], Err((ErrorKind::Unavailable, "InternalError".to_owned())));
    assert_eq!(outcome[2], Ok(()));
    let (kind, message) = outcome[3].clone().unwrap_err();
    assert_eq!(kind, ErrorKind::Broken, "{message}");

    let receipts = ["r", "s"].map(|receipt| ReceiptHandle(receipt.to_owned())).to_vec();
    let error = fake.sqs().delete_batch(&queue(), receipts).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Broken, "{error}");
    let asked = fake.asked();
    expect![[r#"{"QueueUrl":"http://127.0.0.1/123456789012/in","Entries":[{"Id":"0","MessageBody":"x"},{"Id":"1","MessageBody":"y"},{"Id":"2","MessageBody":"a"},{"Id":"3","MessageBody":"z"}]}"#]]
        .assert_eq(asked[0].text());
    expect![[r#"{"QueueUrl":"http://127.0.0.1/123456789012/in","Entries":[{"Id":"0","ReceiptHandle":"r"},{"Id":"1","ReceiptHandle":"s"}]}"#]]
        .assert_eq(asked[1].text());
}
