//! Region and credentials: found the way AWS's own tools find them, and made up for an endpoint
//! on this machine, where nobody checks them.

use std::time::Duration;

use aws_config::{
    BehaviorVersion, ConfigLoader, SdkConfig,
    environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider},
    imds::region::ImdsRegionProvider,
    meta::{
        credentials::CredentialsProviderChain,
        region::{ProvideRegion, RegionProviderChain},
    },
    profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider},
};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError},
};
use aws_types::region::Region;
use tracing::debug;

use crate::{AwsConfig, ConnectError};

/// How long the search for credentials may take. Instance metadata that does not answer costs
/// most of it.
const SEARCH: Duration = Duration::from_secs(20);
const LOCAL_REGION: &str = "us-east-1";
pub(crate) const LOCAL_KEY: &str = "local";

/// What profile and environment say. Asks nothing of the network: the metadata service, which
/// makes every other machine wait, has its turn in [`complete`], and so have credentials, whose
/// search begins with that of a region.
pub(crate) async fn load(config: &AwsConfig) -> SdkConfig {
    let mut profile = ProfileFileRegionProvider::builder();
    if let Some(name) = &config.profile {
        profile = profile.profile_name(name);
    }
    let region = RegionProviderChain::first_try(config.region.clone().map(Region::new))
        .or_else(EnvironmentVariableRegionProvider::new())
        .or_else(profile.build());
    loader(config, region).no_credentials().load().await
}

/// Completes `sdk` with a region and with credentials that are known to be there.
pub(crate) async fn complete(
    config: &AwsConfig,
    sdk: SdkConfig,
    local: bool,
) -> Result<SdkConfig, ConnectError> {
    if local {
        let region = sdk.region().cloned().unwrap_or_else(|| Region::from_static(LOCAL_REGION));
        let credentials = local_credentials(config).await;
        return Ok(sdk.into_builder().region(region).credentials_provider(credentials).build());
    }
    let region = match sdk.region() {
        Some(region) => region.clone(),
        None => instance_region(config).await?,
    };
    let sdk = loader(config, Some(region)).load().await;
    let refused = |source: CredentialsError| ConnectError::Credentials {
        profile: profile_name(config),
        source: source.into(),
    };
    let provider = sdk
        .credentials_provider()
        .ok_or_else(|| refused(CredentialsError::not_loaded_no_source()))?;
    search(&provider).await.map_err(refused)?;
    Ok(sdk)
}

fn loader(config: &AwsConfig, region: impl ProvideRegion + 'static) -> ConfigLoader {
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).region(region);
    if let Some(profile) = &config.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(url) = &config.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    loader
}

async fn instance_region(config: &AwsConfig) -> Result<Region, ConnectError> {
    ImdsRegionProvider::builder()
        .build()
        .region()
        .await
        .ok_or_else(|| ConnectError::Region { profile: profile_name(config) })
}

/// Those of environment or profile, if they are there; else made up. Instance roles are not asked:
/// that takes seconds where there are none.
async fn local_credentials(config: &AwsConfig) -> SharedCredentialsProvider {
    let mut profile = ProfileFileCredentialsProvider::builder();
    if let Some(name) = &config.profile {
        profile = profile.profile_name(name);
    }
    let chain = CredentialsProviderChain::first_try(
        "Environment",
        EnvironmentVariableCredentialsProvider::new(),
    )
    .or_else("Profile", profile.build());
    match search(&chain).await {
        Ok(_) => SharedCredentialsProvider::new(chain),
        Err(error) => {
            debug!(%error, "The local endpoint is used with made-up credentials");
            let made_up = Credentials::from_keys(LOCAL_KEY, LOCAL_KEY, None);
            SharedCredentialsProvider::new(made_up)
        }
    }
}

async fn search(provider: &impl ProvideCredentials) -> Result<Credentials, CredentialsError> {
    tokio::time::timeout(SEARCH, provider.provide_credentials())
        .await
        .unwrap_or_else(|_| Err(CredentialsError::provider_timed_out(SEARCH)))
}

fn profile_name(config: &AwsConfig) -> String {
    let named = config.profile.clone().or_else(|| std::env::var("AWS_PROFILE").ok());
    named.unwrap_or_else(|| "default".to_owned())
}
