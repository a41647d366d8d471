use std::fmt::Write as _;

use cpe_swf::{HistoryEvent, WorkflowExecution};
use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::{Plan, Replay, read_history, replay};

fn plan(steps: &str) -> Plan {
    let text = format!(
        "name: W\nversion: 1\nactivities:\n- {{name: A, version: 1, outputs_spec: {{v: $}}}}\n\
         - {{name: Again, version: 1, retry: {{max_attempts: 2}}}}\nsteps:\n{steps}"
    );
    Plan::parse("w.yaml", &text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// Events as `type key=value …` lines, one each; `answer` is a whole decision task after what was
/// there, `D` the id of the last answer.
fn history(lines: &str) -> Vec<HistoryEvent> {
    let mut events: Vec<Value> = Vec::new();
    let mut answer = 0;
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        if kind == "answer" {
            let id = events.len() as i64;
            add(&mut events, "DecisionTaskScheduled", json!({"taskList": {"name": "d"}}));
            add(&mut events, "DecisionTaskStarted", json!({"scheduledEventId": id + 1}));
            if !rest.is_empty() {
                add(&mut events, "WorkflowExecutionSignaled", json!({"signalName": rest}));
            }
            let attributes = json!({"scheduledEventId": id + 1, "startedEventId": id + 2});
            add(&mut events, "DecisionTaskCompleted", attributes);
            answer = events.len() as i64;
            continue;
        }
        let mut attributes: Value = serde_json::from_str(rest).expect(line);
        if !kind.ends_with("Started") && !kind.starts_with("ActivityTaskC") {
            attributes["decisionTaskCompletedEventId"] = answer.into();
        }
        if kind == "TimerStarted" {
            attributes["decisionTaskCompletedEventId"] = answer.into();
        }
        if kind == "ActivityTaskScheduled" {
            attributes["activityType"] = json!({"name": "A", "version": "1"});
            attributes["taskList"] = json!({"name": "l"});
        }
        add(&mut events, kind, attributes);
    }
    read_history(&json!({"events": events}).to_string()).unwrap()
}

fn add(events: &mut Vec<Value>, kind: &str, attributes: Value) {
    let key = format!("{}{}EventAttributes", kind[..1].to_lowercase(), &kind[1..]);
    events.push(json!({
        "eventId": events.len() + 1, "eventTimestamp": "2015-07-21T02:47:38.9+02:00",
        "eventType": kind, key: attributes,
    }));
}

const START: &str = r#"WorkflowExecutionStarted {"childPolicy": "TERMINATE", "taskList": {"name": "d"}, "workflowType": {"name": "W", "version": "1"}, "input": "{\"n\": 1}"}"#;

fn render(replay: &Replay) -> String {
    let mut text = String::new();
    for task in &replay.decisions {
        let (expected, recorded) = (task.expected.join(", "), task.recorded.join(", "));
        let _ = writeln!(text, "{} [{expected}] [{recorded}]", task.completed);
    }
    if let Some(difference) = &replay.difference {
        let _ = writeln!(text, "{}", difference.explanation);
        for (what, entry) in
            [("expected", &difference.expected), ("recorded", &difference.recorded)]
        {
            let _ = writeln!(text, "{what}: {}", entry.as_deref().unwrap_or("nothing"));
        }
        let _ = writeln!(text, "step: {}", difference.step.as_deref().unwrap_or("none"));
    }
    text
}

#[track_caller]
fn check(steps: &str, lines: &str, expect: Expect) {
    let history = history(&format!("{START}\n{lines}"));
    expect.assert_eq(&render(&replay(&plan(steps), None, &history)));
}

const TWO: &str = "- {name: One, activity: A, input: '{{ __input__.n }}'}
- {name: Two, activity: A, requires: [One], input: '{{ One.v }}'}
";
const RUN: &str = r#"answer
    ActivityTaskScheduled {"activityId": "One", "input": "1"}
    ActivityTaskStarted {"scheduledEventId": 5}
    ActivityTaskCompleted {"scheduledEventId": 5, "startedEventId": 6, "result": "7"}
    answer
    ActivityTaskScheduled {"activityId": "Two", "input": "7"}
    ActivityTaskStarted {"scheduledEventId": 11}
    ActivityTaskCompleted {"scheduledEventId": 11, "startedEventId": 12, "result": "8"}
    answer
    WorkflowExecutionCompleted {"result": "{\"Two\":{\"v\":8}}"}"#;

#[test]
fn the_plan_that_decided_decides_the_same() {
    check(TWO, RUN, expect![[""]]);
}

#[test]
fn a_step_that_was_added_removed_or_changed_is_told() {
    check(&format!("{TWO}- {{name: Three, wait: 3s}}\n"), RUN, expect![[""]]);
    check("- {name: One, activity: A, input: '{{ __input__.n }}'}\n", RUN, expect![[""]]);
    check(&TWO.replace("__input__.n", "__input__.n + 1"), RUN, expect![[""]]);
    check(&TWO.replace("Two, activity: A", "Two, activity: Again"), RUN, expect![[""]]);
    check(&format!("{TWO}output: '{{{{ One.v }}}}'\n"), RUN, expect![[""]]);
}

#[test]
fn the_order_of_one_answer_does_not_matter() {
    check(
        "- {name: One, activity: A}\n- {name: Two, activity: A}\n",
        r#"answer
        ActivityTaskScheduled {"activityId": "Two", "input": "null"}
        ActivityTaskScheduled {"activityId": "One", "input": "null"}"#,
        expect![[""]],
    );
}

#[test]
fn what_comes_while_a_decider_decides_was_not_seen() {
    check(
        "- {name: One, signal: s}\n- {name: Two, activity: A, requires: [One]}\n",
        r#"answer s
        answer
        ActivityTaskScheduled {"activityId": "Two", "input": "null"}"#,
        expect![[""]],
    );
}

#[test]
fn what_swf_refused_was_decided() {
    check(
        "- {name: One, activity: A}\n",
        r#"answer
        ScheduleActivityTaskFailed {"activityId": "One", "activityType": {"name": "A", "version": "1"}, "cause": "OPEN_ACTIVITIES_LIMIT_EXCEEDED"}
        answer
        TimerStarted {"timerId": "other", "startToFireTimeout": "3"}"#,
        expect![[""]],
    );
}

#[test]
fn children_are_compared_by_what_is_known_of_them() {
    let steps = "- {name: Sub, plan: {name: C, version: 1}}\n";
    let lines = format!(
        r#"{START}
        answer
        StartChildWorkflowExecutionInitiated {{"workflowId": "parent.Sub", "control": "Sub", "input": "null", "workflowType": {{"name": "C", "version": "1"}}, "taskList": {{"name": "d"}}, "childPolicy": "TERMINATE"}}"#
    );
    let events = history(&lines);
    let of = |workflow_id: &str| {
        let execution = WorkflowExecution { workflow_id: workflow_id.into(), run_id: "r".into() };
        render(&replay(&plan(steps), Some(&execution), &events))
    };
    assert!(replay(&plan(steps), None, &events).difference.is_none());
    expect![[""]].assert_eq(&of("parent"));
    expect![[""]].assert_eq(&of("other"));
}
