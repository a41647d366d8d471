use cpe_ports::ErrorKind;
use cpe_swf::DomainName;

use super::*;
use crate::fake::{self, Fake};

#[tokio::test]
async fn an_endpoint_on_this_machine_needs_nothing_else() {
    let fake = Fake::start([fake::ok("{}")]).await;
    let config = AwsConfig { endpoint_url: Some(fake.url.clone()), ..AwsConfig::default() };
    let aws = connect(config).await.unwrap();
    aws.workflows.describe_domain(&DomainName::from("cpe")).await.unwrap();
    let asked = fake.asked_once();
    assert_eq!(asked.text(), r#"{"name":"cpe"}"#);
    assert!(asked.header("authorization").contains("/swf/aws4_request"), "{asked:?}");
}

#[tokio::test]
async fn what_was_said_comes_before_what_is_found() {
    let fake = Fake::start([fake::ok("{}")]).await;
    let config = AwsConfig {
        endpoint_url: Some(fake.url.clone()),
        region: Some("eu-central-1".to_owned()),
        ..AwsConfig::default()
    };
    let aws = connect(config).await.unwrap();
    aws.workflows.describe_domain(&DomainName::from("cpe")).await.unwrap();
    let signed = fake.asked_once().header("authorization").to_owned();
    assert!(signed.contains("/eu-central-1/swf/"), "{signed}");
}

#[tokio::test]
async fn a_slip_in_the_endpoint_is_told_at_once() {
    let config =
        AwsConfig { endpoint_url: Some("localhost:4600".to_owned()), ..AwsConfig::default() };
    let error = connect(config).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "`localhost:4600` is not an endpoint: expected http://host:port or https://host"
    );
}

#[tokio::test]
async fn an_endpoint_that_is_not_there() {
    let fake = Fake::start([]).await;
    let (url, workflows) = (fake.url.clone(), fake.swf());
    // A listener that is closed again: nobody has the port.
    drop(fake);
    tokio::task::yield_now().await;
    let error = workflows.describe_domain(&DomainName::from("cpe")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.to_string(), format!("SWF at {url} cannot be reached (describe_domain)"));
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("refused"), "{cause}");
}

#[test]
fn what_is_missing_is_said_with_what_to_do() {
    let profile = || "staging".to_owned();
    let region = ConnectError::Region { profile: profile() }.to_string();
    assert!(region.contains("`staging`") && region.contains("set AWS_REGION"), "{region}");
    let credentials = ConnectError::Credentials { profile: profile(), source: "none".into() };
    let credentials = credentials.to_string();
    assert!(credentials.contains("AWS_ACCESS_KEY_ID"), "{credentials}");
}
