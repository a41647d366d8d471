//! The workflow service: the operations of SWF that pollers and commands use.

use std::fmt;

use async_trait::async_trait;
use cpe_swf::{
    DomainName, TaskToken,
    api::{
        ActivityTask, ActivityTaskStatus, DecisionTask, DescribeWorkflowExecutionRequest,
        GetWorkflowExecutionHistoryRequest, History, ListClosedWorkflowExecutionsRequest,
        ListOpenWorkflowExecutionsRequest, PollForActivityTaskRequest, PollForDecisionTaskRequest,
        RegisterActivityTypeRequest, RegisterDomainRequest, RegisterWorkflowTypeRequest,
        RequestCancelWorkflowExecutionRequest, RespondActivityTaskCanceledRequest,
        RespondActivityTaskCompletedRequest, RespondActivityTaskFailedRequest,
        RespondDecisionTaskCompletedRequest, Run, SignalWorkflowExecutionRequest,
        StartWorkflowExecutionRequest, TerminateWorkflowExecutionRequest, WorkflowExecutionDetail,
        WorkflowExecutionInfos,
    },
};

use crate::Error;

/// SWF, one method for each operation in use, in SWF's own requests and answers.
///
/// Polls wait as long as the service holds them (SWF: 60 s) and answer `None` when nothing came.
/// Registering what is registered already is [`crate::ErrorKind::AlreadyExists`], as is starting
/// an execution whose workflow id is open.
#[async_trait]
pub trait WorkflowService: Send + Sync + fmt::Debug + 'static {
    async fn register_domain(&self, request: RegisterDomainRequest) -> Result<(), Error>;

    async fn register_workflow_type(
        &self,
        request: RegisterWorkflowTypeRequest,
    ) -> Result<(), Error>;

    async fn register_activity_type(
        &self,
        request: RegisterActivityTypeRequest,
    ) -> Result<(), Error>;

    async fn start_workflow_execution(
        &self,
        request: StartWorkflowExecutionRequest,
    ) -> Result<Run, Error>;

    async fn signal_workflow_execution(
        &self,
        request: SignalWorkflowExecutionRequest,
    ) -> Result<(), Error>;

    async fn request_cancel_workflow_execution(
        &self,
        request: RequestCancelWorkflowExecutionRequest,
    ) -> Result<(), Error>;

    async fn terminate_workflow_execution(
        &self,
        request: TerminateWorkflowExecutionRequest,
    ) -> Result<(), Error>;

    /// A request with `next_page_token` reads on in the history of a task already handed out.
    async fn poll_for_decision_task(
        &self,
        request: PollForDecisionTaskRequest,
    ) -> Result<Option<DecisionTask>, Error>;

    async fn respond_decision_task_completed(
        &self,
        request: RespondDecisionTaskCompletedRequest,
    ) -> Result<(), Error>;

    async fn poll_for_activity_task(
        &self,
        request: PollForActivityTaskRequest,
    ) -> Result<Option<ActivityTask>, Error>;

    async fn record_activity_task_heartbeat(
        &self,
        task_token: &TaskToken,
        details: Option<String>,
    ) -> Result<ActivityTaskStatus, Error>;

    async fn respond_activity_task_completed(
        &self,
        request: RespondActivityTaskCompletedRequest,
    ) -> Result<(), Error>;

    async fn respond_activity_task_failed(
        &self,
        request: RespondActivityTaskFailedRequest,
    ) -> Result<(), Error>;

    async fn respond_activity_task_canceled(
        &self,
        request: RespondActivityTaskCanceledRequest,
    ) -> Result<(), Error>;

    async fn describe_workflow_execution(
        &self,
        request: DescribeWorkflowExecutionRequest,
    ) -> Result<WorkflowExecutionDetail, Error>;

    async fn get_workflow_execution_history(
        &self,
        request: GetWorkflowExecutionHistoryRequest,
    ) -> Result<History, Error>;

    async fn list_open_workflow_executions(
        &self,
        request: ListOpenWorkflowExecutionsRequest,
    ) -> Result<WorkflowExecutionInfos, Error>;

    async fn list_closed_workflow_executions(
        &self,
        request: ListClosedWorkflowExecutionsRequest,
    ) -> Result<WorkflowExecutionInfos, Error>;

    /// Whether the domain exists; used to say early and clearly what is missing.
    async fn describe_domain(&self, domain: &DomainName) -> Result<(), Error>;
}
