//! Every fault that the service model names for an operation, as the SDK's own type.
//!
//! Left out, see `coverage`: what needs an account with permissions, and limits that AWS does
//! not say.

use aws_sdk_swf::{
    operation::*,
    primitives::DateTime,
    types::{ExecutionTimeFilter, RegistrationStatus, ResourceTag, WorkflowExecution},
};

use super::{
    Desk,
    desk::{DOMAIN, activity_type, execution, task_list, workflow_type},
    making::{complete, schedule},
};

const NOWHERE: &str = "nowhere";

fn ever() -> ExecutionTimeFilter {
    ExecutionTimeFilter::builder().oldest_date(DateTime::from_secs(0)).build().unwrap()
}

fn unknown() -> WorkflowExecution {
    execution("w", "no-such-run")
}

#[tokio::test]
pub(crate) async fn of_domains() {
    use deprecate_domain::DeprecateDomainError as Deprecate;
    use describe_domain::DescribeDomainError as Describe;
    use register_domain::RegisterDomainError as Register;
    use undeprecate_domain::UndeprecateDomainError as Undeprecate;

    let desk = Desk::open().await;
    let swf = desk.swf();
    let register =
        || swf.register_domain().name(DOMAIN).workflow_execution_retention_period_in_days("1");
    let fault = refused!(register(), Register::DomainAlreadyExistsFault);
    assert_eq!(fault.message.as_deref(), Some("d"));
    let many = (0..51).map(|key| ResourceTag::builder().key(key.to_string()).build().unwrap());
    let tagged = register().name("tagged").set_tags(Some(many.collect()));
    refused!(tagged, Register::TooManyTagsFault);
    let fault = refused!(swf.describe_domain().name(NOWHERE), Describe::UnknownResourceFault);
    assert_eq!(fault.message.as_deref(), Some("Unknown domain: nowhere"));
    refused!(swf.undeprecate_domain().name(DOMAIN), Undeprecate::DomainAlreadyExistsFault);
    refused!(swf.undeprecate_domain().name(NOWHERE), Undeprecate::UnknownResourceFault);
    refused!(swf.deprecate_domain().name(NOWHERE), Deprecate::UnknownResourceFault);
    swf.deprecate_domain().name(DOMAIN).send().await.unwrap();
    refused!(swf.deprecate_domain().name(DOMAIN), Deprecate::DomainDeprecatedFault);
}

#[tokio::test]
pub(crate) async fn of_tags() {
    use list_tags_for_resource::ListTagsForResourceError as List;
    use tag_resource::TagResourceError as Tag;
    use untag_resource::UntagResourceError as Untag;

    let desk = Desk::open().await;
    let swf = desk.swf();
    let nobody = "arn:aws:swf:us-east-1:123456789012:/domain/nowhere";
    let tag = |key: usize| ResourceTag::builder().key(key.to_string()).build().unwrap();
    refused!(swf.tag_resource().resource_arn(nobody).tags(tag(1)), Tag::UnknownResourceFault);
    refused!(swf.untag_resource().resource_arn(nobody).tag_keys("k"), Untag::UnknownResourceFault);
    refused!(swf.list_tags_for_resource().resource_arn(nobody), List::UnknownResourceFault);
    let info = swf.describe_domain().name(DOMAIN).send().await.unwrap().domain_info.unwrap();
    let many = swf.tag_resource().resource_arn(info.arn.unwrap());
    refused!(many.set_tags(Some((0..51).map(tag).collect())), Tag::TooManyTagsFault);
}

#[tokio::test]
pub(crate) async fn of_workflow_types() {
    use delete_workflow_type::DeleteWorkflowTypeError as Delete;
    use deprecate_workflow_type::DeprecateWorkflowTypeError as Deprecate;
    use describe_workflow_type::DescribeWorkflowTypeError as Describe;
    use list_workflow_types::ListWorkflowTypesError as List;
    use register_workflow_type::RegisterWorkflowTypeError as Register;
    use undeprecate_workflow_type::UndeprecateWorkflowTypeError as Undeprecate;

    let desk = Desk::open().await;
    let swf = desk.swf();
    let (known, other) = (workflow_type("W", "1"), workflow_type("W", "2"));
    let register = swf.register_workflow_type().name("W").version("1");
    let fault = refused!(register.clone().domain(DOMAIN), Register::TypeAlreadyExistsFault);
    assert_eq!(fault.message.as_deref(), Some("WorkflowType=[name=W, version=1]"));
    refused!(register.domain(NOWHERE), Register::UnknownResourceFault);
    let list = swf.list_workflow_types().domain(NOWHERE);
    let list = list.registration_status(RegistrationStatus::Registered);
    refused!(list, List::UnknownResourceFault);
    let describe = swf.describe_workflow_type().domain(DOMAIN).workflow_type(other.clone());
    refused!(describe, Describe::UnknownResourceFault);
    let delete = || swf.delete_workflow_type().domain(DOMAIN);
    refused!(delete().workflow_type(other.clone()), Delete::UnknownResourceFault);
    refused!(delete().workflow_type(known.clone()), Delete::TypeNotDeprecatedFault);
    let undeprecate = || swf.undeprecate_workflow_type().domain(DOMAIN);
    refused!(undeprecate().workflow_type(other.clone()), Undeprecate::UnknownResourceFault);
    refused!(undeprecate().workflow_type(known.clone()), Undeprecate::TypeAlreadyExistsFault);
    let deprecate = || swf.deprecate_workflow_type().domain(DOMAIN);
    refused!(deprecate().workflow_type(other), Deprecate::UnknownResourceFault);
    deprecate().workflow_type(known.clone()).send().await.unwrap();
    refused!(deprecate().workflow_type(known), Deprecate::TypeDeprecatedFault);
}

#[tokio::test]
pub(crate) async fn of_activity_types() {
    use delete_activity_type::DeleteActivityTypeError as Delete;
    use deprecate_activity_type::DeprecateActivityTypeError as Deprecate;
    use describe_activity_type::DescribeActivityTypeError as Describe;
    use list_activity_types::ListActivityTypesError as List;
    use register_activity_type::RegisterActivityTypeError as Register;
    use undeprecate_activity_type::UndeprecateActivityTypeError as Undeprecate;

    let desk = Desk::open().await;
    let swf = desk.swf();
    let (known, other) = (activity_type("A", "1"), activity_type("A", "2"));
    let register = swf.register_activity_type().name("A").version("1");
    refused!(register.clone().domain(DOMAIN), Register::TypeAlreadyExistsFault);
    refused!(register.domain(NOWHERE), Register::UnknownResourceFault);
    let list = swf.list_activity_types().domain(NOWHERE);
    let list = list.registration_status(RegistrationStatus::Deprecated);
    refused!(list, List::UnknownResourceFault);
    let describe = swf.describe_activity_type().domain(DOMAIN).activity_type(other.clone());
    refused!(describe, Describe::UnknownResourceFault);
    let delete = || swf.delete_activity_type().domain(DOMAIN);
    refused!(delete().activity_type(other.clone()), Delete::UnknownResourceFault);
    refused!(delete().activity_type(known.clone()), Delete::TypeNotDeprecatedFault);
    let undeprecate = || swf.undeprecate_activity_type().domain(DOMAIN);
    refused!(undeprecate().activity_type(other.clone()), Undeprecate::UnknownResourceFault);
    refused!(undeprecate().activity_type(known.clone()), Undeprecate::TypeAlreadyExistsFault);
    let deprecate = || swf.deprecate_activity_type().domain(DOMAIN);
    refused!(deprecate().activity_type(other), Deprecate::UnknownResourceFault);
    deprecate().activity_type(known.clone()).send().await.unwrap();
    refused!(deprecate().activity_type(known), Deprecate::TypeDeprecatedFault);
}

#[tokio::test]
pub(crate) async fn of_starting() {
    use start_workflow_execution::StartWorkflowExecutionError as Start;

    let desk = Desk::open().await;
    let swf = desk.swf();
    let kind = swf.register_workflow_type().domain(DOMAIN).name("Bare").version("1");
    kind.send().await.unwrap();
    let start = |kind: &str| {
        let start = swf.start_workflow_execution().domain(DOMAIN).workflow_id("w");
        start.workflow_type(workflow_type(kind, "1"))
    };
    refused!(start("W").domain(NOWHERE), Start::UnknownResourceFault);
    refused!(start("None"), Start::UnknownResourceFault);
    let fault = refused!(start("Bare"), Start::DefaultUndefinedFault);
    assert_eq!(fault.message.as_deref(), Some("executionStartToCloseTimeout"));
    desk.start("w").await;
    refused!(start("W"), Start::WorkflowExecutionAlreadyStartedFault);
    let old = swf.deprecate_workflow_type().domain(DOMAIN).workflow_type(workflow_type("W", "1"));
    old.send().await.unwrap();
    refused!(start("W"), Start::TypeDeprecatedFault);
}

#[tokio::test]
pub(crate) async fn of_executions() {
    use describe_workflow_execution::DescribeWorkflowExecutionError as Describe;
    use get_workflow_execution_history::GetWorkflowExecutionHistoryError as History;
    use request_cancel_workflow_execution::RequestCancelWorkflowExecutionError as Cancel;
    use signal_workflow_execution::SignalWorkflowExecutionError as Signal;
    use terminate_workflow_execution::TerminateWorkflowExecutionError as Terminate;

    let desk = Desk::open().await;
    let swf = desk.swf();
    let run = desk.start("w").await;
    desk.decide([complete("")]).await;
    let describe = || swf.describe_workflow_execution().execution(unknown());
    refused!(describe().domain(DOMAIN), Describe::UnknownResourceFault);
    refused!(describe().domain(NOWHERE), Describe::UnknownResourceFault);
    let history = || swf.get_workflow_execution_history().execution(unknown());
    refused!(history().domain(DOMAIN), History::UnknownResourceFault);
    refused!(history().domain(NOWHERE), History::UnknownResourceFault);
    // What is closed takes no more.
    let signal = swf.signal_workflow_execution().domain(DOMAIN).workflow_id("w").signal_name("s");
    refused!(signal.clone().run_id(&run.run_id), Signal::UnknownResourceFault);
    refused!(signal, Signal::UnknownResourceFault);
    let cancel = swf.request_cancel_workflow_execution().domain(DOMAIN).workflow_id("w");
    refused!(cancel, Cancel::UnknownResourceFault);
    let terminate = swf.terminate_workflow_execution().domain(DOMAIN).workflow_id("w");
    refused!(terminate, Terminate::UnknownResourceFault);
}

#[tokio::test]
pub(crate) async fn of_lists_and_counts() {
    use count_closed_workflow_executions::CountClosedWorkflowExecutionsError as CountClosed;
    use count_open_workflow_executions::CountOpenWorkflowExecutionsError as CountOpen;
    use count_pending_activity_tasks::CountPendingActivityTasksError as CountActivities;
    use count_pending_decision_tasks::CountPendingDecisionTasksError as CountDecisions;
    use list_closed_workflow_executions::ListClosedWorkflowExecutionsError as ListClosed;
    use list_open_workflow_executions::ListOpenWorkflowExecutionsError as ListOpen;

    let desk = Desk::open().await;
    let swf = desk.swf();
    let list = swf.list_open_workflow_executions().domain(NOWHERE).start_time_filter(ever());
    refused!(list, ListOpen::UnknownResourceFault);
    let list = swf.list_closed_workflow_executions().domain(NOWHERE).start_time_filter(ever());
    refused!(list, ListClosed::UnknownResourceFault);
    let count = swf.count_open_workflow_executions().domain(NOWHERE).start_time_filter(ever());
    refused!(count, CountOpen::UnknownResourceFault);
    let count = swf.count_closed_workflow_executions().domain(NOWHERE).start_time_filter(ever());
    refused!(count, CountClosed::UnknownResourceFault);
    let count = swf.count_pending_activity_tasks().domain(NOWHERE).task_list(task_list("l"));
    refused!(count, CountActivities::UnknownResourceFault);
    let count = swf.count_pending_decision_tasks().domain(NOWHERE).task_list(task_list("l"));
    refused!(count, CountDecisions::UnknownResourceFault);
}

#[tokio::test]
pub(crate) async fn of_workers_and_deciders() {
    use poll_for_activity_task::PollForActivityTaskError as PollActivity;
    use poll_for_decision_task::PollForDecisionTaskError as PollDecision;
    use record_activity_task_heartbeat::RecordActivityTaskHeartbeatError as Beat;
    use respond_activity_task_canceled::RespondActivityTaskCanceledError as Canceled;
    use respond_activity_task_completed::RespondActivityTaskCompletedError as Completed;
    use respond_activity_task_failed::RespondActivityTaskFailedError as Failed;
    use respond_decision_task_completed::RespondDecisionTaskCompletedError as Decided;

    let desk = Desk::open().await;
    let swf = desk.swf();
    let poll = swf.poll_for_decision_task().domain(NOWHERE).task_list(task_list("l"));
    refused!(poll, PollDecision::UnknownResourceFault);
    let poll = swf.poll_for_activity_task().domain(NOWHERE).task_list(task_list("l"));
    refused!(poll, PollActivity::UnknownResourceFault);

    desk.start("w").await;
    let decided = desk.decision_task().await;
    desk.answer(&decided, [schedule("a")]).await;
    let again = swf.respond_decision_task_completed().task_token(&decided.task_token);
    refused!(again, Decided::UnknownResourceFault);
    let token = desk.activity_task().await.task_token;
    // Too late: the activity task has 50 seconds.
    desk.world.pass(60).await;
    let late = swf.respond_activity_task_completed().task_token(&token);
    refused!(late, Completed::UnknownResourceFault);
    let late = swf.respond_activity_task_failed().task_token(&token);
    refused!(late, Failed::UnknownResourceFault);
    let late = swf.respond_activity_task_canceled().task_token(&token);
    refused!(late, Canceled::UnknownResourceFault);
    let late = swf.record_activity_task_heartbeat().task_token(&token);
    refused!(late, Beat::UnknownResourceFault);
    let nonsense = swf.respond_activity_task_completed().task_token("nonsense");
    assert_eq!(code_of!(nonsense), "ValidationException");
}
