//! Conversations recorded from SWF itself, held again with this machine.
//!
//! The recordings are not part of the project; `CPE_SWF_RECORDINGS` names a folder of them. From
//! the recorded history follows what was polled, answered and decided; doing the same here must
//! give the same history, but for ids that SWF chose.

use std::{collections::HashMap, path::Path};

use serde_json::{Map, Value, json};

use super::{Bench, bench::decision};

#[test]
fn recorded_histories_come_out_the_same() {
    let Some(folder) = std::env::var_os("CPE_SWF_RECORDINGS") else { return };
    let mut replayed = 0;
    for entry in std::fs::read_dir(Path::new(&folder)).unwrap() {
        let path = entry.unwrap().path();
        let calls: Vec<Value> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let find = |operation: &str| calls.iter().rfind(|call| call["op"] == operation);
        let (Some(start), Some(history)) =
            (find("StartWorkflowExecution"), find("GetWorkflowExecutionHistory"))
        else {
            continue;
        };
        let mut replay = Replay::new(&calls, start);
        let recorded = history["response"]["events"].as_array().unwrap();
        for (index, event) in recorded.iter().enumerate() {
            replay.bring_about(event, &recorded[index + 1..]);
        }
        let own = replay.history();
        assert_eq!(normal(recorded), normal(&own), "{}", path.display());
        replay.compare_description(&calls, &path);
        replayed += 1;
    }
    assert!(replayed > 0, "the folder holds no recordings");
}

struct Replay {
    bench: Bench,
    workflow_id: String,
    run_id: String,
    /// Tokens by the scheduled event of what they were handed out for.
    tokens: HashMap<i64, String>,
}

impl Replay {
    fn new(calls: &[Value], start: &Value) -> Self {
        let mut bench = Bench::empty();
        let request = &start["request"];
        let domain = request["domain"].as_str().unwrap();
        bench.ok(
            "RegisterDomain",
            json!({
                "name": domain, "workflowExecutionRetentionPeriodInDays": "1",
            }),
        );
        let events = calls.iter().rfind(|call| call["op"] == "GetWorkflowExecutionHistory");
        let events = events.unwrap()["response"]["events"].as_array().unwrap();
        for call in calls.iter().filter(|call| call["op"] == "DescribeWorkflowType") {
            let mut register = call["response"]["configuration"].clone();
            let kind = &call["request"]["workflowType"];
            register["name"] = kind["name"].clone();
            register["version"] = kind["version"].clone();
            register["domain"] = json!(domain);
            bench.ok("RegisterWorkflowType", register);
        }
        for attributes in events.iter().filter_map(attributes) {
            for (key, operation) in
                [("activityType", "RegisterActivityType"), ("workflowType", "RegisterWorkflowType")]
            {
                if let Some(kind) = attributes.get(key) {
                    let name =
                        json!({"domain": domain, "name": kind["name"], "version": kind["version"]});
                    // Many events name the same type.
                    let _ = bench.call(operation, name);
                }
            }
        }
        bench.now = at(&events[0]);
        let workflow_id = request["workflowId"].as_str().unwrap().to_owned();
        let answer = bench.ok("StartWorkflowExecution", request.clone());
        let run_id = answer["runId"].as_str().unwrap().to_owned();
        Self { bench, workflow_id, run_id, tokens: HashMap::new() }
    }

    fn history(&mut self) -> Vec<Value> {
        let events = self.bench.events(&self.workflow_id.clone());
        events.iter().map(|event| serde_json::to_value(event).unwrap()).collect()
    }

    /// Does what made SWF write `event`. Events that follow from others need nothing.
    fn bring_about(&mut self, event: &Value, later: &[Value]) {
        let attributes = attributes(event).cloned().unwrap_or_default();
        let id = event["eventId"].as_i64().unwrap();
        self.bench.now = at(event);
        let domain = self.bench.archive.runs.values().next().unwrap().domain.to_string();
        let scheduled = attributes.get("scheduledEventId").and_then(Value::as_i64).unwrap_or(0);
        match event["eventType"].as_str().unwrap() {
            "DecisionTaskStarted" => {
                let list = self.task_list();
                let polled = self.bench.poll_decision(json!({
                    "domain": domain, "taskList": {"name": list}, "identity": attributes["identity"],
                }));
                self.tokens.insert(scheduled, text(&polled.unwrap()["taskToken"]));
            }
            "ActivityTaskStarted" => self.poll_activity(&domain, &attributes),
            "DecisionTaskCompleted" => {
                let decisions: Vec<Value> = later
                    .iter()
                    .filter(|event| {
                        let attributes = self::attributes(event);
                        attributes.is_some_and(|a| {
                            a.get("decisionTaskCompletedEventId") == Some(&json!(id))
                        })
                    })
                    .map(decided)
                    .collect();
                let mut request =
                    json!({"taskToken": self.tokens[&scheduled], "decisions": decisions});
                if let Some(context) = attributes.get("executionContext") {
                    request["executionContext"] = context.clone();
                }
                self.bench.ok("RespondDecisionTaskCompleted", request);
            }
            "ActivityTaskCompleted" => {
                let request =
                    json!({"taskToken": self.tokens[&scheduled], "result": attributes["result"]});
                self.bench.ok("RespondActivityTaskCompleted", request);
            }
            "ActivityTaskFailed" => {
                let mut request = Value::Object(attributes);
                request["taskToken"] = json!(self.tokens[&scheduled]);
                self.bench.ok("RespondActivityTaskFailed", request);
            }
            "WorkflowExecutionSignaled" => {
                let mut request = Value::Object(attributes);
                request["domain"] = json!(domain);
                request["workflowId"] = json!(self.workflow_id);
                self.bench.ok("SignalWorkflowExecution", request);
            }
            "WorkflowExecutionCancelRequested" => {
                let request = json!({"domain": domain, "workflowId": self.workflow_id});
                self.bench.ok("RequestCancelWorkflowExecution", request);
            }
            "TimerFired" => self.bench.fire(),
            "ChildWorkflowExecutionCompleted" => self.end_child(&domain, "Complete", attributes),
            "ChildWorkflowExecutionFailed" => self.end_child(&domain, "Fail", attributes),
            _ => {}
        }
    }

    fn poll_activity(&mut self, domain: &str, attributes: &Map<String, Value>) {
        let request = json!({
            "domain": domain, "taskList": {"name": self.task_list()}, "identity": attributes["identity"],
        });
        let polled = self.bench.poll_activity_with(request).unwrap();
        // Two workers may have polled at once, and got them in the other order: which one this is
        // tells its started event.
        let started = polled["startedEventId"].as_i64().unwrap();
        let events = self.history();
        let scheduled = &events[started as usize - 1]["activityTaskStartedEventAttributes"];
        self.tokens
            .insert(scheduled["scheduledEventId"].as_i64().unwrap(), text(&polled["taskToken"]));
    }

    fn end_child(&mut self, domain: &str, how: &str, attributes: Map<String, Value>) {
        let list = self.task_list();
        let polled =
            self.bench.poll_decision(json!({"domain": domain, "taskList": {"name": list}}));
        let polled = polled.unwrap();
        let child = &attributes["workflowExecution"]["workflowId"];
        assert_eq!(polled["workflowExecution"]["workflowId"], *child);
        let ended = decision(&format!("{how}WorkflowExecution"), Value::Object(attributes));
        self.bench.answer(&polled, json!([ended]));
    }

    fn task_list(&mut self) -> String {
        text(&self.history()[0]["workflowExecutionStartedEventAttributes"]["taskList"]["name"])
    }

    /// The recorded description of the closed run says what ours says.
    fn compare_description(&mut self, calls: &[Value], path: &Path) {
        let recorded = calls.iter().rfind(|call| {
            call["op"] == "DescribeWorkflowExecution"
                && call["response"]["executionInfo"]["executionStatus"] == "CLOSED"
        });
        let Some(recorded) = recorded else { return };
        let mut request = recorded["request"].clone();
        request["execution"]["runId"] = json!(self.run_id);
        let mut own = self.bench.ok("DescribeWorkflowExecution", request);
        let mut recorded = recorded["response"].clone();
        for detail in [&mut own, &mut recorded] {
            let info = detail["executionInfo"].as_object_mut().unwrap();
            // Run ids are SWF's, and the last two are in no reference.
            for key in ["execution", "tagList", "reopenGenerationId", "reopenable"] {
                info.remove(key);
            }
        }
        assert_eq!(recorded, own, "{}", path.display());
    }
}

fn attributes(event: &Value) -> Option<&Map<String, Value>> {
    let members = event.as_object()?;
    members.iter().find(|(key, _)| key.ends_with("EventAttributes"))?.1.as_object()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn at(event: &Value) -> cpe_swf::Timestamp {
    serde_json::from_value(event["eventTimestamp"].clone()).unwrap()
}

/// The decision that an event came from.
fn decided(event: &Value) -> Value {
    let kind = match event["eventType"].as_str().unwrap() {
        "ActivityTaskScheduled" => "ScheduleActivityTask",
        "WorkflowExecutionCompleted" => "CompleteWorkflowExecution",
        "WorkflowExecutionFailed" => "FailWorkflowExecution",
        "WorkflowExecutionCanceled" => "CancelWorkflowExecution",
        "MarkerRecorded" => "RecordMarker",
        "TimerStarted" => "StartTimer",
        "TimerCanceled" => "CancelTimer",
        "StartChildWorkflowExecutionInitiated" => "StartChildWorkflowExecution",
        other => panic!("no decision leads to {other}"),
    };
    decision(kind, Value::Object(attributes(event).unwrap().clone()))
}

/// A history without what SWF chose by itself.
///
/// Of activity tasks started in a row, which came first is chance. Older recordings do not print
/// that a decision task has no schedule-to-start timeout. Children's run ids are SWF's, and that a
/// child started takes SWF a moment.
fn normal(events: &[Value]) -> Vec<Value> {
    let mut events: Vec<Value> = events.to_vec();
    for event in &mut events {
        event.as_object_mut().unwrap().remove("eventTimestamp");
        let Some((_, Value::Object(attributes))) = event
            .as_object_mut()
            .unwrap()
            .iter_mut()
            .find(|(key, _)| key.ends_with("EventAttributes"))
        else {
            continue;
        };
        attributes.retain(|key, value| key != "scheduleToStartTimeout" || *value != json!("NONE"));
        if let Some(child) = attributes.get_mut("workflowExecution") {
            child["runId"] = json!("child");
        }
        if attributes.get("tagList") == Some(&json!([null])) {
            attributes.remove("tagList");
        }
    }
    let started = |event: &Value| {
        let attributes = event.get("activityTaskStartedEventAttributes");
        attributes.map(|attributes| attributes["scheduledEventId"].as_i64().unwrap())
    };
    let mut renamed = HashMap::new();
    for run in events.chunk_by_mut(|a, b| started(a).is_some() && started(b).is_some()) {
        run.sort_by_key(|event| started(event));
        let first = run.iter().map(|event| event["eventId"].as_i64().unwrap()).min().unwrap();
        for (event, id) in run.iter_mut().zip(first..) {
            renamed.insert(event["eventId"].as_i64().unwrap(), id);
            event["eventId"] = json!(id);
        }
    }
    for event in &mut events {
        for (_, attributes) in event.as_object_mut().unwrap().iter_mut() {
            if let Some(id) = attributes.get("startedEventId").and_then(Value::as_i64) {
                attributes["startedEventId"] = json!(renamed.get(&id).unwrap_or(&id));
            }
        }
    }
    events
}
