//! Decisions, made as the SDK has them made.

use aws_sdk_swf::types::{
    CancelTimerDecisionAttributes, CancelWorkflowExecutionDecisionAttributes,
    CompleteWorkflowExecutionDecisionAttributes, ContinueAsNewWorkflowExecutionDecisionAttributes,
    Decision, DecisionType, FailWorkflowExecutionDecisionAttributes,
    RecordMarkerDecisionAttributes, RequestCancelActivityTaskDecisionAttributes,
    RequestCancelExternalWorkflowExecutionDecisionAttributes,
    ScheduleActivityTaskDecisionAttributes, ScheduleLambdaFunctionDecisionAttributes,
    SignalExternalWorkflowExecutionDecisionAttributes,
    StartChildWorkflowExecutionDecisionAttributes, StartTimerDecisionAttributes,
    builders::{
        ContinueAsNewWorkflowExecutionDecisionAttributesBuilder as Continue, DecisionBuilder,
        ScheduleActivityTaskDecisionAttributesBuilder as Schedule,
        StartChildWorkflowExecutionDecisionAttributesBuilder as Child,
    },
};

use super::desk::{activity_type, workflow_type};

fn decision(kind: DecisionType, with: impl FnOnce(DecisionBuilder) -> DecisionBuilder) -> Decision {
    with(Decision::builder().decision_type(kind)).build().unwrap()
}

/// Schedules an activity task of `A@1`.
pub(crate) fn schedule(activity_id: &str) -> Decision {
    schedule_with(activity_id, |attributes| attributes)
}

pub(crate) fn schedule_with(
    activity_id: &str,
    with: impl FnOnce(Schedule) -> Schedule,
) -> Decision {
    let attributes = ScheduleActivityTaskDecisionAttributes::builder()
        .activity_id(activity_id)
        .activity_type(activity_type("A", "1"));
    let attributes = with(attributes).build().unwrap();
    decision(DecisionType::ScheduleActivityTask, |decision| {
        decision.schedule_activity_task_decision_attributes(attributes)
    })
}

pub(crate) fn request_cancel_activity(activity_id: &str) -> Decision {
    let attributes = RequestCancelActivityTaskDecisionAttributes::builder()
        .activity_id(activity_id)
        .build()
        .unwrap();
    decision(DecisionType::RequestCancelActivityTask, |decision| {
        decision.request_cancel_activity_task_decision_attributes(attributes)
    })
}

pub(crate) fn timer(timer_id: &str, seconds: u32) -> Decision {
    let attributes = StartTimerDecisionAttributes::builder()
        .timer_id(timer_id)
        .start_to_fire_timeout(seconds.to_string())
        .build()
        .unwrap();
    decision(DecisionType::StartTimer, |decision| {
        decision.start_timer_decision_attributes(attributes)
    })
}

pub(crate) fn cancel_timer(timer_id: &str) -> Decision {
    let attributes = CancelTimerDecisionAttributes::builder().timer_id(timer_id).build().unwrap();
    decision(DecisionType::CancelTimer, |decision| {
        decision.cancel_timer_decision_attributes(attributes)
    })
}

pub(crate) fn marker(name: &str, details: &str) -> Decision {
    let attributes = RecordMarkerDecisionAttributes::builder()
        .marker_name(name)
        .details(details)
        .build()
        .unwrap();
    decision(DecisionType::RecordMarker, |decision| {
        decision.record_marker_decision_attributes(attributes)
    })
}

pub(crate) fn complete(result: &str) -> Decision {
    let attributes = CompleteWorkflowExecutionDecisionAttributes::builder().result(result).build();
    decision(DecisionType::CompleteWorkflowExecution, |decision| {
        decision.complete_workflow_execution_decision_attributes(attributes)
    })
}

pub(crate) fn fail(reason: &str, details: &str) -> Decision {
    let attributes =
        FailWorkflowExecutionDecisionAttributes::builder().reason(reason).details(details).build();
    decision(DecisionType::FailWorkflowExecution, |decision| {
        decision.fail_workflow_execution_decision_attributes(attributes)
    })
}

pub(crate) fn cancel(details: &str) -> Decision {
    let attributes = CancelWorkflowExecutionDecisionAttributes::builder().details(details).build();
    decision(DecisionType::CancelWorkflowExecution, |decision| {
        decision.cancel_workflow_execution_decision_attributes(attributes)
    })
}

pub(crate) fn continue_as_new(with: impl FnOnce(Continue) -> Continue) -> Decision {
    let attributes = with(ContinueAsNewWorkflowExecutionDecisionAttributes::builder()).build();
    decision(DecisionType::ContinueAsNewWorkflowExecution, |decision| {
        decision.continue_as_new_workflow_execution_decision_attributes(attributes)
    })
}

pub(crate) fn signal_external(workflow_id: &str, run_id: Option<&str>, input: &str) -> Decision {
    let attributes = SignalExternalWorkflowExecutionDecisionAttributes::builder()
        .workflow_id(workflow_id)
        .set_run_id(run_id.map(str::to_owned))
        .signal_name("hello")
        .input(input)
        .control("mine")
        .build()
        .unwrap();
    decision(DecisionType::SignalExternalWorkflowExecution, |decision| {
        decision.signal_external_workflow_execution_decision_attributes(attributes)
    })
}

pub(crate) fn request_cancel_external(workflow_id: &str) -> Decision {
    let attributes = RequestCancelExternalWorkflowExecutionDecisionAttributes::builder()
        .workflow_id(workflow_id)
        .control("mine")
        .build()
        .unwrap();
    decision(DecisionType::RequestCancelExternalWorkflowExecution, |decision| {
        decision.request_cancel_external_workflow_execution_decision_attributes(attributes)
    })
}

/// Starts a child of `W@1`.
pub(crate) fn child(workflow_id: &str, with: impl FnOnce(Child) -> Child) -> Decision {
    let attributes = StartChildWorkflowExecutionDecisionAttributes::builder()
        .workflow_id(workflow_id)
        .workflow_type(workflow_type("W", "1"));
    let attributes = with(attributes).build().unwrap();
    decision(DecisionType::StartChildWorkflowExecution, |decision| {
        decision.start_child_workflow_execution_decision_attributes(attributes)
    })
}

pub(crate) fn lambda(id: &str, name: &str) -> Decision {
    let attributes =
        ScheduleLambdaFunctionDecisionAttributes::builder().id(id).name(name).build().unwrap();
    decision(DecisionType::ScheduleLambdaFunction, |decision| {
        decision.schedule_lambda_function_decision_attributes(attributes)
    })
}
