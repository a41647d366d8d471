//! A domain with a workflow type and an activity type, and whoever starts, decides and works in
//! it.

use aws_sdk_swf::{
    Client,
    operation::{
        describe_workflow_execution::DescribeWorkflowExecutionOutput,
        poll_for_activity_task::PollForActivityTaskOutput,
        poll_for_decision_task::PollForDecisionTaskOutput,
    },
    types::{
        ActivityType, ChildPolicy, Decision, HistoryEvent, TaskList, WorkflowExecution,
        WorkflowType,
    },
};
use expect_test::Expect;

use super::story;
use crate::world::World;

/// The domain of all tests that need but one.
pub(crate) const DOMAIN: &str = "d";

pub(crate) struct Desk {
    pub(crate) world: World,
}

pub(super) fn task_list(name: &str) -> TaskList {
    TaskList::builder().name(name).build().unwrap()
}

pub(super) fn workflow_type(name: &str, version: &str) -> WorkflowType {
    WorkflowType::builder().name(name).version(version).build().unwrap()
}

pub(super) fn activity_type(name: &str, version: &str) -> ActivityType {
    ActivityType::builder().name(name).version(version).build().unwrap()
}

pub(super) fn execution(workflow_id: &str, run_id: &str) -> WorkflowExecution {
    WorkflowExecution::builder().workflow_id(workflow_id).run_id(run_id).build().unwrap()
}

impl Desk {
    /// Opens a desk in a world of its own.
    pub(crate) async fn open() -> Self {
        Self::within(World::start().await).await
    }

    /// Registers domain `d`, workflow type `W@1` (decision list `dl`, execution 10,000 s, decision
    /// task 100 s) and activity type `A@1` (list `al`, start to close 50 s, schedule to start
    /// 200 s, schedule to close 220 s, no heartbeat).
    pub(crate) async fn within(world: World) -> Self {
        let desk = Self { world };
        desk.register_domain(DOMAIN).await;
        let swf = desk.swf();
        let kind = swf.register_workflow_type().domain(DOMAIN).name("W").version("1");
        kind.default_execution_start_to_close_timeout("10000")
            .default_task_start_to_close_timeout("100")
            .default_task_list(task_list("dl"))
            .default_child_policy(ChildPolicy::Terminate)
            .send()
            .await
            .unwrap();
        let kind = swf.register_activity_type().domain(DOMAIN).name("A").version("1");
        kind.default_task_start_to_close_timeout("50")
            .default_task_heartbeat_timeout("NONE")
            .default_task_schedule_to_start_timeout("200")
            .default_task_schedule_to_close_timeout("220")
            .default_task_list(task_list("al"))
            .send()
            .await
            .unwrap();
        desk
    }

    pub(crate) fn swf(&self) -> &Client {
        &self.world.swf
    }

    pub(crate) async fn register_domain(&self, name: &str) {
        let domain = self.swf().register_domain().name(name);
        domain.workflow_execution_retention_period_in_days("1").send().await.unwrap();
    }

    /// Starts an execution of `W@1`.
    pub(crate) async fn start(&self, workflow_id: &str) -> WorkflowExecution {
        let start = self.swf().start_workflow_execution().domain(DOMAIN).workflow_id(workflow_id);
        let run = start.workflow_type(workflow_type("W", "1")).send().await.unwrap();
        execution(workflow_id, &run.run_id.unwrap())
    }

    /// The next decision task of the list `dl`: there must be one.
    pub(crate) async fn decision_task(&self) -> PollForDecisionTaskOutput {
        let polled = self.poll_decisions("dl").await;
        polled.expect("a decision task waits")
    }

    pub(super) async fn poll_decisions(&self, list: &str) -> Option<PollForDecisionTaskOutput> {
        let poll = self.swf().poll_for_decision_task().domain(DOMAIN).task_list(task_list(list));
        let polled = poll.identity("decider").send().await.unwrap();
        Some(polled).filter(|polled| !polled.task_token.is_empty())
    }

    pub(crate) async fn answer(
        &self,
        polled: &PollForDecisionTaskOutput,
        decisions: impl IntoIterator<Item = Decision>,
    ) {
        let answer = self.swf().respond_decision_task_completed().task_token(&polled.task_token);
        let decisions: Vec<_> = decisions.into_iter().collect();
        answer.set_decisions(Some(decisions)).send().await.unwrap();
    }

    /// Takes the next decision task and answers it.
    pub(crate) async fn decide(&self, decisions: impl IntoIterator<Item = Decision>) {
        let polled = self.decision_task().await;
        self.answer(&polled, decisions).await;
    }

    /// The next activity task of the list `al`: there must be one.
    pub(crate) async fn activity_task(&self) -> PollForActivityTaskOutput {
        let poll = self.swf().poll_for_activity_task().domain(DOMAIN).task_list(task_list("al"));
        let polled = poll.identity("worker").send().await.unwrap();
        assert!(!polled.task_token.is_empty(), "one waits");
        polled
    }

    pub(crate) async fn signal(&self, workflow_id: &str, name: &str) {
        let signal = self.swf().signal_workflow_execution().domain(DOMAIN);
        signal.workflow_id(workflow_id).signal_name(name).send().await.unwrap();
    }

    pub(crate) async fn describe(
        &self,
        execution: &WorkflowExecution,
    ) -> DescribeWorkflowExecutionOutput {
        let describe = self.swf().describe_workflow_execution().domain(DOMAIN);
        describe.execution(execution.clone()).send().await.unwrap()
    }

    pub(crate) async fn history(&self, execution: &WorkflowExecution) -> Vec<HistoryEvent> {
        let history = self.swf().get_workflow_execution_history().domain(DOMAIN);
        history.execution(execution.clone()).send().await.unwrap().events
    }

    /// Compares the history of a run from its event `from` on.
    pub(crate) async fn check(&self, execution: &WorkflowExecution, from: usize, story: Expect) {
        let events = self.history(execution).await;
        story.assert_eq(&story::of(&events[from - 1..]));
    }
}
