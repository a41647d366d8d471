//! How much there may be of everything: faults of the account's quotas, and of lengths.

use std::time::Duration;

use aws_sdk_swf::operation::{
    poll_for_activity_task::PollForActivityTaskError,
    poll_for_decision_task::PollForDecisionTaskError,
    register_activity_type::RegisterActivityTypeError, register_domain::RegisterDomainError,
    register_workflow_type::RegisterWorkflowTypeError,
    start_workflow_execution::StartWorkflowExecutionError,
};
use aws_sdk_swf::types::{
    CloseStatus, StartChildWorkflowExecutionFailedCause, WorkflowExecutionTerminatedCause,
};
use futures::StreamExt;

use serde_json::json;

use super::{
    Desk,
    desk::{DOMAIN, task_list, workflow_type},
    making::child,
};
use crate::world::{World, anybody};

/// A request of the engine's own port. What is measured here are faults, not the way to them.
fn straight<T: serde::de::DeserializeOwned>(request: serde_json::Value) -> T {
    serde_json::from_value(request).unwrap()
}

/// AWS gives an account 100 domains until it asks for more; this endpoint gives 10,000.
#[tokio::test]
pub(crate) async fn domains() {
    let desk = Desk::open().await;
    let workflows = desk.world.local.workflows();
    for number in 1..10_000 {
        let request = json!({
            "name": format!("d{number}"), "workflowExecutionRetentionPeriodInDays": "1",
        });
        workflows.register_domain(straight(request)).await.unwrap();
    }
    let one_more = desk.swf().register_domain().name("more");
    let one_more = one_more.workflow_execution_retention_period_in_days("1");
    refused!(one_more, RegisterDomainError::LimitExceededFault);
}

/// Ten thousand of each kind.
#[tokio::test]
pub(crate) async fn types() {
    let desk = Desk::open().await;
    let workflows = desk.world.local.workflows();
    for number in 1..10_000 {
        let request = json!({"domain": DOMAIN, "name": number.to_string(), "version": "1"});
        workflows.register_activity_type(straight(request)).await.unwrap();
    }
    let swf = desk.swf();
    let one_more = swf.register_activity_type().domain(DOMAIN).name("more").version("1");
    refused!(one_more, RegisterActivityTypeError::LimitExceededFault);
    for number in 1..10_000 {
        let request = json!({"domain": DOMAIN, "name": number.to_string(), "version": "1"});
        workflows.register_workflow_type(straight(request)).await.unwrap();
    }
    let one_more = swf.register_workflow_type().domain(DOMAIN).name("more").version("1");
    refused!(one_more, RegisterWorkflowTypeError::LimitExceededFault);
}

/// A hundred thousand open ones in a domain, children among them.
#[tokio::test]
pub(crate) async fn executions() {
    let desk = Desk::open().await;
    let parent = desk.start("parent").await;
    let workflows = desk.world.local.workflows();
    let start = |number: u32| {
        let request = json!({
            "domain": DOMAIN, "workflowId": number.to_string(), "taskList": {"name": "elsewhere"},
            "workflowType": {"name": "W", "version": "1"},
        });
        workflows.start_workflow_execution(straight(request))
    };
    let mut started = futures::stream::iter((1..100_000).map(start)).buffer_unordered(256);
    while let Some(started) = started.next().await {
        started.unwrap();
    }
    let one_more = desk.swf().start_workflow_execution().domain(DOMAIN).workflow_id("more");
    let one_more = one_more.workflow_type(workflow_type("W", "1"));
    refused!(one_more, StartWorkflowExecutionError::LimitExceededFault);
    desk.decide([child("more", |c| c)]).await;
    let events = desk.history(&parent).await;
    let failed = events[4].start_child_workflow_execution_failed_event_attributes.as_ref().unwrap();
    assert_eq!(failed.cause, StartChildWorkflowExecutionFailedCause::OpenWorkflowsLimitExceeded);
}

/// 25,000 in a history, the last of which says so.
#[tokio::test]
pub(crate) async fn events() {
    let desk = Desk::open().await;
    let run = desk.start("w").await;
    let workflows = desk.world.local.workflows();
    let signal = |_| {
        let request = json!({"domain": DOMAIN, "workflowId": "w", "signalName": "s"});
        workflows.signal_workflow_execution(straight(request))
    };
    let mut signaled = futures::stream::iter((2..25_000).map(signal)).buffer_unordered(256);
    while let Some(signaled) = signaled.next().await {
        signaled.unwrap();
    }
    let last = desk.swf().get_workflow_execution_history().domain(DOMAIN).execution(run.clone());
    let last = last.reverse_order(true).maximum_page_size(1).send().await.unwrap().events;
    let told = last[0].workflow_execution_terminated_event_attributes.as_ref().unwrap();
    assert_eq!(last[0].event_id, 25_000);
    assert_eq!(told.cause, Some(WorkflowExecutionTerminatedCause::EventLimitExceeded));
    let info = desk.describe(&run).await.execution_info.unwrap();
    assert_eq!(info.close_status, Some(CloseStatus::Terminated));
}

/// A thousand of one list.
#[tokio::test]
pub(crate) async fn pollers() {
    let config = cpe_local::LocalConfig { poll_wait: Duration::from_secs(60), ..World::config() };
    let desk = Desk::within(World::with(config, anybody()).await).await;
    let mut polls = tokio::task::JoinSet::new();
    for list in ["dl", "al"] {
        for _ in 0..1_000 {
            let workflows = desk.world.local.workflows();
            let poll = json!({"domain": DOMAIN, "taskList": {"name": list}});
            polls.spawn(async move {
                if list == "dl" {
                    workflows.poll_for_decision_task(straight(poll)).await.unwrap();
                } else {
                    workflows.poll_for_activity_task(straight(poll)).await.unwrap();
                }
            });
        }
    }
    // Polls are calls of the same engine: those before were taken first.
    for _ in 0..2 {
        tokio::task::yield_now().await;
    }
    let poll = desk.swf().poll_for_decision_task().domain(DOMAIN).task_list(task_list("dl"));
    refused!(poll, PollForDecisionTaskError::LimitExceededFault);
    let poll = desk.swf().poll_for_activity_task().domain(DOMAIN).task_list(task_list("al"));
    refused!(poll, PollForActivityTaskError::LimitExceededFault);
    polls.abort_all();
}

#[tokio::test]
pub(crate) async fn calls_in_a_second_where_an_accounts_quotas_hold() {
    let config = cpe_local::LocalConfig { throttle: true, ..World::config() };
    let World { swf, .. } = World::with(config, anybody()).await;
    for _ in 0..50 {
        assert_eq!(
            code_of!(swf.list_tags_for_resource().resource_arn("x")),
            "UnknownResourceFault"
        );
    }
    assert_eq!(code_of!(swf.list_tags_for_resource().resource_arn("x")), "ThrottlingException");
}

#[tokio::test]
pub(crate) async fn characters() {
    let desk = Desk::open().await;
    let start = || {
        let start = desk.swf().start_workflow_execution().domain(DOMAIN);
        start.workflow_type(workflow_type("W", "1"))
    };
    for bad in [
        start().workflow_id(""),
        start().workflow_id("a:b"),
        start().workflow_id("w".repeat(257)),
        start().workflow_id("w").input("x".repeat(32_769)),
        start().workflow_id("w").execution_start_to_close_timeout("NONE"),
        start().workflow_id("w").task_priority("2147483648"),
        start().workflow_id("w").set_tag_list(Some(vec!["t".to_owned(); 6])),
    ] {
        assert_eq!(code_of!(bad), "ValidationException");
    }
    for list in [" l", "l\n", "a:b", "arn", ""] {
        let poll = desk.swf().poll_for_decision_task().domain(DOMAIN).task_list(task_list(list));
        assert_eq!(code_of!(poll), "ValidationException", "{list:?}");
        let poll = desk.swf().poll_for_activity_task().domain(DOMAIN).task_list(task_list(list));
        assert_eq!(code_of!(poll), "ValidationException", "{list:?}");
    }
    let domain = desk.swf().register_domain().name("d ");
    let domain = domain.workflow_execution_retention_period_in_days("1");
    assert_eq!(code_of!(domain), "ValidationException");
    let longest = start().workflow_id("ü".repeat(256)).input("ü".repeat(32_768));
    longest.send().await.unwrap();
}
