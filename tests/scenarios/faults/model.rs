//! The model itself: it has to see what is lost, doubled, mixed or out of order.

use std::collections::BTreeMap;

use cpe_ports::testing::FaultRates;
use cpe_tests::{Execution, Expected, Role, Stage, judge};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Caller, called, expected, heard, plans, plans::Kind, virtually};

type Heard = BTreeMap<String, Vec<Value>>;

/// Two clients, with a job each that nothing goes wrong with.
async fn play() -> (Vec<Expected>, Heard, Vec<Execution>) {
    let stage = Stage::open(&plans::all(), &["anna", "bert"]).await;
    let stop = CancellationToken::new();
    let none = stage.faults(0, FaultRates::default());
    for role in Role::ALL {
        stage.start(role, &none, &stop).await;
    }
    let mut callers = Vec::new();
    for name in ["anna", "bert"] {
        let jobs = [("j".to_owned(), Kind::Success)].into();
        callers.push(Caller::new(&stage, &none, name, jobs).await);
    }
    called(&stage, &callers, &[], std::time::Duration::ZERO).await;
    stop.cancel();
    (expected(&callers), heard(&callers), stage.executions().await)
}

#[test]
fn the_model_sees_what_is_wrong() {
    let (jobs, good, mut executions) = virtually(play());
    let judged = |heard: &Heard, executions: &[Execution]| judge(&jobs, heard, executions);
    assert_eq!(judged(&good, &executions), [""; 0]);

    let check = |change: &dyn Fn(&mut Vec<Value>), expected: &str| {
        let mut heard = good.clone();
        change(heard.get_mut("anna").unwrap());
        let problems = judged(&heard, &executions);
        assert!(problems.iter().any(|p| p.contains(expected)), "{expected}: {problems:#?}");
    };
    for kind in ["JOB_STARTED", "JOB_COMPLETED", "ACTIVITY_SCHEDULED", "ACTIVITY_COMPLETED"] {
        check(&|events| events.retain(|event| event["type"] != kind), "was not told");
    }
    check(
        &|events| events.retain(|event| event["type"] != "WORKFLOW_SCHEDULED"),
        "START_JOB was not answered",
    );
    let edit = |kind: &'static str, pointer: &'static str, value: Value| {
        move |events: &mut Vec<Value>| {
            let event = events.iter_mut().find(|event| event["type"] == kind).unwrap();
            *event.pointer_mut(pointer).unwrap() = value.clone();
        }
    };
    check(&edit("JOB_COMPLETED", "/type", json!("JOB_FAILED")), "was not told");
    check(&edit("JOB_COMPLETED", "/eventId", json!("r:end")), "never happened");
    check(&edit("JOB_COMPLETED", "/seq", json!(2)), "goes on after its end");
    check(&edit("ACTIVITY_SCHEDULED", "/seq", json!(99)), "out of order");
    check(&edit("ACTIVITY_STARTED", "/jobId", json!("other")), "another's job");
    let theirs = json!("bert.j");
    check(&edit("ACTIVITY_STARTED", "/data/workflow/workflowId", theirs), "another's job");
    let twice = |events: &mut Vec<Value>| {
        let mut again = events.iter().find(|e| e["type"] == "JOB_COMPLETED").unwrap().clone();
        again["data"]["result"] = json!("something else");
        events.push(again);
    };
    check(&twice, "one eventId for two facts");
    let same = |events: &mut Vec<Value>| events.extend(events.clone());
    let mut heard = good.clone();
    same(heard.get_mut("anna").unwrap());
    assert_eq!(judged(&heard, &executions), [""; 0], "duplicates are no problem");

    let anna = executions.iter().position(|e| e.of.workflow_id.0 == "anna.j").unwrap();
    let lost = executions.remove(anna);
    assert!(judged(&good, &executions).iter().any(|p| p.contains("started 0 times")));
    executions.push(Execution { closed: None, ..lost });
    assert!(judged(&good, &executions).iter().any(|p| p.contains("does not end")));
}
