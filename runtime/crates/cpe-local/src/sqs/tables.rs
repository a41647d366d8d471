//! SQS in the database: queues, messages, contents, de-duplication ids, attempts, moves.
//!
//! Here is how it is written; `load` reads it back.
//!
//! Contents have a table of their own, so that a delivery rewrites a row of a few dozen bytes and
//! not a body of up to a megabyte.

use cpe_swf::Timestamp;
use rusqlite::{Connection, Row, params};

use super::{
    fifo::DEDUPLICATION_MILLIS,
    message::{Content, MessageAttributes},
    messages::Delivery,
    moves::{MessageMove, Progress},
    names::{MessageNo, QueueId, QueueName},
    queue::{Message, MessageState},
    write::Write,
};

mod load;

pub(crate) use self::load::load;

pub(crate) fn create(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch(
        "CREATE TABLE sqs_queue (
             id INTEGER PRIMARY KEY,
             name TEXT NOT NULL,
             created INTEGER NOT NULL,
             modified INTEGER NOT NULL,
             attributes TEXT NOT NULL,
             tags TEXT NOT NULL,
             purged INTEGER
         ) STRICT;
         CREATE TABLE sqs_message (
             no INTEGER PRIMARY KEY,
             queue INTEGER NOT NULL,
             sent INTEGER NOT NULL,
             state INTEGER NOT NULL,
             state_at INTEGER NOT NULL,
             receive_count INTEGER NOT NULL,
             first_received INTEGER,
             last_received INTEGER,
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
         CREATE TABLE sqs_attempt (
             queue INTEGER NOT NULL,
             id TEXT NOT NULL,
             at INTEGER NOT NULL,
             until INTEGER NOT NULL,
             messages TEXT NOT NULL,
             PRIMARY KEY (queue, id)
         ) STRICT, WITHOUT ROWID;
         CREATE TABLE sqs_move (
             queue INTEGER NOT NULL,
             no INTEGER NOT NULL,
             id TEXT NOT NULL,
             destination TEXT,
             rate INTEGER,
             started INTEGER NOT NULL,
             to_move INTEGER NOT NULL,
             moved INTEGER NOT NULL,
             status TEXT NOT NULL,
             next_step INTEGER,
             reason TEXT,
             PRIMARY KEY (queue, no)
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
        Write::Attempt { .. } | Write::ForgetAttempt { .. } => write_attempt(db, write),
        Write::MessageMove { queue, made } => write_move(db, queue, &made),
        Write::ForgetMove { queue, no } => {
            execute("DELETE FROM sqs_move WHERE queue = ?1 AND no = ?2", params![queue.0, no])
        }
        Write::Move { .. } | Write::MoveBack { .. } => move_message(db, write),
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
                 SET state = ?2, state_at = ?3, receive_count = ?4, first_received = ?5,
                     last_received = ?6
                 WHERE no = ?1",
                params![
                    no.0,
                    state,
                    at.0,
                    message.receive_count,
                    message.first_received.map(|at| at.0),
                    message.last_received.map(|at| at.0)
                ],
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
        Write::Queue { id, name, created, modified, attributes, tags, purged } => {
            execute(db, "UPDATE sqs_next SET queue = max(queue, ?1 + 1)", params![id.0])?;
            execute(
                db,
                "INSERT INTO sqs_queue (id, name, created, modified, attributes, tags, purged)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT (id) DO UPDATE
                 SET modified = excluded.modified, attributes = excluded.attributes,
                     tags = excluded.tags, purged = excluded.purged",
                params![
                    id.0,
                    name.as_str(),
                    created.0,
                    modified.0,
                    json(&attributes)?,
                    json(&tags)?,
                    purged.map(|at| at.0)
                ],
            )
        }
        Write::DeleteQueue(id) => {
            execute(db, "DELETE FROM sqs_deduplication WHERE queue = ?1", params![id.0])?;
            execute(db, "DELETE FROM sqs_attempt WHERE queue = ?1", params![id.0])?;
            execute(db, "DELETE FROM sqs_move WHERE queue = ?1", params![id.0])?;
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

fn write_attempt(db: &Connection, write: Write) -> rusqlite::Result<()> {
    match write {
        Write::Attempt { queue, id, attempt } => {
            let messages: Vec<_> =
                attempt.messages.iter().map(|(no, count)| (no.0, count)).collect();
            execute(
                db,
                "INSERT OR REPLACE INTO sqs_attempt (queue, id, at, until, messages)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                params![queue.0, id, attempt.at.0, attempt.until.0, json(&messages)?],
            )
        }
        Write::ForgetAttempt { queue, id } => execute(
            db,
            "DELETE FROM sqs_attempt WHERE queue = ?1 AND id = ?2",
            params![queue.0, id],
        ),
        _ => Ok(()),
    }
}

fn write_move(db: &Connection, queue: QueueId, made: &MessageMove) -> rusqlite::Result<()> {
    let reason = match &made.progress {
        Progress::Failed(reason) => Some(reason),
        _ => None,
    };
    let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    execute(
        db,
        "INSERT OR REPLACE INTO sqs_move
         (queue, no, id, destination, rate, started, to_move, moved, status, next_step, reason)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            queue.0,
            made.no,
            made.id.0,
            made.destination.as_ref().map(QueueName::as_str),
            made.rate,
            made.started.0,
            count(made.to_move),
            count(made.moved),
            made.progress.status(),
            made.progress.next_step().map(|at| at.0),
            reason
        ],
    )
}

fn move_message(db: &Connection, write: Write) -> rusqlite::Result<()> {
    match write {
        Write::Move { no, queue, message } => {
            let (state, at) = state_columns(message.state);
            let source = message.source.as_ref().map(QueueName::as_str);
            execute(
                db,
                "UPDATE sqs_message
                 SET queue = ?2, state = ?3, state_at = ?4, sent = ?5, source = ?6 WHERE no = ?1",
                params![no.0, queue.0, state, at.0, message.sent.0, source],
            )
        }
        Write::MoveBack { no, new_no, queue, message, message_id } => {
            execute(db, "DELETE FROM sqs_message WHERE no = ?1", params![no.0])?;
            insert_message(db, new_no, queue, &message)?;
            execute(
                db,
                "UPDATE sqs_content SET no = ?2, message_id = ?3 WHERE no = ?1",
                params![no.0, new_no.0, message_id],
            )
        }
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
        "SELECT message_id, body, attributes, trace_header, deduplication_id
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
            delivery,
        })
    })
}
