//! Each poller dies at each point of the path of some jobs, before and after each of its calls,
//! and another process takes its place.

use std::{collections::BTreeMap, time::Duration};

use cpe_ports::testing::{FaultRates, Faults, Moment};
use cpe_tests::{Role, Stage};
use tokio_util::sync::CancellationToken;

use super::{Caller, judged, plans, plans::Kind, virtually};

/// Longer than a message is hidden that somebody had received.
const SETTLING: Duration = Duration::from_secs(70);

/// What the clients do meanwhile; more where many seeds are asked for.
fn jobs() -> [(&'static str, BTreeMap<String, Kind>); 2] {
    let many = std::env::var_os("CPE_FAULT_SEEDS").is_some();
    let jobs = |kinds: [Kind; 2]| {
        let kinds = ["j", "k"].into_iter().zip(kinds).take(if many { 2 } else { 1 });
        kinds.map(|(job, kind)| (job.to_owned(), kind)).collect()
    };
    [("anna", jobs([Kind::Success, Kind::Long])), ("bert", jobs([Kind::Signal, Kind::Cancel]))]
}

/// Plays it with one process of each role, of which one may die; answers each one's calls, or what
/// was wrong.
async fn play(death: Option<(Role, u64, Moment)>) -> Result<Vec<Vec<&'static str>>, Vec<String>> {
    let stage = Stage::open(&plans::all(), &["anna", "bert"]).await;
    let stop = CancellationToken::new();
    let none = || stage.faults(0, FaultRates::default());
    let mut processes = Vec::new();
    for role in Role::ALL {
        let faults = match death {
            Some((dying, call, moment)) if dying == role => none().dying_at(call, moment),
            _ => none(),
        };
        stage.start(role, &faults, &stop).await;
        processes.push((role, faults));
    }
    let mut callers = Vec::new();
    for (name, jobs) in jobs() {
        callers.push(Caller::new(&stage, &none(), name, jobs).await);
    }
    let replacing = async {
        let died = processes.iter().map(|(role, faults)| {
            Box::pin(async {
                faults.died().await;
                *role
            })
        });
        let (role, _, _) = futures::future::select_all(died).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        stage.start(role, &none(), &stop).await;
        std::future::pending::<()>().await;
    };
    let problems = tokio::select! {
        biased;
        problems = judged(&stage, &callers, &[], SETTLING) => problems,
        () = replacing => unreachable!("it waits"),
    };
    stop.cancel();
    let paths = |(_, faults): &(Role, Faults)| faults.path();
    if problems.is_empty() { Ok(processes.iter().map(paths).collect()) } else { Err(problems) }
}

/// Every death of the poller of this role.
fn die_everywhere(role: Role) {
    let paths = virtually(play(None)).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let path = Role::ALL.into_iter().zip(paths).find(|(of, _)| *of == role).unwrap().1;
    assert!(path.len() > 5, "{role:?} did nothing: {path:?}");
    let mut wrong = Vec::new();
    for (call, operation) in (1..).zip(&path) {
        for moment in [Moment::Before, Moment::After] {
            let is_poll = operation.starts_with("Poll") || operation.starts_with("Receive");
            if is_poll && moment == Moment::Before {
                continue;
            }
            if let Err(problems) = virtually(play(Some((role, call, moment)))) {
                let problems = problems.join("\n  ");
                wrong.push(format!("{role:?} died {moment:?} {operation} ({call}):\n  {problems}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_decider_that_dies_anywhere_loses_nothing_and_does_nothing_twice() {
    die_everywhere(Role::Decider);
}

#[test]
fn an_input_poller_that_dies_anywhere_loses_nothing_and_does_nothing_twice() {
    die_everywhere(Role::Input);
}

#[test]
fn an_activity_poller_that_dies_anywhere_loses_nothing_and_does_nothing_twice() {
    die_everywhere(Role::Activities);
}
