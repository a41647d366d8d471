//! Domains, and their tags.

use aws_sdk_swf::types::{RegistrationStatus, ResourceTag};
use expect_test::expect;

use super::{Desk, story::shape};
use crate::world::World;

fn tag(key: &str, value: &str) -> ResourceTag {
    ResourceTag::builder().key(key).value(value).build().unwrap()
}

#[tokio::test]
pub(crate) async fn are_registered_described_and_deprecated() {
    let World { swf, .. } = World::start().await;
    let domain = swf.register_domain().name("films").description("All of them");
    domain.workflow_execution_retention_period_in_days("30").send().await.unwrap();
    let described = swf.describe_domain().name("films").send().await.unwrap();
    expect![[r#"domain_info.name="films" domain_info.status=Registered domain_info.description="All of them" domain_info.arn="arn:aws:swf:us-east-1:123456789012:/domain/films" configuration.workflow_execution_retention_period_in_days="30""#]].assert_eq(&shape(&described));

    swf.deprecate_domain().name("films").send().await.unwrap();
    let info = swf.describe_domain().name("films").send().await.unwrap().domain_info.unwrap();
    assert_eq!(info.status, RegistrationStatus::Deprecated);
    swf.undeprecate_domain().name("films").send().await.unwrap();
    let info = swf.describe_domain().name("films").send().await.unwrap().domain_info.unwrap();
    assert_eq!(info.status, RegistrationStatus::Registered);
}

#[tokio::test]
pub(crate) async fn are_listed_by_status_in_both_orders_and_in_pages() {
    let desk = Desk::open().await;
    for name in ["a", "b", "c", "e"] {
        desk.register_domain(name).await;
    }
    desk.swf().deprecate_domain().name("b").send().await.unwrap();
    let list = |status: RegistrationStatus| desk.swf().list_domains().registration_status(status);
    let deprecated = list(RegistrationStatus::Deprecated).send().await.unwrap().domain_infos;
    assert_eq!(deprecated.iter().map(|d| &*d.name).collect::<Vec<_>>(), ["b"]);
    assert_eq!(deprecated[0].status, RegistrationStatus::Deprecated);

    let mut pages = Vec::new();
    let mut paginator =
        list(RegistrationStatus::Registered).maximum_page_size(3).into_paginator().send();
    while let Some(page) = paginator.next().await {
        let infos = page.unwrap().domain_infos;
        pages.push(infos.into_iter().map(|info| info.name).collect::<String>());
    }
    assert_eq!(pages, ["acd", "e"]);
    let reverse = list(RegistrationStatus::Registered).reverse_order(true).send().await.unwrap();
    let names: String = reverse.domain_infos.into_iter().map(|info| info.name).collect();
    assert_eq!(names, "edca");
}

#[tokio::test]
pub(crate) async fn are_tagged() {
    let World { swf, .. } = World::start().await;
    let domain = swf.register_domain().name("d").tags(tag("team", "films"));
    domain.workflow_execution_retention_period_in_days("NONE").send().await.unwrap();
    let info = swf.describe_domain().name("d").send().await.unwrap().domain_info.unwrap();
    let arn = info.arn.unwrap();
    let add = swf.tag_resource().resource_arn(&arn);
    add.tags(tag("team", "sound")).tags(tag("cost", "7")).send().await.unwrap();
    let tags = swf.list_tags_for_resource().resource_arn(&arn).send().await.unwrap();
    assert_eq!(tags.tags.unwrap(), [tag("team", "sound"), tag("cost", "7")]);
    swf.untag_resource().resource_arn(&arn).tag_keys("team").send().await.unwrap();
    let tags = swf.list_tags_for_resource().resource_arn(&arn).send().await.unwrap();
    assert_eq!(tags.tags.unwrap(), [tag("cost", "7")]);
}
