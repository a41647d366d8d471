//! SQS as the port [`MessageQueue`].

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use cpe_ports::{
    BatchOutcome, Error, ErrorKind, MAX_BATCH, Message, MessageQueue, OutgoingMessage, QueueUrl,
    ReceiptHandle, Receive,
};

use super::unavailable;
use crate::{
    engine::{self, Core, Engine},
    sqs::{self, QueueName, SqsFault, SqsFaultKind},
};

/// Queues have addresses of their own here; the endpoint reads them whatever their host is.
const BASE: &str = "http://localhost";

#[derive(Debug)]
pub(crate) struct LocalQueues {
    engine: Engine,
}

impl LocalQueues {
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine }
    }

    async fn command<T: Send + 'static>(
        &self,
        command: impl FnOnce(&mut Core) -> Result<T, SqsFault> + Send + 'static,
    ) -> Result<T, Error> {
        self.engine.call(command).await.map_err(unavailable)?.map_err(refused)
    }
}

fn refused(fault: SqsFault) -> Error {
    let kind = match fault.kind {
        SqsFaultKind::QueueDoesNotExist => ErrorKind::NotFound,
        SqsFaultKind::QueueNameExists => ErrorKind::AlreadyExists,
        SqsFaultKind::OverLimit => ErrorKind::Throttled,
        SqsFaultKind::Unavailable => ErrorKind::Unavailable,
        _ => ErrorKind::Refused,
    };
    Error::new(kind, fault.message).with_code(fault.kind.name())
}

fn check_batch(entries: usize) -> Result<(), Error> {
    if (1..=MAX_BATCH).contains(&entries) {
        return Ok(());
    }
    let why = format!("a batch of {entries} entries is not possible; 1 to {MAX_BATCH} are");
    Err(refused(SqsFault::invalid(why)))
}

fn name_of(queue: &QueueUrl) -> Result<QueueName, Error> {
    QueueName::of_url(&queue.0).map_err(refused)
}

fn url_of(name: &QueueName) -> QueueUrl {
    QueueUrl(sqs::wire::queue_url(BASE, name))
}

#[async_trait]
impl MessageQueue for LocalQueues {
    async fn queue_url(&self, name: &str) -> Result<QueueUrl, Error> {
        let name = QueueName::parse(name).map_err(|_| refused(SqsFault::no_such_queue()))?;
        let url = url_of(&name);
        self.command(move |core| core.sqs.queue_id(&name)).await?;
        Ok(url)
    }

    async fn create_queue(&self, name: &str) -> Result<QueueUrl, Error> {
        let name = QueueName::parse(name).map_err(refused)?;
        let url = url_of(&name);
        let mut attributes = BTreeMap::new();
        if name.is_fifo() {
            attributes.insert("FifoQueue".to_owned(), "true".to_owned());
        }
        self.command(move |core| core.sqs.create_queue(core.now, &name, &attributes)).await?;
        Ok(url)
    }

    async fn receive(&self, queue: &QueueUrl, receive: Receive) -> Result<Vec<Message>, Error> {
        if !(1..=10).contains(&receive.max_messages) {
            return Err(refused(SqsFault::invalid(format!(
                "{} messages at once are not possible; 1 to 10 are",
                receive.max_messages
            ))));
        }
        let longest = Duration::from_secs(u64::from(*sqs::WAIT_SECONDS.end()));
        let asked = engine::Receive {
            queue: name_of(queue)?,
            most: usize::try_from(receive.max_messages).unwrap_or(1),
            visibility: receive.visibility_timeout,
            wait: Some(receive.wait.min(longest)),
            attempt: None,
        };
        let received = self.engine.receive(asked, self.engine.closing()).await;
        let received = received.map_err(unavailable)?.map_err(refused)?;
        Ok(received.into_iter().map(message).collect())
    }

    async fn send(&self, queue: &QueueUrl, message: OutgoingMessage) -> Result<(), Error> {
        let name = name_of(queue)?;
        let outgoing =
            sqs::wire::outgoing(message.body, message.group_id, message.deduplication_id)
                .map_err(refused)?;
        self.command(move |core| core.sqs.send(core.now, &name, outgoing).map(drop)).await
    }

    async fn send_batch(
        &self,
        queue: &QueueUrl,
        messages: Vec<OutgoingMessage>,
    ) -> Result<BatchOutcome, Error> {
        check_batch(messages.len())?;
        let name = name_of(queue)?;
        let outgoing = messages.into_iter().map(|message| {
            sqs::wire::outgoing(message.body, message.group_id, message.deduplication_id)
        });
        let outgoing: Vec<_> = outgoing.collect();
        self.command(move |core| {
            core.sqs.queue_id(&name)?;
            let send = |outgoing: Result<_, _>| {
                outgoing.and_then(|outgoing| core.sqs.send(core.now, &name, outgoing).map(drop))
            };
            Ok(outgoing.into_iter().map(send).map(|sent| sent.map_err(refused)).collect())
        })
        .await
    }

    async fn delete(&self, queue: &QueueUrl, receipt: &ReceiptHandle) -> Result<(), Error> {
        let (name, receipt) = (name_of(queue)?, receipt.0.clone());
        self.command(move |core| core.sqs.delete(&name, &receipt)).await
    }

    async fn delete_batch(
        &self,
        queue: &QueueUrl,
        receipts: Vec<ReceiptHandle>,
    ) -> Result<BatchOutcome, Error> {
        check_batch(receipts.len())?;
        let name = name_of(queue)?;
        self.command(move |core| {
            core.sqs.queue_id(&name)?;
            let delete = |receipt: &ReceiptHandle| core.sqs.delete(&name, &receipt.0);
            Ok(receipts.iter().map(delete).map(|deleted| deleted.map_err(refused)).collect())
        })
        .await
    }

    async fn change_visibility(
        &self,
        queue: &QueueUrl,
        receipt: &ReceiptHandle,
        timeout: Duration,
    ) -> Result<(), Error> {
        let (name, receipt) = (name_of(queue)?, receipt.0.clone());
        // Whole seconds on the wire, and never shorter than asked for.
        let seconds = timeout.as_secs() + u64::from(timeout.subsec_nanos() > 0);
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        self.command(move |core| core.sqs.change_visibility(core.now, &name, &receipt, seconds))
            .await
    }
}

fn message(received: sqs::Received) -> Message {
    Message {
        message_id: received.content.message_id,
        receipt_handle: ReceiptHandle(received.delivery.receipt.encode()),
        body: received.content.body,
        receive_count: received.delivery.receive_count,
        sent: Some(received.delivery.sent),
    }
}
