//! A machine with a clock and an archive, driven over its wire dispatch.
//!
//! After every command the bench checks what must always hold, and stores what was written. A
//! restart at any place must change nothing.

use cpe_swf::{DomainName, EventAttributes, HistoryEvent, Timestamp};
use expect_test::Expect;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::super::{Call, RunNo, RunState, Swf, agenda::Agenda, tables, wire};
use super::memory::MemoryArchive;

/// When tests begin.
pub(super) const START: Timestamp = Timestamp(1_000_000_000_000);

#[derive(Debug)]
pub(super) struct Bench {
    pub(super) swf: Swf,
    pub(super) now: Timestamp,
    pub(super) archive: MemoryArchive,
    pub(super) database: Connection,
    tokens: Vec<(String, String)>,
}

impl Bench {
    /// A machine with domain `d`, workflow type `W@1` and activity type `A@1`, both with defaults:
    /// decision list `dl`, activity list `al`, long timeouts.
    pub(super) fn new() -> Self {
        let mut bench = Self::empty();
        bench.ok(
            "RegisterDomain",
            json!({
                "name": "d", "workflowExecutionRetentionPeriodInDays": "1",
            }),
        );
        bench.ok(
            "RegisterWorkflowType",
            json!({
                "domain": "d", "name": "W", "version": "1",
                "defaultExecutionStartToCloseTimeout": "10000",
                "defaultTaskStartToCloseTimeout": "100",
                "defaultTaskList": {"name": "dl"}, "defaultChildPolicy": "TERMINATE",
            }),
        );
        bench.ok("RegisterActivityType", json!({
            "domain": "d", "name": "A", "version": "1",
            "defaultTaskStartToCloseTimeout": "50", "defaultTaskHeartbeatTimeout": "NONE",
            "defaultTaskScheduleToStartTimeout": "200", "defaultTaskScheduleToCloseTimeout": "220",
            "defaultTaskList": {"name": "al"},
        }));
        bench
    }

    pub(super) fn empty() -> Self {
        let database = Connection::open_in_memory().unwrap();
        tables::create(&database).unwrap();
        Self {
            swf: Swf::default(),
            now: START,
            archive: MemoryArchive::default(),
            database,
            tokens: Vec::new(),
        }
    }

    /// Any operation but a poll. The answer, or the fault as `Name: message`.
    pub(super) fn call(&mut self, operation: &str, request: Value) -> Result<Value, String> {
        let call = Call { now: self.now, region: "us-east-1", archive: &self.archive };
        let body = request.to_string();
        let answer = wire::dispatch(&mut self.swf, &call, operation, body.as_bytes());
        if answer.is_err() {
            assert!(self.swf.writes.is_empty(), "{operation} failed and wrote");
        }
        self.stored();
        match answer {
            Ok(body) if body.is_empty() => Ok(Value::Null),
            Ok(body) => Ok(serde_json::from_slice(&body).unwrap()),
            Err(fault) => Err(fault.to_string()),
        }
    }

    #[track_caller]
    pub(super) fn ok(&mut self, operation: &str, request: Value) -> Value {
        self.call(operation, request).unwrap_or_else(|fault| panic!("{operation}: {fault}"))
    }

    #[track_caller]
    pub(super) fn refused(&mut self, operation: &str, request: Value, expect: Expect) {
        let fault = self.call(operation, request).expect_err("this is to be refused");
        expect.assert_eq(&fault);
    }

    pub(super) fn start(&mut self, workflow_id: &str) -> String {
        let answer = self.ok("StartWorkflowExecution", json!({
            "domain": "d", "workflowId": workflow_id, "workflowType": {"name": "W", "version": "1"},
        }));
        answer["runId"].as_str().unwrap().to_owned()
    }

    /// Polls for a decision task of the list `dl`. The answer, or `None` if there is none.
    pub(super) fn poll_decision(&mut self, request: Value) -> Option<Value> {
        let mut whole = json!({"domain": "d", "taskList": {"name": "dl"}, "identity": "decider"});
        merge(&mut whole, request);
        let request = wire::poll_decision_request(whole.to_string().as_bytes()).unwrap();
        let call = Call { now: self.now, region: "us-east-1", archive: &self.archive };
        let polled = self.swf.poll_for_decision_task(&call, &request).unwrap();
        self.stored();
        let body = wire::decision_task_body(polled.as_ref()).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        body.get("taskToken").is_some().then_some(body)
    }

    /// Polls for an activity task of the list `al`, and keeps its token under its activity id.
    pub(super) fn poll_activity(&mut self) -> Option<Value> {
        let list = json!({"name": "al"});
        self.poll_activity_with(json!({"domain": "d", "taskList": list, "identity": "worker"}))
    }

    pub(super) fn poll_activity_with(&mut self, request: Value) -> Option<Value> {
        let request = wire::poll_activity_request(request.to_string().as_bytes()).unwrap();
        let call = Call { now: self.now, region: "us-east-1", archive: &self.archive };
        let polled = self.swf.poll_for_activity_task(&call, &request).unwrap();
        self.stored();
        let body = wire::activity_task_body(polled.as_ref()).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        body.get("taskToken")?;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        self.tokens.push((text(&body["activityId"]), text(&body["taskToken"])));
        Some(body)
    }

    /// The last token that was given out for an activity id.
    pub(super) fn token(&self, activity_id: &str) -> String {
        let found = self.tokens.iter().rev().find(|(id, _)| id == activity_id);
        found.expect("that activity task was polled").1.clone()
    }

    /// Polls for a decision task and answers it.
    #[track_caller]
    pub(super) fn decide(&mut self, decisions: Value) {
        let polled = self.poll_decision(json!({})).expect("a decision task waits");
        self.answer(&polled, decisions);
    }

    #[track_caller]
    pub(super) fn answer(&mut self, polled: &Value, decisions: Value) {
        let request = json!({"taskToken": polled["taskToken"], "decisions": decisions});
        self.ok("RespondDecisionTaskCompleted", request);
    }

    /// Lets time pass; what becomes due on the way happens when it is due.
    pub(super) fn pass(&mut self, seconds: i64) {
        let until = Timestamp(self.now.0 + seconds * 1000);
        while let Some(next) = self.swf.next_deadline().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            self.fire();
        }
        self.now = until;
        self.fire();
    }

    pub(super) fn fire(&mut self) {
        let call = Call { now: self.now, region: "us-east-1", archive: &self.archive };
        self.swf.fire_due(&call);
        self.stored();
    }

    /// Ends the machine and loads it again from what was written.
    pub(super) fn restart(&mut self) {
        let loaded = tables::load(&self.database).unwrap();
        let (mine, other) = (self.comparable(&self.swf), self.comparable(&loaded));
        assert_eq!(mine, other, "a restart changed the state");
        assert!(self.swf.agenda.agrees_with(&loaded.agenda), "a restart changed the agenda");
        self.swf = loaded;
    }

    fn comparable(&self, swf: &Swf) -> String {
        let mut runs: Vec<_> = swf.runs.iter().collect();
        runs.sort_by_key(|(no, _)| **no);
        let domains: Vec<_> = swf
            .domains
            .values()
            .map(|domain| {
                let open: std::collections::BTreeMap<_, _> = domain.open.iter().collect();
                format!(
                    "{:?} {:?} {:?} {open:?}",
                    domain.record, domain.workflow_types, domain.activity_types
                )
            })
            .collect();
        let runs: Vec<_> = runs
            .into_iter()
            .map(|(no, run)| {
                let mut state = run.state.clone();
                let ids: std::collections::BTreeMap<_, _> = state.activity_ids.drain().collect();
                let timers: std::collections::BTreeMap<_, _> = state.timer_ids.drain().collect();
                // Only says whether there is something to delete.
                state.had_heartbeats = false;
                let (execution, events) = (&run.execution, &run.events);
                format!("{no:?} {execution:?} {ids:?} {timers:?} {state:?} {events:?}")
            })
            .collect();
        format!("{domains:#?}\n{runs:#?}\n{:?}", swf.next_run)
    }

    /// Stores what the last command wrote, and checks what must hold after any command.
    fn stored(&mut self) {
        let writes = self.swf.take_writes();
        self.archive.write(&writes);
        tables::write(&self.database, &writes).unwrap();
        let mut agenda = Agenda::default();
        for (no, run) in &self.swf.runs {
            let mut folded = RunState::replay(&run.events).unwrap();
            for (id, activity) in &run.state.activities {
                folded.activities.get_mut(id).unwrap().heartbeat.clone_from(&activity.heartbeat);
            }
            folded.had_heartbeats = run.state.had_heartbeats;
            assert_eq!(folded, run.state, "the state is not the fold of its history");
            assert!(run.state.closed.is_none(), "a closed run is in memory");
            for slot in run.state.slots() {
                agenda.arm(*no, run, slot);
            }
            let ids = run.events.iter().map(|event| event.event_id.0);
            assert!(ids.eq(1..=run.events.len() as i64), "event ids have gaps");
            let index = self.swf.domains[&run.domain].open.get(&run.execution.workflow_id);
            assert_eq!(index, Some(no));
        }
        assert!(self.swf.agenda.agrees_with(&agenda), "the agenda does not follow from the states");
        let indexed: usize = self.swf.domains.values().map(|domain| domain.open.len()).sum();
        assert_eq!(indexed, self.swf.runs.len());
        assert!(self.swf.followups.is_empty());
    }

    /// The history of the latest run of a workflow id.
    pub(super) fn events(&self, workflow_id: &str) -> &[HistoryEvent] {
        let of = |no: &RunNo| self.archive.runs[no].info.execution.workflow_id.as_str();
        let last = self.archive.runs.keys().rev().find(|no| of(no) == workflow_id).unwrap();
        &self.archive.events[last]
    }

    /// Compares the history of a run from its event `from` on, one line for each event.
    #[track_caller]
    pub(super) fn check(&self, workflow_id: &str, from: usize, expect: Expect) {
        let lines: String =
            self.events(workflow_id)[from - 1..].iter().map(|event| self.line(event)).collect();
        expect.assert_eq(&lines);
    }

    fn line(&self, event: &HistoryEvent) -> String {
        let after = event.event_timestamp.since(START).as_secs_f64();
        let wire = serde_json::to_value(event).unwrap();
        let attributes =
            wire.as_object().unwrap().iter().find(|(key, _)| key.ends_with("Attributes"));
        let mut shown = attributes.map(|(_, value)| value.clone()).unwrap_or_default();
        // The defaults of the bench say nothing in a test.
        if let EventAttributes::DecisionTaskScheduled(_) = &*event.attributes {
            let members = shown.as_object_mut().unwrap();
            members.retain(|_, value| {
                ![json!("NONE"), json!("100"), json!({"name": "dl"})].contains(value)
            });
        }
        let mut text = format!("{} {after}s {}", event.event_id, event.event_type());
        for (key, value) in shown.as_object().unwrap() {
            text.push_str(&format!(" {key}={value}"));
        }
        for (no, record) in &self.archive.runs {
            text = text.replace(record.info.execution.run_id.as_str(), &format!("run{}", no.0));
        }
        text + "\n"
    }

    pub(super) fn domain() -> DomainName {
        DomainName::from("d")
    }
}

pub(super) fn merge(into: &mut Value, from: Value) {
    if let (Some(into), Value::Object(from)) = (into.as_object_mut(), from) {
        into.extend(from);
    }
}

/// One decision in its wire form.
pub(super) fn decision(kind: &str, attributes: Value) -> Value {
    let key = format!("{}{}DecisionAttributes", kind[..1].to_lowercase(), &kind[1..]);
    json!({"decisionType": kind, key: attributes})
}

/// Schedules an activity task of type `A@1`.
pub(super) fn schedule(activity_id: &str) -> Value {
    schedule_with(activity_id, json!({}))
}

pub(super) fn schedule_with(activity_id: &str, more: Value) -> Value {
    let mut attributes =
        json!({"activityId": activity_id, "activityType": {"name": "A", "version": "1"}});
    merge(&mut attributes, more);
    decision("ScheduleActivityTask", attributes)
}

pub(super) fn timer(timer_id: &str, seconds: u32) -> Value {
    let timeout = seconds.to_string();
    decision("StartTimer", json!({"timerId": timer_id, "startToFireTimeout": timeout}))
}

pub(super) fn complete(result: &str) -> Value {
    decision("CompleteWorkflowExecution", json!({"result": result}))
}
