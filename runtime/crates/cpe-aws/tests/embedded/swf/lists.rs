//! Lists and counts of executions: filters, orders, pages.

use aws_sdk_swf::{
    primitives::DateTime,
    types::{
        CloseStatus, CloseStatusFilter, ExecutionTimeFilter, TagFilter, WorkflowExecutionFilter,
        WorkflowExecutionInfo, WorkflowTypeFilter,
    },
};
use expect_test::expect;

use super::{
    Desk,
    desk::{DOMAIN, execution, task_list, workflow_type},
    making::{complete, fail},
    story::shape,
};
use crate::world::START;

fn since(seconds: i64) -> ExecutionTimeFilter {
    let oldest = DateTime::from_secs(START + seconds);
    ExecutionTimeFilter::builder().oldest_date(oldest).build().unwrap()
}

fn between(first: i64, last: i64) -> ExecutionTimeFilter {
    let [oldest, latest] = [first, last].map(|seconds| DateTime::from_secs(START + seconds));
    ExecutionTimeFilter::builder().oldest_date(oldest).latest_date(latest).build().unwrap()
}

fn of_type(name: &str, version: Option<&str>) -> WorkflowTypeFilter {
    let filter = WorkflowTypeFilter::builder().name(name);
    filter.set_version(version.map(str::to_owned)).build().unwrap()
}

fn tagged(tag: &str) -> TagFilter {
    TagFilter::builder().tag(tag).build().unwrap()
}

fn with_id(workflow_id: &str) -> WorkflowExecutionFilter {
    WorkflowExecutionFilter::builder().workflow_id(workflow_id).build().unwrap()
}

fn closed_as(status: CloseStatus) -> CloseStatusFilter {
    CloseStatusFilter::builder().status(status).build().unwrap()
}

fn ids(infos: &[WorkflowExecutionInfo]) -> String {
    let ids = infos.iter().map(|info| info.execution.as_ref().unwrap().workflow_id.as_str());
    ids.collect::<Vec<_>>().join(" ")
}

/// Executions `a` to `e`, one started each second, of `W@1` and `V@1` in turns, `b` and `c` with
/// the tag `red`. The first `closed` are closed, a second apart: failed and completed in turns.
async fn five(closed: usize) -> Desk {
    let desk = Desk::open().await;
    let swf = desk.swf();
    let kind = swf.register_workflow_type().domain(DOMAIN).name("V").version("1");
    let kind = kind.default_execution_start_to_close_timeout("9999");
    let kind = kind.default_child_policy(aws_sdk_swf::types::ChildPolicy::Abandon);
    kind.default_task_start_to_close_timeout("99").send().await.unwrap();
    for (index, id) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
        let kind = if index % 2 == 0 { "W" } else { "V" };
        let start = swf.start_workflow_execution().domain(DOMAIN).workflow_id(id);
        let start = start.workflow_type(workflow_type(kind, "1")).task_list(task_list("dl"));
        let start = if "bc".contains(id) { start.tag_list("red") } else { start };
        start.tag_list("all").send().await.unwrap();
        desk.world.pass(1).await;
    }
    for index in 0..closed {
        let end = if index % 2 == 0 { fail("", "") } else { complete("") };
        desk.decide([end]).await;
        desk.world.pass(1).await;
    }
    desk
}

#[tokio::test]
pub(crate) async fn show_open_executions() {
    let desk = five(0).await;
    let list = || desk.swf().list_open_workflow_executions().domain(DOMAIN);
    let all = list().start_time_filter(since(0)).send().await.unwrap().execution_infos;
    assert_eq!(ids(&all), "e d c b a");
    let mut first = all[3].clone();
    first.execution = Some(execution("b", "?"));
    expect![[r#"execution.workflow_id="b" execution.run_id="?" workflow_type.name="V" workflow_type.version="1" start_timestamp=2001-09-09T01:46:41Z execution_status=Open tag_list="red" tag_list="all" cancel_requested=false"#]].assert_eq(&shape(&first));
    let reverse = list().start_time_filter(since(0)).reverse_order(true).send().await.unwrap();
    assert_eq!(ids(&reverse.execution_infos), "a b c d e");
    let some = list().start_time_filter(between(1, 3)).send().await.unwrap().execution_infos;
    assert_eq!(ids(&some), "d c b");
    let list = || list().start_time_filter(since(0));
    let some = list().type_filter(of_type("V", Some("1"))).send().await.unwrap().execution_infos;
    assert_eq!(ids(&some), "d b");
    let none = list().type_filter(of_type("V", Some("2"))).send().await.unwrap().execution_infos;
    assert_eq!(ids(&none), "");
    let some = list().type_filter(of_type("W", None)).send().await.unwrap().execution_infos;
    assert_eq!(ids(&some), "e c a");
    let some = list().tag_filter(tagged("red")).send().await.unwrap().execution_infos;
    assert_eq!(ids(&some), "c b");
    let some = list().execution_filter(with_id("d")).send().await.unwrap().execution_infos;
    assert_eq!(ids(&some), "d");
    let two = list().tag_filter(tagged("red")).execution_filter(with_id("d"));
    assert_eq!(code_of!(two), "ValidationException");
}

#[tokio::test]
pub(crate) async fn show_closed_executions() {
    let desk = five(4).await;
    let list = || desk.swf().list_closed_workflow_executions().domain(DOMAIN);
    let started = list().start_time_filter(between(1, 9)).send().await.unwrap().execution_infos;
    assert_eq!(ids(&started), "d c b");
    let closed = list().close_time_filter(between(5, 6)).send().await.unwrap().execution_infos;
    assert_eq!(ids(&closed), "b a");
    let closed = list().close_time_filter(since(0)).reverse_order(true).send().await.unwrap();
    assert_eq!(ids(&closed.execution_infos), "a b c d");
    let list = || list().start_time_filter(since(0));
    let failed = list().close_status_filter(closed_as(CloseStatus::Failed)).send().await.unwrap();
    assert_eq!(ids(&failed.execution_infos), "c a");
    let some = list().tag_filter(tagged("red")).send().await.unwrap().execution_infos;
    assert_eq!(ids(&some), "c b");
    let some = list().execution_filter(with_id("a")).send().await.unwrap().execution_infos;
    assert_eq!(ids(&some), "a");
    let mut first = some[0].clone();
    first.execution = Some(execution("a", "?"));
    expect![[r#"execution.workflow_id="a" execution.run_id="?" workflow_type.name="W" workflow_type.version="1" start_timestamp=2001-09-09T01:46:40Z close_timestamp=2001-09-09T01:46:45Z execution_status=Closed close_status=Failed tag_list="all" cancel_requested=false"#]].assert_eq(&shape(&first));
    let some = list().type_filter(of_type("V", None)).send().await.unwrap().execution_infos;
    assert_eq!(ids(&some), "d b");
    let both = list().close_time_filter(since(0));
    assert_eq!(code_of!(both), "ValidationException");
    let neither = desk.swf().list_closed_workflow_executions().domain(DOMAIN);
    assert_eq!(code_of!(neither), "ValidationException");
}

#[tokio::test]
pub(crate) async fn come_in_pages() {
    let desk = five(0).await;
    let list = desk.swf().list_open_workflow_executions().domain(DOMAIN);
    let list = list.start_time_filter(since(0)).maximum_page_size(2);
    let mut pages = list.into_paginator().send();
    let mut seen = Vec::new();
    while let Some(page) = pages.next().await {
        seen.push(ids(&page.unwrap().execution_infos));
    }
    assert_eq!(seen, ["e d", "c b", "a"]);

    let desk = five(5).await;
    let list = || desk.swf().list_closed_workflow_executions().domain(DOMAIN);
    let page = list().close_time_filter(since(0)).maximum_page_size(3).send().await.unwrap();
    assert_eq!(ids(&page.execution_infos), "e d c");
    let token = page.next_page_token.unwrap();
    let rest = list().close_time_filter(since(0)).next_page_token(&token).send().await.unwrap();
    assert_eq!((ids(&rest.execution_infos).as_str(), rest.next_page_token), ("b a", None));
    let nonsense = list().close_time_filter(since(0)).next_page_token("nonsense");
    assert_eq!(code_of!(nonsense), "ValidationException");
}

#[tokio::test]
pub(crate) async fn are_counted() {
    let desk = five(3).await;
    let open =
        || desk.swf().count_open_workflow_executions().domain(DOMAIN).start_time_filter(since(0));
    let all = open().send().await.unwrap();
    assert_eq!((all.count, all.truncated), (2, false));
    assert_eq!(open().type_filter(of_type("V", None)).send().await.unwrap().count, 1);
    assert_eq!(open().tag_filter(tagged("red")).send().await.unwrap().count, 0);
    assert_eq!(open().execution_filter(with_id("e")).send().await.unwrap().count, 1);
    let closed = || desk.swf().count_closed_workflow_executions().domain(DOMAIN);
    assert_eq!(closed().start_time_filter(since(0)).send().await.unwrap().count, 3);
    assert_eq!(closed().close_time_filter(between(5, 6)).send().await.unwrap().count, 2);
    let closed = || closed().start_time_filter(since(0));
    assert_eq!(closed().tag_filter(tagged("red")).send().await.unwrap().count, 2);
    assert_eq!(closed().type_filter(of_type("W", None)).send().await.unwrap().count, 2);
    assert_eq!(closed().execution_filter(with_id("a")).send().await.unwrap().count, 1);
    let completed = closed_as(CloseStatus::Completed);
    assert_eq!(closed().close_status_filter(completed).send().await.unwrap().count, 1);
}
