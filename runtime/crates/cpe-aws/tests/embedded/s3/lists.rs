//! Lists of objects: both versions, in pages, folded at a delimiter.

use aws_sdk_s3::types::{CommonPrefix, EncodingType, Object};

use super::{BUCKET, put, with_bucket};
use crate::world::{START, World};

const KEYS: [&str; 6] = ["a", "b/1", "b/2", "b/c/3", "d/4", "é&"];

async fn six() -> World {
    let world = with_bucket().await;
    for key in KEYS {
        put(&world.s3, key, key).await;
    }
    world
}

/// Keys, then what was folded.
fn names(objects: &[Object], folded: &[CommonPrefix]) -> String {
    let keys = objects.iter().map(|object| object.key().unwrap().to_owned());
    let prefixes = folded.iter().map(|prefix| format!("[{}]", prefix.prefix().unwrap()));
    keys.chain(prefixes).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
pub(crate) async fn of_the_second_version() {
    let World { s3, .. } = six().await;
    let list = || s3.list_objects_v2().bucket(BUCKET);
    let all = list().fetch_owner(true).send().await.unwrap();
    assert_eq!(names(all.contents(), all.common_prefixes()), KEYS.join(" "));
    assert_eq!(
        (all.key_count(), all.is_truncated(), all.max_keys()),
        (Some(6), Some(false), Some(1_000))
    );
    let last = &all.contents()[5];
    assert_eq!((last.size(), last.last_modified().unwrap().secs()), (Some(3), START));
    assert!(last.e_tag().is_some() && last.owner().is_some());
    let folded = list().delimiter("/").send().await.unwrap();
    assert_eq!(names(folded.contents(), folded.common_prefixes()), "a é& [b/] [d/]");
    let some = list().prefix("b/").delimiter("/").send().await.unwrap();
    assert_eq!(names(some.contents(), some.common_prefixes()), "b/1 b/2 [b/c/]");
    let some = list().start_after("b/2").encoding_type(EncodingType::Url).send().await.unwrap();
    assert_eq!(names(some.contents(), some.common_prefixes()), "b/c/3 d/4 %C3%A9%26");

    let mut pages = Vec::new();
    let mut paginator = list().delimiter("/").max_keys(2).into_paginator().send();
    while let Some(page) = paginator.next().await {
        let page = page.unwrap();
        pages.push(names(page.contents(), page.common_prefixes()));
    }
    assert_eq!(pages, ["a [b/]", "é& [d/]"]);
}

#[tokio::test]
pub(crate) async fn of_the_first_version() {
    let World { s3, .. } = six().await;
    let list = || s3.list_objects().bucket(BUCKET).delimiter("/");
    let folded = list().send().await.unwrap();
    assert_eq!(names(folded.contents(), folded.common_prefixes()), "a é& [b/] [d/]");
    let first = list().max_keys(2).send().await.unwrap();
    assert_eq!(names(first.contents(), first.common_prefixes()), "a [b/]");
    assert_eq!((first.is_truncated(), first.next_marker()), (Some(true), Some("b/")));
    let rest = list().marker("b/").send().await.unwrap();
    assert_eq!(names(rest.contents(), rest.common_prefixes()), "é& [d/]");
    assert_eq!((rest.is_truncated(), rest.next_marker()), (Some(false), None));
}
