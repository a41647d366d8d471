//! What the machine wants written. The machine says what, `tables` knows how.

use std::sync::Arc;

use cpe_swf::Timestamp;

use super::{
    attempts::Attempt,
    attributes::Attributes,
    fifo::First,
    message::Content,
    moves::MessageMove,
    names::{MessageNo, QueueId, QueueName},
    queue::{Message, Queue},
    tags::Tags,
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
        tags: Tags,
        purged: Option<Timestamp>,
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
    },
    /// A message move gave a message to a queue, where it is a new one.
    MoveBack {
        no: MessageNo,
        new_no: MessageNo,
        queue: QueueId,
        message: Message,
        message_id: String,
    },
    /// A message move started or went on.
    MessageMove {
        queue: QueueId,
        made: MessageMove,
    },
    ForgetMove {
        queue: QueueId,
        no: i64,
    },
    /// A receive under an id, made or repeated.
    Attempt {
        queue: QueueId,
        id: Arc<str>,
        attempt: Attempt,
    },
    ForgetAttempt {
        queue: QueueId,
        id: Arc<str>,
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
            tags: queue.tags.clone(),
            purged: queue.purged,
        }
    }
}
