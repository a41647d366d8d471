//! Events: which queues a bucket notifies of which changes, and what it tells them.
//!
//! An event goes into its queue in the transaction of the change, so that there is never one
//! without the other. A queue that was deleted since misses its events, as on S3. This is all that
//! the object store knows of SQS.

use cpe_ports::ObjectAddress;
use cpe_swf::Timestamp;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description};

use super::{
    error::StoreError,
    index::{self, Setting},
    model::{Bucket, MAX_KEY, url_encoded},
    objects::Objects,
    writing::{Change, ChangeKind},
};
use crate::{
    engine::Core,
    sqs::{self, ACCOUNT, QueueName},
};

const MAX_RULES: usize = 100;
const MAX_ID: usize = 255;
const EVENT_VERSION: &str = "2.1";

/// What may happen here. S3 knows other events besides; those never come.
const EVENTS: [&str; 11] = [
    "s3:ObjectCreated:*",
    "s3:ObjectCreated:Put",
    "s3:ObjectCreated:Post",
    "s3:ObjectCreated:Copy",
    "s3:ObjectCreated:CompleteMultipartUpload",
    "s3:ObjectRemoved:*",
    "s3:ObjectRemoved:Delete",
    "s3:ObjectRemoved:DeleteMarkerCreated",
    "s3:ObjectTagging:*",
    "s3:ObjectTagging:Put",
    "s3:ObjectTagging:Delete",
];
/// What never happens here, so that to ask for it does no harm.
const NEVER: [&str; 7] = [
    "s3:ReducedRedundancyLostObject",
    "s3:ObjectRestore:",
    "s3:Replication:",
    "s3:LifecycleTransition",
    "s3:IntelligentTiering",
    "s3:ObjectAcl:Put",
    "s3:LifecycleExpiration:",
];

/// That a queue is told of some changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) arn: String,
    queue: QueueName,
    pub(crate) events: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) prefix: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) suffix: Option<String>,
}

impl Rule {
    /// Takes a rule as a client gives it: filters by their names.
    pub(crate) fn checked(
        id: Option<String>,
        arn: String,
        events: Vec<String>,
        filters: Vec<(String, String)>,
    ) -> Result<Self, StoreError> {
        let id = id.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        let queue = queue_of(&arn)?;
        if id.len() > MAX_ID || id.chars().any(|c| c.is_control() || c >= '\u{fffe}') {
            return Err(refuse("The Id of a configuration has at most 255 printable characters"));
        }
        let is_known = |event: &String| {
            EVENTS.contains(&event.as_str()) || NEVER.iter().any(|never| event.starts_with(never))
        };
        if events.is_empty() {
            return Err(StoreError::MalformedXml("a QueueConfiguration names at least one Event"));
        }
        if let Some(unknown) = events.iter().find(|event| !is_known(event)) {
            let shown: String = unknown.chars().take(100).collect();
            return Err(refuse(format!(
                "The event {shown:?} is not supported for notifications; s3:ObjectCreated:* and s3:ObjectRemoved:* are"
            )));
        }
        let mut rule = Self { id, arn, queue, events, prefix: None, suffix: None };
        for (name, value) in filters {
            if value.len() > MAX_KEY {
                return Err(refuse("The value of a filter rule has at most 1,024 bytes"));
            }
            let filter = match name.to_ascii_lowercase().as_str() {
                "prefix" => &mut rule.prefix,
                "suffix" => &mut rule.suffix,
                _ => return Err(refuse("filter rule name must be either prefix or suffix")),
            };
            if filter.replace(value).is_some() {
                return Err(refuse("Cannot specify more than one prefix or suffix in a filter"));
            }
        }
        Ok(rule)
    }

    fn wants(&self, name: &str, key: &str) -> bool {
        let is_of = |event: &String| {
            let event = event.strip_prefix("s3:").unwrap_or(event);
            match event.strip_suffix('*') {
                Some(kind) => name.starts_with(kind),
                None => name == event,
            }
        };
        self.events.iter().any(is_of)
            && key.starts_with(self.prefix.as_deref().unwrap_or_default())
            && key.ends_with(self.suffix.as_deref().unwrap_or_default())
    }

    /// Whether a change may be one of both rules.
    fn overlaps(&self, other: &Self) -> bool {
        let covers =
            |a: &str, b: &str| a == b || a.strip_suffix('*').is_some_and(|a| b.starts_with(a));
        let events =
            self.events.iter().any(|a| other.events.iter().any(|b| covers(a, b) || covers(b, a)));
        let (a, b) = (self.prefix.as_deref(), other.prefix.as_deref());
        let (a, b) = (a.unwrap_or_default(), b.unwrap_or_default());
        let prefixes = a.starts_with(b) || b.starts_with(a);
        let (a, b) = (self.suffix.as_deref(), other.suffix.as_deref());
        let (a, b) = (a.unwrap_or_default(), b.unwrap_or_default());
        events && prefixes && (a.ends_with(b) || b.ends_with(a))
    }
}

fn refuse(why: impl Into<String>) -> StoreError {
    StoreError::Invalid(why.into())
}

fn unreachable() -> StoreError {
    refuse("Unable to validate the following destination configurations")
}

fn queue_of(arn: &str) -> Result<QueueName, StoreError> {
    let name = match arn.split(':').collect::<Vec<_>>().as_slice() {
        ["arn", "aws", "sqs", region, account, name]
            if !region.is_empty() && *account == ACCOUNT =>
        {
            QueueName::parse(name).ok()
        }
        ["arn", "aws", "sqs", ..] => return Err(unreachable()),
        _ => None,
    };
    let name = name.ok_or_else(|| refuse("The ARN is not well formed"))?;
    if name.is_fifo() {
        return Err(refuse("FIFO SQS queues are not supported as destinations of notifications"));
    }
    Ok(name)
}

fn check_together(rules: &[Rule]) -> Result<(), StoreError> {
    if rules.len() > MAX_RULES {
        return Err(refuse("A bucket has at most 100 notification configurations"));
    }
    for (index, rule) in rules.iter().enumerate() {
        for other in rules.iter().skip(index + 1) {
            if rule.id == other.id {
                return Err(refuse("Each configuration must have an Id of its own"));
            }
            if rule.overlaps(other) {
                return Err(refuse(
                    "Configurations overlap. Configurations on the same bucket cannot share a common event type.",
                ));
            }
        }
    }
    Ok(())
}

/// A message on its way to a queue.
#[derive(Debug)]
pub(super) struct Event {
    queue: QueueName,
    body: String,
}

impl Objects {
    /// Sets which queues a bucket notifies, and tells each that it will hear more. The queues must
    /// be there, unless the client does not want that to be checked.
    pub(crate) async fn notify(
        &self,
        bucket: &str,
        rules: Vec<Rule>,
        check: bool,
    ) -> Result<(), StoreError> {
        check_together(&rules)?;
        let bucket = bucket.to_owned();
        let document = index::document(&rules)?;
        self.engine
            .call(move |core| {
                index::bucket(&core.db, &bucket)?;
                let is_there = |rule: &Rule| core.sqs.queue_id(&rule.queue).is_ok();
                if check && !rules.iter().all(is_there) {
                    return Err(unreachable());
                }
                index::put_setting(&core.db, &bucket, Setting::Notifications, &document)?;
                let tests: Vec<_> = rules
                    .into_iter()
                    .map(|rule| Event { queue: rule.queue, body: test_event(&bucket, core.now) })
                    .collect();
                send(core, tests);
                Ok(())
            })
            .await?
    }

    pub(crate) async fn notifications(&self, bucket: &str) -> Result<Vec<Rule>, StoreError> {
        match self.setting(bucket, Setting::Notifications).await {
            Err(StoreError::NoSuchSetting { .. }) => Ok(Vec::new()),
            rules => rules,
        }
    }
}

/// What the queues are to be told of these changes.
pub(super) fn events(
    db: &Connection,
    now: Timestamp,
    changes: &[Change],
) -> Result<Vec<Event>, StoreError> {
    let mut events = Vec::new();
    for changes in changes.chunk_by(|one, next| one.at.bucket == next.at.bucket) {
        let Some(first) = changes.first() else { continue };
        let bucket = &first.at.bucket;
        let Some(rules) = index::setting(db, bucket, Setting::Notifications)? else { continue };
        let rules: Vec<Rule> = index::from_json(&rules)?;
        let bucket = index::bucket(db, bucket)?;
        for change in changes {
            let name = change.kind.event();
            for rule in rules.iter().filter(|rule| rule.wants(name, &change.at.key)) {
                let number = index::next_in_sequence(db)?;
                let body = record(&bucket, rule, change, &Moment { now, number });
                events.push(Event { queue: rule.queue.clone(), body });
            }
        }
    }
    Ok(events)
}

/// Puts the messages into their queues.
pub(super) fn send(core: &mut Core, events: Vec<Event>) {
    for Event { queue, body } in events {
        let sent = sqs::wire::outgoing(body, None, None)
            .and_then(|outgoing| core.sqs.send(core.now, &queue, outgoing));
        if let Err(error) = sent {
            tracing::warn!(%queue, %error, "A queue was not told of a change in a bucket");
        }
    }
}

impl ChangeKind {
    fn event(self) -> &'static str {
        match self {
            Self::Put => "ObjectCreated:Put",
            Self::Copy => "ObjectCreated:Copy",
            Self::CompleteMultipartUpload => "ObjectCreated:CompleteMultipartUpload",
            Self::Delete => "ObjectRemoved:Delete",
            Self::PutTags => "ObjectTagging:Put",
            Self::DeleteTags => "ObjectTagging:Delete",
        }
    }
}

/// When a change was, and which one in the order of all.
struct Moment {
    now: Timestamp,
    number: i64,
}

fn record(bucket: &Bucket, rule: &Rule, change: &Change, moment: &Moment) -> String {
    let ObjectAddress { bucket: name, key } = &change.at;
    let mut object = json!({
        "key": url_encoded(key),
        "sequencer": format!("{:018X}", moment.number),
    });
    if let (Some((size, etag)), Some(object)) = (&change.object, object.as_object_mut()) {
        object.insert("size".to_owned(), json!(size));
        object.insert("eTag".to_owned(), json!(etag.0));
    }
    let record = json!({
        "eventVersion": EVENT_VERSION,
        "eventSource": "aws:s3",
        "awsRegion": bucket.region,
        "eventTime": shown(moment.now),
        "eventName": change.kind.event(),
        "userIdentity": {"principalId": format!("AWS:{ACCOUNT}")},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": responded(),
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": rule.id,
            "bucket": {
                "name": name,
                "ownerIdentity": {"principalId": ACCOUNT},
                "arn": format!("arn:aws:s3:::{name}"),
            },
            "object": object,
        },
    });
    json!({"Records": [record]}).to_string()
}

fn responded() -> Value {
    let (request, host) = request_ids();
    json!({"x-amz-request-id": request, "x-amz-id-2": host})
}

fn test_event(bucket: &str, now: Timestamp) -> String {
    let (request, host) = request_ids();
    json!({
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": shown(now),
        "Bucket": bucket,
        "RequestId": request,
        "HostId": host,
    })
    .to_string()
}

/// In the form of S3's. Nobody can look them up; consumers want them to be there.
fn request_ids() -> (String, String) {
    let (request, host) = uuid::Uuid::new_v4().as_u64_pair();
    (format!("{request:016X}"), format!("{host:016X}"))
}

fn shown(time: Timestamp) -> String {
    const FORMAT: &str = "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z";
    let nanos = i128::from(time.as_millis()) * 1_000_000;
    let time = OffsetDateTime::from_unix_timestamp_nanos(nanos);
    let time = time.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let format = format_description::parse_borrowed::<2>(FORMAT);
    format.ok().and_then(|format| time.format(&format).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: &str = "arn:aws:sqs:us-east-1:123456789012:changes";

    fn rule(event: &str, filters: &[(&str, &str)]) -> Result<Rule, StoreError> {
        let filters =
            filters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Rule::checked(None, QUEUE.to_owned(), vec![event.to_owned()], filters)
    }

    #[test]
    fn a_rule_wants_its_events_and_its_keys() {
        let all = rule("s3:ObjectCreated:*", &[("prefix", "in/"), ("Suffix", ".jpg")]).unwrap();
        assert!(all.wants("ObjectCreated:Put", "in/a.jpg"));
        assert!(all.wants("ObjectCreated:CompleteMultipartUpload", "in/.jpg"));
        assert!(!all.wants("ObjectRemoved:Delete", "in/a.jpg"));
        assert!(!all.wants("ObjectCreated:Put", "in/a.png"));
        assert!(!all.wants("ObjectCreated:Put", "out/a.jpg"));
        let one = rule("s3:ObjectRemoved:Delete", &[]).unwrap();
        assert!(one.wants("ObjectRemoved:Delete", "x"));
        assert!(!one.wants("ObjectRemoved:DeleteMarkerCreated", "x"));
    }

    #[test]
    fn rules_must_not_overlap() {
        let together = |a: (&str, &[(&str, &str)]), b: (&str, &[(&str, &str)])| {
            check_together(&[rule(a.0, a.1).unwrap(), rule(b.0, b.1).unwrap()]).is_ok()
        };
        let (put, all) = ("s3:ObjectCreated:Put", "s3:ObjectCreated:*");
        assert!(!together((put, &[]), (all, &[])));
        assert!(together((put, &[]), ("s3:ObjectRemoved:*", &[])));
        assert!(together((put, &[("prefix", "a/")]), (all, &[("prefix", "b/")])));
        assert!(!together((put, &[("prefix", "a/")]), (all, &[("prefix", "a/b")])));
        assert!(!together((put, &[("prefix", "a/")]), (all, &[("suffix", ".x")])));
        assert!(together((put, &[("suffix", ".y")]), (all, &[("suffix", ".x")])));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let of = |arn: &str, event: &str, filters: &[(&str, &str)]| {
            let filters = filters.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            Rule::checked(None, arn.to_owned(), vec![event.to_owned()], filters).is_ok()
        };
        let put = "s3:ObjectCreated:Put";
        assert!(of(QUEUE, put, &[]));
        assert!(of(QUEUE, "s3:Replication:*", &[]));
        assert!(!of(QUEUE, "s3:ObjectEaten:*", &[]));
        assert!(!of("arn:aws:sns:us-east-1:123456789012:changes", put, &[]));
        assert!(!of("arn:aws:sqs:us-east-1:000000000000:changes", put, &[]));
        assert!(!of("arn:aws:sqs:us-east-1:123456789012:changes.fifo", put, &[]));
        assert!(!of("changes", put, &[]));
        assert!(!of(QUEUE, put, &[("infix", "x")]));
        assert!(!of(QUEUE, put, &[("prefix", "x"), ("Prefix", "y")]));
        assert!(!of(QUEUE, put, &[("prefix", &"x".repeat(1025))]));
    }
}
