//! What the scenarios of the machine do not reach: forgetting, and how queries are planned.

use cpe_swf::{
    CloseStatus, DomainName, EventId, ExecutionStatus, RegistrationStatus, Timestamp,
    WorkflowExecution, WorkflowId, WorkflowType, api::WorkflowExecutionInfo,
};
use rusqlite::Connection;

use super::{
    super::{Archive, DomainRecord, Filter, Listing, RunNo, RunRecord, TimeField, Write},
    create, forget_expired, key, load, write,
};

const DAY: i64 = 24 * 60 * 60 * 1000;

fn database(retention: &str) -> Connection {
    let database = Connection::open_in_memory().unwrap();
    create(&database).unwrap();
    let domain = DomainRecord {
        name: DomainName::from("d"),
        status: RegistrationStatus::Registered,
        description: None,
        retention: retention.to_owned(),
        tags: Vec::new(),
    };
    write(&database, &[Write::Domain(domain)]).unwrap();
    database
}

fn closed(no: i64, at: i64) -> Write {
    Write::Run(Box::new(RunRecord {
        no: RunNo(no),
        domain: DomainName::from("d"),
        info: WorkflowExecutionInfo {
            execution: WorkflowExecution {
                workflow_id: WorkflowId(format!("w{no}")),
                run_id: format!("r{no}").into(),
            },
            workflow_type: WorkflowType::new("W", "1"),
            start_timestamp: Timestamp(at - 1),
            close_timestamp: Some(Timestamp(at)),
            execution_status: ExecutionStatus::Closed,
            close_status: Some(CloseStatus::Completed),
            parent: None,
            tag_list: Vec::new(),
            cancel_requested: false,
        },
        detail: None,
    }))
}

fn runs(database: &Connection) -> Vec<i64> {
    let mut statement = database.prepare("SELECT no FROM swf_runs ORDER BY no").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn closed_runs_are_forgotten_after_their_domains_retention() {
    let database = database("2");
    write(&database, &[closed(1, 1), closed(2, DAY), closed(3, 3 * DAY), closed(4, 1)]).unwrap();
    let swf = load(&database).unwrap();
    assert_eq!(swf.next_run, RunNo(5));
    assert_eq!(forget_expired(&database, &swf, Timestamp(3 * DAY - 10), 1), Ok(1));
    assert_eq!(runs(&database), [2, 3, 4]);
    assert_eq!(forget_expired(&database, &swf, Timestamp(3 * DAY + 10), 100), Ok(1));
    // The newest stays: its number must not be given out again.
    assert_eq!(runs(&database), [3, 4]);
}

#[test]
fn the_key_of_an_event_joins_run_and_id() {
    assert_eq!(key(RunNo(1), EventId(0)), 32_768);
    assert!(key(RunNo(1), EventId(25_000)) < key(RunNo(2), EventId(1)));
}

#[test]
fn every_list_is_read_by_an_index_and_without_sorting_all() {
    let database = database("1");
    let domain = DomainName::from("d");
    let id = WorkflowId::from("w");
    let mut listing = Listing {
        domain: &domain,
        status: ExecutionStatus::Closed,
        time: TimeField::Started,
        oldest: Timestamp(0),
        latest: Timestamp(9),
        filter: Filter::All,
        ascending: false,
        after: None,
        limit: 10,
    };
    for (time, filter) in [
        (TimeField::Started, Filter::All),
        (TimeField::Closed, Filter::Tag("t")),
        (TimeField::Started, Filter::WorkflowId(&id)),
    ] {
        listing.time = time;
        listing.filter = filter;
        let (sql, values) = super::listing::sql(&listing);
        let mut statement = database.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let plan: Vec<String> = statement
            .query_map(rusqlite::params_from_iter(values), |row| row.get(3))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let plan = plan.join("\n");
        assert!(plan.contains("USING INDEX"), "{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    }
    assert_eq!(database.list(&listing), Ok(Vec::new()));
}
