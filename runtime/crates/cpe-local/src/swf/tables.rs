//! SWF's tables: what the machine asked to be written, read back after a restart, and the runs
//! that left memory.
//!
//! An event is one row of JSON text, under a key that joins run and event id, so that a history
//! lies together on disk. Nothing is ever changed but a run's record.

mod listing;

use cpe_swf::{
    DomainName, EventId, ExecutionStatus, Fault, FaultKind, HistoryEvent, Timestamp,
    WorkflowExecution, api::WorkflowExecutionDetail,
};
use rusqlite::{Connection, OptionalExtension, Result, params, types::Type};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Archive, DomainRecord, EventRange, Heartbeat, Listed, Listing, RunNo, RunRecord, Swf, Write,
    domains::Domain,
};

/// Histories have at most 25,000 events: 15 bits.
const EVENT_BITS: u32 = 15;
/// What the columns `kind` of a type means.
const WORKFLOW: i64 = 0;
const ACTIVITY: i64 = 1;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS swf_domains (
        name TEXT PRIMARY KEY,
        record TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS swf_types (
        domain TEXT NOT NULL,
        kind INTEGER NOT NULL,
        name TEXT NOT NULL,
        version TEXT NOT NULL,
        detail TEXT NOT NULL,
        PRIMARY KEY (domain, kind, name, version)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS swf_runs (
        no INTEGER PRIMARY KEY,
        domain TEXT NOT NULL,
        workflow_id TEXT NOT NULL,
        run_id TEXT NOT NULL,
        type_name TEXT NOT NULL,
        type_version TEXT NOT NULL,
        closed INTEGER NOT NULL,
        close_status TEXT,
        started INTEGER NOT NULL,
        ended INTEGER,
        info TEXT NOT NULL,
        detail TEXT
    );
    CREATE INDEX IF NOT EXISTS swf_runs_started ON swf_runs (domain, closed, started, no);
    CREATE INDEX IF NOT EXISTS swf_runs_ended ON swf_runs (domain, ended, no) WHERE closed = 1;
    CREATE INDEX IF NOT EXISTS swf_runs_workflow ON swf_runs (domain, workflow_id, started, no);
    CREATE INDEX IF NOT EXISTS swf_runs_closed ON swf_runs (run_id) WHERE closed = 1;
    CREATE TABLE IF NOT EXISTS swf_events (
        key INTEGER PRIMARY KEY,
        event TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS swf_heartbeats (
        run INTEGER NOT NULL,
        activity INTEGER NOT NULL,
        at INTEGER NOT NULL,
        details TEXT,
        PRIMARY KEY (run, activity)
    ) WITHOUT ROWID;
";

const PUT_RUN: &str = "
    INSERT INTO swf_runs (no, domain, workflow_id, run_id, type_name, type_version,
        closed, close_status, started, ended, info, detail)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
    ON CONFLICT (no) DO UPDATE SET closed = excluded.closed,
        close_status = excluded.close_status, ended = excluded.ended, info = excluded.info,
        detail = excluded.detail";
const PUT_TYPE: &str = "
    INSERT OR REPLACE INTO swf_types (domain, kind, name, version, detail)
    VALUES (?1, ?2, ?3, ?4, ?5)";
const DROP_TYPE: &str = "
    DELETE FROM swf_types WHERE domain = ?1 AND kind = ?2 AND name = ?3 AND version = ?4";

pub(crate) fn create(connection: &Connection) -> Result<()> {
    connection.execute_batch(TABLES)
}

/// Writes what the machine asked for. To be called inside a transaction.
pub(crate) fn write(connection: &Connection, writes: &[Write]) -> Result<()> {
    writes.iter().try_for_each(|change| write_one(connection, change))
}

fn write_one(connection: &Connection, change: &Write) -> Result<()> {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
        connection.prepare_cached(sql)?.execute(values).map(drop)
    };
    match change {
        Write::Event { run: no, event } => run(
            "INSERT INTO swf_events (key, event) VALUES (?1, ?2)",
            params![key(*no, event.event_id), json(event)?],
        ),
        Write::Run(record) => put_run(connection, record),
        Write::Heartbeat { run: no, activity, heartbeat } => run(
            "INSERT OR REPLACE INTO swf_heartbeats (run, activity, at, details)
             VALUES (?1, ?2, ?3, ?4)",
            params![no.0, activity.0, heartbeat.at.0, heartbeat.details],
        ),
        Write::DropHeartbeat { run: no, activity } => run(
            "DELETE FROM swf_heartbeats WHERE run = ?1 AND activity = ?2",
            params![no.0, activity.0],
        ),
        Write::DropHeartbeats { run: no } => {
            run("DELETE FROM swf_heartbeats WHERE run = ?1", params![no.0])
        }
        Write::Domain(record) => run(
            "INSERT OR REPLACE INTO swf_domains (name, record) VALUES (?1, ?2)",
            params![record.name.as_str(), json(record)?],
        ),
        Write::WorkflowType { domain, detail } => {
            let kind = &detail.type_info.workflow_type;
            let detail = json(detail)?;
            run(PUT_TYPE, params![domain.as_str(), WORKFLOW, kind.name, kind.version, detail])
        }
        Write::ActivityType { domain, detail } => {
            let kind = &detail.type_info.activity_type;
            let detail = json(detail)?;
            run(PUT_TYPE, params![domain.as_str(), ACTIVITY, kind.name, kind.version, detail])
        }
        Write::DropWorkflowType { domain, workflow_type: kind } => {
            run(DROP_TYPE, params![domain.as_str(), WORKFLOW, kind.name, kind.version])
        }
        Write::DropActivityType { domain, activity_type: kind } => {
            run(DROP_TYPE, params![domain.as_str(), ACTIVITY, kind.name, kind.version])
        }
    }
}

fn put_run(connection: &Connection, record: &RunRecord) -> Result<()> {
    let info = &record.info;
    connection.prepare_cached(PUT_RUN)?.execute(params![
        record.no.0,
        record.domain.as_str(),
        info.execution.workflow_id.as_str(),
        info.execution.run_id.as_str(),
        info.workflow_type.name,
        info.workflow_type.version,
        info.execution_status == ExecutionStatus::Closed,
        info.close_status.map(|status| status.as_str()),
        info.start_timestamp.0,
        info.close_timestamp.map(|at| at.0),
        json(info)?,
        record.detail.as_ref().map(json).transpose()?,
    ])?;
    Ok(())
}

/// Reads the machine's state: domains, types, and every open run, replayed from its events.
pub(crate) fn load(connection: &Connection) -> Result<Swf> {
    let mut swf = Swf::default();
    load_domains(connection, &mut swf)?;
    let last: Option<i64> =
        connection.query_row("SELECT max(no) FROM swf_runs", [], |row| row.get(0))?;
    swf.next_run = RunNo(last.unwrap_or(0) + 1);
    let domains: Vec<DomainName> = swf.domains.keys().cloned().collect();
    for domain in domains {
        load_runs(connection, &mut swf, &domain)?;
    }
    let mut statement =
        connection.prepare("SELECT run, activity, at, details FROM swf_heartbeats")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let heartbeat = Heartbeat { at: Timestamp(row.get(2)?), details: row.get(3)? };
        swf.set_heartbeat(RunNo(row.get(0)?), EventId(row.get(1)?), heartbeat);
    }
    Ok(swf)
}

fn load_domains(connection: &Connection, swf: &mut Swf) -> Result<()> {
    let mut statement = connection.prepare("SELECT record FROM swf_domains")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let record: DomainRecord = parsed(row, 0)?;
        swf.domains.insert(record.name.clone(), Domain::new(record));
    }
    let mut statement = connection.prepare("SELECT domain, kind, detail FROM swf_types")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let domain = DomainName(row.get(0)?);
        let Some(domain) = swf.domains.get_mut(&domain) else { continue };
        if row.get::<_, i64>(1)? == WORKFLOW {
            let detail: cpe_swf::api::WorkflowTypeDetail = parsed(row, 2)?;
            domain.workflow_types.insert(detail.type_info.workflow_type.clone(), detail);
        } else {
            let detail: cpe_swf::api::ActivityTypeDetail = parsed(row, 2)?;
            domain.activity_types.insert(detail.type_info.activity_type.clone(), detail);
        }
    }
    Ok(())
}

fn load_runs(connection: &Connection, swf: &mut Swf, domain: &DomainName) -> Result<()> {
    let mut statement = connection
        .prepare("SELECT no, workflow_id, run_id FROM swf_runs WHERE domain = ?1 AND closed = 0")?;
    let mut rows = statement.query([domain.as_str()])?;
    while let Some(row) = rows.next()? {
        let no = RunNo(row.get(0)?);
        let execution = WorkflowExecution {
            workflow_id: row.get::<_, String>(1)?.into(),
            run_id: row.get::<_, String>(2)?.into(),
        };
        let range = EventRange { first: EventId(1), last: EventId(LAST_EVENT), reverse: false };
        let events = read_events(connection, no, range)?;
        if !swf.restore(no, domain.clone(), execution, events) {
            tracing::error!(run = no.0, %domain, "An open run without history is left out");
        }
    }
    Ok(())
}

const LAST_EVENT: i64 = (1 << EVENT_BITS) - 1;

fn key(run: RunNo, event: EventId) -> i64 {
    (run.0 << EVENT_BITS) | event.0.clamp(0, LAST_EVENT)
}

fn read_events(
    connection: &Connection,
    run: RunNo,
    range: EventRange,
) -> Result<Vec<HistoryEvent>> {
    let sql = if range.reverse {
        "SELECT event FROM swf_events WHERE key BETWEEN ?1 AND ?2 ORDER BY key DESC"
    } else {
        "SELECT event FROM swf_events WHERE key BETWEEN ?1 AND ?2 ORDER BY key"
    };
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([key(run, range.first), key(run, range.last)])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        events.push(parsed(row, 0)?);
    }
    Ok(events)
}

fn json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

fn parsed<T: DeserializeOwned>(row: &rusqlite::Row<'_>, column: usize) -> Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    serde_json::from_str(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
    })
}

/// Forgets closed runs whose domain's retention has passed, at most `limit` of them.
///
/// The newest run is never forgotten: the next number is counted from it.
pub(crate) fn forget_expired(
    connection: &Connection,
    swf: &Swf,
    now: Timestamp,
    limit: u32,
) -> Result<u32> {
    let mut left = limit;
    for domain in swf.domains.values() {
        let days = i64::from(domain.record.retention_days());
        let before = now.0 - days * 24 * 60 * 60 * 1000;
        let mut statement = connection.prepare_cached(
            "SELECT no FROM swf_runs INDEXED BY swf_runs_ended
             WHERE domain = ?1 AND closed = 1 AND ended < ?2
                AND no < (SELECT max(no) FROM swf_runs)
             ORDER BY ended LIMIT ?3",
        )?;
        let values = params![domain.record.name.as_str(), before, left];
        let expired: Vec<i64> =
            statement.query_map(values, |row| row.get(0))?.collect::<Result<_>>()?;
        for no in expired {
            let ends = [key(RunNo(no), EventId(0)), key(RunNo(no), EventId(LAST_EVENT))];
            connection
                .prepare_cached("DELETE FROM swf_events WHERE key BETWEEN ?1 AND ?2")?
                .execute(ends)?;
            connection.prepare_cached("DELETE FROM swf_runs WHERE no = ?1")?.execute([no])?;
            left = left.saturating_sub(1);
        }
    }
    Ok(limit - left)
}

impl Archive for Connection {
    fn find(
        &self,
        domain: &DomainName,
        execution: &WorkflowExecution,
    ) -> std::result::Result<Option<(RunNo, WorkflowExecutionDetail)>, Fault> {
        let find = || {
            let mut statement = self.prepare_cached(
                "SELECT no, detail FROM swf_runs INDEXED BY swf_runs_closed
                 WHERE domain = ?1 AND workflow_id = ?2 AND run_id = ?3 AND closed = 1",
            )?;
            let values =
                [domain.as_str(), execution.workflow_id.as_str(), execution.run_id.as_str()];
            statement.query_row(values, |row| Ok((RunNo(row.get(0)?), parsed(row, 1)?))).optional()
        };
        find().map_err(broken)
    }

    fn execution(&self, run: RunNo) -> std::result::Result<Option<WorkflowExecution>, Fault> {
        let find = || {
            let mut statement = self.prepare_cached(
                "SELECT workflow_id, run_id FROM swf_runs WHERE no = ?1 AND closed = 1",
            )?;
            let found = statement.query_row([run.0], |row| {
                Ok(WorkflowExecution {
                    workflow_id: row.get::<_, String>(0)?.into(),
                    run_id: row.get::<_, String>(1)?.into(),
                })
            });
            found.optional()
        };
        find().map_err(broken)
    }

    fn events(
        &self,
        run: RunNo,
        range: EventRange,
    ) -> std::result::Result<Vec<HistoryEvent>, Fault> {
        read_events(self, run, range).map_err(broken)
    }

    fn last_event(&self, run: RunNo) -> std::result::Result<EventId, Fault> {
        let last = || {
            let mut statement =
                self.prepare_cached("SELECT max(key) FROM swf_events WHERE key BETWEEN ?1 AND ?2")?;
            let ends = [key(run, EventId(0)), key(run, EventId(LAST_EVENT))];
            statement.query_row(ends, |row| row.get::<_, Option<i64>>(0))
        };
        let key = last().map_err(broken)?.unwrap_or(0);
        Ok(EventId(key & LAST_EVENT))
    }

    fn list(&self, listing: &Listing<'_>) -> std::result::Result<Vec<Listed>, Fault> {
        listing::list(self, listing).map_err(broken)
    }

    fn count(&self, listing: &Listing<'_>) -> std::result::Result<u32, Fault> {
        listing::count(self, listing).map_err(broken)
    }
}

/// The client learns that the endpoint failed; why is for the endpoint's log.
fn broken(error: rusqlite::Error) -> Fault {
    tracing::error!(error = &error as &dyn std::error::Error, "SWF's tables cannot be read");
    Fault::new(FaultKind::InternalFailure, "The endpoint's storage cannot be read")
}

#[cfg(test)]
mod tests;
