//! SWF over the SDK: `cpe-swf`'s requests and answers, the SDK's signatures, retries and faults.

use std::error::Error as StdError;

use async_trait::async_trait;
use aws_sdk_swf::{Client, error::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use bytes::Bytes;
use cpe_ports::{Error, ErrorKind, WorkflowService};
use cpe_swf::{DomainName, TaskToken, api::*};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{endpoint::Place, error::port_error, payload::Payload};

#[derive(Debug)]
pub(crate) struct Swf {
    pub(crate) calls: Client,
    /// Waits longer, and asks once.
    pub(crate) polls: Client,
    /// Asks once: for what must not be done twice.
    pub(crate) once: Client,
    pub(crate) place: Place,
}

/// Exchanges our request and answer through one operation of the SDK.
macro_rules! exchange {
    ($swf:ident.$client:ident.$operation:ident($request:expr)) => {
        $swf.exchange(stringify!($operation), $request, |payload| {
            $swf.$client.$operation().customize().interceptor(payload).send()
        })
        .await
    };
}

impl Swf {
    async fn exchange<Q, T, E, F>(
        &self,
        operation: &'static str,
        request: &Q,
        send: impl FnOnce(Payload) -> F,
    ) -> Result<Answer<'_>, Error>
    where
        Q: Serialize,
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E>>>,
    {
        let json = serde_json::to_vec(request).map_err(|error| {
            Error::new(ErrorKind::Refused, format!("no request for {operation}")).with_source(error)
        })?;
        let payload = Payload::new(json);
        send(payload.clone()).await.map_err(|error| port_error(&self.place, operation, error))?;
        Ok(Answer { place: &self.place, operation, body: payload.into_answer() })
    }
}

/// The body of a successful answer.
struct Answer<'a> {
    place: &'a Place,
    operation: &'static str,
    body: Bytes,
}

impl Answer<'_> {
    fn read<A: DeserializeOwned>(&self) -> Result<A, Error> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let (place, operation) = (self.place, self.operation);
            let message = format!("{place} answered {operation} with what is no answer to it");
            Error::new(ErrorKind::Broken, message).with_source(error)
        })
    }

    /// `None` without a task token: nothing came while the poll was held.
    fn read_task<A: DeserializeOwned>(&self) -> Result<Option<A>, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Head {
            task_token: Option<String>,
        }
        let head: Head = self.read()?;
        if head.task_token.is_none_or(|token| token.is_empty()) {
            return Ok(None);
        }
        self.read().map(Some)
    }
}

#[async_trait]
impl WorkflowService for Swf {
    async fn register_domain(&self, request: RegisterDomainRequest) -> Result<(), Error> {
        exchange!(self.calls.register_domain(&request)).map(drop)
    }

    async fn register_workflow_type(
        &self,
        request: RegisterWorkflowTypeRequest,
    ) -> Result<(), Error> {
        exchange!(self.calls.register_workflow_type(&request)).map(drop)
    }

    async fn register_activity_type(
        &self,
        request: RegisterActivityTypeRequest,
    ) -> Result<(), Error> {
        exchange!(self.calls.register_activity_type(&request)).map(drop)
    }

    async fn start_workflow_execution(
        &self,
        request: StartWorkflowExecutionRequest,
    ) -> Result<Run, Error> {
        // SWF has no token by which it would know a second attempt. Where the first one's answer was
        // lost and its execution has ended meanwhile, another would begin.
        exchange!(self.once.start_workflow_execution(&request))?.read()
    }

    async fn signal_workflow_execution(
        &self,
        request: SignalWorkflowExecutionRequest,
    ) -> Result<(), Error> {
        exchange!(self.calls.signal_workflow_execution(&request)).map(drop)
    }

    async fn request_cancel_workflow_execution(
        &self,
        request: RequestCancelWorkflowExecutionRequest,
    ) -> Result<(), Error> {
        exchange!(self.calls.request_cancel_workflow_execution(&request)).map(drop)
    }

    async fn terminate_workflow_execution(
        &self,
        request: TerminateWorkflowExecutionRequest,
    ) -> Result<(), Error> {
        exchange!(self.calls.terminate_workflow_execution(&request)).map(drop)
    }

    async fn poll_for_decision_task(
        &self,
        request: PollForDecisionTaskRequest,
    ) -> Result<Option<DecisionTask>, Error> {
        exchange!(self.polls.poll_for_decision_task(&request))?.read_task()
    }

    async fn respond_decision_task_completed(
        &self,
        request: RespondDecisionTaskCompletedRequest,
    ) -> Result<(), Error> {
        exchange!(self.calls.respond_decision_task_completed(&request)).map(drop)
    }

    async fn poll_for_activity_task(
        &self,
        request: PollForActivityTaskRequest,
    ) -> Result<Option<ActivityTask>, Error> {
        exchange!(self.polls.poll_for_activity_task(&request))?.read_task()
    }

    async fn record_activity_task_heartbeat(
        &self,
        task_token: &TaskToken,
        details: Option<String>,
    ) -> Result<ActivityTaskStatus, Error> {
        let request =
            RecordActivityTaskHeartbeatRequest { task_token: task_token.clone(), details };
        exchange!(self.calls.record_activity_task_heartbeat(&request))?.read()
    }

    async fn respond_activity_task_completed(
        &self,
        request: RespondActivityTaskCompletedRequest,
    ) -> Result<(), Error> {
        exchange!(self.calls.respond_activity_task_completed(&request)).map(drop)
    }

    async fn respond_activity_task_failed(
        &self,
        request: RespondActivityTaskFailedRequest,
    ) -> Result<(), Error> {
        exchange!(self.calls.respond_activity_task_failed(&request)).map(drop)
    }

    async fn respond_activity_task_canceled(
        &self,
        request: RespondActivityTaskCanceledRequest,
    ) -> Result<(), Error> {
        exchange!(self.calls.respond_activity_task_canceled(&request)).map(drop)
    }

    async fn describe_workflow_execution(
        &self,
        request: DescribeWorkflowExecutionRequest,
    ) -> Result<WorkflowExecutionDetail, Error> {
        exchange!(self.calls.describe_workflow_execution(&request))?.read()
    }

    async fn get_workflow_execution_history(
        &self,
        request: GetWorkflowExecutionHistoryRequest,
    ) -> Result<History, Error> {
        exchange!(self.calls.get_workflow_execution_history(&request))?.read()
    }

    async fn list_open_workflow_executions(
        &self,
        request: ListOpenWorkflowExecutionsRequest,
    ) -> Result<WorkflowExecutionInfos, Error> {
        exchange!(self.calls.list_open_workflow_executions(&request))?.read()
    }

    async fn list_closed_workflow_executions(
        &self,
        request: ListClosedWorkflowExecutionsRequest,
    ) -> Result<WorkflowExecutionInfos, Error> {
        exchange!(self.calls.list_closed_workflow_executions(&request))?.read()
    }

    async fn describe_domain(&self, domain: &DomainName) -> Result<(), Error> {
        let request = DescribeDomainRequest { name: domain.clone() };
        exchange!(self.calls.describe_domain(&request)).map(drop)
    }
}

#[cfg(test)]
mod tests;
