//! An execution that is asked to cancel: its guest hears it at the next beat, or is stopped.

use cpe_swf::{DomainName, WorkflowId, api::RequestCancelWorkflowExecutionRequest};
use cpe_tests::{Client, Options, Wire, World, events_text};
use expect_test::{Expect, expect};
use serde_json::json;

use crate::check;

const PLAN: &str = r#"
name: Long
version: "1"
activities:
- {name: Long, version: v1, module: misbehave@1, heartbeat_timeout: 3, start_to_close_timeout: 60}
steps:
- name: Wait
  activity: Long
  input: |
    {"do": {{ __input__.what }}}
"#;

fn options(wire: Wire) -> Options {
    Options::new(wire).plan(PLAN).module("misbehave")
}

async fn cancel(world: &World, client: &Client, what: &str) -> String {
    client.start("c", ("Long", "1"), json!({"what": what})).await;
    client.events_until(|event| event["type"] == "ACTIVITY_STARTED").await;
    let request = RequestCancelWorkflowExecutionRequest {
        domain: DomainName::from(world.config.domain.as_str()),
        workflow_id: WorkflowId::from("tester.c"),
        run_id: None,
    };
    world.ports.workflows.request_cancel_workflow_execution(request).await.unwrap();
    events_text(&client.events_of("c").await)
}

async fn canceled(what: &str, expect: Expect) {
    check(options, async |world, client| cancel(world, client, what).await, expect).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_listens_ends_by_itself() {
    canceled(
        "beat-forever",
        expect![[r#"
        ACTIVITY_CANCELED Wait {"reason":"CANCELED","details":"canceled on request"}
        JOB_CANCELED {"reason":"CANCELED","details":"the execution was asked to cancel"}
    "#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_does_not_listen_is_stopped() {
    canceled("ignore-cancel", expect![[r#"
        ACTIVITY_CANCELED Wait {"reason":"CANCELED","details":"stopped 10s after it was asked to cancel"}
        JOB_CANCELED {"reason":"CANCELED","details":"the execution was asked to cancel"}
    "#]]).await;
}
