//! Looking for one answer on a client's output queue, without taking anything from it.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use cpe_ports::{QueueUrl, Receive};
use cpe_protocol::ClientName;
use cpe_worker::Ports;
use serde_json::Value;

use crate::{compose, config::Config};

/// Each look counts as a receive of what is seen; a queue may have a limit on those.
const LOOKS: u32 = 5;

/// The answer to one request.
#[derive(Debug)]
pub(super) struct Peek {
    queue: QueueUrl,
    request_id: String,
    looks: AtomicU32,
}

impl Peek {
    pub(super) async fn new(
        ports: &Ports,
        config: &Config,
        client: &ClientName,
        request_id: String,
    ) -> Option<Self> {
        let queue = compose::output_queue(config, client);
        let queue = compose::queue_url(ports, &queue).await.ok()?;
        Some(Self { queue, request_id, looks: AtomicU32::new(0) })
    }

    /// Why the request was refused, if that can be seen. The messages stay for their client.
    pub(super) async fn refusal(&self, ports: &Ports) -> Option<String> {
        if self.looks.fetch_add(1, Ordering::Relaxed) >= LOOKS {
            return None;
        }
        let receive = Receive {
            max_messages: 10,
            wait: Duration::ZERO,
            visibility_timeout: Some(Duration::ZERO),
        };
        let messages = ports.queues.receive(&self.queue, receive).await.ok()?;
        messages.iter().find_map(|message| self.read(&message.body))
    }

    fn read(&self, body: &str) -> Option<String> {
        let event: Value = serde_json::from_str(body).ok()?;
        let is = |key: &str, value: &str| event.get(key).is_some_and(|found| found == value);
        if !(is("type", "COMMAND_REJECTED") && is("requestId", &self.request_id)) {
            return None;
        }
        let errors = event.pointer("/data/errors")?.as_array()?;
        let lines = errors.iter().map(|error| {
            let text = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default();
            match text("path") {
                "" => text("message").to_owned(),
                path => format!("{path}: {}", text("message")),
            }
        });
        Some(lines.collect::<Vec<_>>().join("; "))
    }
}
