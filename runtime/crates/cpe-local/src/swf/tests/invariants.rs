//! Any commands in any order: the bench checks after each of them that the state is the fold of
//! the history and that the agenda follows from the state, and restarts change nothing.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    super::{Archive, Filter, Listing, TimeField},
    Bench,
    bench::{decision, schedule_with, timer},
};

const IDS: [&str; 3] = ["x", "y", "z"];
const POLICIES: [&str; 3] = ["TERMINATE", "REQUEST_CANCEL", "ABANDON"];

#[derive(Debug, Clone)]
pub(super) enum Step {
    Start(usize),
    PollDecision,
    /// Answers the decision task that was polled that many polls ago.
    Answer(usize, Vec<Value>),
    AnswerElsewhere(usize, Option<u32>),
    PollActivity,
    Beat(usize),
    Complete(usize),
    Fail(usize),
    Cancel(usize),
    Signal(usize),
    RequestCancel(usize),
    Terminate(usize, &'static str),
    Pass(i64),
    Jump(i64),
    Restart,
}

fn a_decision() -> impl Strategy<Value = Value> {
    let id = || 0..IDS.len();
    prop_oneof![
        4 => (id(), 0..20_u32, 0..20_u32).prop_map(|(id, close, beat)| schedule_with(IDS[id], json!({
            "startToCloseTimeout": close.to_string(), "heartbeatTimeout": beat.to_string(),
            "scheduleToStartTimeout": "15", "scheduleToCloseTimeout": "NONE",
            "taskPriority": (i64::from(close) - 10).to_string(),
        }))),
        2 => id().prop_map(|id| decision("RequestCancelActivityTask", json!({"activityId": IDS[id]}))),
        3 => (id(), 0..20_u32).prop_map(|(id, seconds)| timer(IDS[id], seconds)),
        2 => id().prop_map(|id| decision("CancelTimer", json!({"timerId": IDS[id]}))),
        2 => (id(), 0..3_usize, 1..40_u32).prop_map(|(id, policy, seconds)| decision(
            "StartChildWorkflowExecution",
            json!({
                "workflowId": IDS[id], "workflowType": {"name": "W", "version": "1"},
                "childPolicy": POLICIES[policy],
                "executionStartToCloseTimeout": (seconds * seconds).to_string(),
            }),
        )),
        1 => id().prop_map(|id| decision("SignalExternalWorkflowExecution", json!({
            "workflowId": IDS[id], "signalName": "s",
        }))),
        1 => id().prop_map(|id| decision("RequestCancelExternalWorkflowExecution", json!({
            "workflowId": IDS[id],
        }))),
        1 => Just(decision("RecordMarker", json!({"markerName": "m"}))),
    ]
}

fn decisions() -> impl Strategy<Value = Vec<Value>> {
    let closing = prop_oneof![
        6 => Just(None),
        1 => Just(Some("CompleteWorkflowExecution")),
        1 => Just(Some("FailWorkflowExecution")),
        1 => Just(Some("ContinueAsNewWorkflowExecution")),
    ];
    (prop::collection::vec(a_decision(), 0..4), closing).prop_map(|(mut decisions, closing)| {
        decisions.extend(closing.map(|kind| decision(kind, json!({}))));
        decisions
    })
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let id = || 0..IDS.len();
    prop_oneof![
        3 => id().prop_map(Step::Start),
        8 => Just(Step::PollDecision),
        8 => (0..3_usize, decisions()).prop_map(|(ago, decisions)| Step::Answer(ago, decisions)),
        1 => (0..2_usize, prop::option::of(0..10_u32)).prop_map(|(ago, s)| Step::AnswerElsewhere(ago, s)),
        5 => Just(Step::PollActivity),
        2 => id().prop_map(Step::Beat),
        3 => id().prop_map(Step::Complete),
        1 => id().prop_map(Step::Fail),
        1 => id().prop_map(Step::Cancel),
        2 => id().prop_map(Step::Signal),
        1 => id().prop_map(Step::RequestCancel),
        1 => (id(), prop::sample::select(vec!["TERMINATE", "REQUEST_CANCEL", "ABANDON"]))
            .prop_map(|(id, policy)| Step::Terminate(id, policy)),
        3 => (0..12_i64).prop_map(Step::Pass),
        1 => (0..200_i64).prop_map(Step::Jump),
        1 => Just(Step::Restart),
    ]
}

/// What was handed out so far.
#[derive(Default)]
pub(super) struct Handed {
    decisions: Vec<Value>,
    activities: Vec<(usize, String)>,
}

impl Handed {
    fn decision(&self, ago: usize) -> Option<&Value> {
        self.decisions.iter().rev().nth(ago).map(|polled| &polled["taskToken"])
    }

    fn activity(&self, id: usize) -> Option<Value> {
        let found = self.activities.iter().rev().find(|(own, _)| *own == id);
        found.map(|(_, token)| json!({"taskToken": token}))
    }
}

/// Does a step. A fault is an answer like any other; the bench checks that it changed nothing.
pub(super) fn take(bench: &mut Bench, handed: &mut Handed, step: Step) {
    let worker = |bench: &mut Bench, operation: &str, request: Option<Value>| {
        if let Some(request) = request {
            let _ = bench.call(operation, request);
        }
    };
    let target = |id: usize| json!({"domain": "d", "workflowId": IDS[id]});
    match step {
        Step::Start(id) => {
            let mut request = target(id);
            request["workflowType"] = json!({"name": "W", "version": "1"});
            let _ = bench.call("StartWorkflowExecution", request);
        }
        Step::PollDecision => {
            for list in ["dl", "elsewhere"] {
                let polled = bench.poll_decision(json!({"taskList": {"name": list}}));
                handed.decisions.extend(polled);
            }
        }
        Step::Answer(ago, decisions) => {
            let request = handed
                .decision(ago)
                .map(|token| json!({"taskToken": token, "decisions": decisions}));
            worker(bench, "RespondDecisionTaskCompleted", request);
        }
        Step::AnswerElsewhere(ago, timeout) => {
            let request = handed.decision(ago).map(|token| {
                let mut request = json!({"taskToken": token, "taskList": {"name": "elsewhere"}});
                if let Some(seconds) = timeout {
                    request["taskListScheduleToStartTimeout"] = json!(seconds.to_string());
                }
                request
            });
            worker(bench, "RespondDecisionTaskCompleted", request);
        }
        Step::PollActivity => {
            if let Some(polled) = bench.poll_activity() {
                let id = IDS.iter().position(|id| polled["activityId"] == *id).unwrap();
                handed.activities.push((id, polled["taskToken"].as_str().unwrap().to_owned()));
            }
        }
        Step::Beat(id) => worker(bench, "RecordActivityTaskHeartbeat", handed.activity(id)),
        Step::Complete(id) => worker(bench, "RespondActivityTaskCompleted", handed.activity(id)),
        Step::Fail(id) => worker(bench, "RespondActivityTaskFailed", handed.activity(id)),
        Step::Cancel(id) => worker(bench, "RespondActivityTaskCanceled", handed.activity(id)),
        Step::Signal(id) => {
            let mut request = target(id);
            request["signalName"] = json!("s");
            let _ = bench.call("SignalWorkflowExecution", request);
        }
        Step::RequestCancel(id) => {
            let _ = bench.call("RequestCancelWorkflowExecution", target(id));
        }
        Step::Terminate(id, policy) => {
            let mut request = target(id);
            request["childPolicy"] = json!(policy);
            let _ = bench.call("TerminateWorkflowExecution", request);
        }
        Step::Pass(seconds) => bench.pass(seconds),
        Step::Jump(seconds) => {
            bench.now = cpe_swf::Timestamp(bench.now.0 + seconds * 1000);
            bench.fire();
        }
        Step::Restart => bench.restart(),
    }
}

/// The lists of SQLite are those of the plain archive, whatever is asked.
fn same_lists(bench: &Bench) {
    let domain = Bench::domain();
    let id = cpe_swf::WorkflowId::from("x");
    for status in [cpe_swf::ExecutionStatus::Open, cpe_swf::ExecutionStatus::Closed] {
        for time in [TimeField::Started, TimeField::Closed] {
            if (status, time) == (cpe_swf::ExecutionStatus::Open, TimeField::Closed) {
                continue;
            }
            let filters = [
                Filter::All,
                Filter::WorkflowId(&id),
                Filter::CloseStatus(cpe_swf::CloseStatus::Completed),
                Filter::Tag("none"),
            ];
            for (filter, ascending) in filters.into_iter().flat_map(|f| [(f, true), (f, false)]) {
                let mut listing = Listing {
                    domain: &domain,
                    status,
                    time,
                    oldest: cpe_swf::Timestamp(0),
                    latest: bench.now,
                    filter,
                    ascending,
                    after: None,
                    limit: 3,
                };
                assert_eq!(bench.database.count(&listing), bench.archive.count(&listing));
                loop {
                    let page = bench.database.list(&listing).unwrap();
                    assert_eq!(page, bench.archive.list(&listing).unwrap(), "{listing:?}");
                    let Some(last) = page.last() else { break };
                    let at = match time {
                        TimeField::Started => last.info.start_timestamp,
                        TimeField::Closed => last.info.close_timestamp.unwrap(),
                    };
                    listing.after = Some((at, last.no));
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_state_is_the_fold_of_the_history(steps in prop::collection::vec(step(), 1..80)) {
        let mut bench = Bench::new();
        let mut handed = Handed::default();
        for step in steps {
            take(&mut bench, &mut handed, step);
        }
        bench.restart();
        same_lists(&bench);
    }

    #[test]
    fn the_same_commands_write_the_same_history(steps in prop::collection::vec(step(), 1..40)) {
        let histories = [(), ()].map(|()| {
            let mut bench = Bench::new();
            let mut handed = Handed::default();
            for step in steps.clone() {
                take(&mut bench, &mut handed, step);
            }
            bench.archive.events
        });
        prop_assert_eq!(&histories[0], &histories[1]);
    }
}
