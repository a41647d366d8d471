//! Scripted ports, and a plan, for this crate's tests.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use cpe_modules::{Locks, Registry};
use cpe_plan::Plan;
use cpe_ports::{
    Error, ErrorKind, Message, MessageQueue, OutgoingMessage, QueueUrl, ReceiptHandle, Receive,
    WorkflowService,
    testing::{ManualClock, MemoryBlobs},
};
use cpe_protocol::ClientName;
use cpe_swf::{DomainName, TaskToken, Timestamp, api::*};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    Backoff, Client, ClientRegistry, Clients, Jitter, Outbox, Payloads, PlanArchive, Plans, Ports,
    Quotas, Shares, Starts, Usage, Worker,
};

/// Answers what was scripted for an operation, in order, and after that what means "nothing".
/// Remembers every call.
#[derive(Debug, Clone, Default)]
pub(crate) struct ScriptedWorkflows(Arc<Mutex<Script>>);

#[derive(Debug, Default)]
struct Script {
    replies: HashMap<&'static str, VecDeque<Result<Value, ErrorKind>>>,
    calls: Vec<(&'static str, Value)>,
}

impl ScriptedWorkflows {
    pub(crate) fn reply(&self, operation: &'static str, reply: Result<Value, ErrorKind>) {
        self.0.lock().unwrap().replies.entry(operation).or_default().push_back(reply);
    }

    pub(crate) fn calls(&self) -> Vec<(&'static str, Value)> {
        self.0.lock().unwrap().calls.clone()
    }

    pub(crate) fn calls_of(&self, operation: &str) -> Vec<Value> {
        let calls = self.calls().into_iter();
        calls.filter(|(name, _)| *name == operation).map(|(_, request)| request).collect()
    }

    fn call<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        request: impl Serialize,
        nothing: Value,
    ) -> Result<T, Error> {
        let mut script = self.0.lock().unwrap();
        script.calls.push((operation, serde_json::to_value(request).unwrap()));
        let reply = script.replies.get_mut(operation).and_then(VecDeque::pop_front);
        let value = reply.unwrap_or(Ok(nothing)).map_err(|kind| Error::new(kind, "scripted"))?;
        Ok(serde_json::from_value(value).unwrap())
    }
}

macro_rules! scripted {
    ($($method:ident $operation:literal ($request:ty) -> $answer:ty = $nothing:expr;)*) => {
        #[async_trait]
        impl WorkflowService for ScriptedWorkflows {
            $(async fn $method(&self, request: $request) -> Result<$answer, Error> {
                self.call($operation, request, $nothing)
            })*

            async fn record_activity_task_heartbeat(
                &self,
                task_token: &TaskToken,
                details: Option<String>,
            ) -> Result<ActivityTaskStatus, Error> {
                let request = json!({"taskToken": task_token, "details": details});
                let nothing = json!({"cancelRequested": false});
                self.call("RecordActivityTaskHeartbeat", request, nothing)
            }

            async fn describe_domain(&self, domain: &DomainName) -> Result<(), Error> {
                self.call("DescribeDomain", domain, Value::Null)
            }
        }
    };
}

scripted! {
    register_domain "RegisterDomain" (RegisterDomainRequest) -> () = Value::Null;
    register_workflow_type "RegisterWorkflowType" (RegisterWorkflowTypeRequest) -> () = Value::Null;
    register_activity_type "RegisterActivityType" (RegisterActivityTypeRequest) -> () = Value::Null;
    start_workflow_execution "StartWorkflowExecution"
        (StartWorkflowExecutionRequest) -> Run = json!({"runId": "run"});
    signal_workflow_execution "SignalWorkflowExecution"
        (SignalWorkflowExecutionRequest) -> () = Value::Null;
    request_cancel_workflow_execution "RequestCancelWorkflowExecution"
        (RequestCancelWorkflowExecutionRequest) -> () = Value::Null;
    terminate_workflow_execution "TerminateWorkflowExecution"
        (TerminateWorkflowExecutionRequest) -> () = Value::Null;
    poll_for_decision_task "PollForDecisionTask"
        (PollForDecisionTaskRequest) -> Option<DecisionTask> = Value::Null;
    respond_decision_task_completed "RespondDecisionTaskCompleted"
        (RespondDecisionTaskCompletedRequest) -> () = Value::Null;
    poll_for_activity_task "PollForActivityTask"
        (PollForActivityTaskRequest) -> Option<ActivityTask> = Value::Null;
    respond_activity_task_completed "RespondActivityTaskCompleted"
        (RespondActivityTaskCompletedRequest) -> () = Value::Null;
    respond_activity_task_failed "RespondActivityTaskFailed"
        (RespondActivityTaskFailedRequest) -> () = Value::Null;
    respond_activity_task_canceled "RespondActivityTaskCanceled"
        (RespondActivityTaskCanceledRequest) -> () = Value::Null;
    describe_workflow_execution "DescribeWorkflowExecution"
        (DescribeWorkflowExecutionRequest) -> WorkflowExecutionDetail = Value::Null;
    get_workflow_execution_history "GetWorkflowExecutionHistory"
        (GetWorkflowExecutionHistoryRequest) -> History = json!({"events": []});
    list_open_workflow_executions "ListOpenWorkflowExecutions"
        (ListOpenWorkflowExecutionsRequest) -> WorkflowExecutionInfos =
        json!({"executionInfos": []});
    list_closed_workflow_executions "ListClosedWorkflowExecutions"
        (ListClosedWorkflowExecutionsRequest) -> WorkflowExecutionInfos =
        json!({"executionInfos": []});
}

/// Keeps what is sent, deleted and hidden. Receiving is not scripted: handlers are given messages.
#[derive(Debug, Clone, Default)]
pub(crate) struct ScriptedQueues(Arc<Mutex<Queues>>);

#[derive(Debug, Default)]
struct Queues {
    sent: BTreeMap<QueueUrl, Vec<Value>>,
    failures: VecDeque<ErrorKind>,
    deleted: Vec<String>,
    hidden: Vec<(String, Duration)>,
}

impl ScriptedQueues {
    /// The next sends fail so.
    pub(crate) fn fail_sends(&self, kinds: impl IntoIterator<Item = ErrorKind>) {
        self.0.lock().unwrap().failures.extend(kinds);
    }

    pub(crate) fn sent(&self, queue: &QueueUrl) -> Vec<Value> {
        self.0.lock().unwrap().sent.get(queue).cloned().unwrap_or_default()
    }

    /// Receipts of deleted messages.
    pub(crate) fn deleted(&self) -> Vec<String> {
        self.0.lock().unwrap().deleted.clone()
    }

    /// Receipts of messages whose visibility was changed, and for how long they are hidden.
    pub(crate) fn hidden(&self) -> Vec<(String, Duration)> {
        self.0.lock().unwrap().hidden.clone()
    }
}

#[async_trait]
impl MessageQueue for ScriptedQueues {
    async fn queue_url(&self, name: &str) -> Result<QueueUrl, Error> {
        Ok(QueueUrl(name.to_owned()))
    }

    async fn create_queue(&self, name: &str) -> Result<QueueUrl, Error> {
        Ok(QueueUrl(name.to_owned()))
    }

    async fn receive(&self, _: &QueueUrl, _: Receive) -> Result<Vec<Message>, Error> {
        Ok(Vec::new())
    }

    async fn send(&self, queue: &QueueUrl, message: OutgoingMessage) -> Result<(), Error> {
        let mut queues = self.0.lock().unwrap();
        if let Some(kind) = queues.failures.pop_front() {
            return Err(Error::new(kind, "scripted"));
        }
        let body = serde_json::from_str(&message.body).unwrap_or_else(|_| message.body.into());
        queues.sent.entry(queue.clone()).or_default().push(body);
        Ok(())
    }

    async fn delete(&self, _: &QueueUrl, receipt: &ReceiptHandle) -> Result<(), Error> {
        self.0.lock().unwrap().deleted.push(receipt.0.clone());
        Ok(())
    }

    async fn change_visibility(
        &self,
        _: &QueueUrl,
        receipt: &ReceiptHandle,
        timeout: Duration,
    ) -> Result<(), Error> {
        self.0.lock().unwrap().hidden.push((receipt.0.clone(), timeout));
        Ok(())
    }
}

/// The time that the fakes' clock shows.
pub(crate) const NOW: Timestamp = Timestamp(1_000_000);

pub(crate) fn ports_with(workflows: &ScriptedWorkflows, queues: &ScriptedQueues) -> Ports {
    Ports {
        workflows: Arc::new(workflows.clone()),
        queues: Arc::new(queues.clone()),
        blobs: Arc::new(MemoryBlobs::with_buckets(["plans", "payloads"])),
        clock: Arc::new(ManualClock::at(NOW)),
    }
}

pub(crate) fn payloads(ports: &Ports) -> Payloads {
    Payloads::new(ports, "payloads".to_owned(), "p/".to_owned())
}

pub(crate) fn ports(queues: &ScriptedQueues) -> Ports {
    ports_with(&ScriptedWorkflows::default(), queues)
}

/// A client with queues of its own, which may start and touch everything.
pub(crate) fn client(name: &str) -> Client {
    Client {
        name: ClientName::new(name).unwrap(),
        input: QueueUrl(format!("{name}-in")),
        output: QueueUrl(format!("{name}-out")),
        dead_letters: Some(QueueUrl(format!("{name}-dead"))),
        quotas: Quotas::default(),
        plans: None,
        grants: cpe_sandbox::Grants::default(),
        ceilings: crate::Ceilings::default(),
        signers: None,
    }
}

/// Two steps in a row: the first by a module, the second by workers of others.
pub(crate) fn plan() -> Arc<Plan> {
    let text = r#"
name: Two
version: "1"
input_spec: {type: object, properties: {n: {type: integer}}}
activities:
- {name: Work, version: v1, module: work@1, heartbeat_timeout: 9, start_to_close_timeout: 100}
- {name: Other, version: v1, task_list: others, heartbeat_timeout: 9, start_to_close_timeout: 100}
steps:
- name: First
  activity: Work
  input: '{"n": {{ __input__.n }}}'
- name: Second
  activity: Other
  requires: [[First, succeeded]]
  input: '{}'
"#;
    Arc::new(Plan::parse("two.yaml", text).unwrap_or_else(|errors| panic!("{errors}")))
}

pub(crate) fn worker(workflows: &ScriptedWorkflows, queues: &ScriptedQueues) -> Arc<Worker> {
    let ports = ports_with(workflows, queues);
    Arc::new(Worker {
        archive: PlanArchive::new(&ports, "plans".to_owned(), String::new()),
        payloads: Arc::new(payloads(&ports)),
        locks: Locks::new(Registry::new(
            Arc::clone(&ports.blobs),
            Arc::clone(&ports.clock),
            "plans".to_owned(),
            String::new(),
        )),
        starts: Starts::default(),
        domain: DomainName::from("d"),
        identity: "test".to_owned(),
        plans: Plans::new([plan()]).unwrap(),
        clients: ClientRegistry::new(Clients::new([client("c"), client("limited")]).unwrap()),
        outbox: Outbox::new(&ports, "plans".to_owned(), String::new()),
        shares: Shares::default(),
        usage: Usage::new(&ports, "plans".to_owned(), String::new(), "test"),
        backoff: Backoff {
            min: Duration::from_secs(1),
            max: Duration::from_secs(8),
            jitter: Jitter::None,
        },
        ports,
    })
}

/// A short text of each event: type, step, seq, eventId, and what it came to.
pub(crate) fn told(events: &[Value]) -> String {
    let lines = events.iter().map(|event| {
        let step = event.pointer("/data/activity/activityId").and_then(Value::as_str);
        let result = event
            .pointer("/data/activity/result")
            .or_else(|| event.pointer("/data/activity/progress"))
            .or_else(|| event.pointer("/data/result"))
            .or_else(|| event.pointer("/data/errors"));
        let parts = [
            event["type"].as_str().map(str::to_owned),
            step.map(str::to_owned),
            Some(format!("#{}", event["seq"])),
            event["eventId"].as_str().map(str::to_owned),
            result.map(ToString::to_string),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ") + "\n"
    });
    lines.collect()
}
