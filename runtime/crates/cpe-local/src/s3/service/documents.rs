//! What a bucket is told to be and to do. But for its tags all of it is kept and told, and of no
//! effect here: nobody is refused on loopback, and nothing expires.

use s3s::{
    S3Result,
    dto::{
        BucketLifecycleConfiguration, CORSConfiguration, GetBucketCorsOutput,
        GetBucketLifecycleConfigurationOutput, GetBucketOwnershipControlsOutput,
        GetBucketPolicyOutput, GetBucketTaggingOutput, GetPublicAccessBlockOutput,
        OwnershipControls, OwnershipControlsRule, PublicAccessBlockConfiguration,
        PutBucketLifecycleConfigurationInput, PutBucketPolicyInput, PutBucketTaggingInput,
        PutPublicAccessBlockInput,
    },
    s3_error,
};

use super::{
    Service,
    attributes::{shown, taken},
};
use crate::s3::{
    error::StoreError,
    index::Setting,
    tags::{self, Tags},
};

const MAX_POLICY: usize = 20 << 10;
const MAX_CORS_RULES: usize = 100;
/// What a CORS rule can allow.
const METHODS: [&str; 5] = ["GET", "PUT", "HEAD", "POST", "DELETE"];
const MAX_LIFECYCLE_RULES: usize = 1_000;

impl Service {
    pub(super) async fn tag_bucket(&self, input: PutBucketTaggingInput) -> S3Result<()> {
        let tags = taken(input.tagging, tags::OF_BUCKET)?;
        if tags.is_empty() {
            return Ok(self.objects.delete_setting(&input.bucket, Setting::Tags).await?);
        }
        Ok(self.objects.put_setting(&input.bucket, Setting::Tags, &tags).await?)
    }

    pub(super) async fn bucket_tags(&self, bucket: &str) -> S3Result<GetBucketTaggingOutput> {
        let tags: Tags = self.objects.setting(bucket, Setting::Tags).await?;
        Ok(GetBucketTaggingOutput { tag_set: shown(tags) })
    }

    pub(super) async fn set_policy(&self, input: PutBucketPolicyInput) -> S3Result<()> {
        check_policy(&input.policy)?;
        Ok(self.objects.put_setting(&input.bucket, Setting::Policy, &input.policy).await?)
    }

    pub(super) async fn policy(&self, bucket: &str) -> S3Result<GetBucketPolicyOutput> {
        let policy = self.objects.setting(bucket, Setting::Policy).await?;
        Ok(GetBucketPolicyOutput { policy: Some(policy) })
    }

    pub(super) async fn set_cors(&self, bucket: &str, cors: &CORSConfiguration) -> S3Result<()> {
        if !(1..=MAX_CORS_RULES).contains(&cors.cors_rules.len()) {
            return Err(StoreError::MalformedXml("a CORS configuration has 1 to 100 rules").into());
        }
        let mut methods = cors.cors_rules.iter().flat_map(|rule| &rule.allowed_methods);
        if let Some(method) = methods.find(|method| !METHODS.contains(&method.as_str())) {
            return Err(s3_error!(
                InvalidRequest,
                "Found unsupported HTTP method in CORS config. Unsupported method is {method}"
            ));
        }
        Ok(self.objects.put_setting(bucket, Setting::Cors, cors).await?)
    }

    pub(super) async fn cors(&self, bucket: &str) -> S3Result<GetBucketCorsOutput> {
        let cors: CORSConfiguration = self.objects.setting(bucket, Setting::Cors).await?;
        Ok(GetBucketCorsOutput { cors_rules: Some(cors.cors_rules) })
    }

    pub(super) async fn set_lifecycle(
        &self,
        input: PutBucketLifecycleConfigurationInput,
    ) -> S3Result<()> {
        let lifecycle = input.lifecycle_configuration.unwrap_or_default();
        if !(1..=MAX_LIFECYCLE_RULES).contains(&lifecycle.rules.len()) {
            let why = "a lifecycle configuration has 1 to 1,000 rules";
            return Err(StoreError::MalformedXml(why).into());
        }
        Ok(self.objects.put_setting(&input.bucket, Setting::Lifecycle, &lifecycle).await?)
    }

    pub(super) async fn lifecycle(
        &self,
        bucket: &str,
    ) -> S3Result<GetBucketLifecycleConfigurationOutput> {
        let lifecycle: BucketLifecycleConfiguration =
            self.objects.setting(bucket, Setting::Lifecycle).await?;
        Ok(GetBucketLifecycleConfigurationOutput {
            rules: Some(lifecycle.rules),
            ..GetBucketLifecycleConfigurationOutput::default()
        })
    }

    pub(super) async fn block_public_access(
        &self,
        input: PutPublicAccessBlockInput,
    ) -> S3Result<()> {
        let block = input.public_access_block_configuration;
        if block == PublicAccessBlockConfiguration::default() {
            let why = "Must specify at least one configuration.";
            return Err(StoreError::InvalidRequest(why).into());
        }
        Ok(self.objects.put_setting(&input.bucket, Setting::PublicAccess, &block).await?)
    }

    pub(super) async fn public_access(&self, bucket: &str) -> S3Result<GetPublicAccessBlockOutput> {
        let block: PublicAccessBlockConfiguration =
            self.objects.setting(bucket, Setting::PublicAccess).await?;
        let told = |blocked: Option<bool>| Some(blocked.unwrap_or_default());
        let block = PublicAccessBlockConfiguration {
            block_public_acls: told(block.block_public_acls),
            block_public_policy: told(block.block_public_policy),
            ignore_public_acls: told(block.ignore_public_acls),
            restrict_public_buckets: told(block.restrict_public_buckets),
        };
        Ok(GetPublicAccessBlockOutput { public_access_block_configuration: Some(block) })
    }

    pub(super) async fn set_ownership(
        &self,
        bucket: &str,
        controls: OwnershipControls,
    ) -> S3Result<()> {
        const KNOWN: [&str; 3] = ["BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced"];
        let rules: Vec<_> =
            controls.rules.iter().map(|rule| rule.object_ownership.as_str()).collect();
        match rules.as_slice() {
            [rule] if KNOWN.contains(rule) => {
                Ok(self.objects.put_setting(bucket, Setting::Ownership, &rules).await?)
            }
            _ => {
                let why = "ownership controls have one rule, with an ObjectOwnership of S3";
                Err(StoreError::MalformedXml(why).into())
            }
        }
    }

    pub(super) async fn ownership(
        &self,
        bucket: &str,
    ) -> S3Result<GetBucketOwnershipControlsOutput> {
        let rules: Vec<String> = self.objects.setting(bucket, Setting::Ownership).await?;
        let rules = rules
            .into_iter()
            .map(|rule| OwnershipControlsRule { object_ownership: rule.into() })
            .collect();
        Ok(GetBucketOwnershipControlsOutput {
            ownership_controls: Some(OwnershipControls { rules }),
        })
    }
}

/// A policy is kept as it was written, if it is one by its form.
fn check_policy(policy: &str) -> Result<(), StoreError> {
    if policy.len() > MAX_POLICY {
        return Err(StoreError::MalformedPolicy("The policy is longer than 20 KB"));
    }
    match serde_json::from_str(policy) {
        Ok(serde_json::Value::Object(policy)) if policy.contains_key("Statement") => Ok(()),
        Ok(serde_json::Value::Object(_)) => {
            Err(StoreError::MalformedPolicy("Missing required field Statement"))
        }
        _ => Err(StoreError::MalformedPolicy(
            "Policies must be valid JSON and the first byte must be '{'",
        )),
    }
}
