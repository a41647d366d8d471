//! The workflow service, with an ear on the line: what is decided is noted here, and what is
//! mocked is handed to the test instead of a worker.
//!
//! Two things of a decision are changed before SWF gets it, and nothing else: a mocked activity
//! task has no heartbeat timeout (a mock always heartbeats), unless that is to pass; and what is
//! not to reach a worker or decider goes to a task list of its own.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use cpe_plan::{
    Plan,
    cases::{Mock, MockEnd, TimeoutKind, Unmocked},
};
use cpe_ports::{Error, WorkflowService};
use cpe_swf::{
    Decision, DomainName, RunId, TaskList, TaskToken, Timeout, WorkflowExecution, WorkflowId,
    WorkflowType,
    api::*,
    decision::{ScheduleActivityTask, StartChildWorkflowExecution},
};

use super::lookup::{Found, Script, succeeds};

/// Nobody polls it.
const NOBODY: &str = "cpe-test-nobody";

#[derive(Debug)]
pub(super) struct Tap {
    inner: Arc<dyn WorkflowService>,
    root: WorkflowId,
    unmocked: Unmocked,
    children: BTreeMap<WorkflowType, Arc<Plan>>,
    noted: Mutex<Noted>,
}

/// What was seen on the line.
#[derive(Debug, Default)]
pub(super) struct Noted {
    /// Of every execution that decides for real.
    scripts: HashMap<WorkflowId, Script>,
    deciding: HashMap<TaskToken, WorkflowExecution>,
    /// Task lists where activity tasks wait.
    pub(super) waiting: BTreeSet<String>,
    /// Children that were started, and are mocked.
    pub(super) children: Vec<MockedChild>,
    pub(super) cancels: Vec<Canceled>,
    /// Of the tested execution.
    pub(super) runs: Vec<RunId>,
    pub(super) calls: Vec<SeenCall>,
    child_lists: usize,
    /// Its last closing decision.
    pub(super) closing: Option<Decision>,
    /// Why the case cannot go on.
    pub(super) trouble: Option<String>,
}

#[derive(Debug)]
pub(super) struct MockedChild {
    pub(super) workflow_id: WorkflowId,
    pub(super) task_list: TaskList,
    pub(super) mock: Mock,
}

/// What was asked to cancel.
#[derive(Debug)]
pub(super) enum Canceled {
    Activity(WorkflowId, String),
    Child(WorkflowId),
}

/// An activity task or child of the tested execution.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SeenCall {
    pub(super) step: String,
    pub(super) item: Option<usize>,
    /// As SWF has it: JSON, or a reference to it.
    pub(super) input: String,
}

impl Tap {
    pub(super) fn new(
        inner: Arc<dyn WorkflowService>,
        (root, script): (WorkflowId, Script),
        unmocked: Unmocked,
        children: BTreeMap<WorkflowType, Arc<Plan>>,
    ) -> Self {
        let scripts = HashMap::from([(root.clone(), script)]);
        let noted = Mutex::new(Noted { scripts, ..Noted::default() });
        Self { inner, root, unmocked, children, noted }
    }

    pub(super) fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What an execution follows.
    pub(super) fn script(&self, id: &WorkflowId) -> Option<Script> {
        self.noted().scripts.get(id).cloned()
    }

    /// What an activity task of an execution comes to.
    pub(super) fn mock(&self, id: &WorkflowId, activity: &str) -> Result<Mock, String> {
        let noted = self.noted();
        let Some(script) = noted.scripts.get(id) else {
            return Err(format!("the execution {id} is none of this test"));
        };
        script.activity(script.call(activity), self.unmocked)
    }

    fn look(&self, by: &WorkflowExecution, decisions: &mut [Decision]) {
        let mut noted = self.noted();
        let Some(script) = noted.scripts.get(&by.workflow_id).cloned() else { return };
        let is_root = by.workflow_id == self.root;
        for decision in decisions {
            match decision {
                Decision::ScheduleActivityTask(task) => {
                    if is_root {
                        noted.call(&script, &task.activity_id.0, task.input.as_deref());
                    }
                    self.schedule(&mut noted, &script, task);
                }
                Decision::StartChildWorkflowExecution(child) => {
                    let call = child.control.clone().unwrap_or_default();
                    if is_root {
                        noted.call(&script, &call, child.input.as_deref());
                    }
                    self.start(&mut noted, &script, &call, child);
                }
                Decision::RequestCancelActivityTask(cancel) => {
                    let id = cancel.activity_id.0.clone();
                    noted.cancels.push(Canceled::Activity(by.workflow_id.clone(), id));
                }
                Decision::RequestCancelExternalWorkflowExecution(cancel) => {
                    noted.cancels.push(Canceled::Child(cancel.workflow_id.clone()));
                }
                closing if is_root && closing.is_closing() => {
                    noted.closing = Some(closing.clone());
                }
                _ => {}
            }
        }
    }

    fn schedule(&self, noted: &mut Noted, script: &Script, task: &mut ScheduleActivityTask) {
        let mock = match script.activity(script.call(&task.activity_id.0), self.unmocked) {
            Ok(mock) => mock,
            Err(why) => return noted.fail(why),
        };
        match mock.end {
            MockEnd::Timeout(TimeoutKind::ScheduleToStart) => {
                task.task_list = Some(TaskList::new(NOBODY));
                return;
            }
            // A module's own heartbeats are sent while time stands still.
            MockEnd::Timeout(TimeoutKind::Heartbeat) | MockEnd::Module(_) => {}
            _ => task.heartbeat_timeout = Some(Timeout::None),
        }
        noted.waiting.extend(task.task_list.as_ref().map(|list| list.name.clone()));
    }

    fn start(
        &self,
        noted: &mut Noted,
        script: &Script,
        call: &str,
        child: &mut StartChildWorkflowExecution,
    ) {
        let call = script.call(call);
        let plan = self.children.get(&child.workflow_type).cloned();
        let (mock, mocks) = match script.find(call) {
            Found::Mock(Mock { end: MockEnd::Child(mocks), .. }) => (None, mocks),
            Found::Mock(mock) => (Some(mock), Default::default()),
            Found::NoMore(why) => return noted.fail(why),
            Found::Nothing if plan.is_some() => (None, Default::default()),
            Found::Nothing if self.unmocked == Unmocked::Succeed => {
                (Some(succeeds()), Default::default())
            }
            Found::Nothing => {
                let plan = &child.workflow_type;
                let why = script.nothing(call);
                let why = format!("{why}; nor does the plan {plan} lie beside this one");
                return noted.fail(why);
            }
        };
        let workflow_id = child.workflow_id.clone();
        match (mock, plan) {
            (None, Some(plan)) => {
                drop(noted.scripts.insert(workflow_id, Script { plan, mocks, is_child: true }))
            }
            (mock, _) => {
                let mock = mock.unwrap_or_else(succeeds);
                let task_list = TaskList::new(format!("cpe-test-{}", noted.children_so_far()));
                child.task_list = Some(task_list.clone());
                noted.children.push(MockedChild { workflow_id, task_list, mock });
            }
        }
    }
}

impl Noted {
    fn fail(&mut self, why: String) {
        self.trouble.get_or_insert(why);
    }

    fn call(&mut self, script: &Script, id: &str, input: Option<&str>) {
        let call = script.call(id);
        let input = input.unwrap_or("null").to_owned();
        self.calls.push(SeenCall { step: call.step.to_owned(), item: call.item, input });
    }

    /// A number that no mocked child has had.
    fn children_so_far(&mut self) -> usize {
        self.child_lists += 1;
        self.child_lists
    }
}

macro_rules! passed_on {
    ($($method:ident($request:ty) -> $answer:ty;)*) => {
        #[async_trait]
        impl WorkflowService for Tap {
            $(async fn $method(&self, request: $request) -> Result<$answer, Error> {
                self.inner.$method(request).await
            })*

            async fn poll_for_decision_task(
                &self,
                request: PollForDecisionTaskRequest,
            ) -> Result<Option<DecisionTask>, Error> {
                let task = self.inner.poll_for_decision_task(request).await?;
                if let Some(task) = &task {
                    let mut noted = self.noted();
                    let execution = task.workflow_execution.clone();
                    if execution.workflow_id == self.root && !noted.runs.contains(&execution.run_id) {
                        noted.runs.push(execution.run_id.clone());
                    }
                    noted.deciding.insert(task.task_token.clone(), execution);
                }
                Ok(task)
            }

            async fn respond_decision_task_completed(
                &self,
                mut request: RespondDecisionTaskCompletedRequest,
            ) -> Result<(), Error> {
                let by = self.noted().deciding.remove(&request.task_token);
                if let Some(by) = by {
                    self.look(&by, &mut request.decisions);
                }
                self.inner.respond_decision_task_completed(request).await
            }

            async fn record_activity_task_heartbeat(
                &self,
                task_token: &TaskToken,
                details: Option<String>,
            ) -> Result<ActivityTaskStatus, Error> {
                self.inner.record_activity_task_heartbeat(task_token, details).await
            }

            async fn describe_domain(&self, domain: &DomainName) -> Result<(), Error> {
                self.inner.describe_domain(domain).await
            }
        }
    };
}

passed_on! {
    register_domain(RegisterDomainRequest) -> ();
    register_workflow_type(RegisterWorkflowTypeRequest) -> ();
    register_activity_type(RegisterActivityTypeRequest) -> ();
    start_workflow_execution(StartWorkflowExecutionRequest) -> Run;
    signal_workflow_execution(SignalWorkflowExecutionRequest) -> ();
    request_cancel_workflow_execution(RequestCancelWorkflowExecutionRequest) -> ();
    terminate_workflow_execution(TerminateWorkflowExecutionRequest) -> ();
    poll_for_activity_task(PollForActivityTaskRequest) -> Option<ActivityTask>;
    respond_activity_task_completed(RespondActivityTaskCompletedRequest) -> ();
    respond_activity_task_failed(RespondActivityTaskFailedRequest) -> ();
    respond_activity_task_canceled(RespondActivityTaskCanceledRequest) -> ();
    describe_workflow_execution(DescribeWorkflowExecutionRequest) -> WorkflowExecutionDetail;
    get_workflow_execution_history(GetWorkflowExecutionHistoryRequest) -> History;
    list_open_workflow_executions(ListOpenWorkflowExecutionsRequest) -> WorkflowExecutionInfos;
    list_closed_workflow_executions(ListClosedWorkflowExecutionsRequest) -> WorkflowExecutionInfos;
}
