//! What each key of a step does, event by event.

use expect_test::{Expect, expect};

use super::history::{Recorder, plan, render};
use crate::{Plan, RunState, decide, next_decisions};

#[track_caller]
fn check(plan: &Plan, history: &str, expect: Expect) {
    let events = Recorder::read(history);
    let decisions = decide(plan, &events);
    expect.assert_eq(&render(&decisions));
    let mut state = RunState::default();
    for event in &events {
        state.apply(plan, event);
        let _ = next_decisions(plan, &state);
    }
    assert_eq!(next_decisions(plan, &state), decisions);
}

#[test]
fn when_decides_whether_a_step_runs() {
    let plan = plan(
        "- {name: One, activity: A, when: '{{ __input__.go }}'}\n\
         - {name: Two, activity: A, requires: [[One, skipped]]}\n",
    );
    check(
        &plan,
        r#"start {"go": true}"#,
        expect![[r#"
        schedule One null
    "#]],
    );
    check(
        &plan,
        r#"start {"go": false}"#,
        expect![[r#"
        schedule Two null
    "#]],
    );
    check(
        &plan,
        r#"start {"go": "yes"}"#,
        expect![[r#"
        fail cpe.bad-when {"step":"One","reason":"cpe.bad-when","details":"`when` is neither true nor false, but \"yes\""}
    "#]],
    );
    check(
        &plan,
        "start {}",
        expect![[r#"
        fail cpe.bad-when {"step":"One","reason":"cpe.bad-when","details":"template line 1: `__input__.go` is undefined"}
    "#]],
    );
}

#[test]
fn a_failure_is_tried_again_after_a_timer() {
    let plan = plan("- {name: One, activity: Again, input: '{{ __input__ }}'}\n");
    let first = "start 1\nscheduled One\ntimed-out One HEARTBEAT";
    check(
        &plan,
        first,
        expect![[r#"
        timer cpe.backoff.One#2 2
    "#]],
    );
    let second = format!("{first}\ntimer cpe.backoff.One#2\nfired cpe.backoff.One#2");
    check(
        &plan,
        &second,
        expect![[r#"
        schedule One#2 1
    "#]],
    );
    let third = format!("{second}\nscheduled One#2\nfailed One#2 x");
    check(
        &plan,
        &third,
        expect![[r#"
        timer cpe.backoff.One#3 4
    "#]],
    );
    let last =
        format!("{third}\ntimer cpe.backoff.One#3\nfired cpe.backoff.One#3\nscheduled One#3\n");
    check(
        &plan,
        &format!("{last}completed One#3 5"),
        expect![[r#"
        complete {"One":{"v":5}}
    "#]],
    );
    check(
        &plan,
        &format!("{last}failed One#3 y z"),
        expect![[r#"
        fail y {"step":"One","reason":"y","details":"z"}
    "#]],
    );
}

#[test]
fn what_is_excluded_is_not_tried_again() {
    let plan = plan("- {name: One, activity: Again}\n");
    check(
        &plan,
        "start 1\nscheduled One\nfailed One bad.input",
        expect![[r#"
        fail bad.input {"step":"One","reason":"bad.input","details":""}
    "#]],
    );
    check(
        &plan,
        "start 1\nscheduled One\ncanceled One",
        expect![[r#"
        fail cpe.canceled {"step":"One","reason":"cpe.canceled","details":""}
    "#]],
    );
    check(
        &plan,
        r#"start 1
        scheduled One
        failed One x {"details": "no", "retryable": false}"#,
        expect![[r#"
            fail x {"step":"One","reason":"x","details":{"details":"no","retryable":false}}
        "#]],
    );
    check(
        &plan,
        "start 1\nscheduled One\ncompleted One [",
        expect![[r#"
        timer cpe.backoff.One#2 2
    "#]],
    );
}

#[test]
fn an_unknown_type_is_tried_a_few_times() {
    let plan = plan("- {name: One, activity: A}\n- {name: Two, activity: A}\n");
    let mut history = "start 1\nscheduled Two".to_owned();
    let mut waits = String::new();
    for _ in 0..5 {
        history += "\nrefused One ACTIVITY_TYPE_DOES_NOT_EXIST";
        waits += &render(&decide(&plan, &Recorder::read(&history)));
        history += "\ntimer cpe.backoff.One\nfired cpe.backoff.One";
    }
    expect![[r#"
        timer cpe.backoff.One 2
        timer cpe.backoff.One 4
        timer cpe.backoff.One 8
        timer cpe.backoff.One 16
        timer cpe.backoff.One 32
    "#]]
    .assert_eq(&waits);
    history += "\nrefused One ACTIVITY_TYPE_DOES_NOT_EXIST\ncompleted Two";
    check(
        &plan,
        &history,
        expect![[r#"
        fail cpe.schedule.activity-type-does-not-exist {"step":"One","reason":"cpe.schedule.activity-type-does-not-exist","details":"SWF refused to schedule the activity task"}
    "#]],
    );
}

const EACH: &str = "- {name: Each, activity: A, foreach: '{{ __input__ }}', max_parallel: 2,\n   \
                    input: '[{{ index }}, {{ item }}]'}\n\
                    - {name: All, activity: A, requires: [[Each, succeeded]], input: '{{ Each }}'}\n";

#[test]
fn foreach_keeps_the_order_of_its_items() {
    let plan = plan(EACH);
    let start = r#"start ["a", "b", "c"]"#;
    check(
        &plan,
        start,
        expect![[r#"
        schedule Each[0] [0,"a"]
        schedule Each[1] [1,"b"]
    "#]],
    );
    let two = format!("{start}\nscheduled Each[0]\nscheduled Each[1]\ncompleted Each[1] 11");
    check(
        &plan,
        &two,
        expect![[r#"
        schedule Each[2] [2,"c"]
    "#]],
    );
    let three = format!("{two}\nscheduled Each[2]\ncompleted Each[2] 22");
    check(&plan, &three, expect![[""]]);
    check(
        &plan,
        &format!("{three}\ncompleted Each[0] 0"),
        expect![[r#"
        schedule All [{"v":0},{"v":11},{"v":22}]
    "#]],
    );
    check(
        &plan,
        "start []",
        expect![[r#"
        schedule All []
    "#]],
    );
    check(
        &plan,
        "start {}",
        expect![[r#"
        fail cpe.bad-foreach {"step":"Each","reason":"cpe.bad-foreach","details":"`foreach` is no list, but {}"}
    "#]],
    );
}

#[test]
fn an_item_that_fails_ends_a_foreach() {
    let plan = plan(EACH);
    let failed = "start [1, 2, 3]\nscheduled Each[0]\nscheduled Each[1]\nfailed Each[0] x";
    // What runs is let end; nothing new begins.
    check(&plan, failed, expect![[""]]);
    check(
        &plan,
        &format!("{failed}\ncompleted Each[1]"),
        expect![[r#"
        fail x {"step":"Each","reason":"x","details":""}
    "#]],
    );
    // An item that was scheduled while the failure was on its way is asked to cancel.
    let late = "start [1, 2, 3]\nscheduled Each[0]\nfailed Each[0] x\nscheduled Each[1]";
    check(
        &plan,
        late,
        expect![[r#"
        ask Each[1]
    "#]],
    );
    check(&plan, &format!("{late}\nasked Each[1]"), expect![[""]]);
    check(
        &plan,
        &format!("{late}\nasked Each[1]\ncanceled Each[1]"),
        expect![[r#"
        fail x {"step":"Each","reason":"x","details":""}
    "#]],
    );
}

#[test]
fn with_allow_failure_all_items_run_and_the_others_count() {
    let plan = plan(
        "- {name: Each, activity: A, foreach: '{{ __input__ }}', max_parallel: 1,\n   \
           allow_failure: true}\n\
         - {name: All, eval: '{{ Each }}', requires: [Each]}\n",
    );
    let failed = "start [1, 2]\nscheduled Each[0]\nfailed Each[0] x";
    check(
        &plan,
        failed,
        expect![[r#"
        schedule Each[1] null
    "#]],
    );
    check(
        &plan,
        &format!("{failed}\nscheduled Each[1]\ncompleted Each[1] 7"),
        expect![[r#"
        complete {"All":[null,{"v":7}]}
    "#]],
    );
}

#[test]
fn items_are_tried_again_each_for_itself() {
    let plan = plan("- {name: Each, activity: Again, foreach: '{{ __input__ }}'}\n");
    let failed = "start [1, 2]\nscheduled Each[0]\nscheduled Each[1]\nfailed Each[1] x";
    check(
        &plan,
        failed,
        expect![[r#"
        timer cpe.backoff.Each[1]#2 2
    "#]],
    );
    let again = format!("{failed}\ntimer cpe.backoff.Each[1]#2\ncompleted Each[0] 1");
    check(&plan, &again, expect![[""]]);
    let fired = format!("{again}\nfired cpe.backoff.Each[1]#2");
    check(
        &plan,
        &fired,
        expect![[r#"
        schedule Each[1]#2 null
    "#]],
    );
    check(
        &plan,
        &format!("{fired}\nscheduled Each[1]#2\ncompleted Each[1]#2 2"),
        expect![[r#"
        complete {"Each":[{"v":1},{"v":2}]}
    "#]],
    );
}

#[test]
fn wait_lets_time_pass() {
    let plan = plan(
        "- {name: Cool, wait: 2m}\n- {name: Next, activity: A, requires: [[Cool, succeeded]]}\n",
    );
    check(
        &plan,
        "start 1",
        expect![[r#"
        timer cpe.wait.Cool 120
    "#]],
    );
    check(&plan, "start 1\ntimer cpe.wait.Cool", expect![[""]]);
    check(
        &plan,
        "start 1\ntimer cpe.wait.Cool\nfired cpe.wait.Cool",
        expect![[r#"
        schedule Next null
    "#]],
    );
    let refused = "start 1\ntimer-refused cpe.wait.Cool OPEN_TIMERS_LIMIT_EXCEEDED";
    check(
        &plan,
        refused,
        expect![[r#"
        timer cpe.retry 2
    "#]],
    );
    check(
        &plan,
        &format!("{refused}\ntimer cpe.retry\nfired cpe.retry"),
        expect![[r#"
            timer cpe.wait.Cool 120
        "#]],
    );
    check(
        &plan,
        "start 1\ntimer cpe.wait.Cool\ncancel",
        expect![[r#"
        cancel
    "#]],
    );
}

#[test]
fn signal_waits_for_its_payload() {
    let plan = plan(
        "- {name: Ask, signal: approved, timeout: 1d}\n\
         - {name: Next, activity: A, requires: [[Ask, succeeded]], input: '{{ Ask.by }}'}\n",
    );
    check(
        &plan,
        "start 1",
        expect![[r#"
        timer cpe.signal.Ask 86400
    "#]],
    );
    let came = r#"start 1
        timer cpe.signal.Ask
        signal approved {"by": "me"}"#;
    check(
        &plan,
        came,
        expect![[r#"
        cancel-timer cpe.signal.Ask
        schedule Next "me"
    "#]],
    );
    check(&plan, "start 1\ntimer cpe.signal.Ask\nsignal other 1", expect![[""]]);
    check(
        &plan,
        "start 1\ntimer cpe.signal.Ask\nfired cpe.signal.Ask",
        expect![[r#"
        fail cpe.signal.timeout {"step":"Ask","reason":"cpe.signal.timeout","details":"the signal did not come within 86400 seconds"}
    "#]],
    );
    // The timer was on its way when the signal came.
    let late = "start 1\nsignal approved {\"by\": 1}\ntimer cpe.signal.Ask";
    check(
        &plan,
        late,
        expect![[r#"
        cancel-timer cpe.signal.Ask
        schedule Next 1
    "#]],
    );
}

#[test]
fn a_signal_that_comes_early_counts_and_each_counts_once() {
    let plan = plan(
        "- {name: One, activity: A}\n\
         - {name: First, signal: s, requires: [One]}\n\
         - {name: Second, signal: s, requires: [First]}\n\
         - {name: Sum, eval: '[{{ First }}, {{ Second }}]', requires: [First, Second]}\n",
    );
    let early = "start 1\nsignal s 1\nscheduled One\ncompleted One";
    check(&plan, early, expect![[""]]);
    check(
        &plan,
        &format!("{early}\nsignal s plain text"),
        expect![[r#"
        complete {"Sum":[1,"plain text"]}
    "#]],
    );
}

#[test]
fn a_child_is_a_workflow_of_its_own() {
    let plan = plan(
        "- {name: Sub, plan: {name: C, version: 1}, input: '{{ __input__ }}', timeout: 1h}\n\
         - {name: Next, activity: A, requires: [[Sub, succeeded]], input: '{{ Sub.n }}'}\n",
    );
    let execution = cpe_swf::WorkflowExecution { workflow_id: "c.j".into(), run_id: "r".into() };
    let mut state = RunState::of_execution(execution);
    Recorder::read("start {}").iter().for_each(|event| state.apply(&plan, event));
    expect![[r#"
        child C@1 c.j.Sub Sub {}
    "#]]
    .assert_eq(&render(&next_decisions(&plan, &state)));

    let begun = "start 1\nchild Sub\nchild-begun Sub";
    check(&plan, begun, expect![[""]]);
    check(
        &plan,
        &format!("{begun}\nchild-completed Sub {{\"n\": 7}}"),
        expect![[r#"
        schedule Next 7
    "#]],
    );
    check(
        &plan,
        &format!("{begun}\nchild-failed Sub a.b"),
        expect![[r#"
        fail a.b {"step":"Sub","reason":"a.b","details":""}
    "#]],
    );
    check(
        &plan,
        &format!("{begun}\nchild-ended Sub TimedOut"),
        expect![[r#"
        fail cpe.child.timeout {"step":"Sub","reason":"cpe.child.timeout","details":""}
    "#]],
    );
    check(
        &plan,
        &format!("{begun}\nchild-ended Sub Canceled"),
        expect![[r#"
        fail cpe.child.canceled {"step":"Sub","reason":"cpe.child.canceled","details":""}
    "#]],
    );
    check(
        &plan,
        &format!("{begun}\nchild-ended Sub Terminated"),
        expect![[r#"
        fail cpe.child.terminated {"step":"Sub","reason":"cpe.child.terminated","details":""}
    "#]],
    );
}

#[test]
fn a_child_that_cannot_be_started_or_is_canceled() {
    let plan = plan("- {name: Sub, plan: {name: C, version: 1}}\n");
    let begun = "start 1\nchild Sub\nchild-begun Sub";
    check(
        &plan,
        "start 1\nchild-refused Sub WORKFLOW_TYPE_DEPRECATED",
        expect![[r#"
        fail cpe.schedule.workflow-type-deprecated {"step":"Sub","reason":"cpe.schedule.workflow-type-deprecated","details":"SWF refused to start the child"}
    "#]],
    );
    check(
        &plan,
        "start 1\nchild-refused Sub WORKFLOW_TYPE_DOES_NOT_EXIST",
        expect![[r#"
        timer cpe.backoff.Sub 2
    "#]],
    );
    check(
        &plan,
        "start 1\nchild-refused Sub CHILD_CREATION_RATE_EXCEEDED",
        expect![[r#"
        timer cpe.retry 2
    "#]],
    );
    // A child can be asked to cancel once it has begun.
    check(&plan, "start 1\nchild Sub\ncancel", expect![[""]]);
    check(
        &plan,
        "start 1\nchild Sub\ncancel\nchild-begun Sub",
        expect![[r#"
        ask-child parent.Sub
    "#]],
    );
    let asked = format!("{begun}\ncancel\nchild-asked Sub");
    check(&plan, &asked, expect![[""]]);
    check(
        &plan,
        &format!("{asked}\nchild-ended Sub Canceled"),
        expect![[r#"
        cancel
    "#]],
    );
}
