//! The signal that asks one activity to end.

use expect_test::{Expect, expect};

use super::history::{Recorder, render};
use crate::{Plan, cancel_activity_input, decide};

const PLAN: &str = r#"
name: W
version: "1"
activities:
- {name: A, version: v1, retry: {max_attempts: 3, backoff: 2s, jitter: 0}}
steps:
- {name: One, activity: A, input: '1'}
- {name: Two, activity: A, input: '2', allow_failure: true}
- {name: Each, activity: A, requires: [Two], foreach: "{{ [1, 2] }}", input: '{{ item }}'}
"#;

/// `cancel-activity ID` is the signal.
#[track_caller]
fn check(history: &str, expect: Expect) {
    let plan = Plan::parse("plan.yaml", PLAN).unwrap_or_else(|errors| panic!("{errors}"));
    let lines = history.lines().map(|line| match line.trim().strip_prefix("cancel-activity ") {
        Some(id) => format!("signal cpe.cancel-activity {}\n", cancel_activity_input(id)),
        None => format!("{line}\n"),
    });
    let history: String = lines.collect();
    expect.assert_eq(&render(&decide(&plan, &Recorder::read(&history))));
}

const BOTH: &str = "start 1\nscheduled One\nscheduled Two";

#[test]
fn what_runs_is_asked_once_and_its_step_fails() {
    check(
        &format!("{BOTH}\ncancel-activity Two"),
        expect![[r#"
        ask Two
    "#]],
    );
    check(&format!("{BOTH}\ncancel-activity Two\nasked Two"), expect![""]);
    check(&format!("{BOTH}\ncancel-activity Two\nasked Two\ncancel-activity Two"), expect![""]);
    check(
        &format!("{BOTH}\ncancel-activity Two\nasked Two\ncanceled Two"),
        expect![[r#"
        schedule Each[0] 1
        schedule Each[1] 2
    "#]],
    );
    check(
        "start 1\nscheduled Two\nscheduled One\ncancel-activity One\nasked One\ncompleted Two\ncanceled One\n\
         scheduled Each[0]\nscheduled Each[1]\ncompleted Each[0]\ncompleted Each[1]",
        expect![[r#"
            fail cpe.canceled {"step":"One","reason":"cpe.canceled","details":""}
        "#]],
    );
}

#[test]
fn a_late_ending_is_what_counts() {
    check(
        &format!("{BOTH}\ncancel-activity Two\nasked Two\ncompleted Two 5\nscheduled Each[0]"),
        expect![[r#"
            schedule Each[1] 2
        "#]],
    );
}

#[test]
fn an_item_and_a_later_attempt_are_found() {
    let items = format!("{BOTH}\ncompleted Two 1\nscheduled Each[0]\nscheduled Each[1]");
    check(
        &format!("{items}\ncancel-activity Each[1]"),
        expect![[r#"
        ask Each[1]
    "#]],
    );
    let again = format!("{BOTH}\nfailed Two x\ntimer cpe.backoff.Two#2");
    check(
        &format!("{again}\ncancel-activity Two"),
        expect![[r#"
        cancel-timer cpe.backoff.Two#2
        schedule Each[0] 1
        schedule Each[1] 2
    "#]],
    );
    let running = format!("{again}\nfired cpe.backoff.Two#2\nscheduled Two#2");
    check(
        &format!("{running}\ncancel-activity Two"),
        expect![[r#"
        ask Two#2
    "#]],
    );
    check(
        &format!("{running}\ncancel-activity Two#2"),
        expect![[r#"
        ask Two#2
    "#]],
    );
}

#[test]
fn what_is_not_there_means_nothing() {
    for wish in ["cancel-activity Three", "cancel-activity Each[0]", "cancel-activity One#2"] {
        check(&format!("{BOTH}\n{wish}"), expect![""]);
    }
    check(&format!("{BOTH}\nsignal cpe.cancel-activity"), expect![""]);
    check(&format!("{BOTH}\nsignal cpe.cancel-activity [1]"), expect![""]);
}
