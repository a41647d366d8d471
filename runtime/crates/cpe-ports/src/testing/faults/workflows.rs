//! SWF, with faults.

use std::sync::Arc;

use async_trait::async_trait;
use cpe_swf::{DomainName, TaskToken, api::*};

use super::Faults;
use crate::{Error, WorkflowService};

#[derive(Debug)]
pub(super) struct Faulty {
    pub(super) inner: Arc<dyn WorkflowService>,
    pub(super) faults: Faults,
}

macro_rules! faulty {
    ($($method:ident $operation:literal ($request:ty) -> $answer:ty;)*) => {
        #[async_trait]
        impl WorkflowService for Faulty {
            $(async fn $method(&self, request: $request) -> Result<$answer, Error> {
                self.faults.call($operation, self.inner.$method(request)).await
            })*

            async fn poll_for_decision_task(
                &self,
                request: PollForDecisionTaskRequest,
            ) -> Result<Option<DecisionTask>, Error> {
                let poll = self.inner.poll_for_decision_task(request);
                self.faults.poll("PollForDecisionTask", poll, Option::is_none).await
            }

            async fn poll_for_activity_task(
                &self,
                request: PollForActivityTaskRequest,
            ) -> Result<Option<ActivityTask>, Error> {
                let poll = self.inner.poll_for_activity_task(request);
                self.faults.poll("PollForActivityTask", poll, Option::is_none).await
            }

            async fn record_activity_task_heartbeat(
                &self,
                task_token: &TaskToken,
                details: Option<String>,
            ) -> Result<ActivityTaskStatus, Error> {
                let beat = self.inner.record_activity_task_heartbeat(task_token, details);
                self.faults.call("RecordActivityTaskHeartbeat", beat).await
            }

            async fn describe_domain(&self, domain: &DomainName) -> Result<(), Error> {
                self.faults.call("DescribeDomain", self.inner.describe_domain(domain)).await
            }
        }
    };
}

faulty! {
    register_domain "RegisterDomain" (RegisterDomainRequest) -> ();
    register_workflow_type "RegisterWorkflowType" (RegisterWorkflowTypeRequest) -> ();
    register_activity_type "RegisterActivityType" (RegisterActivityTypeRequest) -> ();
    start_workflow_execution "StartWorkflowExecution" (StartWorkflowExecutionRequest) -> Run;
    signal_workflow_execution "SignalWorkflowExecution" (SignalWorkflowExecutionRequest) -> ();
    request_cancel_workflow_execution "RequestCancelWorkflowExecution"
        (RequestCancelWorkflowExecutionRequest) -> ();
    terminate_workflow_execution "TerminateWorkflowExecution"
        (TerminateWorkflowExecutionRequest) -> ();
    respond_decision_task_completed "RespondDecisionTaskCompleted"
        (RespondDecisionTaskCompletedRequest) -> ();
    respond_activity_task_completed "RespondActivityTaskCompleted"
        (RespondActivityTaskCompletedRequest) -> ();
    respond_activity_task_failed "RespondActivityTaskFailed"
        (RespondActivityTaskFailedRequest) -> ();
    respond_activity_task_canceled "RespondActivityTaskCanceled"
        (RespondActivityTaskCanceledRequest) -> ();
    describe_workflow_execution "DescribeWorkflowExecution"
        (DescribeWorkflowExecutionRequest) -> WorkflowExecutionDetail;
    get_workflow_execution_history "GetWorkflowExecutionHistory"
        (GetWorkflowExecutionHistoryRequest) -> History;
    list_open_workflow_executions "ListOpenWorkflowExecutions"
        (ListOpenWorkflowExecutionsRequest) -> WorkflowExecutionInfos;
    list_closed_workflow_executions "ListClosedWorkflowExecutions"
        (ListClosedWorkflowExecutionsRequest) -> WorkflowExecutionInfos;
}
