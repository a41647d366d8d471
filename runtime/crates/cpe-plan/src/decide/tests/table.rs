//! What is decided after which history.

use expect_test::{Expect, expect};

use super::history::{Recorder, every_kind, plan, render};
use crate::{Plan, RunState, decide, next_decisions};

#[track_caller]
fn check(plan: &Plan, history: &str, expect: Expect) {
    let events = Recorder::read(history);
    let decisions = decide(plan, &events);
    expect.assert_eq(&render(&decisions));

    // Whoever kept the state decides the same.
    let mut state = RunState::default();
    for event in &events {
        state.apply(plan, event);
        let _ = next_decisions(plan, &state);
    }
    assert_eq!(next_decisions(plan, &state), decisions);
    assert_eq!(state.last_event().0, events.len() as i64);
}

fn diamond() -> Plan {
    plan(
        "- {name: Top, activity: A, input: '{{ __input__ }}'}\n\
         - {name: Left, activity: A, requires: [[Top, succeeded]], input: '{{ Top.v }}'}\n\
         - {name: Right, activity: A, requires: [[Top, succeeded]], input: '{{ Top.v }}'}\n\
         - {name: Bottom, activity: A, requires: [[Left, succeeded], [Right, succeeded]],\n   \
            input: '[{{ Left.v }}, {{ Right.v }}]'}\n",
    )
}

fn branch() -> Plan {
    plan(
        "- {name: Try, activity: A}\n\
         - {name: Good, activity: A, requires: [[Try, succeeded]]}\n\
         - {name: Bad, activity: A, requires: [[Try, failed]]}\n\
         - {name: Last, activity: A, requires: [Good, Bad]}\n",
    )
}

#[test]
fn a_diamond_runs_to_its_result() {
    let plan = diamond();
    check(&plan, "", expect![""]);
    check(
        &plan,
        r#"start {"n": 1}"#,
        expect![[r#"
        schedule Top {"n":1}
    "#]],
    );
    check(&plan, "start 1\nscheduled Top", expect![""]);
    check(
        &plan,
        "start 1\nscheduled Top\ncompleted Top 5",
        expect![[r#"
        schedule Left 5
        schedule Right 5
    "#]],
    );
    check(
        &plan,
        "start 1\nscheduled Top\ncompleted Top 5\nscheduled Left\nscheduled Right\ncompleted Right 2",
        expect![""],
    );
    let history = "start 1\nscheduled Top\ncompleted Top 5\nscheduled Left\nscheduled Right\n\
                   completed Right 2\ncompleted Left \"x\"";
    check(
        &plan,
        history,
        expect![[r#"
        schedule Bottom ["x",2]
    "#]],
    );
    let history = format!("{history}\nscheduled Bottom\ncompleted Bottom {{\"done\": true}}");
    check(
        &plan,
        &history,
        expect![[r#"
        complete {"Bottom":{"v":{"done":true}}}
    "#]],
    );
}

#[test]
fn a_failure_takes_its_branch() {
    let plan = branch();
    check(
        &plan,
        "start {}\nscheduled Try\ncompleted Try",
        expect![[r#"
        schedule Good null
    "#]],
    );
    check(
        &plan,
        "start {}\nscheduled Try\nfailed Try media.broken",
        expect![[r#"
        schedule Bad null
    "#]],
    );
    check(
        &plan,
        "start {}\nscheduled Try\ntimed-out Try HEARTBEAT",
        expect![[r#"
        schedule Bad null
    "#]],
    );
    check(
        &plan,
        "start {}\nscheduled Try\ncanceled Try",
        expect![[r#"
        schedule Bad null
    "#]],
    );
    check(
        &plan,
        "start {}\nscheduled Try\ncompleted Try not json",
        expect![[r#"
        schedule Bad null
    "#]],
    );
    check(
        &plan,
        "start {}\nscheduled Try\nfailed Try r\nscheduled Bad\ncompleted Bad\nscheduled Last\n\
         completed Last 3",
        expect![[r#"
            complete {"Last":{"v":3}}
        "#]],
    );
}

#[test]
fn a_failure_nobody_provides_for_fails_the_execution_at_its_end() {
    let plan = plan(
        "- {name: One, activity: A}\n- {name: Two, activity: A}\n\
         - {name: After, activity: A, requires: [One]}\n\
         - {name: OnSuccess, activity: A, requires: [[One, succeeded]]}\n",
    );
    let failed = "start 1\nscheduled One\nscheduled Two\nfailed One a.b {\"why\": \"it broke\"}";
    // A bare name runs after any end, but does not count as having thought of failure.
    check(
        &plan,
        failed,
        expect![[r#"
        schedule After null
    "#]],
    );
    let rest = format!("{failed}\nscheduled After\ncompleted After\ncompleted Two");
    check(
        &plan,
        &rest,
        expect![[r#"
        fail a.b {"step":"One","reason":"a.b","details":{"why":"it broke"}}
    "#]],
    );
    let both = format!("{failed}\nscheduled After\ncompleted After\ntimed-out Two START_TO_CLOSE");
    check(
        &plan,
        &both,
        expect![[r#"
        fail a.b {"step":"One","reason":"a.b","details":{"why":"it broke"}}
    "#]],
    );
    let bare = "start 1\nscheduled One\nscheduled Two\nfailed One\nscheduled After\n\
                completed After\ncompleted Two";
    check(
        &plan,
        bare,
        expect![[r#"
        fail activity.failed {"step":"One","reason":"activity.failed","details":""}
    "#]],
    );
}

#[test]
fn explicit_completed_and_failed_provide_for_a_failure() {
    for status in ["completed", "failed"] {
        let plan = plan(&format!(
            "- {{name: One, activity: A}}\n- {{name: Next, eval: '1', requires: [[One, {status}]]}}\n"
        ));
        let text = render(&decide(&plan, &Recorder::read("start 1\nscheduled One\nfailed One x")));
        assert_eq!(text, "complete {\"Next\":1}\n", "{status}");
    }
}

#[test]
fn what_is_not_met_is_skipped_and_skips_on() {
    let plan = plan(
        "- {name: One, activity: A}\n- {name: Slow, activity: A}\n\
         - {name: Two, activity: A, requires: [[One, failed], Slow]}\n\
         - {name: Three, activity: A, requires: [[Two, succeeded]]}\n\
         - {name: Else, activity: A, requires: [[Three, skipped]]}\n",
    );
    // As soon as one requirement is not met, whatever becomes of the others.
    check(
        &plan,
        "start 1\nscheduled One\nscheduled Slow\ncompleted One",
        expect![[r#"
        schedule Else null
    "#]],
    );
    check(
        &plan,
        "start 1\nscheduled One\nscheduled Slow\ncompleted One\nscheduled Else\ncompleted Slow\n\
         completed Else 1",
        expect![[r#"
            complete {"Else":{"v":1}}
        "#]],
    );
}

#[test]
fn statuses_that_no_step_ends_with_are_never_met_except_pending() {
    for (status, expected) in [
        ("pending", "schedule Two null\n"),
        ("ready", "complete {}\n"),
        ("running", "complete {}\n"),
        ("aborted", "complete {}\n"),
    ] {
        let plan = plan(&format!(
            "- {{name: One, activity: A}}\n- {{name: Two, activity: A, requires: [[One, {status}]]}}\n"
        ));
        let events = Recorder::read("start 1\nscheduled One\ncompleted One");
        assert_eq!(render(&decide(&plan, &events)), expected, "{status}");
    }
}

#[test]
fn evals_need_no_worker() {
    let plan = plan(
        "- {name: Sum, eval: '{{ __input__.a + __input__.b }}'}\n\
         - {name: Twice, eval: '{\"n\": {{ Sum * 2 }}}', requires: [[Sum, succeeded]]}\n\
         - {name: Run, activity: A, requires: [[Twice, succeeded]], input: '{{ Twice.n }}'}\n",
    );
    check(
        &plan,
        r#"start {"a": 1, "b": 2}"#,
        expect![[r#"
        schedule Run 6
    "#]],
    );
    check(
        &plan,
        r#"start {"a": 1}"#,
        expect![[r#"
        fail cpe.bad-eval {"step":"Sum","reason":"cpe.bad-eval","details":"template line 1: tried to use + operator on unsupported types number and undefined (`__input__.b` is undefined), in `__input__.a + __input__.b`"}
    "#]],
    );
}

#[test]
fn what_cannot_be_rendered_fails_its_step() {
    let plan = plan(
        "- {name: One, activity: A, input: '{{ __input__.missing }}'}\n\
         - {name: Two, activity: Strict, input: '{\"m\": {{ __input__.n }}}'}\n\
         - {name: Three, activity: A, requires: [[One, completed]], input: '{{ One.v }}'}\n",
    );
    check(
        &plan,
        r#"start {"n": 1}"#,
        expect![[r#"
        fail cpe.bad-input {"step":"Two","reason":"cpe.bad-input","details":"\"n\" is a required property"}
    "#]],
    );
}

#[test]
fn an_input_that_is_not_right_fails_the_execution() {
    let strict = Plan::parse(
        "w.yaml",
        "name: W\nversion: 1\ninput_spec: {type: object, required: [n]}\nactivities: []\n\
         steps: [{name: S, eval: '1'}]\n",
    )
    .unwrap();
    check(
        &strict,
        r#"start {"n": 1}"#,
        expect![[r#"
        complete {"S":1}
    "#]],
    );
    check(
        &strict,
        "start {}",
        expect![[r#"
        fail cpe.bad-input {"details":"\"n\" is a required property"}
    "#]],
    );
    check(
        &strict,
        "start {",
        expect![[r#"
        fail cpe.bad-input {"details":"the input is not JSON: EOF while parsing an object at line 1 column 1"}
    "#]],
    );
    check(
        &strict,
        "start",
        expect![[r#"
        fail cpe.bad-input {"details":"null is not of type \"object\""}
    "#]],
    );
    // Without a spec everything is accepted, nothing included.
    check(
        &plan("- {name: S, eval: '{{ __input__ }}'}\n"),
        "start",
        expect![[r#"
        complete {"S":null}
    "#]],
    );
}

#[test]
fn every_cause_of_a_refusal_has_its_answer() {
    let plan = plan("- {name: One, activity: A}\n- {name: Two, activity: A}\n");
    for cause in [
        "ACTIVITY_TYPE_DEPRECATED",
        "ACTIVITY_ID_ALREADY_IN_USE",
        "DEFAULT_SCHEDULE_TO_CLOSE_TIMEOUT_UNDEFINED",
        "DEFAULT_TASK_LIST_UNDEFINED",
        "DEFAULT_SCHEDULE_TO_START_TIMEOUT_UNDEFINED",
        "DEFAULT_START_TO_CLOSE_TIMEOUT_UNDEFINED",
        "DEFAULT_HEARTBEAT_TIMEOUT_UNDEFINED",
        "OPERATION_NOT_PERMITTED",
    ] {
        let history = format!("start 1\nscheduled One\nrefused Two {cause}\ncompleted One");
        let text = render(&decide(&plan, &Recorder::read(&history)));
        let reason = cause.to_lowercase().replace('_', "-");
        assert!(text.starts_with(&format!("fail cpe.schedule.{reason} ")), "{text}");
    }
    for cause in ["OPEN_ACTIVITIES_LIMIT_EXCEEDED", "ACTIVITY_CREATION_RATE_EXCEEDED"] {
        let history = format!("start 1\nscheduled One\nrefused Two {cause}");
        let text = render(&decide(&plan, &Recorder::read(&history)));
        assert_eq!(text, "timer cpe.retry 2\n", "{cause}");
    }
}

#[test]
fn refused_for_now_is_tried_again_after_a_timer() {
    let plan = plan(
        "- {name: One, activity: A}\n- {name: Two, activity: A}\n- {name: Three, activity: A}\n\
         - {name: Four, activity: A, requires: [One]}\n",
    );
    let refused = "start 1\nscheduled One\nrefused Two ACTIVITY_CREATION_RATE_EXCEEDED\n\
                   refused Three ACTIVITY_CREATION_RATE_EXCEEDED";
    check(
        &plan,
        refused,
        expect![[r#"
        timer cpe.retry 2
    "#]],
    );
    let waiting = format!("{refused}\ntimer cpe.retry");
    check(&plan, &waiting, expect![[r#""#]]);
    // What becomes ready meanwhile waits as well.
    let meanwhile = format!("{waiting}\ncompleted One");
    check(&plan, &meanwhile, expect![[r#""#]]);
    let fired = format!("{meanwhile}\nfired cpe.retry");
    check(
        &plan,
        &fired,
        expect![[r#"
        schedule Two null
        schedule Three null
        schedule Four null
    "#]],
    );
    let again = format!("{fired}\nrefused Two ACTIVITY_CREATION_RATE_EXCEEDED");
    check(
        &plan,
        &again,
        expect![[r#"
        timer cpe.retry 4
    "#]],
    );
    let taken = format!(
        "{again}\ntimer cpe.retry\nfired cpe.retry\nscheduled Two\n\
         refused Three OPEN_ACTIVITIES_LIMIT_EXCEEDED"
    );
    check(
        &plan,
        &taken,
        expect![[r#"
        timer cpe.retry 2
    "#]],
    );
}

#[test]
fn without_a_timer_the_next_end_is_waited_for() {
    let plan = plan("- {name: One, activity: A}\n- {name: Two, activity: A}\n");
    let refused = "start 1\nscheduled One\nrefused Two ACTIVITY_CREATION_RATE_EXCEEDED\n\
                   timer-refused cpe.retry TIMER_CREATION_RATE_EXCEEDED";
    check(&plan, refused, expect![[r#""#]]);
    check(
        &plan,
        &format!("{refused}\ncompleted One"),
        expect![[r#"
        schedule Two null
    "#]],
    );
    let alone = "start 1\nrefused One ACTIVITY_CREATION_RATE_EXCEEDED\n\
                 refused Two ACTIVITY_CREATION_RATE_EXCEEDED\n\
                 timer-refused cpe.retry TIMER_CREATION_RATE_EXCEEDED";
    check(
        &plan,
        alone,
        expect![[r#"
        schedule One null
        schedule Two null
    "#]],
    );
}

#[test]
fn a_cancel_request_asks_what_runs_and_then_closes() {
    let plan = plan(
        "- {name: One, activity: A}\n- {name: Two, activity: A}\n\
         - {name: Three, activity: A, requires: [One]}\n",
    );
    check(
        &plan,
        "start 1\ncancel",
        expect![[r#"
        cancel
    "#]],
    );
    let asked = "start 1\nscheduled One\nscheduled Two\ncancel";
    check(
        &plan,
        asked,
        expect![[r#"
        ask One
        ask Two
    "#]],
    );
    let asked = format!("{asked}\nasked One\nunasked Two");
    check(&plan, &asked, expect![[r#""#]]);
    // Nothing new begins, whatever the answers are.
    let one = format!("{asked}\ncompleted One");
    check(&plan, &one, expect![[r#""#]]);
    check(
        &plan,
        &format!("{one}\ncanceled Two"),
        expect![[r#"
        cancel
    "#]],
    );
    // An activity task that was scheduled while the request was on its way.
    check(
        &plan,
        "start 1\nscheduled One\ncancel\nscheduled Two\nasked One",
        expect![[r#"
        ask Two
    "#]],
    );
    let held = "start 1\nrefused One OPEN_ACTIVITIES_LIMIT_EXCEEDED\ntimer cpe.retry\ncancel";
    check(
        &plan,
        held,
        expect![[r#"
        cancel
    "#]],
    );
}

#[test]
fn a_close_that_came_too_late_is_decided_again() {
    let plan = plan("- {name: One, activity: A}\n");
    let done = "start 1\nscheduled One\ncompleted One 1";
    check(
        &plan,
        done,
        expect![[r#"
        complete {"One":{"v":1}}
    "#]],
    );
    let late = format!("{done}\nraw WorkflowExecutionSignaled {{\"signalName\": \"s\"}}");
    check(
        &plan,
        &format!("{late}\nclose-refused Complete UNHANDLED_DECISION"),
        expect![[r#"
        complete {"One":{"v":1}}
    "#]],
    );
    // All steps had ended, so the outcome was certain before the request came.
    let canceled = format!("{done}\ncancel\nclose-refused Complete UNHANDLED_DECISION");
    check(
        &plan,
        &canceled,
        expect![[r#"
        complete {"One":{"v":1}}
    "#]],
    );
    let failed = "start 1\nscheduled One\nfailed One x\nclose-refused Fail UNHANDLED_DECISION";
    check(
        &plan,
        failed,
        expect![[r#"
        fail x {"step":"One","reason":"x","details":""}
    "#]],
    );
    check(
        &plan,
        "start 1\ncancel\nclose-refused Cancel UNHANDLED_DECISION",
        expect![[r#"
        cancel
    "#]],
    );
}

#[test]
fn a_close_that_is_not_permitted_does_not_fill_the_history() {
    let plan = plan("- {name: One, eval: '1'}\n");
    let denied = "start 1\nclose-refused Complete OPERATION_NOT_PERMITTED";
    check(
        &plan,
        denied,
        expect![[r#"
        timer cpe.retry 2
    "#]],
    );
    let waiting = format!("{denied}\ntimer cpe.retry");
    check(&plan, &waiting, expect![[""]]);
    check(
        &plan,
        &format!("{waiting}\nfired cpe.retry"),
        expect![[r#"
        complete {"One":1}
    "#]],
    );
}

#[test]
fn a_closed_run_decides_nothing() {
    let plan = plan("- {name: One, activity: A}\n");
    for end in [
        r#"raw WorkflowExecutionCompleted {"decisionTaskCompletedEventId": 1}"#,
        r#"raw WorkflowExecutionFailed {"decisionTaskCompletedEventId": 1}"#,
        r#"raw WorkflowExecutionCanceled {"decisionTaskCompletedEventId": 1}"#,
        r#"raw WorkflowExecutionTimedOut {"timeoutType": "START_TO_CLOSE", "childPolicy": "ABANDON"}"#,
        r#"raw WorkflowExecutionTerminated {"childPolicy": "ABANDON"}"#,
    ] {
        assert_eq!(decide(&plan, &Recorder::read(&format!("start 1\n{end}"))), [], "{end}");
    }
}

#[test]
fn what_does_not_concern_the_plan_changes_nothing() {
    let plan = diamond();
    let events = Recorder::read("start 1\nscheduled Top\ncompleted Top 5\nscheduled Left");
    let expected = decide(&plan, &events);
    let changes = [
        "WorkflowExecutionCancelRequested",
        "WorkflowExecutionCompleted",
        "WorkflowExecutionFailed",
        "WorkflowExecutionTimedOut",
        "WorkflowExecutionCanceled",
        "WorkflowExecutionTerminated",
        "WorkflowExecutionContinuedAsNew",
    ];
    let mut seen = 0;
    for other in every_kind() {
        let shown = format!("{:?}", other.attributes);
        let denied = shown.contains("OperationNotPermitted") || shown.contains("RateExceeded");
        if changes.contains(&other.event_type()) || denied {
            continue;
        }
        let history: Vec<_> = events.iter().cloned().chain([other.clone()]).collect();
        assert_eq!(decide(&plan, &history), expected, "{}", other.event_type());
        seen += 1;
    }
    assert!(seen > 100);
}

#[test]
fn the_order_of_decisions_is_that_of_the_plan() {
    let plan = plan(
        "- {name: Z, activity: A}\n- {name: A, activity: A}\n- {name: M, activity: A, requires: [N]}\n\
         - {name: N, eval: '1'}\n- {name: B, activity: A}\n",
    );
    check(
        &plan,
        "start 1",
        expect![[r#"
        schedule Z null
        schedule A null
        schedule M null
        schedule B null
    "#]],
    );
}

#[test]
fn scheduling_says_everything_that_swf_asks_for() {
    let plan = plan("- {name: One, activity: A, input: '{\"a\": 1}'}\n");
    let decisions = decide(&plan, &Recorder::read("start 1"));
    expect![[r#"{"decisionType":"ScheduleActivityTask","scheduleActivityTaskDecisionAttributes":{"activityType":{"name":"A","version":"1"},"activityId":"One","input":"{\"a\":1}","scheduleToCloseTimeout":"518400","taskList":{"name":"A-1"},"scheduleToStartTimeout":"43200","startToCloseTimeout":"432000","heartbeatTimeout":"60"}}"#]].assert_eq(&serde_json::to_string(&decisions[0]).unwrap());
}
