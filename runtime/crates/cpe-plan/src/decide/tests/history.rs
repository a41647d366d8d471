//! Histories as text, one event a line, and decisions as text, one a line.
//!
//! `start JSON`, `scheduled STEP`, `completed STEP [JSON]`, `failed STEP REASON [DETAILS]`,
//! `timed-out STEP TYPE`, `canceled STEP`, `refused STEP CAUSE`, `asked STEP`, `unasked STEP`,
//! `timer ID`, `fired ID`, `timer-refused ID CAUSE`, `timer-canceled ID`, `signal NAME [INPUT]`,
//! `child CALL`, `child-begun CALL`, `child-completed CALL [RESULT]`, `child-failed CALL REASON`,
//! `child-ended CALL KIND`, `child-refused CALL CAUSE`, `child-asked CALL`, `cancel`,
//! `close-refused DECISION CAUSE`, and `raw TYPE JSON` for anything else.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use cpe_swf::{Decision, EventId, HistoryEvent, Timestamp};
use serde_json::{Map, Value, json};

use crate::{Plan, StepWork};

/// Makes events of their text; knows which event scheduled each step last.
#[derive(Default)]
pub(super) struct Recorder {
    pub(super) events: Vec<HistoryEvent>,
    scheduled: BTreeMap<String, i64>,
}

impl Recorder {
    pub(super) fn read(text: &str) -> Vec<HistoryEvent> {
        let mut recorder = Self::default();
        text.lines().map(str::trim).filter(|line| !line.is_empty()).for_each(|line| {
            recorder.line(line);
        });
        recorder.events
    }

    pub(super) fn line(&mut self, line: &str) {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (first, more) = rest.split_once(' ').unwrap_or((rest, ""));
        match verb {
            "start" => self.started(rest),
            "scheduled" | "completed" | "failed" | "timed-out" | "canceled" => {
                self.activity(verb, first, more);
            }
            "refused" => self.add(
                "ScheduleActivityTaskFailed",
                json!({"activityType": activity_type(), "activityId": first, "cause": more,
                       "decisionTaskCompletedEventId": 1}),
            ),
            "asked" => self.add(
                "ActivityTaskCancelRequested",
                json!({"activityId": first, "decisionTaskCompletedEventId": 1}),
            ),
            "unasked" => self.add(
                "RequestCancelActivityTaskFailed",
                json!({"activityId": first, "cause": "ACTIVITY_ID_UNKNOWN",
                       "decisionTaskCompletedEventId": 1}),
            ),
            "timer" => self.add(
                "TimerStarted",
                json!({"timerId": first, "startToFireTimeout": "2",
                       "decisionTaskCompletedEventId": 1}),
            ),
            "fired" => self.add("TimerFired", json!({"timerId": first, "startedEventId": 1})),
            "timer-refused" => self.add(
                "StartTimerFailed",
                json!({"timerId": first, "cause": more, "decisionTaskCompletedEventId": 1}),
            ),
            "timer-canceled" => self.add(
                "TimerCanceled",
                json!({"timerId": first, "startedEventId": 1, "decisionTaskCompletedEventId": 1}),
            ),
            "signal" => {
                let mut attributes = json!({"signalName": first});
                if !more.is_empty() {
                    attributes["input"] = more.into();
                }
                self.add("WorkflowExecutionSignaled", attributes);
            }
            "child" | "child-begun" | "child-completed" | "child-failed" | "child-ended"
            | "child-refused" | "child-asked" => self.child(verb, first, more),
            "cancel" => self.add("WorkflowExecutionCancelRequested", json!({})),
            "close-refused" => self.add(
                &format!("{first}WorkflowExecutionFailed"),
                json!({"cause": more, "decisionTaskCompletedEventId": 1}),
            ),
            "raw" => self.add(first, serde_json::from_str(more).unwrap()),
            other => panic!("no event `{other}`"),
        }
    }

    fn started(&mut self, input: &str) {
        let mut attributes = json!({"childPolicy": "TERMINATE", "taskList": {"name": "d"},
                                    "workflowType": {"name": "W", "version": "1"}});
        if !input.is_empty() {
            attributes["input"] = input.into();
        }
        self.add("WorkflowExecutionStarted", attributes);
    }

    fn activity(&mut self, verb: &str, step: &str, more: &str) {
        if verb == "scheduled" {
            let id = self.next_id();
            self.scheduled.insert(step.to_owned(), id);
            let attributes = json!({"activityType": activity_type(), "activityId": step,
                                    "taskList": {"name": "l"}, "decisionTaskCompletedEventId": 1});
            return self.add("ActivityTaskScheduled", attributes);
        }
        let scheduled = self.scheduled.get(step).copied().unwrap_or(0);
        let mut attributes = json!({"scheduledEventId": scheduled, "startedEventId": 1});
        let (kind, details) = match verb {
            "completed" => {
                if !more.is_empty() {
                    attributes["result"] = more.into();
                }
                ("Completed", "")
            }
            "failed" => {
                let (reason, details) = more.split_once(' ').unwrap_or((more, ""));
                if !reason.is_empty() {
                    attributes["reason"] = reason.into();
                }
                ("Failed", details)
            }
            "timed-out" => {
                attributes["timeoutType"] = more.into();
                ("TimedOut", "")
            }
            _ => ("Canceled", more),
        };
        if !details.is_empty() {
            attributes["details"] = details.into();
        }
        self.add(&format!("ActivityTask{kind}"), attributes);
    }

    fn child(&mut self, verb: &str, call: &str, more: &str) {
        let workflow_type = json!({"name": "C", "version": "1"});
        let id = format!("parent.{call}");
        let initiated = self.scheduled.get(&id).copied().unwrap_or(0);
        let mut attributes = json!({
            "workflowExecution": {"workflowId": id, "runId": "r"}, "workflowType": workflow_type,
            "initiatedEventId": initiated, "startedEventId": 1,
        });
        let kind = match verb {
            "child" => {
                self.scheduled.insert(id.clone(), self.next_id());
                let attributes = json!({
                    "workflowId": id, "workflowType": workflow_type, "control": call,
                    "taskList": {"name": "d"}, "decisionTaskCompletedEventId": 1,
                    "childPolicy": "TERMINATE",
                });
                return self.add("StartChildWorkflowExecutionInitiated", attributes);
            }
            "child-refused" => {
                let attributes = json!({
                    "workflowId": id, "workflowType": workflow_type, "control": call,
                    "cause": more, "initiatedEventId": 0, "decisionTaskCompletedEventId": 1,
                });
                return self.add("StartChildWorkflowExecutionFailed", attributes);
            }
            "child-asked" => {
                let attributes = json!({"workflowId": id, "decisionTaskCompletedEventId": 1});
                return self.add("RequestCancelExternalWorkflowExecutionInitiated", attributes);
            }
            "child-completed" => {
                attributes["result"] = more.into();
                "Completed"
            }
            "child-failed" => {
                attributes["reason"] = more.into();
                "Failed"
            }
            "child-begun" => "Started",
            _ => {
                if more == "TimedOut" {
                    attributes["timeoutType"] = "START_TO_CLOSE".into();
                }
                more
            }
        };
        self.add(&format!("ChildWorkflowExecution{kind}"), attributes);
    }

    fn next_id(&self) -> i64 {
        self.events.len() as i64 + 1
    }

    /// Through the wire form, so that what is tested is what SWF sends.
    fn add(&mut self, kind: &str, attributes: Value) {
        let mut first = kind.chars();
        let lower: String = first.next().unwrap().to_lowercase().chain(first).collect::<String>();
        let mut event = Map::new();
        event.insert("eventId".to_owned(), self.next_id().into());
        event.insert("eventTimestamp".to_owned(), json!(1.5));
        event.insert("eventType".to_owned(), kind.into());
        event.insert(format!("{lower}EventAttributes"), attributes);
        self.events.push(serde_json::from_value(Value::Object(event)).unwrap());
    }
}

fn activity_type() -> Value {
    json!({"name": "A", "version": "1"})
}

/// Any event at all, as it stands in the sample of the service model.
pub(super) fn every_kind() -> Vec<HistoryEvent> {
    let samples = include_str!("../../../../cpe-swf/tests/golden/events.json");
    let samples: Vec<HistoryEvent> = serde_json::from_str(samples).unwrap();
    samples
        .into_iter()
        .enumerate()
        .map(|(index, event)| HistoryEvent {
            event_id: EventId(index as i64 + 100),
            event_timestamp: Timestamp::from_millis(0),
            attributes: Arc::clone(&event.attributes),
        })
        .collect()
}

pub(super) fn render(decisions: &[Decision]) -> String {
    let mut text = String::new();
    for decision in decisions {
        let _ = match decision {
            Decision::ScheduleActivityTask(schedule) => writeln!(
                text,
                "schedule {} {}",
                schedule.activity_id,
                schedule.input.as_deref().unwrap_or_default()
            ),
            Decision::RequestCancelActivityTask(ask) => writeln!(text, "ask {}", ask.activity_id),
            Decision::StartTimer(timer) => {
                writeln!(text, "timer {} {}", timer.timer_id, timer.start_to_fire_timeout)
            }
            Decision::CompleteWorkflowExecution(complete) => {
                writeln!(text, "complete {}", complete.result.as_deref().unwrap_or_default())
            }
            Decision::FailWorkflowExecution(fail) => writeln!(
                text,
                "fail {} {}",
                fail.reason.as_deref().unwrap_or_default(),
                fail.details.as_deref().unwrap_or_default()
            ),
            Decision::CancelWorkflowExecution(_) => writeln!(text, "cancel"),
            Decision::CancelTimer(timer) => writeln!(text, "cancel-timer {}", timer.timer_id),
            Decision::StartChildWorkflowExecution(child) => writeln!(
                text,
                "child {} {} {} {}",
                child.workflow_type,
                child.workflow_id,
                child.control.as_deref().unwrap_or_default(),
                child.input.as_deref().unwrap_or_default()
            ),
            Decision::RequestCancelExternalWorkflowExecution(ask) => {
                writeln!(text, "ask-child {}", ask.workflow_id)
            }
            Decision::ContinueAsNewWorkflowExecution(next) => {
                writeln!(text, "continue {}", next.input.as_deref().unwrap_or_default())
            }
            other => writeln!(text, "{other:?}"),
        };
    }
    text
}

/// A plan whose every step runs the activity `A`, whose outputs are its whole result as `v`.
pub(super) fn plan(steps: &str) -> Plan {
    parse(&format!(
        "name: W\nversion: 1\nactivities:\n- name: A\n  version: 1\n  outputs_spec: {{v: $}}\n\
         - name: Strict\n  version: 1\n  input_spec: {{type: object, required: [n]}}\n\
         - {{name: Again, version: 1, outputs_spec: {{v: $}}, retry: {{jitter: 0, not_on: [bad.*]}}}}\n\
         steps:\n{steps}"
    ))
}

pub(super) fn parse(text: &str) -> Plan {
    Plan::parse("w.yaml", text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The events that SWF writes when it carries out decisions; `closed` once one ended the run.
pub(super) fn carry_out(recorder: &mut Recorder, decisions: &[Decision]) -> bool {
    for decision in decisions {
        match decision {
            Decision::ScheduleActivityTask(schedule) => {
                recorder.line(&format!("scheduled {}", schedule.activity_id));
            }
            Decision::RequestCancelActivityTask(ask) => {
                recorder.line(&format!("asked {}", ask.activity_id));
            }
            Decision::StartTimer(timer) => recorder.line(&format!("timer {}", timer.timer_id)),
            Decision::CancelTimer(timer) => {
                recorder.line(&format!("timer-canceled {}", timer.timer_id));
            }
            closing if closing.is_closing() => return true,
            other => panic!("not carried out: {other:?}"),
        }
    }
    false
}

pub(super) fn activity_steps(plan: &Plan) -> usize {
    plan.steps.iter().filter(|step| matches!(step.work, StepWork::Activity { .. })).count()
}
