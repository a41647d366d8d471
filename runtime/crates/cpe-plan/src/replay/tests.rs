use std::fmt::Write as _;

use cpe_swf::{Decision, HistoryEvent, WorkflowExecution};
use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::{Plan, Replay, decide, read_history, replay};

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
    for one in &replay.decisions {
        let (expected, recorded) = (one.expected.join(", "), one.recorded.join(", "));
        let _ = writeln!(text, "{} [{expected}] [{recorded}]", one.completed);
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
    check(
        TWO,
        RUN,
        expect![[r#"
        4 [schedule the activity task One] [schedule the activity task One]
        10 [schedule the activity task Two] [schedule the activity task Two]
        16 [complete the execution] [complete the execution]
    "#]],
    );
}

#[test]
fn a_step_that_was_added_removed_or_changed_is_told() {
    check(
        &format!("{TWO}- {{name: Three, wait: 3s}}\n"),
        RUN,
        expect![[r#"
        4 [schedule the activity task One, start the timer cpe.wait.Three] [schedule the activity task One]
        the plan would start the timer cpe.wait.Three, which was not decided here
        expected: start the timer cpe.wait.Three
        wait: 3 seconds
        recorded: nothing
        step: Three
    "#]],
    );
    check(
        "- {name: One, activity: A, input: '{{ __input__.n }}'}\n",
        RUN,
        expect![[r#"
        4 [schedule the activity task One] [schedule the activity task One]
        10 [complete the execution] [schedule the activity task Two]
        the plan would complete the execution where something else was decided
        expected: complete the execution
        result: {"One":{"v":7}}
        recorded: schedule the activity task Two
        activity: A@1
        input: 7
        step: none
    "#]],
    );
    check(
        &TWO.replace("__input__.n", "__input__.n + 1"),
        RUN,
        expect![[r#"
        4 [schedule the activity task One] [schedule the activity task One]
        the plan would schedule the activity task One as well, but with another input
        expected: schedule the activity task One
        activity: A@1
        input: 2
        recorded: schedule the activity task One
        activity: A@1
        input: 1
        step: One
    "#]],
    );
}

#[test]
fn another_activity_or_result_is_told() {
    check(
        &TWO.replace("Two, activity: A", "Two, activity: Again"),
        RUN,
        expect![[r#"
        4 [schedule the activity task One] [schedule the activity task One]
        10 [schedule the activity task Two] [schedule the activity task Two]
        the plan would schedule the activity task Two as well, but with another activity
        expected: schedule the activity task Two
        activity: Again@1
        input: 7
        recorded: schedule the activity task Two
        activity: A@1
        input: 7
        step: Two
    "#]],
    );
    check(
        &format!("{TWO}output: '{{{{ One.v }}}}'\n"),
        RUN,
        expect![[r#"
        4 [schedule the activity task One] [schedule the activity task One]
        10 [schedule the activity task Two] [schedule the activity task Two]
        16 [complete the execution] [complete the execution]
        the plan would complete the execution as well, but with another result
        expected: complete the execution
        result: 7
        recorded: complete the execution
        result: {"Two":{"v":8}}
        step: none
    "#]],
    );
}

#[test]
fn the_order_of_one_answer_does_not_matter() {
    check(
        "- {name: One, activity: A}\n- {name: Two, activity: A}\n",
        r#"answer
        ActivityTaskScheduled {"activityId": "Two", "input": "null"}
        ActivityTaskScheduled {"activityId": "One", "input": "null"}"#,
        expect![[r#"
            4 [schedule the activity task One, schedule the activity task Two] [schedule the activity task Two, schedule the activity task One]
        "#]],
    );
}

#[test]
fn what_comes_while_a_decider_decides_was_not_seen() {
    check(
        "- {name: One, signal: s}\n- {name: Two, activity: A, requires: [One]}\n",
        r#"answer s
        answer
        ActivityTaskScheduled {"activityId": "Two", "input": "null"}"#,
        expect![[r#"
            5 [] []
            8 [schedule the activity task Two] [schedule the activity task Two]
        "#]],
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
        expect![[r#"
            4 [schedule the activity task One] [schedule the activity task One (refused by SWF)]
            8 [start the timer cpe.retry] [start the timer other]
            the plan would start the timer cpe.retry where something else was decided
            expected: start the timer cpe.retry
            wait: 2 seconds
            recorded: start the timer other
            wait: 3 seconds
            step: none
        "#]],
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
    expect![[r#"
        4 [start the child parent.Sub] [start the child parent.Sub]
    "#]]
    .assert_eq(&of("parent"));
    expect![[r#"
        4 [start the child other.Sub] [start the child parent.Sub]
        the plan would start the child other.Sub where something else was decided
        expected: start the child other.Sub
        plan: C@1
        input: null
        recorded: start the child parent.Sub
        plan: C@1
        input: null
        step: Sub
    "#]]
    .assert_eq(&of("other"));
}

/// Nothing that SWF can write makes it stumble.
#[test]
fn any_event_is_replayed() {
    let samples = include_str!("../../../cpe-swf/tests/golden/events.json");
    let mut events: Vec<Value> = serde_json::from_str(samples).unwrap();
    for (index, event) in events.iter_mut().enumerate() {
        event["eventId"] = (index + 1).into();
    }
    let history = read_history(&json!(events).to_string()).unwrap();
    for from in 0..history.len() {
        let _ = replay(&plan(TWO), None, &history[from..]);
    }
}

/// One run of a plan, whose every first attempt fails, as SWF writes it.
fn run(plan: &Plan) -> Vec<HistoryEvent> {
    let mut lines = vec![START.to_owned()];
    loop {
        lines.push("answer".to_owned());
        let events = history(&lines.join("\n"));
        // Its decider saw all but the answer itself.
        let decisions = decide(plan, &events[..events.len() - 1]);
        let mut ends = Vec::new();
        for (event, decision) in (events.len() + 1..).zip(decisions) {
            match decision {
                Decision::ScheduleActivityTask(d) => {
                    let id = d.activity_id.as_str();
                    let input = json!(d.input);
                    lines.push(format!(
                        r#"ActivityTaskScheduled {{"activityId": "{id}", "input": {input}}}"#
                    ));
                    ends.push(if id.contains('#') {
                        format!(r#"ActivityTaskCompleted {{"scheduledEventId": {event}, "startedEventId": 0, "result": "7"}}"#)
                    } else {
                        format!(r#"ActivityTaskFailed {{"scheduledEventId": {event}, "startedEventId": 0, "reason": "x"}}"#)
                    });
                }
                Decision::StartTimer(d) => {
                    let (id, wait) = (&d.timer_id, d.start_to_fire_timeout);
                    lines.push(format!(
                        r#"TimerStarted {{"timerId": "{id}", "startToFireTimeout": "{wait}"}}"#
                    ));
                    ends.push(format!(
                        r#"TimerFired {{"timerId": "{id}", "startedEventId": {event}}}"#
                    ));
                }
                Decision::CompleteWorkflowExecution(d) => {
                    let result = json!(d.result);
                    lines.push(format!(r#"WorkflowExecutionCompleted {{"result": {result}}}"#));
                    return history(&lines.join("\n"));
                }
                other => panic!("not carried out: {other:?}"),
            }
        }
        lines.append(&mut ends);
    }
}

#[test]
fn what_a_plan_decided_it_decides_again() {
    let steps = "- {name: Try, activity: A, retry: {max_attempts: 3, on: [x]}}
- {name: Wait, wait: 1h}
- {name: Each, activity: A, retry: {}, foreach: '[1, 2, 3, 4]', max_parallel: 2, input: '{{ item }}'}
- {name: Sum, eval: '[{{ Try }}, {{ Each | length }}]', requires: [Try, [Each, succeeded], Wait]}
";
    let history = run(&plan(steps));
    let same = replay(&plan(steps), None, &history);
    assert_eq!(same.difference, None);
    assert!(same.decisions.len() > 5, "{same:?}");
    let narrower = replay(&plan(&steps.replace("l: 2", "l: 1")), None, &history);
    assert_eq!(narrower.difference.unwrap().step.as_deref(), Some("Each"));
    let longer = replay(&plan(&steps.replace("1h", "2h")), None, &history);
    expect!["the plan would start the timer cpe.wait.Wait as well, but with another wait"]
        .assert_eq(&longer.difference.unwrap().explanation);
}
