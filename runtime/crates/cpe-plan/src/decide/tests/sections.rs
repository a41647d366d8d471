//! `on_failure`, `finally`, `allow_failure`, `output`, and what a cancel request does to them.

use expect_test::{Expect, expect};

use super::history::{Recorder, parse, render};
use crate::{Plan, RunState, decide, next_decisions};

fn saga() -> Plan {
    parse(
        "name: W\nversion: 1\nactivities: [{name: A, version: 1, outputs_spec: {v: $}}]\n\
         steps:\n\
         - {name: Book, activity: A}\n\
         - {name: Pay, activity: A, requires: [[Book, succeeded]]}\n\
         on_failure:\n\
         - {name: Unbook, activity: A, requires: [[Book, succeeded]],\n   \
            input: '[{{ Book.v }}, {{ __failure__ }}]'}\n\
         - {name: Refund, activity: A, requires: [[Pay, succeeded]]}\n\
         finally:\n\
         - {name: Tell, activity: A, input: '{{ __failure__ }}'}\n\
         output: '{\"paid\": {{ Pay.v }}}'\n",
    )
}

#[track_caller]
fn check(plan: &Plan, history: &str, expect: Expect) {
    let events = Recorder::read(history);
    let decisions = decide(plan, &events);
    expect.assert_eq(&render(&decisions));
    let mut state = RunState::default();
    events.iter().for_each(|event| state.apply(plan, event));
    assert_eq!(next_decisions(plan, &state), decisions);
}

#[test]
fn success_runs_finally_and_gives_the_output() {
    let plan = saga();
    let paid = "start 1\nscheduled Book\ncompleted Book 1\nscheduled Pay\ncompleted Pay 2";
    check(
        &plan,
        paid,
        expect![[r#"
        schedule Tell null
    "#]],
    );
    check(
        &plan,
        &format!("{paid}\nscheduled Tell\ncompleted Tell"),
        expect![[r#"
        complete {"paid":2}
    "#]],
    );
    check(
        &plan,
        &format!("{paid}\nscheduled Tell\nfailed Tell x"),
        expect![[r#"
        fail x {"step":"Tell","reason":"x","details":""}
    "#]],
    );
    // The outcome is fixed once the main steps have ended.
    check(
        &plan,
        &format!("{paid}\ncancel\nscheduled Tell\ncompleted Tell"),
        expect![[r#"
        complete {"paid":2}
    "#]],
    );
}

#[test]
fn failure_compensates_what_was_done() {
    let plan = saga();
    let failed = "start 1\nscheduled Book\ncompleted Book 1\nscheduled Pay\nfailed Pay no.money";
    check(
        &plan,
        failed,
        expect![[r#"
        schedule Unbook [1,{"step":"Pay","reason":"no.money","details":""}]
    "#]],
    );
    let undone = format!("{failed}\nscheduled Unbook\nfailed Unbook x");
    check(
        &plan,
        &undone,
        expect![[r#"
        schedule Tell {"step":"Pay","reason":"no.money","details":""}
    "#]],
    );
    check(
        &plan,
        &format!("{undone}\nscheduled Tell\ncompleted Tell"),
        expect![[r#"
        fail no.money {"step":"Pay","reason":"no.money","details":""}
    "#]],
    );
    check(
        &plan,
        "start 1\nscheduled Book\nfailed Book x",
        expect![[r#"
        schedule Tell {"step":"Book","reason":"x","details":""}
    "#]],
    );
}

#[test]
fn without_a_failure_no_step_of_on_failure_runs() {
    let plan = parse(
        "name: W\nversion: 1\nactivities: [{name: A, version: 1}]\nsteps: [{name: S, eval: '1'}]\n\
         on_failure:\n- {name: One, activity: A}\n- {name: Two, activity: A, requires: [One]}\n\
         finally: [{name: Last, eval: '2', requires: [[Two, skipped]]}]\n",
    );
    check(
        &plan,
        "start 1",
        expect![[r#"
        complete {"S":1}
    "#]],
    );
}

#[test]
fn cancel_ends_what_runs_then_runs_finally() {
    let plan = saga();
    let asked = "start 1\nscheduled Book\ncancel";
    check(
        &plan,
        asked,
        expect![[r#"
        ask Book
    "#]],
    );
    let ended = format!("{asked}\nasked Book\ncanceled Book");
    check(
        &plan,
        &ended,
        expect![[r#"
        schedule Tell null
    "#]],
    );
    check(
        &plan,
        &format!("{ended}\nscheduled Tell\nfailed Tell x"),
        expect![[r#"
        cancel
    "#]],
    );
}

#[test]
fn an_allowed_failure_fails_nothing() {
    let plan = parse(
        "name: W\nversion: 1\nactivities: [{name: A, version: 1, outputs_spec: {v: $}}]\n\
         steps:\n- {name: May, activity: A, allow_failure: true}\n\
         - {name: After, eval: '1', requires: [May]}\n\
         on_failure: [{name: Never, activity: A}]\n",
    );
    check(
        &plan,
        "start 1\nscheduled May\nfailed May x",
        expect![[r#"
        complete {"After":1}
    "#]],
    );
}

#[test]
fn an_output_that_does_not_render_fails_the_execution() {
    let plan = parse(
        "name: W\nversion: 1\nsteps: [{name: S, eval: '1', when: 'false'}]\n\
         output: '{{ S.missing }}'\n",
    );
    check(
        &plan,
        "start 1",
        expect![[r#"
        fail cpe.bad-result {"details":"template line 1: `S.missing` is undefined; `S` was skipped and has no outputs"}
    "#]],
    );
}

#[test]
fn cancel_ends_waits_and_retries_too() {
    let plan = parse(
        "name: W\nversion: 1\nactivities: [{name: A, version: 1, retry: {jitter: 0}}]\n\
         steps:\n- {name: Wait, wait: 1h}\n- {name: Try, activity: A}\n- {name: Ask, signal: s}\n\
         - {name: After, activity: A, requires: [Wait]}\n\
         finally: [{name: Tell, activity: A}]\n",
    );
    let canceled = "start 1\ntimer cpe.wait.Wait\nscheduled Try\nfailed Try x\n\
                    timer cpe.backoff.Try#2\ncancel";
    check(
        &plan,
        canceled,
        expect![[r#"
        cancel-timer cpe.backoff.Try#2
        cancel-timer cpe.wait.Wait
        schedule Tell null
    "#]],
    );
    // One that was on its way when the request came.
    let late = "start 1\ntimer cpe.wait.Wait\ncancel\nscheduled Try";
    check(
        &plan,
        late,
        expect![[r#"
        cancel-timer cpe.wait.Wait
        ask Try
    "#]],
    );
    check(
        &plan,
        &format!("{late}\nasked Try\ncompleted Try"),
        expect![[r#"
        cancel-timer cpe.wait.Wait
        schedule Tell null
    "#]],
    );
}
