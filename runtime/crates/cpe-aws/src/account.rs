//! Whose credentials the SDK has found, and the services' clock.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use aws_credential_types::{
    Credentials,
    credential_feature::AwsCredentialFeature,
    provider::{ProvideCredentials, SharedCredentialsProvider},
};
use aws_sdk_swf::types::RegistrationStatus;
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept, context::BeforeDeserializationInterceptorContextRef, dyn_dispatch_hint,
        },
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::{DateTime, config_bag::ConfigBag, date_time::Format};
use cpe_ports::{Account, Caller, Error, ErrorKind};
use cpe_swf::Timestamp;

use crate::{endpoint::Place, error::port_error};

#[derive(Debug)]
pub(crate) struct SdkAccount {
    pub(crate) credentials: Option<SharedCredentialsProvider>,
    /// At AWS only: other endpoints rarely keep accounts.
    pub(crate) sts: Option<aws_sdk_sts::Client>,
    pub(crate) swf: aws_sdk_swf::Client,
    pub(crate) place: Place,
}

/// Keeps the `Date` of an answer. An answer that refuses the request has one too.
#[derive(Debug, Clone, Default)]
struct DateOfAnswer(Arc<Mutex<Option<String>>>);

#[dyn_dispatch_hint]
impl Intercept for DateOfAnswer {
    fn name(&self) -> &'static str {
        "DateOfAnswer"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date").map(str::to_owned);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date;
        Ok(())
    }
}

#[async_trait]
impl Account for SdkAccount {
    async fn credentials(&self) -> Result<String, Error> {
        let missing = || Error::new(ErrorKind::Refused, "no AWS credentials were found");
        let provider = self.credentials.as_ref().ok_or_else(missing)?;
        let found = provider.provide_credentials().await;
        let found = found.map_err(|error| missing().with_source(error))?;
        Ok(format!("{}, key {}", source(&found), found.access_key_id()))
    }

    async fn caller(&self) -> Result<Option<Caller>, Error> {
        let Some(sts) = &self.sts else { return Ok(None) };
        let place = Place { service: "STS", at: self.place.at.clone() };
        let answer = sts.get_caller_identity().send().await;
        let answer = answer.map_err(|error| port_error(&place, "the caller's identity", error))?;
        let (account, arn) = (answer.account.unwrap_or_default(), answer.arn.unwrap_or_default());
        Ok(Some(Caller { account, arn }))
    }

    async fn service_time(&self) -> Result<Timestamp, Error> {
        let seen = DateOfAnswer::default();
        let answer = self
            .swf
            .list_domains()
            .registration_status(RegistrationStatus::Registered)
            .maximum_page_size(1)
            .customize()
            .interceptor(seen.clone())
            .send()
            .await;
        let date = seen.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(date) = date else {
            answer.map_err(|error| port_error(&self.place, "the time", error))?;
            let message = format!("{} answers without a date", self.place);
            return Err(Error::new(ErrorKind::Broken, message));
        };
        let parsed = DateTime::from_str(&date, Format::HttpDate).ok();
        parsed.and_then(|date| date.to_millis().ok()).map(Timestamp::from_millis).ok_or_else(|| {
            let message = format!("{} answers with `{date}`, which is no date", self.place);
            Error::new(ErrorKind::Broken, message)
        })
    }

    fn place(&self) -> String {
        self.place.to_string()
    }
}

/// In the words of AWS's documentation, as far as the SDK tells.
fn source(credentials: &Credentials) -> &'static str {
    use AwsCredentialFeature as Feature;

    let features = credentials.get_property::<Vec<Feature>>().map(Vec::as_slice);
    let known = |feature: &Feature| {
        Some(match feature {
            Feature::CredentialsEnvVars => "from the environment",
            Feature::CredentialsEnvVarsStsWebIdToken
            | Feature::CredentialsProfileStsWebIdToken
            | Feature::CredentialsStsAssumeRoleWebId => "a role by a web identity token",
            Feature::CredentialsStsAssumeRole => "a role that a profile assumes",
            Feature::CredentialsProfileSso | Feature::CredentialsSso => "of a single sign-on",
            Feature::CredentialsProfileProcess | Feature::CredentialsProcess => {
                "from a credential process"
            }
            Feature::CredentialsHttp => "the role of this container",
            Feature::CredentialsImds => "the role of this instance",
            Feature::CredentialsProfile | Feature::CredentialsProfileSourceProfile => {
                "from a profile"
            }
            _ => return None,
        })
    };
    // The last one says how they were got in the end.
    let told = features.unwrap_or_default().iter().rev().find_map(known);
    told.unwrap_or(if credentials.access_key_id() == crate::credentials::LOCAL_KEY {
        "made up for an endpoint on this machine"
    } else {
        "of a source that the SDK does not tell"
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        AwsConfig, connect,
        fake::{self, Fake},
    };

    async fn account(answers: impl IntoIterator<Item = fake::Answer>) -> Arc<dyn Account> {
        let fake = Fake::start(answers).await;
        let endpoint_url = Some(fake.url.clone());
        let aws = connect(AwsConfig { endpoint_url, ..AwsConfig::default() }).await.unwrap();
        // The fake serves until it is dropped.
        std::mem::forget(fake);
        aws.account
    }

    #[tokio::test]
    async fn an_endpoint_tells_the_time_also_when_it_refuses() {
        let date = || vec![("date", "Sun, 06 Nov 1994 08:49:37 GMT".to_owned())];
        let refusal = r#"{"__type": "AccessDeniedException", "message": "no"}"#.to_owned();
        let account = account([
            fake::Answer(200, date(), r#"{"domainInfos": []}"#.to_owned()),
            fake::Answer(400, date(), refusal),
        ])
        .await;
        for _ in 0..2 {
            assert_eq!(account.service_time().await.unwrap().as_millis(), 784_111_777_000);
        }
        assert_eq!(account.caller().await.unwrap(), None);
    }

    #[test]
    fn the_source_of_credentials_is_told() {
        let mut found = Credentials::from_keys("AKID", "s", None);
        assert_eq!(source(&found), "of a source that the SDK does not tell");
        found.set_property(vec![
            AwsCredentialFeature::CredentialsProfile,
            AwsCredentialFeature::CredentialsStsAssumeRole,
        ]);
        assert_eq!(source(&found), "a role that a profile assumes");
        let local = Credentials::from_keys(crate::credentials::LOCAL_KEY, "s", None);
        assert_eq!(source(&local), "made up for an endpoint on this machine");
    }
}
