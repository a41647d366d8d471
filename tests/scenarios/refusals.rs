//! Messages that start nothing: the client hears every problem, and each message is gone.

use std::time::Duration;

use cpe_ports::Receive;
use cpe_tests::{Options, Wire, events_text, plan_file};
use expect_test::{Expect, expect};
use serde_json::json;

use crate::check;

fn options(wire: Wire) -> Options {
    Options::new(wire).plan(plan_file("word-count.yaml")).module("word-count")
}

async fn refused(message: &str, expect: Expect) {
    check(
        options,
        async |world, client| {
            client.send(message).await;
            let events = client.events_until(|event| event["type"] == "COMMAND_REJECTED").await;
            // The next command is served, so the refused one does not stand in its way.
            client.put("media", "text", "one").await;
            let data = json!({"bucket": "media", "file": "text"});
            client.start("next", ("WordCount", "1.0"), data).await;
            client.events_of("next").await;
            let queue = world.ports.queues.queue_url("tester-in").await.unwrap();
            let receive =
                Receive { max_messages: 10, wait: Duration::ZERO, visibility_timeout: None };
            let left = world.ports.queues.receive(&queue, receive).await.unwrap();
            format!("{}left: {}\n", events_text(&events), left.len())
        },
        expect,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_nobody_knows() {
    let message = r#"{"time": 1, "type": "START_JOB", "jobId": "x",
        "data": {"workflow": {"name": "WordCuont", "version": "1.0"}}}"#;
    refused(message, expect![[r#"
        COMMAND_REJECTED [{"path":"data.workflow","message":"no plan WordCuont@1.0: tester may start WordCount@1.0"}]
        left: 0
    "#]]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_json() {
    refused("{\"time\": 1,", expect![[r#"
        COMMAND_REJECTED [{"path":"","message":"not valid JSON: EOF while parsing a value at line 1 column 11"}]
        left: 0
    "#]]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fields_that_are_missing() {
    refused(r#"{"type": "START_JOB", "data": {"workflow": {}}}"#, expect![[r#"
        COMMAND_REJECTED [{"path":"time","message":"missing: seconds since 1970, as a number"},{"path":"jobId","message":"missing: expected a string"},{"path":"data.workflow.name","message":"missing: expected a string"},{"path":"data.workflow.version","message":"missing: expected a string"}]
        left: 0
    "#]]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_nobody_knows() {
    let message = r#"{"time": 1, "type": "DANCE", "jobId": "x",
        "data": {"workflow": {"name": "WordCount", "version": "1.0"}}}"#;
    refused(
        message,
        expect![[r#"
        COMMAND_REJECTED [{"path":"type","message":"unknown command `DANCE`: expected START_JOB, CANCEL_JOB, CANCEL_ACTIVITY, GET_JOB_LIST, GET_ACTIVITY_LIST, GET_JOB_STATUS, GET_ACTIVITY_STATUS, SIGNAL_JOB"}]
        left: 0
    "#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn input_that_the_plan_refuses() {
    let message = r#"{"time": 1, "type": "START_JOB", "jobId": "x",
        "data": {"workflow": {"name": "WordCount", "version": "1.0"}, "bucket": 7}}"#;
    refused(message, expect![[r#"
        COMMAND_REJECTED [{"path":"data","message":"\"file\" is a required property"},{"path":"data","message":"/bucket: 7 is not of type \"string\""}]
        left: 0
    "#]]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_in_another_clients_name() {
    let message = r#"{"time": 1, "type": "START_JOB", "jobId": "x",
        "data": {"workflow": {"name": "WordCount", "version": "1.0"},
                 "client": {"name": "somebody-else"}, "bucket": "media", "file": "text"}}"#;
    refused(message, expect![[r#"
        COMMAND_REJECTED [{"path":"data.client.name","message":"commands on this queue are those of tester, and the message says `somebody-else`"}]
        left: 0
    "#]]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_job_twice_runs_once() {
    check(
        options,
        async |_, client| {
            client.put("media", "text", "one").await;
            let data = json!({"bucket": "media", "file": "text"});
            client.start("twin", ("WordCount", "1.0"), data.clone()).await;
            client.start("twin", ("WordCount", "1.0"), data).await;
            let events = client.events_of("twin").await;
            let started = events.iter().filter(|event| event["type"] == "JOB_STARTED").count();
            format!("started {started}\n")
        },
        expect![[r#"
            started 1
        "#]],
    )
    .await;
}
