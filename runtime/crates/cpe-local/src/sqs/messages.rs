//! What happens to messages: sent, received, deleted, hidden, shown again, moved, thrown away.

use std::{sync::Arc, time::Duration};

use cpe_swf::Timestamp;

use super::{
    Sqs,
    attributes::VISIBILITY_SECONDS,
    fault::{SqsFault, SqsFaultKind},
    fifo::First,
    message::{Content, too_long},
    names::{MessageNo, QueueId, QueueName, Receipt},
    queue::{IN_FLIGHT, Message, MessageState, Queue},
    write::Write,
};

/// Message numbers that are reserved at once. None is given twice, also across restarts.
const RESERVE: i64 = 1_000;

/// A message to send, its content checked already.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) content: Content,
    /// Of body and attributes together.
    pub(crate) bytes: usize,
    /// The queue's own if `None`.
    pub(crate) delay: Option<Duration>,
    pub(crate) group: Option<Arc<str>>,
    pub(crate) deduplication: Option<String>,
    /// The digest of the body, where the queue de-duplicates by it.
    pub(crate) body_digest: String,
}

/// What the sender hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) message_id: String,
    /// FIFO queues only.
    pub(crate) sequence_number: Option<String>,
}

/// How to receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ask<'a> {
    /// Messages at once.
    pub(crate) most: usize,
    /// The queue's own if `None`.
    pub(crate) visibility: Option<Duration>,
    /// FIFO queues only.
    pub(crate) attempt: Option<&'a str>,
}

/// A message handed out, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) no: MessageNo,
    pub(crate) receipt: Receipt,
    pub(crate) sent: Timestamp,
    pub(crate) first_received: Timestamp,
    pub(crate) receive_count: u32,
    pub(crate) group: Option<Arc<str>>,
    pub(crate) fifo: bool,
    /// The queue that it was moved from, if this is a dead letter.
    pub(crate) source: Option<QueueName>,
}

impl Delivery {
    /// The last delivery of a message.
    pub(super) fn of(queue: &Queue, no: MessageNo, now: Timestamp) -> Option<Self> {
        let message = queue.message(no)?;
        Some(Self {
            no,
            receipt: Receipt { queue: queue.id, message: no, delivery: message.receive_count },
            sent: message.sent,
            first_received: message.first_received.unwrap_or(now),
            receive_count: message.receive_count,
            group: message.group.clone(),
            fifo: queue.attributes.is_fifo(),
            source: message.source.clone(),
        })
    }
}

impl Sqs {
    pub(crate) fn send(
        &mut self,
        now: Timestamp,
        name: &QueueName,
        outgoing: Outgoing,
    ) -> Result<Sent, SqsFault> {
        let id = self.queue_id(name)?;
        let queue = self.queues.get_mut(&id).ok_or_else(SqsFault::no_such_queue)?;
        let most = queue.attributes.max_message_bytes();
        if outgoing.bytes > most {
            return Err(too_long(most));
        }
        let fifo = queue.attributes.is_fifo();
        let deduplication = deduplication_id(queue, &outgoing)?;
        if queue.deduplication.forget_old(now) {
            self.writes.push(Write::ForgetDeduplication { queue: id, now });
        }
        let scope = scope(queue, &outgoing, deduplication.as_deref());
        let first = scope.as_ref().and_then(|key| queue.deduplication.find(key));
        if let Some(first) = first {
            return Ok(Sent {
                message_id: first.message_id.clone(),
                sequence_number: Some(first.no.sequence_number()),
            });
        }
        let delay = outgoing.delay.unwrap_or_else(|| queue.attributes.delay());
        let no = self.next_message_no();
        let message_id = outgoing.content.message_id.clone();
        if let Some(key) = scope
            && let Some(queue) = self.queues.get_mut(&id)
        {
            let first = First { no, message_id: message_id.clone() };
            queue.deduplication.remember(&key, now, first.clone());
            self.writes.push(Write::Deduplication { queue: id, id: key, at: now, first });
        }
        let state = if delay.is_zero() {
            MessageState::Visible(now)
        } else {
            MessageState::Delayed(now + delay)
        };
        let message = Message { state, group: outgoing.group, ..Message::new(now) };
        self.writes.push(Write::Message {
            no,
            queue: id,
            message: message.clone(),
            deduplication,
            content: outgoing.content,
        });
        self.put(id, no, message);
        Ok(Sent { message_id, sequence_number: fifo.then(|| no.sequence_number()) })
    }

    /// A number that no message had before.
    pub(super) fn next_message_no(&mut self) -> MessageNo {
        let no = self.next_message;
        self.next_message = MessageNo(no.0 + 1);
        if no >= self.reserved {
            self.reserved = MessageNo(no.0 + RESERVE);
            self.writes.push(Write::Reserve(self.reserved));
        }
        no
    }

    /// Hands out messages.
    pub(crate) fn receive(
        &mut self,
        now: Timestamp,
        id: QueueId,
        ask: &Ask<'_>,
    ) -> Result<Vec<Delivery>, SqsFault> {
        match ask.attempt {
            Some(attempt) => self.receive_attempt(now, id, ask, attempt),
            None => self.receive_new(now, id, ask),
        }
    }

    pub(super) fn receive_new(
        &mut self,
        now: Timestamp,
        id: QueueId,
        ask: &Ask<'_>,
    ) -> Result<Vec<Delivery>, SqsFault> {
        let mut deliveries = Vec::new();
        while deliveries.len() < ask.most {
            let queue = self.queues.get(&id).ok_or_else(SqsFault::no_such_queue)?;
            // A FIFO queue goes on in the group of the message before, as far as that goes.
            let last = deliveries.last().map(|delivery: &Delivery| delivery.no);
            let next = last.and_then(|no| queue.next_in_group(no)).or_else(|| queue.next_visible());
            let Some(no) = next else { break };
            if self.dead_letter_queue(id, no).is_some() {
                self.redrive(now, id, no);
                continue;
            }
            if queue.counts().in_flight >= IN_FLIGHT {
                if deliveries.is_empty() {
                    return Err(SqsFault::new(
                        SqsFaultKind::OverLimit,
                        format!("{IN_FLIGHT} messages of this queue are in flight; delete some."),
                    ));
                }
                break;
            }
            let until = now + queue.visibility(ask.visibility);
            deliveries.extend(self.deliver(now, id, no, until));
        }
        Ok(deliveries)
    }

    fn deliver(
        &mut self,
        now: Timestamp,
        id: QueueId,
        no: MessageNo,
        until: Timestamp,
    ) -> Option<Delivery> {
        let queue = self.queues.get_mut(&id)?;
        queue.deliver(no, now, until);
        self.hidden.insert((until, id, no));
        self.writes.push(Write::State { no, message: queue.message(no)?.clone() });
        Delivery::of(queue, no, now)
    }

    /// Hides a message that is hidden already until another time.
    pub(super) fn hide(&mut self, id: QueueId, no: MessageNo, until: Timestamp) {
        let Some(queue) = self.queues.get_mut(&id) else { return };
        let was = queue.message(no).and_then(|message| message.state.hidden_until());
        if let Some(was) = was {
            self.hidden.remove(&(was, id, no));
            self.hidden.insert((until, id, no));
            queue.change(no, MessageState::InFlight(until));
            let message = queue.message(no).cloned();
            self.writes.extend(message.map(|message| Write::State { no, message }));
        }
    }

    /// Whether a FIFO queue can take the message at all; if not, that is a fault of a whole batch.
    pub(crate) fn check_fifo(&self, name: &QueueName, outgoing: &Outgoing) -> Result<(), SqsFault> {
        let queue = self.queue(name)?;
        if queue.attributes.is_fifo() {
            deduplication_id(queue, outgoing)?;
        }
        Ok(())
    }

    /// Deletes a message, if this is its last delivery. One that is gone already is fine.
    pub(crate) fn delete(&mut self, name: &QueueName, receipt: &str) -> Result<(), SqsFault> {
        let (queue, Receipt { message: no, delivery, .. }) = self.received(name, receipt)?;
        let id = queue.id;
        let Some(message) = queue.message(no) else { return Ok(()) };
        if queue.attributes.is_fifo() && !matches!(message.state, MessageState::InFlight(_)) {
            return Err(SqsFault::invalid(format!(
                "Value {receipt} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
            )));
        }
        // With a stale receipt SQS says yes and does nothing: somebody else has the message now.
        if message.receive_count == delivery {
            self.discard(id, no);
        }
        Ok(())
    }

    /// Hides a message for `timeout` from now on; zero shows it at once.
    pub(crate) fn change_visibility(
        &mut self,
        now: Timestamp,
        name: &QueueName,
        receipt: &str,
        timeout: u32,
    ) -> Result<(), SqsFault> {
        let (queue, Receipt { message: no, delivery, .. }) = self.received(name, receipt)?;
        let id = queue.id;
        // In a standard queue an older delivery's receipt does as well.
        let fifo = queue.attributes.is_fifo();
        let current = queue.message(no).filter(|m| !fifo || m.receive_count == delivery);
        let current = current.ok_or_else(|| {
            SqsFault::invalid(format!(
                "Value {receipt} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change."
            ))
        })?;
        if !matches!(current.state, MessageState::InFlight(_)) {
            return Err(SqsFault::new(
                SqsFaultKind::MessageNotInflight,
                "The specified message isn't in flight.",
            ));
        }
        let until = now + Duration::from_secs(u64::from(timeout));
        // Whole seconds, or a client that asks for all of them would always be too late.
        let hidden = until.since(current.last_received.unwrap_or(now)).as_secs();
        if hidden > u64::from(*VISIBILITY_SECONDS.end()) {
            return Err(SqsFault::invalid(format!(
                "Value {timeout} for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds]."
            )));
        }
        self.hide(id, no, until);
        if timeout == 0 {
            self.hidden.remove(&(until, id, no));
            self.show(now, id, no);
        }
        self.note_freed(id);
        Ok(())
    }

    /// Shows what was hidden long enough, and throws away what is too old.
    pub(crate) fn fire_due(&mut self, now: Timestamp) {
        while let Some(&(at, id, no)) = self.hidden.first()
            && at <= now
        {
            self.hidden.pop_first();
            // As of then, not of now: so the order of receiving does not depend on when this
            // was noticed, and need not be written.
            self.show(at, id, no);
        }
        while let Some(&(at, id)) = self.expiries.first()
            && at <= now
        {
            self.expiries.pop_first();
            self.expire(now, id);
        }
        self.fire_moves(now);
    }

    fn expire(&mut self, now: Timestamp, id: QueueId) {
        if let Some(queue) = self.queues.get_mut(&id) {
            queue.expiry = None;
        }
        while let Some(queue) = self.queues.get(&id)
            && queue.next_expiry().is_some_and(|at| at <= now)
            && let Some(no) = queue.oldest()
        {
            self.discard(id, no);
        }
        self.note_expiry(id);
    }

    /// Lets a hidden message be received, or moves it away if it was received too often.
    fn show(&mut self, now: Timestamp, id: QueueId, no: MessageNo) {
        if self.dead_letter_queue(id, no).is_some() {
            self.redrive(now, id, no);
        } else if let Some(queue) = self.queues.get_mut(&id) {
            queue.change(no, MessageState::Visible(now));
        }
        self.note_freed(id);
    }

    /// Where a message goes that was received as often as it may be.
    fn dead_letter_queue(&self, id: QueueId, no: MessageNo) -> Option<QueueId> {
        let queue = self.queues.get(&id)?;
        let redrive = queue.attributes.redrive()?;
        let often = queue.message(no)?.receive_count >= redrive.max_receive_count;
        // A dead-letter queue that was deleted takes nothing: the message stays where it is.
        let target = self.names.get(&redrive.target).filter(|target| **target != id)?;
        often.then_some(*target)
    }

    fn redrive(&mut self, now: Timestamp, id: QueueId, no: MessageNo) {
        let Some(target) = self.dead_letter_queue(id, no) else { return };
        let Some(queue) = self.queues.get_mut(&id) else { return };
        let source = queue.name.clone();
        let Some(mut message) = queue.remove(no) else { return };
        if let Some(until) = message.state.hidden_until() {
            self.hidden.remove(&(until, id, no));
        }
        message.state = MessageState::Visible(now);
        message.source = Some(source);
        if queue.attributes.is_fifo() {
            // A standard queue's message keeps its age; a FIFO queue's starts over.
            message.sent = now;
        }
        self.writes.push(Write::Move { no, queue: target, message: message.clone() });
        self.note_expiry(id);
        self.put(target, no, message);
    }

    /// Takes a message out of memory and database.
    pub(super) fn discard(&mut self, id: QueueId, no: MessageNo) {
        let Some(message) = self.queues.get_mut(&id).and_then(|queue| queue.remove(no)) else {
            return;
        };
        if let Some(until) = message.state.hidden_until() {
            self.hidden.remove(&(until, id, no));
        }
        self.writes.push(Write::Delete(no));
        self.note_expiry(id);
        self.note_freed(id);
    }

    /// Puts a message into a queue, in whatever state it is.
    pub(super) fn put(&mut self, id: QueueId, no: MessageNo, message: Message) {
        let Some(queue) = self.queues.get_mut(&id) else { return };
        if let Some(until) = message.state.hidden_until() {
            self.hidden.insert((until, id, no));
        }
        queue.insert(no, message);
        self.note_expiry(id);
        self.note_freed(id);
    }

    /// Keeps the queue's deadline in step with its oldest message.
    pub(super) fn note_expiry(&mut self, id: QueueId) {
        let Some(queue) = self.queues.get_mut(&id) else { return };
        let next = queue.next_expiry();
        if queue.expiry != next {
            if let Some(at) = queue.expiry {
                self.expiries.remove(&(at, id));
            }
            self.expiries.extend(next.map(|at| (at, id)));
            queue.expiry = next;
        }
    }

    /// Says that somebody who waits may find something in the queue.
    fn note_freed(&mut self, id: QueueId) {
        if self.queues.get(&id).is_some_and(|queue| queue.next_visible().is_some()) {
            self.ready.insert(id);
        }
    }

    fn received(&self, name: &QueueName, text: &str) -> Result<(&Queue, Receipt), SqsFault> {
        let queue = self.queue(name)?;
        let receipt = Receipt::decode(text)?;
        // A message that was moved to a dead-letter queue has a new life there.
        if receipt.queue == queue.id { Ok((queue, receipt)) } else { Err(Receipt::invalid(text)) }
    }
}

/// The id by which a FIFO queue knows a message again. Checks what differs between the two kinds.
fn deduplication_id(queue: &Queue, outgoing: &Outgoing) -> Result<Option<String>, SqsFault> {
    let refuse = |name: &str, value: &dyn std::fmt::Display| {
        Err(SqsFault::invalid(format!(
            "Value {value} for parameter {name} is invalid. Reason: The request include parameter that is not valid for this queue type."
        )))
    };
    if !queue.attributes.is_fifo() {
        return match &outgoing.deduplication {
            None => Ok(None),
            Some(id) => refuse("MessageDeduplicationId", id),
        };
    }
    if outgoing.group.is_none() {
        return Err(SqsFault::missing("MessageGroupId"));
    }
    if let Some(delay) = outgoing.delay.filter(|delay| !delay.is_zero()) {
        return refuse("DelaySeconds", &delay.as_secs());
    }
    match &outgoing.deduplication {
        Some(id) => Ok(Some(id.clone())),
        None if queue.attributes.deduplicates_by_content() => {
            Ok(Some(outgoing.body_digest.clone()))
        }
        None => Err(SqsFault::invalid(
            "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
        )),
    }
}

/// What must be the same for a message to be the same again.
fn scope(queue: &Queue, outgoing: &Outgoing, deduplication: Option<&str>) -> Option<String> {
    let id = deduplication?;
    match &outgoing.group {
        // Neither can have a line feed in it.
        Some(group) if queue.attributes.deduplicates_within_groups() => {
            Some(format!("{group}\n{id}"))
        }
        _ => Some(id.to_owned()),
    }
}
