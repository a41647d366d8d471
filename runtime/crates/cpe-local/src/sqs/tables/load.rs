//! Brings back what was in memory when the last transaction was committed.

use cpe_swf::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row};

use super::from_json;
use crate::sqs::{
    Sqs,
    attempts::Attempt,
    fifo::First,
    moves::{MessageMove, MoveId, Progress},
    names::{MessageNo, QueueId, QueueName},
    queue::{Message, MessageState, Queue},
};

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
    load_attempts(db, &mut sqs)?;
    load_moves(db, &mut sqs)?;
    load_messages(db, &mut sqs)?;
    sqs.ready.clear();
    Ok(sqs)
}

fn load_queues(db: &Connection, sqs: &mut Sqs) -> rusqlite::Result<()> {
    let mut statement =
        db.prepare("SELECT id, name, created, modified, attributes, tags, purged FROM sqs_queue")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id = QueueId(row.get(0)?);
        let name = QueueName::stored(row.get_ref(1)?.as_str()?);
        let mut queue = Queue::new(id, name.clone(), Timestamp(row.get(2)?), from_json(row, 4)?);
        queue.modified = Timestamp(row.get(3)?);
        queue.tags = from_json(row, 5)?;
        queue.purged = time(row, 6)?;
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

fn load_attempts(db: &Connection, sqs: &mut Sqs) -> rusqlite::Result<()> {
    let mut statement =
        db.prepare("SELECT queue, id, at, until, messages FROM sqs_attempt ORDER BY at, id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(queue) = sqs.queues.get_mut(&QueueId(row.get(0)?)) {
            let messages: Vec<(i64, u32)> = from_json(row, 4)?;
            let attempt = Attempt {
                at: Timestamp(row.get(2)?),
                until: Timestamp(row.get(3)?),
                messages: messages.into_iter().map(|(no, count)| (MessageNo(no), count)).collect(),
            };
            queue.attempts.remember(row.get_ref(1)?.as_str()?, attempt);
        }
    }
    Ok(())
}

fn load_moves(db: &Connection, sqs: &mut Sqs) -> rusqlite::Result<()> {
    let mut statement = db.prepare(
        "SELECT queue, no, id, destination, rate, started, to_move, moved, status, next_step, reason
         FROM sqs_move ORDER BY queue, no",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let count = |column| row.get::<_, i64>(column).map(|number| number.max(0).unsigned_abs());
        let next = time(row, 9)?.unwrap_or_default();
        let made = MessageMove {
            no: row.get(1)?,
            id: MoveId(row.get(2)?),
            destination: name(sqs, row, 3)?,
            rate: row.get(4)?,
            started: Timestamp(row.get(5)?),
            to_move: count(6)?,
            moved: count(7)?,
            progress: match row.get_ref(8)?.as_str()? {
                "RUNNING" => Progress::Running(next),
                "CANCELLING" => Progress::Canceling(next),
                "COMPLETED" => Progress::Completed,
                "CANCELLED" => Progress::Canceled,
                _ => Progress::Failed(row.get::<_, Option<String>>(10)?.unwrap_or_default()),
            },
        };
        sqs.moves.add(QueueId(row.get(0)?), made);
    }
    Ok(())
}

fn load_messages(db: &Connection, sqs: &mut Sqs) -> rusqlite::Result<()> {
    let mut statement = db.prepare(
        "SELECT no, queue, sent, state, state_at, receive_count, first_received, last_received,
                message_group, source
         FROM sqs_message ORDER BY no",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let no = MessageNo(row.get(0)?);
        let at = Timestamp(row.get(4)?);
        let group: Option<String> = row.get(8)?;
        let message = Message {
            sent: Timestamp(row.get(2)?),
            state: match row.get::<_, i64>(3)? {
                0 => MessageState::Visible(at),
                1 => MessageState::Delayed(at),
                _ => MessageState::InFlight(at),
            },
            receive_count: row.get(5)?,
            first_received: time(row, 6)?,
            last_received: time(row, 7)?,
            group: group.map(Into::into),
            source: name(sqs, row, 9)?,
        };
        sqs.put(QueueId(row.get(1)?), no, message);
    }
    Ok(())
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp))
}

/// A queue's name that may be missing; in memory once, if there is such a queue.
fn name(sqs: &Sqs, row: &Row<'_>, column: usize) -> rusqlite::Result<Option<QueueName>> {
    let Some(text) = row.get_ref(column)?.as_str_or_null()? else { return Ok(None) };
    let name = QueueName::stored(text);
    Ok(Some(sqs.names.get_key_value(&name).map_or(name.clone(), |(known, _)| known.clone())))
}
