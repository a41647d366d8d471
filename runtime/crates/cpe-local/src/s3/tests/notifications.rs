//! Events of buckets, as a consumer of the queue finds them.

use std::{collections::BTreeMap, time::Duration};

use expect_test::expect;
use serde_json::Value;

use super::over_http::{Http, begin, field, put_part};
use crate::{engine::Receive, sqs::QueueName};

const ARN: &str = "arn:aws:sqs:us-east-1:123456789012";

fn name(queue: &str) -> QueueName {
    QueueName::parse(queue).unwrap()
}

async fn make_queue(http: &Http, queue: &str) {
    let queue = name(queue);
    let made = http
        .store
        .engine
        .call(move |core| core.sqs.create_queue(core.now, &queue, &BTreeMap::new()))
        .await;
    made.unwrap().unwrap();
}

/// The bodies of all messages that are in a queue now, in order.
async fn received(http: &Http, queue: &str) -> Vec<Value> {
    let mut bodies = Vec::new();
    loop {
        let receive = Receive {
            queue: name(queue),
            most: 10,
            visibility: Some(Duration::from_secs(60)),
            wait: Some(Duration::ZERO),
            attempt: None,
        };
        let engine = &http.store.engine;
        let got = engine.receive(receive, engine.closing()).await.unwrap().unwrap();
        if got.is_empty() {
            return bodies;
        }
        bodies.extend(got.iter().map(|one| serde_json::from_str(&one.content.body).unwrap()));
    }
}

/// What happened to which object, one a line.
async fn told(http: &Http, queue: &str) -> String {
    let mut lines = Vec::new();
    for body in received(http, queue).await {
        let record = &body["Records"][0];
        let object = &record["s3"]["object"];
        let line = match &body["Event"] {
            Value::String(event) => event.clone(),
            _ => format!(
                "{} {} {} #{}",
                record["eventName"].as_str().unwrap(),
                object["key"].as_str().unwrap(),
                object.get("size").map_or("-".to_owned(), Value::to_string),
                object["sequencer"].as_str().unwrap().trim_start_matches('0'),
            ),
        };
        lines.push(line);
    }
    lines.join("\n")
}

fn rule(queue: &str, event: &str, filters: &str) -> String {
    format!(
        "<QueueConfiguration><Id>{queue}-{event}</Id><Queue>{ARN}:{queue}</Queue>\
         <Event>{event}</Event>{filters}</QueueConfiguration>"
    )
}

fn filter(name: &str, value: &str) -> String {
    format!(
        "<Filter><S3Key><FilterRule><Name>{name}</Name><Value>{value}</Value></FilterRule>\
         </S3Key></Filter>"
    )
}

async fn configure(http: &Http, rules: &[String]) -> (u16, String) {
    let document =
        format!("<NotificationConfiguration>{}</NotificationConfiguration>", rules.concat());
    let answer = http.send("PUT /media?notification", document).await;
    (answer.status().as_u16(), String::from_utf8_lossy(answer.body()).into_owned())
}

#[tokio::test]
async fn a_queue_is_tested_when_it_is_configured() {
    let http = Http::new().await;
    make_queue(&http, "changes").await;
    let rules =
        [rule("changes", "s3:ObjectCreated:*", ""), rule("changes", "s3:ObjectRemoved:*", "")];
    assert_eq!(configure(&http, &rules).await.0, 200);
    let mut tests = received(&http, "changes").await;
    assert_eq!(tests.len(), 2, "one for each configuration");
    let mut test = tests.remove(0);
    for id in ["RequestId", "HostId"] {
        assert_eq!(test[id].as_str().unwrap().len(), 16);
        test[id] = "...".into();
    }
    expect![[r#"
        {
          "Service": "Amazon S3",
          "Event": "s3:TestEvent",
          "Time": "2026-01-02T03:04:05.678Z",
          "Bucket": "media",
          "RequestId": "...",
          "HostId": "..."
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&test).unwrap());
}

#[tokio::test]
async fn an_event_has_the_form_of_s3s() {
    let http = Http::new().await;
    make_queue(&http, "changes").await;
    let rules =
        [rule("changes", "s3:ObjectCreated:*", ""), rule("changes", "s3:ObjectRemoved:*", "")];
    assert_eq!(configure(&http, &rules).await.0, 200);
    received(&http, "changes").await;
    assert_eq!(http.status("PUT /media/in/a%20b%2Bc%C3%A9.txt", "hello").await, 200);
    assert_eq!(http.status("DELETE /media/in/a%20b%2Bc%C3%A9.txt", "").await, 204);
    let mut events = received(&http, "changes").await;
    let elements = events[0]["Records"][0]["responseElements"].as_object_mut().unwrap();
    elements.values_mut().for_each(|id| *id = "...".into());
    let shown = |value: &Value| serde_json::to_string_pretty(value).unwrap();
    expect![[r#"
        {
          "Records": [
            {
              "eventVersion": "2.1",
              "eventSource": "aws:s3",
              "awsRegion": "us-east-1",
              "eventTime": "2026-01-02T03:04:05.678Z",
              "eventName": "ObjectCreated:Put",
              "userIdentity": {
                "principalId": "AWS:123456789012"
              },
              "requestParameters": {
                "sourceIPAddress": "127.0.0.1"
              },
              "responseElements": {
                "x-amz-request-id": "...",
                "x-amz-id-2": "..."
              },
              "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": "changes-s3:ObjectCreated:*",
                "bucket": {
                  "name": "media",
                  "ownerIdentity": {
                    "principalId": "123456789012"
                  },
                  "arn": "arn:aws:s3:::media"
                },
                "object": {
                  "key": "in/a+b%2Bc%C3%A9.txt",
                  "sequencer": "000000000000000001",
                  "size": 5,
                  "eTag": "5d41402abc4b2a76b9719d911017c592"
                }
              }
            }
          ]
        }"#]]
    .assert_eq(&shown(&events[0]));
    // Of what is gone there is a key and no more.
    expect![[r#"
        {
          "key": "in/a+b%2Bc%C3%A9.txt",
          "sequencer": "000000000000000002"
        }"#]]
    .assert_eq(&shown(&events[1]["Records"][0]["s3"]["object"]));
}

#[tokio::test]
async fn every_way_to_change_an_object_is_told_under_its_name() {
    let http = Http::new().await;
    make_queue(&http, "all").await;
    let events = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectTagging:*"];
    assert_eq!(configure(&http, &events.map(|event| rule("all", event, ""))).await.0, 200);
    received(&http, "all").await;
    assert_eq!(http.status("PUT /media/a", "hello").await, 200);
    assert_eq!(http.status("PUT /media/a\nif-none-match: *", "refused").await, 412);
    assert_eq!(http.status("PUT /media/b\nx-amz-copy-source: media/a", "").await, 200);
    let id = begin(&http).await;
    let (etag, _) = put_part(&http, &id, 1, b"a part").await;
    let complete = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>\
         </CompleteMultipartUpload>"
    );
    assert_eq!(http.status(&format!("POST /media/big?uploadId={id}"), complete).await, 200);
    let tags = "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>";
    assert_eq!(http.status("PUT /media/a?tagging", tags).await, 200);
    assert_eq!(http.status("DELETE /media/a?tagging", "").await, 204);
    assert_eq!(http.status("DELETE /media/not-there", "").await, 204);
    let delete = "<Delete><Object><Key>a</Key></Object><Object><Key>none</Key></Object>\
                  <Object><Key>b</Key></Object></Delete>";
    assert_eq!(http.status("POST /media?delete", delete).await, 200);
    expect![[r#"
        ObjectCreated:Put a 5 #1
        ObjectCreated:Copy b 5 #2
        ObjectCreated:CompleteMultipartUpload big 6 #3
        ObjectTagging:Put a 5 #4
        ObjectTagging:Delete a 5 #5
        ObjectRemoved:Delete a - #6
        ObjectRemoved:Delete b - #7"#]]
    .assert_eq(&told(&http, "all").await);
}

#[tokio::test]
async fn filters_choose_what_each_queue_is_told() {
    let http = Http::new().await;
    make_queue(&http, "in").await;
    make_queue(&http, "pictures").await;
    let rules = [
        rule("in", "s3:ObjectCreated:Put", &filter("prefix", "in/")),
        rule("pictures", "s3:ObjectCreated:*", &filter("prefix", "p/")),
    ];
    assert_eq!(configure(&http, &rules).await.0, 200);
    for key in ["in/a.txt", "p/b.jpg", "other"] {
        assert_eq!(http.status(&format!("PUT /media/{key}"), "x").await, 200);
    }
    let copy = "PUT /media/in/copy\nx-amz-copy-source: media/other";
    assert_eq!(http.status(copy, "").await, 200);
    assert_eq!(told(&http, "in").await, "s3:TestEvent\nObjectCreated:Put in/a.txt 1 #1");
    assert_eq!(told(&http, "pictures").await, "s3:TestEvent\nObjectCreated:Put p/b.jpg 1 #2");
    http.check(
        "GET /media?notification",
        "",
        expect![[r#"
        200
        content-type: application/xml

        <?xml version="1.0" encoding="UTF-8"?>
        <NotificationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
        <QueueConfiguration>
        <Event>s3:ObjectCreated:Put</Event>
        <Filter>
        <S3Key>
        <FilterRule>
        <Name>prefix</Name>
        <Value>in/</Value>
        </FilterRule>
        </S3Key>
        </Filter>
        <Id>in-s3:ObjectCreated:Put</Id>
        <Queue>arn:aws:sqs:us-east-1:123456789012:in</Queue>
        </QueueConfiguration>
        <QueueConfiguration>
        <Event>s3:ObjectCreated:*</Event>
        <Filter>
        <S3Key>
        <FilterRule>
        <Name>prefix</Name>
        <Value>p/</Value>
        </FilterRule>
        </S3Key>
        </Filter>
        <Id>pictures-s3:ObjectCreated:*</Id>
        <Queue>arn:aws:sqs:us-east-1:123456789012:pictures</Queue>
        </QueueConfiguration>
        </NotificationConfiguration>
    "#]],
    )
    .await;

    // Without rules nothing is told.
    assert_eq!(configure(&http, &[]).await.0, 200);
    assert_eq!(http.status("PUT /media/in/c", "x").await, 200);
    assert_eq!(told(&http, "in").await, "");
    http.check(
        "GET /media?notification",
        "",
        expect![[r#"
        200
        content-type: application/xml

        <?xml version="1.0" encoding="UTF-8"?>
        <NotificationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
        </NotificationConfiguration>
    "#]],
    )
    .await;
}

#[tokio::test]
async fn what_cannot_be_told_is_refused() {
    let http = Http::new().await;
    make_queue(&http, "there").await;
    let refused = async |rules: &[String]| {
        let (status, body) = configure(&http, rules).await;
        format!("{status} {}: {}", field(&body, "Code"), field(&body, "Message"))
    };
    let event = "s3:ObjectCreated:*";
    let shown = [
        refused(&[rule("nowhere", event, "")]).await,
        refused(&[rule("there.fifo", event, "")]).await,
        refused(&[rule("there", "s3:ObjectEaten:*", "")]).await,
        refused(&[rule("there", event, &filter("infix", "x"))]).await,
        refused(&[rule("there", event, ""), rule("there", "s3:ObjectCreated:Put", "")]).await,
        refused(&["<TopicConfiguration><Topic>arn:aws:sns:us-east-1:123456789012:t</Topic>\
                   <Event>s3:ObjectCreated:*</Event></TopicConfiguration>"
            .to_owned()])
        .await,
        refused(&["<CloudFunctionConfiguration><CloudFunction>arn:aws:lambda:us-east-1:\
                   123456789012:function:f</CloudFunction><Event>s3:ObjectCreated:*</Event>\
                   </CloudFunctionConfiguration>"
            .to_owned()])
        .await,
    ];
    expect![[r#"
        400 InvalidArgument: Unable to validate the following destination configurations
        400 InvalidArgument: FIFO SQS queues are not supported as destinations of notifications
        400 InvalidArgument: The event &quot;s3:ObjectEaten:*&quot; is not supported for notifications; s3:ObjectCreated:* and s3:ObjectRemoved:* are
        400 InvalidArgument: filter rule name must be either prefix or suffix
        400 InvalidArgument: Configurations overlap. Configurations on the same bucket cannot share a common event type.
        501 NotImplemented: notification of topics (TopicConfiguration; queues are notified) is not implemented
        501 NotImplemented: notification of functions (CloudFunctionConfiguration; queues are notified) is not implemented"#]].assert_eq(&shown.join("\n"));
    assert_eq!(told(&http, "there").await, "", "what is refused sends no test");
    assert_eq!(http.status("GET /nowhere?notification", "").await, 404);
}

#[tokio::test]
async fn a_queue_that_went_away_does_not_keep_objects_from_changing() {
    let http = Http::new().await;
    make_queue(&http, "gone").await;
    assert_eq!(configure(&http, &[rule("gone", "s3:ObjectCreated:*", "")]).await.0, 200);
    let delete = http.store.engine.call(|core| core.sqs.delete_queue(&name("gone"))).await;
    delete.unwrap().unwrap();
    assert_eq!(http.status("PUT /media/k", "x").await, 200);
    assert_eq!(http.store.read("k").await.unwrap(), b"x");
}

#[tokio::test]
async fn events_and_rules_outlive_a_restart() {
    let folder = tempfile::TempDir::new().unwrap();
    let http = Http::on_disk(folder.path()).await;
    make_queue(&http, "changes").await;
    assert_eq!(configure(&http, &[rule("changes", "s3:ObjectCreated:*", "")]).await.0, 200);
    assert_eq!(http.status("PUT /media/one", "x").await, 200);
    http.store.engine.close().await;
    let http = Http::on_disk(folder.path()).await;
    assert_eq!(http.status("PUT /media/two", "x").await, 200);
    assert_eq!(
        told(&http, "changes").await,
        "s3:TestEvent\nObjectCreated:Put one 1 #1\nObjectCreated:Put two 1 #2"
    );
}
