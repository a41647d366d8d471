//! Decisions that cannot be carried out: an event with the documented cause for each.

use std::collections::BTreeSet;

use aws_sdk_swf::types::{Decision, HistoryEvent, WorkflowExecution};
use expect_test::expect;

use super::{
    Desk,
    desk::{DOMAIN, activity_type, task_list, workflow_type},
    making::*,
    story::fields,
};
use crate::world::{World, anybody};

/// The cause that an event names, with the event's type.
fn cause(event: &HistoryEvent) -> Option<String> {
    let fields = fields(event);
    let (_, cause) = fields.iter().find(|(path, _)| path.ends_with("attributes.cause"))?;
    Some(format!("{:?} {cause}\n", event.event_type))
}

/// The causes that the events of a run name from event `from` on.
async fn causes(desk: &Desk, run: &WorkflowExecution, from: usize) -> String {
    desk.history(run).await[from - 1..].iter().filter_map(cause).collect()
}

/// Each cause once, of a history of many pages.
async fn kinds_of_causes(desk: &Desk, run: WorkflowExecution) -> BTreeSet<String> {
    let history = desk.swf().get_workflow_execution_history().domain(DOMAIN).execution(run);
    let mut events = history.into_paginator().items().send();
    let mut causes = BTreeSet::new();
    while let Some(event) = events.next().await {
        causes.extend(cause(&event.unwrap()));
    }
    causes
}

/// Lets a new execution decide that, and tells the causes.
async fn told(desk: &Desk, decisions: impl IntoIterator<Item = Decision>) -> String {
    let run = desk.start("w").await;
    desk.decide(decisions).await;
    // What cannot be done is told in a new decision task.
    let told = causes(desk, &run, 5).await;
    desk.decide([complete("")]).await;
    told
}

/// Registers types without any default, `Bare@1`, and deprecated ones, `Old@1`.
async fn with_bare_and_old_types(desk: &Desk) {
    for name in ["Bare", "Old"] {
        let swf = desk.swf();
        let kind = swf.register_activity_type().domain(DOMAIN).name(name).version("1");
        kind.send().await.unwrap();
        let kind = swf.register_workflow_type().domain(DOMAIN).name(name).version("1");
        kind.send().await.unwrap();
    }
    let old = desk.swf().deprecate_activity_type().domain(DOMAIN);
    old.activity_type(activity_type("Old", "1")).send().await.unwrap();
    let old = desk.swf().deprecate_workflow_type().domain(DOMAIN);
    old.workflow_type(workflow_type("Old", "1")).send().await.unwrap();
}

#[tokio::test]
pub(crate) async fn activity_tasks() {
    let desk = Desk::open().await;
    with_bare_and_old_types(&desk).await;
    let of =
        |id: &str, name: &str| schedule_with(id, |a| a.activity_type(activity_type(name, "1")));
    let bare = |defined: u32| {
        schedule_with("b", |a| {
            let a = a.activity_type(activity_type("Bare", "1"));
            let a = if defined > 0 { a.task_list(task_list("al")) } else { a };
            let a = if defined > 1 { a.schedule_to_start_timeout("9") } else { a };
            let a = if defined > 2 { a.schedule_to_close_timeout("9") } else { a };
            if defined > 3 { a.start_to_close_timeout("9") } else { a }
        })
    };
    let decisions = [schedule("a"), schedule("a"), of("x", "None"), of("y", "Old")];
    let decisions = decisions.into_iter().chain((0..5).map(bare));
    let decisions = decisions.chain([request_cancel_activity("z")]);
    expect![[r#"
        ScheduleActivityTaskFailed ActivityIdAlreadyInUse
        ScheduleActivityTaskFailed ActivityTypeDoesNotExist
        ScheduleActivityTaskFailed ActivityTypeDeprecated
        ScheduleActivityTaskFailed DefaultTaskListUndefined
        ScheduleActivityTaskFailed DefaultScheduleToStartTimeoutUndefined
        ScheduleActivityTaskFailed DefaultScheduleToCloseTimeoutUndefined
        ScheduleActivityTaskFailed DefaultStartToCloseTimeoutUndefined
        ScheduleActivityTaskFailed DefaultHeartbeatTimeoutUndefined
        RequestCancelActivityTaskFailed ActivityIdUnknown
    "#]]
    .assert_eq(&told(&desk, decisions).await);
}

#[tokio::test]
pub(crate) async fn timers() {
    let desk = Desk::open().await;
    let decisions = [timer("t", 9), timer("t", 9), cancel_timer("u")];
    expect![[r#"
        StartTimerFailed TimerIdAlreadyInUse
        CancelTimerFailed TimerIdUnknown
    "#]]
    .assert_eq(&told(&desk, decisions).await);
}

#[tokio::test]
pub(crate) async fn children() {
    let desk = Desk::open().await;
    with_bare_and_old_types(&desk).await;
    let of = |name: &str| child("x", |c| c.workflow_type(workflow_type(name, "1")));
    let bare = |defined: u32| {
        child("b", |c| {
            let c = c.workflow_type(workflow_type("Bare", "1"));
            let c = if defined > 0 { c.execution_start_to_close_timeout("9") } else { c };
            let c = if defined > 1 { c.task_list(task_list("l")) } else { c };
            if defined > 2 { c.task_start_to_close_timeout("9") } else { c }
        })
    };
    let decisions = [child("w", |c| c), of("None"), of("Old")];
    let decisions = decisions.into_iter().chain((0..4).map(bare));
    expect![[r#"
        StartChildWorkflowExecutionFailed WorkflowTypeDoesNotExist
        StartChildWorkflowExecutionFailed WorkflowTypeDeprecated
        StartChildWorkflowExecutionFailed DefaultExecutionStartToCloseTimeoutUndefined
        StartChildWorkflowExecutionFailed DefaultTaskListUndefined
        StartChildWorkflowExecutionFailed DefaultTaskStartToCloseTimeoutUndefined
        StartChildWorkflowExecutionFailed DefaultChildPolicyUndefined
        StartChildWorkflowExecutionFailed WorkflowAlreadyRunning
    "#]]
    .assert_eq(&told(&desk, decisions).await);
}

#[tokio::test]
pub(crate) async fn other_executions_and_lambda() {
    let desk = Desk::open().await;
    let decisions = [
        signal_external("nobody", None, ""),
        request_cancel_external("nobody"),
        lambda("l", "function"),
    ];
    expect![[r#"
        ScheduleLambdaFunctionFailed LambdaServiceNotAvailableInRegion
        SignalExternalWorkflowExecutionFailed UnknownExternalWorkflowExecution
        RequestCancelExternalWorkflowExecutionFailed UnknownExternalWorkflowExecution
    "#]]
    .assert_eq(&told(&desk, decisions).await);
}

#[tokio::test]
pub(crate) async fn closing_while_something_is_unseen() {
    let desk = Desk::open().await;
    let run = desk.start("w").await;
    let endings =
        [complete(""), fail("", ""), cancel(""), continue_as_new(|with| with.input("again"))];
    for ending in endings {
        let polled = desk.decision_task().await;
        desk.signal("w", "unseen").await;
        desk.answer(&polled, [ending]).await;
    }
    expect![[r#"
        CompleteWorkflowExecutionFailed UnhandledDecision
        FailWorkflowExecutionFailed UnhandledDecision
        CancelWorkflowExecutionFailed UnhandledDecision
        ContinueAsNewWorkflowExecutionFailed UnhandledDecision
    "#]]
    .assert_eq(&causes(&desk, &run, 1).await);
    desk.decide([complete("seen")]).await;
}

#[tokio::test]
pub(crate) async fn continuing_as_new() {
    let desk = Desk::open().await;
    with_bare_and_old_types(&desk).await;
    let start = desk.swf().start_workflow_execution().domain(DOMAIN).workflow_id("bare");
    let start = start.workflow_type(workflow_type("Bare", "1")).task_list(task_list("dl"));
    let start = start.execution_start_to_close_timeout("999").task_start_to_close_timeout("99");
    let start = start.child_policy(aws_sdk_swf::types::ChildPolicy::Abandon);
    let run_id = start.send().await.unwrap().run_id.unwrap();
    let run = super::desk::execution("bare", &run_id);
    desk.decide([continue_as_new(|with| with.workflow_type_version("9"))]).await;
    desk.decide([continue_as_new(|with| with)]).await;
    desk.decide([continue_as_new(|with| with.execution_start_to_close_timeout("9"))]).await;
    let more = |with: aws_sdk_swf::types::builders::ContinueAsNewWorkflowExecutionDecisionAttributesBuilder| {
        with.execution_start_to_close_timeout("9").task_list(task_list("dl"))
    };
    desk.decide([continue_as_new(more)]).await;
    desk.decide([continue_as_new(|with| more(with).task_start_to_close_timeout("9"))]).await;
    let old = desk.swf().deprecate_workflow_type().domain(DOMAIN);
    old.workflow_type(workflow_type("Bare", "1")).send().await.unwrap();
    desk.decide([continue_as_new(|with| with)]).await;
    expect![[r#"
        ContinueAsNewWorkflowExecutionFailed WorkflowTypeDoesNotExist
        ContinueAsNewWorkflowExecutionFailed DefaultExecutionStartToCloseTimeoutUndefined
        ContinueAsNewWorkflowExecutionFailed DefaultTaskListUndefined
        ContinueAsNewWorkflowExecutionFailed DefaultTaskStartToCloseTimeoutUndefined
        ContinueAsNewWorkflowExecutionFailed DefaultChildPolicyUndefined
        ContinueAsNewWorkflowExecutionFailed WorkflowTypeDeprecated
    "#]]
    .assert_eq(&causes(&desk, &run, 1).await);
}

/// A thousand of each may be open.
#[tokio::test]
pub(crate) async fn too_many_of_them() {
    let desk = Desk::open().await;
    let run = desk.start("w").await;
    let ids = || (0..=1_000).map(|n| n.to_string());
    desk.decide(ids().map(|id| schedule(&id))).await;
    desk.decide(ids().map(|id| timer(&id, 9))).await;
    desk.decide(ids().map(|id| child(&id, |c| c.task_list(task_list("elsewhere"))))).await;
    let causes = kinds_of_causes(&desk, run.clone()).await;
    expect![[r#"
        ScheduleActivityTaskFailed OpenActivitiesLimitExceeded
        StartChildWorkflowExecutionFailed OpenChildrenLimitExceeded
        StartTimerFailed OpenTimersLimitExceeded
    "#]]
    .assert_eq(&causes.into_iter().collect::<String>());
    let counts = desk.describe(&run).await.open_counts.unwrap();
    let open =
        (counts.open_activity_tasks, counts.open_timers, counts.open_child_workflow_executions);
    assert_eq!(open, (1_000, 1_000, 1_000));
}

/// With the quotas of an account, too much at once fails with a rate's cause.
#[tokio::test]
pub(crate) async fn too_fast() {
    let config = cpe_local::LocalConfig { throttle: true, ..World::config() };
    let desk = Desk::within(World::with(config, anybody()).await).await;
    let run = desk.start("w").await;
    // One answer holds less than the largest bucket, so each kind takes several.
    for batch in 0..3 {
        let ids = || (0..900).map(move |n| format!("{batch}-{n}"));
        let many: Vec<Vec<Decision>> = vec![
            ids().flat_map(|id| [timer(&id, 9), cancel_timer(&id)]).collect(),
            ids().flat_map(|id| [schedule(&id), request_cancel_activity(&id)]).collect(),
            ids().map(|_| signal_external("nobody", None, "")).collect(),
            ids().map(|_| request_cancel_external("nobody")).collect(),
            ids().map(|id| child(&id, |c| c.task_list(task_list("elsewhere")))).collect(),
        ];
        for decisions in many {
            desk.signal("w", "go on").await;
            desk.decide(decisions).await;
        }
    }
    let causes = kinds_of_causes(&desk, run).await;
    let rates = causes.into_iter().filter(|cause| cause.contains("Rate"));
    expect![[r#"
        RequestCancelExternalWorkflowExecutionFailed RequestCancelExternalWorkflowExecutionRateExceeded
        ScheduleActivityTaskFailed ActivityCreationRateExceeded
        SignalExternalWorkflowExecutionFailed SignalExternalWorkflowExecutionRateExceeded
        StartChildWorkflowExecutionFailed ChildCreationRateExceeded
        StartTimerFailed TimerCreationRateExceeded
    "#]].assert_eq(&rates.collect::<String>());
}
