//! The plans of `plans/`, and plans in the format of 2015.

use cpe_tests::{Options, Wire, events_text, plan_file};
use expect_test::expect;
use serde_json::json;

use crate::check;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn word_count_counts() {
    check(
        |wire| Options::new(wire).plan(plan_file("word-count.yaml")).module("word-count"),
        async |_, client| {
            client.put("media", "text", "to be or not\nto be").await;
            let data = json!({"bucket": "media", "file": "text"});
            client.start("w", ("WordCount", "1.0"), data).await;
            events_text(&client.events_of("w").await)
        },
        expect![[r#"
            WORKFLOW_SCHEDULED
            JOB_STARTED
            ACTIVITY_SCHEDULED Count
            ACTIVITY_STARTED Count
            ACTIVITY_COMPLETED Count {"words":6,"lines":2,"bytes":18}
            JOB_COMPLETED {"Count":{"words":6}}
        "#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_program_is_an_activity() {
    check(
        |wire| Options::new(wire).plan(plan_file("line-count.yaml")).module("line-count"),
        async |_, client| {
            let data = json!({"text": "to be or not\nto be"});
            client.start("l", ("LineCount", "1.0"), data).await;
            let counted = events_text(&client.events_of("l").await);
            client.start("n", ("LineCount", "1.0"), json!({"text": null})).await;
            counted + &events_text(&client.events_of("n").await)
        },
        expect![[r#"
            WORKFLOW_SCHEDULED
            JOB_STARTED
            ACTIVITY_SCHEDULED Count
            ACTIVITY_STARTED Count
            ACTIVITY_COMPLETED Count {"unit":"words","count":6}
            JOB_COMPLETED 6
            WORKFLOW_SCHEDULED
            JOB_STARTED
            ACTIVITY_SCHEDULED Count
            ACTIVITY_STARTED Count
            ACTIVITY_FAILED Count {"reason":"exit.1","details":"it exited with 1\nline-count: there is no text"}
            JOB_FAILED {"reason":"exit.1","details":{"step":"Count","reason":"exit.1","details":"it exited with 1\nline-count: there is no text"}}
        "#]],
    )
    .await;
}

fn fall_back(wire: Wire) -> Options {
    Options::new(wire).plan(plan_file("on-failure.yaml")).module("word-count")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_requires_a_failure_runs_when_there_is_one() {
    check(
        fall_back,
        async |_, client| {
            client.put("media", "spare", "one two three").await;
            let data = json!({"bucket": "media", "file": "missing", "fallback": "spare"});
            client.start("f", ("CountOrFallBack", "1.0"), data).await;
            events_text(&client.events_of("f").await)
        },
        expect![[r#"
            WORKFLOW_SCHEDULED
            JOB_STARTED
            ACTIVITY_SCHEDULED Count
            ACTIVITY_STARTED Count
            ACTIVITY_FAILED Count {"reason":"s3.no-such-key","details":"bucket `media` has no object `missing`"}
            ACTIVITY_SCHEDULED CountFallback
            ACTIVITY_STARTED CountFallback
            ACTIVITY_COMPLETED CountFallback {"words":3,"lines":1,"bytes":13}
            JOB_COMPLETED {"CountFallback":{"words":3}}
        "#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_requires_a_failure_is_skipped_when_there_is_none() {
    check(
        fall_back,
        async |_, client| {
            client.put("media", "text", "one two").await;
            let data = json!({"bucket": "media", "file": "text", "fallback": "spare"});
            client.start("f", ("CountOrFallBack", "1.0"), data).await;
            events_text(&client.events_of("f").await)
        },
        expect![[r#"
            WORKFLOW_SCHEDULED
            JOB_STARTED
            ACTIVITY_SCHEDULED Count
            ACTIVITY_STARTED Count
            ACTIVITY_COMPLETED Count {"words":2,"lines":1,"bytes":7}
            JOB_COMPLETED {"Summary":{"words":2,"file":"text"}}
        "#]],
    )
    .await;
}

/// As its author would have written it in 2015: no limits, no grants, both default timeouts, a
/// task list of its own, `~` where nothing is asked.
const PLAN_OF_2015: &str = r#"
name: Diamond
version: 1.0
default_execution_start_to_close_timeout: 3600
default_task_start_to_close_timeout: 60
input_spec: ~
activities:
- name: Echo
  version: v1
  module: misbehave@1
  task_list: echoes
  heartbeat_timeout: 60
  schedule_to_close_timeout: 600
  schedule_to_start_timeout: 300
  start_to_close_timeout: 300
  input_spec: ~
  outputs_spec:
    value: $
    nothing: $.not.there
steps:
- name: Top
  activity: Echo
  input: |
    {"do": "echo", "value": {{ __input__.start }}}
- name: Left
  activity: Echo
  requires: [Top]
  input: |
    {"do": "echo", "value": {{ Top.value + 1 }}}
- name: Right
  activity: Echo
  requires: [[Top, succeeded]]
  input: |
    {"do": "echo", "value": {{ Top.value + 2 }}}
- name: Bottom
  activity: Echo
  requires:
  - [Left, completed]
  - Right
  input: |
    {"do": "echo", "value": [{{ Left.value }}, {{ Right.value }}, {{ Left.nothing }}]}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_diamond_of_2015_comes_together() {
    check(
        |wire| Options::new(wire).plan(PLAN_OF_2015).module("misbehave"),
        async |_, client| {
            client.start("d", ("Diamond", "1.0"), json!({"start": 1})).await;
            let events = client.events_of("d").await;
            events.last().unwrap()["data"]["result"].to_string()
        },
        expect![[r#"{"Bottom":{"value":[2,3,null],"nothing":null}}"#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_are_of_their_parents_job() {
    check(
        |wire| {
            let options = Options::new(wire).plan(plan_file("child.yaml"));
            options.plan(plan_file("word-count.yaml")).module("word-count")
        },
        async |_, client| {
            client.put("media", "a", "one two").await;
            client.put("media", "b", "three").await;
            let data = json!({"bucket": "media", "files": ["a", "b"]});
            client.start("c", ("Child", "1.0"), data).await;
            let events = client.events_of("c").await;
            let of_children = events.iter().filter(|event| event["type"] == "ACTIVITY_COMPLETED");
            format!("{}\n{}", of_children.count(), events_text(&events[events.len() - 1..]))
        },
        expect![[r#"
            2
            JOB_COMPLETED {"words":3}
        "#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fan_out_keeps_its_order() {
    check(
        |wire| Options::new(wire).plan(plan_file("fan-out.yaml")).module("word-count"),
        async |_, client| {
            for (name, text) in [("a", "x"), ("b", "x y"), ("c", "x y z")] {
                client.put("media", name, text).await;
            }
            let data = json!({"bucket": "media", "files": ["c", "a", "b"]});
            client.start("f", ("FanOut", "1.0"), data).await;
            let events = client.events_of("f").await;
            events_text(&events[events.len() - 1..])
        },
        expect![[r#"
            JOB_COMPLETED {"Total":{"files":3,"words":6}}
        "#]],
    )
    .await;
}

const TRIES: &str = r#"
name: Tries
version: "1"
activities:
- name: Work
  version: v1
  module: misbehave@1
  heartbeat_timeout: 30
  start_to_close_timeout: 60
  retry: {max_attempts: 3, backoff: 1s, factor: 1}
steps:
- name: Fails
  activity: Work
  input: '{"do": "fail", "reason": "a.b", "details": "no", "retryable": true}'
on_failure:
- {name: Undo, eval: '{"undone": {{ __failure__.step }}}'}
finally:
- {name: Clean, eval: '{"clean": true}'}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempts_follow_each_other_and_then_comes_compensation() {
    check(
        |wire| Options::new(wire).plan(TRIES).module("misbehave"),
        async |_, client| {
            client.start("t", ("Tries", "1"), json!({})).await;
            events_text(&client.events_of("t").await)
        },
        expect![[r#"
            WORKFLOW_SCHEDULED
            JOB_STARTED
            ACTIVITY_SCHEDULED Fails
            ACTIVITY_STARTED Fails
            ACTIVITY_FAILED Fails {"reason":"a.b","details":"no"}
            ACTIVITY_SCHEDULED Fails#2
            ACTIVITY_STARTED Fails#2
            ACTIVITY_FAILED Fails#2 {"reason":"a.b","details":"no"}
            ACTIVITY_SCHEDULED Fails#3
            ACTIVITY_STARTED Fails#3
            ACTIVITY_FAILED Fails#3 {"reason":"a.b","details":"no"}
            JOB_FAILED {"reason":"a.b","details":{"step":"Fails","reason":"a.b","details":"no"}}
        "#]],
    )
    .await;
}
