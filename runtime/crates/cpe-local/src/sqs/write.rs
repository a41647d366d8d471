//! What the machine wants written. The machine says what, `tables` knows how.

use cpe_swf::Timestamp;

use super::{
    attributes::Attributes,
    fifo::First,
    message::Content,
    names::{MessageNo, QueueId, QueueName},
    queue::{Message, Queue},
};

#[derive(Debug)]
pub(crate) enum Write {
    /// A queue is new or has new settings.
    Queue {
        id: QueueId,
        name: QueueName,
        created: Timestamp,
        modified: Timestamp,
        attributes: Attributes,
    },
    /// The queue's messages were deleted one by one before.
    DeleteQueue(QueueId),
    Message {
        no: MessageNo,
        queue: QueueId,
        message: Message,
        deduplication: Option<String>,
        content: Content,
    },
    /// A message was received, or its visibility changed.
    State {
        no: MessageNo,
        message: Message,
    },
    /// A message went to a dead-letter queue.
    Move {
        no: MessageNo,
        queue: QueueId,
        message: Message,
        source: QueueName,
    },
    Delete(MessageNo),
    /// Messages get numbers below this one until this is written again. A restart skips the rest.
    Reserve(MessageNo),
    Deduplication {
        queue: QueueId,
        id: String,
        at: Timestamp,
        first: First,
    },
    /// What was sent too long before then may come again.
    ForgetDeduplication {
        queue: QueueId,
        now: Timestamp,
    },
}

impl Write {
    pub(super) fn queue(queue: &Queue) -> Self {
        Self::Queue {
            id: queue.id,
            name: queue.name.clone(),
            created: queue.created,
            modified: queue.modified,
            attributes: queue.attributes.clone(),
        }
    }
}
