//! Lists and counts of runs in SQL.
//!
//! The index is named, since SQLite knows nothing of how the runs are spread: by workflow id where
//! one is given, else by the time that is asked for.

use cpe_swf::ExecutionStatus;
use rusqlite::{Connection, Result, types::Value};

use super::{
    super::{Filter, Listed, Listing, RunNo, TimeField},
    parsed,
};

/// A condition with the values that it takes, in order.
struct Query {
    sql: String,
    values: Vec<Value>,
}

impl Query {
    fn and(&mut self, condition: &str, values: impl IntoIterator<Item = Value>) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
        self.values.extend(values);
    }
}

/// The statement of a list, and its values.
pub(super) fn sql(listing: &Listing<'_>) -> (String, Vec<Value>) {
    let time = column(listing.time);
    let order = if listing.ascending { "ASC" } else { "DESC" };
    let Query { sql, mut values } = runs(listing);
    values.push(listing.limit.into());
    (format!("SELECT no, info {sql} ORDER BY {time} {order}, no {order} LIMIT ?"), values)
}

pub(super) fn list(connection: &Connection, listing: &Listing<'_>) -> Result<Vec<Listed>> {
    let (sql, values) = sql(listing);
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(rusqlite::params_from_iter(values), |row| {
        Ok(Listed { no: RunNo(row.get(0)?), info: parsed(row, 1)? })
    })?;
    rows.collect()
}

pub(super) fn count(connection: &Connection, listing: &Listing<'_>) -> Result<u32> {
    let Query { sql, mut values } = runs(listing);
    let sql = format!("SELECT count(*) FROM (SELECT 1 {sql} LIMIT ?)");
    values.push(listing.limit.into());
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_row(rusqlite::params_from_iter(values), |row| row.get(0))
}

fn column(time: TimeField) -> &'static str {
    match time {
        TimeField::Started => "started",
        TimeField::Closed => "ended",
    }
}

fn runs(listing: &Listing<'_>) -> Query {
    let time = column(listing.time);
    let index = match (listing.filter, listing.time) {
        (Filter::WorkflowId(_), _) => "swf_runs_workflow",
        (_, TimeField::Started) => "swf_runs_started",
        (_, TimeField::Closed) => "swf_runs_ended",
    };
    // Written as a constant, so that SQLite sees that the partial index applies.
    let closed = i32::from(listing.status == ExecutionStatus::Closed);
    let mut query = Query {
        sql: format!("FROM swf_runs INDEXED BY {index} WHERE domain = ? AND closed = {closed}"),
        values: vec![text(listing.domain.as_str())],
    };
    query.and(
        &format!("{time} BETWEEN ? AND ?"),
        [listing.oldest.0.into(), listing.latest.0.into()],
    );
    match listing.filter {
        Filter::All => {}
        Filter::WorkflowId(id) => query.and("workflow_id = ?", [text(id.as_str())]),
        Filter::Type(filter) => {
            query.and("type_name = ?", [text(&filter.name)]);
            if let Some(version) = &filter.version {
                query.and("type_version = ?", [text(version)]);
            }
        }
        Filter::Tag(tag) => query.and(
            "EXISTS (SELECT 1 FROM json_each(info, '$.tagList') WHERE value = ?)",
            [text(tag)],
        ),
        Filter::CloseStatus(status) => query.and("close_status = ?", [text(status.as_str())]),
    }
    if let Some((at, no)) = listing.after {
        let than = if listing.ascending { ">" } else { "<" };
        query.and(&format!("({time}, no) {than} (?, ?)"), [at.0.into(), no.0.into()]);
    }
    query
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}
