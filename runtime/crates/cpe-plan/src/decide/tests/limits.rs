//! What SWF carries: open activity tasks, the size of an answer, of results and of details.

use cpe_swf::{Decision, limits};
use serde_json::Value;

use super::history::{Recorder, activity_steps, carry_out, plan, render};
use crate::{Plan, RunState, decide, next_decisions};

fn steps(count: usize, rest: &str) -> String {
    (0..count).map(|n| format!("- {{name: S{n}, activity: A{rest}}}\n")).collect()
}

fn closing(plan: &Plan, history: &str) -> Value {
    let decisions = decide(plan, &Recorder::read(history));
    assert_eq!(decisions.len(), 1, "{}", render(&decisions));
    let (text, max) = match &decisions[0] {
        Decision::CompleteWorkflowExecution(end) => (end.result.clone(), limits::DATA_CHARS),
        Decision::FailWorkflowExecution(end) => {
            assert!(end.reason.as_ref().unwrap().chars().count() <= limits::REASON_CHARS);
            (end.details.clone(), limits::DATA_CHARS)
        }
        other => panic!("{other:?}"),
    };
    let text = text.unwrap();
    assert!(text.chars().count() <= max);
    serde_json::from_str(&text).unwrap()
}

#[test]
fn at_most_a_thousand_activity_tasks_are_open() {
    let plan = plan(&steps(1_500, ""));
    let mut recorder = Recorder::default();
    recorder.line("start 1");
    let first = decide(&plan, &recorder.events);
    assert_eq!(first.len(), 1_000);
    carry_out(&mut recorder, &first);
    assert_eq!(decide(&plan, &recorder.events), []);
    recorder.line("completed S7");
    recorder.line("failed S8 x");
    assert_eq!(
        render(&decide(&plan, &recorder.events)),
        "schedule S1000 null\nschedule S1001 null\n"
    );
}

#[test]
fn an_answer_fits_into_a_request_and_the_rest_follows_at_once() {
    // Quotes take two bytes on the wire, so each of these takes some 60 KB.
    let plan = plan(&steps(40, ", input: '{{ __input__ }}'"));
    let mut recorder = Recorder::default();
    recorder.line(&format!("start {}", serde_json::to_string(&vec![""; 10_000]).unwrap()));
    let mut answers = Vec::new();
    let mut state = RunState::default();
    let mut seen = 0;
    loop {
        recorder.events[seen..].iter().for_each(|event| state.apply(&plan, event));
        seen = recorder.events.len();
        let decisions = next_decisions(&plan, &state);
        let bytes = serde_json::to_string(&decisions).unwrap().len();
        assert!(bytes < limits::REQUEST_BYTES, "{bytes}");
        let scheduled =
            decisions.iter().filter(|d| matches!(d, Decision::ScheduleActivityTask(_))).count();
        answers.push(scheduled);
        if scheduled == decisions.len() {
            break;
        }
        assert!(render(&decisions[scheduled..]) == "timer cpe.more 0\n");
        carry_out(&mut recorder, &decisions);
        recorder.line("fired cpe.more");
    }
    assert_eq!(answers.iter().sum::<usize>(), activity_steps(&plan));
    assert!(answers.len() > 2, "{answers:?}");
}

#[test]
fn a_result_that_is_too_large_leaves_out_the_largest_outputs() {
    let plan = plan(&steps(3, ""));
    let large = "x".repeat(20_000);
    let history = format!(
        "start 1\nscheduled S0\nscheduled S1\nscheduled S2\ncompleted S0 \"{large}\"\n\
         completed S1 \"{large}y\"\ncompleted S2 {{\"small\": true}}"
    );
    let result = closing(&plan, &history);
    assert_eq!(result["S0"]["v"], Value::from(large));
    assert_eq!(result["S1"], serde_json::json!({"$omitted": {"characters": 20_009}}));
    assert_eq!(result["S2"]["v"]["small"], true);
}

#[test]
fn a_result_of_too_many_outputs_says_so() {
    let plan = plan(
        &(0..4_000)
            .map(|n| format!("- {{name: S{n}, eval: '{{\"n\": {n}}}'}}\n"))
            .collect::<String>(),
    );
    let result = closing(&plan, "start 1");
    assert_eq!(result["$omitted"]["steps"], 4_000, "{result}");
}

#[test]
fn failure_details_that_are_too_long_stay_json() {
    let plan = plan(&steps(1, ""));
    for details in ["\"".repeat(32_768), format!("{{\"log\": \"{}\"}}", "é".repeat(32_000))] {
        let history = format!("start 1\nscheduled S0\nfailed S0 r.r {details}");
        let details = closing(&plan, &history);
        assert_eq!((&details["step"], &details["reason"]), (&"S0".into(), &"r.r".into()));
    }
    let short = closing(&plan, "start 1\nscheduled S0\nfailed S0 r.r {\"k\": 1}");
    assert_eq!(short["details"]["k"], 1);
}

#[test]
fn an_input_that_is_too_large_fails_its_step() {
    let plan = plan("- {name: S, activity: A, input: '[{{ __input__ }}, {{ __input__ }}]'}\n");
    let details = closing(&plan, &format!("start \"{}\"", "x".repeat(20_000)));
    assert_eq!(details["details"], "the input has 40007 characters, of at most 32768");
    let mut state = RunState::default().by_reference();
    let history = format!("start \"{}\"", "x".repeat(20_000));
    Recorder::read(&history).iter().for_each(|event| state.apply(&plan, event));
    assert!(matches!(next_decisions(&plan, &state)[..], [Decision::ScheduleActivityTask(_)]));
}

/// Runs a plan whose activities all answer at once, and tells in how many decisions.
fn run_to_its_end(plan: &Plan) -> (usize, String) {
    let mut recorder = Recorder::default();
    recorder.line("start 1");
    let (mut state, mut seen, mut answers) = (RunState::default(), 0, 0);
    loop {
        recorder.events[seen..].iter().for_each(|event| state.apply(plan, event));
        seen = recorder.events.len();
        let decisions = next_decisions(plan, &state);
        answers += 1;
        if carry_out(&mut recorder, &decisions) {
            assert_eq!(decide(plan, &recorder.events), decisions);
            return (answers, render(&decisions));
        }
        for decision in &decisions {
            match decision {
                Decision::ScheduleActivityTask(schedule) => {
                    recorder.line(&format!("completed {} 1", schedule.activity_id));
                }
                Decision::StartTimer(timer) => recorder.line(&format!("fired {}", timer.timer_id)),
                _ => {}
            }
        }
    }
}

#[test]
fn a_list_whose_items_do_not_render_is_given_up() {
    let plan = plan(
        "- {name: Each, activity: A, foreach: '{{ range(20000) | list }}', allow_failure: true,\n   \
            input: '{{ item.missing }}'}\n\
         - {name: Count, eval: '{{ Each | length }}', requires: [Each]}\n",
    );
    assert_eq!(render(&decide(&plan, &Recorder::read("start 1"))), "complete {\"Count\":20000}\n");
}

#[test]
fn thousands_of_steps_in_a_row_and_side_by_side() {
    let chain: String = (0..4_000)
        .map(|n| match n {
            0 => "- {name: S0, activity: A}\n".to_owned(),
            n => {
                let before = n - 1;
                format!(
                    "- {{name: S{n}, activity: A, requires: [S{before}], input: '{{{{ S{before}.v }}}}'}}\n"
                )
            }
        })
        .collect();
    let (answers, end) = run_to_its_end(&plan(&chain));
    assert_eq!((answers, end.as_str()), (4_001, "complete {\"S3999\":{\"v\":1}}\n"));

    let names: Vec<String> = (0..3_999).map(|n| format!("S{n}")).collect();
    let fan = format!(
        "{}- {{name: All, activity: A, requires: [{}]}}\n",
        steps(3_999, ""),
        names.join(", ")
    );
    let (answers, end) = run_to_its_end(&plan(&fan));
    assert_eq!(end, "complete {\"All\":{\"v\":1}}\n");
    assert!(answers < 20, "{answers}");
}

#[test]
fn a_name_without_room_for_timers_is_not_tried_again() {
    let name = "n".repeat(256);
    let plan = plan(&format!("- {{name: {name}, activity: A}}\n"));
    let history = format!("start 1\nrefused {name} ACTIVITY_TYPE_DOES_NOT_EXIST");
    assert_eq!(closing(&plan, &history)["reason"], "cpe.schedule.activity-type-does-not-exist");
}
