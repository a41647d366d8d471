//! Why a decision could not be carried out: one enum for each `*Failed` event.

use serde::{Deserialize, Serialize};

/// The `cause` of the event `CancelTimerFailed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CancelTimerFailedCause {
    TimerIdUnknown,
    OperationNotPermitted,
}

/// The `cause` of the event `CancelWorkflowExecutionFailed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CancelWorkflowExecutionFailedCause {
    UnhandledDecision,
    OperationNotPermitted,
}

/// The `cause` of the event `CompleteWorkflowExecutionFailed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CompleteWorkflowExecutionFailedCause {
    UnhandledDecision,
    OperationNotPermitted,
}

/// The `cause` of the event `ContinueAsNewWorkflowExecutionFailed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ContinueAsNewWorkflowExecutionFailedCause {
    UnhandledDecision,
    WorkflowTypeDeprecated,
    WorkflowTypeDoesNotExist,
    DefaultExecutionStartToCloseTimeoutUndefined,
    DefaultTaskStartToCloseTimeoutUndefined,
    DefaultTaskListUndefined,
    DefaultChildPolicyUndefined,
    ContinueAsNewWorkflowExecutionRateExceeded,
    OperationNotPermitted,
}

/// The `cause` of the event `FailWorkflowExecutionFailed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FailWorkflowExecutionFailedCause {
    UnhandledDecision,
    OperationNotPermitted,
}

/// The `cause` of the event `RecordMarkerFailed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RecordMarkerFailedCause {
    OperationNotPermitted,
}

/// The `cause` of the event `RequestCancelActivityTaskFailed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RequestCancelActivityTaskFailedCause {
    ActivityIdUnknown,
    OperationNotPermitted,
}

/// The `cause` of the event `RequestCancelExternalWorkflowExecutionFailed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RequestCancelExternalWorkflowExecutionFailedCause {
    UnknownExternalWorkflowExecution,
    RequestCancelExternalWorkflowExecutionRateExceeded,
    OperationNotPermitted,
}

/// The `cause` of the event `ScheduleActivityTaskFailed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ScheduleActivityTaskFailedCause {
    ActivityTypeDeprecated,
    ActivityTypeDoesNotExist,
    ActivityIdAlreadyInUse,
    OpenActivitiesLimitExceeded,
    ActivityCreationRateExceeded,
    DefaultScheduleToCloseTimeoutUndefined,
    DefaultTaskListUndefined,
    DefaultScheduleToStartTimeoutUndefined,
    DefaultStartToCloseTimeoutUndefined,
    DefaultHeartbeatTimeoutUndefined,
    OperationNotPermitted,
}

/// The `cause` of the event `ScheduleLambdaFunctionFailed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ScheduleLambdaFunctionFailedCause {
    IdAlreadyInUse,
    OpenLambdaFunctionsLimitExceeded,
    LambdaFunctionCreationRateExceeded,
    LambdaServiceNotAvailableInRegion,
}

/// The `cause` of the event `SignalExternalWorkflowExecutionFailed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SignalExternalWorkflowExecutionFailedCause {
    UnknownExternalWorkflowExecution,
    SignalExternalWorkflowExecutionRateExceeded,
    OperationNotPermitted,
}

/// The `cause` of the event `StartChildWorkflowExecutionFailed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StartChildWorkflowExecutionFailedCause {
    WorkflowTypeDoesNotExist,
    WorkflowTypeDeprecated,
    OpenChildrenLimitExceeded,
    OpenWorkflowsLimitExceeded,
    ChildCreationRateExceeded,
    WorkflowAlreadyRunning,
    DefaultExecutionStartToCloseTimeoutUndefined,
    DefaultTaskListUndefined,
    DefaultTaskStartToCloseTimeoutUndefined,
    DefaultChildPolicyUndefined,
    OperationNotPermitted,
}

/// The `cause` of the event `StartLambdaFunctionFailed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StartLambdaFunctionFailedCause {
    AssumeRoleFailed,
}

/// The `cause` of the event `StartTimerFailed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StartTimerFailedCause {
    TimerIdAlreadyInUse,
    OpenTimersLimitExceeded,
    TimerCreationRateExceeded,
    OperationNotPermitted,
}

/// The `cause` of the event `WorkflowExecutionCancelRequested`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WorkflowExecutionCancelRequestedCause {
    ChildPolicyApplied,
}

/// The `cause` of the event `WorkflowExecutionTerminated`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WorkflowExecutionTerminatedCause {
    ChildPolicyApplied,
    EventLimitExceeded,
    OperatorInitiated,
}
