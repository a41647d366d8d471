//! SQS in the database: queues, messages, contents, de-duplication ids.
//!
//! Contents have a table of their own, so that a delivery rewrites a row of a few dozen bytes and
//! not a body of up to a megabyte.

use cpe_swf::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    Sqs,
    fifo::{DEDUPLICATION_MILLIS, First},
    message::{Content, MessageAttributes},
    messages::Delivery,
    names::{MessageNo, QueueId, QueueName},
    queue::{Message, MessageState, Queue},
    write::Write,
};

pub(crate) fn create(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch(
        "CREATE TABLE sqs_queue (
             id INTEGER PRIMARY KEY,
             name TEXT NOT NULL,
             created INTEGER NOT NULL,
             modified INTEGER NOT NULL,
             attributes TEXT NOT NULL
         ) STRICT;
         CREATE TABLE sqs_message (
             no INTEGER PRIMARY KEY,
             queue INTEGER NOT NULL,
             sent INTEGER NOT NULL,
             state INTEGER NOT NULL,
             state_at INTEGER NOT NULL,
             receive_count INTEGER NOT NULL,
             first_received INTEGER,
             message_group TEXT,
             source TEXT
         ) STRICT;
         CREATE TABLE sqs_content (
             no INTEGER PRIMARY KEY,
             message_id TEXT NOT NULL,
             body TEXT NOT NULL,
             attributes TEXT,
             trace_header TEXT,
             deduplication_id TEXT
         ) STRICT;
         CREATE TABLE sqs_deduplication (
             queue INTEGER NOT NULL,
             id TEXT NOT NULL,
             at INTEGER NOT NULL,
             no INTEGER NOT NULL,
             message_id TEXT NOT NULL,
             PRIMARY KEY (queue, id)
         ) STRICT, WITHOUT ROWID;
         -- Numbers are never used twice, also when the highest row was deleted.
         CREATE TABLE sqs_next (
             one INTEGER PRIMARY KEY CHECK (one = 1),
             queue INTEGER NOT NULL,
             message INTEGER NOT NULL
         ) STRICT;
         INSERT INTO sqs_next VALUES (1, 1, 1);",
    )
}

/// A message with its content, for a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) delivery: Delivery,
    pub(crate) content: Content,
    pub(crate) deduplication_id: Option<String>,
    /// The queue that it was moved from, if this is a dead letter.
    pub(crate) source: Option<QueueName>,
}

pub(crate) fn write(db: &Connection, writes: Vec<Write>) -> rusqlite::Result<()> {
    writes.into_iter().try_for_each(|write| write_one(db, write))
}

fn write_one(db: &Connection, write: Write) -> rusqlite::Result<()> {
    let execute = |sql, params: &[&dyn rusqlite::ToSql]| execute(db, sql, params);
    match write {
        Write::Queue { .. } | Write::DeleteQueue(_) => write_queue(db, write),
        Write::Deduplication { .. } | Write::ForgetDeduplication { .. } => {
            write_deduplication(db, write)
        }
        Write::Message { no, queue, message, deduplication, content } => {
            insert_message(db, no, queue, &message)?;
            let attributes = match content.attributes.is_empty() {
                true => None,
                false => Some(json(&content.attributes)?),
            };
            execute(
                "INSERT INTO sqs_content
                 (no, message_id, body, attributes, trace_header, deduplication_id)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    no.0,
                    content.message_id,
                    content.body,
                    attributes,
                    content.trace_header,
                    deduplication
                ],
            )
        }
        Write::State { no, message } => {
            let (state, at) = state_columns(message.state);
            execute(
                "UPDATE sqs_message
                 SET state = ?2, state_at = ?3, receive_count = ?4, first_received = ?5
                 WHERE no = ?1",
                params![
                    no.0,
                    state,
                    at.0,
                    message.receive_count,
                    message.first_received.map(|at| at.0)
                ],
            )
        }
        Write::Move { no, queue, message, source } => {
            let (state, at) = state_columns(message.state);
            execute(
                "UPDATE sqs_message
                 SET queue = ?2, state = ?3, state_at = ?4, sent = ?5, source = ?6 WHERE no = ?1",
                params![no.0, queue.0, state, at.0, message.sent.0, source.as_str()],
            )
        }
        Write::Delete(no) => {
            execute("DELETE FROM sqs_content WHERE no = ?1", params![no.0])?;
            execute("DELETE FROM sqs_message WHERE no = ?1", params![no.0])
        }
        Write::Reserve(no) => execute("UPDATE sqs_next SET message = ?1", params![no.0]),
    }
}

fn execute(db: &Connection, sql: &str, params: &[&dyn rusqlite::ToSql]) -> rusqlite::Result<()> {
    db.prepare_cached(sql)?.execute(params).map(drop)
}

fn write_queue(db: &Connection, write: Write) -> rusqlite::Result<()> {
    match write {
        Write::Queue { id, name, created, modified, attributes } => {
            execute(db, "UPDATE sqs_next SET queue = max(queue, ?1 + 1)", params![id.0])?;
            execute(
                db,
                "INSERT INTO sqs_queue (id, name, created, modified, attributes)
                 VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (id) DO UPDATE
                 SET modified = excluded.modified, attributes = excluded.attributes",
                params![id.0, name.as_str(), created.0, modified.0, json(&attributes)?],
            )
        }
        Write::DeleteQueue(id) => {
            execute(db, "DELETE FROM sqs_deduplication WHERE queue = ?1", params![id.0])?;
            execute(db, "DELETE FROM sqs_queue WHERE id = ?1", params![id.0])
        }
        _ => Ok(()),
    }
}

fn write_deduplication(db: &Connection, write: Write) -> rusqlite::Result<()> {
    match write {
        Write::Deduplication { queue, id, at, first } => execute(
            db,
            "INSERT OR REPLACE INTO sqs_deduplication (queue, id, at, no, message_id)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![queue.0, id, at.0, first.no.0, first.message_id],
        ),
        Write::ForgetDeduplication { queue, now } => execute(
            db,
            "DELETE FROM sqs_deduplication WHERE queue = ?1 AND at <= ?2",
            params![queue.0, now.0.saturating_sub(DEDUPLICATION_MILLIS)],
        ),
        _ => Ok(()),
    }
}

fn insert_message(
    db: &Connection,
    no: MessageNo,
    queue: QueueId,
    message: &Message,
) -> rusqlite::Result<()> {
    let (state, at) = state_columns(message.state);
    db.prepare_cached(
        "INSERT INTO sqs_message
         (no, queue, sent, state, state_at, receive_count, first_received, message_group)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        no.0,
        queue.0,
        message.sent.0,
        state,
        at.0,
        message.receive_count,
        message.first_received.map(|at| at.0),
        message.group.as_deref()
    ])
    .map(drop)
}

fn state_columns(state: MessageState) -> (i64, Timestamp) {
    match state {
        MessageState::Visible(at) => (0, at),
        MessageState::Delayed(at) => (1, at),
        MessageState::InFlight(at) => (2, at),
    }
}

fn json(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// Reads a column that holds JSON.
fn from_json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    serde_json::from_str(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(
            column,
            rusqlite::types::Type::Text,
            Box::new(error),
        )
    })
}

/// Reads the content of a message that is handed out.
pub(crate) fn with_content(db: &Connection, delivery: Delivery) -> rusqlite::Result<Received> {
    let mut statement = db.prepare_cached(
        "SELECT message_id, body, attributes, trace_header, deduplication_id,
                (SELECT source FROM sqs_message WHERE no = ?1)
         FROM sqs_content WHERE no = ?1",
    )?;
    statement.query_row([delivery.no.0], |row| {
        let attributes = match row.get_ref(2)? {
            rusqlite::types::ValueRef::Null => MessageAttributes::new(),
            _ => from_json(row, 2)?,
        };
        Ok(Received {
            content: Content {
                message_id: row.get(0)?,
                body: row.get(1)?,
                attributes,
                trace_header: row.get(3)?,
            },
            deduplication_id: row.get(4)?,
            source: row.get::<_, Option<String>>(5)?.map(QueueName::stored),
            delivery,
        })
    })
}

/// Brings back what was in memory when the last transaction was committed.
pub(crate) fn load(db: &Connection) -> rusqlite::Result<Sqs> {
    let mut sqs = Sqs::default();
    let (queue, message) = db
        .query_row("SELECT queue, message FROM sqs_next", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?
        .unwrap_or((1, 1));
    sqs.next_queue = QueueId(queue);
    (sqs.next_message, sqs.reserved) = (MessageNo(message), MessageNo(message));
    load_queues(db, &mut sqs)?;
    load_deduplication(db, &mut sqs)?;
    load_messages(db, &mut sqs)?;
    sqs.ready.clear();
    Ok(sqs)
}

fn load_queues(db: &Connection, sqs: &mut Sqs) -> rusqlite::Result<()> {
    let mut statement =
        db.prepare("SELECT id, name, created, modified, attributes FROM sqs_queue")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id = QueueId(row.get(0)?);
        let name = QueueName::stored(row.get(1)?);
        let mut queue = Queue::new(id, name.clone(), Timestamp(row.get(2)?), from_json(row, 4)?);
        queue.modified = Timestamp(row.get(3)?);
        sqs.names.insert(name, id);
        sqs.queues.insert(id, queue);
    }
    Ok(())
}

fn load_deduplication(db: &Connection, sqs: &mut Sqs) -> rusqlite::Result<()> {
    let mut statement =
        db.prepare("SELECT queue, id, at, no, message_id FROM sqs_deduplication ORDER BY at, no")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(queue) = sqs.queues.get_mut(&QueueId(row.get(0)?)) {
            let id: String = row.get(1)?;
            let first = First { no: MessageNo(row.get(3)?), message_id: row.get(4)? };
            queue.deduplication.remember(&id, Timestamp(row.get(2)?), first);
        }
    }
    Ok(())
}

fn load_messages(db: &Connection, sqs: &mut Sqs) -> rusqlite::Result<()> {
    let mut statement = db.prepare(
        "SELECT no, queue, sent, state, state_at, receive_count, first_received, message_group
         FROM sqs_message ORDER BY no",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let no = MessageNo(row.get(0)?);
        let at = Timestamp(row.get(4)?);
        let group: Option<String> = row.get(7)?;
        let message = Message {
            sent: Timestamp(row.get(2)?),
            state: match row.get::<_, i64>(3)? {
                0 => MessageState::Visible(at),
                1 => MessageState::Delayed(at),
                _ => MessageState::InFlight(at),
            },
            receive_count: row.get(5)?,
            first_received: row.get::<_, Option<i64>>(6)?.map(Timestamp),
            group: group.map(Into::into),
        };
        sqs.put(QueueId(row.get(1)?), no, message);
    }
    Ok(())
}
