use std::collections::BTreeMap;

use expect_test::expect;
use serde_json::json;

use super::{query::Form, *};
use crate::sqs::{
    SqsFaultKind,
    message::{AttributeValue, md5_of_attributes, md5_of_body},
};

fn form(text: &str) -> Form {
    Form::parse(text.as_bytes(), "/").unwrap()
}

#[test]
fn a_form_becomes_what_json_would_have_been() {
    let form = form(
        "Action=SendMessageBatch&Version=2012-11-05&QueueUrl=http%3A%2F%2Fh%2F1%2Fq\
         &SendMessageBatchRequestEntry.2.Id=two&SendMessageBatchRequestEntry.2.MessageBody=b+c\
         &SendMessageBatchRequestEntry.1.Id=one&SendMessageBatchRequestEntry.1.MessageBody=a\
         &SendMessageBatchRequestEntry.1.MessageAttribute.1.Name=kind\
         &SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.DataType=String\
         &SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.StringValue=x",
    );
    assert_eq!(form.action, "SendMessageBatch");
    assert_eq!(
        form.parameters,
        json!({
            "QueueUrl": "http://h/1/q",
            "Version": "2012-11-05",
            "Entries": [
                {
                    "Id": "one",
                    "MessageBody": "a",
                    "MessageAttributes": {"kind": {"DataType": "String", "StringValue": "x"}},
                },
                {"Id": "two", "MessageBody": "b c"},
            ],
        })
    );
}

#[test]
fn attributes_of_a_form_become_an_object() {
    let form = form(
        "Action=CreateQueue&QueueName=q&Attribute.1.Name=DelaySeconds&Attribute.1.Value=5\
         &Attribute.2.Name=VisibilityTimeout&Attribute.2.Value=9&AttributeName.1=All",
    );
    assert_eq!(
        form.parameters,
        json!({
            "QueueName": "q",
            "Attributes": {"DelaySeconds": "5", "VisibilityTimeout": "9"},
            "AttributeNames": ["All"],
        })
    );
}

#[test]
fn a_form_sent_to_a_queue_is_about_that_queue() {
    let form = Form::parse(b"Action=PurgeQueue", "/123456789012/q").unwrap();
    assert_eq!(form.parameters, json!({ "QueueUrl": "/123456789012/q" }));
}

#[test]
fn forms_that_are_too_much_are_refused() {
    let deep = format!("Action=X&{}=1", vec!["a"; 20].join("."));
    let wide = (0..3_000).map(|n| format!("p{n}=1&")).collect::<String>();
    for text in [deep, wide] {
        assert_eq!(Form::parse(text.as_bytes(), "/").unwrap_err().kind, SqsFaultKind::Malformed);
    }
    assert_eq!(Form::parse(b"A=1", "/").unwrap_err().kind, SqsFaultKind::MissingParameter);
}

#[test]
fn answers_in_xml_are_flattened() {
    let answer = json!({
        "Messages": [{
            "MessageId": "id",
            "Body": "<a> & \"b\"\r\n",
            "Attributes": {"SentTimestamp": "1"},
            "MessageAttributes": {"n": {"DataType": "Number", "StringValue": "2"}},
        }],
    });
    expect![[r#"<?xml version="1.0"?><ReceiveMessageResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><ReceiveMessageResult><Message><MessageId>id</MessageId><Body>&lt;a&gt; &amp; &quot;b&quot;&#xD;
</Body><Attribute><Name>SentTimestamp</Name><Value>1</Value></Attribute><MessageAttribute><Name>n</Name><Value><DataType>Number</DataType><StringValue>2</StringValue></Value></MessageAttribute></Message></ReceiveMessageResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></ReceiveMessageResponse>"#]]
    .assert_eq(&query::answer("ReceiveMessage", &answer, "r"));
    expect![[r#"<?xml version="1.0"?><DeleteMessageResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></DeleteMessageResponse>"#]]
    .assert_eq(&query::answer("DeleteMessage", &json!({}), "r"));
}

#[test]
fn errors_carry_the_names_of_both_protocols() {
    let fault = SqsFault::no_such_queue();
    expect![[r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}"#]]
        .assert_eq(&fault_body(&fault));
    assert_eq!(query_error_header(&fault), "AWS.SimpleQueueService.NonExistentQueue;Sender");
    expect![[r#"<?xml version="1.0"?><ErrorResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><Error><Type>Sender</Type><Code>AWS.SimpleQueueService.NonExistentQueue</Code><Message>The specified queue does not exist.</Message><Detail/></Error><RequestId>r</RequestId></ErrorResponse>"#]]
    .assert_eq(&query::error(&fault, "r"));
}

/// The values that AWS's own SDKs compute and compare.
#[test]
fn digests_are_those_that_clients_compute() {
    assert_eq!(md5_of_body("hello"), "5d41402abc4b2a76b9719d911017c592");
    let value = |data_type: &str, text: Option<&str>, binary: Option<&str>| AttributeValue {
        data_type: data_type.to_owned(),
        string_value: text.map(str::to_owned),
        binary_value: binary.map(str::to_owned),
    };
    assert_eq!(md5_of_attributes(&BTreeMap::new()), None);
    let one =
        BTreeMap::from([("timestamp".to_owned(), value("Number", Some("1493147359900"), None))]);
    assert_eq!(md5_of_attributes(&one).as_deref(), Some("235c5c510d26fb653d073faed50ae77c"));
    let binary = BTreeMap::from([("b".to_owned(), value("Binary", None, Some("AQID")))]);
    assert_eq!(md5_of_attributes(&binary).unwrap().len(), 32);
}

#[test]
fn a_parameter_that_is_missing_is_named() {
    let error = parameters::<shapes::OfQueue>(json!({})).unwrap_err();
    assert_eq!(error.kind, SqsFaultKind::MissingParameter);
    assert_eq!(error.message, "The request must contain the parameter QueueUrl.");
    let error = parameters::<shapes::OfQueue>(json!({ "QueueUrl": 7 })).unwrap_err();
    assert_eq!(error.kind, SqsFaultKind::Malformed);
}
