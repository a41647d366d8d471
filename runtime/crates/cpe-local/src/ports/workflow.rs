//! SWF as the port [`WorkflowService`].

use async_trait::async_trait;
use cpe_ports::{Error, ErrorKind, WorkflowService};
use cpe_swf::{
    DomainName, Fault, FaultKind, TaskToken,
    api::{
        ActivityTask, ActivityTaskStatus, DecisionTask, DescribeDomainRequest,
        DescribeWorkflowExecutionRequest, GetWorkflowExecutionHistoryRequest, History,
        ListClosedWorkflowExecutionsRequest, ListOpenWorkflowExecutionsRequest,
        PollForActivityTaskRequest, PollForDecisionTaskRequest, RecordActivityTaskHeartbeatRequest,
        RegisterActivityTypeRequest, RegisterDomainRequest, RegisterWorkflowTypeRequest,
        RequestCancelWorkflowExecutionRequest, RespondActivityTaskCanceledRequest,
        RespondActivityTaskCompletedRequest, RespondActivityTaskFailedRequest,
        RespondDecisionTaskCompletedRequest, Run, SignalWorkflowExecutionRequest,
        StartWorkflowExecutionRequest, TerminateWorkflowExecutionRequest, WorkflowExecutionDetail,
        WorkflowExecutionInfos,
    },
};

use super::unavailable;
use crate::{
    engine::Engine,
    swf::{Call, Swf},
};

#[derive(Debug)]
pub(crate) struct LocalWorkflows {
    engine: Engine,
}

impl LocalWorkflows {
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine }
    }

    async fn command<T: Send + 'static>(
        &self,
        operation: &'static str,
        command: impl FnOnce(&mut Swf, &Call<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Error> {
        let done = self
            .engine
            .call(move |core| {
                core.swf(|swf, call| {
                    swf.admit(operation, call.now)?;
                    command(swf, call)
                })
            })
            .await;
        done.map_err(unavailable)?.map_err(refused)
    }
}

fn refused(fault: Fault) -> Error {
    let kind = match fault.kind {
        FaultKind::UnknownResourceFault => ErrorKind::NotFound,
        FaultKind::DomainAlreadyExistsFault
        | FaultKind::TypeAlreadyExistsFault
        | FaultKind::WorkflowExecutionAlreadyStartedFault => ErrorKind::AlreadyExists,
        FaultKind::ThrottlingException => ErrorKind::Throttled,
        FaultKind::InternalFailure => ErrorKind::Unavailable,
        _ => ErrorKind::Refused,
    };
    Error::new(kind, fault.message).with_code(fault.kind.name())
}

#[async_trait]
impl WorkflowService for LocalWorkflows {
    async fn register_domain(&self, request: RegisterDomainRequest) -> Result<(), Error> {
        self.command("RegisterDomain", move |swf, call| swf.register_domain(call, request)).await
    }

    async fn register_workflow_type(
        &self,
        request: RegisterWorkflowTypeRequest,
    ) -> Result<(), Error> {
        self.command("RegisterWorkflowType", move |swf, call| {
            swf.register_workflow_type(call, request)
        })
        .await
    }

    async fn register_activity_type(
        &self,
        request: RegisterActivityTypeRequest,
    ) -> Result<(), Error> {
        self.command("RegisterActivityType", move |swf, call| {
            swf.register_activity_type(call, request)
        })
        .await
    }

    async fn start_workflow_execution(
        &self,
        request: StartWorkflowExecutionRequest,
    ) -> Result<Run, Error> {
        self.command("StartWorkflowExecution", move |swf, call| {
            swf.start_workflow_execution(call, request)
        })
        .await
    }

    async fn signal_workflow_execution(
        &self,
        request: SignalWorkflowExecutionRequest,
    ) -> Result<(), Error> {
        self.command("SignalWorkflowExecution", move |swf, call| {
            swf.signal_workflow_execution(call, request)
        })
        .await
    }

    async fn request_cancel_workflow_execution(
        &self,
        request: RequestCancelWorkflowExecutionRequest,
    ) -> Result<(), Error> {
        self.command("RequestCancelWorkflowExecution", move |swf, call| {
            swf.request_cancel_workflow_execution(call, &request)
        })
        .await
    }

    async fn terminate_workflow_execution(
        &self,
        request: TerminateWorkflowExecutionRequest,
    ) -> Result<(), Error> {
        self.command("TerminateWorkflowExecution", move |swf, call| {
            swf.terminate_workflow_execution(call, request)
        })
        .await
    }

    async fn poll_for_decision_task(
        &self,
        request: PollForDecisionTaskRequest,
    ) -> Result<Option<DecisionTask>, Error> {
        let polled = self.engine.poll_for_decision_task(request, self.engine.closing()).await;
        polled.map_err(unavailable)?.map_err(refused)
    }

    async fn respond_decision_task_completed(
        &self,
        request: RespondDecisionTaskCompletedRequest,
    ) -> Result<(), Error> {
        self.command("RespondDecisionTaskCompleted", move |swf, call| {
            swf.respond_decision_task_completed(call, request)
        })
        .await
    }

    async fn poll_for_activity_task(
        &self,
        request: PollForActivityTaskRequest,
    ) -> Result<Option<ActivityTask>, Error> {
        let polled = self.engine.poll_for_activity_task(request, self.engine.closing()).await;
        polled.map_err(unavailable)?.map_err(refused)
    }

    async fn record_activity_task_heartbeat(
        &self,
        task_token: &TaskToken,
        details: Option<String>,
    ) -> Result<ActivityTaskStatus, Error> {
        let request =
            RecordActivityTaskHeartbeatRequest { task_token: task_token.clone(), details };
        self.command("RecordActivityTaskHeartbeat", move |swf, call| {
            swf.record_activity_task_heartbeat(call, request)
        })
        .await
    }

    async fn respond_activity_task_completed(
        &self,
        request: RespondActivityTaskCompletedRequest,
    ) -> Result<(), Error> {
        self.command("RespondActivityTaskCompleted", move |swf, call| {
            swf.respond_activity_task_completed(call, request)
        })
        .await
    }

    async fn respond_activity_task_failed(
        &self,
        request: RespondActivityTaskFailedRequest,
    ) -> Result<(), Error> {
        self.command("RespondActivityTaskFailed", move |swf, call| {
            swf.respond_activity_task_failed(call, request)
        })
        .await
    }

    async fn respond_activity_task_canceled(
        &self,
        request: RespondActivityTaskCanceledRequest,
    ) -> Result<(), Error> {
        self.command("RespondActivityTaskCanceled", move |swf, call| {
            swf.respond_activity_task_canceled(call, request)
        })
        .await
    }

    async fn describe_workflow_execution(
        &self,
        request: DescribeWorkflowExecutionRequest,
    ) -> Result<WorkflowExecutionDetail, Error> {
        self.command("DescribeWorkflowExecution", move |swf, call| {
            swf.describe_workflow_execution(call, &request)
        })
        .await
    }

    async fn get_workflow_execution_history(
        &self,
        request: GetWorkflowExecutionHistoryRequest,
    ) -> Result<History, Error> {
        self.command("GetWorkflowExecutionHistory", move |swf, call| {
            swf.get_workflow_execution_history(call, &request)
        })
        .await
    }

    async fn list_open_workflow_executions(
        &self,
        request: ListOpenWorkflowExecutionsRequest,
    ) -> Result<WorkflowExecutionInfos, Error> {
        self.command("ListOpenWorkflowExecutions", move |swf, call| {
            swf.list_open_workflow_executions(call, &request)
        })
        .await
    }

    async fn list_closed_workflow_executions(
        &self,
        request: ListClosedWorkflowExecutionsRequest,
    ) -> Result<WorkflowExecutionInfos, Error> {
        self.command("ListClosedWorkflowExecutions", move |swf, call| {
            swf.list_closed_workflow_executions(call, &request)
        })
        .await
    }

    async fn describe_domain(&self, domain: &DomainName) -> Result<(), Error> {
        let request = DescribeDomainRequest { name: domain.clone() };
        self.command("DescribeDomain", move |swf, call| {
            swf.describe_domain(call, &request).map(drop)
        })
        .await
    }
}
