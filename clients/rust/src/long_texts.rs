//! Inputs and results that no message has room for: fetched from where the event says.
//!
//! An activity may write a result that looks like such a reference. So only the job's own folder
//! is looked into, and only what has the digest that the reference names is believed.

use std::{sync::Arc, time::Duration};

use cpe_ports::{BlobStore, ObjectAddress};
use cpe_protocol::JobRef;
use cpe_swf::{MAX_PAYLOAD_CHARS, PayloadRef};
use serde::Deserialize;
use serde_json::Value;
use tracing::warn;

use crate::event::Event;

/// Bytes of a text: a character takes up to four.
const MAX_BYTES: usize = MAX_PAYLOAD_CHARS * 4;
/// Of one fetch.
const WITHIN: Duration = Duration::from_secs(20);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reference {
    #[serde(rename = "cpe.payload")]
    digest: String,
    characters: usize,
    bucket: String,
    key: String,
}

/// Puts the text in place of the reference to it, if there is one that can be followed.
pub(crate) async fn follow(blobs: Option<&Arc<dyn BlobStore>>, event: &mut Event) {
    let Some(blobs) = blobs else { return };
    let folder = folder(event);
    let event_id = event.event_id.clone();
    let Some(text) = event.long_text() else { return };
    if text.get("cpe.payload").is_none() {
        return;
    }
    let Ok(reference) = Reference::deserialize(&*text) else { return };
    let Some(at) = place(&reference, folder.as_deref()) else {
        warn!(event_id, "A reference leads out of its job's folder, and is left as it is");
        return;
    };
    match tokio::time::timeout(WITHIN, fetch(blobs, &at, &reference)).await {
        Ok(Ok(value)) => *text = value,
        Ok(Err(error)) => warn!(event_id, %at, error, "A long text is left where it is"),
        Err(_) => warn!(event_id, %at, "A long text is left where it is: it takes too long"),
    }
}

/// `client/job`, as keys have it.
fn folder(event: &Event) -> Option<String> {
    let job = JobRef::owner_of(&event.execution.as_ref()?.workflow_id).ok()?;
    Some(job.workflow_id().as_str().replacen('.', "/", 1))
}

fn place(reference: &Reference, folder: Option<&str>) -> Option<ObjectAddress> {
    let digest = reference.digest.strip_prefix("sha256:")?;
    let own = format!("{}/{digest}", folder?);
    let rest = reference.key.strip_suffix(&own)?;
    let whole = rest.is_empty() || rest.ends_with('/');
    let short = reference.characters <= MAX_PAYLOAD_CHARS;
    (whole && short).then(|| ObjectAddress::new(&reference.bucket, &reference.key))
}

async fn fetch(
    blobs: &Arc<dyn BlobStore>,
    at: &ObjectAddress,
    reference: &Reference,
) -> Result<Value, String> {
    let object = blobs.get(at, None).await.map_err(|error| error.to_string())?;
    let bytes = object.whole(MAX_BYTES).await.map_err(|error| error.to_string())?;
    let bytes = bytes.ok_or_else(|| format!("it has more than {MAX_BYTES} bytes"))?;
    let text = String::from_utf8(bytes.into()).map_err(|_| "it is not UTF-8".to_owned())?;
    if reference.digest.strip_prefix("sha256:") != Some(PayloadRef::of(&text).digest()) {
        return Err("it says something else than the event refers to".to_owned());
    }
    Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use cpe_ports::{PutOptions, testing::MemoryBlobs};
    use serde_json::json;

    use super::*;
    use crate::event::EventKind;

    async fn check(text: &str, key: impl Fn(&str) -> String, follows: bool) {
        let blobs: Arc<dyn BlobStore> = Arc::new(MemoryBlobs::with_buckets(["b"]));
        let reference = PayloadRef::of(r#"{"long":true}"#);
        let key = key(reference.digest());
        let at = ObjectAddress::new("b", &key);
        blobs.put(&at, Bytes::from(text.to_owned()), PutOptions::default()).await.unwrap();
        let result = json!({
            "cpe.payload": format!("sha256:{}", reference.digest()),
            "characters": 13, "bucket": "b", "key": key,
        });
        let body = json!({
            "time": 1, "type": "JOB_COMPLETED", "jobId": "j", "seq": 9, "eventId": "r:end",
            "data": {"workflow": {"workflowId": "c.j", "runId": "r"}, "result": result},
        });
        let mut event = Event::parse(&body.to_string()).unwrap();
        follow(None, &mut event).await;
        follow(Some(&blobs), &mut event).await;
        let expected = if follows { json!({"long": true}) } else { result };
        assert_eq!(event.kind, EventKind::JobCompleted { result: expected });
    }

    #[tokio::test]
    async fn only_the_jobs_own_texts_are_followed() {
        let good = r#"{"long":true}"#;
        check(good, |digest| format!("payloads/c/j/{digest}"), true).await;
        check(good, |digest| format!("c/j/{digest}"), true).await;
        check(good, |digest| format!("payloads/c/other/{digest}"), false).await;
        check(good, |digest| format!("payloads/xc/j/{digest}"), false).await;
        check(r#"{"long":false}"#, |digest| format!("payloads/c/j/{digest}"), false).await;
    }
}
