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
