//! News by SQS: S3's own event notifications, straight or through SNS, say that a channel moved.
//!
//! They are hints. Whatever a message says, the channels are looked at, so a forged, late or
//! doubled one does no harm, and one that is lost costs a few seconds.

use std::{sync::Arc, time::Duration};

use cpe_ports::{MessageQueue, QueueUrl, Receive};
use serde_json::Value;
use tracing::warn;

use crate::Modules;

const WAIT: Duration = Duration::from_secs(20);
/// After a receive that failed.
const PAUSE: Duration = Duration::from_secs(5);
/// S3 tells its news in less.
const MAX_BODY: usize = 256 << 10;

/// Where the news of one process come: a queue of its own, because a message is handed out once.
#[derive(Debug, Clone)]
pub struct Notifications {
    pub queues: Arc<dyn MessageQueue>,
    pub queue: QueueUrl,
}

impl Notifications {
    /// Passes on that something changed, until `stop`.
    pub async fn listen(&self, modules: &Modules, stop: impl Future<Output = ()>) {
        let listening = async {
            loop {
                self.receive(modules).await;
            }
        };
        tokio::select! {
            () = stop => {}
            () = listening => {}
        }
    }

    async fn receive(&self, modules: &Modules) {
        let receive = Receive { max_messages: 10, wait: WAIT, visibility_timeout: None };
        let messages = match self.queues.receive(&self.queue, receive).await {
            Ok(messages) => messages,
            Err(error) => {
                warn!(queue = %self.queue, %error, "News of modules cannot be received");
                tokio::time::sleep(PAUSE).await;
                return;
            }
        };
        if messages.iter().any(|message| is_news(&message.body)) {
            modules.hint();
        }
        let receipts: Vec<_> = messages.into_iter().map(|message| message.receipt_handle).collect();
        if !receipts.is_empty()
            && let Err(error) = self.queues.delete_batch(&self.queue, receipts).await
        {
            warn!(queue = %self.queue, %error, "News of modules will come again");
        }
    }
}

/// Whether a message tells of an object of a channel. What cannot be read may be news.
fn is_news(body: &str) -> bool {
    if body.len() > MAX_BODY {
        return true;
    }
    let Ok(value) = serde_json::from_str::<Value>(body) else { return true };
    if let Some(inner) = value.get("Message").and_then(Value::as_str) {
        // SNS puts the message into one of its own; once.
        return serde_json::from_str::<Value>(inner).map_or(true, |inner| names_channel(&inner));
    }
    names_channel(&value)
}

fn names_channel(value: &Value) -> bool {
    let Some(records) = value.get("Records").and_then(Value::as_array) else {
        // As S3 sends it when the notification is set up.
        return value.get("Event").and_then(Value::as_str) != Some("s3:TestEvent");
    };
    records.iter().any(|record| {
        let key = record.pointer("/s3/object/key").and_then(Value::as_str);
        // Slashes may be percent-encoded.
        key.is_none_or(|key| key.contains("channels"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_channels_are_news() {
        let of = |key: &str| format!(r#"{{"Records":[{{"s3":{{"object":{{"key":"{key}"}}}}}}]}}"#);
        for news in [&*of("reg/channels/a/1.json"), &of("channels%2Fa%2F1.json"), "hello", "{}"] {
            assert!(is_news(news), "{news}");
        }
        let quiet = [
            of("blobs/sha256/00"),
            of("status/a/1/w.json"),
            r#"{"Event":"s3:TestEvent"}"#.to_owned(),
        ];
        for quiet in quiet {
            assert!(!is_news(&quiet), "{quiet}");
            let wrapped = serde_json::json!({"Type": "Notification", "Message": quiet}).to_string();
            assert!(!is_news(&wrapped), "{wrapped}");
        }
    }
}
