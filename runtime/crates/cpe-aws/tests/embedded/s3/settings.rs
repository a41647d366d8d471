//! What a bucket can be told: each document is put, got as it was, and deleted.

use aws_sdk_s3::types::*;

use super::{BUCKET, put, with_bucket};
use crate::world::World;

fn tagging(tags: &[(&str, &str)]) -> Tagging {
    let tag = |(key, value): &(&str, &str)| Tag::builder().key(*key).value(*value).build().unwrap();
    Tagging::builder().set_tag_set(Some(tags.iter().map(tag).collect())).build().unwrap()
}

#[tokio::test]
pub(crate) async fn tags() {
    let World { s3, .. } = with_bucket().await;
    let tags = tagging(&[("cost", "7"), ("team", "films")]);
    s3.put_bucket_tagging().bucket(BUCKET).tagging(tags.clone()).send().await.unwrap();
    let got = s3.get_bucket_tagging().bucket(BUCKET).send().await.unwrap();
    assert_eq!(got.tag_set(), tags.tag_set());
    s3.delete_bucket_tagging().bucket(BUCKET).send().await.unwrap();
    assert_eq!(code_of!(s3.get_bucket_tagging().bucket(BUCKET)), "NoSuchTagSet");
}

#[tokio::test]
pub(crate) async fn tags_of_objects() {
    let World { s3, .. } = with_bucket().await;
    put(&s3, "a", "1").await;
    let tags = tagging(&[("scene", "1 + 2")]);
    s3.put_object_tagging().bucket(BUCKET).key("a").tagging(tags.clone()).send().await.unwrap();
    let got = s3.get_object_tagging().bucket(BUCKET).key("a").send().await.unwrap();
    assert_eq!(got.tag_set(), tags.tag_set());
    let head = s3.get_object().bucket(BUCKET).key("a").send().await.unwrap();
    assert_eq!(head.tag_count(), Some(1));
    s3.delete_object_tagging().bucket(BUCKET).key("a").send().await.unwrap();
    let got = s3.get_object_tagging().bucket(BUCKET).key("a").send().await.unwrap();
    assert!(got.tag_set().is_empty());
}

#[tokio::test]
pub(crate) async fn policies() {
    let World { s3, .. } = with_bucket().await;
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::media/*"}]}"#;
    s3.put_bucket_policy().bucket(BUCKET).policy(policy).send().await.unwrap();
    let got = s3.get_bucket_policy().bucket(BUCKET).send().await.unwrap();
    assert_eq!(got.policy(), Some(policy));
    s3.delete_bucket_policy().bucket(BUCKET).send().await.unwrap();
    assert_eq!(code_of!(s3.get_bucket_policy().bucket(BUCKET)), "NoSuchBucketPolicy");
}

#[tokio::test]
pub(crate) async fn cors() {
    let World { s3, .. } = with_bucket().await;
    let rule = CorsRule::builder().id("r").allowed_methods("GET").allowed_methods("PUT");
    let rule = rule.allowed_origins("https://*.example.com").allowed_headers("*");
    let rule = rule.expose_headers("etag").max_age_seconds(600).build().unwrap();
    let document = CorsConfiguration::builder().cors_rules(rule.clone()).build().unwrap();
    s3.put_bucket_cors().bucket(BUCKET).cors_configuration(document).send().await.unwrap();
    let got = s3.get_bucket_cors().bucket(BUCKET).send().await.unwrap();
    assert_eq!(got.cors_rules(), [rule]);
    s3.delete_bucket_cors().bucket(BUCKET).send().await.unwrap();
    assert_eq!(code_of!(s3.get_bucket_cors().bucket(BUCKET)), "NoSuchCORSConfiguration");
}

#[tokio::test]
pub(crate) async fn lifecycles() {
    let World { s3, .. } = with_bucket().await;
    let rule = LifecycleRule::builder().id("old").status(ExpirationStatus::Enabled);
    let rule = rule.filter(LifecycleRuleFilter::builder().prefix("tmp/").build());
    let rule = rule.expiration(LifecycleExpiration::builder().days(3).build()).build().unwrap();
    let document = BucketLifecycleConfiguration::builder().rules(rule.clone()).build().unwrap();
    let set = s3.put_bucket_lifecycle_configuration().bucket(BUCKET);
    set.lifecycle_configuration(document).send().await.unwrap();
    let got = s3.get_bucket_lifecycle_configuration().bucket(BUCKET).send().await.unwrap();
    assert_eq!(got.rules(), [rule]);
    s3.delete_bucket_lifecycle().bucket(BUCKET).send().await.unwrap();
    let get = s3.get_bucket_lifecycle_configuration().bucket(BUCKET);
    assert_eq!(code_of!(get), "NoSuchLifecycleConfiguration");
}

#[tokio::test]
pub(crate) async fn public_access() {
    let World { s3, .. } = with_bucket().await;
    let document = PublicAccessBlockConfiguration::builder().block_public_acls(true);
    let document = document.ignore_public_acls(false).block_public_policy(true);
    let document = document.restrict_public_buckets(false).build();
    let set = s3.put_public_access_block().bucket(BUCKET);
    set.public_access_block_configuration(document.clone()).send().await.unwrap();
    let got = s3.get_public_access_block().bucket(BUCKET).send().await.unwrap();
    assert_eq!(got.public_access_block_configuration(), Some(&document));
    s3.delete_public_access_block().bucket(BUCKET).send().await.unwrap();
    let get = s3.get_public_access_block().bucket(BUCKET);
    assert_eq!(code_of!(get), "NoSuchPublicAccessBlockConfiguration");
}

#[tokio::test]
pub(crate) async fn ownership() {
    let World { s3, .. } = with_bucket().await;
    let rule = OwnershipControlsRule::builder();
    let rule = rule.object_ownership(ObjectOwnership::BucketOwnerEnforced).build().unwrap();
    let document = OwnershipControls::builder().rules(rule).build().unwrap();
    let set = s3.put_bucket_ownership_controls().bucket(BUCKET);
    set.ownership_controls(document.clone()).send().await.unwrap();
    let got = s3.get_bucket_ownership_controls().bucket(BUCKET).send().await.unwrap();
    assert_eq!(got.ownership_controls(), Some(&document));
    s3.delete_bucket_ownership_controls().bucket(BUCKET).send().await.unwrap();
    let get = s3.get_bucket_ownership_controls().bucket(BUCKET);
    assert_eq!(code_of!(get), "OwnershipControlsNotFoundError");
}

/// Who may do what, as a word for each grant.
fn grants(grants: &[Grant]) -> Vec<(Option<&str>, &str)> {
    let words = grants.iter().map(|grant| {
        let uri = grant.grantee().and_then(Grantee::uri);
        (uri.and_then(|uri| uri.rsplit('/').next()), grant.permission().unwrap().as_str())
    });
    words.collect()
}

#[tokio::test]
pub(crate) async fn access_control_lists() {
    let World { s3, .. } = with_bucket().await;
    put(&s3, "a", "1").await;
    let own = [(None, "FULL_CONTROL")];
    let public = [(None, "FULL_CONTROL"), (Some("AllUsers"), "READ")];
    let of_bucket = || s3.get_bucket_acl().bucket(BUCKET).send();
    assert_eq!(grants(of_bucket().await.unwrap().grants()), own);
    let set = s3.put_bucket_acl().bucket(BUCKET).acl(BucketCannedAcl::PublicRead);
    set.send().await.unwrap();
    assert_eq!(grants(of_bucket().await.unwrap().grants()), public);
    let of_object = || s3.get_object_acl().bucket(BUCKET).key("a").send();
    let got = of_object().await.unwrap();
    assert_eq!(grants(got.grants()), own);
    assert_eq!(got.owner().unwrap().id(), got.grants()[0].grantee().unwrap().id());
    let set = s3.put_object_acl().bucket(BUCKET).key("a").acl(ObjectCannedAcl::PublicRead);
    set.send().await.unwrap();
    assert_eq!(grants(of_object().await.unwrap().grants()), public);
}
