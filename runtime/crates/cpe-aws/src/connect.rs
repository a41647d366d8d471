//! From a configuration to the three ports: which endpoint, which credentials, which patience.

use std::{error::Error as StdError, sync::Arc, time::Duration};

use aws_config::{
    SdkConfig, retry::RetryConfig, stalled_stream_protection::StalledStreamProtectionConfig,
    timeout::TimeoutConfig,
};
use aws_smithy_http_client::{ConnectorBuilder, proxy::ProxyConfig, tls};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use cpe_ports::{Account, BlobStore, MessageQueue, WorkflowService};

use crate::{
    account::SdkAccount,
    credentials,
    endpoint::{Endpoint, Place},
    s3::S3,
    sqs::Sqs,
    swf::Swf,
};

/// What may be said about the connection. Everything that is not is looked for the AWS way:
/// environment, profile, instance role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AwsConfig {
    /// For all services, instead of AWS's own endpoints.
    pub endpoint_url: Option<String>,
    pub region: Option<String>,
    pub profile: Option<String>,
}

/// The ports. Clones share connections.
#[derive(Debug, Clone)]
pub struct Aws {
    pub workflows: Arc<dyn WorkflowService>,
    pub queues: Arc<dyn MessageQueue>,
    pub blobs: Arc<dyn BlobStore>,
    pub account: Arc<dyn Account>,
}

/// What is missing before a first request can be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    #[error("`{url}` is not an endpoint: expected http://host:port or https://host")]
    Endpoint { url: String },
    #[error(
        "no AWS region was found in AWS_REGION, in the profile `{profile}` or in the instance's \
         metadata; set AWS_REGION, or AWS_ENDPOINT_URL to use an endpoint of your own"
    )]
    Region { profile: String },
    #[error(
        "no AWS credentials were found in the environment (AWS_ACCESS_KEY_ID and \
         AWS_SECRET_ACCESS_KEY), in the profile `{profile}` or in a role of this container or \
         instance; set one of these, or AWS_ENDPOINT_URL to use an endpoint of your own"
    )]
    Credentials {
        profile: String,
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
}

/// How long a service may take.
const CONNECT: Duration = Duration::from_secs(5);
const CALL: Duration = Duration::from_secs(30);
/// SWF holds a poll for 60 s, SQS for 20 s; then the answer has to travel.
const SWF_POLL: Duration = Duration::from_secs(80);
const SQS_RECEIVE: Duration = Duration::from_secs(35);
/// Until the first byte of the answer: with uploads, the upload is part of that.
const S3_TRANSFER: Duration = Duration::from_secs(300);
/// For so long a body may stand still.
const S3_STALL: Duration = Duration::from_secs(60);

/// Finds endpoint, region and credentials, and makes the ports. Asks no service anything yet.
///
/// With an endpoint on this machine nothing else is needed: region and credentials are made up
/// where there are none.
pub async fn connect(config: AwsConfig) -> Result<Aws, ConnectError> {
    // Before anything is looked for: a slip in the command line should not cost a search.
    config.endpoint_url.as_deref().map(Endpoint::parse).transpose()?;
    let sdk = credentials::load(&config).await;
    let endpoint = |service_id| Endpoint::of(&sdk, service_id, config.endpoint_url.is_some());
    let [swf, sqs, s3] = [endpoint("SWF")?, endpoint("SQS")?, endpoint("S3")?];
    let local = [&swf, &sqs, &s3].iter().all(|e| e.as_ref().is_some_and(|e| e.loopback));
    let mut sdk = credentials::complete(&config, sdk, local).await?;
    if local {
        sdk = sdk.into_builder().http_client(direct()).build();
    }
    Ok(Aws {
        workflows: Arc::new(workflows(&sdk, swf.as_ref())),
        queues: Arc::new(queues(&sdk, sqs.as_ref())),
        blobs: Arc::new(blobs(&sdk, s3.as_ref())),
        account: Arc::new(account(&sdk, swf.as_ref())),
    })
}

pub(crate) fn workflows(sdk: &SdkConfig, endpoint: Option<&Endpoint>) -> Swf {
    let mut config = aws_sdk_swf::config::Builder::from(sdk)
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    config.set_endpoint_url(endpoint.map(|endpoint| endpoint.url.clone()));
    let polls = config
        .clone()
        .timeout_config(within(SWF_POLL))
        // The poller's own loop tries again, after a look at whether it should.
        .retry_config(RetryConfig::disabled());
    let calls = config.timeout_config(within(CALL));
    let once = calls.clone().retry_config(RetryConfig::disabled());
    Swf {
        calls: aws_sdk_swf::Client::from_conf(calls.build()),
        polls: aws_sdk_swf::Client::from_conf(polls.build()),
        once: aws_sdk_swf::Client::from_conf(once.build()),
        place: place("SWF", sdk, endpoint),
    }
}

pub(crate) fn queues(sdk: &SdkConfig, endpoint: Option<&Endpoint>) -> Sqs {
    let mut config = aws_sdk_sqs::config::Builder::from(sdk)
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(within(SQS_RECEIVE));
    config.set_endpoint_url(endpoint.map(|endpoint| endpoint.url.clone()));
    Sqs {
        client: aws_sdk_sqs::Client::from_conf(config.build()),
        place: place("SQS", sdk, endpoint),
    }
}

pub(crate) fn blobs(sdk: &SdkConfig, endpoint: Option<&Endpoint>) -> S3 {
    use aws_sdk_s3::config::{Builder, RequestChecksumCalculation, ResponseChecksumValidation};

    let stalls = StalledStreamProtectionConfig::enabled().grace_period(S3_STALL).build();
    let mut config = Builder::from(sdk).stalled_stream_protection(stalls);
    config.set_endpoint_url(endpoint.map(|endpoint| endpoint.url.clone()));
    if endpoint.is_some() {
        // Others than AWS rarely have a host name for each bucket, and not all know the newer
        // checksums.
        config = config
            .force_path_style(true)
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    }
    let waiting = |first_byte| {
        TimeoutConfig::builder().connect_timeout(CONNECT).read_timeout(first_byte).build()
    };
    let transfers = config.clone().timeout_config(waiting(S3_TRANSFER));
    S3 {
        calls: aws_sdk_s3::Client::from_conf(config.timeout_config(waiting(CALL)).build()),
        transfers: aws_sdk_s3::Client::from_conf(transfers.build()),
        region: sdk.region().map(|region| region.as_ref().to_owned()).unwrap_or_default(),
        place: place("S3", sdk, endpoint),
    }
}

pub(crate) fn account(sdk: &SdkConfig, endpoint: Option<&Endpoint>) -> SdkAccount {
    let (timeout, retry) = (within(CALL), RetryConfig::disabled());
    let mut swf = aws_sdk_swf::config::Builder::from(sdk)
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(timeout.clone())
        .retry_config(retry.clone());
    swf.set_endpoint_url(endpoint.map(|endpoint| endpoint.url.clone()));
    let sts = endpoint.is_none().then(|| {
        let sts = aws_sdk_sts::config::Builder::from(sdk).timeout_config(timeout);
        aws_sdk_sts::Client::from_conf(sts.retry_config(retry).build())
    });
    SdkAccount {
        credentials: sdk.credentials_provider(),
        sts,
        swf: aws_sdk_swf::Client::from_conf(swf.build()),
        place: place("SWF", sdk, endpoint),
    }
}

/// Of one attempt, body included.
fn within(attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .read_timeout(attempt)
        .operation_attempt_timeout(attempt + CONNECT)
        .build()
}

fn place(service: &'static str, sdk: &SdkConfig, endpoint: Option<&Endpoint>) -> Place {
    let at = match (endpoint, sdk.region()) {
        (Some(endpoint), _) => endpoint.url.clone(),
        (None, Some(region)) => format!("AWS, {region}"),
        (None, None) => "AWS".to_owned(),
    };
    Place { service, at }
}

/// Like the SDK's own client, but past any proxy of the environment: it could not reach this
/// machine's loopback.
pub(crate) fn direct() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().build_with_connector_fn(|settings, components| {
        let provider = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc);
        let mut connector = ConnectorBuilder::default().tls_provider(provider);
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        connector.set_proxy_config(Some(ProxyConfig::disabled()));
        connector.build()
    })
}

#[cfg(test)]
mod tests;
