//! Requests and answers that read: describe, list, count, history.

use serde::{Deserialize, Serialize};

use crate::{event::HistoryEvent, types::*};

/// The request of `CountClosedWorkflowExecutions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CountClosedWorkflowExecutionsRequest {
    pub domain: DomainName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time_filter: Option<ExecutionTimeFilter>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close_time_filter: Option<ExecutionTimeFilter>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_filter: Option<WorkflowExecutionFilter>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub type_filter: Option<WorkflowTypeFilter>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag_filter: Option<TagFilter>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close_status_filter: Option<CloseStatusFilter>,
}

/// The shape `ExecutionTimeFilter` of the service model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionTimeFilter {
    pub oldest_date: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_date: Option<Timestamp>,
}

/// The shape `WorkflowExecutionFilter` of the service model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowExecutionFilter {
    pub workflow_id: WorkflowId,
}

/// The shape `WorkflowTypeFilter` of the service model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowTypeFilter {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// The shape `TagFilter` of the service model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TagFilter {
    pub tag: String,
}

/// The shape `CloseStatusFilter` of the service model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CloseStatusFilter {
    pub status: CloseStatus,
}

/// The shape `WorkflowExecutionCount` of the service model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowExecutionCount {
    pub count: u32,
    #[serde(default)]
    pub truncated: bool,
}

/// The request of `CountOpenWorkflowExecutions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CountOpenWorkflowExecutionsRequest {
    pub domain: DomainName,
    pub start_time_filter: ExecutionTimeFilter,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub type_filter: Option<WorkflowTypeFilter>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag_filter: Option<TagFilter>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_filter: Option<WorkflowExecutionFilter>,
}

/// The request of `CountPendingActivityTasks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CountPendingActivityTasksRequest {
    pub domain: DomainName,
    pub task_list: TaskList,
}

/// The shape `PendingTaskCount` of the service model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingTaskCount {
    pub count: u32,
    #[serde(default)]
    pub truncated: bool,
}

/// The request of `CountPendingDecisionTasks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CountPendingDecisionTasksRequest {
    pub domain: DomainName,
    pub task_list: TaskList,
}

/// The request of `DescribeWorkflowExecution`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribeWorkflowExecutionRequest {
    pub domain: DomainName,
    pub execution: WorkflowExecution,
}

/// The shape `WorkflowExecutionDetail` of the service model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowExecutionDetail {
    pub execution_info: WorkflowExecutionInfo,
    pub execution_configuration: WorkflowExecutionConfiguration,
    pub open_counts: WorkflowExecutionOpenCounts,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_activity_task_timestamp: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_execution_context: Option<String>,
}

/// The shape `WorkflowExecutionInfo` of the service model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowExecutionInfo {
    pub execution: WorkflowExecution,
    pub workflow_type: WorkflowType,
    pub start_timestamp: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close_timestamp: Option<Timestamp>,
    pub execution_status: ExecutionStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close_status: Option<CloseStatus>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<WorkflowExecution>,
    #[serde(
        default,
        deserialize_with = "crate::types::without_nulls",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub tag_list: Vec<String>,
    #[serde(default)]
    pub cancel_requested: bool,
}

/// The shape `WorkflowExecutionConfiguration` of the service model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowExecutionConfiguration {
    pub task_start_to_close_timeout: Timeout,
    pub execution_start_to_close_timeout: Timeout,
    pub task_list: TaskList,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_priority: Option<String>,
    pub child_policy: ChildPolicy,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lambda_role: Option<String>,
}

/// The shape `WorkflowExecutionOpenCounts` of the service model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowExecutionOpenCounts {
    pub open_activity_tasks: u32,
    pub open_decision_tasks: u32,
    pub open_timers: u32,
    pub open_child_workflow_executions: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_lambda_functions: Option<u32>,
}

/// The request of `GetWorkflowExecutionHistory`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetWorkflowExecutionHistoryRequest {
    pub domain: DomainName,
    pub execution: WorkflowExecution,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_page_size: Option<u32>,
    #[serde(default)]
    pub reverse_order: bool,
}

/// The shape `History` of the service model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct History {
    pub events: Vec<HistoryEvent>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}

/// The request of `ListClosedWorkflowExecutions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListClosedWorkflowExecutionsRequest {
    pub domain: DomainName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time_filter: Option<ExecutionTimeFilter>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close_time_filter: Option<ExecutionTimeFilter>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_filter: Option<WorkflowExecutionFilter>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close_status_filter: Option<CloseStatusFilter>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub type_filter: Option<WorkflowTypeFilter>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag_filter: Option<TagFilter>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_page_size: Option<u32>,
    #[serde(default)]
    pub reverse_order: bool,
}

/// The shape `WorkflowExecutionInfos` of the service model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowExecutionInfos {
    pub execution_infos: Vec<WorkflowExecutionInfo>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}

/// The request of `ListOpenWorkflowExecutions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListOpenWorkflowExecutionsRequest {
    pub domain: DomainName,
    pub start_time_filter: ExecutionTimeFilter,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub type_filter: Option<WorkflowTypeFilter>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag_filter: Option<TagFilter>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_page_size: Option<u32>,
    #[serde(default)]
    pub reverse_order: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_filter: Option<WorkflowExecutionFilter>,
}
