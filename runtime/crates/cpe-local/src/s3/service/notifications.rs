//! Which queues a bucket notifies.

use s3s::{
    S3Result,
    dto::{
        Event, FilterRule, FilterRuleName, GetBucketNotificationConfigurationInput,
        GetBucketNotificationConfigurationOutput, NotificationConfigurationFilter,
        PutBucketNotificationConfigurationInput, PutBucketNotificationConfigurationOutput,
        QueueConfiguration, S3KeyFilter,
    },
};

use super::{Service, convert::refuse};
use crate::s3::{error::StoreError, notify::Rule};

impl Service {
    pub(super) async fn notify(
        &self,
        input: PutBucketNotificationConfigurationInput,
    ) -> S3Result<PutBucketNotificationConfigurationOutput> {
        let wanted = input.notification_configuration;
        let has = |some: Option<usize>| some.is_some_and(|count| count > 0);
        refuse([
            (
                has(wanted.topic_configurations.as_ref().map(Vec::len)),
                "notification of topics (TopicConfiguration; queues are notified)",
            ),
            (
                has(wanted.lambda_function_configurations.as_ref().map(Vec::len)),
                "notification of functions (CloudFunctionConfiguration; queues are notified)",
            ),
            (
                wanted.event_bridge_configuration.is_some(),
                "notification of EventBridge (queues are notified)",
            ),
        ])?;
        let rules = wanted.queue_configurations.unwrap_or_default();
        let rules = rules.into_iter().map(rule_of).collect::<Result<_, _>>()?;
        let check = input.skip_destination_validation != Some(true);
        self.objects.notify(&input.bucket, rules, check).await?;
        Ok(PutBucketNotificationConfigurationOutput::default())
    }

    pub(super) async fn notifications(
        &self,
        input: GetBucketNotificationConfigurationInput,
    ) -> S3Result<GetBucketNotificationConfigurationOutput> {
        let rules = self.objects.notifications(&input.bucket).await?;
        let queues: Vec<_> = rules.into_iter().map(shown).collect();
        Ok(GetBucketNotificationConfigurationOutput {
            queue_configurations: Some(queues).filter(|queues| !queues.is_empty()),
            ..GetBucketNotificationConfigurationOutput::default()
        })
    }
}

fn rule_of(given: QueueConfiguration) -> Result<Rule, StoreError> {
    let filter = given.filter.and_then(|filter| filter.key).and_then(|key| key.filter_rules);
    let mut filters = Vec::new();
    for rule in filter.unwrap_or_default() {
        let (Some(name), Some(value)) = (rule.name, rule.value) else {
            return Err(StoreError::MalformedXml("each FilterRule has a Name and a Value"));
        };
        filters.push((name.as_str().to_owned(), value));
    }
    let events = given.events.into_iter().map(String::from).collect();
    Rule::checked(given.id, given.queue_arn, events, filters)
}

fn shown(rule: Rule) -> QueueConfiguration {
    let filters = [(FilterRuleName::PREFIX, rule.prefix), (FilterRuleName::SUFFIX, rule.suffix)];
    let filters: Vec<_> = filters
        .into_iter()
        .filter_map(|(name, value)| {
            Some(FilterRule { name: Some(FilterRuleName::from_static(name)), value: Some(value?) })
        })
        .collect();
    let filter = if filters.is_empty() {
        None
    } else {
        let key = Some(S3KeyFilter { filter_rules: Some(filters) });
        Some(NotificationConfigurationFilter { key })
    };
    QueueConfiguration {
        events: rule.events.into_iter().map(Event::from).collect(),
        filter,
        id: Some(rule.id),
        queue_arn: rule.arn,
    }
}
