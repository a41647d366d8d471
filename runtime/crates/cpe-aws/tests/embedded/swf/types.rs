//! Workflow types and activity types.

use aws_sdk_swf::types::{ChildPolicy, RegistrationStatus};
use expect_test::expect;

use super::{
    Desk,
    desk::{DOMAIN, activity_type, task_list, workflow_type},
    story::shape,
};

#[tokio::test]
pub(crate) async fn of_workflows_live_and_are_deleted() {
    let desk = Desk::open().await;
    let swf = desk.swf();
    let kind = swf.register_workflow_type().domain(DOMAIN).name("Film").version("2");
    kind.description("A film")
        .default_task_start_to_close_timeout("NONE")
        .default_execution_start_to_close_timeout("60")
        .default_task_list(task_list("films"))
        .default_task_priority("-7")
        .default_child_policy(ChildPolicy::RequestCancel)
        .default_lambda_role("arn:aws:iam::123456789012:role/r")
        .send()
        .await
        .unwrap();
    let film = workflow_type("Film", "2");
    let describe = || swf.describe_workflow_type().domain(DOMAIN).workflow_type(film.clone());
    expect![[r#"type_info.workflow_type.name="Film" type_info.workflow_type.version="2" type_info.status=Registered type_info.description="A film" type_info.creation_date=2001-09-09T01:46:40Z configuration.default_task_start_to_close_timeout="NONE" configuration.default_execution_start_to_close_timeout="60" configuration.default_task_list.name="films" configuration.default_task_priority="-7" configuration.default_child_policy=RequestCancel configuration.default_lambda_role="arn:aws:iam::123456789012:role/r""#]].assert_eq(&shape(&describe().send().await.unwrap()));

    desk.world.pass(3).await;
    let deprecate = swf.deprecate_workflow_type().domain(DOMAIN).workflow_type(film.clone());
    deprecate.send().await.unwrap();
    let info = describe().send().await.unwrap().type_info.unwrap();
    assert_eq!(info.status, RegistrationStatus::Deprecated);
    let lived = info.deprecation_date.unwrap().secs() - info.creation_date.secs();
    assert_eq!(lived, 3);

    let again = swf.undeprecate_workflow_type().domain(DOMAIN).workflow_type(film.clone());
    again.clone().send().await.unwrap();
    let info = describe().send().await.unwrap().type_info.unwrap();
    assert_eq!((info.status, info.deprecation_date), (RegistrationStatus::Registered, None));

    let deprecate = swf.deprecate_workflow_type().domain(DOMAIN).workflow_type(film.clone());
    deprecate.send().await.unwrap();
    let delete = swf.delete_workflow_type().domain(DOMAIN).workflow_type(film.clone());
    delete.send().await.unwrap();
    assert!(describe().send().await.is_err());
}

#[tokio::test]
pub(crate) async fn of_activities_live_and_are_deleted() {
    let desk = Desk::open().await;
    let swf = desk.swf();
    let kind = swf.register_activity_type().domain(DOMAIN).name("Cut").version("2");
    kind.description("A cut")
        .default_task_start_to_close_timeout("1")
        .default_task_heartbeat_timeout("2")
        .default_task_schedule_to_start_timeout("3")
        .default_task_schedule_to_close_timeout("NONE")
        .default_task_list(task_list("cuts"))
        .default_task_priority("7")
        .send()
        .await
        .unwrap();
    let cut = activity_type("Cut", "2");
    let describe = || swf.describe_activity_type().domain(DOMAIN).activity_type(cut.clone());
    expect![[r#"type_info.activity_type.name="Cut" type_info.activity_type.version="2" type_info.status=Registered type_info.description="A cut" type_info.creation_date=2001-09-09T01:46:40Z configuration.default_task_start_to_close_timeout="1" configuration.default_task_heartbeat_timeout="2" configuration.default_task_list.name="cuts" configuration.default_task_priority="7" configuration.default_task_schedule_to_start_timeout="3" configuration.default_task_schedule_to_close_timeout="NONE""#]].assert_eq(&shape(&describe().send().await.unwrap()));

    let deprecate = swf.deprecate_activity_type().domain(DOMAIN).activity_type(cut.clone());
    deprecate.clone().send().await.unwrap();
    let info = describe().send().await.unwrap().type_info.unwrap();
    assert_eq!(info.status, RegistrationStatus::Deprecated);
    assert!(info.deprecation_date.is_some());
    let again = swf.undeprecate_activity_type().domain(DOMAIN).activity_type(cut.clone());
    again.send().await.unwrap();
    let info = describe().send().await.unwrap().type_info.unwrap();
    assert_eq!((info.status, info.deprecation_date), (RegistrationStatus::Registered, None));
    deprecate.send().await.unwrap();
    let delete = swf.delete_activity_type().domain(DOMAIN).activity_type(cut.clone());
    delete.send().await.unwrap();
    assert!(describe().send().await.is_err());
}

/// Names and versions, as lists show them.
macro_rules! listed {
    ($infos:expr, $kind:ident) => {{
        let infos = $infos.type_infos.into_iter();
        let kinds = infos.map(|info| info.$kind.unwrap());
        kinds.map(|kind| format!("{}@{}", kind.name, kind.version)).collect::<Vec<_>>().join(" ")
    }};
}

#[tokio::test]
pub(crate) async fn of_workflows_are_listed() {
    let desk = Desk::open().await;
    let swf = desk.swf();
    for (name, version) in [("B", "1"), ("B", "2"), ("C", "1")] {
        let kind = swf.register_workflow_type().domain(DOMAIN).name(name).version(version);
        kind.send().await.unwrap();
    }
    let gone = swf.deprecate_workflow_type().domain(DOMAIN).workflow_type(workflow_type("C", "1"));
    gone.send().await.unwrap();
    let list = |status| swf.list_workflow_types().domain(DOMAIN).registration_status(status);
    let registered = || list(RegistrationStatus::Registered);
    assert_eq!(listed!(registered().send().await.unwrap(), workflow_type), "B@1 B@2 W@1");
    let reverse = registered().reverse_order(true).send().await.unwrap();
    assert_eq!(listed!(reverse, workflow_type), "W@1 B@2 B@1");
    let named = registered().name("W").send().await.unwrap();
    assert_eq!(listed!(named, workflow_type), "W@1");
    let deprecated = list(RegistrationStatus::Deprecated).send().await.unwrap();
    assert_eq!(listed!(deprecated, workflow_type), "C@1");
    let first = registered().maximum_page_size(2).send().await.unwrap();
    let token = first.next_page_token.clone().unwrap();
    assert_eq!(listed!(first, workflow_type), "B@1 B@2");
    let second = registered().maximum_page_size(2).next_page_token(token).send().await.unwrap();
    assert_eq!(second.next_page_token, None);
    assert_eq!(listed!(second, workflow_type), "W@1");
}

#[tokio::test]
pub(crate) async fn of_activities_are_listed() {
    let desk = Desk::open().await;
    let swf = desk.swf();
    for (name, version) in [("B", "1"), ("B", "2"), ("C", "1")] {
        let kind = swf.register_activity_type().domain(DOMAIN).name(name).version(version);
        kind.send().await.unwrap();
    }
    let gone = swf.deprecate_activity_type().domain(DOMAIN).activity_type(activity_type("C", "1"));
    gone.send().await.unwrap();
    let list = |status| swf.list_activity_types().domain(DOMAIN).registration_status(status);
    let registered = || list(RegistrationStatus::Registered);
    let named = registered().name("B").reverse_order(true).send().await.unwrap();
    assert_eq!(listed!(named, activity_type), "B@2 B@1");
    let deprecated = list(RegistrationStatus::Deprecated).send().await.unwrap();
    assert_eq!(listed!(deprecated, activity_type), "C@1");
    let first = registered().maximum_page_size(2).send().await.unwrap();
    let token = first.next_page_token.clone().unwrap();
    assert_eq!(listed!(first, activity_type), "A@1 B@1");
    let second = registered().maximum_page_size(2).next_page_token(token).send().await.unwrap();
    assert_eq!(second.next_page_token, None);
    assert_eq!(listed!(second, activity_type), "B@2");
}
